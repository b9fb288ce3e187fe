/* The SOCKS5 proxy and the SAM bridge, with clients that behave like bitcoind and clients that don't. */
#include "node/stand_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_in address;

static struct stand_in *
start(enum stand_in_kind kind, const atomic_int *interrupted)
{
	socklen_t len = sizeof(address);
	struct stand_in *server;
	struct diag diag;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(stand_in_start(&server, kind, fd, interrupted, &diag), 0);
	return server;
}

static int
dial(void)
{
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void
hear(int fd, const void *want, size_t len)
{
	char got[4096];

	assert_true(len <= sizeof(got));
	assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
	assert_memory_equal(got, want, len);
}

static void
hear_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
}

static struct deadline
soon(void)
{
	return deadline_in_ms(10000);
}

#define SAY(fd, text)  say(fd, text, sizeof(text) - 1)
#define HEAR(fd, text) hear(fd, text, sizeof(text) - 1)
#define SUCCESS        "\5\0\0\1\0\0\0\0\0\0"

static void
assert_taken(struct stand_in *server, int client, const char *want_host, uint16_t want_port)
{
	char host[STAND_IN_HOST_SZ];
	struct diag diag;
	uint16_t port;
	int fd = stand_in_take(server, host, &port, soon(), &diag);

	assert_true(fd >= 0);
	assert_string_equal(host, want_host);
	assert_int_equal(port, want_port);
	SAY(client, "to the destination");
	HEAR(fd, "to the destination");
	SAY(fd, "and back");
	HEAR(client, "and back");
	close(fd);
	hear_end(client);
}

static void
test_unused(void **state)
{
	atomic_int interrupted = 0;
	struct diag diag;

	(void)state;
	stand_in_free(NULL);
	for (enum stand_in_kind kind = STAND_IN_SOCKS5; kind <= STAND_IN_SAM; kind++) {
		struct stand_in *server = start(kind, &interrupted);

		assert_int_equal(stand_in_take(server, NULL, NULL, deadline_in_ms(1), &diag), -ETIMEDOUT);
		interrupted = 1;
		assert_int_equal(stand_in_take(server, NULL, NULL, soon(), &diag), -EINTR);
		interrupted = 0;
		stand_in_free(server);
	}
}

static void
test_socks5(void **state)
{
	char name[255], request[512];
	struct stand_in *server = start(STAND_IN_SOCKS5, NULL);
	int fd = dial();

	(void)state;
	/* A name, the way bitcoind asks: two methods, greeting and request apart. */
	SAY(fd, "\5\2\0\2");
	HEAR(fd, "\5\0");
	SAY(fd, "\5\1\0\3\13example.org\x20\x8d");
	HEAR(fd, SUCCESS);
	assert_taken(server, fd, "example.org", 0x208d);
	/* The longest name, byte by byte. */
	memset(name, 'n', sizeof(name));
	int len = snprintf(request, sizeof(request), "\5\1%c\5\1%c\3\377%.255s\1\2", 0, 0, name);
	fd = dial();
	for (int i = 0; i < len; i++)
		say(fd, request + i, 1);
	HEAR(fd, "\5\0" SUCCESS);
	char host[STAND_IN_HOST_SZ] = "";
	memcpy(host, name, sizeof(name));
	assert_taken(server, fd, host, 0x102);
	/* Binary addresses, in one piece with the greeting; two clients at once. */
	fd = dial();
	int other = dial();
	SAY(fd, "\5\1\0\5\1\0\1\1\2\3\4\xff\xfe");
	HEAR(fd, "\5\0" SUCCESS);
	SAY(other, "\5\1\0\5\1\0\4\x11\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\1");
	HEAR(other, "\5\0" SUCCESS);
	assert_taken(server, fd, "1.2.3.4", 0xfffe);
	assert_taken(server, other, "1111::5", 1);
	stand_in_free(server);
}

static void
test_socks5_bad(void **state)
{
	struct stand_in *server = start(STAND_IN_SOCKS5, NULL);
	struct diag diag;
	int fd;

	(void)state;
	fd = dial();
	SAY(fd, "\4\1\0");
	hear_end(fd);
	fd = dial();
	SAY(fd, "\5\1\2"); /* only with a password */
	HEAR(fd, "\5\377");
	hear_end(fd);
	fd = dial();
	SAY(fd, "\5\0"); /* no method at all */
	HEAR(fd, "\5\377");
	hear_end(fd);
	fd = dial();
	SAY(fd, "\5\1\0\4");
	HEAR(fd, "\5\0");
	hear_end(fd);
	fd = dial();
	SAY(fd, "\5\1\0\5\2\0\1\1\2\3\4\0\1"); /* bind */
	HEAR(fd, "\5\0\5\7");
	close(fd);
	fd = dial();
	SAY(fd, "\5\1\0\5\1\0\2\1\2\3\4\0\1");
	HEAR(fd, "\5\0\5\10");
	close(fd);
	fd = dial();
	SAY(fd, "\5\1\0\5\1\0\1\1\2\3\4\0\1and more"); /* before the answer */
	HEAR(fd, "\5\0" SUCCESS);
	hear_end(fd);
	fd = dial();
	SAY(fd, "\5\1\0\5\1\0\3\20short");
	HEAR(fd, "\5\0");
	assert_int_equal(stand_in_take(server, NULL, NULL, deadline_in_ms(20), &diag), -ETIMEDOUT);
	shutdown(fd, SHUT_WR);
	hear_end(fd);
	/* One client too many: it is closed, and there is room again once the others have gone. */
	int fds[17];
	for (int i = 0; i < 17; i++)
		fds[i] = dial();
	hear_end(fds[16]);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	fd = -1;
	for (ssize_t n = 0; n != 2;) {
		char answer[2];

		if (fd >= 0)
			close(fd);
		fd = dial();
		send(fd, "\5\1\0", 3, MSG_NOSIGNAL);
		n = recv(fd, answer, sizeof(answer), MSG_WAITALL);
	}
	stand_in_free(server); /* with a client */
	hear_end(fd);
}

/* Reads a line, without the newline. */
static void
hear_line(int fd, char *line, size_t sz)
{
	size_t len = 0;

	do {
		assert_true(len < sz);
		assert_int_equal(recv(fd, &line[len], 1, 0), 1);
	} while (line[len++] != '\n');
	line[len - 1] = '\0';
}

#define HELLO    "HELLO VERSION MIN=3.1 MAX=3.1\n"
#define HELLO_OK "HELLO REPLY RESULT=OK VERSION=3.1\n"

static void
test_sam(void **state)
{
	static const char create[] =
		"SESSION CREATE STYLE=STREAM ID=abc DESTINATION=%s i2cp.leaseSetEncType=4,0\n";
	char line[4096], request[sizeof(create) + sizeof(line)];
	struct stand_in *server = start(STAND_IN_SAM, NULL);
	int control = dial();

	(void)state;
	/* A session with a new key, and one with a key that the bridge made earlier. */
	SAY(control, HELLO);
	HEAR(control, HELLO_OK);
	snprintf(request, sizeof(request), create, "TRANSIENT SIGNATURE_TYPE=7");
	say(control, request, strlen(request));
	hear_line(control, line, sizeof(line));
	const char *key = line + strlen("SESSION STATUS RESULT=OK DESTINATION=");
	assert_int_equal(strncmp(line, "SESSION STATUS RESULT=OK DESTINATION=", (size_t)(key - line)), 0);
	assert_int_equal(strlen(key) % 4, 0);
	assert_int_equal(strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~"),
			 strlen(key));
	int other = dial();
	SAY(other, HELLO "DEST GENERATE SIGNATURE_TYPE=7\n");
	HEAR(other, HELLO_OK "DEST REPLY PUB=none PRIV=");
	hear_line(other, line, sizeof(line));
	assert_true(strlen(line) > 387 * 4 / 3);
	snprintf(request, sizeof(request), create, line);
	say(other, request, strlen(request));
	HEAR(other, "SESSION STATUS RESULT=OK DESTINATION=");
	hear(other, line, strlen(line));
	HEAR(other, "\n");
	/* Outbound. */
	int out = dial();
	SAY(out, HELLO);
	HEAR(out, HELLO_OK);
	SAY(out, "NAMING LOOKUP NAME=example.b32.i2p\n");
	HEAR(out, "NAMING REPLY RESULT=OK NAME=example.b32.i2p VALUE=destination\n");
	SAY(out, "STREAM CONNECT ID=abc DESTINATION=destination SILENT=false\n");
	HEAR(out, "STREAM STATUS RESULT=OK\n");
	assert_taken(server, out, "example.b32.i2p", 0);
	stand_in_free(server);
	hear_end(control);
	hear_end(other);
}

/* A client that waits and leaves does not count. */
static void
test_sam_accept(void **state)
{
	char line[4096], first[STAND_IN_ADDRESS_SZ], second[STAND_IN_ADDRESS_SZ];
	struct stand_in *server = start(STAND_IN_SAM, NULL);
	struct diag diag;

	(void)state;
	assert_int_equal(stand_in_wait_accepting(server, deadline_in_ms(1), &diag), -ETIMEDOUT);
	for (unsigned nth = 0; nth < 3; nth++) {
		char *got = nth == 2 ? second : first;
		int in = dial();

		SAY(in, HELLO "STREAM ACCEPT ID=abc SILENT=false\n");
		HEAR(in, HELLO_OK "STREAM STATUS RESULT=OK\n");
		if (nth == 0) {
			close(in);
			continue;
		}
		assert_int_equal(stand_in_wait_accepting(server, soon(), &diag), 0);
		int fd = stand_in_connect(server, nth, got, soon(), &diag);
		assert_true(fd >= 0);
		hear_line(in, line, sizeof(line));
		assert_in_range(strlen(line), 500, 511); /* with its end as much as bitcoind reads at once */
		assert_int_equal(strlen(got), 62);
		assert_string_equal(got + 52, ".b32.i2p:0");
		SAY(fd, "from the peer");
		HEAR(in, "from the peer");
		close(fd);
		hear_end(in);
	}
	assert_string_not_equal(first, second);
	int in = dial();
	SAY(in, HELLO "STREAM ACCEPT ID=abc SILENT=false\n");
	HEAR(in, HELLO_OK "STREAM STATUS RESULT=OK\n");
	assert_int_equal(stand_in_wait_accepting(server, soon(), &diag), 0);
	stand_in_hang_up(server);
	hear_end(in);
	assert_int_equal(stand_in_wait_accepting(server, deadline_in_ms(1), &diag), -ETIMEDOUT);
	stand_in_free(server);
}

static void
test_sam_bad(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\n",
		"\n",
		"STREAM CONNECT ID=abc DESTINATION=never-looked-up SILENT=false\n",
		"SESSION CREATE STYLE=STREAM ID=abc\n",
		"NAMING LOOKUP\n",
	};
	struct stand_in *server = start(STAND_IN_SAM, NULL);
	struct diag diag;
	char line[9000];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = dial();

		say(fd, bad[i], strlen(bad[i]));
		HEAR(fd, "SESSION STATUS RESULT=I2P_ERROR\n");
		hear_end(fd);
	}
	int fd = dial();
	memset(line, 'x', sizeof(line)); /* a line without an end */
	send(fd, line, sizeof(line), MSG_NOSIGNAL);
	hear_end(fd);
	fd = dial();
	SAY(fd, "STREAM ACC");
	assert_int_equal(stand_in_wait_accepting(server, deadline_in_ms(5), &diag), -ETIMEDOUT);
	stand_in_free(server);
	hear_end(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unused),     cmocka_unit_test(test_socks5),
		cmocka_unit_test(test_socks5_bad), cmocka_unit_test(test_sam),
		cmocka_unit_test(test_sam_accept), cmocka_unit_test(test_sam_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

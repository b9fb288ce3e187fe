/* Answers to RPCs as a bitcoind should not give them, or gives them when something is wrong. */
#include "node/network.h"
#include "node/rpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWER_MS = 20000 };

/* Takes one connection at a time, reads one request and sends the answer, then closes it. */
struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *status, *body; /* status NULL: hangs up */
	size_t body_sz;
	char request[4096];
};

/* False: somebody only knocked. The last request stays. */
static bool
read_request(struct server *server, int fd)
{
	size_t len = 0;

	/* The body is the only thing with a closing brace at its end. */
	while (len < sizeof(server->request) - 1 && (!len || server->request[len - 1] != '}')) {
		ssize_t n = read(fd, server->request + len, sizeof(server->request) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (len)
		server->request[len] = '\0';
	return len > 0;
}

static void *
serve(void *arg)
{
	struct server *server = arg;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		if (read_request(server, fd) && server->status) {
			dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
				server->status, server->body_sz);
			assert_int_equal(write(fd, server->body, server->body_sz), server->body_sz);
		}
		close(fd);
	}
	return NULL;
}

/* The same, but as if it had gone to sleep over the first request: the answer comes when somebody else connects. */
static void *
serve_when_woken(void *arg)
{
	struct server *server = arg;
	int fd = accept(server->fd, NULL, NULL);

	assert_true(read_request(server, fd));
	int waker = accept(server->fd, NULL, NULL);
	dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", server->status,
		server->body_sz, server->body);
	close(waker);
	close(fd);
	return NULL;
}

static void
server_start_as(struct server *server, void *(*serve_so)(void *))
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*server = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_true(server->fd >= 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->fd, 4), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve_so, server), 0);
}

static void
server_start(struct server *server)
{
	server_start_as(server, serve);
}

static void
server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

struct outcome {
	int err, rpc_code;
	struct json *result;
	char text[sizeof(((struct diag *)NULL)->text)];
	char message[100];
};

/* The first call of a new rpc, therefore with id 1. */
static struct outcome
call_for(struct server *server, const char *status, const char *body, size_t body_sz, const char *wallet)
{
	struct diag diag = {0};
	struct outcome outcome = {0};
	struct network network;

	server->status = status;
	server->body = body;
	server->body_sz = body_sz;
	network_init(&network);
	struct rpc *rpc = rpc_new(&(struct rpc_opts){
		.port = server->port, .cookie = "__cookie__:abc", .network = &network, .ended_fd = -1});
	outcome.err = rpc_call(rpc, deadline_in_ms(ANSWER_MS), wallet, "stop", "[1]", &outcome.result,
			       &outcome.rpc_code, &diag);
	snprintf(outcome.text, sizeof(outcome.text), "%s", diag.text);
	snprintf(outcome.message, sizeof(outcome.message), "%s", rpc_message(rpc));
	rpc_free(rpc);
	network_fini(&network);
	return outcome;
}

static struct outcome
call(struct server *server, const char *status, const char *body, const char *wallet)
{
	return call_for(server, status, body, body ? strlen(body) : 0, wallet);
}

static void
assert_fails(struct server *server, const char *status, const char *body, int err, int rpc_code,
	     const char *text)
{
	struct outcome outcome = call(server, status, body, NULL);

	assert_string_equal(outcome.text, text);
	assert_int_equal(outcome.err, err);
	assert_int_equal(outcome.rpc_code, rpc_code);
	assert_null(outcome.result);
}

static void
test_good_answers(void **state)
{
	static const char *const bodies[] = {"{\"result\":7,\"error\":null,\"id\":1}",
					     "{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":1}"};
	struct server server;

	(void)state;
	server_start(&server);
	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = call(&server, "200 OK", bodies[i], i ? "a b/c" : NULL);
		int64_t number;

		assert_int_equal(outcome.err, 0);
		assert_true(json_i64(outcome.result, &number));
		assert_int_equal(number, 7);
		json_free(outcome.result);
		assert_non_null(strstr(server.request, i ? "POST /wallet/a%20b%2Fc HTTP" : "POST / HTTP"));
		assert_non_null(strstr(server.request, "\r\nAuthorization: Basic X19jb29raWVfXzphYmM=\r\n"));
		assert_non_null(
			strstr(server.request,
			       "\r\n\r\n{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"stop\",\"params\":[1]}"));
	}
	server_stop(&server);
}

static void
test_wrong_answers(void **state)
{
	struct server server;

	(void)state;
	server_start(&server);
	assert_fails(&server, "401 Unauthorized", "", -EACCES, 0,
		     "node: rpc 'stop' failed: HTTP status 401, the cookie was rejected");
	assert_fails(&server, "403 Forbidden", "{\"result\":7,\"error\":null,\"id\":1}", -EACCES, 0,
		     "node: rpc 'stop' failed: HTTP status 403, the cookie was rejected");
	assert_fails(&server, "503 Service Unavailable", "Work queue depth exceeded\r\n", -EBADMSG, 0,
		     "node: rpc 'stop' failed: HTTP status 503 and no JSON: 'Work queue depth exceeded'");
	assert_fails(&server, "200 OK", "", -EBADMSG, 0,
		     "node: rpc 'stop' failed: HTTP status 200 and no JSON: ''");
	assert_fails(
		&server, "200 OK", "{\"result\":7,\"error\":null,\"id\":2}", -EBADMSG, 0,
		"node: rpc 'stop' failed: HTTP status 200 and no answer to this call: '{\"result\":7,\"error\":null,\"id\":2}'");
	assert_fails(
		&server, "200 OK", "{\"result\":7,\"error\":null}", -EBADMSG, 0,
		"node: rpc 'stop' failed: HTTP status 200 and no answer to this call: '{\"result\":7,\"error\":null}'");
	assert_fails(&server, "200 OK", "{\"id\":1}", -EBADMSG, 0,
		     "node: rpc 'stop' failed: HTTP status 200 and no answer to this call: '{\"id\":1}'");
	server_stop(&server);
}

static void
test_rpc_errors(void **state)
{
	static const char body[] =
		"{\"result\":null,\"error\":{\"code\":-8,\"message\":\"no such block\"},\"id\":1}";
	struct server server;

	(void)state;
	server_start(&server);
	assert_fails(&server, "500 Internal Server Error", body, -EREMOTEIO, -8,
		     "node: rpc 'stop' failed: no such block (code -8)");
	assert_string_equal(call(&server, "200 OK", body, NULL).message, "no such block");
	assert_fails(&server, "500 Internal Server Error", "{\"result\":null,\"error\":{},\"id\":1}",
		     -EREMOTEIO, 0, "node: rpc 'stop' failed: no message (code 0)");
	server_stop(&server);
}

/* What stands behind a NUL is shown, too. */
static void
test_nul(void **state)
{
	static const char
		body[] = "one\0two\r\nthree",
		message[] =
			"{\"result\":null,\"error\":{\"code\":-8,\"message\":\"one\\u0000two\"},\"id\":1}";
	struct server server;

	(void)state;
	server_start(&server);
	assert_string_equal(call_for(&server, "503 Busy", body, sizeof(body) - 1, NULL).text,
			    "node: rpc 'stop' failed: HTTP status 503 and no JSON: 'one\\x00two'");
	struct outcome outcome = call(&server, "200 OK", message, NULL);
	assert_string_equal(outcome.text, "node: rpc 'stop' failed: one\\x00two (code -8)");
	assert_string_equal(outcome.message, "one\\x00two");
	server_stop(&server);
}

static void
test_no_answer(void **state)
{
	struct server server;

	(void)state;
	server_start(&server);
	assert_int_equal(call(&server, NULL, NULL, NULL).err, -ECONNRESET);
	server_stop(&server);
	assert_int_equal(call(&server, NULL, NULL, NULL).err, -ECONNREFUSED);
}

/* Bitcoin Core's server may sleep over a request until it is woken. */
static void
test_sleepy(void **state)
{
	struct server server;

	(void)state;
	server_start_as(&server, serve_when_woken);
	struct outcome outcome = call(&server, "200 OK", "{\"result\":7,\"error\":null,\"id\":1}", NULL);
	assert_int_equal(outcome.err, 0);
	json_free(outcome.result);
	server_stop(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_answers), cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_rpc_errors),   cmocka_unit_test(test_nul),
		cmocka_unit_test(test_no_answer),    cmocka_unit_test(test_sleepy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

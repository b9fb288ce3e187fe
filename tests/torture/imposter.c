/* In place of bitcoind: does what its own name says. The specimen, which is linked to it, has all tracepoints. */
#include "run/specimen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *datadir = ".";
static int port;

static void
make_cookie(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/regtest", datadir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/regtest/.cookie", datadir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0 && write(fd, "__cookie__:00", 13) == 13)
		close(fd);
}

static void
print_garbage(void)
{
	unsigned char bytes[4096];
	int fd = open("/dev/urandom", O_RDONLY);

	for (int i = 0; i < 256; i++)
		if (read(fd, bytes, sizeof(bytes)) != sizeof(bytes) || write(1, bytes, sizeof(bytes)) < 0)
			break;
}

/* Answers each connection with something that is no answer. */
static void
answer_nonsense(void)
{
	static const char *const answers[] = {
		"\x01\x02\x03",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"result\":1e999,\"id\":{}}",
		"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 401 No\r\n\r\n",
		"",
	};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 10))
		return;
	make_cookie();
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0;; i++) {
		char request[4096];
		int peer = accept(fd, NULL, NULL);
		const char *answer = answers[i % (sizeof(answers) / sizeof(answers[0]))];

		if (peer < 0)
			continue;
		if (read(peer, request, sizeof(request)) > 0 && write(peer, answer, strlen(answer)) < 0)
			perror("imposter");
		close(peer);
	}
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-datadir=", 9))
			datadir = argv[i] + 9;
		sscanf(argv[i], "-rpcport=%d", &port);
	}
	if (!strcmp(name, "garbage"))
		print_garbage();
	if (!strcmp(name, "nonsense"))
		answer_nonsense();
	if (!strcmp(name, "deaf")) {
		signal(SIGTERM, SIG_IGN);
		make_cookie();
	}
	if (!strcmp(name, "daemon") && (fork() || (setsid() >= 0 && fork())))
		return 0;
	if (!strcmp(name, "children"))
		for (int i = 0; i < 5; i++)
			if (!fork())
				break;
	if (strcmp(name, "exits") != 0)
		for (;;)
			pause();
	return 0;
}

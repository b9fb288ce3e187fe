/* A text that is served, and one that is not there. */
#include "base/text.h"
#include "serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char *text;

static char *
render(void *cookie, const char *accept, const char **content_type)
{
	(void)cookie, (void)accept;
	*content_type = "text/plain";
	return text ? strdup(text) : NULL;
}

/* A connection to a port of 127.0.0.1. */
static int
connect_to(const char *url)
{
	uint64_t port;

	assert_true(parse_u64(strrchr(url, ':') + 1, &port));
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
assert_answer(struct http *http, const char *url, const char *status, const char *body)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	char got[4096] = "";
	size_t len = 0;
	int fd = connect_to(url);
	ssize_t n = -1;

	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	alarm(20);
	do {
		http_serve(http);
		n = recv(fd, got + len, sizeof(got) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	alarm(0);
	close(fd);
	if (strncmp(got, status, strlen(status)) != 0 || !strstr(got, body))
		fail_msg("not '%s' and '%s': %s", status, body, got);
}

static void
test_answers(void **state)
{
	struct http_opts opts = {.path = "/metrics", .render = render};
	struct http *http;
	struct diag diag;
	char url[64];

	(void)state;
	assert_int_equal(http_listen("127.0.0.1:0", &opts.listen_fd, url, &diag), 0);
	int err = http_start(&http, &opts, &diag);
	if (err == -ELIBACC) {
		print_message("not tried: %s\n", diag.text);
		skip();
	}
	assert_int_equal(err, 0);
	text = "some 1\n";
	assert_answer(http, url, "HTTP/1.1 200 ", "\r\n\r\nsome 1\n");
	text = NULL;
	assert_answer(http, url, "HTTP/1.1 500 ", "\r\n\r\nthere are too many metrics\n");
	http_stop(http);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

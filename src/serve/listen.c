#include "serve/http.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 32 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Splits "HOST:PORT" or "[HOST]:PORT". */
static bool
split(const char *text, char host[INET6_ADDRSTRLEN], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t number;

	if (!len || !parse_u64(colon + 1, &number) || number > UINT16_MAX)
		return false;
	if (*text == '[') {
		if (text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	}
	if (!len || len >= INET6_ADDRSTRLEN)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*port = (uint16_t)number;
	return true;
}

static bool
parse(const char *text, union address *address, bool *is_loopback)
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	memset(address, 0, sizeof(*address));
	if (!split(text, host, &port))
		return false;
	if (*text != '[' &&
	    inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		*is_loopback = ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
		return true;
	}
	if (*text == '[' && inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		*is_loopback = IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
		return true;
	}
	return false;
}

/* "http://127.0.0.1:9332", with the port that the system has chosen. */
static void
format_url(int fd, char url[64])
{
	union address bound = {.any.sa_family = AF_UNSPEC};
	socklen_t bound_sz = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "";
	bool is_v6;

	getsockname(fd, &bound.any, &bound_sz);
	is_v6 = bound.any.sa_family == AF_INET6;
	inet_ntop(bound.any.sa_family, is_v6 ? (void *)&bound.v6.sin6_addr : (void *)&bound.v4.sin_addr, host,
		  sizeof(host));
	snprintf(url, 64, is_v6 ? "http://[%s]:%u" : "http://%s:%u", host,
		 (unsigned)ntohs(is_v6 ? bound.v6.sin6_port : bound.v4.sin_port));
}

int
http_listen(const char *text, int *fd, char url[64], struct diag *diag)
{
	union address address;
	bool is_loopback = false;
	int on = 1;

	*fd = -1;
	if (!parse(text, &address, &is_loopback))
		return diag_fail(diag, -EINVAL, "'%s' is not of the form 127.0.0.1:PORT or [::1]:PORT", text);
	if (!is_loopback)
		return diag_fail(
			diag, -EINVAL,
			"'%s' can be reached by other machines, and anybody could read the metrics; listen at 127.0.0.1 or [::1], and let a proxy with a password make it public",
			text);
	int new_fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t sz = address.any.sa_family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);
	/* An earlier trace's connections do not keep the port. */
	if (new_fd < 0 || setsockopt(new_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(new_fd, &address.any, sz) || listen(new_fd, BACKLOG)) {
		int err = -errno;

		if (new_fd >= 0)
			close(new_fd);
		return diag_fail(diag, err, "failed to listen at '%s': %s%s", text, strerror(-err),
				 err == -EADDRINUSE
					 ? "; another program listens there: name another port, or 0 for any"
				 : err == -EACCES
					 ? "; ports below 1024 require CAP_NET_BIND_SERVICE: name another one"
					 : "");
	}
	format_url(new_fd, url);
	*fd = new_fd;
	return 0;
}

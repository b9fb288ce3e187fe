/* Answers HTTP requests for one text, between other work and without threads. The server is libmicrohttpd, in a module
 * that is loaded only here: nothing else in tpcheck needs that library. */
#ifndef TPCHECK_SERVE_HTTP_H
#define TPCHECK_SERVE_HTTP_H

#include "base/diag.h"

struct http;

struct http_opts {
	int listen_fd;    /* a socket that listens; owned from now on, even after an error */
	const char *path; /* of the text: "/metrics" */
	/* The text as the caller wants it, to be freed by the server; NULL: there is none now, which is answered with
	 * status 500. accept: the request's header, or NULL.
	 * content_type becomes a string that stays valid. */
	char *(*render)(void *cookie, const char *accept, const char **content_type);
	void *cookie;
};

/* -ELIBACC: there is no libmicrohttpd. opts is copied, its strings are borrowed. */
int http_start(struct http **out, const struct http_opts *opts, struct diag *diag);
/* Handles what has arrived, and returns without waiting. To be called often: a request takes a few calls. */
void http_serve(struct http *http);
void http_stop(struct http *http); /* NULL is fine */

/* A socket that listens at an address of this machine only, "127.0.0.1:9332" or "[::1]:9332"; port 0 takes any. url
 * becomes "http://127.0.0.1:9332". -EINVAL: it is no such address, and diag names what is; else the system's errors. */
int http_listen(const char *address, int *fd, char url[64], struct diag *diag);

#endif

#include "serve/http_module.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 32,
	TIMEOUT_S = 10,
	ROUNDS_MAX = 8, /* of one call of http_module_serve */
};

struct http {
	struct http_opts opts;
	struct MHD_Daemon *daemon;
	char pointer[128]; /* what is said about other paths */
};

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response, const char *type)
{
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer(connection, status,
		      MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
						      MHD_RESPMEM_PERSISTENT),
		      "text/plain; charset=utf-8");
}

static enum MHD_Result
on_request(void *cookie, struct MHD_Connection *connection, const char *url, const char *method,
	   const char *version, const char *upload, size_t *upload_sz, void **state)
{
	static int seen;
	struct http *http = cookie;
	const char *content_type = "text/plain";

	(void)version;
	(void)upload;
	/* The first call has only the headers. What the caller uploads is ignored. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_sz) {
		*upload_sz = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
	if (strcmp(url, http->opts.path) != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, http->pointer);
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	char *text = http->opts.render(http->opts.cookie, accept, &content_type);
	if (!text)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "there are too many metrics\n");
	return answer(connection, MHD_HTTP_OK,
		      MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE),
		      content_type);
}

int
http_module_start(struct http **out, const struct http_opts *opts)
{
	struct http *http = calloc(1, sizeof(*http));

	*out = NULL;
	if (!http) {
		close(opts->listen_fd);
		return -ENOMEM;
	}
	http->opts = *opts;
	snprintf(http->pointer, sizeof(http->pointer), "nothing is here; see %s\n", opts->path);
	http->daemon =
		MHD_start_daemon(MHD_NO_FLAG, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
				 opts->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
	if (!http->daemon) {
		close(opts->listen_fd);
		free(http);
		return -EIO;
	}
	*out = http;
	return 0;
}

void
http_module_serve(struct http *http)
{
	const union MHD_DaemonInfo *info;
	int rounds = 0;

	/* Accepting, reading and answering are a round each. */
	do {
		MHD_run(http->daemon);
		info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	} while (++rounds < ROUNDS_MAX && info && info->num_connections);
}

void
http_module_stop(struct http *http)
{
	MHD_stop_daemon(http->daemon);
	free(http);
}

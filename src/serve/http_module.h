/* The seam between http.c and the module with libmicrohttpd. */
#ifndef TPCHECK_SERVE_HTTP_MODULE_H
#define TPCHECK_SERVE_HTTP_MODULE_H

#include "serve/http.h"

int http_module_start(struct http **out, const struct http_opts *opts);
void http_module_serve(struct http *http);
void http_module_stop(struct http *http);

#endif

#include "serve/http.h"

#include "base/module.h"
#include "serve/http_module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define MODULE_NAME "tpcheck-http.so"

static struct {
	__typeof__(http_module_start) *start;
	__typeof__(http_module_serve) *serve;
	__typeof__(http_module_stop) *stop;
} module;

static int
load(struct diag *diag)
{
	char path[PATH_MAX + sizeof(MODULE_NAME)];

	if (module_find(MODULE_NAME, path, sizeof(path)))
		return diag_fail(diag, -ELIBACC, "serve: failed to find " MODULE_NAME ": %s", path);
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return diag_fail(
			diag, -ELIBACC,
			"serve: failed to load libmicrohttpd: %s; install it (Debian 12: apt-get install libmicrohttpd12), or, if tpcheck was built without it, libmicrohttpd-dev, and build again; a file (--output=FILE) does not require it",
			dlerror());
	/* As POSIX has it: a function's address passes through a void *. */
	*(void **)&module.start = dlsym(handle, "http_module_start");
	*(void **)&module.serve = dlsym(handle, "http_module_serve");
	*(void **)&module.stop = dlsym(handle, "http_module_stop");
	if (!module.start || !module.serve || !module.stop)
		return diag_fail(diag, -ELIBACC, "serve: '%s' is of another version", path);
	return 0;
}

int
http_start(struct http **out, const struct http_opts *opts, struct diag *diag)
{
	*out = NULL;
	int err = module.start ? 0 : load(diag);
	if (err) {
		close(opts->listen_fd);
		return err;
	}
	err = module.start(out, opts);
	return err ? diag_fail(diag, err, "serve: failed to start the HTTP server") : 0;
}

void
http_serve(struct http *http)
{
	module.serve(http);
}

void
http_stop(struct http *http)
{
	if (http)
		module.stop(http);
}

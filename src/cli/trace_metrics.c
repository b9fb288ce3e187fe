#include "cli/trace_metrics.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "serve/http.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERVAL_MS = 15000, METRICS_BYTES_MAX = 64 << 20 };

static const char openmetrics_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
static const char prometheus_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* What the reader asks for, else the format that was asked for here. */
static char *
render(void *cookie, const char *accept, const char **content_type)
{
	struct trace_metrics *metrics = cookie;
	bool is_prometheus = metrics->options->format == TRACE_FORMAT_PROMETHEUS;
	struct buf out;

	if (accept && strstr(accept, "application/openmetrics-text"))
		is_prometheus = false;
	else if (accept && strstr(accept, "text/plain"))
		is_prometheus = true;
	*content_type = is_prometheus ? prometheus_type : openmetrics_type;
	buf_init(&out, METRICS_BYTES_MAX);
	metrics->render(metrics->cookie, is_prometheus, &out);
	/* Half of the metrics would look like all of them. */
	if (!out.overflow)
		return buf_take(&out);
	buf_fini(&out);
	return NULL;
}

static int
write_all(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->len;) {
		ssize_t n = write(fd, text->data + done, text->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Readers see the old file or the new one, never a part. */
static int
replace(struct trace_metrics *metrics, const struct buf *text)
{
	/* A tpcheck that was killed with its keeper may have left it. */
	unlink(metrics->new_path);
	int fd = open(metrics->new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	int err = write_all(fd, text);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(metrics->new_path, metrics->options->output))
		err = -errno;
	if (err)
		unlink(metrics->new_path);
	return err;
}

static int
write_file(struct trace_metrics *metrics, struct diag *diag)
{
	const char *path = metrics->options->output;
	struct buf text;
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return diag_fail(
			diag, -EINVAL,
			"failed to write '%s': it is not a file; name a file, which is replaced as a whole",
			path);
	buf_init(&text, METRICS_BYTES_MAX);
	metrics->render(metrics->cookie, metrics->options->format == TRACE_FORMAT_PROMETHEUS, &text);
	int err = text.overflow ? -EFBIG : replace(metrics, &text);
	buf_fini(&text);
	if (!err)
		return 0;
	return diag_fail(diag, err, "failed to write '%s': %s%s", path, strerror(-err),
			 err == -ENOENT ? "; its folder does not exist"
			 : err == -EACCES || err == -EROFS
				 ? "; the file is replaced as a whole, so its folder must be writable"
				 : "");
}

/* ".NAME.new": not a name that readers of the folder look for. */
static char *
make_new_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return xasprintf("%.*s.%s.new", (int)(name - path), path, name);
}

/* The keeper removes what stays there when tpcheck is killed. */

static int
keep_path(void *state, const void *path, size_t path_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	(void)fds;
	(void)fds_cnt;
	(void)diag;
	memcpy(state, path, path_sz);
	return 0;
}

static int
remove_path(void *state, struct diag *diag)
{
	(void)diag;
	unlink(state);
	return 0;
}

static const struct keeper_desc removal_desc = {
	.state_sz = PATH_MAX, .work = keep_path, .undo = remove_path, .undo_anywhere = true};

/* The keeper's working directory is '/'. A folder that cannot be found is reported when the file is written. */
static int
prepare_removal(struct trace_metrics *metrics, struct diag *diag)
{
	const char *path = metrics->new_path, *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *given = xasprintf("%.*s.", (int)(name - path), path), *folder = realpath(given, NULL);
	char *absolute = folder ? xasprintf("%s/%s", folder, name) : NULL;
	int err = 0;

	if (absolute && strlen(absolute) < PATH_MAX)
		err = keeper_do(metrics->options->probe.keeper, &metrics->removal, &removal_desc, absolute,
				strlen(absolute) + 1, NULL, 0, diag);
	free(absolute);
	free(folder);
	free(given);
	return err;
}

int
trace_metrics_open(struct trace_metrics *metrics, struct diag *diag)
{
	const struct trace_options *options = metrics->options;
	struct http_opts http_opts = {.path = "/metrics", .render = render, .cookie = metrics};
	int err = 0;

	if (options->listen) {
		err = http_listen(options->listen, &http_opts.listen_fd, metrics->url, diag);
		if (!err)
			err = http_start(&metrics->http, &http_opts, diag);
	}
	if (!err && options->output) {
		metrics->new_path = make_new_path(options->output);
		metrics->written_ns = clock_now_ns();
		err = prepare_removal(metrics, diag);
		if (!err)
			err = write_file(metrics, diag);
	}
	if (err) {
		/* The trace does not begin: nothing will be written at its end. */
		free(metrics->new_path);
		metrics->new_path = NULL;
	}
	return err;
}

static void
update_file(struct trace_metrics *metrics, struct diag *diag)
{
	struct diag why;

	if (!write_file(metrics, &why)) {
		metrics->has_failed = false;
		return;
	}
	if (!metrics->has_failed)
		*diag = why;
	metrics->has_failed = true;
}

void
trace_metrics_pause(struct trace_metrics *metrics, struct diag *diag)
{
	uint64_t interval_ns = metrics->options->interval_ns, now_ns = clock_now_ns();

	diag->text[0] = '\0';
	if (metrics->http)
		http_serve(metrics->http);
	if (!interval_ns)
		interval_ns = INTERVAL_MS * UINT64_C(1000000);
	if (!metrics->options->output || now_ns - metrics->written_ns < interval_ns)
		return;
	metrics->written_ns = now_ns;
	update_file(metrics, diag);
}

void
trace_metrics_end(struct trace_metrics *metrics, struct diag *diag)
{
	diag->text[0] = '\0';
	if (metrics->http)
		http_serve(metrics->http);
	if (metrics->new_path)
		update_file(metrics, diag);
}

void
trace_metrics_close(struct trace_metrics *metrics)
{
	http_stop(metrics->http);
	keeper_undo(&metrics->removal, NULL);
	free(metrics->new_path);
	*metrics = (struct trace_metrics){0};
}

#include "report/reports.h"

#include "base/clock.h"
#include "base/writer.h"
#include "base/xmem.h"
#include "report/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIFO_POLL_MS = 100 };

const struct report_format *const report_formats[] = {
	&report_format_text,  &report_format_json,   &report_format_tap,  &report_format_tap13,
	&report_format_junit, &report_format_github, &report_format_html, NULL,
};

const char *
report_format_name(const struct report_format *format)
{
	return format->name;
}

struct report {
	const struct report_format *format;
	void *state; /* the format's; NULL before begin */
	char *path;  /* NULL: standard output */
	int fd;      /* of out */
	FILE *out;
	bool is_new;        /* the file did not exist */
	int error;          /* errno of the first write that failed; 0 */
	bool is_busy;       /* within a call of the format */
	size_t results_cnt; /* that were written */
	struct report_head head;
};

struct reports {
	struct report *items;
	size_t cnt;
	bool begun;
	const atomic_int *interrupted;
};

struct reports *
reports_new(const atomic_int *interrupted)
{
	struct reports *reports = xcalloc(1, sizeof(*reports));

	reports->interrupted = interrupted;
	return reports;
}

/* Whether both are the same file. Devices may get any number of reports. */
static bool
is_same_file(int a, int b)
{
	struct stat of_a, of_b;

	return !fstat(a, &of_a) && !fstat(b, &of_b) && !S_ISCHR(of_a.st_mode) && !S_ISBLK(of_a.st_mode) &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* Opens the file without changing it, and so that writes do not block. */
static int
open_file(const char *path, bool *is_new)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	*is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		/* Without O_CREAT: with it, root may not open the files of others in a sticky folder. */
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) /* a link to a file that does not exist */
			fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	}
	return fd;
}

static bool
is_fifo(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISFIFO(st.st_mode);
}

/* open_file, but waits until somebody reads the FIFO. */
static int
open_with_reader(const struct reports *reports, const char *path, bool *is_new)
{
	bool is_announced = false;
	int fd;

	while ((fd = open_file(path, is_new)) < 0 && errno == ENXIO && is_fifo(path)) {
		if (!is_announced)
			fprintf(stderr, "tpcheck: waiting for a reader of the FIFO '%s'\n", path);
		is_announced = true;
		if (reports->interrupted && *reports->interrupted) {
			errno = EINTR;
			return -1;
		}
		clock_pause_ms(FIFO_POLL_MS, deadline_in_ms(FIFO_POLL_MS));
	}
	return fd;
}

static int
fail_to_open(const struct report *report, struct diag *diag)
{
	int err = -errno;

	if (err == -EINTR)
		return diag_fail(diag, err, "report: interrupted while nobody read the FIFO '%s'",
				 report->path);
	return diag_fail(
		diag, err,
		"report: failed to open '%s' for the %s report: %s; name a file in a folder that exists and is writable",
		report->path ? report->path : "standard output", report->format->name, strerror(-err));
}

static int
open_report(const struct reports *reports, struct report *report, struct diag *diag)
{
	report->fd = report->path ? open_with_reader(reports, report->path, &report->is_new)
				  : writer_reopen(STDOUT_FILENO);
	if (report->fd < 0)
		return fail_to_open(report, diag);
	report->out = writer_stream(report->fd, reports->interrupted);
	if (report->out)
		return 0;
	int err = fail_to_open(report, diag);
	close(report->fd);
	return err;
}

int
reports_add(struct reports *reports, const struct report_format *format, const char *path, struct diag *diag)
{
	struct report report = {.format = format, .path = strcmp(path, "-") ? xstrdup(path) : NULL};
	int err = open_report(reports, &report, diag);

	if (err) {
		free(report.path);
		return err;
	}
	reports->items = xreallocarray(reports->items, reports->cnt + 1, sizeof(*reports->items));
	reports->items[reports->cnt++] = report;
	for (size_t i = 0; i + 1 < reports->cnt; i++) {
		const struct report *other = &reports->items[i];

		if ((!other->path && !report.path) || is_same_file(other->fd, report.fd))
			return diag_fail(
				diag, -EBUSY,
				"report: failed to write two reports (%s and %s) to %s: each needs its own; name another file for one of them",
				other->format->name, format->name,
				report.path ? report.path : "standard output");
	}
	return 0;
}

/* For readers that follow the file. errno may be that of an earlier write, which failed when the buffer was full. */
static void
flush(struct report *report)
{
	int earlier = errno;

	errno = 0;
	if ((fflush(report->out) || ferror(report->out)) && !report->error)
		report->error = errno ? errno : earlier ? earlier : EIO;
}

void
reports_begin(struct reports *reports, const struct report_head *head)
{
	reports->begun = true;
	for (size_t i = 0; i < reports->cnt; i++) {
		struct report *report = &reports->items[i];
		struct stat st;

		if (report->path && !fstat(report->fd, &st) && S_ISREG(st.st_mode) &&
		    ftruncate(report->fd, 0))
			report->error = errno;
		report->head = *head;
		report->head.terminal_fd = isatty(report->fd) ? report->fd : -1;
		report->head.interrupted = reports->interrupted;
		errno = 0;
		report->is_busy = true;
		report->state = report->format->begin(report->out, &report->head);
		flush(report);
		report->is_busy = false;
	}
}

void
reports_start(struct reports *reports, const char *name, size_t number, size_t total)
{
	for (size_t i = 0; i < reports->cnt; i++) {
		struct report *report = &reports->items[i];

		report->is_busy = true;
		if (report->format->start)
			report->format->start(report->state, name, number, total);
		report->is_busy = false;
	}
}

static void
write_result(struct report *report, const struct report_result *result)
{
	errno = 0;
	report->is_busy = true;
	if (report->format->result) {
		report->format->result(report->state, result);
		flush(report);
	}
	report->results_cnt++;
	report->is_busy = false;
}

void
reports_result(struct reports *reports, const struct report_result *result)
{
	for (size_t i = 0; i < reports->cnt; i++)
		if (reports->items[i].state)
			write_result(&reports->items[i], result);
}

static int
fail_to_write(const struct report *report, struct diag *diag)
{
	const char *quote = report->path ? "'" : "", *name = report->path ? report->path : "standard output";

	if (report->error == ETIMEDOUT)
		return diag_fail(diag, -ETIMEDOUT,
				 "report: gave up writing the %s report to %s%s%s: its reader does not read",
				 report->format->name, quote, name, quote);
	return diag_fail(diag, -report->error, "report: failed to write the %s report to %s%s%s: %s",
			 report->format->name, quote, name, quote, strerror(report->error));
}

int
reports_end(struct reports *reports, const struct report_run *run, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < reports->cnt; i++) {
		struct report *report = &reports->items[i];

		if (report->is_busy || !report->state)
			continue;
		while (report->results_cnt < run->results_cnt)
			write_result(report, &run->results[report->results_cnt]);
		errno = 0;
		report->is_busy = true;
		report->format->end(report->state, run);
		report->state = NULL;
		flush(report);
		if (fclose(report->out) && !report->error)
			report->error = errno;
		report->out = NULL;
		if (report->error && !err)
			err = fail_to_write(report, diag);
	}
	return err;
}

void
reports_free(struct reports *reports)
{
	if (!reports)
		return;
	for (size_t i = 0; i < reports->cnt; i++) {
		struct report *report = &reports->items[i];

		if (report->out)
			fclose(report->out);
		if (report->is_new && !reports->begun)
			unlink(report->path);
		free(report->path);
	}
	free(reports->items);
	free(reports);
}

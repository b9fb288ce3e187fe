#include "report/reports.h"

#include "base/xmem.h"
#include "report/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct report_format *const report_formats[] = {
	&report_format_text,
	&report_format_json,
	&report_format_tap,
	&report_format_tap13,
	&report_format_junit,
	&report_format_github,
	NULL,
};

const char *
report_format_name(const struct report_format *format)
{
	return format->name;
}

struct report {
	const struct report_format *format;
	void *state; /* the format's; NULL before begin */
	char *path;
	FILE *out;
	bool is_new; /* the file did not exist */
	int error;   /* errno of the first write that failed; 0 */
};

struct reports {
	struct report *items;
	size_t cnt;
	bool begun;
};

struct reports *
reports_new(void)
{
	return xcalloc(1, sizeof(struct reports));
}

/* Whether both are the same file. Devices may get any number of reports. */
static bool
is_same_file(int a, int b)
{
	struct stat of_a, of_b;

	return !fstat(a, &of_a) && !fstat(b, &of_b) && !S_ISCHR(of_a.st_mode) && !S_ISBLK(of_a.st_mode) &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* Opens the file without changing it. */
static int
open_file(const char *path, bool *is_new)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	*is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		/* Without O_CREAT: with it, root may not open the files of others in a sticky folder. */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) /* a link to a file that does not exist */
			fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	}
	return fd;
}

int
reports_add(struct reports *reports, const struct report_format *format, const char *path, struct diag *diag)
{
	struct report report = {.format = format, .out = stdout};

	if (strcmp(path, "-") != 0) {
		int fd = open_file(path, &report.is_new);

		report.out = fd < 0 ? NULL : fdopen(fd, "w");
		if (!report.out)
			return diag_fail(
				diag, -errno,
				"report: failed to open '%s' for the %s report: %s; name a file in a folder that exists and is writable",
				path, format->name, strerror(errno));
	}
	report.path = xstrdup(path);
	reports->items = xreallocarray(reports->items, reports->cnt + 1, sizeof(*reports->items));
	reports->items[reports->cnt++] = report;
	for (size_t i = 0; i + 1 < reports->cnt; i++) {
		const struct report *other = &reports->items[i];

		if (other->out == report.out || is_same_file(fileno(other->out), fileno(report.out)))
			return diag_fail(
				diag, -EBUSY,
				"report: failed to write two reports (%s and %s) to %s: each needs its own; name another file for one of them",
				other->format->name, format->name,
				report.out == stdout ? "standard output" : path);
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

		if (report->out != stdout && !fstat(fileno(report->out), &st) && S_ISREG(st.st_mode) &&
		    ftruncate(fileno(report->out), 0))
			report->error = errno;
		report->state = report->format->begin(report->out, head);
		flush(report);
	}
}

void
reports_start(struct reports *reports, const char *name, size_t number, size_t total)
{
	for (size_t i = 0; i < reports->cnt; i++)
		if (reports->items[i].format->start)
			reports->items[i].format->start(reports->items[i].state, name, number, total);
}

void
reports_result(struct reports *reports, const struct report_result *result)
{
	for (size_t i = 0; i < reports->cnt; i++)
		if (reports->items[i].format->result) {
			errno = 0;
			reports->items[i].format->result(reports->items[i].state, result);
			flush(&reports->items[i]);
		}
}

int
reports_end(struct reports *reports, const struct report_run *run, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < reports->cnt; i++) {
		struct report *report = &reports->items[i];

		errno = 0;
		report->format->end(report->state, run);
		report->state = NULL;
		if (report->out == stdout)
			continue;
		flush(report);
		if (fclose(report->out) && !report->error)
			report->error = errno;
		report->out = NULL;
		if (report->error && !err)
			err = diag_fail(diag, -report->error,
					"report: failed to write the %s report to '%s': %s",
					report->format->name, report->path, strerror(report->error));
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

		if (report->out && report->out != stdout)
			fclose(report->out);
		if (report->is_new && !reports->begun)
			unlink(report->path);
		free(report->path);
	}
	free(reports->items);
	free(reports);
}

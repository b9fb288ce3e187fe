/* Reports look like this, from the runtimes of LLVM and GCC:
 *
 *	==4711==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x55d0 bp 0x7ffc sp 0x7ffb
 *	READ of size 4 at 0x602000000010 thread T0
 *	    #0 0x55d000 in CCoinsViewCache::AddCoin(COutPoint const&, Coin&&, bool) coins.cpp:97:5
 *	SUMMARY: AddressSanitizer: heap-use-after-free coins.cpp:97:5 in CCoinsViewCache::AddCoin(...)
 *	==4711==ABORTING
 *
 *	WARNING: ThreadSanitizer: data race (pid=4711)
 *	    #0 Mutex::lock() sync.cpp:12 (bitcoind+0x1234)
 *
 *	coins.cpp:97:5: runtime error: unsigned integer overflow: ...
 *
 * UBSan's has frames only with print_stacktrace=1, and a SUMMARY only with some runtimes; the node goes on after it
 * unless halt_on_error=1. A report ends with its SUMMARY, with the next report, or when nobody waits for more. */
#include "run/sanitizer.h"

#include "base/buf.h"
#include "base/xmem.h"
#include "notes/notes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 2000, /* the rest is left out; symbols of templates are long */
	HEAD_LINES = 10,       /* of a report, in its finding */
	HEAD_BYTES = 8192,
	REPORTS_MAX = 40, /* different ones, as findings of one scenario */
};

enum report_state {
	REPORT_NONE,
	REPORT_GOES_ON, /* the node goes on after it */
	REPORT_IS_LAST, /* the node ends after it */
};

struct sanitizer_scan {
	enum report_state state;
	char *title;       /* of the report: "AddressSanitizer: heap-use-after-free" */
	char *first_frame; /* the first one at all; NULL */
	char *frame;       /* the first one in Bitcoin Core's code; NULL */
	bool has_leaks;
	struct buf head;
	unsigned head_lines;
	const char *obstacle;
	size_t again_cnt; /* reports that are no findings: like an earlier one, or too many */
	size_t more_cnt;  /* in the last finding about these */
	char line[LINE_MAX_BYTES + 1];
	size_t line_len;
};

struct sanitizer_scan *
sanitizer_scan_new(void)
{
	struct sanitizer_scan *scan = xcalloc(1, sizeof(*scan));

	buf_init(&scan->head, HEAD_BYTES);
	return scan;
}

static void
clear(struct sanitizer_scan *scan)
{
	free(scan->title);
	free(scan->first_frame);
	free(scan->frame);
	scan->title = scan->first_frame = scan->frame = NULL;
	buf_fini(&scan->head);
	buf_init(&scan->head, HEAD_BYTES);
	scan->head_lines = 0;
	scan->has_leaks = false;
	scan->state = REPORT_NONE;
}

void
sanitizer_scan_free(struct sanitizer_scan *scan)
{
	if (!scan)
		return;
	clear(scan);
	buf_fini(&scan->head);
	free(scan);
}

bool
sanitizer_scan_is_reporting(const struct sanitizer_scan *scan)
{
	return scan->state == REPORT_IS_LAST;
}

const char *
sanitizer_scan_take_obstacle(struct sanitizer_scan *scan)
{
	const char *obstacle = scan->obstacle;

	scan->obstacle = NULL;
	return obstacle;
}

/* Whether the title already gives the frame's place, as UBSan's do: "coins.cpp:97:5: runtime error: ...". */
static bool
has_place(const char *title, const char *frame)
{
	const char *place = strrchr(frame, ' ');

	return place && strstr(title, place);
}

/* Whether the list has a report of the same fault, or enough of them: a node that goes on may report without end. */
static bool
is_known(const struct sanitizer_scan *scan, const struct findings *findings, const char *message)
{
	static const char words[] = ": runtime error: ";
	const char *at = strstr(message, words);
	size_t len = at ? (size_t)(at - message) + strlen(words) : strlen(message) + 1, cnt = 0;

	for (size_t i = 0; i < findings->cnt; i++) {
		if (findings->items[i].kind != FINDING_SANITIZER)
			continue;
		if ((++cnt >= REPORTS_MAX && scan->state == REPORT_GOES_ON) ||
		    !strncmp(findings->items[i].message, message, len))
			return true;
	}
	return false;
}

static void
end_report(struct sanitizer_scan *scan, struct findings *findings)
{
	const char *frame = scan->frame ? scan->frame : scan->first_frame;

	if (scan->state == REPORT_NONE)
		return;
	char *message =
		frame && !has_place(scan->title, frame)
			? xasprintf("%s%s in %s", scan->title, scan->has_leaks ? ", the first" : "", frame)
			: xstrdup(scan->title);
	if (is_known(scan, findings, message)) {
		scan->again_cnt++;
	} else {
		struct finding *finding =
			findings_add(findings, FINDING_SANITIZER, NULL, 0, NULL, NULL, NULL, NULL, message);

		finding->context = xstrdup(scan->head.data ? scan->head.data : "");
	}
	free(message);
	clear(scan);
}

void
sanitizer_scan_flush(struct sanitizer_scan *scan, struct findings *findings)
{
	static const char more[] = "and ";

	end_report(scan, findings);
	if (!scan->again_cnt)
		return;
	/* There are others, so that there is a last one. */
	struct finding *last = &findings->items[findings->cnt - 1];
	bool adds = last->kind != FINDING_SANITIZER || strncmp(last->message, more, strlen(more)) != 0;
	scan->more_cnt = (adds ? 0 : scan->more_cnt) + scan->again_cnt;
	scan->again_cnt = 0;
	char *message = xasprintf("%s%zu more reports of sanitizers, of these faults or of others", more,
				  scan->more_cnt);
	if (adds) {
		findings_add(findings, FINDING_SANITIZER, NULL, 0, NULL, NULL, NULL, NULL, message);
		free(message);
	} else {
		free(last->message);
		last->message = message;
	}
}

/* Frames */

static bool
has_any(const char *text, const char *const *words, bool at_start)
{
	for (; *words; words++)
		if (at_start ? !strncmp(text, *words, strlen(*words)) : strstr(text, *words) != NULL)
			return true;
	return false;
}

/* Whether a frame, "FUNCTION FILE:LINE:COLUMN" or "FUNCTION (MODULE+OFFSET)", is in the code of a library. */
static bool
is_of_library(const char *frame)
{
	static const char *const functions[] = {"__",
						"operator new",
						"operator delete",
						"malloc",
						"calloc",
						"realloc",
						"reallocarray",
						"free",
						"mem",
						"str",
						"posix_memalign",
						"aligned_alloc",
						"pthread_",
						"std::",
						"void std::",
						"boost::",
						"asan_",
						"lsan_",
						"tsan_",
						"_start",
						"start_thread",
						"clone",
						NULL};
	static const char *const places[] = {" /usr/",
					     " ../",
					     " ./",
					     " /lib",
					     "/include/c++/",
					     "/include/boost/",
					     "compiler-rt/",
					     "libsanitizer/",
					     ".so",
					     "<null>",
					     NULL};

	return has_any(frame, functions, true) || has_any(frame, places, false);
}

/* The frame in a line, "    #0 0x55d000 in FRAME (BuildId: ...)", or NULL; the caller frees it. */
static char *
parse_frame(const char *line)
{
	const char *at = line + strspn(line, " ");

	if (at == line || *at != '#' || !isdigit((unsigned char)at[1]))
		return NULL;
	at += 1 + strspn(at + 1, "0123456789");
	at += strspn(at, " ");
	if (!strncmp(at, "0x", 2)) {
		at += 2 + strspn(at + 2, "0123456789abcdef");
		at += strspn(at, " ");
		if (!strncmp(at, "in ", 3))
			at += 3;
	}
	const char *end = strstr(at, " (BuildId:");
	return *at ? strndup(at, end ? (size_t)(end - at) : strlen(at)) : NULL;
}

static void
note_frame(struct sanitizer_scan *scan, const char *line)
{
	char *frame = scan->frame ? NULL : parse_frame(line);

	if (!frame)
		return;
	if (!scan->first_frame)
		scan->first_frame = xstrdup(frame);
	if (is_of_library(frame))
		free(frame);
	else
		scan->frame = frame;
}

/* Lines */

/* Skips "==4711==". */
static const char *
skip_pid(const char *line)
{
	size_t digits = strncmp(line, "==", 2) ? 0 : strspn(line + 2, "0123456789");

	return digits && !strncmp(line + 2 + digits, "==", 2) ? line + 4 + digits : line;
}

/* Skips "AddressSanitizer"; NULL if the text does not begin with such a name. */
static const char *
skip_name(const char *text)
{
	static const char suffix[] = "Sanitizer";
	const char *end = text;

	while (isalpha((unsigned char)*end))
		end++;
	size_t len = (size_t)(end - text), suffix_len = strlen(suffix);
	return len >= suffix_len && !strncmp(end - suffix_len, suffix, suffix_len) ? end : NULL;
}

static void
begin(struct sanitizer_scan *scan, enum report_state state, const char *name, const char *text,
      struct findings *findings)
{
	/* What differs from one run to the next. */
	static const char *const noise[] = {" on address ", " (pc ", " (pid=", " at pc "};
	size_t len = strlen(text);

	end_report(scan, findings);
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		const char *at = strstr(text, noise[i]);

		if (at && (size_t)(at - text) < len)
			len = (size_t)(at - text);
	}
	scan->title = xasprintf("%s%.*s", name, (int)len, text);
	scan->state = state;
}

/* Whether the line begins a report: "==4711==ERROR: AddressSanitizer: ...", "WARNING: ThreadSanitizer: ...". Runtimes
 * also print warnings about themselves, without a colon behind their name. */
static bool
begins_report(struct sanitizer_scan *scan, const char *line, struct findings *findings)
{
	const char *text = skip_pid(line), *end;
	bool is_error = !strncmp(text, "ERROR: ", 7), is_fatal = !strncmp(text, "FATAL: ", 7);
	bool is_warning = !strncmp(text, "WARNING: ", 9);

	if (is_error || is_fatal || is_warning) {
		text = strchr(text, ' ') + 1;
		end = skip_name(text);
		if (!end || (!is_error && *end != ':'))
			return false;
		begin(scan, is_warning ? REPORT_GOES_ON : REPORT_IS_LAST, "", text, findings);
		return true;
	}
	end = text == line ? NULL : skip_name(text);
	if (!end)
		return false;
	if (!strncmp(end, ": CHECK failed", 14) || !strncmp(end, " CHECK failed", 13)) {
		begin(scan, REPORT_IS_LAST, "", text, findings);
		return true;
	}
	if (!strncmp(end, " has encountered a fatal error", 30))
		scan->obstacle =
			"LeakSanitizer could not look for leaks when bitcoind ended: it does that by ptrace, which another tracer or this machine does not let it do (in a container: --cap-add=SYS_PTRACE); or turn it off by --env=ASAN_OPTIONS=detect_leaks=0";
	return false;
}

static bool
begins_ubsan_report(struct sanitizer_scan *scan, const char *line, struct findings *findings)
{
	static const char words[] = ": runtime error: ", minimal[] = "ubsan: ";
	const char *at = strstr(line, words);

	if (at && at > line && (isdigit((unsigned char)at[-1]) || at[-1] == '>'))
		begin(scan, REPORT_GOES_ON, "UndefinedBehaviorSanitizer: ", line, findings);
	else if (!strncmp(line, minimal, strlen(minimal)))
		begin(scan, REPORT_GOES_ON, "UndefinedBehaviorSanitizer: ", line + strlen(minimal), findings);
	else
		return false;
	return true;
}

/* LeakSanitizer's title says nothing of how much leaked; its summary does. */
static void
take_summary(struct sanitizer_scan *scan, const char *summary)
{
	const char *figures = strstr(summary, ": ");

	if (!figures || !strstr(summary, " leaked in ") || strncmp(scan->title, "LeakSanitizer", 13) != 0)
		return;
	size_t len = strlen(figures);
	free(scan->title);
	scan->title = xasprintf("LeakSanitizer%.*s", (int)(len - (figures[len - 1] == '.')), figures);
	scan->has_leaks = true;
}

static void
take_line(struct sanitizer_scan *scan, const char *line, struct findings *findings)
{
	static const char summary[] = "SUMMARY: ";
	bool begins = begins_report(scan, line, findings) || begins_ubsan_report(scan, line, findings);

	if (scan->state == REPORT_NONE)
		return;
	if (*line && scan->head_lines < HEAD_LINES) {
		scan->head_lines++;
		buf_printf(&scan->head, "%s\n", line);
	}
	if (begins)
		return;
	note_frame(scan, line);
	if (!strncmp(line, summary, strlen(summary))) {
		take_summary(scan, line + strlen(summary));
		end_report(scan, findings);
	}
}

/* Nothing that a node prints may control a terminal; the artifacts have it as it is. */
static char
make_plain(char c)
{
	return c == '\t' ? ' ' : c < 0x20 || c >= 0x7f ? '?' : c;
}

void
sanitizer_scan_feed(struct sanitizer_scan *scan, const char *text, size_t len, struct findings *findings)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			if (scan->line_len < LINE_MAX_BYTES)
				scan->line[scan->line_len++] = make_plain(text[i]);
			continue;
		}
		scan->line[scan->line_len] = '\0';
		take_line(scan, scan->line, findings);
		scan->line_len = 0;
	}
}

/* Binaries */

/* The runtime reads ASAN_OPTIONS and its like; a shared one is called libasan.so.8 or libclang_rt.asan-x86_64.so. */
static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	static const char *const marks[] = {"SAN_OPTIONS", "san.so", "libclang_rt."};
	bool *found = cookie;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		*found |= memmem(chunk->bytes, chunk->sz, marks[i], strlen(marks[i])) != NULL;
	return !*found;
}

bool
sanitizer_is_in(const char *path)
{
	int fd = notes_open_file(path, NULL);
	struct notes *notes = NULL;
	bool found = false;

	if (fd >= 0 && !notes_open_fd(&notes, fd, path, NULL)) {
		notes_scan_fd(notes, fd, false, on_chunk, &found, NULL);
		/* Some linkers put constants into the same segment as the code. */
		if (!found)
			notes_scan_fd(notes, fd, true, on_chunk, &found, NULL);
	}
	notes_free(notes);
	if (fd >= 0)
		close(fd);
	return found;
}

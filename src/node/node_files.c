#include "node/node_internal.h"

#include "base/utf8.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OUTPUT_TAIL = 600, /* bytes in an error text; both fit into a diag with the rest */
	LOG_TAIL = 900,
	SEARCHED_TAIL = 1 << 19,
};

int
node_open_file(struct node *node, const char *name)
{
	int fd = datadir_open(&node->datadir, NULL, name, O_RDWR | O_APPEND | O_CREAT);

	if (fd >= 0 && node->user.change && fchown(fd, node->user.uid, node->user.gid)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int
open_log(struct node *node)
{
	return datadir_open(&node->datadir, NODE_CHAIN_DIR, NODE_LOG_FILE, O_RDONLY);
}

static int
open_output(struct node *node)
{
	return datadir_open(&node->datadir, NULL, NODE_OUTPUT_FILE, O_RDONLY);
}

/* The last whole lines, bytes at most, of what a file holds after from; \x00 for each NUL. Closes fd, which may be an
 * error; the result is the caller's to free. */
static char *
read_tail(int fd, uint64_t from, size_t bytes)
{
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), start = (off_t)from;
	bool cut = end > start && end - start > (off_t)bytes;
	char *text = xmalloc(bytes), *at = text;
	ssize_t len = end > start ? pread(fd, text, bytes, cut ? end - (off_t)bytes : start) : 0;
	char *line = len > 0 ? memchr(text, '\n', (size_t)len) : NULL;

	if (cut && line && line + 1 < text + len)
		at = line + 1;
	char *shown = utf8_show_nul(at, len > 0 ? (size_t)(text + len - at) : 0);
	free(text);
	if (fd >= 0)
		close(fd);
	return shown;
}

static void
add_lines(const char *title, const char *text, struct buf *out)
{
	if (*text)
		buf_printf(out, "\n  %s:", title);
	while (*text) {
		size_t len = strcspn(text, "\n");

		buf_printf(out, "\n    %.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void
node_add_tails(struct node *node, struct buf *out)
{
	char *output = read_tail(open_output(node), node->output_start, OUTPUT_TAIL);
	char *log = read_tail(open_log(node), node->log_start, LOG_TAIL);

	add_lines(NODE_OUTPUT_FILE, output, out);
	add_lines(NODE_LOG_FILE, log, out);
	free(output);
	free(log);
}

bool
node_printed(struct node *node, const char *phrase)
{
	char *output = read_tail(open_output(node), node->output_start, SEARCHED_TAIL);
	bool found = strstr(output, phrase) != NULL;

	free(output);
	return found;
}

bool
node_wrote(struct node *node, const char *phrase)
{
	char *output = read_tail(open_output(node), node->output_start, SEARCHED_TAIL);
	char *log = read_tail(open_log(node), node->log_start, SEARCHED_TAIL);
	bool found = strstr(output, phrase) || strstr(log, phrase);

	free(output);
	free(log);
	return found;
}

uint64_t
node_log_mark(struct node *node)
{
	struct stat st;
	int fd = open_log(node);

	if (fd < 0)
		return 0;
	uint64_t size = fstat(fd, &st) ? 0 : (uint64_t)st.st_size;
	close(fd);
	return size;
}

static int
open_log_or_fail(struct node *node, struct diag *diag)
{
	int fd = open_log(node);

	if (fd < 0)
		diag_fail(diag, fd, "node: failed to read '%s/" NODE_CHAIN_DIR "/" NODE_LOG_FILE "': %s",
			  node->datadir.path, strerror(-fd));
	return fd;
}

/* Adds as much as there is room for; \x00 for each NUL. */
static void
add_text(struct buf *out, const char *bytes, size_t len)
{
	char *shown = memchr(bytes, '\0', len) ? utf8_show_nul(bytes, len) : NULL;
	const char *text = shown ? shown : bytes;

	len = shown ? strlen(shown) : len;
	if (!buf_add(out, text, len))
		buf_add(out, text, out->max - out->len);
	free(shown);
}

int
node_log_read(struct node *node, uint64_t from, struct buf *out, struct diag *diag)
{
	char chunk[16384];
	ssize_t n = 0;
	int fd = open_log_or_fail(node, diag), err = 0;

	if (fd < 0)
		return fd;
	while (!out->overflow && (n = pread(fd, chunk, sizeof(chunk), (off_t)from)) > 0) {
		add_text(out, chunk, (size_t)n);
		from += (uint64_t)n;
	}
	if (n < 0)
		err = diag_fail(diag, -errno, "node: failed to read debug.log: %s", strerror(errno));
	close(fd);
	return err;
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)bytes + done, len - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int
node_write_file(struct node *node, const char *name, const void *bytes, size_t len, struct diag *diag)
{
	int fd = node_open_file(node, name), err = fd < 0 ? fd : 0;

	if (!err && ftruncate(fd, 0))
		err = -errno;
	if (!err)
		err = write_all(fd, bytes, len);
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	return err ? diag_fail(diag, err, "node: failed to write '%s' in '%s': %s", name, node->datadir.path,
			       strerror(-err))
		   : 0;
}

size_t
node_read_output(struct node *node, uint64_t from, char *text, size_t sz)
{
	int fd = open_output(node);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sz, (off_t)from);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* Closes from. */
static int
save(int from, const char *name, int to, struct diag *diag)
{
	char chunk[16384];
	ssize_t n;
	int err = 0;

	while (!err && (n = read(from, chunk, sizeof(chunk))) != 0)
		err = n < 0 ? -errno : write_all(to, chunk, (size_t)n);
	close(from);
	return err ? diag_fail(diag, err, "node: failed to save %s: %s", name, strerror(-err)) : 0;
}

int
node_save_log(struct node *node, int to, struct diag *diag)
{
	int from = open_log_or_fail(node, diag);

	return from < 0 ? from : save(from, NODE_LOG_FILE, to, diag);
}

int
node_save_output(struct node *node, int to, struct diag *diag)
{
	int from = open_output(node);

	if (from < 0)
		return diag_fail(diag, from, "node: failed to read '%s/" NODE_OUTPUT_FILE "': %s",
				 node->datadir.path, strerror(-from));
	return save(from, NODE_OUTPUT_FILE, to, diag);
}

char *
node_log_tail(struct node *node, size_t bytes)
{
	return read_tail(open_log(node), 0, bytes);
}

char *
node_output_tail(struct node *node, size_t bytes)
{
	return read_tail(open_output(node), 0, bytes);
}

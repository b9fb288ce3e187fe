#include "base/writer.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIPE_BYTES = 4096, /* PIPE_BUF: fits when poll reports any room */
	POLL_MS = 100,
};

void
writer_init(struct writer *writer, int fd, bool (*must_end)(void *cookie), void *cookie)
{
	struct stat st = {0};

	*writer = (struct writer){.fd = fd, .must_end = must_end, .cookie = cookie};
	if (!fstat(fd, &st))
		writer->may_block =
			S_ISCHR(st.st_mode) ? isatty(fd) : !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
}

static void
wait_for_room(struct writer *writer)
{
	struct pollfd pollfd = {.fd = writer->fd, .events = POLLOUT};
	struct deadline grace = {.at_ns = UINT64_MAX};

	while (!writer->error) {
		int ready = poll(&pollfd, 1, POLL_MS);

		if (ready > 0) /* POLLERR, too: the write fails then */
			return;
		if (ready < 0 && errno != EINTR)
			writer->error = errno;
		else if (deadline_has_passed(grace))
			writer->error = ETIMEDOUT;
		else if (grace.at_ns == UINT64_MAX && writer->must_end && writer->must_end(writer->cookie))
			grace = deadline_in_ms(WRITER_GRACE_MS);
	}
}

size_t
writer_write(struct writer *writer, const char *bytes, size_t len)
{
	size_t done = 0;

	while (!writer->error && done < len) {
		size_t some = len - done;

		if (writer->may_block && some > PIPE_BYTES)
			some = PIPE_BYTES;
		if (writer->may_block)
			wait_for_room(writer);
		if (writer->error)
			break;
		ssize_t n = write(writer->fd, bytes + done, some);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN)
			writer->error = errno;
	}
	return done;
}

bool
writer_has_no_reader(const struct writer *writer)
{
	struct pollfd pollfd = {.fd = writer->fd};

	return writer->may_block && poll(&pollfd, 1, 0) == 1 && pollfd.revents & (POLLERR | POLLHUP);
}

/* The stream */

struct stream {
	struct writer writer;
	const atomic_int *interrupted;
};

static bool
is_interrupted(void *cookie)
{
	const struct stream *stream = cookie;

	return stream->interrupted && *stream->interrupted;
}

static ssize_t
stream_write(void *cookie, const char *bytes, size_t len)
{
	struct stream *stream = cookie;

	if (writer_write(&stream->writer, bytes, len) == len)
		return (ssize_t)len;
	errno = stream->writer.error;
	return 0;
}

static int
stream_close(void *cookie)
{
	struct stream *stream = cookie;
	int closed = close(stream->writer.fd);

	free(stream);
	return closed;
}

FILE *
writer_stream(int fd, const atomic_int *interrupted)
{
	static const cookie_io_functions_t functions = {.write = stream_write, .close = stream_close};
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->interrupted = interrupted;
	writer_init(&stream->writer, fd, is_interrupted, stream);
	FILE *file = fopencookie(stream, "w", functions);
	if (!file)
		free(stream);
	return file;
}

int
writer_reopen(int fd)
{
	char path[32];
	struct stat st;
	int again = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!fstat(fd, &st) && (S_ISFIFO(st.st_mode) || isatty(fd)))
		again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again > 2)
		return again;
	if (again >= 0)
		close(again);
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

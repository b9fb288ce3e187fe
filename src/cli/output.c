#include "cli/output.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUF_BYTES = 256 << 20, /* the limit of a buffer that grows */
	SPILL_BYTES = 64 << 10,
	PIPE_BYTES = 4096, /* PIPE_BUF: fits when poll reports any room */
	POLL_MS = 100,
	GRACE_MS = 1000,
};

void
output_init(struct output *output, int fd, bool (*must_end)(void *cookie), void *cookie)
{
	struct stat st = {0};

	*output =
		(struct output){.fd = fd,
				.is_terminal = isatty(fd),
				.may_block = !fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode),
				.must_end = must_end,
				.cookie = cookie};
	/* /dev/null and the like never block. */
	if (S_ISCHR(st.st_mode) && !output->is_terminal)
		output->may_block = false;
	buf_init(&output->buf, BUF_BYTES);
}

void
output_fini(struct output *output)
{
	buf_fini(&output->buf);
}

static void
give_up(struct output *output, enum output_state state, size_t done)
{
	output->state = state;
	for (size_t i = done; i < output->buf.len; i++)
		output->unwritten_lines += output->buf.data[i] == '\n';
}

/* False when it is time to end, or on an error. */
static bool
wait_writable(struct output *output, size_t done)
{
	struct pollfd pollfd = {.fd = output->fd, .events = POLLOUT};
	struct deadline grace = {.at_ns = UINT64_MAX};

	for (;;) {
		int ready = poll(&pollfd, 1, POLL_MS);

		if (ready > 0) /* POLLERR, too: the write fails then */
			return true;
		if (ready < 0 && errno != EINTR) {
			output->error = errno;
			give_up(output, OUTPUT_BROKEN, done);
			return false;
		}
		if (grace.at_ns == UINT64_MAX && output->must_end(output->cookie))
			grace = deadline_in_ms(GRACE_MS);
		if (deadline_has_passed(grace)) {
			give_up(output, OUTPUT_STUCK, done);
			return false;
		}
	}
}

/* A pipe without a reader, or a terminal that was hung up; found without writing. */
static bool
has_no_reader(const struct output *output)
{
	struct pollfd pollfd = {.fd = output->fd};

	return output->may_block && poll(&pollfd, 1, 0) == 1 && pollfd.revents & (POLLERR | POLLHUP);
}

bool
output_flush(struct output *output)
{
	size_t done = 0;

	if (output->state != OUTPUT_GOOD) {
		give_up(output, output->state, 0);
	} else if (output->buf.overflow) {
		output->error = EOVERFLOW;
		give_up(output, OUTPUT_BROKEN, 0);
	} else if (!output->buf.len && has_no_reader(output)) {
		output->state = OUTPUT_CLOSED;
	}
	while (output->state == OUTPUT_GOOD && done < output->buf.len) {
		size_t some = output->buf.len - done;

		if (output->may_block && some > PIPE_BYTES)
			some = PIPE_BYTES;
		if (output->may_block && !wait_writable(output, done))
			break;
		ssize_t n = write(output->fd, output->buf.data + done, some);
		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EPIPE) {
			give_up(output, OUTPUT_CLOSED, done);
		} else if (errno != EINTR && errno != EAGAIN) {
			output->error = errno;
			give_up(output, OUTPUT_BROKEN, done);
		}
	}
	buf_reset(&output->buf);
	return output->state == OUTPUT_GOOD;
}

bool
output_spill(struct output *output)
{
	return output->buf.len < SPILL_BYTES ? output->state == OUTPUT_GOOD : output_flush(output);
}

#include "cli/output.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUF_BYTES = 256 << 20, /* taken only when a table is that large */
	SPILL_BYTES = 64 << 10,
	PIPE_BYTES = 4096, /* so many fit when poll says that some do: PIPE_BUF */
	LOOK_MS = 100,
	GRACE_MS = 1000,
};

void
output_init(struct output *output, int fd, bool (*must_end)(void *cookie), void *cookie)
{
	struct stat st;

	*output =
		(struct output){.fd = fd,
				.is_terminal = isatty(fd),
				.may_block = !fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode),
				.must_end = must_end,
				.cookie = cookie};
	/* /dev/null and its like take everything. */
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

/* Waits until it takes more; false when it is time to end, or nobody is there. */
static bool
wait_writable(struct output *output, size_t done)
{
	struct pollfd pollfd = {.fd = output->fd, .events = POLLOUT};
	struct deadline grace = {.at_ns = UINT64_MAX};

	for (;;) {
		int ready = poll(&pollfd, 1, LOOK_MS);

		if (ready > 0) {
			/* POLLERR without POLLOUT: let the write tell. */
			return true;
		}
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

/* Without writing anything: of a pipe without a reader, and of a terminal that was hung up. */
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

#include "cli/output.h"

#include <errno.h>
#include <unistd.h>

enum {
	BUF_BYTES = 256 << 20, /* the limit of a buffer that grows */
	SPILL_BYTES = 64 << 10,
};

void
output_init(struct output *output, int fd, bool (*must_end)(void *cookie), void *cookie)
{
	*output = (struct output){.is_terminal = isatty(fd)};
	writer_init(&output->writer, fd, must_end, cookie);
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

static enum output_state
state_of_error(int error)
{
	return error == EPIPE ? OUTPUT_CLOSED : error == ETIMEDOUT ? OUTPUT_STUCK : OUTPUT_BROKEN;
}

bool
output_flush(struct output *output)
{
	struct buf *buf = &output->buf;

	if (output->state != OUTPUT_GOOD) {
		give_up(output, output->state, 0);
	} else if (buf->overflow) {
		output->writer.error = EOVERFLOW;
		give_up(output, OUTPUT_BROKEN, 0);
	} else if (!buf->len) {
		if (writer_has_no_reader(&output->writer))
			output->state = OUTPUT_CLOSED;
	} else {
		size_t done = writer_write(&output->writer, buf->data, buf->len);

		if (done < buf->len)
			give_up(output, state_of_error(output->writer.error), done);
	}
	buf_reset(buf);
	return output->state == OUTPUT_GOOD;
}

bool
output_spill(struct output *output)
{
	return output->buf.len < SPILL_BYTES ? output->state == OUTPUT_GOOD : output_flush(output);
}

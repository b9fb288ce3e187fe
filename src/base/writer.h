/* Writes to readers that may be slow, stuck or gone: terminals, pipes, files.
 *
 * A write waits for room in poll, not in the kernel. Once it is time to end, a reader that takes nothing for another
 * second is given up: this write and all later ones fail with ETIMEDOUT. */
#ifndef TPCHECK_BASE_WRITER_H
#define TPCHECK_BASE_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { WRITER_GRACE_MS = 1000 };

struct writer {
	int fd;
	bool may_block;                 /* neither a file nor a device like /dev/null */
	int error;                      /* errno value of the first write that failed */
	bool (*must_end)(void *cookie); /* NULL: never */
	void *cookie;
};

void writer_init(struct writer *writer, int fd, bool (*must_end)(void *cookie), void *cookie);
/* Returns how many bytes were written. Fewer than len: see error; from then on, nothing is written. */
size_t writer_write(struct writer *writer, const char *bytes, size_t len);
/* A pipe without a reader, or a terminal that was hung up; found without writing. */
bool writer_has_no_reader(const struct writer *writer);

/* A stream that writes so, and that fclose closes; it takes fd over. It is time to end once *interrupted is set; NULL:
 * never. NULL if there is no memory for it. */
FILE *writer_stream(int fd, const atomic_int *interrupted);

/* Another descriptor, at least 3, for what fd writes to; of a terminal or a pipe, if possible, one that does not block,
 * without a change to fd. Negative on errors. */
int writer_reopen(int fd);

#endif

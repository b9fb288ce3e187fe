/* A byte buffer that grows up to a bound and remembers if that was reached. The bytes are followed by a NUL, which is
 * not counted, so that data can be used as a C string. */
#ifndef TPCHECK_BASE_BUF_H
#define TPCHECK_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;    /* owned; never NULL after the first add */
	size_t len;    /* bytes used */
	size_t cap;    /* bytes allocated */
	size_t max;    /* bytes it may hold at most */
	bool overflow; /* something was not added because of max */
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_fini(struct buf *buf);
/* Drops the content, keeps the memory. */
void buf_reset(struct buf *buf);

/* Adds all of it or nothing; false, with overflow set, if it would exceed the bound. */
bool buf_add(struct buf *buf, const void *data, size_t len);
bool buf_puts(struct buf *buf, const char *s);
bool buf_putc(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *buf, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Room for len more bytes, to be filled before anything else is added; buf_commit then adds them, or fewer. NULL, with
 * overflow set, if they would exceed the bound. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* Removes the first len bytes; len is at most buf->len. */
void buf_drop(struct buf *buf, size_t len);

/* Hands over the string, never NULL, to be freed by the caller. The buffer is empty afterwards. */
char *buf_take(struct buf *buf);

#endif

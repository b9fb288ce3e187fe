#include "base/buf.h"

#include "base/xmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){.max = max_bytes};
}

void
buf_fini(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){.max = buf->max};
}

void
buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->overflow = false;
	if (buf->data)
		buf->data[0] = '\0';
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	if (len > buf->max || buf->len > buf->max - len) {
		buf->overflow = true;
		return NULL;
	}
	if (buf->len + len + 1 > buf->cap) {
		size_t cap = buf->cap ? buf->cap : 256;

		while (cap < buf->len + len + 1)
			cap *= 2;
		buf->data = xreallocarray(buf->data, cap, 1);
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

void
buf_commit(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

bool
buf_add(struct buf *buf, const void *data, size_t len)
{
	char *room = buf_reserve(buf, len);

	if (!room)
		return false;
	if (len)
		memcpy(room, data, len);
	buf_commit(buf, len);
	return true;
}

bool
buf_puts(struct buf *buf, const char *s)
{
	return buf_add(buf, s, strlen(s));
}

bool
buf_putc(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

bool
buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
{
	char *s = xvasprintf(fmt, ap);
	bool ok = buf_puts(buf, s);

	free(s);
	return ok;
}

bool
buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bool ok = buf_vprintf(buf, fmt, ap);
	va_end(ap);
	return ok;
}

void
buf_drop(struct buf *buf, size_t len)
{
	if (!len)
		return;
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len + 1);
}

char *
buf_take(struct buf *buf)
{
	char *s = buf->data ? buf->data : xstrdup("");

	*buf = (struct buf){.max = buf->max};
	return s;
}

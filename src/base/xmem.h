/* Allocations that do not fail: out of memory ends the program with exit code 99. A program that runs for seconds gains
 * little from handling it. */
#ifndef TPCHECK_BASE_XMEM_H
#define TPCHECK_BASE_XMEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t sz);
void *xcalloc(size_t cnt, size_t sz);
/* At a multiple of alignment, a power of 2; sz is a multiple of it. */
void *xaligned(size_t alignment, size_t sz);
/* Grows an array of elements of elem_sz; fatal when cnt * elem_sz overflows. */
void *xreallocarray(void *ptr, size_t cnt, size_t elem_sz);
char *xstrdup(const char *s);
char *xstrdup_or_null(const char *s); /* NULL gives NULL */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Sets what is called before that end, to save what can be saved: once, in the thread that ran out of memory, with
 * reserve_bytes for it to allocate. Other threads that run out of memory wait for the end. If the hook runs out of
 * memory itself, the program ends. NULL: nothing. */
void xmem_set_hook(void (*hook)(void *cookie), void *cookie, size_t reserve_bytes);
/* For other ways to find out that there is no memory. */
_Noreturn void xmem_run_out(void);

#endif

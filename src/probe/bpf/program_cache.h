/* Compiled programs of earlier runs: compiling takes longer than a scenario does.
 *
 * What is found is what would be compiled: its key has everything that goes into the compilation (the text, the flags,
 * the kernel headers, the kernel's release), and it names the files of tpcheck and libbcc that made it, which must not
 * have changed since. Only with tpcheck's own kernel headers. */
#ifndef TPCHECK_PROBE_BPF_PROGRAM_CACHE_H
#define TPCHECK_PROBE_BPF_PROGRAM_CACHE_H

#include "probe/bpf/object.h"

#include <stddef.h>

struct program_source {
	const char *text;
	const char *const *cflags;
	size_t cflags_cnt;
};

/* NULL: there is none that would be the same; the caller frees it. folder as for base/cache.h. */
struct bpf_object *program_cache_find(const char *folder, const struct program_source *source);
/* Keeps it if that is possible. To be called by the process that compiled it, which names the files that made it. */
void program_cache_store(const char *folder, const struct program_source *source,
			 const struct bpf_object *object);

#endif

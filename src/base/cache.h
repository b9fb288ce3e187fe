/* Results that take long to compute, kept as files of a folder that only this user can write to.
 *
 * A file has the whole of its key (what the result depends on), the result, and a checksum. Its name is a hash of the
 * key; a file whose key differs is no hit. It is made without a name and gets one when it is complete, so a reader sees
 * all of it or none, and whoever is killed leaves nothing behind. Files are not trusted if anybody else could have
 * written them. */
#ifndef TPCHECK_BASE_CACHE_H
#define TPCHECK_BASE_CACHE_H

#include "base/buf.h"

#include <stdbool.h>

enum { CACHE_FILES_MAX = 32, CACHE_FILE_BYTES_MAX = 16 << 20 };

/* Adds the value of the key to *value and returns true; false, with *value empty, if there is none that can be trusted.
 * folder is absolute. */
bool cache_find(const char *folder, const struct buf *key, struct buf *value);
/* Keeps a value, instead of an earlier one of the same key, and of all files no more than the CACHE_FILES_MAX that were
 * used last. Makes the folder with mode 700 if its parent is there. 0 or a negative errno value, which is no reason to
 * stop: -EPERM if others could write to the folder, -EFBIG. */
int cache_store(const char *folder, const struct buf *key, const struct buf *value);

#endif

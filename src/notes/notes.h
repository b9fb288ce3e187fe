/* The tracepoints that an ELF file says it has: its .note.stapsdt, as sites.
 *
 * Three kinds of trouble are told apart:
 * - The file as a whole cannot be believed: notes_open fails. That is so when it is not an ELF program or
 *   shared library, when its headers contradict themselves or the file's size (truncated), and when the chain
 *   of notes breaks, because then nobody can say which tracepoints are missing.
 * - One note of a tracepoint cannot be used: a problem without a site. Its names have no end, are too long or
 *   not printable, it has more arguments than SITE_ARGS_MAX, it contradicts an earlier one, and so on.
 * - One site has an address that the file does not back: a problem with a site. The site is listed, the file
 *   offset in question is 0.
 * An argument that cannot be read is no problem here: its operand is OPERAND_UNREADABLE and says why. */
#ifndef TPCHECK_NOTES_NOTES_H
#define TPCHECK_NOTES_NOTES_H

#include "base/chunk.h"
#include "base/diag.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct notes;

/* Reads the notes of the file at path; free *out with notes_free. Never blocks, not even on a FIFO. A file
 * without notes is no error: notes_cnt is 0. On failure *out is NULL and the result is:
 *   -ENOEXEC  not ELF, empty, or neither a program nor a shared library
 *   -EISDIR, -EINVAL  a directory; something else that is not a regular file
 *   -EBADMSG  damaged or truncated
 *   -EFBIG    more of something than a real file has (16384 tracepoints, 8 MiB of notes, and as image.c says)
 *   -ENOENT, -EACCES, ...  from the system */
int notes_open(struct notes **out, const char *path, struct diag *diag);
/* The same for an open file; fd stays the caller's, its position is left alone. label is the path for texts.
 */
int notes_open_fd(struct notes **out, int fd, const char *label, struct diag *diag);
void notes_free(struct notes *notes);

/* Hands over what the file loads into memory, as it stands in the file: of the parts that are executable (want_code)
 * or of the others. No more than NOTES_SCAN_MAX_BYTES are read. on_chunk ends it by false. Reads the open file that
 * notes were read from. 0, or as notes_open. */
enum { NOTES_SCAN_MAX_BYTES = 64 << 20 };
int notes_scan_fd(const struct notes *notes, int fd, bool want_code,
		  bool (*on_chunk)(void *cookie, const struct chunk *chunk), void *cookie, struct diag *diag);

/* Opens a file to be read, without ever waiting for it; the caller closes it. -ENOENT, ... */
int notes_open_file(const char *path, struct diag *diag);

/* The sites in the file's order; what two notes say alike, because the linker folded functions, is one site.
 * All that is lent lives until notes_free. */
size_t notes_cnt(const struct notes *notes);
/* All of them, one behind the other; NULL when there are none. */
const struct site *notes_sites(const struct notes *notes);
const struct site *notes_site(const struct notes *notes, size_t idx);
/* The nth place, from 0, of one tracepoint; NULL behind the last. */
const struct site *notes_find(const struct notes *notes, const char *provider, const char *name, size_t nth);

/* The texts are whole messages. After some dozens one says that there are more. */
size_t notes_problems_cnt(const struct notes *notes);
const char *notes_problem(const struct notes *notes, size_t idx);
/* The site that the problem is about; NULL when its note gave none. */
const struct site *notes_problem_site(const struct notes *notes, size_t idx);

/* "x86-64", "aarch64", ..., "machine 1234" for an unknown one. */
const char *notes_machine(const struct notes *notes);
/* 4 or 8. */
unsigned notes_address_bytes(const struct notes *notes);
bool notes_is_big_endian(const struct notes *notes);
bool notes_is_position_independent(const struct notes *notes);
/* Whether libbcc can read arguments on that machine. */
bool notes_has_bcc(const struct notes *notes);
/* Whether the file is for the machine that this program runs on. */
bool notes_is_native(const struct notes *notes);

#endif

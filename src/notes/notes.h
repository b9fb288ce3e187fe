/* The tracepoints of an ELF file: its .note.stapsdt, as sites.
 *
 * Three kinds of errors are distinguished:
 * - The file as a whole cannot be trusted: notes_open fails. It is not an ELF program or shared library, its headers
 *   contradict each other or the file's size (truncated), or the chain of notes is broken, so that it is unknown which
 *   tracepoints are missing.
 * - A note cannot be used: a problem without a site. Its names are not terminated, too long or not printable, it has
 * more
 *   arguments than SITE_ARGS_MAX, it contradicts an earlier one, and so on.
 * - A site has an address for which the file has no place: a problem with a site. The site is listed with that file
 * offset
 *   0.
 * An argument that cannot be read is not a problem here: its operand is OPERAND_UNREADABLE, with a reason. */
#ifndef TPCHECK_NOTES_NOTES_H
#define TPCHECK_NOTES_NOTES_H

#include "base/chunk.h"
#include "base/diag.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct notes;

/* Reads the notes of the file at path; notes_free frees *out. Never blocks, not even on a FIFO. A file without notes is
 * not an error: notes_cnt is 0. On failure *out is NULL and the result is:
 *   -ENOEXEC  not ELF, empty, neither a program nor a shared library, or only the debug information of one
 *   -EISDIR, -EINVAL  a directory; something else that is not a regular file
 *   -EBADMSG  damaged or truncated
 *   -EFBIG    more than any real file has (16384 tracepoints, 8 MiB of notes, and the limits in image.c)
 *   -ENOENT, -EACCES, ...  from the system */
int notes_open(struct notes **out, const char *path, struct diag *diag);
/* The same for an open file. fd stays the caller's, and its position is not changed. label names the file in texts. */
int notes_open_fd(struct notes **out, int fd, const char *label, struct diag *diag);
void notes_free(struct notes *notes);

/* Calls on_chunk with what the file loads into memory: the executable parts (want_code) or the others, at most
 * NOTES_SCAN_MAX_BYTES. on_chunk returns false to stop. fd is the file that notes was read from. 0, or as
 * notes_open. */
enum { NOTES_SCAN_MAX_BYTES = 64 << 20 };
int notes_scan_fd(const struct notes *notes, int fd, bool want_code,
		  bool (*on_chunk)(void *cookie, const struct chunk *chunk), void *cookie, struct diag *diag);

/* Opens a file for reading, without ever blocking; the caller closes it. -ENOENT, ... */
int notes_open_file(const char *path, struct diag *diag);

/* The sites, in the file's order. Identical notes for one location, from functions that the linker folded, are one
 * site. Everything lent lives until notes_free. */
size_t notes_cnt(const struct notes *notes);
/* All of them; NULL if there are none. */
const struct site *notes_sites(const struct notes *notes);
const struct site *notes_site(const struct notes *notes, size_t idx);
/* The nth location of a tracepoint, from 0; NULL after the last. */
const struct site *notes_find(const struct notes *notes, const char *provider, const char *name, size_t nth);

/* Complete messages. After a few dozen, one says that there are more. */
size_t notes_problems_cnt(const struct notes *notes);
const char *notes_problem(const struct notes *notes, size_t idx);
/* The site that the problem is about; NULL if the note could not be used. */
const struct site *notes_problem_site(const struct notes *notes, size_t idx);

/* "x86-64", "aarch64", ...; "machine 1234" for an unknown one. */
const char *notes_machine(const struct notes *notes);
/* 4 or 8. */
unsigned notes_address_bytes(const struct notes *notes);
bool notes_is_big_endian(const struct notes *notes);
bool notes_is_position_independent(const struct notes *notes);
/* Whether it has a section table; without one, tracepoints cannot be found. */
bool notes_has_sections(const struct notes *notes);
/* Whether it was linked with tracepoints, even if the notes have been removed since. */
bool notes_has_base(const struct notes *notes);
/* Whether libbcc can read arguments on that machine. */
bool notes_has_bcc(const struct notes *notes);
/* Whether the file is for the machine that this program runs on. */
bool notes_is_native(const struct notes *notes);

#endif

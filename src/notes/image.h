/* Checked access to the sections, segments and symbols of an ELF file. The only user of libelf. No number in the file
 * is trusted before it was compared with the file's size and a bound. */
#ifndef TPCHECK_NOTES_IMAGE_H
#define TPCHECK_NOTES_IMAGE_H

#include "base/diag.h"
#include "notes/operand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;

struct image_section {
	size_t idx;
	uint64_t address;     /* virtual; 0 if it is not loaded */
	uint64_t file_offset; /* unchecked until image_section_bytes */
	uint64_t sz;          /* likewise */
};

/* fd and label are borrowed until image_free; the position of fd is neither used nor changed.
 * -EISDIR, -EINVAL: not a regular file; -ENOEXEC: not an ELF program or shared library, or only the debug information
 * of one; -EBADMSG: damaged; -EFBIG: a
 * table is larger than any linker makes it; others from the system. */
int image_open(struct image **out, int fd, const char *label, struct diag *diag);
void image_free(struct image *image);

/* Not in a file that was stripped of its section table. */
bool image_has_sections(const struct image *image);
bool image_is_position_independent(const struct image *image);
/* 4 or 8. */
unsigned image_address_bytes(const struct image *image);
/* The unsigned number in sz bytes, at most 8, in the file's byte order. */
uint64_t image_number(const struct image *image, const uint8_t *bytes, size_t sz);
/* e_machine. */
unsigned image_machine(const struct image *image);
bool image_is_big_endian(const struct image *image);
/* Whether the file is for the machine, address size and byte order of this program. */
bool image_is_native(const struct image *image);

/* The first section of that name with an index of at least first_idx. 0, -ENOENT or -EBADMSG. */
int image_find_section(struct image *image, const char *name, size_t first_idx, struct image_section *section,
		       struct diag *diag);

/* Lends the content of the section until image_free. what names it in the text. -EFBIG: larger than max_bytes. */
int image_section_bytes(struct image *image, const struct image_section *section, const char *what,
			uint64_t max_bytes, const uint8_t **bytes, struct diag *diag);

enum image_access {
	IMAGE_EXECUTABLE,
	IMAGE_WRITABLE,
};

/* Where in the file the sz bytes at a virtual address are. They must be in exactly one loaded segment, which allows the
 * access. -ERANGE with only the reason in diag ("it lies in no loaded segment"), to be prefixed. */
int image_file_offset(const struct image *image, uint64_t address, uint64_t sz, enum image_access access,
		      uint64_t *file_offset, struct diag *diag);

/* Reads sz bytes at an offset from image_file_offset. 0, -EBADMSG or the system's error. */
int image_read(const struct image *image, uint64_t file_offset, void *bytes, size_t sz, struct diag *diag);

/* Part idx, from 0, of what the file loads into memory, clamped to the file's size. False after the last. */
struct image_part {
	uint64_t file_offset, sz;
	bool is_executable;
};
bool image_part(const struct image *image, size_t idx, struct image_part *part);

/* Looks in .symtab, then in .dynsym, which are read by the first call. cookie is the struct image. For find_symbol of
 * struct operand_opts. */
enum symbol_state image_find_symbol(void *cookie, const char *name, size_t len, uint64_t *address);

#endif

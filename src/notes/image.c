/* How a file that may be hostile is read without harm.
 *
 * libelf is used with ELF_C_READ: it reads, with pread, only what it is asked for, so a binary with 200 MB of debug
 * information costs a few kilobytes. ELF_C_READ_MMAP would cost no more, but if a linker truncates the file meanwhile,
 * SIGBUS would end the program.
 *
 * libelf allocates what the file's numbers say. It believes three of them before they can be checked: the number of
 * sections (elf_begin allocates some 200 bytes for each), the size of the section table and that of the program
 * headers. Therefore check_header reads these first, without libelf. Content of sections is read with elf_rawdata
 * (elf_getdata for symbols) after its size was checked, and never with elf_strptr, which unpacks compressed
 * sections. */
#include "notes/image.h"

#include "base/xmem.h"
#include "notes/script.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SECTIONS_MAX = 65536, /* linked files have a few dozen */
	SEGMENTS_MAX = 4096,
	NAMES_MAX_BYTES = 4 << 20,
	SYMBOLS_MAX_BYTES = 64 << 20, /* for symbols, and again for their names */
	SYMBOL_NAME_MAX_BYTES = 1024,
	SYMBOL_COMPARISONS_MAX = 64 << 20, /* in all look-ups together; about a second */
};

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#elif defined(__riscv)
#define NATIVE_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define NATIVE_MACHINE EM_PPC64
#elif defined(__s390x__)
#define NATIVE_MACHINE EM_S390
#elif defined(__i386__)
#define NATIVE_MACHINE EM_386
#elif defined(__arm__)
#define NATIVE_MACHINE EM_ARM
#else
#define NATIVE_MACHINE EM_NONE
#endif

struct symbols {
	Elf_Data *data; /* NULL: there is no such table, or it is unusable */
	size_t cnt;
	const char *names;
	size_t names_sz;
};

struct image {
	const char *label; /* borrowed */
	int fd;            /* likewise */
	Elf *elf;
	uint64_t file_sz;
	bool is_64bit, is_big_endian;
	GElf_Ehdr header;
	GElf_Phdr *segments; /* of type PT_LOAD; owned */
	size_t segments_cnt;
	size_t names_idx; /* of the section with the names of sections; 0: there are no sections */
	const char *names;
	size_t names_sz;
	bool has_symbols; /* the symbols were read, if there are any */
	struct symbols symbols[2];
	uint64_t comparisons_left;
};

__attribute__((format(printf, 4, 5))) static int
fail(const struct image *image, int err, struct diag *diag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *reason = xvasprintf(fmt, ap);
	va_end(ap);
	diag_fail(diag, err, "notes: failed to read '%s': %s", image->label, reason);
	free(reason);
	return err;
}

uint64_t
image_number(const struct image *image, const uint8_t *bytes, size_t sz)
{
	uint64_t v = 0;

	for (size_t i = 0; i < sz; i++)
		v = v << 8 | bytes[image->is_big_endian ? i : sz - 1 - i];
	return v;
}

static bool
is_inside(const struct image *image, uint64_t offset, uint64_t sz)
{
	return offset <= image->file_sz && sz <= image->file_sz - offset;
}

/* Reads exactly sz bytes, which are inside the file. */
static int
read_at(const struct image *image, int fd, void *out, size_t sz, uint64_t offset, struct diag *diag)
{
	size_t done = 0;

	while (done < sz) {
		ssize_t n = pread(fd, (char *)out + done, sz - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			return fail(image, err, diag, "%s", strerror(-err));
		}
		if (n == 0)
			return fail(image, -EBADMSG, diag, "the file was truncated while it was being read");
		done += (size_t)n;
	}
	return 0;
}

struct tables {
	uint64_t phoff, shoff, phentsize, shentsize, phnum, shnum;
};

/* A field of a header in bytes, which is of the file's class. */
#define FIELD(image, bytes, type, field)                                                                     \
	image_number((image),                                                                                \
		     (bytes) + ((image)->is_64bit ? offsetof(Elf64_##type, field)                            \
						  : offsetof(Elf32_##type, field)),                          \
		     (image)->is_64bit ? sizeof(((Elf64_##type *)0)->field)                                  \
				       : sizeof(((Elf32_##type *)0)->field))

static int
read_tables(const struct image *image, int fd, struct tables *tables, struct diag *diag)
{
	uint8_t header[sizeof(Elf64_Ehdr)], first[sizeof(Elf64_Shdr)];
	size_t header_sz = image->is_64bit ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	size_t first_sz = image->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

	if (!is_inside(image, 0, header_sz))
		return fail(image, -EBADMSG, diag, "the file ends within the ELF header");
	int err = read_at(image, fd, header, header_sz, 0, diag);
	if (err)
		return err;
	*tables = (struct tables){
		.phoff = FIELD(image, header, Ehdr, e_phoff),
		.shoff = FIELD(image, header, Ehdr, e_shoff),
		.phentsize = FIELD(image, header, Ehdr, e_phentsize),
		.shentsize = FIELD(image, header, Ehdr, e_shentsize),
		.phnum = FIELD(image, header, Ehdr, e_phnum),
		.shnum = FIELD(image, header, Ehdr, e_shnum),
	};

	/* Numbers too large for the header are in the first section's. */
	if (tables->shoff == 0 || (tables->shnum != 0 && tables->phnum != PN_XNUM))
		return 0;
	if (!is_inside(image, tables->shoff, first_sz))
		return fail(image, -EBADMSG, diag,
			    "the section table lies outside the file; it may be truncated");
	err = read_at(image, fd, first, first_sz, tables->shoff, diag);
	if (err)
		return err;
	if (tables->shnum == 0)
		tables->shnum = FIELD(image, first, Shdr, sh_size);
	if (tables->phnum == PN_XNUM)
		tables->phnum = FIELD(image, first, Shdr, sh_info);
	return 0;
}

static int
fail_script(const struct image *image, int fd, struct diag *diag)
{
	char program[SCRIPT_PROGRAM_BYTES];

	script_find_program(fd, program, sizeof(program));
	return fail(image, -ENOEXEC, diag, "it is a script, not an ELF file; give the program that it runs%s",
		    program);
}

/* What people download or build instead. */
static const char *
other_format(const unsigned char *ident)
{
	static const struct {
		const char *start;
		unsigned char len;
		const char *what;
	} formats[] = {
		{"\x1f\x8b", 2, ", but a gzip archive; unpack it (tar xzf) and give the bitcoind in it"},
		{"\xfd"
		 "7zXZ",
		 5, ", but an xz archive; unpack it (tar xJf) and give the bitcoind in it"},
		{"PK\3\4", 4, ", but a zip archive; unpack it and give the bitcoind in it"},
		{"MZ", 2, ", but a program for Windows"},
		{"\xcf\xfa\xed\xfe", 4, ", but a program for macOS"},
		{"\xca\xfe\xba\xbe", 4, ", but a program for macOS"},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!memcmp(ident, formats[i].start, formats[i].len))
			return formats[i].what;
	return "";
}

/* Checks what libelf would believe. */
static int
check_header(struct image *image, int fd, struct diag *diag)
{
	unsigned char ident[EI_NIDENT] = {0};
	size_t ident_sz = image->file_sz < EI_NIDENT ? (size_t)image->file_sz : EI_NIDENT;
	struct tables tables = {0};

	if (image->file_sz == 0)
		return fail(image, -ENOEXEC, diag, "it is empty");
	int err = read_at(image, fd, ident, ident_sz, 0, diag);
	if (err)
		return err;
	if (!memcmp(ident, "#!", 2))
		return fail_script(image, fd, diag);
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return fail(image, -ENOEXEC, diag, "it is not an ELF file%s", other_format(ident));
	if (ident_sz < EI_NIDENT)
		return fail(image, -EBADMSG, diag, "the file ends within the ELF header");
	if ((ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
	    (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB) ||
	    ident[EI_VERSION] != EV_CURRENT)
		return fail(image, -EBADMSG, diag,
			    "the ELF header has an unknown class, byte order or version");
	image->is_64bit = ident[EI_CLASS] == ELFCLASS64;
	image->is_big_endian = ident[EI_DATA] == ELFDATA2MSB;

	err = read_tables(image, fd, &tables, diag);
	if (err)
		return err;
	if (tables.shnum > SECTIONS_MAX)
		return fail(image, -EFBIG, diag, "it claims to have %ju sections; at most %d are read",
			    (uintmax_t)tables.shnum, SECTIONS_MAX);
	if (tables.phnum > SEGMENTS_MAX)
		return fail(image, -EFBIG, diag, "it claims to have %ju segments; at most %d are read",
			    (uintmax_t)tables.phnum, SEGMENTS_MAX);
	if (tables.shnum && (tables.shoff == 0 ||
			     tables.shentsize != (image->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr))))
		return fail(image, -EBADMSG, diag,
			    "the section table has no offset or an unknown entry size");
	if (tables.phnum && (tables.phoff == 0 ||
			     tables.phentsize != (image->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr))))
		return fail(image, -EBADMSG, diag,
			    "the segment table has no offset or an unknown entry size");
	if (!is_inside(image, tables.shoff, tables.shnum * tables.shentsize))
		return fail(image, -EBADMSG, diag,
			    "the section table lies outside the file; it may be truncated");
	if (!is_inside(image, tables.phoff, tables.phnum * tables.phentsize))
		return fail(image, -EBADMSG, diag,
			    "the segment table lies outside the file; it may be truncated");
	return 0;
}

static int
read_segments(struct image *image, struct diag *diag)
{
	size_t cnt;

	if (elf_getphdrnum(image->elf, &cnt))
		return fail(image, -EBADMSG, diag, "%s", elf_errmsg(-1));
	image->segments = xcalloc(cnt, sizeof(*image->segments));
	for (size_t i = 0; i < cnt; i++) {
		GElf_Phdr *segment = &image->segments[image->segments_cnt];

		if (!gelf_getphdr(image->elf, (int)i, segment))
			return fail(image, -EBADMSG, diag, "segment %zu: %s", i, elf_errmsg(-1));
		image->segments_cnt += segment->p_type == PT_LOAD;
	}
	return 0;
}

static int
section_header(struct image *image, size_t idx, Elf_Scn **scn, GElf_Shdr *header, struct diag *diag)
{
	*scn = elf_getscn(image->elf, idx);
	if (!*scn || !gelf_getshdr(*scn, header))
		return fail(image, -EBADMSG, diag, "section %zu: %s", idx, elf_errmsg(-1));
	return 0;
}

/* Whether the section's content can be read. what names it in the text. */
static int
check_section(const struct image *image, const GElf_Shdr *header, const char *what, uint64_t max_bytes,
	      struct diag *diag)
{
	if (header->sh_type == SHT_NOBITS)
		return fail(image, -EBADMSG, diag, "%s has no content; is this a file of debug information?",
			    what);
	if (header->sh_flags & SHF_COMPRESSED)
		return fail(image, -EBADMSG, diag, "%s is compressed", what);
	if (!is_inside(image, header->sh_offset, header->sh_size))
		return fail(image, -EBADMSG, diag, "%s lies outside the file; it may be truncated", what);
	if (header->sh_size > max_bytes)
		return fail(image, -EFBIG, diag, "%s claims to have %ju bytes; at most %ju are read", what,
			    (uintmax_t)header->sh_size, (uintmax_t)max_bytes);
	return 0;
}

static int
raw_bytes(const struct image *image, Elf_Scn *scn, const GElf_Shdr *header, const char *what,
	  uint64_t max_bytes, const void **bytes, struct diag *diag)
{
	int err = check_section(image, header, what, max_bytes, diag);

	*bytes = "";
	if (err || header->sh_size == 0)
		return err;
	Elf_Data *data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != header->sh_size)
		return fail(image, -EBADMSG, diag, "%s: %s", what, data ? "wrong size" : elf_errmsg(-1));
	*bytes = data->d_buf;
	return 0;
}

static int
read_section_names(struct image *image, struct diag *diag)
{
	size_t sections_cnt;
	const void *bytes;
	GElf_Shdr header;
	Elf_Scn *scn;

	if (elf_getshdrnum(image->elf, &sections_cnt) || elf_getshdrstrndx(image->elf, &image->names_idx))
		return fail(image, -EBADMSG, diag, "%s", elf_errmsg(-1));
	if (sections_cnt == 0) {
		image->names_idx = 0;
		return 0;
	}
	if (image->names_idx == 0 || image->names_idx >= sections_cnt)
		return fail(image, -EBADMSG, diag, "its sections have no names");
	int err = section_header(image, image->names_idx, &scn, &header, diag);
	if (!err)
		err = raw_bytes(image, scn, &header, "the table of section names", NAMES_MAX_BYTES, &bytes,
				diag);
	if (err)
		return err;
	image->names = bytes;
	image->names_sz = (size_t)header.sh_size;
	return 0;
}

/* " 'bitcoind'" for the debug file "bitcoind.dbg" or "bitcoind.debug" if there is such a program; else "". */
static void
find_companion(const char *label, char *text, size_t text_sz)
{
	static const char *const endings[] = {".dbg", ".debug"};
	size_t len = strlen(label);

	*text = '\0';
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && !*text; i++) {
		size_t ending_len = strlen(endings[i]);

		if (len <= ending_len || strcmp(label + len - ending_len, endings[i]) != 0)
			continue;
		char *path = xasprintf("%.*s", (int)(len - ending_len), label);
		if (!access(path, X_OK))
			snprintf(text, text_sz, ", which may be '%s'", path);
		free(path);
	}
}

static int
fail_debug_file(const struct image *image, struct diag *diag)
{
	char companion[512];

	find_companion(image->label, companion, sizeof(companion));
	return fail(image, -ENOEXEC, diag,
		    "it has only the debug information of a program, not its code; give the program itself%s",
		    companion);
}

/* What a linker made may have been emptied since: objcopy --only-keep-debug leaves a program's headers and notes, but
 * none of its code; an incomplete copy may have holes, also in the section table. */
static int
check_content(struct image *image, struct diag *diag)
{
	size_t cnt = 0, used = 0, codes = 0, empty_codes = 0;

	if (image->names_idx == 0)
		return 0;
	if (elf_getshdrnum(image->elf, &cnt))
		return fail(image, -EBADMSG, diag, "%s", elf_errmsg(-1));
	for (size_t i = 1; i < cnt; i++) {
		GElf_Shdr header;
		Elf_Scn *scn;

		int err = section_header(image, i, &scn, &header, diag);
		if (err)
			return err;
		used += header.sh_type != SHT_NULL;
		if (!(header.sh_flags & SHF_EXECINSTR) || !header.sh_size)
			continue;
		codes++;
		empty_codes += header.sh_type == SHT_NOBITS;
	}
	if (cnt > 1 && !used)
		return fail(image, -EBADMSG, diag,
			    "its section table is blank; it may be an incomplete copy");
	if (codes && codes == empty_codes)
		return fail_debug_file(image, diag);
	return 0;
}

/* Reading anything but a regular file could block forever. */
static int
check_kind(struct image *image, int fd, struct diag *diag)
{
	struct stat st;

	if (fstat(fd, &st)) {
		int err = -errno;

		return fail(image, err, diag, "%s", strerror(-err));
	}
	if (S_ISDIR(st.st_mode))
		return fail(image, -EISDIR, diag, "it is a directory");
	if (!S_ISREG(st.st_mode))
		return fail(image, -EINVAL, diag, "it is %s, not a regular file",
			    S_ISFIFO(st.st_mode) ? "a FIFO" : "a device or a socket");
	image->file_sz = (uint64_t)st.st_size;
	return 0;
}

int
image_open(struct image **out, int fd, const char *label, struct diag *diag)
{
	struct image *image = xcalloc(1, sizeof(*image));

	*out = NULL;
	image->label = label;
	image->fd = fd;
	image->comparisons_left = SYMBOL_COMPARISONS_MAX;
	int err = check_kind(image, fd, diag);
	if (!err)
		err = check_header(image, fd, diag);
	if (err)
		goto out;

	err = -EBADMSG;
	if (elf_version(EV_CURRENT) == EV_NONE || !(image->elf = elf_begin(fd, ELF_C_READ, NULL)) ||
	    elf_kind(image->elf) != ELF_K_ELF || !gelf_getehdr(image->elf, &image->header)) {
		fail(image, err, diag, "libelf: %s", elf_errmsg(-1));
		goto out;
	}
	if (image->header.e_type != ET_EXEC && image->header.e_type != ET_DYN) {
		err = fail(image, -ENOEXEC, diag, "it is %s, neither a program nor a shared library",
			   image->header.e_type == ET_REL    ? "an object file"
			   : image->header.e_type == ET_CORE ? "a core dump"
							     : "an ELF file of unknown type");
		goto out;
	}
	err = read_segments(image, diag);
	if (!err)
		err = read_section_names(image, diag);
	if (!err)
		err = check_content(image, diag);
	if (err)
		goto out;
	*out = image;
	image = NULL;
out:
	image_free(image);
	return err;
}

void
image_free(struct image *image)
{
	if (!image)
		return;
	elf_end(image->elf);
	free(image->segments);
	free(image);
}

bool
image_has_sections(const struct image *image)
{
	return image->names_idx != 0;
}

bool
image_is_position_independent(const struct image *image)
{
	return image->header.e_type == ET_DYN;
}

unsigned
image_address_bytes(const struct image *image)
{
	return image->is_64bit ? 8 : 4;
}

unsigned
image_machine(const struct image *image)
{
	return image->header.e_machine;
}

bool
image_is_big_endian(const struct image *image)
{
	return image->is_big_endian;
}

bool
image_is_native(const struct image *image)
{
	return NATIVE_MACHINE != EM_NONE && image->header.e_machine == NATIVE_MACHINE &&
	       image->is_64bit == (sizeof(void *) == 8) &&
	       image->is_big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Whether the string at that offset of a table is name. With versioned it may end at the '@' that newer linkers put
 * between a symbol's name and its version. */
static bool
is_name_at(const char *table, size_t table_sz, uint64_t offset, const char *name, size_t len, bool versioned)
{
	if (offset >= table_sz || len >= table_sz - offset || memcmp(table + offset, name, len) != 0)
		return false;
	return table[offset + len] == '\0' || (versioned && table[offset + len] == '@');
}

int
image_find_section(struct image *image, const char *name, size_t first_idx, struct image_section *section,
		   struct diag *diag)
{
	size_t cnt = 0;

	if (image->names_idx == 0)
		return -ENOENT;
	if (elf_getshdrnum(image->elf, &cnt))
		return fail(image, -EBADMSG, diag, "%s", elf_errmsg(-1));
	for (size_t i = first_idx > 0 ? first_idx : 1; i < cnt; i++) {
		GElf_Shdr header;
		Elf_Scn *scn;

		int err = section_header(image, i, &scn, &header, diag);
		if (err)
			return err;
		if (header.sh_type == SHT_NULL)
			continue;
		if (header.sh_name >= image->names_sz)
			return fail(image, -EBADMSG, diag,
				    "the name of section %zu lies outside the table of names", i);
		if (is_name_at(image->names, image->names_sz, header.sh_name, name, strlen(name), false)) {
			*section = (struct image_section){
				.idx = i,
				.address = header.sh_addr,
				.file_offset = header.sh_offset,
				.sz = header.sh_size,
			};
			return 0;
		}
	}
	return -ENOENT;
}

int
image_section_bytes(struct image *image, const struct image_section *section, const char *what,
		    uint64_t max_bytes, const uint8_t **bytes, struct diag *diag)
{
	GElf_Shdr header;
	const void *raw;
	Elf_Scn *scn;

	*bytes = NULL;
	int err = section_header(image, section->idx, &scn, &header, diag);
	if (!err)
		err = raw_bytes(image, scn, &header, what, max_bytes, &raw, diag);
	if (!err)
		*bytes = raw;
	return err;
}

int
image_file_offset(const struct image *image, uint64_t address, uint64_t sz, enum image_access access,
		  uint64_t *file_offset, struct diag *diag)
{
	const GElf_Phdr *found = NULL;

	*file_offset = 0;
	for (size_t i = 0; i < image->segments_cnt; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		uint64_t memory_sz =
			segment->p_memsz > segment->p_filesz ? segment->p_memsz : segment->p_filesz;

		if (address < segment->p_vaddr || address - segment->p_vaddr >= memory_sz)
			continue;
		if (found && found->p_offset - found->p_vaddr != segment->p_offset - segment->p_vaddr)
			return diag_fail(diag, -ERANGE, "it lies in two segments that overlap");
		found = segment;
	}
	if (!found)
		return diag_fail(diag, -ERANGE, "it lies in no loaded segment");

	uint64_t delta = address - found->p_vaddr;
	if (delta > found->p_filesz || sz > found->p_filesz - delta)
		return diag_fail(diag, -ERANGE, "it lies in a part of a segment that the file does not fill");
	if (!is_inside(image, found->p_offset, found->p_filesz))
		return diag_fail(diag, -ERANGE,
				 "it lies in a segment that reaches beyond the end of the file");
	if (access == IMAGE_EXECUTABLE && !(found->p_flags & PF_X))
		return diag_fail(diag, -ERANGE, "it lies in a segment that is not executable");
	if (access == IMAGE_WRITABLE && !(found->p_flags & PF_W))
		return diag_fail(diag, -ERANGE, "it lies in a segment that is not writable");
	*file_offset = found->p_offset + delta;
	return 0;
}

int
image_read(const struct image *image, uint64_t file_offset, void *bytes, size_t sz, struct diag *diag)
{
	if (!is_inside(image, file_offset, sz))
		return fail(image, -EBADMSG, diag, "the file ends too early");
	return read_at(image, image->fd, bytes, sz, file_offset, diag);
}

bool
image_part(const struct image *image, size_t idx, struct image_part *part)
{
	if (idx >= image->segments_cnt)
		return false;
	const GElf_Phdr *segment = &image->segments[idx];
	uint64_t start = segment->p_offset < image->file_sz ? segment->p_offset : image->file_sz;
	uint64_t left = image->file_sz - start;

	*part = (struct image_part){
		.file_offset = start,
		.sz = segment->p_filesz < left ? segment->p_filesz : left,
		.is_executable = segment->p_flags & PF_X,
	};
	return true;
}

/* Leaves the table empty if it is unusable: its symbols are then not found, and operands report that. */
static void
read_symbols(struct image *image, const char *name, struct symbols *symbols)
{
	struct image_section section;
	GElf_Shdr header, names_header;
	Elf_Scn *scn, *names_scn;
	const void *names;

	if (image_find_section(image, name, 0, &section, NULL) ||
	    section_header(image, section.idx, &scn, &header, NULL) ||
	    check_section(image, &header, name, SYMBOLS_MAX_BYTES, NULL) ||
	    section_header(image, header.sh_link, &names_scn, &names_header, NULL) ||
	    raw_bytes(image, names_scn, &names_header, "symbol names", SYMBOLS_MAX_BYTES, &names, NULL))
		return;
	uint64_t entry_sz = image->is_64bit ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	if ((header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) ||
	    names_header.sh_type != SHT_STRTAB || header.sh_entsize != entry_sz ||
	    header.sh_size < entry_sz || header.sh_size % entry_sz)
		return;
	Elf_Data *data = elf_getdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != header.sh_size)
		return;
	*symbols = (struct symbols){
		.data = data,
		.cnt = (size_t)(header.sh_size / entry_sz),
		.names = names,
		.names_sz = (size_t)names_header.sh_size,
	};
}

static enum symbol_state
find_in_table(struct image *image, const struct symbols *symbols, const char *name, size_t len,
	      uint64_t *address)
{
	enum symbol_state state = SYMBOL_MISSING;

	if (len > SYMBOL_NAME_MAX_BYTES || symbols->cnt > image->comparisons_left)
		return SYMBOL_NO_TABLE;
	image->comparisons_left -= symbols->cnt;
	for (size_t i = 1; i < symbols->cnt; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(symbols->data, (int)i, &symbol))
			return SYMBOL_NO_TABLE;
		unsigned type = GELF_ST_TYPE(symbol.st_info);
		if (type == STT_FILE || type == STT_SECTION ||
		    !is_name_at(symbols->names, symbols->names_sz, symbol.st_name, name, len, true))
			continue;
		if (symbol.st_shndx == SHN_UNDEF || type == STT_TLS ||
		    (symbol.st_shndx == SHN_ABS && image_is_position_independent(image))) {
			if (state == SYMBOL_MISSING)
				state = SYMBOL_PLACELESS;
		} else if (state == SYMBOL_FOUND && symbol.st_value != *address) {
			return SYMBOL_AMBIGUOUS;
		} else {
			state = SYMBOL_FOUND;
			*address = symbol.st_value;
		}
	}
	return state;
}

enum symbol_state
image_find_symbol(void *cookie, const char *name, size_t len, uint64_t *address)
{
	struct image *image = cookie;
	enum symbol_state state = SYMBOL_NO_TABLE;
	bool has_table = false;

	*address = 0;
	if (!image->has_symbols) {
		image->has_symbols = true;
		read_symbols(image, ".symtab", &image->symbols[0]);
		read_symbols(image, ".dynsym", &image->symbols[1]);
	}
	for (size_t i = 0; i < 2 && (!has_table || state == SYMBOL_MISSING); i++) {
		if (!image->symbols[i].data)
			continue;
		state = find_in_table(image, &image->symbols[i], name, len, address);
		has_table = true;
	}
	return state;
}

/* The reader against ELF files that are built here, byte by byte, so that each field can be given a wrong
 * value; and against this program itself, which has two tracepoints that compiler and linker made. */
#include "notes/notes.h"
#include "slowness.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Where the pieces of an image are: in the file, and in memory. The segments are at other distances from
 * their place in the file each, so that no offset is right by chance. */
enum {
	SECTIONS_EARLY_AT = 0x100,
	TEXT_AT = 0x400,
	TEXT_SZ = 0x40,
	TEXT_ADDRESS = 0x21400,
	BASE_AT = 0x440,
	BASE_SZ = 0x10,
	BASE_ADDRESS = 0x10440,
	PROBES_AT = 0x480,
	PROBES_SZ = 0x20,
	PROBES_MEMORY_SZ = 0x40,
	PROBES_ADDRESS = 0x42480,
	CONTENT_AT = 0x4c0, /* followed by what has no fixed offset */

	LOCATION = TEXT_ADDRESS + 4,
	SEMAPHORE = PROBES_ADDRESS + 4,
};

enum section_idx {
	SECTION_NULL,
	SECTION_TEXT,
	SECTION_BASE,
	SECTION_PROBES,
	SECTION_NOTE,
	SECTION_SYMTAB,
	SECTION_STRTAB,
	SECTION_DYNSYM,
	SECTION_NAMES,
	SECTION_CNT,
};

enum {
	SEGMENT_TEXT,
	SEGMENT_BASE,
	SEGMENT_PROBES,
	SEGMENT_CNT,
};

struct bytes {
	uint8_t *data;
	size_t len, cap;
};

struct symbol_spec {
	const char *name;
	uint64_t value;
	unsigned type, shndx;
	bool is_dynamic;
};

struct spec {
	bool is_32bit, is_big_endian;
	bool sections_early; /* the section table comes before the content */
	unsigned type;       /* 0: ET_DYN */
	unsigned machine;    /* 0: EM_X86_64 */
	const struct symbol_spec *symbols;
	size_t symbols_cnt;
};

struct image {
	struct spec spec;
	struct bytes bytes; /* the file */
	struct bytes notes; /* content of .note.stapsdt, as it grows */
	size_t sections_at, segments_at, note_at;
};

static void
append(struct bytes *bytes, const void *data, size_t len)
{
	if (bytes->len + len > bytes->cap) {
		bytes->cap = 2 * (bytes->len + len);
		bytes->data = realloc(bytes->data, bytes->cap);
		assert_non_null(bytes->data);
	}
	if (data)
		memcpy(bytes->data + bytes->len, data, len);
	else
		memset(bytes->data + bytes->len, 0, len);
	bytes->len += len;
}

static void
store(const struct image *image, uint8_t *at, uint64_t value, size_t sz)
{
	for (size_t i = 0; i < sz; i++)
		at[image->spec.is_big_endian ? sz - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

static void
append_number(const struct image *image, struct bytes *bytes, uint64_t value, size_t sz)
{
	uint8_t raw[8];

	store(image, raw, value, sz);
	append(bytes, raw, sz);
}

static void
pad(struct bytes *bytes, size_t multiple)
{
	while (bytes->len % multiple)
		append(bytes, "", 1);
}

/* Sets a field of the header at that offset, which is of the image's class. */
#define SET(image, at, type, field, value)                                                                   \
	do {                                                                                                 \
		if ((image)->spec.is_32bit)                                                                  \
			store((image), (image)->bytes.data + (at) + offsetof(Elf32_##type, field), (value),  \
			      sizeof(((Elf32_##type *)0)->field));                                           \
		else                                                                                         \
			store((image), (image)->bytes.data + (at) + offsetof(Elf64_##type, field), (value),  \
			      sizeof(((Elf64_##type *)0)->field));                                           \
	} while (0)
#define SZ(image, type)                 ((image)->spec.is_32bit ? sizeof(Elf32_##type) : sizeof(Elf64_##type))
#define SET_HEADER(image, field, value) SET(image, 0, Ehdr, field, value)
#define SET_SECTION(image, idx, field, value)                                                                \
	SET(image, (image)->sections_at + (idx)*SZ(image, Shdr), Shdr, field, value)
#define SET_SEGMENT(image, idx, field, value)                                                                \
	SET(image, (image)->segments_at + (idx)*SZ(image, Phdr), Phdr, field, value)

static void
begin(struct image *image, const struct spec *spec)
{
	*image = (struct image){.spec = spec ? *spec : (struct spec){0}};
	if (!image->spec.type)
		image->spec.type = ET_DYN;
	if (!image->spec.machine)
		image->spec.machine = EM_X86_64;
}

static void
end(struct image *image)
{
	free(image->bytes.data);
	free(image->notes.data);
}

static void
add_raw_note(struct image *image, const char *owner, size_t owner_sz, uint32_t type, const void *description,
	     size_t description_sz)
{
	append_number(image, &image->notes, owner_sz, 4);
	append_number(image, &image->notes, description_sz, 4);
	append_number(image, &image->notes, type, 4);
	append(&image->notes, owner, owner_sz);
	pad(&image->notes, 4);
	append(&image->notes, description, description_sz);
	pad(&image->notes, 4);
}

/* strings is the three strings with the NULs between them; strings_sz counts the last NUL if it is to be
 * there. */
static void
add_note_strings(struct image *image, uint64_t location, uint64_t base, uint64_t semaphore,
		 const char *strings, size_t strings_sz)
{
	size_t address_sz = image->spec.is_32bit ? 4 : 8;
	struct bytes description = {0};

	append_number(image, &description, location, address_sz);
	append_number(image, &description, base, address_sz);
	append_number(image, &description, semaphore, address_sz);
	append(&description, strings, strings_sz);
	add_raw_note(image, "stapsdt", 8, 3, description.data, description.len);
	free(description.data);
}

static void
add_note_at(struct image *image, uint64_t location, uint64_t base, uint64_t semaphore, const char *provider,
	    const char *name, const char *args)
{
	struct bytes strings = {0};

	append(&strings, provider, strlen(provider) + 1);
	append(&strings, name, strlen(name) + 1);
	append(&strings, args, strlen(args) + 1);
	add_note_strings(image, location, base, semaphore, (char *)strings.data, strings.len);
	free(strings.data);
}

static void
add_note(struct image *image, const char *provider, const char *name, const char *args)
{
	add_note_at(image, LOCATION, BASE_ADDRESS, SEMAPHORE, provider, name, args);
}

static void
add_section(struct image *image, struct bytes *names, enum section_idx idx, const char *name, uint32_t type,
	    uint64_t address, uint64_t at, uint64_t sz, uint32_t link, uint64_t entry_sz)
{
	SET_SECTION(image, idx, sh_name, names->len);
	SET_SECTION(image, idx, sh_type, type);
	SET_SECTION(image, idx, sh_addr, address);
	SET_SECTION(image, idx, sh_offset, at);
	SET_SECTION(image, idx, sh_size, sz);
	SET_SECTION(image, idx, sh_link, link);
	SET_SECTION(image, idx, sh_entsize, entry_sz);
	append(names, name, strlen(name) + 1);
}

static void
set_segment(struct image *image, unsigned idx, uint32_t flags, uint64_t at, uint64_t address,
	    uint64_t file_sz, uint64_t memory_sz)
{
	SET_SEGMENT(image, idx, p_type, PT_LOAD);
	SET_SEGMENT(image, idx, p_flags, flags);
	SET_SEGMENT(image, idx, p_offset, at);
	SET_SEGMENT(image, idx, p_vaddr, address);
	SET_SEGMENT(image, idx, p_filesz, file_sz);
	SET_SEGMENT(image, idx, p_memsz, memory_sz);
}

static void
append_symbol(struct image *image, uint64_t name, const struct symbol_spec *symbol)
{
	size_t at = image->bytes.len;

	append(&image->bytes, NULL, SZ(image, Sym));
	if (!symbol)
		return;
	SET(image, at, Sym, st_name, name);
	SET(image, at, Sym, st_value, symbol->value);
	SET(image, at, Sym, st_info, ELF64_ST_INFO(STB_LOCAL, symbol->type));
	SET(image, at, Sym, st_shndx, symbol->shndx);
}

/* Appends a symbol table, whose strings are appended to strings. */
static size_t
append_symbols(struct image *image, struct bytes *strings, bool is_dynamic)
{
	pad(&image->bytes, 8);
	size_t at = image->bytes.len;

	append_symbol(image, 0, NULL);
	for (size_t i = 0; i < image->spec.symbols_cnt; i++) {
		const struct symbol_spec *symbol = &image->spec.symbols[i];

		if (symbol->is_dynamic != is_dynamic)
			continue;
		append_symbol(image, strings->len, symbol);
		append(strings, symbol->name, strlen(symbol->name) + 1);
	}
	return at;
}

/* At LOCATION, and everywhere at a distance of a multiple of 4. */
static void
fill_with_nops(struct image *image)
{
	static const struct {
		unsigned machine;
		uint8_t bytes[4];
	} nops[] = {
		{EM_AARCH64, {0x1f, 0x20, 0x03, 0xd5}},
		{EM_ARM, {0x00, 0xf0, 0x20, 0xe3}},
		{EM_RISCV, {0x13, 0, 0, 0}},
		{EM_PPC64, {0x60, 0, 0, 0}},
		{EM_S390, {0x47, 0, 0, 0}},
	};

	memset(image->bytes.data + TEXT_AT, 0x90, TEXT_SZ);
	for (size_t i = 0; i < COUNT(nops); i++)
		for (unsigned k = 0; nops[i].machine == image->spec.machine && k < TEXT_SZ; k++)
			image->bytes.data[TEXT_AT + k] = nops[i].bytes[k % 4];
}

/* Puts the image together around the notes that were added. Sections not needed can be taken out with
 * SET_SECTION afterwards. */
static void
build(struct image *image)
{
	struct bytes *bytes = &image->bytes, names = {0}, strings = {0};

	append(bytes, NULL, CONTENT_AT);
	fill_with_nops(image);
	image->note_at = bytes->len;
	append(bytes, image->notes.data, image->notes.len);
	append(&strings, "", 1);
	append(&names, "", 1);
	size_t symtab_at = append_symbols(image, &strings, false), symtab_sz = bytes->len - symtab_at;
	size_t dynsym_at = append_symbols(image, &strings, true), dynsym_sz = bytes->len - dynsym_at;
	size_t strings_at = bytes->len;
	append(bytes, strings.data, strings.len);
	size_t names_at = bytes->len;
	append(bytes, NULL, 128);
	pad(bytes, 8);
	image->sections_at = SECTIONS_EARLY_AT;
	if (!image->spec.sections_early) {
		image->sections_at = bytes->len;
		append(bytes, NULL, SECTION_CNT * SZ(image, Shdr));
	}
	image->segments_at = SZ(image, Ehdr);

	memcpy(bytes->data, ELFMAG, SELFMAG);
	bytes->data[EI_CLASS] = image->spec.is_32bit ? ELFCLASS32 : ELFCLASS64;
	bytes->data[EI_DATA] = image->spec.is_big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	bytes->data[EI_VERSION] = EV_CURRENT;
	SET_HEADER(image, e_type, image->spec.type);
	SET_HEADER(image, e_machine, image->spec.machine);
	SET_HEADER(image, e_version, EV_CURRENT);
	SET_HEADER(image, e_ehsize, SZ(image, Ehdr));
	SET_HEADER(image, e_phoff, image->segments_at);
	SET_HEADER(image, e_phentsize, SZ(image, Phdr));
	SET_HEADER(image, e_phnum, SEGMENT_CNT);
	SET_HEADER(image, e_shoff, image->sections_at);
	SET_HEADER(image, e_shentsize, SZ(image, Shdr));
	SET_HEADER(image, e_shnum, SECTION_CNT);
	SET_HEADER(image, e_shstrndx, SECTION_NAMES);
	set_segment(image, SEGMENT_TEXT, PF_R | PF_X, TEXT_AT, TEXT_ADDRESS, TEXT_SZ, TEXT_SZ);
	set_segment(image, SEGMENT_BASE, PF_R, BASE_AT, BASE_ADDRESS, BASE_SZ, BASE_SZ);
	set_segment(image, SEGMENT_PROBES, PF_R | PF_W, PROBES_AT, PROBES_ADDRESS, PROBES_SZ,
		    PROBES_MEMORY_SZ);
	add_section(image, &names, SECTION_TEXT, ".text", SHT_PROGBITS, TEXT_ADDRESS, TEXT_AT, TEXT_SZ, 0, 0);
	add_section(image, &names, SECTION_BASE, ".stapsdt.base", SHT_PROGBITS, BASE_ADDRESS, BASE_AT, 1, 0,
		    0);
	add_section(image, &names, SECTION_PROBES, ".probes", SHT_PROGBITS, PROBES_ADDRESS, PROBES_AT,
		    PROBES_SZ, 0, 0);
	add_section(image, &names, SECTION_NOTE, ".note.stapsdt", SHT_NOTE, 0, image->note_at,
		    image->notes.len, 0, 0);
	add_section(image, &names, SECTION_SYMTAB, ".symtab", SHT_SYMTAB, 0, symtab_at, symtab_sz,
		    SECTION_STRTAB, SZ(image, Sym));
	add_section(image, &names, SECTION_STRTAB, ".strtab", SHT_STRTAB, 0, strings_at, strings.len, 0, 0);
	add_section(image, &names, SECTION_DYNSYM, ".dynsym", SHT_DYNSYM, 0, dynsym_at, dynsym_sz,
		    SECTION_STRTAB, SZ(image, Sym));
	add_section(image, &names, SECTION_NAMES, ".shstrtab", SHT_STRTAB, 0, names_at, 128, 0, 0);
	assert_true(names.len <= 128);
	memcpy(bytes->data + names_at, names.data, names.len);
	free(names.data);
	free(strings.data);
}

/* An open file with the image. */
static int
file_of(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, 0), (ssize_t)len);
	return fd;
}

/* What must be true of every accepted file, however damaged. */
static void
check_whole(const struct notes *notes, uint64_t file_sz)
{
	for (size_t i = 0; i < notes_cnt(notes); i++) {
		const struct site *site = notes_site(notes, i);

		assert_in_range(strnlen(site->provider, sizeof(site->provider)), 1,
				sizeof(site->provider) - 1);
		assert_in_range(strnlen(site->name, sizeof(site->name)), 1, sizeof(site->name) - 1);
		assert_true(site->args_cnt <= SITE_ARGS_MAX);
		assert_true(site->file_offset < file_sz);
		assert_true(site->semaphore_file_offset + 2 <= file_sz &&
			    site->semaphore_file_offset % 2 == 0);
		assert_true(site->semaphore_address || !site->semaphore_file_offset);
		for (unsigned k = 0; k < site->args_cnt; k++) {
			const struct operand *operand = &site->args[k];

			assert_true(operand->kind <= OPERAND_FOREIGN);
			assert_true(memchr(operand->text, 0, sizeof(operand->text)) && operand->text[0]);
			assert_int_equal(operand->kind == OPERAND_UNREADABLE, operand->reason[0] != '\0');
		}
	}
	for (size_t i = 0; i < notes_problems_cnt(notes); i++)
		assert_int_equal(strncmp(notes_problem(notes, i), "notes: ", 7), 0);
	assert_true(notes_machine(notes)[0]);
}

/* Reads the bytes. On failure *out is NULL, and diag has the text without its common prefix. */
static int
read_bytes(struct notes **out, const void *data, size_t len, struct diag *diag)
{
	static const char start[] = "notes: failed to read 'an image': ";
	int fd = file_of(data, len);
	off_t position = lseek(fd, 3, SEEK_SET);

	diag->text[0] = '\0';
	*out = (struct notes *)diag;
	int err = notes_open_fd(out, fd, "an image", diag);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), position);
	assert_int_equal(close(fd), 0);
	assert_int_equal(err == 0, *out != NULL);
	if (err) {
		assert_true(err < 0);
		assert_int_equal(strncmp(diag->text, start, sizeof(start) - 1), 0);
		memmove(diag->text, diag->text + sizeof(start) - 1, strlen(diag->text) + 2 - sizeof(start));
	} else {
		check_whole(*out, len);
	}
	return err;
}

static struct notes *
read_image(const struct image *image)
{
	struct notes *notes;
	struct diag diag;

	if (read_bytes(&notes, image->bytes.data, image->bytes.len, &diag))
		fail_msg("the image was refused: %s", diag.text);
	return notes;
}

static void
assert_refused(const struct image *image, int want, const char *want_why)
{
	struct notes *notes;
	struct diag diag;

	int err = read_bytes(&notes, image->bytes.data, image->bytes.len, &diag);
	if (!err)
		fail_msg("the image was not refused: %s", want_why);
	assert_string_equal(diag.text, want_why);
	assert_int_equal(err, want);
}

/* The one problem of the image, whose file name is "an image". */
static void
assert_problem(const struct image *image, const char *want, const struct site **site)
{
	static struct site copy;
	struct notes *notes = read_image(image);

	if (notes_problems_cnt(notes) != 1)
		fail_msg("%zu problems instead of: %s", notes_problems_cnt(notes), want);
	assert_string_equal(notes_problem(notes, 0), want);
	const struct site *found = notes_problem_site(notes, 0);
	assert_int_equal(notes_cnt(notes), found != NULL);
	if (found)
		copy = *found;
	*site = found ? &copy : NULL;
	notes_free(notes);
}

static const char good_args[] = "-8@-368(%rbp) 8@%r14 4@%esi 1@$-1";

static void
build_good(struct image *image, const struct spec *spec)
{
	begin(image, spec);
	add_note(image, "net", "inbound_message", good_args);
	add_note_at(image, LOCATION + 8, BASE_ADDRESS, 0, "utxocache", "add", "");
	build(image);
}

static void
both_classes_and_byte_orders(void **state)
{
	static const struct {
		struct spec spec;
		const char *machine;
		bool is_native, has_bcc;
		const char *args; /* like good_args in the machine's syntax */
		enum operand_kind memory;
	} rows[] = {
		{{.machine = EM_X86_64}, "x86-64", true, true, good_args, OPERAND_MEMORY},
		{{.machine = EM_X86_64, .type = ET_EXEC, .sections_early = true},
		 "x86-64",
		 true,
		 true,
		 good_args,
		 OPERAND_MEMORY},
		{{.machine = EM_X86_64, .is_32bit = true}, "x32", false, false, good_args, OPERAND_MEMORY},
		{{.machine = EM_386, .is_32bit = true},
		 "i386",
		 false,
		 false,
		 "-8@-368(%ebp) 8@%ebx 4@%esi 1@$-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_AARCH64},
		 "aarch64",
		 false,
		 true,
		 "-8@[x29, -368] 8@x14 4@x1 1@-1",
		 OPERAND_MEMORY},
		{{.machine = EM_AARCH64, .is_big_endian = true},
		 "aarch64",
		 false,
		 true,
		 "-8@[x29, -368] 8@x14 4@x1 1@-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_AARCH64, .is_32bit = true},
		 "aarch64",
		 false,
		 false,
		 "-8@[x29, -368] 8@x14 4@x1 1@-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_ARM, .is_32bit = true},
		 "arm",
		 false,
		 false,
		 "-8@[fp, #-368] 8@r4 4@r1 1@#-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_RISCV}, "riscv", false, true, "-8@-368(s0) 8@a4 4@a1 1@-1", OPERAND_FOREIGN},
		{{.machine = EM_PPC64, .is_big_endian = true},
		 "ppc64",
		 false,
		 true,
		 "-8@-368(1) 8@14 4@5 1@i-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_S390, .is_big_endian = true, .sections_early = true},
		 "s390",
		 false,
		 true,
		 "-8@-368(%r15) 8@%r1 4@%r2 1@-1",
		 OPERAND_FOREIGN},
		{{.machine = EM_MIPS, .is_32bit = true, .is_big_endian = true},
		 "mips",
		 false,
		 false,
		 "-8@-368($30) 8@$4 4@$5 1@-1",
		 OPERAND_FOREIGN},
		{{.machine = 12345}, "machine 12345", false, false, good_args, OPERAND_FOREIGN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct image image;

		begin(&image, &rows[i].spec);
		add_note(&image, "net", "inbound_message", rows[i].args);
		add_note_at(&image, LOCATION + 8, BASE_ADDRESS, 0, "utxocache", "add", "");
		build(&image);
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 2);
		assert_int_equal(notes_problems_cnt(notes), 0);
		assert_string_equal(notes_machine(notes), rows[i].machine);
		assert_int_equal(notes_has_bcc(notes), rows[i].has_bcc);
		assert_int_equal(notes_address_bytes(notes), rows[i].spec.is_32bit ? 4 : 8);
		assert_int_equal(notes_is_big_endian(notes), rows[i].spec.is_big_endian);
		assert_int_equal(notes_is_position_independent(notes), rows[i].spec.type != ET_EXEC);
#if defined(__x86_64__) && defined(__LP64__)
		assert_int_equal(notes_is_native(notes), rows[i].is_native);
#endif

		const struct site *site = notes_site(notes, 0);
		assert_string_equal(site->provider, "net");
		assert_string_equal(site->name, "inbound_message");
		assert_int_equal(site->address, LOCATION);
		assert_int_equal(site->file_offset, TEXT_AT + 4);
		assert_int_equal(site->semaphore_address, SEMAPHORE);
		assert_int_equal(site->semaphore_file_offset, PROBES_AT + 4);
		assert_int_equal(site->args_cnt, 4);
		assert_int_equal(site->address_bytes, rows[i].spec.is_32bit ? 4 : 8);
		assert_false(site->semaphore_is_stray);
		assert_memory_equal(site->args[0].text, rows[i].args, strlen(site->args[0].text));
		assert_int_equal(site->args[0].width_bytes, 8);
		assert_true(site->args[0].is_signed);
		assert_int_equal(site->args[3].width_bytes, 1);
		assert_false(site->args[3].is_signed);
		assert_int_equal(site->args[0].kind, rows[i].memory);
		if (rows[i].memory == OPERAND_MEMORY)
			assert_int_equal(site->args[0].displacement, -368);
		for (unsigned k = 1; k < 3; k++)
			assert_int_equal(site->args[k].kind, rows[i].memory == OPERAND_MEMORY
								     ? OPERAND_REGISTER
								     : OPERAND_FOREIGN);
		if (!strncmp(rows[i].machine, "mi", 2) || !strncmp(rows[i].machine, "ma", 2)) {
			assert_int_equal(site->args[3].kind, OPERAND_FOREIGN);
		} else {
			assert_int_equal(site->args[3].kind, OPERAND_CONSTANT);
			assert_int_equal(site->args[3].constant, 255);
		}

		site = notes_site(notes, 1);
		assert_string_equal(site->provider, "utxocache");
		assert_string_equal(site->name, "add");
		assert_int_equal(site->address, LOCATION + 8);
		assert_int_equal(site->file_offset, TEXT_AT + 12);
		assert_int_equal(site->semaphore_address, 0);
		assert_int_equal(site->semaphore_file_offset, 0);
		assert_int_equal(site->args_cnt, 0);
		notes_free(notes);
		end(&image);
	}
}

/* On aarch64 the note may have a part of the address only, and the code the rest. */
static void
low_bits_in_the_code(void **state)
{
	static const struct {
		uint8_t behind[4]; /* behind the tracepoint */
		enum operand_kind kind;
		enum operand_source source;
	} rows[] = {
		{{0x01, 0x18, 0x41, 0xf9}, OPERAND_MEMORY, OPERAND_FROM_CODE}, /* ldr x1, [x0, #0x230] */
		{{0x1f, 0x20, 0x03, 0xd5}, OPERAND_UNREADABLE, OPERAND_FROM_LINKER}, /* nop */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static const uint8_t adrp[] = {0x00, 0x00, 0x00, 0x90}; /* adrp x0, page */
		const struct spec spec = {.machine = EM_AARCH64};
		struct image image;

		begin(&image, &spec);
		add_note(&image, "net", "inbound_message", "8@x1 8@[x0, #:lo12:.LANCHOR0]");
		build(&image);
		memcpy(image.bytes.data + TEXT_AT, adrp, sizeof(adrp));
		memcpy(image.bytes.data + TEXT_AT + 8, rows[i].behind, sizeof(rows[i].behind));
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 1);
		const struct operand *operand = &notes_site(notes, 0)->args[1];
		assert_int_equal(operand->kind, rows[i].kind);
		assert_int_equal(operand->source, rows[i].source);
		if (operand->kind == OPERAND_MEMORY)
			assert_int_equal(operand->displacement, 0x230);
		notes_free(notes);
		end(&image);
	}
}

static void
several_places_of_one_tracepoint(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	add_note_at(&image, LOCATION + 2, BASE_ADDRESS, SEMAPHORE, "net", "message", "8@%rax");
	add_note_at(&image, LOCATION + 1, BASE_ADDRESS, SEMAPHORE, "net", "messages", "8@%rbx");
	add_note_at(&image, LOCATION, BASE_ADDRESS, SEMAPHORE, "net", "message", "8@%rcx");
	add_note_at(&image, LOCATION, BASE_ADDRESS, SEMAPHORE, "mempool", "message", "8@%rdx");
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 4);
	assert_ptr_equal(notes_find(notes, "net", "message", 0), notes_site(notes, 0));
	assert_ptr_equal(notes_find(notes, "net", "message", 1), notes_site(notes, 2));
	assert_null(notes_find(notes, "net", "message", 2));
	assert_ptr_equal(notes_find(notes, "net", "messages", 0), notes_site(notes, 1));
	assert_ptr_equal(notes_find(notes, "mempool", "message", 0), notes_site(notes, 3));
	assert_null(notes_find(notes, "mempool", "messages", 0));
	assert_null(notes_find(notes, "net", "mess", 0));
	assert_int_equal(notes_find(notes, "net", "message", 1)->args[0].base, REGISTER_CX);
	assert_null(notes_site(notes, 4));
	assert_null(notes_problem(notes, 0));
	assert_null(notes_problem_site(notes, 0));
	notes_free(notes);
	notes_free(NULL);
	end(&image);
}

/* Seen with perf 6.1: "perf probe -x FILE -D '%sdt_...'" prints these offsets. */
static void
where_perf_looks(void **state)
{
	static const struct {
		uint64_t location, base, perf_offset;
	} rows[] = {
		/* Text and base are 0x11000 further apart in memory than in the file. */
		{LOCATION, BASE_ADDRESS, TEXT_AT + 4 + 0x11000},
		{LOCATION - 0x1000, BASE_ADDRESS - 0x1000, TEXT_AT + 4 + 0x11000},
		{LOCATION, 0, LOCATION + BASE_AT},
		{LOCATION, LOCATION + BASE_AT - (TEXT_AT + 4), TEXT_AT + 4},
	};
	struct image image;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(&image, NULL);
		add_note_at(&image, rows[i].location, rows[i].base, SEMAPHORE, "a", "b", "");
		build(&image);
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_site(notes, 0)->perf_offset, rows[i].perf_offset);
		assert_int_equal(notes_site(notes, 0)->has_no_base, !rows[i].base);
		notes_free(notes);
		end(&image);
	}

	begin(&image, NULL);
	add_note_at(&image, LOCATION, 0x77777, SEMAPHORE, "a", "b", "");
	build(&image);
	SET_SECTION(&image, SECTION_BASE, sh_name, 0);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_site(notes, 0)->perf_offset, LOCATION);
	notes_free(notes);
	end(&image);
}

/* At link time the base was elsewhere. */
static void
addresses_move_with_the_base(void **state)
{
	static const struct {
		bool is_32bit;
		uint64_t base, location, semaphore;
	} rows[] = {
		{false, BASE_ADDRESS - 0x1000, LOCATION - 0x1000, SEMAPHORE - 0x1000},
		{false, BASE_ADDRESS + 0x1000, LOCATION + 0x1000, SEMAPHORE + 0x1000},
		{true, BASE_ADDRESS + 0x1000, LOCATION + 0x1000, SEMAPHORE + 0x1000},
		{false, BASE_ADDRESS - 0x50000, (uint64_t)LOCATION - 0x50000, (uint64_t)SEMAPHORE - 0x50000},
		{true, BASE_ADDRESS - 0x50000u, (uint32_t)(LOCATION - 0x50000),
		 (uint32_t)(SEMAPHORE - 0x50000)},
		{false, 0, LOCATION, SEMAPHORE},
		{false, BASE_ADDRESS + 0x2000, LOCATION + 0x2000, 0},
	};
	struct image image;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(&image, &(struct spec){.is_32bit = rows[i].is_32bit, .machine = EM_X86_64});
		add_note_at(&image, rows[i].location, rows[i].base, rows[i].semaphore, "a", "b", "");
		build(&image);
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 1);
		assert_int_equal(notes_problems_cnt(notes), 0);
		assert_int_equal(notes_site(notes, 0)->address, LOCATION);
		assert_int_equal(notes_site(notes, 0)->file_offset, TEXT_AT + 4);
		assert_int_equal(notes_site(notes, 0)->semaphore_address, rows[i].semaphore ? SEMAPHORE : 0);
		assert_int_equal(notes_site(notes, 0)->semaphore_file_offset,
				 rows[i].semaphore ? PROBES_AT + 4 : 0);
		notes_free(notes);
		end(&image);
	}

	/* Without the section there is no correction. */
	begin(&image, NULL);
	add_note_at(&image, LOCATION, 0x77777, SEMAPHORE, "a", "b", "");
	build(&image);
	SET_SECTION(&image, SECTION_BASE, sh_name, 0);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_site(notes, 0)->address, LOCATION);
	assert_int_equal(notes_site(notes, 0)->semaphore_address, SEMAPHORE);
	notes_free(notes);
	end(&image);
}

static void
assert_misplaced(const struct image *image, bool is_semaphore, uint64_t address, const char *why)
{
	const struct site *site;
	char want[512];

	snprintf(want, sizeof(want),
		 "notes: failed to locate %stracepoint 'a:b' of 'an image' at address 0x%jx: it lies %s",
		 is_semaphore ? "the semaphore of " : "", (uintmax_t)address, why);
	assert_problem(image, want, &site);
	assert_non_null(site);
	assert_int_equal(is_semaphore ? site->semaphore_address : site->address, address);
	assert_int_equal(is_semaphore ? site->semaphore_file_offset : site->file_offset, 0);
	/* The other of the two is not affected. */
	assert_int_equal(is_semaphore ? site->file_offset : site->semaphore_file_offset,
			 is_semaphore ? TEXT_AT + 4 : PROBES_AT + 4);
}

static void
places_that_the_file_does_not_back(void **state)
{
	static const struct {
		uint64_t location, semaphore;
		const char *why;
	} rows[] = {
		{TEXT_ADDRESS - 1, SEMAPHORE, "in no loaded segment"},
		{TEXT_ADDRESS + TEXT_SZ, SEMAPHORE, "in no loaded segment"},
		{1, SEMAPHORE, "in no loaded segment"},
		{UINT64_MAX, SEMAPHORE, "in no loaded segment"},
		{BASE_ADDRESS, SEMAPHORE, "in a segment that is not executable"},
		{PROBES_ADDRESS + PROBES_SZ, SEMAPHORE, "in a part of a segment that the file does not fill"},
		{LOCATION, PROBES_ADDRESS + PROBES_SZ, "in a part of a segment that the file does not fill"},
		{LOCATION, PROBES_ADDRESS + PROBES_SZ - 1,
		 "in a part of a segment that the file does not fill"},
		{LOCATION, PROBES_ADDRESS + PROBES_MEMORY_SZ, "in no loaded segment"},
		{LOCATION, BASE_ADDRESS, "in a segment that is not writable"},
		{LOCATION, TEXT_ADDRESS, "in a segment that is not writable"},
		{LOCATION, PROBES_ADDRESS + 1, "at an odd offset, which the kernel refuses"},
	};
	struct image image;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_semaphore = rows[i].location == LOCATION;

		begin(&image, NULL);
		add_note_at(&image, rows[i].location, BASE_ADDRESS, rows[i].semaphore, "a", "b", "8@%rax");
		build(&image);
		assert_misplaced(&image, is_semaphore, is_semaphore ? rows[i].semaphore : rows[i].location,
				 rows[i].why);
		end(&image);
	}

	/* The first and the last valid address. */
	begin(&image, NULL);
	add_note_at(&image, LOCATION, BASE_ADDRESS, 0, "without", "semaphore", "");
	add_note_at(&image, TEXT_ADDRESS, BASE_ADDRESS, PROBES_ADDRESS, "a", "b", "");
	add_note_at(&image, TEXT_ADDRESS + TEXT_SZ - 1, BASE_ADDRESS, PROBES_ADDRESS + PROBES_SZ - 2, "a",
		    "b", "");
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_int_equal(notes_site(notes, 1)->file_offset, TEXT_AT);
	assert_int_equal(notes_site(notes, 1)->semaphore_file_offset, PROBES_AT);
	assert_int_equal(notes_site(notes, 2)->file_offset, TEXT_AT + TEXT_SZ - 1);
	assert_int_equal(notes_site(notes, 2)->semaphore_file_offset, PROBES_AT + PROBES_SZ - 2);
	notes_free(notes);
	end(&image);
}

/* A note whose address is elsewhere in the code. */
static void
places_without_a_nop(void **state)
{
	static const struct {
		unsigned machine;
		uint8_t bytes[5];
		bool is_nop;
	} rows[] = {
		{EM_X86_64, {0x90}, true},
		{EM_X86_64, {0x0f, 0x1f, 0x44}, true}, /* the next two bytes are 0 */
		{EM_X86_64, {0x0f, 0x1f, 0x45}, false},
		{EM_X86_64, {0x55}, false},
		{EM_AARCH64, {0x1f, 0x20, 0x03, 0xd5}, true},
		{EM_AARCH64, {0x1f, 0x20, 0x03, 0xd6}, false},
		{EM_ARM, {0xe3, 0x20, 0xf0, 0x00}, false},
		{EM_ARM, {0x00, 0xbf}, true},
		{EM_ARM, {0x00, 0xf0, 0x20, 0xe3}, true},
		{EM_RISCV, {0x01, 0x00}, true},
		{EM_RISCV, {0x02, 0x00}, false},
		{EM_PPC64, {0x00, 0x00, 0x00, 0x60}, true},
		{EM_PPC64, {0x60, 0x00, 0x00, 0x00}, false},
		{EM_S390, {0x47, 0x00, 0x00, 0x00}, true},
		{EM_S390, {0x07, 0x00, 0x00, 0x00}, false},
		{12345, {0x12, 0x34}, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct image image;

		begin(&image,
		      &(struct spec){.machine = rows[i].machine, .is_32bit = rows[i].machine == EM_ARM});
		add_note(&image, "a", "b", "");
		build(&image);
		memset(image.bytes.data + TEXT_AT, 0, TEXT_SZ);
		memcpy(image.bytes.data + TEXT_AT + 4, rows[i].bytes, sizeof(rows[i].bytes));
		if (rows[i].is_nop) {
			struct notes *notes = read_image(&image);

			assert_int_equal(notes_problems_cnt(notes), 0);
			notes_free(notes);
		} else {
			const struct site *site;

			assert_problem(
				&image,
				"notes: failed to locate tracepoint 'a:b' of 'an image' at address 0x21404: the instruction there is not the nop that marks a tracepoint",
				&site);
			assert_non_null(site);
		}
		end(&image);
	}
}

static void
semaphores_outside_their_section(void **state)
{
	static const struct {
		uint64_t address, sz;
		bool is_stray;
	} rows[] = {
		{PROBES_ADDRESS, PROBES_SZ, false},
		{PROBES_ADDRESS, 6, false},
		{PROBES_ADDRESS, 5, true},
		{SEMAPHORE, 2, false},
		{SEMAPHORE + 2, 2, true},
		{SEMAPHORE - 2, 2, true},
		{0, UINT64_MAX, false},
		{UINT64_MAX, 2, true},
	};
	struct image image;
	struct notes *notes;

	(void)state;
	begin(&image, NULL);
	add_note(&image, "a", "b", "");
	build(&image);
	for (size_t i = 0; i < COUNT(rows); i++) {
		SET_SECTION(&image, SECTION_PROBES, sh_addr, rows[i].address);
		SET_SECTION(&image, SECTION_PROBES, sh_size, rows[i].sz);
		notes = read_image(&image);
		assert_int_equal(notes_site(notes, 0)->semaphore_is_stray, rows[i].is_stray);
		notes_free(notes);
	}
	/* No such section at all. */
	SET_SECTION(&image, SECTION_PROBES, sh_name, 0);
	notes = read_image(&image);
	assert_true(notes_site(notes, 0)->semaphore_is_stray);
	notes_free(notes);
	end(&image);
}

struct scanned {
	struct bytes bytes;
	size_t chunks, most;
	bool want_code, is_run_over;
};

static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	struct scanned *scanned = cookie;

	assert_int_equal(chunk->is_first, scanned->is_run_over);
	scanned->is_run_over = chunk->is_last;
	assert_int_equal(chunk->is_code, scanned->want_code);
	append(&scanned->bytes, chunk->bytes, chunk->sz);
	scanned->chunks++;
	return scanned->chunks < scanned->most;
}

static struct scanned
scan(const struct image *image, bool want_code, size_t most)
{
	int fd = file_of(image->bytes.data, image->bytes.len);
	struct scanned scanned = {.most = most, .want_code = want_code, .is_run_over = true};
	struct notes *notes = NULL;
	struct diag diag;

	assert_int_equal(notes_open_fd(&notes, fd, "an image", &diag), 0);
	assert_int_equal(notes_scan_fd(notes, fd, want_code, on_chunk, &scanned, &diag), 0);
	notes_free(notes);
	close(fd);
	return scanned;
}

static void
scanning_what_is_loaded(void **state)
{
	enum { LARGE_SZ = 300000 };
	struct image image;

	(void)state;
	build_good(&image, NULL);
	struct scanned scanned = scan(&image, true, SIZE_MAX);
	assert_int_equal(scanned.bytes.len, TEXT_SZ);
	assert_memory_equal(scanned.bytes.data, image.bytes.data + TEXT_AT, TEXT_SZ);
	free(scanned.bytes.data);
	scanned = scan(&image, false, SIZE_MAX);
	assert_int_equal(scanned.bytes.len, BASE_SZ + PROBES_SZ);
	assert_int_equal(scanned.chunks, 2);
	assert_memory_equal(scanned.bytes.data + BASE_SZ, image.bytes.data + PROBES_AT, PROBES_SZ);
	free(scanned.bytes.data);
	scanned = scan(&image, false, 1);
	assert_int_equal(scanned.bytes.len, BASE_SZ);
	free(scanned.bytes.data);

	/* A part of several chunks, of which each begins with the end of the one before; and one that reaches beyond
	 * the end of the file. */
	size_t at = image.bytes.len;
	append(&image.bytes, NULL, LARGE_SZ);
	for (size_t i = 0; i < LARGE_SZ; i++)
		image.bytes.data[at + i] = (uint8_t)(i * 7 ^ i >> 8);
	set_segment(&image, SEGMENT_BASE, PF_R, at, BASE_ADDRESS, UINT64_MAX, UINT64_MAX);
	set_segment(&image, SEGMENT_PROBES, PF_R | PF_W, UINT64_MAX, PROBES_ADDRESS, PROBES_SZ, PROBES_SZ);
	scanned = scan(&image, false, SIZE_MAX);
	assert_true(scanned.chunks > 2);
	assert_int_equal(scanned.bytes.len, LARGE_SZ + (scanned.chunks - 1) * CHUNK_OVERLAP);
	assert_memory_equal(scanned.bytes.data, image.bytes.data + at, 100000);
	assert_memory_equal(scanned.bytes.data + scanned.bytes.len - 1000,
			    image.bytes.data + at + LARGE_SZ - 1000, 1000);
	free(scanned.bytes.data);
	end(&image);
}

static void
segments_that_lie(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	add_note(&image, "a", "b", "");
	build(&image);
	/* A second segment with the same address, elsewhere in the file; and at the same place, which is
	 * harmless. */
	set_segment(&image, SEGMENT_BASE, PF_R | PF_X, 0x100, TEXT_ADDRESS, TEXT_SZ, TEXT_SZ);
	assert_misplaced(&image, false, LOCATION, "in two segments that overlap");
	set_segment(&image, SEGMENT_BASE, PF_R | PF_X, TEXT_AT, TEXT_ADDRESS, TEXT_SZ, TEXT_SZ);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_problems_cnt(notes), 0);
	notes_free(notes);

	set_segment(&image, SEGMENT_BASE, PF_R | PF_X, TEXT_AT, TEXT_ADDRESS - 0x1000, TEXT_SZ, TEXT_SZ);
	set_segment(&image, SEGMENT_TEXT, PF_R | PF_X, image.bytes.len - 2, TEXT_ADDRESS, TEXT_SZ, TEXT_SZ);
	assert_misplaced(&image, false, LOCATION, "in a segment that reaches beyond the end of the file");
	set_segment(&image, SEGMENT_TEXT, PF_R | PF_X, UINT64_MAX - 2, TEXT_ADDRESS, TEXT_SZ, TEXT_SZ);
	assert_misplaced(&image, false, LOCATION, "in a segment that reaches beyond the end of the file");
	set_segment(&image, SEGMENT_TEXT, PF_R | PF_X, TEXT_AT, TEXT_ADDRESS, UINT64_MAX, UINT64_MAX);
	set_segment(&image, SEGMENT_PROBES, PF_R | PF_W, PROBES_AT, 0x480, PROBES_SZ, PROBES_SZ);
	notes = read_image(&image);
	assert_int_equal(notes_problems_cnt(notes), 2);
	assert_string_equal(
		notes_problem(notes, 0),
		"notes: failed to locate tracepoint 'a:b' of 'an image' at address 0x21404: it lies in a segment that reaches beyond the end of the file");
	assert_ptr_equal(notes_problem_site(notes, 0), notes_site(notes, 0));
	assert_ptr_equal(notes_problem_site(notes, 1), notes_site(notes, 0));
	notes_free(notes);
	/* No segments at all, as in a file that was stripped of them. */
	SET_HEADER(&image, e_phnum, 0);
	notes = read_image(&image);
	assert_int_equal(notes_problems_cnt(notes), 2);
	assert_int_equal(notes_cnt(notes), 1);
	notes_free(notes);
	end(&image);
}

static void
notes_that_cannot_be_used(void **state)
{
#define STRINGS(text) text, sizeof(text) - 1
	static const struct {
		const char *strings;
		size_t strings_sz;
		const char *why;
	} rows[] = {
		{STRINGS(""), "its provider is not terminated"},
		{STRINGS("net"), "its provider is not terminated"},
		{STRINGS("net\0"), "its name is not terminated"},
		{STRINGS("net\0message"), "its name is not terminated"},
		{STRINGS("net\0message\0"), "its arguments are not terminated"},
		{STRINGS("net\0message\0008@%rax"), "its arguments are not terminated"},
		{STRINGS("net\0message\0008@%rax\0x"), "something follows its arguments"},
		{STRINGS("net\0message\0\0\0\0x"), "something follows its arguments"},
		{STRINGS("\0message\0\0"), "its provider is empty"},
		{STRINGS("net\0\0\0"), "its name is empty"},
		{STRINGS("n t\0message\0\0"), "its provider has characters that are not printable"},
		{STRINGS("net\0mess\x1b[31m\0\0"), "its name has characters that are not printable"},
		{STRINGS("net\0m\xc3\xa4ssage\0\0"), "its name has characters that are not printable"},
		{STRINGS("net\0mess\x7f\0\0"), "its name has characters that are not printable"},
		{STRINGS("net\0"
			 "0123456789012345678901234567890123456789012345678901234567890123\0\0"),
		 "its name is longer than 63 characters"},
		{STRINGS("0123456789012345678901234567890123456789012345678901234567890123\0net\0\0"),
		 "its provider is longer than 63 characters"},
	};
	const struct site *site;
	struct image image;
	char want[512];

	(void)state;
	snprintf(want, sizeof(want), "notes: failed to read the note at 0x%x of 'an image': ", CONTENT_AT);
	size_t start = strlen(want);
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		begin(&image, &(struct spec){.is_32bit = i % 2});
		add_note_strings(&image, LOCATION, BASE_ADDRESS, 0, rows[i / 2].strings,
				 rows[i / 2].strings_sz);
		build(&image);
		snprintf(want + start, sizeof(want) - start, "%s", rows[i / 2].why);
		assert_problem(&image, want, &site);
		assert_null(site);
		end(&image);
	}

	snprintf(want + start, sizeof(want) - start, "it is too short for its addresses");
	for (size_t sz = 0; sz < 24; sz++) {
		begin(&image, NULL);
		add_raw_note(&image, "stapsdt", 8, 3, "012345678901234567890123", sz);
		build(&image);
		assert_problem(&image, want, &site);
		end(&image);
	}

	snprintf(want + start, sizeof(want) - start, "its type is 4, only 3 is known");
	begin(&image, NULL);
	add_raw_note(&image, "stapsdt", 8, 4, "0123", 4);
	build(&image);
	assert_problem(&image, want, &site);
	end(&image);

	/* A bad note does not affect its neighbours. */
	begin(&image, NULL);
	add_note(&image, "net", "first", "");
	add_note_strings(&image, LOCATION, BASE_ADDRESS, 0, STRINGS("net\0message"));
	add_note(&image, "net", "last", "");
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 2);
	assert_string_equal(notes_site(notes, 0)->name, "first");
	assert_string_equal(notes_site(notes, 1)->name, "last");
	assert_int_equal(notes_problems_cnt(notes), 1);
	notes_free(notes);
	end(&image);
}

static void
names_and_arguments_up_to_the_bounds(void **state)
{
	static const char longest[] = "012345678901234567890123456789012345678901234567890123456789012";
	static const char twelve[] =
		"1@%al 1@%bl 1@%cl 1@%dl 1@%sil 1@%dil 1@%bpl 1@%spl 1@%r8b 1@%r9b 1@%r10b 1@%r11b";
	const struct site *site;
	struct image image;
	char thirteen[128];

	(void)state;
	begin(&image, NULL);
	add_note(&image, longest, longest, twelve);
	add_note_strings(&image, LOCATION, BASE_ADDRESS, 0, STRINGS("padded\0with\0008@%rax\0\0\0\0\0"));
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_string_equal(notes_site(notes, 0)->provider, longest);
	assert_string_equal(notes_site(notes, 0)->name, longest);
	assert_int_equal(notes_site(notes, 0)->args_cnt, SITE_ARGS_MAX);
	for (unsigned i = 0; i < SITE_ARGS_MAX; i++)
		assert_int_equal(notes_site(notes, 0)->args[i].base, REGISTER_AX + i);
	assert_int_equal(notes_site(notes, 1)->args_cnt, 1);
	notes_free(notes);
	end(&image);

	begin(&image, NULL);
	snprintf(thirteen, sizeof(thirteen), "%s 1@$1", twelve);
	add_note(&image, "net", "message", thirteen);
	build(&image);
	assert_problem(
		&image,
		"notes: failed to read tracepoint 'net:message' of 'an image': it has 13 arguments, more than 12",
		&site);
	assert_null(site);
	end(&image);
}

static void
notes_of_others_are_passed_over(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	add_raw_note(&image, "GNU", 4, 3, "0123456789", 10);
	add_raw_note(&image, "stapsdt", 7, 3, "0123456789", 10);
	add_raw_note(&image, "stapsdtx", 9, 3, "0123456789", 10);
	add_raw_note(&image, "", 0, 0, "", 0);
	add_note(&image, "net", "message", "8@%rax");
	add_raw_note(&image, "stapsdT", 8, 3, "0123456789", 10);
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 1);
	assert_int_equal(notes_problems_cnt(notes), 0);
	notes_free(notes);
	end(&image);
}

static void
broken_chain_of_notes(void **state)
{
	static const uint32_t sizes[] = {0x1000, 0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffd, 0xffffffff};
	struct image image;
	char want[128];

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
		begin(&image, NULL);
		add_note(&image, "net", "message", "8@%rax");
		size_t second = image.notes.len;
		add_note(&image, "net", "message2", "8@%rax");
		store(&image, image.notes.data + second + (i % 2 ? 4 : 0), sizes[i / 2], 4);
		build(&image);
		snprintf(want, sizeof(want), "the note at 0x%zx reaches beyond the end of .note.stapsdt",
			 image.note_at + second);
		assert_refused(&image, -EBADMSG, want);
		end(&image);
	}
	/* The section ends inside a note, at each of its bytes; the last ones are only padding. */
	begin(&image, NULL);
	add_note(&image, "net", "message", "8@%rax");
	build(&image);
	size_t padding = 2; /* 16 + 4 bytes of header and owner, 24 of addresses, 4 + 8 + 7 of strings */
	snprintf(want, sizeof(want), "the note at 0x%x reaches beyond the end of .note.stapsdt", CONTENT_AT);
	for (size_t sz = 0; sz <= image.notes.len; sz++) {
		SET_SECTION(&image, SECTION_NOTE, sh_size, sz);
		if (sz == 0 || sz + padding > image.notes.len) {
			struct notes *notes = read_image(&image);
			assert_int_equal(notes_cnt(notes), sz != 0);
			notes_free(notes);
		} else {
			assert_refused(&image, -EBADMSG, want);
		}
	}
	end(&image);
}

/* Functions that a linker folded leave identical notes. */
static void
duplicates(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	add_note(&image, "net", "message", "8@%rax");
	add_note(&image, "net", "other", "8@%rax");
	add_note(&image, "net", "message", "8@%rax");
	add_note_at(&image, LOCATION + 1, BASE_ADDRESS, SEMAPHORE, "net", "message", "8@%rax");
	add_note(&image, "net", "message", "8@%rax");
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 3);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_string_equal(notes_site(notes, 0)->name, "message");
	assert_string_equal(notes_site(notes, 1)->name, "other");
	assert_int_equal(notes_site(notes, 2)->address, LOCATION + 1);
	notes_free(notes);
	end(&image);

#define LONG "8@1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1"
	static const struct {
		const char *first, *second;
	} rows[] = {
		{"8@%rax", "8@%rbx"},
		{"8@%rax", "-8@%rax"},
		{"8@%rax", "8@%rax 8@%rbx"},
		{"8@%rax", ""},
		{"8@%rax", "8@$1"},
		{"8@%rax", "8@(%rax)"},
		/* The text of an operand is cut before the difference. */
		{LONG "(%rax)", LONG "(%rbx)"},
		{LONG "(%rax)", LONG "+1(%rax)"},
		{LONG "(%rax,%rbx)", LONG "(%rax,%rcx)"},
		{LONG "(%rax,%rbx,1)", LONG "(%rax,%rbx,2)"},
		{LONG "(%rax)", LONG "(junk)"},
		{"8@$0+" LONG, "8@$0+" LONG},
		{NULL, NULL}, /* only the semaphore differs */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *first = rows[i].first ? rows[i].first : "8@%rax";
		const char *second = rows[i].second ? rows[i].second : "8@%rax";
		bool same = rows[i].first && !strcmp(first, second);

		begin(&image, NULL);
		add_note(&image, "net", "message", first);
		add_note_at(&image, LOCATION, BASE_ADDRESS, rows[i].first ? SEMAPHORE : 0, "net", "message",
			    second);
		build(&image);
		notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 1);
		assert_int_equal(notes_site(notes, 0)->semaphore_address, SEMAPHORE);
		assert_int_equal(notes_site(notes, 0)->args_cnt, 1);
		assert_int_equal(strncmp(notes_site(notes, 0)->args[0].text, first,
					 sizeof(notes_site(notes, 0)->args[0].text) - 1),
				 0);
		assert_int_equal(notes_problems_cnt(notes), !same);
		if (!same)
			assert_string_equal(
				notes_problem(notes, 0),
				"notes: failed to read tracepoint 'net:message' of 'an image': two notes for 0x21404 contradict each other; the first is used");
		notes_free(notes);
		end(&image);
	}
}

static void
many_problems_and_many_notes(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	for (unsigned i = 0; i < 1000; i++)
		add_note(&image, "", "message", "");
	add_note(&image, "net", "message", "");
	build(&image);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 1);
	assert_int_equal(notes_problems_cnt(notes), 65);
	assert_non_null(strstr(notes_problem(notes, 63), "its provider is empty"));
	assert_string_equal(notes_problem(notes, 64), "notes: further problems are not listed");
	assert_null(notes_problem_site(notes, 64));
	notes_free(notes);
	end(&image);

	begin(&image, NULL);
	for (unsigned i = 0; i < 16384; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		add_note(&image, "net", name, "8@%rax");
	}
	build(&image);
	notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 16384);
	assert_non_null(notes_find(notes, "net", "n16383", 0));
	notes_free(notes);
	free(image.bytes.data);
	image.bytes = (struct bytes){0};
	add_note(&image, "net", "n16384", "8@%rax");
	build(&image);
	assert_refused(&image, -EFBIG, "it has more than 16384 tracepoints");
	end(&image);
}

static void
files_without_notes(void **state)
{
	struct image image;

	(void)state;
	build_good(&image, NULL);
	SET_SECTION(&image, SECTION_NOTE, sh_name, 0);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 0);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_null(notes_site(notes, 0));
	assert_null(notes_find(notes, "net", "inbound_message", 0));
	notes_free(notes);
	end(&image);

	/* An inactive section hides nothing. */
	build_good(&image, NULL);
	SET_SECTION(&image, SECTION_TEXT, sh_type, SHT_NULL);
	SET_SECTION(&image, SECTION_TEXT, sh_name, UINT32_MAX);
	notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 2);
	notes_free(notes);
	end(&image);

	/* No sections. */
	build_good(&image, NULL);
	SET_HEADER(&image, e_shoff, 0);
	SET_HEADER(&image, e_shnum, 0);
	SET_HEADER(&image, e_shstrndx, 0);
	notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 0);
	notes_free(notes);
	end(&image);

	begin(&image, NULL);
	build(&image);
	notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 0);
	notes_free(notes);
	end(&image);
}

static void
several_note_sections(void **state)
{
	struct image image;

	(void)state;
	begin(&image, NULL);
	add_note(&image, "net", "first", "");
	size_t first_sz = image.notes.len;
	add_note(&image, "net", "second", "");
	build(&image);
	/* .symtab gets the name of the other section. */
	size_t name = 1 + sizeof(".text") + sizeof(".stapsdt.base") + sizeof(".probes");
	SET_SECTION(&image, SECTION_NOTE, sh_size, first_sz);
	SET_SECTION(&image, SECTION_SYMTAB, sh_name, name);
	SET_SECTION(&image, SECTION_SYMTAB, sh_type, SHT_NOTE);
	SET_SECTION(&image, SECTION_SYMTAB, sh_offset, image.note_at + first_sz);
	SET_SECTION(&image, SECTION_SYMTAB, sh_size, image.notes.len - first_sz);
	struct notes *notes = read_image(&image);
	assert_int_equal(notes_cnt(notes), 2);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_string_equal(notes_site(notes, 1)->name, "second");
	notes_free(notes);

	SET_SECTION(&image, SECTION_SYMTAB, sh_offset, image.note_at);
	assert_refused(&image, -EBADMSG, "its sections .note.stapsdt overlap or are not in order");
	end(&image);
}

static void
headers_that_lie(void **state)
{
#define CASE(code, why, ...)                                                                                 \
	do {                                                                                                 \
		struct image image;                                                                          \
		build_good(&image, NULL);                                                                    \
		__VA_ARGS__;                                                                                 \
		assert_refused(&image, code, why);                                                           \
		end(&image);                                                                                 \
	} while (0)
	static const char outside[] = "the section table lies outside the file; it may be truncated";
	static const char segments_outside[] = "the segment table lies outside the file; it may be truncated";
	static const char header[] = "the ELF header has an unknown class, byte order or version";
	static const char no_sections[] = "the section table has no offset or an unknown entry size";
	static const char no_segments[] = "the segment table has no offset or an unknown entry size";

	(void)state;
	CASE(-ENOEXEC, "it is an object file, neither a program nor a shared library",
	     SET_HEADER(&image, e_type, ET_REL));
	CASE(-ENOEXEC, "it is a core dump, neither a program nor a shared library",
	     SET_HEADER(&image, e_type, ET_CORE));
	CASE(-ENOEXEC, "it is an ELF file of unknown type, neither a program nor a shared library",
	     SET_HEADER(&image, e_type, 77));
	CASE(-EBADMSG, header, image.bytes.data[EI_CLASS] = 3);
	CASE(-EBADMSG, header, image.bytes.data[EI_DATA] = 0);
	CASE(-EBADMSG, header, image.bytes.data[EI_VERSION] = 2);
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shoff, image.bytes.len));
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shoff, UINT64_MAX));
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shoff, UINT64_MAX - 63));
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shnum, SECTION_CNT + 1));
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shnum, 0);
	     SET_HEADER(&image, e_shoff, image.bytes.len - 8));
	CASE(-EBADMSG, outside, SET_HEADER(&image, e_shnum, 0); SET_SECTION(&image, 0, sh_size, 65536));
	CASE(-EFBIG, "it claims to have 65537 sections; at most 65536 are read",
	     SET_HEADER(&image, e_shnum, 0);
	     SET_SECTION(&image, 0, sh_size, 65537));
	CASE(-EFBIG, "it claims to have 9223372036854775808 sections; at most 65536 are read",
	     SET_HEADER(&image, e_shnum, 0);
	     SET_SECTION(&image, 0, sh_size, (uint64_t)1 << 63));
	CASE(-EBADMSG, no_sections, SET_HEADER(&image, e_shentsize, 0));
	CASE(-EBADMSG, no_sections, SET_HEADER(&image, e_shentsize, 65535));
	CASE(-EBADMSG, no_sections, SET_HEADER(&image, e_shoff, 0));
	CASE(-EBADMSG, segments_outside, SET_HEADER(&image, e_phoff, UINT64_MAX));
	CASE(-EBADMSG, segments_outside, SET_HEADER(&image, e_phoff, image.bytes.len - 1));
	CASE(-EBADMSG, no_segments, SET_HEADER(&image, e_phentsize, 1));
	CASE(-EBADMSG, no_segments, SET_HEADER(&image, e_phoff, 0));
	CASE(-EFBIG, "it claims to have 65534 segments; at most 4096 are read",
	     SET_HEADER(&image, e_phnum, 65534));
	CASE(-EFBIG, "it claims to have 4294967295 segments; at most 4096 are read",
	     SET_HEADER(&image, e_phnum, PN_XNUM);
	     SET_SECTION(&image, 0, sh_info, UINT32_MAX));
	CASE(-EBADMSG, "its sections have no names", SET_HEADER(&image, e_shstrndx, 0));
	CASE(-EBADMSG, "its sections have no names", SET_HEADER(&image, e_shstrndx, SECTION_CNT));
	CASE(-EBADMSG, "its sections have no names", SET_HEADER(&image, e_shstrndx, SHN_XINDEX);
	     SET_SECTION(&image, 0, sh_link, UINT32_MAX));
	CASE(-EBADMSG, "the table of section names has no content; is this a file of debug information?",
	     SET_SECTION(&image, SECTION_NAMES, sh_type, SHT_NOBITS));
	CASE(-EBADMSG, "the table of section names lies outside the file; it may be truncated",
	     SET_SECTION(&image, SECTION_NAMES, sh_size, (uint64_t)1 << 63));
	CASE(-EBADMSG, "the name of section 1 lies outside the table of names",
	     SET_SECTION(&image, SECTION_TEXT, sh_name, UINT32_MAX));
	CASE(-EBADMSG, "the name of section 1 lies outside the table of names",
	     SET_SECTION(&image, SECTION_NAMES, sh_size, 0));
	CASE(-EBADMSG, "the name of section 1 lies outside the table of names",
	     SET_SECTION(&image, SECTION_TEXT, sh_name, 128));
	CASE(-EBADMSG, "its section table is blank; it may be an incomplete copy",
	     memset(image.bytes.data + image.sections_at, 0, SECTION_CNT * SZ(&image, Shdr)));
	CASE(-ENOEXEC,
	     "it has only the debug information of a program, not its code; give the program itself",
	     SET_SECTION(&image, SECTION_TEXT, sh_flags, SHF_ALLOC | SHF_EXECINSTR);
	     SET_SECTION(&image, SECTION_TEXT, sh_type, SHT_NOBITS));
	CASE(-EBADMSG,
	     "the code at tracepoint 'net:inbound_message' is missing, there are only zeros; it may be an incomplete copy",
	     memset(image.bytes.data + TEXT_AT, 0, BASE_AT + BASE_SZ - TEXT_AT));
	CASE(-EBADMSG, ".note.stapsdt has no content; is this a file of debug information?",
	     SET_SECTION(&image, SECTION_NOTE, sh_type, SHT_NOBITS));
	CASE(-EBADMSG, ".note.stapsdt is compressed",
	     SET_SECTION(&image, SECTION_NOTE, sh_flags, SHF_COMPRESSED));
	CASE(-EBADMSG, ".note.stapsdt lies outside the file; it may be truncated",
	     SET_SECTION(&image, SECTION_NOTE, sh_size, (uint64_t)1 << 63));
	CASE(-EBADMSG, ".note.stapsdt lies outside the file; it may be truncated",
	     SET_SECTION(&image, SECTION_NOTE, sh_size, image.bytes.len));
	CASE(-EBADMSG, ".note.stapsdt lies outside the file; it may be truncated",
	     SET_SECTION(&image, SECTION_NOTE, sh_offset, (uint64_t)1 << 63));
	CASE(-EBADMSG, ".note.stapsdt lies outside the file; it may be truncated",
	     SET_SECTION(&image, SECTION_NOTE, sh_offset, UINT64_MAX));

	/* Numbers that only libelf checks, with libelf's text. */
	struct image image;
	struct notes *notes;
	struct diag diag;
	build_good(&image, NULL);
	SET_SECTION(&image, SECTION_NOTE, sh_type, SHT_SYMTAB);
	SET_SECTION(&image, SECTION_NOTE, sh_size, 25);
	assert_int_equal(read_bytes(&notes, image.bytes.data, image.bytes.len, &diag), -EBADMSG);
	assert_int_equal(strncmp(diag.text, ".note.stapsdt: ", 15), 0);
	end(&image);
}

/* Section links to themselves or in a circle: symbols are not found, and the operand reports that. */
static void
links_in_circles(void **state)
{
	static const struct symbol_spec symbol = {"sym", PROBES_ADDRESS, STT_OBJECT, SECTION_PROBES, false};
	static const unsigned links[] = {SECTION_SYMTAB, SECTION_DYNSYM, SECTION_NOTE, SECTION_NULL,
					 SECTION_CNT,    UINT32_MAX,     SECTION_TEXT, SECTION_STRTAB};

	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		struct image image;

		begin(&image, &(struct spec){.symbols = &symbol, .symbols_cnt = 1});
		add_note(&image, "a", "b", "8@sym(%rip)");
		build(&image);
		SET_SECTION(&image, SECTION_SYMTAB, sh_link, links[i]);
		SET_SECTION(&image, SECTION_DYNSYM, sh_link, SECTION_SYMTAB);
		SET_SECTION(&image, SECTION_NOTE, sh_link, SECTION_NOTE);
		SET_SECTION(&image, SECTION_NAMES, sh_link, SECTION_NAMES);
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 1);
		assert_int_equal(notes_site(notes, 0)->args[0].kind == OPERAND_MEMORY,
				 links[i] == SECTION_STRTAB);
		notes_free(notes);
		end(&image);
	}
}

/* Numbers that are too large for the ELF header are in the first section header. */
static void
extended_numbers(void **state)
{
	struct image image;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		build_good(&image, &(struct spec){.is_32bit = i & 1, .is_big_endian = i & 2});
		SET_HEADER(&image, e_shnum, 0);
		SET_SECTION(&image, 0, sh_size, SECTION_CNT);
		SET_HEADER(&image, e_shstrndx, SHN_XINDEX);
		SET_SECTION(&image, 0, sh_link, SECTION_NAMES);
		SET_HEADER(&image, e_phnum, PN_XNUM);
		SET_SECTION(&image, 0, sh_info, SEGMENT_CNT);
		struct notes *notes = read_image(&image);
		assert_int_equal(notes_cnt(notes), 2);
		assert_int_equal(notes_problems_cnt(notes), 0);
		notes_free(notes);
		end(&image);
	}
}

static void
files_cut_anywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct spec spec = {.is_32bit = i & 1, .is_big_endian = i & 2, .sections_early = i & 4};
		struct image image;
		struct diag diag;

		build_good(&image, &spec);
		for (size_t len = 0; len < image.bytes.len; len++) {
			struct notes *notes;
			int err = read_bytes(&notes, image.bytes.data, len, &diag);

			if (len < SELFMAG)
				assert_int_equal(err, -ENOEXEC);
			else if (!spec.sections_early || len < image.note_at + image.notes.len)
				assert_int_equal(err, -EBADMSG);
			notes_free(notes);
		}
		end(&image);
	}
}

static void
any_byte_changed(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff, ' ', '@', '%'};
	size_t refused = 0, accepted = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct spec spec = {
			.is_32bit = i == 1 || i == 2, .is_big_endian = i >= 2, .sections_early = true};
		struct image image;

		if (i == 1)
			spec.machine = EM_386;
		build_good(&image, &spec);
		for (size_t at = 0; at < image.bytes.len; at++) {
			uint8_t was = image.bytes.data[at];

			/* The code and the gaps do not matter. */
			if (at >= TEXT_AT && at < CONTENT_AT)
				continue;
			for (size_t k = 0; k < COUNT(values); k++) {
				struct notes *notes;
				struct diag diag;

				image.bytes.data[at] = values[k];
				int err = read_bytes(&notes, image.bytes.data, image.bytes.len, &diag);
				refused += err != 0;
				accepted += err == 0;
				notes_free(notes);
			}
			image.bytes.data[at] = was;
		}
		end(&image);
	}
	assert_true(refused > 500 && accepted > 5000);
}

static void
symbols_of_the_file(void **state)
{
	static const struct symbol_spec symbols[] = {
		{"plain", 0x42490, STT_OBJECT, SECTION_PROBES, false},
		{"plain", 0x99999, STT_FILE, SHN_ABS, false},
		{"plain", 0x99998, STT_SECTION, SECTION_PROBES, false},
		{"plain.1", 0x99997, STT_OBJECT, SECTION_PROBES, false},
		{"stdout@GLIBC_2.2.5", 0x42494, STT_OBJECT, SECTION_PROBES, false},
		{"twice", 0x42480, STT_OBJECT, SECTION_PROBES, false},
		{"twice", 0x42488, STT_OBJECT, SECTION_PROBES, false},
		{"alias", 0x42480, STT_OBJECT, SECTION_PROBES, false},
		{"alias", 0x42480, STT_NOTYPE, SECTION_PROBES, false},
		{"elsewhere", 0, STT_OBJECT, SHN_UNDEF, false},
		{"local", 0x10, STT_TLS, SECTION_PROBES, false},
		{"local2", 0x10, STT_TLS, SECTION_PROBES, false},
		{"local2", 0x42484, STT_OBJECT, SECTION_PROBES, false},
		{"absolute", 0x1234, STT_NOTYPE, SHN_ABS, false},
		{"dynamic", 0x42498, STT_OBJECT, SECTION_PROBES, true},
		{"plain", 0x99996, STT_OBJECT, SECTION_PROBES, true},
	};
	static const struct {
		const char *arg;
		uint64_t want; /* 0: unreadable */
		const char *reason;
	} rows[] = {
		{"8@plain(%rip)", 0x42490, ""},
		{"8@plain+4(%rip)", 0x42494, ""},
		{"8@stdout(%rip)", 0x42494, ""},
		{"8@alias(%rip)", 0x42480, ""},
		{"8@local2(%rip)", 0x42484, ""},
		{"8@dynamic(%rip)", 0x42498, ""},
		{"8@twice(%rip)", 0, "the file has several symbols named twice"},
		{"8@elsewhere(%rip)", 0, "the file gives no address for the symbol elsewhere"},
		{"8@local(%rip)", 0, "the file gives no address for the symbol local"},
		{"8@plai(%rip)", 0, "no symbol table of the file has the symbol plai"},
		{"8@plain.(%rip)", 0, "no symbol table of the file has the symbol plain."},
	};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct spec spec = {
			.is_32bit = i & 1, .type = i & 2 ? ET_EXEC : ET_DYN, .is_big_endian = i & 4};
		struct image image;
		char args[2][256] = {"", ""};

		spec.symbols = symbols;
		spec.symbols_cnt = COUNT(symbols);
		begin(&image, &spec);
		for (size_t k = 0; k < COUNT(rows); k++) {
			size_t len = strlen(args[k / 8]);
			snprintf(args[k / 8] + len, sizeof(args[0]) - len, "%s ", rows[k].arg);
		}
		add_note(&image, "net", "first", args[0]);
		add_note(&image, "net", "second", args[1]);
		add_note(&image, "net", "absolute", "4@absolute");
		build(&image);
		struct notes *notes = read_image(&image);
		for (size_t k = 0; k < COUNT(rows); k++) {
			const struct site *site = notes_site(notes, k / 8);
			const struct operand *operand = &site->args[k % 8];

			assert_string_equal(operand->text, rows[k].arg);
			assert_string_equal(operand->reason, rows[k].reason);
			if (!rows[k].want)
				continue;
			assert_int_equal(operand->kind, OPERAND_MEMORY);
			assert_int_equal(operand->base, REGISTER_IP);
			assert_int_equal(site->address + (uint64_t)operand->displacement, rows[k].want);
		}
		/* An absolute symbol does not move with the program. */
		const struct operand *absolute = &notes_site(notes, 2)->args[0];
		if (spec.type == ET_EXEC)
			assert_int_equal(LOCATION + (uint64_t)absolute->displacement, 0x1234);
		else
			assert_string_equal(absolute->reason,
					    "the file gives no address for the symbol absolute");
		notes_free(notes);
		end(&image);
	}
}

/* Names of any length are parsed, but not looked up. */
static void
long_symbols(void **state)
{
	(void)state;
	for (size_t len = 1024; len <= 1025; len++) {
		char arg[1100];
		struct symbol_spec symbol = {arg + 2, 0x42490, STT_OBJECT, SECTION_PROBES, false};
		struct image image;

		memset(arg, 'x', sizeof(arg));
		memcpy(arg, "8@", 2);
		arg[2 + len] = '\0';
		begin(&image, &(struct spec){.symbols = &symbol, .symbols_cnt = 1});
		add_note(&image, "net", "message", arg);
		build(&image);
		struct notes *notes = read_image(&image);
		const struct operand *operand = &notes_site(notes, 0)->args[0];
		if (len == 1024)
			assert_int_equal(LOCATION + (uint64_t)operand->displacement, 0x42490);
		else
			assert_non_null(strstr(operand->reason, "could not be searched"));
		notes_free(notes);
		end(&image);
	}
}

static void
assert_symbol_reason(const struct image *image, const char *want)
{
	struct notes *notes = read_image(image);

	assert_int_equal(notes_cnt(notes), 1);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_string_equal(notes_site(notes, 0)->args[0].reason, want);
	notes_free(notes);
}

static void
symbol_tables_that_lie(void **state)
{
	static const struct symbol_spec symbols[] = {
		{"plain", 0x42490, STT_OBJECT, SECTION_PROBES, false},
	};
	static const char missing[] = "no symbol table of the file has the symbol plain";
	static const char no_table[] = "the file's symbol tables could not be searched for plain";

#define CASE_SYMBOL(why, ...)                                                                                \
	do {                                                                                                 \
		struct image image;                                                                          \
		begin(&image, &(struct spec){.symbols = symbols, .symbols_cnt = COUNT(symbols)});            \
		add_note(&image, "net", "message", "8@plain(%rip)");                                         \
		build(&image);                                                                               \
		__VA_ARGS__;                                                                                 \
		assert_symbol_reason(&image, why);                                                           \
		end(&image);                                                                                 \
	} while (0)
	(void)state;
	CASE_SYMBOL("", (void)0);
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_name, 0));
	/* Links to itself, in a ring, to a section that is no string table, to nothing. .dynsym is still
	 * there. */
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_link, SECTION_SYMTAB));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_link, SECTION_DYNSYM);
		    SET_SECTION(&image, SECTION_DYNSYM, sh_link, SECTION_STRTAB));
	CASE_SYMBOL(no_table, SET_SECTION(&image, SECTION_SYMTAB, sh_link, SECTION_DYNSYM);
		    SET_SECTION(&image, SECTION_DYNSYM, sh_link, SECTION_SYMTAB));
	CASE_SYMBOL("", SET_SECTION(&image, SECTION_STRTAB, sh_link, SECTION_SYMTAB));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_link, UINT32_MAX));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_link, 0));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_link, SECTION_NAMES));
	CASE_SYMBOL(no_table, SET_SECTION(&image, SECTION_STRTAB, sh_type, SHT_NOBITS));
	CASE_SYMBOL(no_table, SET_SECTION(&image, SECTION_STRTAB, sh_type, SHT_PROGBITS));
	CASE_SYMBOL(no_table, SET_SECTION(&image, SECTION_STRTAB, sh_size, (uint64_t)1 << 63));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_STRTAB, sh_size, 1));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_STRTAB, sh_size, 6)); /* without plain's NUL */
	CASE_SYMBOL("", SET_SECTION(&image, SECTION_STRTAB, sh_size, 7));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_size, (uint64_t)1 << 63));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_size, 25));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_size, 0));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_entsize, 1));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_entsize, 0));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_type, SHT_NOTE));
	CASE_SYMBOL(missing, SET_SECTION(&image, SECTION_SYMTAB, sh_flags, SHF_COMPRESSED));
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Bytes that this process has read; 0 if the kernel does not count them. */
static uint64_t
bytes_read(void)
{
	unsigned long long v = 0;
	FILE *f = fopen("/proc/self/io", "re");

	if (!f)
		return 0;
	if (fscanf(f, "rchar: %llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

static uint64_t
peak_memory_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (uint64_t)usage.ru_maxrss;
}

/* Opens a large image, and checks that the cost does not depend on what the file claims. */
static int
open_huge(int fd, struct notes **notes, struct diag *diag)
{
	uint64_t ms = now_ms(), read = bytes_read(), kib = peak_memory_kib();
	int err = notes_open_fd(notes, fd, "huge", diag);

	assert_true(bytes_read() - read < 1 << 20);
	assert_true(peak_memory_kib() - kib < 32 << 10);
	assert_true(now_ms() - ms < UINT64_C(5000) * test_slowness());
	return err;
}

static const uint64_t huge = (uint64_t)20 << 30;

static void
huge_sparse_files(void **state)
{
	struct image image;
	struct notes *notes;
	struct diag diag;
	int fd;

	(void)state;
	/* Large, but valid. */
	build_good(&image, NULL);
	fd = file_of(image.bytes.data, image.bytes.len);
	assert_int_equal(ftruncate(fd, (off_t)huge), 0);
	assert_int_equal(open_huge(fd, &notes, &diag), 0);
	assert_int_equal(notes_cnt(notes), 2);
	notes_free(notes);
	close(fd);

	/* The notes after 15 GiB. */
	fd = file_of(image.bytes.data, image.bytes.len);
	assert_int_equal(ftruncate(fd, (off_t)huge), 0);
	SET_SECTION(&image, SECTION_NOTE, sh_offset, (uint64_t)15 << 30);
	assert_int_equal(pwrite(fd, image.bytes.data, image.bytes.len, 0), (ssize_t)image.bytes.len);
	assert_int_equal(pwrite(fd, image.notes.data, image.notes.len, (off_t)15 << 30),
			 (ssize_t)image.notes.len);
	assert_int_equal(open_huge(fd, &notes, &diag), 0);
	assert_int_equal(notes_cnt(notes), 2);
	assert_int_equal(notes_problems_cnt(notes), 0);
	notes_free(notes);
	close(fd);
	end(&image);

	/* Sections that claim most of the file. */
	static const struct {
		enum section_idx idx;
		const char *want;
	} rows[] = {
		{SECTION_NOTE,
		 "notes: failed to read 'huge': .note.stapsdt claims to have 20401094656 bytes; at most 8388608 are read"},
		{SECTION_NAMES,
		 "notes: failed to read 'huge': the table of section names claims to have 20401094656 bytes; at most 4194304 are read"},
		{SECTION_TEXT, NULL},
		{SECTION_BASE, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		build_good(&image, NULL);
		SET_SECTION(&image, rows[i].idx, sh_size, (uint64_t)19 << 30);
		fd = file_of(image.bytes.data, image.bytes.len);
		assert_int_equal(ftruncate(fd, (off_t)huge), 0);
		int err = open_huge(fd, &notes, &diag);
		if (rows[i].want) {
			assert_int_equal(err, -EFBIG);
			assert_string_equal(diag.text, rows[i].want);
		} else {
			assert_int_equal(err, 0);
			assert_int_equal(notes_cnt(notes), 2);
		}
		notes_free(notes);
		close(fd);
		end(&image);
	}

	/* As many section headers as libelf would believe in a file of this size: 60 GB of its memory. */
	build_good(&image, NULL);
	SET_HEADER(&image, e_shnum, 0);
	SET_SECTION(&image, 0, sh_size, huge / 64 - 4096);
	fd = file_of(image.bytes.data, image.bytes.len);
	assert_int_equal(ftruncate(fd, (off_t)huge), 0);
	assert_int_equal(open_huge(fd, &notes, &diag), -EFBIG);
	assert_string_equal(
		diag.text,
		"notes: failed to read 'huge': it claims to have 335540224 sections; at most 65536 are read");
	close(fd);
	end(&image);
}

static void
huge_symbol_tables(void **state)
{
	static const struct symbol_spec symbols[] = {
		{"plain", 0x42490, STT_OBJECT, SECTION_PROBES, false},
	};
	static const enum section_idx idx[] = {SECTION_SYMTAB, SECTION_STRTAB};
	struct spec spec = {.symbols = symbols, .symbols_cnt = COUNT(symbols)};
	struct image image;
	struct notes *notes;
	struct diag diag;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(idx); i++) {
		begin(&image, &spec);
		add_note(&image, "net", "message", "8@plain(%rip)");
		build(&image);
		SET_SECTION(&image, idx[i], sh_size, (uint64_t)24 << 29);
		fd = file_of(image.bytes.data, image.bytes.len);
		assert_int_equal(ftruncate(fd, (off_t)huge), 0);
		assert_int_equal(open_huge(fd, &notes, &diag), 0);
		assert_string_equal(notes_site(notes, 0)->args[0].reason,
				    i == 0 ? "no symbol table of the file has the symbol plain"
					   : "the file's symbol tables could not be searched for plain");
		notes_free(notes);
		close(fd);
		end(&image);
	}

	/* A table of the greatest size that is read, which a hostile file has searched for many names: the
	 * first look-ups are made, the others are given up. */
	uint64_t cnt = (uint64_t)60 << 20, lookups = 0;
	begin(&image, &spec);
	for (unsigned i = 0; i < 64; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%u", i);
		add_note(&image, "net", name, "8@plain(%rip)");
	}
	build(&image);
	SET_SECTION(&image, SECTION_SYMTAB, sh_size, cnt / 24 * 24);
	fd = file_of(image.bytes.data, image.bytes.len);
	assert_int_equal(ftruncate(fd, (off_t)huge), 0);
	uint64_t ms = now_ms();
	assert_int_equal(notes_open_fd(&notes, fd, "huge", &diag), 0);
	assert_int_equal(notes_cnt(notes), 64);
	for (size_t i = 0; i < 64; i++) {
		const struct operand *operand = &notes_site(notes, i)->args[0];

		if (operand->kind == OPERAND_MEMORY) {
			assert_int_equal(lookups, i);
			lookups++;
		} else {
			assert_string_equal(operand->reason,
					    "the file's symbol tables could not be searched for plain");
		}
	}
	assert_in_range(lookups, 10, 40);
	assert_true(now_ms() - ms < UINT64_C(50000) * test_slowness());
	notes_free(notes);
	close(fd);
	end(&image);
}

static void
assert_open_fails(const char *path, int want, const char *want_text)
{
	struct notes *notes = (struct notes *)&want;
	struct diag diag = {{0}};

	alarm(20); /* for an open that blocks */
	assert_int_equal(notes_open(&notes, path, &diag), want);
	alarm(0);
	assert_null(notes);
	assert_string_equal(diag.text, want_text);
	assert_int_equal(notes_open(&notes, path, NULL), want);
}

static void
write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

static unsigned
open_files(void)
{
	unsigned cnt = 0;

	for (int fd = 0; fd < 1024; fd++)
		cnt += fcntl(fd, F_GETFD) >= 0;
	return cnt;
}

static void
things_that_are_no_elf_files(void **state)
{
#define PATH(name) TEST_BUILD_DIR "/notes_reader_" name
	unsigned open_before = open_files();
	struct notes *notes;
	struct image image;
	struct diag diag;
	char want[4400];

	(void)state;
	unlink(PATH("fifo"));
	assert_int_equal(mkfifo(PATH("fifo"), 0600), 0);
	write_file(PATH("empty"), "", 0);
	write_file(PATH("byte"), "\x7f", 1);
	write_file(PATH("text"), "only a text, and nothing to be read as a program", 48);
	write_file(PATH("script"), "#!/bin/sh\nexec bitcoind\n", 24);
	write_file(PATH("magic"), ELFMAG, SELFMAG);
	write_file(PATH("archive"), "!<arch>\n", 8);
	build_good(&image, NULL);
	write_file(PATH("elf"), image.bytes.data, image.bytes.len);
	end(&image);

	assert_open_fails(PATH("missing"), -ENOENT,
			  "notes: failed to open '" PATH("missing") "': No such file or directory");
	assert_open_fails(TEST_BUILD_DIR, -EISDIR,
			  "notes: failed to read '" TEST_BUILD_DIR "': it is a directory");
	assert_open_fails(PATH("fifo"), -EINVAL,
			  "notes: failed to read '" PATH("fifo") "': it is a FIFO, not a regular file");
	assert_open_fails(
		"/dev/null", -EINVAL,
		"notes: failed to read '/dev/null': it is a device or a socket, not a regular file");
	assert_open_fails(PATH("empty"), -ENOEXEC, "notes: failed to read '" PATH("empty") "': it is empty");
	assert_open_fails(PATH("byte"), -ENOEXEC,
			  "notes: failed to read '" PATH("byte") "': it is not an ELF file");
	assert_open_fails(PATH("text"), -ENOEXEC,
			  "notes: failed to read '" PATH("text") "': it is not an ELF file");
	assert_open_fails(PATH("archive"), -ENOEXEC,
			  "notes: failed to read '" PATH("archive") "': it is not an ELF file");
	assert_open_fails(
		PATH("script"), -ENOEXEC,
		"notes: failed to read '" PATH(
			"script") "': it is a script, not an ELF file; give the program that it runs (its line: exec bitcoind)");
	assert_open_fails(PATH("magic"), -EBADMSG,
			  "notes: failed to read '" PATH("magic") "': the file ends within the ELF header");
	assert_open_fails(PATH("elf") "/x", -ENOTDIR,
			  "notes: failed to open '" PATH("elf") "/x': Not a directory");

	/* Not readable: a descriptor without permission, and a file without it. */
	int fd = open(PATH("elf"), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(notes_open_fd(&notes, fd, "written", &diag), -EBADF);
	assert_string_equal(diag.text, "notes: failed to read 'written': Bad file descriptor");
	close(fd);
	assert_int_equal(notes_open_fd(&notes, -1, "closed", &diag), -EBADF);
	assert_null(notes);
	assert_string_equal(diag.text, "notes: failed to read 'closed': Bad file descriptor");
	assert_int_equal(chmod(PATH("elf"), 0), 0);
	uid_t uid = geteuid();
	assert_int_equal(uid == 0 ? seteuid(65534) : 0, 0);
	int err = notes_open(&notes, PATH("elf"), &diag);
	assert_int_equal(uid == 0 ? seteuid(uid) : 0, 0);
	assert_int_equal(err, -EACCES);
	snprintf(
		want, sizeof(want),
		"notes: failed to open '%s': Permission denied; user %u must be able to read it (chmod a+r) and to pass every directory above it (chmod a+x)",
		PATH("elf"), uid ? (unsigned)uid : 65534);
	assert_string_equal(diag.text, want);

	assert_int_equal(chmod(PATH("elf"), 0644), 0);
	assert_int_equal(notes_open(&notes, PATH("elf"), &diag), 0);
	assert_int_equal(notes_cnt(notes), 2);
	notes_free(notes);
	assert_int_equal(open_files(), open_before);
	static const char *const made[] = {PATH("fifo"),   PATH("empty"), PATH("byte"),    PATH("text"),
					   PATH("script"), PATH("magic"), PATH("archive"), PATH("elf")};
	for (size_t i = 0; i < COUNT(made); i++)
		assert_int_equal(unlink(made[i]), 0);
}

/* The tracepoints of this program. */
unsigned short tpcheck_notes_args_semaphore __attribute__((section(".probes")));
unsigned short tpcheck_notes_literal_semaphore __attribute__((section(".probes")));
uint16_t tpcheck_notes_value = 4711;

__attribute__((noinline)) static void
hit_args(int64_t first, uint32_t second, const char *third)
{
	STAP_PROBE5(tpcheck_notes, args, first, second, third, (uint8_t)255, -3);
}

#if defined(__x86_64__)
__attribute__((noinline)) static void
hit_literal(void)
{
	/* clang-format off */
	__asm__ volatile(STAP_PROBE_ASM(tpcheck_notes, literal,
		8@%r12 4@8(%rsp) 2@tpcheck_notes_value+0(%rip) 1@%ah 8@%xmm3));
	/* clang-format on */
}
#endif

static int
main_program_bias(struct dl_phdr_info *info, size_t sz, void *bias)
{
	(void)sz;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

static const struct site *
own_site(const struct notes *notes, int fd, const char *name, const unsigned short *semaphore)
{
	const struct site *site = notes_find(notes, "tpcheck_notes", name, 0);
	unsigned short counter = 1;
	uint64_t bias = 0;
	uint8_t byte = 0;

	assert_non_null(site);
	assert_null(notes_find(notes, "tpcheck_notes", name, 1));
	assert_int_equal(pread(fd, &byte, 1, (off_t)site->file_offset), 1);
	assert_int_equal(pread(fd, &counter, 2, (off_t)site->semaphore_file_offset), 2);
	assert_int_equal(counter, 0);
	dl_iterate_phdr(main_program_bias, &bias);
	assert_int_equal(bias + site->semaphore_address, (uintptr_t)semaphore);
#if defined(__x86_64__)
	assert_int_equal(byte, 0x90);
	assert_int_equal(*(const uint8_t *)(uintptr_t)(bias + site->address), 0x90);
#endif
	return site;
}

static void
tracepoints_of_this_program(void **state)
{
	struct notes *notes;
	struct diag diag;

	(void)state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (notes_open(&notes, "/proc/self/exe", &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(notes_problems_cnt(notes), 0);
	assert_true(notes_is_native(notes));

	const struct site *site = own_site(notes, fd, "args", &tpcheck_notes_args_semaphore);
	static const int widths[] = {-8, 4, 8, 1, -4};
	assert_int_equal(site->args_cnt, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(site->args[i].is_signed ? -site->args[i].width_bytes
							 : site->args[i].width_bytes,
				 widths[i]);
#if defined(__x86_64__)
	for (unsigned i = 0; i < 3; i++)
		assert_true(site->args[i].kind == OPERAND_REGISTER || site->args[i].kind == OPERAND_MEMORY);
	assert_int_equal(site->args[3].kind, OPERAND_CONSTANT);
	assert_int_equal(site->args[3].constant, 255);
	assert_int_equal(site->args[4].kind, OPERAND_CONSTANT);
	assert_int_equal(site->args[4].constant, -3);

	site = own_site(notes, fd, "literal", &tpcheck_notes_literal_semaphore);
	assert_int_equal(site->args_cnt, 5);
	assert_int_equal(site->args[0].kind, OPERAND_REGISTER);
	assert_int_equal(site->args[0].base, REGISTER_R12);
	assert_int_equal(site->args[1].kind, OPERAND_MEMORY);
	assert_int_equal(site->args[1].base, REGISTER_SP);
	assert_int_equal(site->args[1].displacement, 8);
	assert_int_equal(site->args[2].kind, OPERAND_MEMORY);
	assert_int_equal(site->args[2].base, REGISTER_IP);
	uint64_t bias = 0;
	dl_iterate_phdr(main_program_bias, &bias);
	assert_int_equal(bias + site->address + (uint64_t)site->args[2].displacement,
			 (uintptr_t)&tpcheck_notes_value);
	assert_int_equal(site->args[3].base, REGISTER_AX);
	assert_int_equal(site->args[3].shift_bits, 8);
	assert_int_equal(site->args[4].kind, OPERAND_UNREADABLE);
#endif
	notes_free(notes);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(huge_sparse_files), /* first, because it checks the peak of memory */
		cmocka_unit_test(both_classes_and_byte_orders),
		cmocka_unit_test(low_bits_in_the_code),
		cmocka_unit_test(several_places_of_one_tracepoint),
		cmocka_unit_test(where_perf_looks),
		cmocka_unit_test(addresses_move_with_the_base),
		cmocka_unit_test(places_that_the_file_does_not_back),
		cmocka_unit_test(places_without_a_nop),
		cmocka_unit_test(semaphores_outside_their_section),
		cmocka_unit_test(scanning_what_is_loaded),
		cmocka_unit_test(segments_that_lie),
		cmocka_unit_test(notes_that_cannot_be_used),
		cmocka_unit_test(names_and_arguments_up_to_the_bounds),
		cmocka_unit_test(notes_of_others_are_passed_over),
		cmocka_unit_test(broken_chain_of_notes),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(many_problems_and_many_notes),
		cmocka_unit_test(files_without_notes),
		cmocka_unit_test(several_note_sections),
		cmocka_unit_test(headers_that_lie),
		cmocka_unit_test(links_in_circles),
		cmocka_unit_test(extended_numbers),
		cmocka_unit_test(files_cut_anywhere),
		cmocka_unit_test(any_byte_changed),
		cmocka_unit_test(symbols_of_the_file),
		cmocka_unit_test(long_symbols),
		cmocka_unit_test(symbol_tables_that_lie),
		cmocka_unit_test(huge_symbol_tables),
		cmocka_unit_test(things_that_are_no_elf_files),
		cmocka_unit_test(tracepoints_of_this_program),
	};

	/* From where the compiler cannot see them; otherwise the notes would have constants. */
	volatile int64_t first = -5;
	volatile uint32_t second = 7;
	const char *volatile third = "x";

	hit_args(first, second, third);
#if defined(__x86_64__)
	hit_literal();
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}

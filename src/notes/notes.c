/* How tracepoints are found in a file.
 *
 * <sys/sdt.h> compiles a tracepoint to a nop and a note. The linker gathers the notes of all objects in the section
 * .note.stapsdt, which is not loaded into memory, one after the other:
 *
 *   4 bytes   size of the owner, 8
 *   4 bytes   size of the description
 *   4 bytes   type, 3
 *   "stapsdt\0", padded to a multiple of 4
 *   description, padded to a multiple of 4:
 *     address of the nop
 *     address of the one byte in the section .stapsdt.base, at link time
 *     address of the semaphore, or 0
 *     provider\0 name\0 arguments\0
 *
 * An address has 4 or 8 bytes, depending on the ELF class; numbers are in the file's byte order. One tracepoint of the
 * source can have several notes (inlining, templates), each with its own operands. For example
 *
 *     net:misbehaving_connection, 0x18bf07, base 0xbb14c4, semaphore 0xcfbc92, "-8@(%rbx) 8@(%rax)"
 *
 * Because the section is not loaded, tools that move a linked file to other addresses (prelink) do not know that it
 * contains addresses. .stapsdt.base is loaded, and moves. All addresses in the note are therefore corrected by the
 * difference between that section's address and the one in the note. A base of 0 means no correction.
 *
 * The kernel takes offsets in the file, not addresses. A segment (PT_LOAD) maps one to the other, both in programs at
 * fixed addresses (ET_EXEC) and in those that are loaded anywhere (ET_DYN). With a wrong offset the kernel would put a
 * breakpoint into the middle of an instruction, or increment other data. Therefore the nop must be in exactly one
 * segment, which is executable, and the semaphore, two bytes at an even offset as the kernel requires, in exactly one,
 * which is writable; both inside the file. Otherwise the offset is 0.
 *
 * Nothing in the section is trusted: each size is compared with what is left, each string must end inside its
 * description, and texts may contain any bytes. Notes of other owners are skipped. An operand itself has to be trusted,
 * because there is nothing to compare it with. */
#include "notes/notes.h"

#include "base/machine.h"
#include "base/xmem.h"
#include "notes/image.h"
#include "notes/low_bits.h"
#include "notes/operand.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SECTION_MAX_BYTES = 8 << 20, /* all sections of that name together */
	SITES_MAX = 16384,
	PROBLEMS_MAX = 64,
	NOTE_TYPE = 3,
	HOLE_BYTES = 64,
};

static const char section_name[] = ".note.stapsdt";
static const char base_section_name[] = ".stapsdt.base";
static const char semaphores_section_name[] = ".probes";
static const char owner[] = "stapsdt";

struct problem {
	char *text;
	bool has_site;
	size_t site_idx;
};

struct notes {
	struct site *sites;
	size_t cnt, cap;
	struct problem *problems;
	size_t problems_cnt;
	char machine[32];
	unsigned address_bytes;
	bool is_native, is_big_endian, is_position_independent, has_bcc;
	bool has_sections,
		has_base; /* has_base: .stapsdt.base, which every file with tracepoints is linked with */
	struct image_part *parts;
	size_t parts_cnt;
};

/* What stays the same while the notes of one file are read. */
struct reader {
	struct notes *notes;
	struct image *image;
	const char *label;
	enum machine machine;
	uint64_t base_address;           /* of .stapsdt.base; 0: none */
	uint64_t base_file_offset;       /* likewise */
	struct image_section semaphores; /* .probes; its size is 0 if there is none */
};

/* The parsed description of a note. The strings are lent. */
struct description {
	uint64_t address, base, semaphore;
	uint64_t perf_offset;
	const char *provider, *name, *args;
};

static const struct {
	unsigned number;
	enum machine machine;
	const char *name;
} machines[] = {
	{EM_X86_64, MACHINE_X86_64, "x86-64"},
	{EM_386, MACHINE_I386, "i386"},
	{EM_AARCH64, MACHINE_AARCH64, "aarch64"},
	{EM_ARM, MACHINE_ARM, "arm"},
	{EM_RISCV, MACHINE_RISCV, "riscv"},
	{EM_PPC64, MACHINE_PPC, "ppc64"},
	{EM_PPC, MACHINE_PPC, "ppc"},
	{EM_S390, MACHINE_S390, "s390"},
	{EM_MIPS, MACHINE_OTHER, "mips"},
	{EM_SPARCV9, MACHINE_OTHER, "sparc64"},
	{258 /* EM_LOONGARCH */, MACHINE_LOONGARCH, "loongarch"},
};

__attribute__((format(printf, 3, 4))) static void
add_problem(struct notes *notes, const struct site *site, const char *fmt, ...)
{
	va_list ap;

	if (notes->problems_cnt > PROBLEMS_MAX)
		return;
	notes->problems = xreallocarray(notes->problems, notes->problems_cnt + 1, sizeof(*notes->problems));
	struct problem *problem = &notes->problems[notes->problems_cnt++];
	if (notes->problems_cnt > PROBLEMS_MAX) {
		*problem = (struct problem){.text = xstrdup("notes: further problems are not listed")};
		return;
	}
	va_start(ap, fmt);
	*problem = (struct problem){
		.text = xvasprintf(fmt, ap),
		.has_site = site != NULL,
		.site_idx = site ? (size_t)(site - notes->sites) : 0,
	};
	va_end(ap);
}

/* What is wrong with a name, or NULL. */
static const char *
bad_name(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= sizeof(((struct site *)0)->name))
		return "is longer than 63 characters";
	for (; *name; name++)
		if (*name <= 0x20 || *name >= 0x7f)
			return "has characters that are not printable";
	return NULL;
}

/* Takes the string at *at, with its NUL; NULL if it is not terminated. */
static const char *
take_string(const uint8_t **at, const uint8_t *end)
{
	const char *s = (const char *)*at;
	const uint8_t *nul = memchr(*at, '\0', (size_t)(end - *at));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return s;
}

/* What is wrong with it, or NULL. */
static const char *
parse_description(const struct image *image, const uint8_t *bytes, size_t sz, struct description *out)
{
	unsigned address_sz = image_address_bytes(image);
	const uint8_t *at = bytes, *end = bytes + sz;

	if (sz < 3 * address_sz)
		return "it is too short for its addresses";
	out->address = image_number(image, at, address_sz);
	out->base = image_number(image, at + address_sz, address_sz);
	out->semaphore = image_number(image, at + 2 * address_sz, address_sz);
	at += 3 * address_sz;
	if (!(out->provider = take_string(&at, end)))
		return "its provider is not terminated";
	if (!(out->name = take_string(&at, end)))
		return "its name is not terminated";
	if (!(out->args = take_string(&at, end)))
		return "its arguments are not terminated";
	for (; at < end; at++)
		if (*at)
			return "something follows its arguments";
	return NULL;
}

static void
correct_addresses(const struct reader *reader, struct description *description)
{
	uint64_t mask = image_address_bytes(reader->image) == 4 ? UINT32_MAX : UINT64_MAX;

	/* perf moves each address by the distance from the base in the note to the section's offset in the file. */
	description->perf_offset = description->address;
	if (reader->base_file_offset)
		description->perf_offset += reader->base_file_offset - description->base;
	description->perf_offset &= mask;
	if (!reader->base_address || !description->base)
		return;
	uint64_t moved = reader->base_address - description->base;
	description->address = (description->address + moved) & mask;
	if (description->semaphore)
		description->semaphore = (description->semaphore + moved) & mask;
}

static struct site *
add_site(struct notes *notes)
{
	if (notes->cnt == notes->cap) {
		notes->cap = notes->cap ? 2 * notes->cap : 32;
		notes->sites = xreallocarray(notes->sites, notes->cap, sizeof(*notes->sites));
	}
	struct site *site = &notes->sites[notes->cnt++];
	*site = (struct site){0};
	return site;
}

/* What is wrong with the names of a note, or NULL; *which gets the one that is. */
static const char *
check_names(const struct description *description, const char **which)
{
	const char *why = bad_name(description->provider);

	*which = "provider";
	if (!why) {
		*which = "name";
		why = bad_name(description->name);
	}
	return why;
}

static size_t
count_operands(const char *args)
{
	const char *text;
	size_t cnt = 0, len;

	while (operand_split(&args, &text, &len))
		cnt++;
	return cnt;
}

static bool
read_instruction(void *cookie, uint64_t address, uint32_t *instruction)
{
	const struct image *image = cookie;
	uint64_t file_offset;
	uint8_t bytes[4];
	struct diag diag;

	if (image_file_offset(image, address, sizeof(bytes), IMAGE_EXECUTABLE, &file_offset, &diag) ||
	    image_read(image, file_offset, bytes, sizeof(bytes), NULL))
		return false;
	*instruction = (uint32_t)image_number(image, bytes, sizeof(bytes));
	return true;
}

static bool
find_low_bits(void *cookie, uint64_t site_address, enum machine_register base, uint64_t *low)
{
	return low_bits_find(read_instruction, cookie, site_address, base, low);
}

static void
fill_site(const struct reader *reader, const struct description *description, struct site *site)
{
	const char *rest = description->args, *text;
	size_t len;

	snprintf(site->provider, sizeof(site->provider), "%s", description->provider);
	snprintf(site->name, sizeof(site->name), "%s", description->name);
	site->address = description->address;
	site->perf_offset = description->perf_offset;
	site->has_no_base = !description->base;
	site->semaphore_address = description->semaphore;
	site->address_bytes = (unsigned char)reader->notes->address_bytes;
	struct operand_opts opts = {
		.site_address = site->address,
		.is_position_independent = image_is_position_independent(reader->image),
		.machine = reader->machine,
		.is_32bit = reader->notes->address_bytes == 4,
		.is_big_endian = reader->notes->is_big_endian,
		.find_symbol = image_find_symbol,
		.find_low_bits = find_low_bits,
		.cookie = reader->image,
	};
	while (operand_split(&rest, &text, &len))
		operand_parse(&site->args[site->args_cnt++], text, len, &opts);
}

/* The description of the note at that offset in the file. */
static int
read_note(const struct reader *reader, const uint8_t *bytes, size_t sz, uint64_t file_offset,
	  struct diag *diag)
{
	struct notes *notes = reader->notes;
	struct description description;
	const char *which, *why = parse_description(reader->image, bytes, sz, &description);

	if (why) {
		add_problem(notes, NULL, "notes: failed to read the note at 0x%" PRIx64 " of '%s': %s",
			    file_offset, reader->label, why);
		return 0;
	}
	why = check_names(&description, &which);
	if (why) {
		add_problem(notes, NULL, "notes: failed to read the note at 0x%" PRIx64 " of '%s': its %s %s",
			    file_offset, reader->label, which, why);
		return 0;
	}
	size_t args_cnt = count_operands(description.args);
	if (args_cnt > SITE_ARGS_MAX) {
		add_problem(
			notes, NULL,
			"notes: failed to read tracepoint '%s:%s' of '%s': it has %zu arguments, more than %d",
			description.provider, description.name, reader->label, args_cnt, SITE_ARGS_MAX);
		return 0;
	}
	if (notes->cnt == SITES_MAX)
		return diag_fail(diag, -EFBIG, "notes: failed to read '%s': it has more than %d tracepoints",
				 reader->label, SITES_MAX);
	correct_addresses(reader, &description);
	fill_site(reader, &description, add_site(notes));
	return 0;
}

/* Takes sz bytes, and the padding to a multiple of 4 as far as there is any; NULL if fewer are left. */
static const uint8_t *
take_padded(const uint8_t **at, const uint8_t *end, uint32_t sz)
{
	const uint8_t *start = *at;
	size_t left = (size_t)(end - start), padded = ((size_t)sz + 3) & ~(size_t)3;

	if (sz > left)
		return NULL;
	*at += padded < left ? padded : left;
	return start;
}

static int
read_section(const struct reader *reader, const struct image_section *section, uint64_t max_bytes,
	     struct diag *diag)
{
	const uint8_t *bytes;

	int err = image_section_bytes(reader->image, section, section_name, max_bytes, &bytes, diag);
	if (err)
		return err;
	const uint8_t *at = bytes, *end = bytes + section->sz;
	while (at < end) {
		uint64_t file_offset = section->file_offset + (uint64_t)(at - bytes);
		const uint8_t *header = take_padded(&at, end, 12), *name = NULL, *description = NULL;
		uint32_t name_sz = 0, description_sz = 0, type = 0;

		if (header) {
			name_sz = (uint32_t)image_number(reader->image, header, 4);
			description_sz = (uint32_t)image_number(reader->image, header + 4, 4);
			type = (uint32_t)image_number(reader->image, header + 8, 4);
			name = take_padded(&at, end, name_sz);
		}
		if (name)
			description = take_padded(&at, end, description_sz);
		if (!description)
			return diag_fail(diag, -EBADMSG,
					 "notes: failed to read '%s': the note at 0x%" PRIx64
					 " reaches beyond the end of %s",
					 reader->label, file_offset, section_name);
		if (name_sz != sizeof(owner) || memcmp(name, owner, sizeof(owner)) != 0)
			continue;
		if (type != NOTE_TYPE) {
			add_problem(reader->notes, NULL,
				    "notes: failed to read the note at 0x%" PRIx64
				    " of '%s': its type is %" PRIu32 ", only %d is known",
				    file_offset, reader->label, type, NOTE_TYPE);
			continue;
		}
		err = read_note(reader, description, description_sz, file_offset, diag);
		if (err)
			return err;
	}
	return 0;
}

/* All sections of that name; usually there is one. */
static int
read_sections(const struct reader *reader, struct diag *diag)
{
	uint64_t last_end = 0, left_bytes = SECTION_MAX_BYTES;
	struct image_section section;
	int err;

	for (size_t from = 0; !(err = image_find_section(reader->image, section_name, from, &section, diag));
	     from = section.idx + 1) {
		if (section.file_offset < last_end)
			return diag_fail(
				diag, -EBADMSG,
				"notes: failed to read '%s': its sections %s overlap or are not in order",
				reader->label, section_name);
		err = read_section(reader, &section, left_bytes, diag);
		if (err)
			return err;
		last_end = section.file_offset + section.sz;
		left_bytes -= section.sz;
	}
	return err == -ENOENT ? 0 : err;
}

static int
compare_sites(const void *pa, const void *pb)
{
	const struct site *a = *(const struct site *const *)pa, *b = *(const struct site *const *)pb;
	int order;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if ((order = strcmp(a->provider, b->provider)) || (order = strcmp(a->name, b->name)))
		return order;
	return a < b ? -1 : a > b;
}

static bool
is_same_operand(const struct operand *a, const struct operand *b)
{
	return a->kind == b->kind && a->width_bytes == b->width_bytes && a->is_signed == b->is_signed &&
	       a->base == b->base && a->index == b->index && a->scale == b->scale &&
	       a->extension == b->extension && a->shift_bits == b->shift_bits &&
	       a->displacement == b->displacement && a->constant == b->constant && a->source == b->source &&
	       !strcmp(a->text, b->text);
}

static bool
is_same_site(const struct site *a, const struct site *b)
{
	bool same = a->semaphore_address == b->semaphore_address && a->args_cnt == b->args_cnt;

	for (unsigned i = 0; same && i < a->args_cnt; i++)
		same = is_same_operand(&a->args[i], &b->args[i]);
	return same;
}

/* A linker that folds identical functions leaves one nop with the notes of both. With a probe for each, every hit would
 * count twice. */
static void
drop_duplicates(const struct reader *reader)
{
	struct notes *notes = reader->notes;
	struct site **sorted = xcalloc(notes->cnt, sizeof(struct site *));
	struct site *first = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < notes->cnt; i++)
		sorted[i] = &notes->sites[i];
	qsort(sorted, notes->cnt, sizeof(struct site *), compare_sites);
	for (size_t i = 0; i < notes->cnt; i++) {
		struct site *site = sorted[i];

		if (!first || first->address != site->address ||
		    strcmp(first->provider, site->provider) != 0 || strcmp(first->name, site->name) != 0) {
			first = site;
			continue;
		}
		if (!is_same_site(first, site))
			add_problem(
				notes, NULL,
				"notes: failed to read tracepoint '%s:%s' of '%s': two notes for 0x%" PRIx64
				" contradict each other; the first is used",
				site->provider, site->name, reader->label, site->address);
		site->provider[0] = '\0';
	}
	free(sorted);
	for (size_t i = 0; i < notes->cnt; i++) {
		if (!notes->sites[i].provider[0])
			continue;
		if (kept != i)
			notes->sites[kept] = notes->sites[i];
		kept++;
	}
	notes->cnt = kept;
}

/* Whether the instruction at the site is a nop of sdt.h; on an unknown machine, always. */
static bool
is_nop(const struct reader *reader, const struct site *site)
{
	uint8_t bytes[MACHINE_NOP_BYTES_MAX];
	size_t cnt = sizeof(bytes);

	/* Fewer at the end of the file. */
	while (cnt && image_read(reader->image, site->file_offset, bytes, cnt, NULL))
		cnt--;
	return !machine_has_nops(reader->machine) ||
	       machine_nop_bytes(reader->machine, reader->notes->is_big_endian, site->address, bytes, cnt);
}

/* Whether nothing but zeros is there: no compiler's code. */
static bool
is_hole(const struct reader *reader, const struct site *site)
{
	static const unsigned char zeros[HOLE_BYTES];
	unsigned char bytes[HOLE_BYTES];

	return !image_read(reader->image, site->file_offset, bytes, sizeof(bytes), NULL) &&
	       !memcmp(bytes, zeros, sizeof(bytes));
}

/* Finds the offsets in the file. */
static int
place_sites(const struct reader *reader, struct diag *why)
{
	struct notes *notes = reader->notes;
	struct diag diag;

	for (size_t i = 0; i < notes->cnt; i++) {
		struct site *site = &notes->sites[i];

		if (image_file_offset(reader->image, site->address, 1, IMAGE_EXECUTABLE, &site->file_offset,
				      &diag))
			add_problem(notes, site,
				    "notes: failed to locate tracepoint '%s:%s' of '%s' at address 0x%" PRIx64
				    ": %s",
				    site->provider, site->name, reader->label, site->address, diag.text);
		else if (!is_nop(reader, site) && is_hole(reader, site))
			return diag_fail(
				why, -EBADMSG,
				"notes: failed to read '%s': the code at tracepoint '%s:%s' is missing, there are only zeros; it may be an incomplete copy",
				reader->label, site->provider, site->name);
		else if (!is_nop(reader, site))
			add_problem(notes, site,
				    "notes: failed to locate tracepoint '%s:%s' of '%s' at address 0x%" PRIx64
				    ": the instruction there is not the nop that marks a tracepoint",
				    site->provider, site->name, reader->label, site->address);
		if (!site->semaphore_address)
			continue;
		site->semaphore_is_stray =
			site->semaphore_address < reader->semaphores.address ||
			site->semaphore_address - reader->semaphores.address >= reader->semaphores.sz ||
			reader->semaphores.sz - (site->semaphore_address - reader->semaphores.address) < 2;
		int err = image_file_offset(reader->image, site->semaphore_address, 2, IMAGE_WRITABLE,
					    &site->semaphore_file_offset, &diag);
		if (!err && site->semaphore_file_offset % 2) {
			site->semaphore_file_offset = 0;
			err = diag_fail(&diag, -ERANGE, "it lies at an odd offset, which the kernel refuses");
		}
		if (err)
			add_problem(
				notes, site,
				"notes: failed to locate the semaphore of tracepoint '%s:%s' of '%s' at address 0x%" PRIx64
				": %s",
				site->provider, site->name, reader->label, site->semaphore_address,
				diag.text);
	}
	return 0;
}

static void
describe_image(struct reader *reader)
{
	unsigned number = image_machine(reader->image);
	struct notes *notes = reader->notes;
	struct image_part part;

	snprintf(notes->machine, sizeof(notes->machine), "machine %u", number);
	reader->machine = MACHINE_OTHER;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].number == number) {
			snprintf(notes->machine, sizeof(notes->machine), "%s", machines[i].name);
			reader->machine = machines[i].machine;
		}
	notes->address_bytes = image_address_bytes(reader->image);
	if (number == EM_X86_64 && notes->address_bytes == 4)
		snprintf(notes->machine, sizeof(notes->machine), "x32");
	notes->is_native = image_is_native(reader->image);
	notes->is_big_endian = image_is_big_endian(reader->image);
	notes->is_position_independent = image_is_position_independent(reader->image);
	notes->has_bcc = machine_has_bcc(reader->machine, notes->address_bytes == 8);
	while (image_part(reader->image, notes->parts_cnt, &part)) {
		notes->parts = xreallocarray(notes->parts, notes->parts_cnt + 1, sizeof(*notes->parts));
		notes->parts[notes->parts_cnt++] = part;
	}
}

/* Up to sz bytes, fewer at the end of the file. */
static ssize_t
read_some(int fd, char *bytes, size_t sz, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, bytes, sz, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

int
notes_scan_fd(const struct notes *notes, int fd, bool want_code,
	      bool (*on_chunk)(void *cookie, const struct chunk *chunk), void *cookie, struct diag *diag)
{
	enum { CHUNK_BYTES = 128 << 10 };
	uint64_t left = NOTES_SCAN_MAX_BYTES;
	char *bytes = xmalloc(CHUNK_BYTES);
	bool goes_on = true;
	int err = 0;

	for (size_t i = 0; goes_on && i < notes->parts_cnt; i++) {
		const struct image_part *part = &notes->parts[i];
		uint64_t at = part->file_offset, end = at + (part->sz < left ? part->sz : left);
		struct chunk chunk = {.bytes = bytes, .is_first = true, .is_code = want_code};
		size_t overlap_sz = 0;

		if (part->is_executable != want_code)
			continue;
		left -= end - at;
		for (; goes_on && at < end; chunk.is_first = false) {
			size_t room = CHUNK_BYTES - overlap_sz;
			ssize_t n = read_some(fd, bytes + overlap_sz,
					      room < end - at ? room : (size_t)(end - at), at);

			if (n < 0) {
				err = diag_fail(diag, -errno, "notes: failed to read: %s", strerror(errno));
				goto out;
			}
			if (n == 0)
				break;
			at += (uint64_t)n;
			chunk.sz = overlap_sz + (size_t)n;
			chunk.is_last = at == end;
			goes_on = on_chunk(cookie, &chunk);
			overlap_sz = chunk.sz < CHUNK_OVERLAP ? chunk.sz : CHUNK_OVERLAP;
			memmove(bytes, bytes + chunk.sz - overlap_sz, overlap_sz);
		}
	}
out:
	free(bytes);
	return err;
}

int
notes_open_fd(struct notes **out, int fd, const char *label, struct diag *diag)
{
	struct reader reader = {.notes = xcalloc(1, sizeof(*reader.notes)), .label = label};
	struct image_section base;

	*out = NULL;
	int err = image_open(&reader.image, fd, label, diag);
	if (err)
		goto out;
	describe_image(&reader);
	err = image_find_section(reader.image, base_section_name, 0, &base, diag);
	if (err && err != -ENOENT)
		goto out;
	if (!err)
		reader.base_address = base.address;
	if (!err)
		reader.base_file_offset = base.file_offset;
	reader.notes->has_sections = image_has_sections(reader.image);
	reader.notes->has_base = !err;
	err = image_find_section(reader.image, semaphores_section_name, 0, &reader.semaphores, diag);
	if (err && err != -ENOENT)
		goto out;
	err = read_sections(&reader, diag);
	if (err)
		goto out;
	drop_duplicates(&reader);
	err = place_sites(&reader, diag);
	if (err)
		goto out;
	*out = reader.notes;
	reader.notes = NULL;
out:
	image_free(reader.image);
	notes_free(reader.notes);
	return err;
}

int
notes_open_file(const char *path, struct diag *diag)
{
	/* Without O_NONBLOCK a FIFO would wait for a writer. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return fd;
	int err = -errno;
	if (err == -EACCES)
		return diag_fail(
			diag, err,
			"notes: failed to open '%s': %s; user %u must be able to read it (chmod a+r) and to pass every directory above it (chmod a+x)",
			path, strerror(-err), (unsigned)geteuid());
	return diag_fail(diag, err, "notes: failed to open '%s': %s", path, strerror(-err));
}

int
notes_open(struct notes **out, const char *path, struct diag *diag)
{
	*out = NULL;
	int fd = notes_open_file(path, diag);
	if (fd < 0)
		return fd;
	int err = notes_open_fd(out, fd, path, diag);
	close(fd);
	return err;
}

void
notes_free(struct notes *notes)
{
	if (!notes)
		return;
	for (size_t i = 0; i < notes->problems_cnt; i++)
		free(notes->problems[i].text);
	free(notes->problems);
	free(notes->sites);
	free(notes->parts);
	free(notes);
}

size_t
notes_cnt(const struct notes *notes)
{
	return notes->cnt;
}

const struct site *
notes_sites(const struct notes *notes)
{
	return notes->sites;
}

const struct site *
notes_site(const struct notes *notes, size_t idx)
{
	return idx < notes->cnt ? &notes->sites[idx] : NULL;
}

const struct site *
notes_find(const struct notes *notes, const char *provider, const char *name, size_t nth)
{
	for (size_t i = 0; i < notes->cnt; i++)
		if (!strcmp(notes->sites[i].provider, provider) && !strcmp(notes->sites[i].name, name) &&
		    nth-- == 0)
			return &notes->sites[i];
	return NULL;
}

size_t
notes_problems_cnt(const struct notes *notes)
{
	return notes->problems_cnt;
}

const char *
notes_problem(const struct notes *notes, size_t idx)
{
	return idx < notes->problems_cnt ? notes->problems[idx].text : NULL;
}

const struct site *
notes_problem_site(const struct notes *notes, size_t idx)
{
	if (idx >= notes->problems_cnt || !notes->problems[idx].has_site)
		return NULL;
	return &notes->sites[notes->problems[idx].site_idx];
}

const char *
notes_machine(const struct notes *notes)
{
	return notes->machine;
}

bool
notes_is_native(const struct notes *notes)
{
	return notes->is_native;
}

unsigned
notes_address_bytes(const struct notes *notes)
{
	return notes->address_bytes;
}

bool
notes_is_big_endian(const struct notes *notes)
{
	return notes->is_big_endian;
}

bool
notes_is_position_independent(const struct notes *notes)
{
	return notes->is_position_independent;
}

bool
notes_has_sections(const struct notes *notes)
{
	return notes->has_sections;
}

bool
notes_has_base(const struct notes *notes)
{
	return notes->has_base;
}

bool
notes_has_bcc(const struct notes *notes)
{
	return notes->has_bcc;
}

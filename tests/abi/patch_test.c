/* Patches every field of every note in a copy of a binary, one at a time. Each time, a finding must name the tracepoint
 * and the argument; the unpatched binary must have no finding, before and after.
 *
 *	patch_test BINARY...
 *
 * After the arguments it checks $BITCOIND, and the binaries in $BITCOINDS (separated by blanks), if set. */
#include "base/xmem.h"
#include "contract/check_binary.h"
#include "contract/contract.h"
#include "contract/release.h"
#include "notes/notes.h"
#include "notes/operand.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* A note, as offsets in the file. */
struct raw_note {
	size_t header, location, base, semaphore, provider, name, args, args_sz;
};

struct copy {
	const char *path;
	int fd;
	uint8_t *bytes;
	size_t sz;
	bool is_32bit, is_big_endian;
	unsigned machine;
	struct raw_note *notes;
	size_t notes_cnt;
	unsigned release;
	bool has_no_wallet;
	unsigned tried, left_out, failed;
};

/* The constant 0, and a register that no tracer can read, in the syntax of the machine. */
static const struct spelling {
	unsigned machine;
	const char *zero, *closed;
} spellings[] = {
	{EM_X86_64, "$0", "%k1"}, {EM_386, "$0", "%k1"},   {EM_AARCH64, "0", "d0"}, {EM_ARM, "#0", "d0"},
	{EM_RISCV, "0", "f0"},    {EM_PPC64, "i0", "%f0"}, {EM_S390, "0", "%f0"},
};

/* NULL: a machine whose operands and instructions are not known. */
static const struct spelling *
find_spelling(const struct copy *copy)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
		if (spellings[i].machine == copy->machine)
			return &spellings[i];
	return NULL;
}

static uint64_t
load(const struct copy *copy, size_t at, size_t sz)
{
	uint64_t v = 0;

	for (size_t i = 0; i < sz; i++)
		v = v << 8 | copy->bytes[at + (copy->is_big_endian ? i : sz - 1 - i)];
	return v;
}

static void
store(struct copy *copy, size_t at, uint64_t v, size_t sz)
{
	for (size_t i = 0; i < sz; i++)
		copy->bytes[at + (copy->is_big_endian ? sz - 1 - i : i)] = (uint8_t)(v >> 8 * i);
}

/* A shared mapping of a file in memory: the file changes with it. */
static bool
open_copy(struct copy *copy, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*copy = (struct copy){.path = path, .fd = memfd_create("copy", MFD_CLOEXEC)};
	if (fd < 0 || copy->fd < 0 || fstat(fd, &st))
		return false;
	copy->sz = (size_t)st.st_size;
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(copy->fd, fd, &at, copy->sz - (size_t)at) <= 0)
			return false;
	close(fd);
	copy->bytes = mmap(NULL, copy->sz, PROT_READ | PROT_WRITE, MAP_SHARED, copy->fd, 0);
	if (copy->bytes == MAP_FAILED)
		return false;
	copy->is_32bit = copy->bytes[EI_CLASS] == ELFCLASS32;
	copy->is_big_endian = copy->bytes[EI_DATA] == ELFDATA2MSB;
	copy->machine = (unsigned)load(copy, offsetof(Elf64_Ehdr, e_machine), 2);
	return true;
}

static void
close_copy(struct copy *copy)
{
	munmap(copy->bytes, copy->sz);
	close(copy->fd);
	free(copy->notes);
}

/* Searches for what all notes have: the size and name of their owner, and their type. */
static void
find_notes(struct copy *copy)
{
	size_t address_sz = copy->is_32bit ? 4 : 8;

	for (size_t at = 12; at + 8 < copy->sz; at += 4) {
		struct raw_note note = {.header = at - 12};

		if (memcmp(copy->bytes + at, "stapsdt", 8) != 0 || load(copy, at - 12, 4) != 8 ||
		    load(copy, at - 4, 4) != 3)
			continue;
		note.location = at + 8;
		note.base = note.location + address_sz;
		note.semaphore = note.base + address_sz;
		note.provider = note.semaphore + address_sz;
		note.name = note.provider + strlen((char *)copy->bytes + note.provider) + 1;
		note.args = note.name + strlen((char *)copy->bytes + note.name) + 1;
		note.args_sz = strlen((char *)copy->bytes + note.args);
		copy->notes = xreallocarray(copy->notes, copy->notes_cnt + 1, sizeof(*copy->notes));
		copy->notes[copy->notes_cnt++] = note;
	}
}

/* Declarations of the few functions of libbcc that are needed: its headers are only for src/probe. */
struct libbcc_usdt {
	const char *provider, *name, *path;
	uint64_t semaphore;
	int locations, arguments;
};

struct libbcc {
	void *(*open)(const char *path);
	void (*close)(void *usdt);
	void (*foreach)(void *usdt, void (*callback)(struct libbcc_usdt *usdt));
};

static bool
open_libbcc(struct libbcc *libbcc)
{
	void *handle = dlopen("libbcc.so.0", RTLD_LAZY);

	if (!handle)
		return false;
	*(void **)&libbcc->open = dlsym(handle, "bcc_usdt_new_frompath");
	*(void **)&libbcc->close = dlsym(handle, "bcc_usdt_close");
	*(void **)&libbcc->foreach = dlsym(handle, "bcc_usdt_foreach");
	return libbcc->open && libbcc->close && libbcc->foreach;
}

static const char *asked_name;
static unsigned asked_arguments;

static void
on_usdt(struct libbcc_usdt *usdt)
{
	if (!strcmp(usdt->name, asked_name))
		asked_arguments = (unsigned)usdt->arguments;
}

/* How many arguments libbcc finds. It prints those that it does not understand. */
static unsigned
ask_libbcc(const struct libbcc *libbcc, const struct copy *copy, const char *name)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), copy->fd);
	asked_name = name;
	asked_arguments = 99;
	fflush(stderr);
	dup2(null, STDERR_FILENO);
	void *usdt = libbcc->open(path);
	if (usdt) {
		libbcc->foreach (usdt, on_usdt);
		libbcc->close(usdt);
	}
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return asked_arguments;
}

static enum symbol_state
find_no_symbol(void *cookie, const char *name, size_t len, uint64_t *address)
{
	(void)cookie;
	(void)name;
	(void)len;
	*address = 0;
	return SYMBOL_MISSING;
}

static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	release_traces_feed(cookie, chunk);
	release_traces_feed_marks(cookie, chunk);
	return true;
}

/* Once, before anything is patched. */
static bool
find_release(struct copy *copy)
{
	struct release_traces traces = {0};
	struct release_guess guess;
	struct notes *notes = NULL;
	struct diag diag;

	if (notes_open_fd(&notes, copy->fd, copy->path, &diag) ||
	    notes_scan_fd(notes, copy->fd, false, on_chunk, &traces, &diag) ||
	    notes_scan_fd(notes, copy->fd, true, on_chunk, &traces, &diag)) {
		printf("%s: %s\n", copy->path, diag.text);
		return false;
	}
	release_guess(&traces, notes_sites(notes), notes_cnt(notes), &guess);
	copy->release = guess.release;
	copy->has_no_wallet = !traces.has_wallet_mark;
	notes_free(notes);
	return true;
}

/* A binary of master may have arguments that are not known yet: that is a remark, of contract_check_new_args. */
#define MORE_ARGS "an argument more"

static bool
is_remark_on_new_args(const struct finding *remark, const char *tracepoint)
{
	return remark->tracepoint && !strcmp(remark->tracepoint, tracepoint) &&
	       strstr(remark->message, "; new, and not checked:");
}

/* Whether there is a finding or problem about that tracepoint and argument; tracepoint NULL: about anything. */
static bool
is_named(const struct copy *copy, const char *tracepoint, unsigned argument, const char *what)
{
	struct binary_findings findings;
	struct notes *notes;
	struct diag diag;
	bool named = false;

	/* A broken chain of notes is an error of the whole file. */
	if (notes_open_fd(&notes, copy->fd, copy->path, &diag))
		return argument == 0;
	contract_check_binary(&(struct checked_binary){.sites = notes_sites(notes),
						       .sites_cnt = notes_cnt(notes),
						       .release = copy->release,
						       .machine = notes_machine(notes),
						       .has_bcc = notes_has_bcc(notes),
						       .has_no_wallet = copy->has_no_wallet},
			      &findings);
	for (size_t i = 0; i < findings.wrong.cnt; i++) {
		const struct finding *finding = &findings.wrong.items[i];

		named |= !tracepoint ||
			 (!strcmp(finding->tracepoint, tracepoint) && finding->argument == argument);
	}
	for (size_t i = 0; i < notes_problems_cnt(notes); i++) {
		const struct site *site = notes_problem_site(notes, i);
		char full_name[160] = "";

		if (site)
			snprintf(full_name, sizeof(full_name), "%s:%s", site->provider, site->name);
		named |= !tracepoint || (!strcmp(full_name, tracepoint) && argument == 0);
	}
	for (size_t i = 0; i < findings.remarks.cnt && what && !strcmp(what, MORE_ARGS); i++)
		named |= is_remark_on_new_args(&findings.remarks.items[i], tracepoint);
	binary_findings_fini(&findings);
	notes_free(notes);
	return named;
}

/* Replaces bytes, checks, and restores them. */
static void
patch(struct copy *copy, size_t at, const void *bytes, size_t sz, const char *tracepoint, unsigned argument,
      const char *what)
{
	uint8_t before[512];

	if (sz > sizeof(before) || !memcmp(copy->bytes + at, bytes, sz)) {
		copy->left_out++;
		return;
	}
	memcpy(before, copy->bytes + at, sz);
	memcpy(copy->bytes + at, bytes, sz);
	copy->tried++;
	if (!is_named(copy, tracepoint, argument, what)) {
		copy->failed++;
		printf("FAILED: %s: %s argument %u, %s, is not named: '%.*s'\n", copy->path, tracepoint,
		       argument, what, (int)sz, (const char *)bytes);
	}
	memcpy(copy->bytes + at, before, sz);
}

static void
patch_address(struct copy *copy, size_t at, uint64_t value, const char *tracepoint, const char *what)
{
	struct copy image = *copy;
	uint8_t bytes[8];
	size_t sz = copy->is_32bit ? 4 : 8;

	image.bytes = bytes;
	store(&image, 0, value, sz);
	patch(copy, at, bytes, sz, tracepoint, 0, what);
}

/* The arguments with one of them replaced, padded to the same length. */
static void
patch_args(struct copy *copy, const struct raw_note *note, unsigned argument, const char *spelling,
	   const char *tracepoint, unsigned named, const char *what)
{
	const char *args = (const char *)copy->bytes + note->args, *at = args;
	char changed[512] = "";

	if (note->args_sz >= sizeof(changed))
		return;
	/* Operands end at a blank before another one; none of these has '@' in it. */
	for (unsigned i = 0; *at; i++) {
		const char *end = strchr(at, '@');

		while (end && *end &&
		       !(*end == ' ' && strchr("-0123456789", end[1]) && strchr(end, '@') &&
			 strspn(end + 1, "-0123456789") == (size_t)(strchr(end, '@') - end - 1)))
			end++;
		size_t len = end ? (size_t)(end - at) : strlen(at);
		char operand[200];

		snprintf(operand, sizeof(operand), "%.*s", (int)len, at);
		if (i == argument)
			snprintf(operand, sizeof(operand), "%s", spelling);
		if (*operand)
			snprintf(changed + strlen(changed), sizeof(changed) - strlen(changed), "%s%s",
				 *changed ? " " : "", operand);
		at += len;
		at += *at == ' ';
	}
	if (strlen(changed) > note->args_sz) {
		copy->left_out++;
		return;
	}
	memset(changed + strlen(changed), ' ', note->args_sz - strlen(changed));
	patch(copy, note->args, changed, note->args_sz, tracepoint, named, what);
}

static void
patch_arguments(struct copy *copy, const struct raw_note *note, const struct contract_tracepoint *row)
{
	const struct spelling *spelt = find_spelling(copy);
	const char *zero = spelt ? spelt->zero : "0";
	char spelling[64];

	for (unsigned i = 0; i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		unsigned width = contract_arg_width(arg, copy->is_32bit ? 4 : 8);
		bool is_signed = arg_type_is_signed(arg->code_type);
		bool documented_sign = arg_type_is_signed(arg->type);

		for (unsigned other = 1; other <= 8; other *= 2) {
			/* A size may have the documented width. */
			if (other == width || (arg->is_size && other == 8))
				continue;
			snprintf(spelling, sizeof(spelling), "%s%u@%s", is_signed ? "-" : "", other, zero);
			patch_args(copy, note, i, spelling, row->full_name, i + 1, "another width");
		}
		if (is_signed == documented_sign) {
			snprintf(spelling, sizeof(spelling), "%s%u@%s", is_signed ? "" : "-", width, zero);
			patch_args(copy, note, i, spelling, row->full_name, i + 1, "the other sign");
		}
		if (spelt) {
			snprintf(spelling, sizeof(spelling), "%s%u@%s", is_signed ? "-" : "", width,
				 spelt->closed);
			patch_args(copy, note, i, spelling, row->full_name, i + 1, "a closed register");
		}
		if (copy->machine == EM_X86_64) {
			snprintf(spelling, sizeof(spelling), "%s%u@%%xmm7", is_signed ? "-" : "", width);
			patch_args(copy, note, i, spelling, row->full_name, i + 1, "an xmm register");
			snprintf(spelling, sizeof(spelling), "%s%u@8", is_signed ? "-" : "", width);
			patch_args(copy, note, i, spelling, row->full_name, i + 1,
				   "what libbcc does not read");
		}
		patch_args(copy, note, i, "", row->full_name, 0, "an argument less");
		snprintf(spelling, sizeof(spelling), "%s%u@%s 1@%s", is_signed ? "-" : "", width, zero, zero);
		patch_args(copy, note, i, spelling, row->full_name, 0, MORE_ARGS);
	}
}

static void
patch_note(struct copy *copy, size_t idx)
{
	const struct raw_note note = copy->notes[idx], other = copy->notes[idx ? 0 : copy->notes_cnt - 1];
	const struct contract_tracepoint *row =
		contract_find((char *)copy->bytes + note.provider, (char *)copy->bytes + note.name);
	size_t sz = copy->is_32bit ? 4 : 8;
	uint64_t location = load(copy, note.location, sz), base = load(copy, note.base, sz);
	uint64_t semaphore = load(copy, note.semaphore, sz), others = load(copy, other.semaphore, sz);

	if (row)
		row = contract_at(row->id, copy->release);
	if (!row)
		return;
	patch(copy, note.provider, "X", 1, row->full_name, 0, "another provider");
	patch(copy, note.name, "X", 1, row->full_name, 0, "another name");
	patch(copy, note.name, "", 1, row->full_name, 0, "no name");
	patch(copy, note.name, "\x1b", 1, row->full_name, 0, "an unprintable name");
	patch(copy, note.header + 12, "X", 1, row->full_name, 0, "another owner");
	patch_address(copy, note.location, 0, row->full_name, "nowhere");
	if (find_spelling(copy))
		patch_address(copy, note.location, location + 1, row->full_name, "beside its nop");
	patch_address(copy, note.location, load(copy, other.location, sz), row->full_name,
		      "at another's nop");
	patch_address(copy, note.location, semaphore ? semaphore : UINT64_MAX, row->full_name, "in data");
	patch_address(copy, note.base, base + 1, row->full_name, "moved by a byte");
	patch_address(copy, note.base, base - 0x40000000, row->full_name, "moved away");
	if (semaphore) {
		patch_address(copy, note.semaphore, 0, row->full_name, "no semaphore");
		patch_address(copy, note.semaphore, semaphore + 1, row->full_name, "an odd semaphore");
		patch_address(copy, note.semaphore, location, row->full_name, "a semaphore in code");
		patch_address(copy, note.semaphore, others, row->full_name, "another's semaphore");
	}
	patch_arguments(copy, &note, row);
}

/* What forms.c says that libbcc makes of operands, against the libbcc that is installed: between two operands that it
 * reads, one that it skips is missing, perhaps with the one after it. */
static bool
try_libbcc(const char *path)
{
	static const char *const operands[] = {
		"8@%rax",        "-8@-368(%rbp)", "8@(%rax)",       "4@(%rax,%r15,4)", "1@%sil",
		"1@$-1",         "8@(,%rax,8)",   "1@%ah",          "8@$net",          "8@8(%rip)",
		"8@16",          "8@%xmm0",       "8@%xmm15",       "8@%xmm16",        "8@%ymm1",
		"8f@%xmm0",      "8@%fs:0",       "junk",           "8@0x10(%rax)",    "8@gone(%rip)",
		"4@%r8d",        "2@%r10w",       "1@%r11b",        "1@%bpl",          "8@net.0(%rip)",
		"8@net+8(%rip)", "8@8+net(%rip)", "8@net+-8(%rip)", "8@net(%rax)",     "8@net",
	};
	struct libbcc libbcc;
	struct copy copy;
	unsigned failed = 0;

	if (!open_libbcc(&libbcc)) {
		puts("libbcc is not there to be asked");
		return true;
	}
	if (!open_copy(&copy, path) || copy.machine != EM_X86_64)
		return false;
	find_notes(&copy);
	const struct raw_note note = copy.notes[0];
	for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++) {
		static const struct operand_opts opts = {.find_symbol = find_no_symbol};
		struct operand operand;
		char args[100];

		operand_parse(&operand, operands[i], strlen(operands[i]), &opts);
		unsigned want = operand.bcc == OPERAND_BCC_STOPS    ? 1
				: operand.bcc == OPERAND_BCC_LEAVES ? 2
								    : 3;
		int n = snprintf(args, sizeof(args), "8@%%rcx %s 4@%%ebx", operands[i]);
		if (n < 0 || (size_t)n > note.args_sz)
			return false;
		memset(copy.bytes + note.args, ' ', note.args_sz);
		memcpy(copy.bytes + note.args, args, (size_t)n);
		unsigned got = ask_libbcc(&libbcc, &copy, (char *)copy.bytes + note.name);
		if (got != want) {
			printf("FAILED: of '%s' libbcc has %u arguments, said were %u\n", args, got, want);
			failed++;
		}
	}
	printf("libbcc was asked for %zu operands, %u were otherwise\n",
	       sizeof(operands) / sizeof(operands[0]), failed);
	close_copy(&copy);
	return !failed;
}

static bool
try_binary(const char *path)
{
	struct copy copy;

	if (!open_copy(&copy, path)) {
		printf("FAILED: %s could not be copied\n", path);
		return false;
	}
	find_notes(&copy);
	if (!find_release(&copy))
		return false;
	bool clean = !is_named(&copy, NULL, 0, NULL);
	if (!clean)
		printf("FAILED: %s is not found clean\n", path);
	for (size_t i = 0; i < copy.notes_cnt; i++)
		patch_note(&copy, i);
	clean &= !is_named(&copy, NULL, 0, NULL);
	printf("%s: %zu notes, %u patches, %u not named, %u had no room\n", path, copy.notes_cnt, copy.tried,
	       copy.failed, copy.left_out);
	bool ok = clean && !copy.failed && copy.tried > 100 && copy.tried > 2 * copy.left_out;
	close_copy(&copy);
	return ok;
}

int
main(int argc, char **argv)
{
	const char *bitcoind = getenv("BITCOIND"), *more = getenv("BITCOINDS");
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++) {
		ok &= try_binary(argv[i]);
		if (strstr(argv[i], "x86-64-gcc"))
			ok &= try_libbcc(argv[i]);
	}
	if (bitcoind && *bitcoind)
		ok &= try_binary(bitcoind);
	if (more) {
		char *list = xstrdup(more), *rest = list, *path;

		while ((path = strsep(&rest, " ")))
			if (*path)
				ok &= try_binary(path);
		free(list);
	}
	puts(ok ? "all was named" : "FAILED");
	return ok ? 0 : 1;
}

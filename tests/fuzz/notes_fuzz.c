/* Any bytes as a file whose notes are read, checked and compared. For libFuzzer; with REPLAY, a program that takes
 * files or folders.
 *
 * Bytes that begin like an ELF file are the file. Other bytes are the notes of a file that is built around them, so
 * that mutations get past the ELF header; the first two choose the machine. */
#include "base/buf.h"
#include "contract/check_binary.h"
#include "contract/contract.h"
#include "contract/diff.h"
#include "contract/release.h"
#include "notes/notes.h"
#include "report/abi.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	release_traces_feed(cookie, chunk);
	release_traces_feed_marks(cookie, chunk);
	return true;
}

static bool
is_documented(const struct site *site, void *cookie)
{
	(void)cookie;
	return contract_find(site->provider, site->name) != NULL;
}

static void
compare(const struct notes *notes, const struct release_guess *guess)
{
	struct diff_side side = {.sites = notes_sites(notes),
				 .sites_cnt = notes_cnt(notes),
				 .pointer_bytes = notes_address_bytes(notes),
				 .release = guess->release};
	struct diff_side promise = {.release = RELEASE_MASTER, .pointer_bytes = side.pointer_bytes};
	struct changes changes = {0};

	diff_interfaces(&promise, &side, &changes);
	free(report_diff_json(&(struct report_diff){.before = {.release = "master"}, .changes = &changes}));
	changes_fini(&changes);
	diff_interfaces(&side, &promise, &changes);
	changes_fini(&changes);
	/* Nothing differs from itself. */
	diff_interfaces(&side, &side, &changes);
	if (changes.cnt)
		abort();
}

static void
look(int fd)
{
	struct release_traces traces = {0};
	struct release_guess guess;
	struct binary_findings findings;
	struct notes *notes;
	struct diag diag;

	if (notes_open_fd(&notes, fd, "fuzz", &diag))
		return;
	for (int code = 0; code < 2; code++)
		if (notes_scan_fd(notes, fd, code, on_chunk, &traces, &diag))
			break;
	release_guess(&traces, notes_sites(notes), notes_cnt(notes), &guess);
	contract_check_binary(&(struct checked_binary){.sites = notes_sites(notes),
						       .sites_cnt = notes_cnt(notes),
						       .release = guess.release,
						       .machine = notes_machine(notes),
						       .has_bcc = notes_has_bcc(notes),
						       .has_no_wallet = !traces.has_wallet_mark},
			      &findings);
	struct report_abi abi = {
		.outcome = findings.wrong.cnt ? OUTCOME_FAIL : OUTCOME_PASS,
		.binary = {.path = "fuzz",
			   .machine = notes_machine(notes),
			   .sites = notes_sites(notes),
			   .sites_cnt = notes_cnt(notes)},
		.wrong = &findings.wrong,
		.known = &findings.known,
		.remarks = &findings.remarks,
		.is_documented = is_documented,
	};
	free(report_abi_json(&abi));
	for (size_t i = 0; i < notes_problems_cnt(notes); i++)
		if (strncmp(notes_problem(notes, i), "notes: ", 7) != 0 ||
		    (notes_problem_site(notes, i) && !notes_problem_site(notes, i)->name[0]))
			abort();
	binary_findings_fini(&findings);
	if (notes_cnt(notes))
		compare(notes, &guess);
	notes_free(notes);
}

/* An ELF file for the machine, with nops as code, semaphores, and the bytes as notes. */
static void
build(struct buf *file, uint8_t kind, uint8_t order, const uint8_t *bytes, size_t sz)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64, EM_ARM, EM_RISCV,
					    EM_PPC64,  EM_S390,    EM_386, EM_MIPS};
	static const char names[] = "\0.note.stapsdt\0.stapsdt.base\0.probes\0.shstrtab";
	enum { CODE_SZ = 256, PROBES_SZ = 64 };
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = order & 2 ? ET_EXEC : ET_DYN,
		.e_machine = machines[kind % 8],
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(header),
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shoff = sizeof(header) + 2 * sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 5,
		.e_shstrndx = 4,
	};
	size_t code_at = header.e_shoff + header.e_shnum * sizeof(Elf64_Shdr), probes_at = code_at + CODE_SZ;
	size_t names_at = probes_at + PROBES_SZ, notes_at = names_at + sizeof(names) + sizeof(names) % 2;
	Elf64_Phdr segments[2] = {
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_X,
		 .p_offset = code_at,
		 .p_vaddr = 0x1000,
		 .p_filesz = CODE_SZ,
		 .p_memsz = CODE_SZ},
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_W,
		 .p_offset = probes_at,
		 .p_vaddr = 0x2000,
		 .p_filesz = PROBES_SZ,
		 .p_memsz = PROBES_SZ},
	};
	Elf64_Shdr sections[5] = {
		{0},
		{.sh_name = 1, .sh_type = SHT_NOTE, .sh_offset = notes_at, .sh_size = sz},
		{.sh_name = 15,
		 .sh_type = SHT_PROGBITS,
		 .sh_addr = 0x1000,
		 .sh_offset = code_at,
		 .sh_size = 1},
		{.sh_name = 29,
		 .sh_type = SHT_PROGBITS,
		 .sh_addr = 0x2000,
		 .sh_offset = probes_at,
		 .sh_size = PROBES_SZ},
		{.sh_name = 37, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = sizeof(names)},
	};
	char code[CODE_SZ], probes[PROBES_SZ] = "";

	memset(code, 0x90, sizeof(code));
	buf_add(file, &header, sizeof(header));
	buf_add(file, segments, sizeof(segments));
	buf_add(file, sections, sizeof(sections));
	buf_add(file, code, sizeof(code));
	buf_add(file, probes, sizeof(probes));
	buf_add(file, names, sizeof(names));
	if (sizeof(names) % 2)
		buf_putc(file, 0);
	buf_add(file, bytes, sz);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct buf file;

	if (fd < 0)
		abort();
	buf_init(&file, 64 << 20);
	if (sz < 2 || data[0] == ELFMAG0)
		buf_add(&file, data, sz);
	else
		build(&file, data[0], data[1], data + 2, sz - 2);
	if (pwrite(fd, file.data, file.len, 0) != (ssize_t)file.len)
		abort();
	buf_fini(&file);
	look(fd);
	close(fd);
	return 0;
}

#ifdef REPLAY
int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "re");
		struct buf bytes;
		char chunk[4096];
		size_t n;

		if (!in) {
			perror(argv[i]);
			return 1;
		}
		buf_init(&bytes, 64 << 20);
		while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
			buf_add(&bytes, chunk, n);
		fclose(in);
		LLVMFuzzerTestOneInput((const uint8_t *)(bytes.data ? bytes.data : ""), bytes.len);
		buf_fini(&bytes);
	}
	printf("%d files replayed\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
#endif

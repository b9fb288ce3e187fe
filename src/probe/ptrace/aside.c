#include "probe/ptrace/aside.h"

#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether a symbol table defines the name; its value goes to *value. */
static bool
table_has(Elf *elf, Elf_Scn *section, const GElf_Shdr *head, const char *name, uint64_t *value)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t cnt = head->sh_entsize ? (size_t)(head->sh_size / head->sh_entsize) : 0;

	for (size_t i = 0; data && i < cnt && i < INT_MAX; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
			continue;
		const char *found = elf_strptr(elf, head->sh_link, symbol.st_name);
		if (!found || strcmp(found, name))
			continue;
		*value = symbol.st_value;
		return true;
	}
	return false;
}

static bool
file_has(const char *path, const char *name, uint64_t *value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf = fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *section = NULL;
	bool found = false;

	while (elf && !found && (section = elf_nextscn(elf, section))) {
		GElf_Shdr head;

		if (gelf_getshdr(section, &head) &&
		    (head.sh_type == SHT_DYNSYM || head.sh_type == SHT_SYMTAB))
			found = table_has(elf, section, &head, name, value);
	}
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return found;
}

/* The names of shared libraries that contain LeakSanitizer. */
static bool
is_sanitizer(const char *path)
{
	return strstr(path, "/libasan.so") || strstr(path, "/liblsan.so") ||
	       strstr(path, "/libclang_rt.asan") || strstr(path, "/libclang_rt.lsan");
}

static bool
is_libc(const char *path)
{
	return strstr(path, "/libc.so.") || strstr(path, "/libc-") || strstr(path, "/ld-musl-");
}

uint64_t
aside_find_exit(pid_t pid)
{
	char path[64], libc[PATH_MAX + 64] = "", *line = NULL;
	uint64_t start, offset, libc_start = 0, value;
	bool has_sanitizer = false;
	size_t line_sz = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && getline(&line, &line_sz, maps) > 0) {
		const char *file = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (!file || sscanf(line, "%" SCNx64 "-%*x %*s %" SCNx64, &start, &offset) != 2)
			continue;
		has_sanitizer |= is_sanitizer(file);
		if (!libc_start && !offset && is_libc(file)) {
			libc_start = start;
			/* As the process sees it, which may be in a container. */
			snprintf(libc, sizeof(libc), "/proc/%d/root%s", (int)pid, file);
		}
	}
	free(line);
	if (maps)
		fclose(maps);
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (!has_sanitizer && !file_has(path, "__lsan_do_leak_check", &value) &&
	    !file_has(path, "__asan_init", &value))
		return 0;
	return libc_start && file_has(libc, "exit", &value) ? libc_start + value : 0;
}

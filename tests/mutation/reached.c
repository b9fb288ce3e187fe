/*
 * Linked into every program and module of the copy that mutate.pl builds with -fsanitize-coverage=trace-pc: notes
 * which basic blocks ran, in a file of REACHED_DIR for each program, one byte for each byte of its code. The file is
 * mapped and shared, so that children and processes that are killed count. Chooses the mutant that counts, too: its
 * number is in MUTANT_FILE.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 8 << 20 };

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
static unsigned char *reached;
__attribute__((visibility("hidden"))) int mutant_chosen;

__attribute__((constructor(101))) static void
start(void)
{
	char path[4096], out[4200];
	FILE *file = fopen(MUTANT_FILE, "re");
	if (file) {
		if (fscanf(file, "%d", &mutant_chosen) != 1)
			mutant_chosen = 0;
		fclose(file);
	}
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (len < 0)
		return;
	path[len] = '\0';
	/* A module has a file of its own. */
	Dl_info info;
	if (dladdr(__ehdr_start, &info) && strstr(info.dli_fname, ".so"))
		snprintf(path, sizeof(path), "%s", info.dli_fname);
	char *name = strrchr(path, '/');
	snprintf(out, sizeof(out), "%s/%s", REACHED_DIR, name ? name + 1 : path);
	int fd = open(out, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	fchmod(fd, 0666);
	if (ftruncate(fd, SIZE) == 0) {
		void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		reached = map == MAP_FAILED ? NULL : map;
	}
	close(fd);
}

__attribute__((visibility("hidden"))) void
__sanitizer_cov_trace_pc(void)
{
	size_t at = (size_t)((const char *)__builtin_return_address(0) - __ehdr_start);
	if (reached && at < SIZE)
		reached[at] = 1;
}

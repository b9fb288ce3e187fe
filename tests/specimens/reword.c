/* A library for LD_PRELOAD: a bitcoind that logs in other words, and has other defaults. The words in REWORD
 * ("words|words|...") are written with each small letter replaced by a capital, wherever they occur. ARGS_FIRST and
 * ARGS_LAST ("-arg -arg") are added to its arguments before and after those that it is given. The file REWORD_COPY gets a
 * copy of all lines that are written then. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef size_t (*fwrite_fn)(const void *bytes, size_t size, size_t cnt, FILE *file);

static void
reword(char *text, size_t len)
{
	const char *words = getenv("REWORD");

	while (words && *words) {
		size_t words_len = strcspn(words, "|");

		for (char *at = text;
		     words_len && (at = memmem(at, len - (size_t)(at - text), words, words_len));
		     at += words_len)
			for (size_t i = 0; i < words_len; i++)
				at[i] = (char)toupper((unsigned char)at[i]);
		words += words_len + (words[words_len] == '|');
	}
}

static void
add_to_copy(const char *text, size_t len)
{
	const char *path = getenv("REWORD_COPY");

	if (!path || !len || text[len - 1] != '\n' || memchr(text, '\0', len))
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd >= 0 && write(fd, text, len) < 0)
		abort();
	if (fd >= 0)
		close(fd);
}

size_t
fwrite(const void *bytes, size_t size, size_t cnt, FILE *file)
{
	fwrite_fn next = (fwrite_fn)(uintptr_t)dlsym(RTLD_NEXT, "fwrite");
	char *copy = size == 1 ? malloc(cnt + 1) : NULL;

	if (!copy)
		return next(bytes, size, cnt, file);
	memcpy(copy, bytes, cnt);
	reword(copy, cnt);
	add_to_copy(copy, cnt);
	size_t written = next(copy, 1, cnt, file);
	free(copy);
	return written;
}

enum { ARGS_MAX = 400 };

typedef int (*main_fn)(int argc, char **argv, char **envp);
typedef int (*start_fn)(main_fn main, int argc, char **argv, void (*init)(void), void (*fini)(void),
			void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(main_fn main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end);

static int
add_args(const char *variable, char **argv, int argc)
{
	const char *value = getenv(variable);
	char *copy = strdup(value ? value : ""), *rest = copy, *arg;

	while ((arg = strsep(&rest, " ")) && argc < ARGS_MAX - 1)
		if (*arg)
			argv[argc++] = strdup(arg);
	free(copy);
	return argc;
}

int
__libc_start_main(main_fn main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		  void (*rtld_fini)(void), void *stack_end)
{
	static char *all[ARGS_MAX];
	start_fn next = (start_fn)(uintptr_t)dlsym(RTLD_NEXT, "__libc_start_main");
	int cnt = 0;

	all[cnt++] = argv[0];
	cnt = add_args("ARGS_FIRST", all, cnt);
	for (int i = 1; i < argc && cnt < ARGS_MAX - 1; i++)
		all[cnt++] = argv[i];
	cnt = add_args("ARGS_LAST", all, cnt);
	return next(main, cnt, all, init, fini, rtld_fini, stack_end);
}

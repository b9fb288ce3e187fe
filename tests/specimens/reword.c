/* A library for LD_PRELOAD: a bitcoind that logs in other words, has other defaults, and is slow. The words in REWORD
 * ("words|words|...") are written with each small letter replaced by a capital, wherever they occur. ARGS_FIRST and
 * ARGS_LAST ("-arg -arg") are added to its arguments before and after those that it is given. The file REWORD_COPY gets a
 * copy of all lines that are written then. It learns ACCEPT_LATE_MS late that a peer has connected, and receives what
 * begins a connection by the v2 transport (the 64 bytes of a key, and more) RECEIVE_LATE_MS late. The first time that a
 * thread receives or sends something that contains a word, or is so long, it is late: LATE, as "recv b-net getheaders
 * 3500" or "recv b-i2paccept #512 1100". */
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef ssize_t (*recv_fn)(int fd, void *bytes, size_t size, int flags);
typedef ssize_t (*send_fn)(int fd, const void *bytes, size_t size, int flags);
typedef int (*accept_fn)(int fd, struct sockaddr *address, socklen_t *len);
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

/* Only the thread that deals with peers, and has this name. */
static void
be_late(const char *variable)
{
	const char *ms = getenv(variable);
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	if (ms && !strcmp(name, "b-net"))
		poll(NULL, 0, (int)strtol(ms, NULL, 10));
}

/* What is received; or is about to be sent. */
static void
be_late_once(const char *call, const void *bytes, size_t len)
{
	static _Atomic bool was_late;
	const char *late = getenv("LATE");
	char name[16] = "", its_call[16], thread[16], word[32];
	int ms;

	if (!late || sscanf(late, "%15s %15s %31s %d", its_call, thread, word, &ms) != 4 ||
	    strcmp(call, its_call) != 0 ||
	    !(*word == '#' ? strtoul(word + 1, NULL, 10) == len
			   : memmem(bytes, len, word, strlen(word)) != NULL))
		return;
	prctl(PR_GET_NAME, name);
	if (!strcmp(name, thread) && !atomic_exchange(&was_late, true))
		poll(NULL, 0, ms);
}

enum { FDS_MAX = 1024 };

static bool is_new[FDS_MAX]; /* accepted, and nothing received by it so far */

/* A name of its own: in GNU's C the address is of a type that ISO C does not have. */
int accept_v2(int fd, struct sockaddr *address, socklen_t *len) __asm__("accept");

int
accept_v2(int fd, struct sockaddr *address, socklen_t *len)
{
	accept_fn next = (accept_fn)(uintptr_t)dlsym(RTLD_NEXT, "accept");
	int accepted = next(fd, address, len);

	if (accepted >= 0 && accepted < FDS_MAX)
		is_new[accepted] = true;
	if (accepted >= 0)
		be_late("ACCEPT_LATE_MS");
	return accepted;
}

ssize_t
recv(int fd, void *bytes, size_t size, int flags)
{
	static const char magic[] = {'\xfa', '\xbf', '\xb5', '\xda'}; /* of regtest, by v1 */
	recv_fn next = (recv_fn)(uintptr_t)dlsym(RTLD_NEXT, "recv");
	ssize_t n = next(fd, bytes, size, flags);

	if (n > 0)
		be_late_once("recv", bytes, (size_t)n);
	if (n <= 0 || fd < 0 || fd >= FDS_MAX || !is_new[fd])
		return n;
	is_new[fd] = false;
	if (n >= 64 && memcmp(bytes, magic, sizeof(magic)) != 0)
		be_late("RECEIVE_LATE_MS");
	return n;
}

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	send_fn next = (send_fn)(uintptr_t)dlsym(RTLD_NEXT, "send");

	be_late_once("send", bytes, size);
	return next(fd, bytes, size, flags);
}

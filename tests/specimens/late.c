/* A library for LD_PRELOAD: a bitcoind whose threads lose their processor for a while, at the worst moment or anywhere.
 *
 *	LATE="recv b-net getheaders 3500"
 *		The first time that the thread of that name receives something with that word, it goes on so many ms
 *		later, and has made the file LATE_DONE. For "send", before it sends it.
 *	ACCEPT_LATE_MS=150, V2_LATE_MS=500
 *		b-net is so many ms late whenever it has accepted a peer, or received the key that begins the v2
 *		transport (64 bytes or more).
 *	CHANCE="1000 3500"
 *		Any thread, in one of so many calls that receive, send, accept or log, and in one of 100 times as
 *		many that lock, for any time up to so many ms. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 1024, LOCKS_PER_CALL = 100 };

typedef ssize_t (*recv_fn)(int fd, void *bytes, size_t size, int flags);
typedef ssize_t (*send_fn)(int fd, const void *bytes, size_t size, int flags);
typedef int (*accept_fn)(int fd, struct sockaddr *address, socklen_t *len);
typedef size_t (*fwrite_fn)(const void *bytes, size_t size, size_t cnt, FILE *file);
typedef int (*lock_fn)(pthread_mutex_t *mutex);

static recv_fn next_recv;
static send_fn next_send;
static accept_fn next_accept;
static fwrite_fn next_fwrite;
static lock_fn next_lock;
static unsigned long chance, chance_ms;
static bool is_new[FDS_MAX]; /* accepted, and nothing received from it so far */

__attribute__((constructor)) static void
prepare(void)
{
	const char *value = getenv("CHANCE");

	next_recv = (recv_fn)(uintptr_t)dlsym(RTLD_NEXT, "recv");
	next_send = (send_fn)(uintptr_t)dlsym(RTLD_NEXT, "send");
	next_accept = (accept_fn)(uintptr_t)dlsym(RTLD_NEXT, "accept");
	next_fwrite = (fwrite_fn)(uintptr_t)dlsym(RTLD_NEXT, "fwrite");
	next_lock = (lock_fn)(uintptr_t)dlsym(RTLD_NEXT, "pthread_mutex_lock");
	if (value && sscanf(value, "%lu %lu", &chance, &chance_ms) != 2) {
		fprintf(stderr, "late: CHANCE='%s' is not two numbers, as in '1000 2500'\n", value);
		_exit(2);
	}
}

static void
pause_ms(long ms)
{
	int saved = errno;

	poll(NULL, 0, (int)ms);
	errno = saved;
}

static void
be_late_by_chance(unsigned long calls)
{
	static _Thread_local uint64_t seed;
	struct timespec now;

	if (!chance)
		return;
	if (!seed) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec ^ (uintptr_t)&seed ^ 88172645463325252u;
	}
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	if (seed % (calls * chance) == 0)
		pause_ms((long)(seed / (calls * chance) % (chance_ms + 1)));
}

static bool
is_thread(const char *want)
{
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	return !strcmp(name, want);
}

/* Of the thread that deals with peers. */
static void
be_late_for_peers(const char *variable)
{
	const char *ms = getenv(variable);

	if (ms && is_thread("b-net"))
		pause_ms(strtol(ms, NULL, 10));
}

/* What was received, or is about to be sent. */
static void
be_late_once(const char *call, const void *bytes, size_t len)
{
	static _Atomic bool was_late;
	const char *late = getenv("LATE"), *done = getenv("LATE_DONE");
	char its_call[16], thread[16], word[32];
	int ms;

	if (!late || sscanf(late, "%15s %15s %31s %d", its_call, thread, word, &ms) != 4 ||
	    strcmp(call, its_call) != 0)
		return;
	if (memmem(bytes, len, word, strlen(word)) && is_thread(thread) &&
	    !atomic_exchange(&was_late, true)) {
		int fd = done ? open(done, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;

		if (fd >= 0)
			close(fd);
		pause_ms(ms);
	}
}

/* A name of its own: in GNU's C the address is of a type that ISO C does not have. */
int accept_late(int fd, struct sockaddr *address, socklen_t *len) __asm__("accept");

int
accept_late(int fd, struct sockaddr *address, socklen_t *len)
{
	int accepted = next_accept(fd, address, len);

	be_late_by_chance(1);
	if (accepted >= 0 && accepted < FDS_MAX)
		is_new[accepted] = true;
	if (accepted >= 0)
		be_late_for_peers("ACCEPT_LATE_MS");
	return accepted;
}

ssize_t
recv(int fd, void *bytes, size_t size, int flags)
{
	static const char magic[] = {'\xfa', '\xbf', '\xb5', '\xda'}; /* of regtest, by v1 */
	ssize_t n = next_recv(fd, bytes, size, flags);

	be_late_by_chance(1);
	if (n > 0)
		be_late_once("recv", bytes, (size_t)n);
	if (n <= 0 || fd < 0 || fd >= FDS_MAX || !is_new[fd])
		return n;
	is_new[fd] = false;
	if (n >= 64 && memcmp(bytes, magic, sizeof(magic)) != 0)
		be_late_for_peers("V2_LATE_MS");
	return n;
}

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	be_late_by_chance(1);
	be_late_once("send", bytes, size);
	return next_send(fd, bytes, size, flags);
}

/* A line of the log; other files are written in thousands of pieces. */
size_t
fwrite(const void *bytes, size_t size, size_t cnt, FILE *file)
{
	if (size == 1 && cnt && ((const char *)bytes)[cnt - 1] == '\n')
		be_late_by_chance(1);
	return next_fwrite(bytes, size, cnt, file);
}

/* Called before the constructor as well. */
int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (!next_lock)
		next_lock = (lock_fn)(uintptr_t)dlsym(RTLD_NEXT, "pthread_mutex_lock");
	be_late_by_chance(LOCKS_PER_CALL);
	return next_lock(mutex);
}

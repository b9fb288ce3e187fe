/* Preloaded into a bitcoind to make it behave like one with sanitizers. It prints on standard error:
 *   $INJECT_START  at once
 *   $HOME/say      when that file comes; it is removed then
 *   $INJECT_REST   2 s after $HOME/say; the program ends with status 1 then
 *   $INJECT_EXIT   when the program exits; its status is then 23
 * With $INJECT_FAIL, the program ends at once with status 1. With $INJECT_LINGER its first thread ends at once, so that
 * there is no program any more, and the process that many ms later, with status 1. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
say(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void *
watch(void *arg)
{
	char path[4096], text[4096];

	(void)arg;
	snprintf(path, sizeof(path), "%s/say", getenv("HOME"));
	for (;; poll(NULL, 0, 2)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;

		if (fd < 0)
			continue;
		while ((n = read(fd, text, sizeof(text))) > 0)
			say(text, (size_t)n);
		close(fd);
		unlink(path);
		const char *rest = getenv("INJECT_REST");
		if (!rest)
			continue;
		poll(NULL, 0, 2000);
		say(rest, strlen(rest));
		_exit(1);
	}
	return NULL;
}

static void *
linger(void *arg)
{
	(void)arg;
	poll(NULL, 0, (int)strtol(getenv("INJECT_LINGER"), NULL, 10));
	_exit(1);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("INJECT_START");
	pthread_t thread;

	if (text)
		say(text, strlen(text));
	if (getenv("INJECT_FAIL"))
		_exit(1);
	if (getenv("INJECT_LINGER") && !pthread_create(&thread, NULL, linger, NULL))
		syscall(SYS_exit, 0);
	if (getenv("HOME") && !pthread_create(&thread, NULL, watch, NULL))
		pthread_detach(thread);
}

__attribute__((destructor)) static void
end(void)
{
	const char *text = getenv("INJECT_EXIT");

	if (!text)
		return;
	say(text, strlen(text));
	_exit(23);
}

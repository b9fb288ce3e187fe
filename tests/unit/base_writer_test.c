/* Writes to readers that read slowly, not at all, or are gone. */
#include "base/writer.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 300000 };

static char much[MUCH];
static atomic_int no, yes = 1;

static bool
is_set(void *flag)
{
	return *(atomic_int *)flag;
}

static void
pipe_open(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
}

struct terminal {
	int master, slave;
};

static void
terminal_open(struct terminal *terminal)
{
	char name[64];

	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->master >= 0);
	assert_int_equal(grantpt(terminal->master), 0);
	assert_int_equal(unlockpt(terminal->master), 0);
	assert_int_equal(ptsname_r(terminal->master, name, sizeof(name)), 0);
	terminal->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->slave >= 0);
}

/* The write fails once the grace is over, and every later one at once. */
static void
assert_given_up(int fd)
{
	uint64_t start_ns = clock_now_ns();
	struct writer writer;

	writer_init(&writer, fd, is_set, (void *)(uintptr_t)&yes);
	assert_true(writer_write(&writer, much, MUCH) < MUCH);
	assert_int_equal(writer.error, ETIMEDOUT);
	uint64_t took_ms = (clock_now_ns() - start_ns) / 1000000;
	assert_in_range(took_ms, WRITER_GRACE_MS, WRITER_GRACE_MS + 5000);
	/* A busy machine may need several tries to show it. */
	uint64_t fastest_ms = UINT64_MAX;
	for (int i = 0; i < 10 && fastest_ms >= 500; i++) {
		start_ns = clock_now_ns();
		assert_int_equal(writer_write(&writer, "x", 1), 0);
		took_ms = (clock_now_ns() - start_ns) / 1000000;
		fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
	}
	assert_in_range(fastest_ms, 0, 499);
}

static void
test_stuck(void **state)
{
	struct terminal terminal;
	int fds[2];

	(void)state;
	pipe_open(fds);
	assert_given_up(fds[1]);
	close(fds[0]);
	close(fds[1]);
	/* Ctrl-S */
	terminal_open(&terminal);
	assert_int_equal(tcflow(terminal.slave, TCOOFF), 0);
	assert_given_up(terminal.slave);
	close(terminal.slave);
	close(terminal.master);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_given_up(fds[1]);
	close(fds[0]);
	close(fds[1]);
}

struct reader {
	int fd;
	unsigned pause_ms;
	atomic_int *interrupted; /* set after the first read; NULL: not */
	size_t got;
	pthread_t thread;
};

static void *
read_slowly(void *arg)
{
	struct reader *reader = arg;
	char bytes[4096];
	ssize_t n;

	do {
		clock_pause_ms(reader->pause_ms, deadline_in_ms(reader->pause_ms));
		n = read(reader->fd, bytes, sizeof(bytes));
		reader->got += n > 0 ? (size_t)n : 0;
		if (reader->interrupted)
			*reader->interrupted = 1;
	} while (n > 0);
	return NULL;
}

/* A reader that is slow gets everything, even after an interrupt. */
static void
test_slow(void **state)
{
	atomic_int interrupted = 0;
	struct reader reader = {.pause_ms = 20, .interrupted = &interrupted};
	struct writer writer;
	int fds[2];

	(void)state;
	pipe_open(fds);
	reader.fd = fds[0];
	assert_int_equal(pthread_create(&reader.thread, NULL, read_slowly, &reader), 0);
	writer_init(&writer, fds[1], is_set, (void *)(uintptr_t)&interrupted);
	assert_int_equal(writer_write(&writer, much, MUCH), MUCH);
	assert_int_equal(writer.error, 0);
	close(fds[1]);
	pthread_join(reader.thread, NULL);
	assert_int_equal(reader.got, MUCH);
	close(fds[0]);
}

/* Nobody is given up without an interrupt: this reader begins when the grace would be over. */
static void
test_patient(void **state)
{
	struct reader reader = {.pause_ms = WRITER_GRACE_MS + 300};
	struct writer writer;
	int fds[2];

	(void)state;
	pipe_open(fds);
	reader.fd = fds[0];
	writer_init(&writer, fds[1], is_set, (void *)(uintptr_t)&no);
	assert_int_equal(writer_write(&writer, much, 4096), 4096);
	assert_int_equal(pthread_create(&reader.thread, NULL, read_slowly, &reader), 0);
	assert_int_equal(writer_write(&writer, much, 4096), 4096);
	close(fds[1]);
	pthread_join(reader.thread, NULL);
	assert_int_equal(reader.got, 8192);
	close(fds[0]);
}

static void
test_gone(void **state)
{
	struct writer writer;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pipe_open(fds);
	writer_init(&writer, fds[1], NULL, NULL);
	assert_false(writer_has_no_reader(&writer));
	close(fds[0]);
	assert_true(writer_has_no_reader(&writer));
	assert_int_equal(writer_write(&writer, "x", 1), 0);
	assert_int_equal(writer.error, EPIPE);
	close(fds[1]);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	writer_init(&writer, full, is_set, (void *)(uintptr_t)&yes);
	assert_false(writer.may_block);
	assert_int_equal(writer_write(&writer, much, MUCH), 0);
	assert_int_equal(writer.error, ENOSPC);
	close(full);
}

static void
test_stream(void **state)
{
	char got[8] = "";
	int fds[2];

	(void)state;
	pipe_open(fds);
	FILE *out = writer_stream(fds[1], &yes);
	assert_non_null(out);
	fputs("ab", out);
	assert_int_equal(fflush(out), 0);
	assert_int_equal(read(fds[0], got, sizeof(got)), 2);
	errno = 0;
	assert_true(fwrite(much, 1, MUCH, out) < MUCH);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(ferror(out));
	fclose(out);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	close(fds[0]);
}

/* The new descriptor does not block; the old one, which others share, stays as it is. */
static void
test_reopen(void **state)
{
	struct terminal terminal;
	int fds[2];

	(void)state;
	pipe_open(fds);
	terminal_open(&terminal);
	for (int i = 0; i < 2; i++) {
		int fd = i ? terminal.slave : fds[1], again = writer_reopen(fd);

		assert_true(again > 2);
		assert_true(fcntl(again, F_GETFL) & O_NONBLOCK);
		assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_int_equal(fcntl(again, F_GETFD), FD_CLOEXEC);
		assert_int_equal(isatty(again), i);
		close(again);
	}
	/* A file is not opened again, which would begin at its start. */
	FILE *file = tmpfile();
	assert_non_null(file);
	assert_int_equal(write(fileno(file), "abc", 3), 3);
	int again = writer_reopen(fileno(file));
	assert_int_equal(write(again, "d", 1), 1);
	assert_int_equal(lseek(fileno(file), 0, SEEK_CUR), 4);
	close(again);
	fclose(file);
	assert_true(writer_reopen(-1) < 0);
	close(terminal.slave);
	close(terminal.master);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stuck), cmocka_unit_test(test_slow),   cmocka_unit_test(test_patient),
		cmocka_unit_test(test_gone),  cmocka_unit_test(test_stream), cmocka_unit_test(test_reopen),
	};

	memset(much, 'x', sizeof(much));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

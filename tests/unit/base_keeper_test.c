/* The keeper: what it does, that it undoes it whatever ends its owner, and the folders that it removes. */
#include "base/clock.h"
#include "base/fds.h"
#include "base/folder.h"
#include "base/keeper.h"
#include "base/xmem.h"
#include "refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 20000 };

static char scratch[64];

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

static int
make_scratch(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/keeper-test-XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

/* Fails if a test left something. */
static int
remove_scratch(void **state)
{
	(void)state;
	return rmdir(scratch);
}

static bool
exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static bool
ends_within(bool (*holds)(const char *), const char *path)
{
	struct deadline deadline = deadline_in_ms(WAIT_MS);

	while (holds(path) && !deadline_has_passed(deadline))
		clock_pause_ms(5, deadline);
	return !holds(path);
}

static bool
has_entries(const char *path)
{
	return rmdir(path) == 0 ? mkdir(path, 0700) != 0 : true;
}

/* A deed that writes into a file: its arguments, then the letter of its undoing. */
struct noted {
	int fd;
	char letter;
};

static int
note(void *cookie, const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	struct noted *noted = cookie;
	const char *text = args;

	if (text[0] == '!')
		return diag_fail(diag, -EDOM, "it is '%s'", text);
	assert_int_equal(fds_cnt, 1);
	noted->fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	noted->letter = (char)(text[0] - 'a' + 'A');
	return write(noted->fd, text, args_sz) == (ssize_t)args_sz ? 0 : -errno;
}

static int
unnote(void *cookie, struct diag *diag)
{
	struct noted *noted = cookie;
	ssize_t n = write(noted->fd, &noted->letter, 1);

	(void)diag;
	close(noted->fd);
	return n == 1 ? 0 : -EIO;
}

static const struct keeper_desc note_desc = {.state_sz = sizeof(struct noted), .work = note, .undo = unnote};

static void
do_note(struct keeper *keeper, struct keeper_deed *deed, char letter, int fd)
{
	struct diag diag;

	must(keeper_do(keeper, deed, &note_desc, &letter, 1, &fd, 1, &diag), &diag);
}

static void
assert_read(int fd, const char *want)
{
	struct deadline deadline = deadline_in_ms(WAIT_MS);
	char got[64] = "";
	size_t len = 0;

	while (len < strlen(want) && !deadline_has_passed(deadline)) {
		ssize_t n = pread(fd, got, sizeof(got) - 1, 0);

		len = n > 0 ? (size_t)n : 0;
		got[len] = '\0';
		clock_pause_ms(1, deadline);
	}
	assert_string_equal(got, want);
}

static int
make_file(void)
{
	int fd = open(scratch, O_RDWR | O_TMPFILE | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
test_undoes_in_reverse(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		struct keeper_deed a, b, c;
		struct keeper *keeper = NULL;
		struct diag diag;
		int fd = make_file();

		if (with)
			must(keeper_start(&keeper, NULL, &diag), &diag);
		do_note(keeper, &a, 'a', fd);
		do_note(keeper, &b, 'b', fd);
		do_note(keeper, &c, 'c', fd);
		assert_int_equal(((struct noted *)b.state)->letter, 'B');
		must(keeper_undo(&b, &diag), &diag);
		must(keeper_undo(&b, &diag), &diag); /* nothing */
		assert_read(fd, "abcB");
		if (with) {
			keeper_stop(keeper, NULL);
			free(a.state);
			free(c.state);
		} else {
			keeper_undo(&c, NULL);
			keeper_undo(&a, NULL);
		}
		assert_read(fd, "abcBCA");
		close(fd);
	}
}

static void
test_errors_come_back(void **state)
{
	static const char much[KEEPER_ARGS_MAX + 1];
	struct keeper_deed deed;
	struct keeper *keeper;
	struct diag diag;

	(void)state;
	must(keeper_start(&keeper, NULL, &diag), &diag);
	assert_int_equal(keeper_do(keeper, &deed, &note_desc, "!x", 3, NULL, 0, &diag), -EDOM);
	assert_string_equal(diag.text, "it is '!x'");
	assert_null(deed.state);
	assert_int_equal(keeper_undo(&deed, &diag), 0);
	assert_int_equal(keeper_do(keeper, &deed, &note_desc, much, sizeof(much), NULL, 0, &diag), -E2BIG);
	keeper_stop(keeper, NULL);
}

static int
count_files(void *cookie, const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	(void)cookie;
	(void)args;
	(void)args_sz;
	for (size_t i = 0; i < fds_cnt; i++)
		if (fcntl(fds[i], F_GETFD) < 0)
			return diag_fail(diag, -errno, "descriptor %zu is not open", i);
	return fds_cnt == FDS_MAX ? 0 : diag_fail(diag, -EDOM, "%zu descriptors came", fds_cnt);
}

static int
forget(void *cookie, struct diag *diag)
{
	(void)cookie;
	(void)diag;
	return 0;
}

/* More than once: a keeper that harms itself when it closes them would not obey again. */
static void
test_as_many_files_as_possible(void **state)
{
	static const struct keeper_desc desc = {.state_sz = 1, .work = count_files, .undo = forget};
	struct keeper_deed deeds[2], deed;
	struct keeper *keeper;
	struct diag diag;
	int fd = make_file();
	const int fds[FDS_MAX + 1] = {fd, fd, fd, fd, fd};

	(void)state;
	must(keeper_start(&keeper, NULL, &diag), &diag);
	for (int i = 0; i < 2; i++)
		must(keeper_do(keeper, &deeds[i], &desc, "", 1, fds, FDS_MAX, &diag), &diag);
	assert_int_equal(keeper_do(keeper, &deed, &desc, "", 1, fds, FDS_MAX + 1, &diag), -E2BIG);
	for (int i = 0; i < 2; i++)
		must(keeper_undo(&deeds[i], &diag), &diag);
	keeper_stop(keeper, NULL);
	close(fd);
}

/* In the child: the owner, which is killed. */
static _Noreturn void
own_and_wait(int fd, int ready_fd)
{
	struct keeper_deed a, b;
	struct keeper *keeper;
	struct folder folder;
	struct diag diag;

	signal(SIGSEGV, SIG_DFL); /* cmocka catches it */
	must(keeper_start(&keeper, NULL, &diag), &diag);
	must(folder_make(&folder, keeper, scratch, "tpcheck-x-", FOLDER_HOME, &diag), &diag);
	char *file = xasprintf("%s/file", folder.path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	do_note(keeper, &a, 'a', fd);
	do_note(keeper, &b, 'b', fd);
	assert_int_equal(write(ready_fd, "r", 1), 1);
	for (;;)
		pause();
}

static void
test_undoes_when_its_owner_is_killed(void **state)
{
	static const int signals[] = {SIGKILL, SIGABRT, SIGSEGV, SIGTERM, SIGUSR1};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int fd = make_file(), ready[2];
		char byte;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0)
			own_and_wait(fd, ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		kill(pid, signals[i]);
		waitpid(pid, NULL, 0);
		assert_read(fd, "abBA");
		assert_true(ends_within(has_entries, scratch));
		/* The keeper holds no other descriptor: the pipe has ended with its owner. */
		assert_int_equal(read(ready[0], &byte, 1), 0);
		close(ready[0]);
		close(fd);
	}
}

/* What takes long to undo. */

enum { SLOW_MS = 5000 };

struct slow {
	int fd, gate_fd;
};

static int
begin_slowly(void *cookie, const void *args, size_t args_sz, const int *fds, size_t fds_cnt,
	     struct diag *diag)
{
	struct slow *slow = cookie;

	(void)args;
	(void)args_sz;
	(void)diag;
	assert_int_equal(fds_cnt, 2);
	slow->fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	slow->gate_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	return 0;
}

/* Waits for a byte: "!" makes it fail. */
static int
end_slowly(void *cookie, struct diag *diag)
{
	const struct slow *slow = cookie;
	struct pollfd pollfd = {.fd = slow->gate_fd, .events = POLLIN};
	char byte = 0;

	if (poll(&pollfd, 1, SLOW_MS) == 1 && read(slow->gate_fd, &byte, 1) == 1 && byte == '!')
		return diag_fail(diag, -EIO, "failed as the test asked");
	return write(slow->fd, "S", 1) == 1 ? 0 : -errno;
}

static const struct keeper_desc slow_desc = {
	.state_sz = sizeof(struct slow), .work = begin_slowly, .undo = end_slowly};

static void
do_slow(struct keeper *keeper, struct keeper_deed *deed, int fd, int gate_fd)
{
	const int fds[] = {fd, gate_fd};
	struct diag diag;

	must(keeper_do(keeper, deed, &slow_desc, "", 1, fds, 2, &diag), &diag);
}

static unsigned
count_open_files(void)
{
	unsigned cnt = 0;

	for (int fd = 0; fd < 256; fd++)
		cnt += fcntl(fd, F_GETFD) >= 0;
	return cnt;
}

static void
test_others_are_served_while_something_is_undone(void **state)
{
	struct keeper_deed slow, a;
	struct keeper *keeper;
	struct diag diag;
	int fd = make_file(), gate[2];

	(void)state;
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	const unsigned before = count_open_files();
	must(keeper_start(&keeper, NULL, &diag), &diag);
	for (int fails = 0; fails < 2; fails++) {
		do_slow(keeper, &slow, fd, gate[0]);
		keeper_undo_begin(&slow);
		keeper_undo_begin(&slow); /* once */
		do_note(keeper, &a, 'a', fd);
		must(keeper_undo(&a, &diag), &diag);
		assert_read(fd, fails ? "aASaA" : "aA");
		assert_int_equal(write(gate[1], fails ? "!" : ".", 1), 1);
		assert_int_equal(keeper_undo(&slow, &diag), fails ? -EIO : 0);
		assert_null(slow.state);
		assert_read(fd, fails ? "aASaA" : "aAS");
	}
	assert_string_equal(diag.text, "failed as the test asked");
	keeper_undo_begin(&slow); /* nothing */
	assert_int_equal(keeper_undo(&slow, &diag), 0);
	must(keeper_stop(keeper, &diag), &diag);
	assert_int_equal(count_open_files(), before);
	/* The end of the keeper is the end of its answer. */
	must(keeper_start(&keeper, NULL, &diag), &diag);
	do_slow(keeper, &slow, fd, gate[0]);
	keeper_undo_begin(&slow);
	kill(keeper_pid(keeper), SIGKILL);
	assert_int_equal(keeper_undo(&slow, &diag), -EPIPE);
	keeper_stop(keeper, NULL);
	for (int i = 0; i < 2; i++)
		close(gate[i]);
	close(fd);
}

static int
hold(void *state, const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	(void)state, (void)args, (void)args_sz, (void)diag;
	for (size_t i = 0; i < fds_cnt; i++)
		assert_true(fcntl(fds[i], F_DUPFD_CLOEXEC, 3) >= 0);
	return 0;
}

/* As long as the check succeeds, nothing that the keeper holds was closed. */
static void
test_check(void **state)
{
	static const struct keeper_desc desc = {.work = hold, .undo = forget};

	(void)state;
	assert_int_equal(keeper_check(NULL, NULL), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct keeper_deed deed = {0};
		struct keeper *keeper;
		struct diag diag;
		char want[200];
		int held[2];

		must(keeper_start(&keeper, NULL, &diag), &diag);
		assert_int_equal(pipe2(held, O_CLOEXEC), 0);
		must(keeper_do(keeper, &deed, &desc, NULL, 0, &held[1], 1, &diag), &diag);
		close(held[1]);
		assert_int_equal(keeper_check(keeper, &diag), 0);
		kill(keeper_pid(keeper), SIGKILL);
		assert_int_equal(poll(&(struct pollfd){.fd = held[0]}, 1, WAIT_MS), 1);
		assert_int_equal(keeper_check(keeper, &diag), -EPIPE);
		snprintf(
			want, sizeof(want),
			"keeper: the process %d (usdt-keeper) was killed, which takes out what tpcheck put into other processes",
			(int)keeper_pid(keeper));
		assert_string_equal(diag.text, want);
		assert_int_equal(keeper_check(keeper, NULL), -EPIPE);
		assert_int_equal(keeper_undo(&deed, NULL), -EPIPE);
		keeper_stop(keeper, NULL);
		close(held[0]);
	}
}

/* Without a keeper, and when no descriptors are left, keeper_undo does it all. */
static void
test_beginning_to_undo_is_not_required(void **state)
{
	struct rlimit limit, none;
	struct keeper_deed a, b;
	struct keeper *keeper;
	struct diag diag;
	int fd = make_file();

	(void)state;
	do_note(NULL, &a, 'a', fd);
	keeper_undo_begin(&a);
	assert_read(fd, "a");
	must(keeper_undo(&a, &diag), &diag);
	must(keeper_start(&keeper, NULL, &diag), &diag);
	do_note(keeper, &b, 'b', fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	keeper_undo_begin(&b);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_false(b.is_undoing);
	must(keeper_undo(&b, &diag), &diag);
	assert_read(fd, "aAbB");
	keeper_stop(keeper, NULL);
	close(fd);
}

enum { FEW = 24 };

static int
hold_a_file(void *cookie, const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	int *fd = cookie;

	(void)args;
	(void)args_sz;
	(void)fds;
	(void)fds_cnt;
	(void)diag;
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/* In the child: the keeper has no room for the descriptor through which it should answer. It answers nowhere else. */
static _Noreturn void
fill_the_keeper(int fd)
{
	static const struct keeper_desc desc = {.state_sz = sizeof(int), .work = hold_a_file, .undo = forget};
	const struct rlimit few = {FEW, FEW};
	struct keeper_deed first, deeds[FEW], other;
	struct keeper *keeper;
	struct diag diag;
	size_t cnt = 0;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	must(keeper_start(&keeper, NULL, &diag), &diag);
	do_note(keeper, &first, 'a', fd);
	while (cnt < FEW && !keeper_do(keeper, &deeds[cnt], &desc, "", 1, NULL, 0, &diag))
		cnt++;
	assert_true(cnt && cnt < FEW);
	keeper_undo_begin(&first);
	assert_true(first.is_undoing);
	assert_int_equal(keeper_undo(&first, &diag), -EPIPE);
	assert_read(fd, "aA");
	must(keeper_do(keeper, &other, &desc, "", 1, NULL, 0, &diag), &diag);
	assert_true(*(const int *)other.state > 0);
	keeper_stop(keeper, NULL);
	_exit(0);
}

static void
test_no_room_for_an_answer(void **state)
{
	int fd = make_file(), status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		fill_the_keeper(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

static void
test_what_is_being_undone_when_its_owner_is_killed(void **state)
{
	int fd = make_file(), ready[2], gate[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct keeper_deed slow, a;
		struct keeper *keeper;
		struct diag diag;

		must(keeper_start(&keeper, NULL, &diag), &diag);
		do_slow(keeper, &slow, fd, gate[0]);
		do_note(keeper, &a, 'a', fd);
		keeper_undo_begin(&slow);
		assert_int_equal(write(ready[1], "r", 1), 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_read(fd, "aA");
	assert_int_equal(write(gate[1], ".", 1), 1);
	assert_read(fd, "aAS");
	for (int i = 0; i < 2; i++)
		close(gate[i]);
	close(ready[0]);
	close(fd);
}

static int
refuse(void *cookie, struct diag *diag)
{
	return diag_fail(diag, -EPERM, "%s", (const char *)cookie);
}

static bool
is_other_group(pid_t pid)
{
	return getpgid(pid) == pid && getsid(pid) == pid;
}

static int
oom_score(pid_t pid)
{
	char path[64];
	int score;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &score), 1);
	fclose(file);
	return score;
}

static bool
set_oom_score(int score)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");

	assert_non_null(file);
	fprintf(file, "%d", score);
	return fclose(file) == 0;
}

/* Out of memory, the kernel kills others first, if this process may ask for that. */
static void
test_is_spared_when_memory_runs_out(void **state)
{
	const int own = oom_score(getpid());
	struct keeper *keeper;
	struct diag diag;
	bool may = set_oom_score(-1000);

	(void)state;
	assert_true(!may || set_oom_score(own));
	must(keeper_start(&keeper, NULL, &diag), &diag);
	assert_int_equal(oom_score(keeper_pid(keeper)), may ? -1000 : own);
	keeper_stop(keeper, NULL);
	assert_int_equal(oom_score(getpid()), own);
}

static void
test_its_own_process(void **state)
{
	struct keeper_opts opts = {.prepare = refuse, .cookie = (void *)(uintptr_t) "not here"};
	struct keeper *keeper;
	char path[64], name[32] = "";
	struct diag diag;

	(void)state;
	assert_int_equal(keeper_start(&keeper, &opts, &diag), -EPERM);
	assert_string_equal(diag.text, "not here");
	assert_null(keeper);
	must(keeper_start(&keeper, NULL, &diag), &diag);
	pid_t pid = keeper_pid(keeper);
	assert_true(is_other_group(pid));
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(name, sizeof(name), file));
	fclose(file);
	assert_string_equal(name, "usdt-keeper\n");
	for (int signo = 1; signo < 32; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			kill(pid, signo);
	struct keeper_deed deed;
	int fd = make_file();
	do_note(keeper, &deed, 'a', fd);
	must(keeper_undo(&deed, &diag), &diag);
	assert_read(fd, "aA");
	close(fd);
	keeper_stop(keeper, NULL);
	assert_int_equal(kill(pid, 0), -1);
}

static void
test_a_killed_keeper(void **state)
{
	struct keeper_deed deed;
	struct keeper *keeper;
	struct folder folder;
	struct diag diag;

	(void)state;
	must(keeper_start(&keeper, NULL, &diag), &diag);
	must(folder_make(&folder, keeper, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	int fd = make_file();
	do_note(keeper, &deed, 'a', fd);
	kill(keeper_pid(keeper), SIGKILL);
	assert_int_equal(keeper_undo(&deed, &diag), -EPIPE);
	assert_non_null(strstr(diag.text, "was killed"));
	assert_int_equal(keeper_do(keeper, &deed, &note_desc, "b", 1, &fd, 1, &diag), -EPIPE);
	/* The folder is locked by its owner still, and removed by it. */
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &diag), 0);
	assert_true(exists(folder.path));
	must(folder_remove(&folder, &diag), &diag);
	close(fd);
	keeper_stop(keeper, NULL);
}

static void
assert_is_stopped(int err, const struct diag *diag, pid_t pid)
{
	char remedy[128];

	snprintf(remedy, sizeof(remedy),
		 "is stopped, and cannot undo what tpcheck did; let it go on: kill -CONT %d", (int)pid);
	assert_int_equal(err, -ETIMEDOUT);
	assert_non_null(strstr(diag->text, remedy));
}

/* Somebody stops it: nothing waits for ever, and it undoes everything when it goes on. */
static void
test_a_stopped_keeper(void **state)
{
	struct keeper_deed deed, begun, more;
	struct keeper *keeper;
	struct folder folder;
	struct diag diag;
	siginfo_t info;

	(void)state;
	must(keeper_start(&keeper, NULL, &diag), &diag);
	must(folder_make(&folder, keeper, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	int fd = make_file();
	do_note(keeper, &deed, 'a', fd);
	do_note(keeper, &begun, 'c', fd);
	pid_t pid = keeper_pid(keeper);
	kill(pid, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
	keeper_undo_begin(&begun);
	assert_true(begun.is_undoing);
	assert_is_stopped(keeper_do(keeper, &more, &note_desc, "b", 1, &fd, 1, &diag), &diag, pid);
	/* At once from now on. */
	uint64_t start_ns = clock_now_ns();
	assert_is_stopped(keeper_undo(&begun, &diag), &diag, pid);
	assert_is_stopped(keeper_undo(&deed, &diag), &diag, pid);
	assert_is_stopped(keeper_stop(keeper, &diag), &diag, pid);
	assert_in_range((clock_now_ns() - start_ns) / 1000000, 0, 3000);
	assert_true(exists(folder.path));
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(exists(folder.path));
	free(folder.deed.state);
	close(fd);

	must(keeper_start(&keeper, NULL, &diag), &diag);
	pid = keeper_pid(keeper);
	kill(pid, SIGSTOP);
	assert_is_stopped(keeper_stop(keeper, &diag), &diag, pid);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
make_deep(const char *path, unsigned depth)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < depth; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		int sub = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(openat(sub, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		close(fd);
		fd = sub;
	}
	close(fd);
}

static void
test_removes_any_depth_and_no_links(void **state)
{
	char *outside = xasprintf("%s/outside", scratch), *kept = xasprintf("%s/kept", outside);
	struct folder folder;
	struct diag diag;

	(void)state;
	assert_int_equal(mkdir(outside, 0700), 0);
	assert_int_equal(mkdir(kept, 0700), 0);
	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	char *link = xasprintf("%s/link", folder.path), *path = xstrdup(folder.path);
	assert_int_equal(symlink(outside, link), 0);
	make_deep(folder.path, 300);
	must(folder_remove(&folder, &diag), &diag);
	assert_false(exists(path));
	assert_true(exists(kept));
	rmdir(kept);
	rmdir(outside);
	free(link);
	free(path);
	free(kept);
	free(outside);
}

/* One that was moved away and replaced by something else. */
static void
test_removes_nothing_else(void **state)
{
	struct folder folder;
	struct diag diag;

	(void)state;
	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	char *path = xstrdup(folder.path), *moved = xasprintf("%s-moved", path);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(folder_remove(&folder, &diag), -ESTALE);
	assert_true(exists(path) && exists(moved));
	rmdir(path);
	rmdir(moved);
	free(path);
	free(moved);
}

static void
test_names_what_it_cannot_remove(void **state)
{
	struct folder folder;
	struct diag diag;

	(void)state;
	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	char *path = xstrdup(folder.path), *busy = xasprintf("%s/busy", path),
	     *file = xasprintf("%s/file", busy);
	char *lock = xasprintf("%s.lock", path);
	assert_int_equal(mkdir(busy, 0700), 0);
	if (mount("none", busy, "tmpfs", 0, NULL)) {
		folder_remove(&folder, NULL);
		free(lock);
		skip();
	}
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	int err = folder_remove(&folder, &diag);
	bool file_stays = exists(file);
	umount(busy);
	assert_int_equal(err, -ENOTEMPTY);
	assert_non_null(strstr(diag.text, path));
	assert_true(file_stays); /* another file system is not entered */
	/* Its owner no longer uses it: the next sweep removes it. */
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &diag), 1);
	assert_false(exists(path) || exists(lock));
	free(path);
	free(busy);
	free(file);
	free(lock);
}

/* In a child: what is refused stays so. */
static bool
fails_without_locks(int errno_value)
{
	struct folder folder;
	struct diag diag;
	char want[256];

	if (!test_refuse_call(SYS_flock, (unsigned)errno_value))
		return false;
	int err = folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag);
	snprintf(want, sizeof(want), "failed to lock a file in '%s': %s; %s", scratch, strerror(errno_value),
		 errno_value == EPERM ? "something forbids flock(), such as a seccomp profile"
				      : "set TMPDIR to a file system with locks");
	if (err == -errno_value && !folder.path && !strcmp(diag.text, want))
		return true;
	fprintf(stderr, "got %d: %s\n", err, err ? diag.text : "");
	return false;
}

/* As on some network file systems, or with a seccomp profile. What stays is found by remove_scratch. */
static void
test_a_file_system_without_locks(void **state)
{
	static const int errnos[] = {ENOLCK, EOPNOTSUPP, EPERM};

	(void)state;
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(!fails_without_locks(errnos[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* A sweeper takes a new file for that of a dead process, if it sees it before it is locked. */
static bool sweeps; /* the next time */
static char *swept; /* what it was */

static void
sweep(int fd)
{
	char link[64], path[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, path, sizeof(path) - 1) > 0);
	assert_int_equal(unlink(path), 0);
	swept = xstrdup(path);
}

/* In place of the one in the C library. */
int
flock(int fd, int operation)
{
	if (sweeps) {
		sweeps = false;
		sweep(fd);
	}
	return (int)syscall(SYS_flock, fd, operation);
}

/* A lock on a file that has no name protects nothing. */
static void
test_a_lock_that_was_swept_before_it_was_locked(void **state)
{
	struct folder folder;
	struct diag diag;

	(void)state;
	sweeps = true;
	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	char *lock = xasprintf("%s.lock", folder.path);
	assert_false(sweeps);
	assert_non_null(swept);
	assert_string_not_equal(lock, swept);
	assert_true(exists(lock));
	must(folder_remove(&folder, &diag), &diag);
	free(lock);
	free(swept);
}

static void
write_lock(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Leaves a folder as a killed process does. */
static char *
leave_folder(void)
{
	struct folder folder;
	struct diag diag;

	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	char *path = xstrdup(folder.path);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	close(folder.lock_fd);
	/* The second lock is in the state, whose layout is private: fetch it by looking for the file. */
	char *lock = xasprintf("%s.lock", path);
	struct stat want, st;
	assert_int_equal(stat(lock, &want), 0);
	for (int fd = 3; fd < 64; fd++)
		if (!fstat(fd, &st) && st.st_ino == want.st_ino && st.st_dev == want.st_dev)
			close(fd);
	free(lock);
	free(folder.deed.state);
	return path;
}

static void
test_sweeps_what_dead_ones_left(void **state)
{
	struct folder live;
	struct diag diag;
	char *left = leave_folder(), *lock = xasprintf("%s.lock", left);

	(void)state;
	must(folder_make(&live, NULL, scratch, "tpcheck-x-", FOLDER_PLAIN, &diag), &diag);
	make_deep(left, 3);
	assert_int_equal(folder_sweep(scratch, "tpcheck-y-", &diag), 0);
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &diag), 1);
	assert_string_equal(diag.text, "");
	assert_false(exists(left) || exists(lock));
	assert_true(exists(live.path));
	must(folder_remove(&live, &diag), &diag);
	free(left);
	free(lock);
}

/* What a sweep must leave alone: returns whether it did. */
static bool
is_left_alone(const char *folder, const char *lock)
{
	struct diag diag;

	return folder_sweep(scratch, "tpcheck-x-", &diag) == 0 && exists(folder) && (!lock || exists(lock));
}

static void
test_sweeps_nothing_that_looks_like_it(void **state)
{
	char *folder = xasprintf("%s/tpcheck-x-abcdef", scratch), *lock = xasprintf("%s.lock", folder);
	char *other = xasprintf("%s/other", scratch);
	struct stat st;
	char text[64];

	(void)state;
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_true(is_left_alone(folder, NULL));
	/* Of another folder. */
	assert_int_equal(stat(folder, &st), 0);
	snprintf(text, sizeof(text), "tpcheck folder %ju %ju\n", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + 1);
	write_lock(lock, text);
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &(struct diag){""}), 0);
	assert_true(exists(folder));
	unlink(lock);
	/* Not ours. */
	write_lock(lock, "notes of mine\n");
	assert_true(is_left_alone(folder, lock));
	unlink(lock);
	snprintf(text, sizeof(text), "tpcheck folder %ju %ju\n", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	write_lock(other, text);
	assert_int_equal(link(other, lock), 0);
	assert_true(is_left_alone(folder, lock));
	unlink(lock);
	assert_int_equal(symlink(other, lock), 0);
	assert_true(is_left_alone(folder, lock));
	unlink(lock);
	unlink(other);
	write_lock(lock, text);
	if (geteuid() == 0) {
		assert_int_equal(chown(lock, 12345, 12345), 0);
		assert_true(is_left_alone(folder, lock));
		assert_int_equal(chown(lock, 0, 0), 0);
	}
	assert_int_equal(chmod(lock, 0666), 0);
	assert_true(is_left_alone(folder, lock));
	assert_int_equal(chmod(lock, 0600), 0);
	/* And this is. */
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &(struct diag){""}), 1);
	assert_false(exists(folder) || exists(lock));
	/* Killed before it could write: an empty folder or none. */
	write_lock(lock, "");
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(rename(other, folder), 0);
	char *inside = xasprintf("%s/inside", folder);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_true(is_left_alone(folder, lock));
	rmdir(inside);
	assert_int_equal(folder_sweep(scratch, "tpcheck-x-", &(struct diag){""}), 1);
	assert_false(exists(folder) || exists(lock));
	free(inside);
	free(folder);
	free(lock);
	free(other);
}

/* A daemon: a session of its own, and no parent that knows it. */
static pid_t
start_daemon(const char *home)
{
	int fds[2];
	pid_t daemon = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char *variable = xasprintf("HOME=%s", home);
		char sleep_name[] = "sleep", seconds[] = "600", first[] = "A=B";
		char *const args[] = {sleep_name, seconds, NULL}, *const env[] = {first, variable, NULL};

		setsid();
		daemon = fork();
		if (daemon == 0) {
			execve("/bin/sleep", args, env);
			_exit(127);
		}
		_exit(write(fds[1], &daemon, sizeof(daemon)) != sizeof(daemon));
	}
	assert_int_equal(read(fds[0], &daemon, sizeof(daemon)), sizeof(daemon));
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return daemon;
}

static bool
sleeps(const char *pid)
{
	char *path = xasprintf("/proc/%s/stat", pid), line[256] = "";
	FILE *file = fopen(path, "re");

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
	}
	free(path);
	return strstr(line, "(sleep) ") && !strstr(line, "(sleep) Z");
}

static bool
does_not_sleep(const char *pid)
{
	return !sleeps(pid);
}

static void
test_ends_processes_at_home(void **state)
{
	struct folder folder;
	struct diag diag;
	char ours[16], other[16];

	(void)state;
	must(folder_make(&folder, NULL, scratch, "tpcheck-x-", FOLDER_HOME, &diag), &diag);
	snprintf(ours, sizeof(ours), "%d", (int)start_daemon(folder.path));
	char *below = xasprintf("%s/below", folder.path);
	pid_t other_pid = start_daemon(below);
	snprintf(other, sizeof(other), "%d", (int)other_pid);
	assert_true(ends_within(does_not_sleep, ours));
	assert_true(ends_within(does_not_sleep, other));
	must(folder_remove(&folder, &diag), &diag);
	bool has_ended = !sleeps(ours), other_runs = sleeps(other);
	kill(other_pid, SIGKILL);
	assert_true(has_ended);
	assert_true(other_runs);
	free(below);
}

/* One that never stops executing itself: during execve it has no environment. */
static void
test_ends_processes_that_execute(void **state)
{
	enum { TRIES = 60 };
	char *script = xasprintf("%s/again", scratch), *home = xasprintf("HOME=%s", scratch);
	struct diag diag;
	unsigned missed = 0;

	(void)state;
	FILE *file = fopen(script, "w");
	assert_non_null(file);
	fputs("exec /bin/sh \"$0\"\n", file);
	assert_int_equal(fclose(file), 0);
	for (int i = 0; i < TRIES; i++) {
		int ready[2];
		siginfo_t info = {0};

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (!pid) {
			execle("/bin/sh", "sh", script, NULL, (char *[]){home, NULL});
			_exit(1);
		}
		close(ready[1]);
		char byte;
		assert_int_equal(read(ready[0], &byte, 1), 0); /* closed by the first exec */
		close(ready[0]);
		must(folder_end_processes(scratch, &diag), &diag);
		assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
		missed += info.si_pid == 0;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	unlink(script);
	free(script);
	free(home);
	assert_int_equal(missed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_undoes_in_reverse, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_errors_come_back, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_as_many_files_as_possible, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_undoes_when_its_owner_is_killed, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_others_are_served_while_something_is_undone,
						make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_beginning_to_undo_is_not_required, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_no_room_for_an_answer, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_what_is_being_undone_when_its_owner_is_killed,
						make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_its_own_process, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_a_killed_keeper, make_scratch, remove_scratch),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_is_spared_when_memory_runs_out),
		cmocka_unit_test_setup_teardown(test_a_stopped_keeper, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_removes_any_depth_and_no_links, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_removes_nothing_else, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_names_what_it_cannot_remove, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_a_file_system_without_locks, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_a_lock_that_was_swept_before_it_was_locked, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_sweeps_what_dead_ones_left, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_sweeps_nothing_that_looks_like_it, make_scratch,
						remove_scratch),
		cmocka_unit_test_setup_teardown(test_ends_processes_at_home, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_ends_processes_that_execute, make_scratch,
						remove_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

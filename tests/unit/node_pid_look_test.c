/* What a PID is: threads, children, processes that have ended, numbers in other PID namespaces. */
#include "node/pid_look.h"

#include "base/signals.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Starts a child that runs a function and then waits to be killed; returns once the function has. */
static pid_t
start(void (*begin)(int answer), pid_t *from_child)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signals_end_with(parent); /* should the test fail */
		close(fds[0]);
		begin(fds[1]);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], from_child, sizeof(*from_child)), sizeof(*from_child));
	close(fds[0]);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool
has(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->cnt; i++)
		if (pids->items[i] == pid)
			return true;
	return false;
}

static void
test_ourselves(void **state)
{
	struct pid_look look;
	char exe[1024] = "";

	(void)state;
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_true(pid_look(getpid(), &look));
	assert_int_equal(look.process, getpid());
	assert_int_equal(look.parent, getppid());
	assert_string_equal(look.exe, exe);
	assert_string_equal(look.program, "");
	assert_string_equal(look.library, "");
	assert_false(look.has_ended);
	assert_false(look.is_kernel);
	assert_false(pid_look(0x7fffffff, &look));
}

static void *
report_thread(void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (write(*(int *)arg, &tid, sizeof(tid)) != sizeof(tid))
		abort();
	for (;;)
		pause();
	return NULL;
}

static void
begin_thread(int answer)
{
	static int fd;
	pthread_t thread;

	fd = answer;
	pthread_create(&thread, NULL, report_thread, &fd);
}

static void
test_a_thread(void **state)
{
	struct pid_look look;
	pid_t tid, pid = start(begin_thread, &tid);

	(void)state;
	assert_int_not_equal(tid, pid);
	assert_true(pid_look(tid, &look));
	assert_int_equal(look.process, pid);
	end(pid);
}

static void
begin_child(int answer)
{
	pid_t child = fork();

	if (!child) {
		/* It may be in a PID namespace of its own, which its parent is not in. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (write(answer, &child, sizeof(child)) != sizeof(child))
		abort();
}

static void
test_descendants(void **state)
{
	struct pids pids;
	pid_t inner, outer = start(begin_child, &inner);

	(void)state;
	pid_descendants(getpid(), &pids);
	assert_int_equal(pids.cnt, 2);
	assert_int_equal(pids.items[0], outer);
	assert_int_equal(pids.items[1], inner);
	pids_fini(&pids);
	pid_descendants(outer, &pids);
	assert_int_equal(pids.cnt, 1);
	assert_int_equal(pids.items[0], inner);
	pids_fini(&pids);
	pid_descendants(inner, &pids);
	assert_int_equal(pids.cnt, 0);
	pids_fini(&pids);
	kill(inner, SIGKILL);
	end(outer);
}

enum { MANY = 400 };

static void
begin_many(int answer)
{
	pid_t parent = getpid(), last = 0;

	for (int i = 0; i < MANY; i++) {
		last = fork();
		if (!last) {
			signals_end_with(parent);
			for (;;)
				pause();
		}
	}
	if (write(answer, &last, sizeof(last)) != sizeof(last))
		abort();
}

/* A process is not overlooked because there are many others. */
static void
test_many(void **state)
{
	char name[1024] = "";
	struct pids pids;
	pid_t last, outer = start(begin_many, &last);

	(void)state;
	assert_true(readlink("/proc/self/exe", name, sizeof(name) - 1) > 0);
	pid_descendants(outer, &pids);
	assert_int_equal(pids.cnt, MANY);
	assert_true(has(&pids, last));
	pids_fini(&pids);
	pid_named(strrchr(name, '/') + 1, &pids);
	assert_true(pids.cnt >= MANY + 2);
	assert_true(has(&pids, last));
	pids_fini(&pids);
	end(outer);
}

static void
test_a_process_that_has_ended(void **state)
{
	struct pid_look look;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(pid_look(pid, &look));
	assert_true(look.has_ended);
	assert_false(look.is_kernel);
	waitpid(pid, NULL, 0);
	assert_false(pid_look(pid, &look));
}

static void
test_a_command_line(void **state)
{
	struct pid_look look = {.program = ""};
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "-e", "kill -STOP $$; \033", NULL);
		_exit(1);
	}
	/* Within execve a command line is empty. */
	while (!*look.program && pid_look(pid, &look) && !look.has_ended)
		continue;
	/* What is not printable is replaced. */
	assert_string_equal(look.program, "kill -STOP $$; ?");
	end(pid);
}

static void
begin_in_namespace(int answer)
{
	if (unshare(CLONE_NEWPID)) {
		pid_t none = 0;

		if (write(answer, &none, sizeof(none)) != sizeof(none))
			abort();
		return;
	}
	begin_child(answer);
}

static void
test_the_number_in_a_container(void **state)
{
	struct pids pids;
	pid_t inner, outer = start(begin_in_namespace, &inner);

	(void)state;
	pid_in_containers(1, &pids);
	if (inner)
		assert_true(has(&pids, inner));
	assert_false(has(&pids, outer));
	pids_fini(&pids);
	pid_in_containers(0x7fffffff, &pids);
	assert_int_equal(pids.cnt, 0);
	pids_fini(&pids);
	if (inner)
		kill(inner, SIGKILL);
	end(outer);
	if (!inner)
		skip();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ourselves),
		cmocka_unit_test(test_a_thread),
		cmocka_unit_test(test_descendants),
		cmocka_unit_test(test_a_process_that_has_ended),
		cmocka_unit_test(test_a_command_line),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_the_number_in_a_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

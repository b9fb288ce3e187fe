/* Which step of starting a program failed, and what helps. Filters of system calls make the steps fail, or pass without
 * an effect, in processes of their own. A program begins with no signal ignored or blocked. And a program that somebody
 * else reaped. */
#include "base/privileges.h"
#include "node/process.h"
#include "surroundings.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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

/* A system call, and the error that it ends with; 0: none, but it does nothing. The last one is 0. */
struct answer {
	unsigned number, errno_value;
};

static void
answer_for_kernel(const struct answer *answers)
{
	for (; answers->number; answers++) {
		struct sock_filter filter[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, answers->number, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answers->errno_value),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		const struct sock_fprog program = {.len = 4, .filter = filter};

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			_exit(77);
	}
}

struct start {
	const char *program, *dir;
	bool change_user;
	const struct answer *answers;
};

/* Starts a program in a child process that the kernel answers like that. The message becomes text. */
static void
start(const struct start *start, char *text, size_t text_sz)
{
	int status, fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (!pid) {
		char arg[] = "program", *argv[] = {arg, NULL}, *envp[] = {NULL};
		const struct process_user user = {
			.change = start->change_user, .uid = 12345, .gid = 12345, .name = "somebody"};
		const struct process_opts opts = {.program = start->program,
						  .argv = argv,
						  .envp = envp,
						  .dir = start->dir,
						  .output_fd = 2,
						  .network_fd = -1,
						  .user_ns_fd = -1,
						  .user = &user};
		struct process process;
		struct diag diag = {""};

		if (start->answers)
			answer_for_kernel(start->answers);
		int err = process_start(&process, &opts, &diag);
		if (!err)
			process_kill(&process, NULL);
		_exit(write(fds[1], diag.text, strlen(diag.text)) < 0 || !err ? 1 : 0);
	}
	assert_true(pid > 0);
	close(fds[1]);
	ssize_t n = read(fds[0], text, text_sz - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The message must end so. */
static void
assert_end(const struct start *how, const char *want)
{
	char text[2048];

	start(how, text, sizeof(text));
	size_t len = strlen(text), want_len = strlen(want);
	if (len < want_len || strcmp(text + len - want_len, want))
		fail_msg("'%s' does not end with '%s'", text, want);
}

static void
test_another_user(void **state)
{
	static const struct {
		struct answer answers[4];
		const char *step;
	} cases[] = {
		{{{SYS_setgroups, EPERM}}, "setgroups"},
		{{{SYS_setgroups, 0}, {SYS_setresgid, EPERM}}, "setresgid"},
		{{{SYS_setgroups, 0}, {SYS_setresgid, 0}, {SYS_setresuid, EPERM}}, "setresuid"},
	};
	char want[256];

	(void)state;
	if (!privileges_has(CAP_KILL))
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct start how = {
			.program = "/bin/true", .change_user = true, .answers = cases[i].answers};

		snprintf(
			want, sizeof(want),
			"failed to start '/bin/true' as user 'somebody': %s: Operation not permitted; this container or user namespace does not let root become that user: choose another one",
			cases[i].step);
		assert_end(&how, want);
	}
}

/* Nothing is advised where nothing is known. */
static void
test_other_steps(void **state)
{
	static const struct answer no_session[] = {{SYS_setsid, EPERM}, {0}},
				   no_dir[] = {{SYS_chdir, EIO}, {0}},
				   no_entry[] = {{SYS_chdir, EACCES}, {0}};

	(void)state;
	assert_end(&(struct start){.program = "/bin/true", .answers = no_session},
		   ": setsid: Operation not permitted");
	assert_end(&(struct start){.program = "/bin/true", .dir = "/", .answers = no_dir},
		   ": chdir: Input/output error");
	assert_end(
		&(struct start){.program = "/bin/true", .dir = "/", .answers = no_entry},
		": user 'somebody' cannot enter '/'; set TMPDIR to choose another place, or let the user pass every directory above it (chmod o+x)");
}

static void
test_execution(void **state)
{
	static const struct {
		int errno_value;
		const char *end;
	} cases[] = {
		{E2BIG, ": execve: Argument list too long"},
		{EPERM,
		 ": execve: Operation not permitted; if it has file capabilities (getcap), remove them: bitcoind needs none here"},
		{ENOENT,
		 ": execve: No such file or directory; the file is there, but the loader or interpreter that it names is not"},
		{ENOEXEC, ": execve: Exec format error; it is not a program for this machine"},
		{EACCES,
		 ": execve: Permission denied; the user must be able to execute it (chmod a+rx, a file system without noexec) and, for a script, to read it and pass the directories above it"},
	};
	char *dir = test_make_dir(), *program;

	(void)state;
	assert_non_null(dir);
	/* In a file system from which programs can be run. */
	program = test_copy_program("/proc/self/exe", dir);
	assert_non_null(program);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct answer answers[] = {{SYS_execve, (unsigned)cases[i].errno_value},
						 {SYS_execveat, (unsigned)cases[i].errno_value},
						 {0}};

		assert_end(&(struct start){.program = program, .answers = answers}, cases[i].end);
	}
	unlink(program);
	free(program);
	rmdir(dir);
	free(dir);
}

/* A program would inherit which signals are ignored or blocked, from us or from whoever started us so. */
static void
test_its_signals_are_as_usual(void **state)
{
	static const char none[] = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
	int status, fds[2];
	char text[256];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (!pid) {
		char grep[] = "grep", pattern[] = "^Sig[BI]", file[] = "/proc/self/status";
		char *argv[] = {grep, pattern, file, NULL}, *envp[] = {NULL};
		const struct process_user user = {.name = "somebody"};
		const struct process_opts opts = {.program = "/bin/grep",
						  .argv = argv,
						  .envp = envp,
						  .output_fd = fds[1],
						  .network_fd = -1,
						  .user_ns_fd = -1,
						  .user = &user};
		struct process process;
		struct diag diag;
		sigset_t all;

		for (int signo = 1; signo < _NSIG; signo++)
			if (signo != SIGCHLD) /* it must be found when it has ended */
				signal(signo, SIG_IGN);
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		_exit(process_start(&process, &opts, &diag) ||
		      !process_wait(&process, deadline_in_ms(20000), NULL));
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ssize_t n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	assert_string_equal(text, none);
}

/* As the kernel does where SIGCHLD is ignored. */
static void
test_reaped_by_another(void **state)
{
	struct process process = {.pid = fork(), .fd = -1};

	(void)state;
	if (!process.pid)
		_exit(3);
	assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
	assert_true(process_has_ended(&process));
	assert_false(process.status_known);
	assert_int_equal(process_signal(&process, SIGTERM), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_user),      cmocka_unit_test(test_other_steps),
		cmocka_unit_test(test_execution),         cmocka_unit_test(test_its_signals_are_as_usual),
		cmocka_unit_test(test_reaped_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

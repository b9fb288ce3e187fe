/* Which user a node runs as, in which namespaces, and who may look into it. Scripts stand in for bitcoind. */
#include "base/privileges.h"
#include "base/xmem.h"
#include "node/node.h"
#include "refuse.h"
#include "slowness.h"
#include "surroundings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ORDINARY = 4711 }; /* not nobody, as whom others appear in a user namespace */

static char *work;      /* everybody may enter it and make files there; its files stay until the end */
static char *show_self; /* a script that prints what it is, and exits with 7 */
static char *sleeper;   /* a script that stays */

/* For children, where an assertion would go on with the parent's tests. */
#define REQUIRE(condition)                                                                                   \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
			_exit(2);                                                                            \
		}                                                                                            \
	} while (0)

static char *
make_script(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", work, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

/* In a child process, as an ordinary user or as root with only these capabilities. */
static void
in_child(void (*act)(void), bool as_root, const unsigned *kept, size_t kept_cnt)
{
	struct diag diag;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60 * test_slowness());
		if (as_root)
			REQUIRE(!privileges_keep(kept, kept_cnt, &diag));
		else if (geteuid() == 0)
			REQUIRE(!setgid(ORDINARY) && !setuid(ORDINARY));
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
require_user_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit((geteuid() == 0 && setuid(ORDINARY)) || unshare(CLONE_NEWUSER) ||
		      unshare(CLONE_NEWNET));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!status)
		return;
	print_message("no user namespaces for ordinary users here\n");
	skip();
}

static void
require_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("not root\n");
	skip();
}

static struct node *
start(const struct node_opts *opts)
{
	struct node_opts here = *opts;
	struct diag diag = {0};
	struct node *node = NULL;

	here.parent_dir = work;
	if (node_start(&node, &here, &diag))
		fprintf(stderr, "%s\n", diag.text);
	REQUIRE(node);
	return node;
}

/* Runs show_self and requires these texts in its output. */
static void
require_shown(const struct node_opts *opts, const char *const *texts)
{
	struct node_opts here = *opts;
	struct diag diag;

	here.bitcoind = show_self;
	struct node *node = start(&here);
	REQUIRE(!here.own_network || !node_network_lack(node, AF_INET));
	REQUIRE(node_wait_ready(node, deadline_in_ms(20000), &diag) == -ECHILD);
	for (; *texts; texts++) {
		if (!strstr(diag.text, *texts))
			fprintf(stderr, "'%s' is not in: %s\n", *texts, diag.text);
		REQUIRE(strstr(diag.text, *texts));
	}
	node_free(node);
}

static void
be_inside(void)
{
	const unsigned uid = geteuid(), gid = getegid();
	char *uids = xasprintf("Uid: %u %u %u %u", uid, uid, uid, uid);
	char *gids = xasprintf("Gid: %u %u %u %u", gid, gid, gid, gid);
	char own[64] = "";

	REQUIRE(readlink("/proc/self/ns/user", own, sizeof(own) - 1) > 0);
	const char *const texts[] = {uids,
				     gids,
				     "CapInh: 0000000000000000",
				     "CapPrm: 0000000000000000",
				     "CapEff: 0000000000000000",
				     "CapBnd: 0000000000000000",
				     "CapAmb: 0000000000000000",
				     "NoNewPrivs: 1",
				     "user:[",
				     NULL};

	require_shown(&(struct node_opts){.own_network = true}, texts);
	struct node *node = start(&(struct node_opts){.bitcoind = sleeper, .own_network = true});
	char *path = xasprintf("/proc/%d/ns/user", (int)node_pid(node)), theirs[64] = "";
	REQUIRE(readlink(path, theirs, sizeof(theirs) - 1) > 0);
	REQUIRE(strcmp(own, theirs) != 0);
	node_free(node);
	free(path);
	free(uids);
	free(gids);
}

/* Inside the user namespace it is the same user, and has no capability. */
static void
test_inside(void **state)
{
	(void)state;
	require_user_namespaces();
	in_child(be_inside, false, NULL, 0);
}

/* "/proc/PID/NAME", which the caller frees. */
static char *
in_proc(pid_t pid, const char *name)
{
	return xasprintf("/proc/%d/%s", (int)pid, name);
}

/* The first bytes of a file; polls, as a process within execve does not let itself be looked into at first, and then
 * shows an empty environment. */
static void
require_content(pid_t pid, const char *name, const char *want)
{
	struct deadline deadline = deadline_in_ms(20000);
	char *path = in_proc(pid, name), text[65536];
	size_t found = 0;

	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		REQUIRE(fd >= 0 || errno == EACCES);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		if (fd >= 0)
			close(fd);
		found = n > 0 && memmem(text, (size_t)n, want, strlen(want));
	} while (!found && !deadline_has_passed(deadline));
	REQUIRE(found);
	free(path);
}

/* The tracer is a process of its own, not the parent of what it traces. */
static void
trace(pid_t pid)
{
	char *maps = in_proc(pid, "maps"), *mem = in_proc(pid, "mem"), *fds = in_proc(pid, "fd"), byte[4];
	unsigned long address;
	siginfo_t info;

	REQUIRE(!ptrace(PTRACE_SEIZE, pid, 0, 0));
	REQUIRE(!ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	REQUIRE(!waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	FILE *file = fopen(maps, "re");
	REQUIRE(file && fscanf(file, "%lx", &address) == 1);
	fclose(file);
	int fd = open(mem, O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0 && pread(fd, byte, sizeof(byte), (off_t)address) == sizeof(byte));
	REQUIRE(pwrite(fd, byte, sizeof(byte), (off_t)address) ==
		sizeof(byte)); /* a read-only page, by force */
	close(fd);
	DIR *dir = opendir(fds);
	REQUIRE(dir && readdir(dir));
	closedir(dir);
	REQUIRE(!ptrace(PTRACE_DETACH, pid, 0, 0));
	free(maps);
	free(mem);
	free(fds);
}

static void
be_observer(void)
{
	struct node *node = start(&(struct node_opts){.bitcoind = sleeper, .own_network = true});
	char *home = xasprintf("HOME=%s", node_datadir(node));
	int status;

	require_content(node_pid(node), "environ", home);
	require_content(node_pid(node), "cmdline", "sleep");
	pid_t tracer = fork();
	if (tracer == 0) {
		trace(node_pid(node));
		_exit(0);
	}
	REQUIRE(waitpid(tracer, &status, 0) == tracer && status == 0);
	REQUIRE(node_is_alive(node));
	free(home);
	node_free(node);
}

/* Whoever started it can look into it, and so can another descendant of that process, without any capability. */
static void
test_traceable(void **state)
{
	(void)state;
	require_user_namespaces();
	in_child(be_observer, false, NULL, 0);
	if (geteuid() == 0)
		in_child(be_observer, true, NULL, 0);
}

/* The node dies with us in there as well. */
static void
test_ends_with_us(void **state)
{
	int report[2];
	pid_t pid = 0;

	(void)state;
	require_user_namespaces();
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid_t us = fork();
	if (us == 0) {
		alarm(60 * test_slowness());
		REQUIRE(geteuid() != 0 || (!setgid(ORDINARY) && !setuid(ORDINARY)));
		pid = node_pid(start(&(struct node_opts){.bitcoind = sleeper, .own_network = true}));
		REQUIRE(write(report[1], &pid, sizeof(pid)) == sizeof(pid));
		for (;;)
			pause();
	}
	close(report[1]);
	assert_int_equal(read(report[0], &pid, sizeof(pid)), sizeof(pid));
	struct pollfd pollfd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	assert_true(pollfd.fd >= 0);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	assert_int_equal(kill(us, SIGKILL), 0);
	assert_int_equal(waitpid(us, NULL, 0), us);
	assert_int_equal(poll(&pollfd, 1, 20000), 1);
	close(pollfd.fd);
	close(report[0]);
}

/* Whoever names that process as its tracer is killed from now on. */
static void
forbid_tracer(pid_t pid)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PTRACER, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)pid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	REQUIRE(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	REQUIRE(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void
name_tracer(void)
{
	struct diag diag;

	forbid_tracer(getpid());
	struct node *node = start(&(struct node_opts){.bitcoind = sleeper});
	REQUIRE(node_wait_ready(node, deadline_in_ms(20000), &diag) == -ECHILD);
	REQUIRE(strstr(diag.text, "(SIGSYS)"));
	node_free(node);
}

/* It allows our descendants to trace it, which yama would not. */
static void
test_names_tracer(void **state)
{
	(void)state;
	in_child(name_tracer, false, NULL, 0);
}

/* Root's choice. */

#define ALL_BUT(left_out)                                                                                    \
	(const unsigned[])                                                                                   \
	{                                                                                                    \
		(left_out) == CAP_SETUID ? CAP_BPF : CAP_SETUID,                                             \
			(left_out) == CAP_SETGID ? CAP_BPF : CAP_SETGID,                                     \
			(left_out) == CAP_CHOWN ? CAP_BPF : CAP_CHOWN,                                       \
			(left_out) == CAP_DAC_OVERRIDE ? CAP_BPF : CAP_DAC_OVERRIDE,                         \
			(left_out) == CAP_KILL ? CAP_BPF : CAP_KILL                                          \
	}

static void
be_other(void)
{
	const char *const texts[] = {"Uid: 65534 65534 65534 65534", "Groups: \n", NULL};
	struct node_user user;
	struct diag diag;

	REQUIRE(!node_find_user(&user, &(struct node_opts){0}, &diag));
	REQUIRE(user.is_other && !*user.note && !strcmp(user.name, "nobody"));
	require_shown(&(struct node_opts){0}, texts);
}

/* The user namespace belongs to the node's user. */
static void
be_other_inside(void)
{
	const char *const texts[] = {"Uid: 65534 65534 65534 65534", "CapEff: 0000000000000000", NULL};

	require_shown(&(struct node_opts){.own_network = true}, texts);
	struct node *node = start(&(struct node_opts){.bitcoind = sleeper, .own_network = true});
	int fd = node_socket(node, AF_INET, SOCK_STREAM);
	REQUIRE(fd >= 0);
	close(fd);
	node_free(node);
}

static void
test_other_user_inside(void **state)
{
	(void)state;
	require_root();
	require_user_namespaces();
	in_child(be_other_inside, true, ALL_BUT(CAP_LAST_CAP), 5);
}

static const char *lack; /* what the note says of it */

/* Without --user it stays root, and says why; whoever named a user gets that one, or an error. */
static void
be_same(void)
{
	const char *const texts[] = {"Uid: 0 0 0 0", "CapEff: 0000000000000000", "NoNewPrivs: 1", NULL};
	const struct node_opts plain = {.sudo_uid = "1"}, named = {.user = "nobody"};
	struct node_user user;
	struct node *node;
	struct diag diag;

	REQUIRE(!node_find_user(&user, &plain, &diag));
	REQUIRE(!user.is_other && !strcmp(user.name, "root"));
	char *note = xasprintf("bitcoind runs as 'root', like tpcheck, and not as 'daemon': %s", lack);
	if (strcmp(user.note, note) != 0)
		fprintf(stderr, "'%s' is not: %s\n", user.note, note);
	REQUIRE(!strcmp(user.note, note));
	free(note);
	require_shown(&plain, texts);
	REQUIRE(!node_find_user(&user, &named, &diag));
	REQUIRE(user.is_other && !*user.note && !strcmp(user.name, "nobody"));
	struct node_opts opts = named;
	opts.bitcoind = show_self;
	opts.parent_dir = work;
	REQUIRE(node_start(&node, &opts, &diag) == -EPERM && *diag.text);
}

static void
be_same_on_demand(void)
{
	const char *const texts[] = {"Uid: 0 0 0 0", NULL}, *const others[] = {"Uid: 65534", NULL};
	struct node_user user;
	struct diag diag;

	REQUIRE(!node_find_user(&user, &(struct node_opts){.same_user = true}, &diag));
	REQUIRE(!user.is_other && strstr(user.note, "and not as 'nobody': without CAP_SYS_PTRACE"));
	require_shown(&(struct node_opts){.same_user = true}, texts);
	require_shown(&(struct node_opts){.same_user = true, .user = "nobody"}, others);
}

static void
test_other_user(void **state)
{
	(void)state;
	require_root();
	in_child(be_other, true, ALL_BUT(CAP_LAST_CAP), 5);
	in_child(be_same_on_demand, true, ALL_BUT(CAP_LAST_CAP), 5);
}

static void
test_root_without(void **state)
{
	(void)state;
	require_root();
	lack = "without CAP_KILL it could not be ended";
	in_child(be_same, true, NULL, 0);
	in_child(be_same, true, ALL_BUT(CAP_KILL), 5);
	lack = "without CAP_CHOWN it could not be given a datadir";
	in_child(be_same, true, ALL_BUT(CAP_CHOWN), 5);
	lack = "this needs CAP_SETUID";
	in_child(be_same, true, ALL_BUT(CAP_SETUID), 5);
	lack = "this needs CAP_SETGID";
	in_child(be_same, true, ALL_BUT(CAP_SETGID), 5);
}

/* It has the capability, but the user does not exist in its user namespace, or a filter refuses the change. */
static void
be_refused(void)
{
	REQUIRE(test_refuse_call(SYS_setresuid, EPERM));
	lack = "changing to it is refused: Operation not permitted";
	be_same();
}

static void
test_root_refused(void **state)
{
	(void)state;
	require_root();
	in_child(be_refused, true, ALL_BUT(CAP_LAST_CAP), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),       cmocka_unit_test(test_traceable),
		cmocka_unit_test(test_ends_with_us), cmocka_unit_test(test_names_tracer),
		cmocka_unit_test(test_other_user),   cmocka_unit_test(test_root_without),
		cmocka_unit_test(test_root_refused), cmocka_unit_test(test_other_user_inside),
	};
	char *made = test_make_dir();

	if (!made || chmod(made, 01777))
		return 1;
	work = realpath(made, NULL);
	show_self = make_script(
		"shows",
		"#!/bin/sh\n"
		"readlink /proc/self/ns/user; grep -E '^(Uid|Gid|Groups|Cap|NoNew)' /proc/self/status | tr -s '\\t ' '  '; exit 7\n");
	sleeper = make_script("sleeper", "#!/bin/sh\nexec sleep 1000\n");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char *remove = xasprintf("rm -rf '%s'", work);
	failed += system(remove) != 0;
	free(remove);
	free(show_self);
	free(sleeper);
	free(work);
	free(made);
	return failed;
}

/* Starting and ending, with scripts in place of bitcoind. */
#include "base/buf.h"
#include "base/folder.h"
#include "base/xmem.h"
#include "fake_node.h"
#include "node/node.h"
#include "node/program.h"
#include "slowness.h"
#include "surroundings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *work; /* everybody may enter it; the datadirs are made in it */

static char *
in_work(const char *name)
{
	return xasprintf("%s/%s", work, name);
}

static char *
make_script(const char *name, const char *text, mode_t mode)
{
	char *path = in_work(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int
cnt_of_datadirs(const char *in)
{
	DIR *dir = opendir(in);
	struct dirent *entry;
	int cnt = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		cnt += !strncmp(entry->d_name, "tpcheck-node-", 13);
	closedir(dir);
	return cnt;
}

static int
start(struct node **node, const char *bitcoind, struct diag *diag)
{
	*diag = (struct diag){0};
	return node_start(node, &(struct node_opts){.bitcoind = bitcoind, .parent_dir = work}, diag);
}

/* The user that its process runs as, while it is not reaped. */
static uid_t
uid_of(struct node *node)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)node_pid(node));
	assert_int_equal(stat(path, &st), 0);
	return st.st_uid;
}

static int
find(const char *given, const char *bitcoind_env, const char *path_env, char **path, struct diag *diag)
{
	const struct node_search search = {
		.given = given, .bitcoind_env = bitcoind_env, .path_env = path_env};

	return node_find_bitcoind(&search, path, diag);
}

static void
assert_says(const struct diag *diag, const char *text)
{
	if (!strstr(diag->text, text))
		fail_msg("'%s' is not in: %s", text, diag->text);
}

static void
test_find(void **state)
{
	struct diag diag;
	char *path, *script = make_script("bitcoind", "#!/bin/sh\n", 0755);
	char *plain = make_script("plain", "", 0644), *link = in_work("link"), *missing = in_work("missing");

	(void)state;
	assert_int_equal(find(script, NULL, NULL, &path, &diag), 0);
	assert_string_equal(path, script);
	free(path);
	assert_int_equal(symlink(script, link), 0);
	assert_int_equal(find(link, NULL, NULL, &path, &diag), 0);
	assert_string_equal(path, script);
	free(path);

	assert_int_equal(find(missing, script, work, &path, &diag), -ENOENT);
	assert_null(path);
	assert_says(&diag, missing);
	assert_int_equal(find(work, NULL, NULL, &path, &diag), -EISDIR);
	assert_says(&diag, "it is a directory");
	assert_int_equal(find("/dev/null", NULL, NULL, &path, &diag), -EINVAL);
	assert_int_equal(find(plain, NULL, NULL, &path, &diag), -EACCES);
	assert_says(&diag, "not executable");
	assert_int_equal(find("", script, work, &path, &diag), -ENOENT);

	assert_int_equal(find(NULL, missing, work, &path, &diag), -ENOENT);
	assert_says(&diag, "(from $BITCOIND)");
	assert_int_equal(find(NULL, script, NULL, &path, &diag), 0);
	free(path);

	assert_int_equal(find(NULL, NULL, NULL, &path, &diag), -ENOENT);
	assert_int_equal(find(NULL, "", "", &path, &diag), -ENOENT);
	assert_says(&diag, "set BITCOIND");
	char *dirs = xasprintf("%s/none::relative:%s", work, work);
	assert_int_equal(find(NULL, "", dirs, &path, &diag), 0);
	assert_string_equal(path, script);
	free(path);
	free(dirs);

	/* The build directory instead of the program. */
	char *build = in_work("build"), *bin = in_work("build/bin");
	mkdir(build, 0755);
	mkdir(bin, 0755);
	char *inner = make_script("build/bin/bitcoind", "", 0755);
	assert_int_equal(find(build, NULL, NULL, &path, &diag), -EISDIR);
	assert_says(&diag, inner);
	free(build);
	free(bin);
	free(inner);
	free(script);
	free(plain);
	free(link);
	free(missing);
}

static void
test_cannot_start(void **state)
{
	struct diag diag;
	struct node *node = (void *)1;
	char *missing = in_work("missing"), *plain = make_script("plain", "", 0644);
	char *empty = make_script("empty", "no program", 0755);
	char *no_loader = make_script("no_loader", "#!/nonexistent/sh\n", 0755);

	(void)state;
	assert_int_equal(start(&node, missing, &diag), -ENOENT);
	assert_null(node);
	assert_int_equal(start(&node, work, &diag), -EISDIR);
	assert_int_equal(start(&node, plain, &diag), -EACCES);
	assert_int_equal(start(&node, empty, &diag), -ENOEXEC);
	assert_says(&diag, "not a program for this machine");
	assert_int_equal(start(&node, no_loader, &diag), -ENOENT);
	assert_says(&diag, "loader or interpreter");
	assert_null(node);
	assert_int_equal(cnt_of_datadirs(work), 0);

	assert_int_equal(
		node_start(&node, &(struct node_opts){.bitcoind = empty, .parent_dir = missing}, &diag),
		-ENOENT);
	assert_says(&diag, "TMPDIR");
	assert_int_equal(
		node_start(&node,
			   &(struct node_opts){.bitcoind = empty, .parent_dir = work, .user = "no-such-user"},
			   &diag),
		-ENOENT);
	assert_says(&diag, "no-such-user");
	if (geteuid() != 0)
		assert_int_equal(
			node_start(&node,
				   &(struct node_opts){.bitcoind = empty, .parent_dir = work, .user = "root"},
				   &diag),
			-EPERM);
	assert_int_equal(cnt_of_datadirs(work), 0);
	node_free(NULL);
	free(missing);
	free(plain);
	free(empty);
	free(no_loader);
}

static void
test_exits(void **state)
{
	struct diag diag;
	struct node *node;
	char *script =
		make_script("exits", "#!/bin/sh\necho some words\necho more words >&2\nexit 3\n", 0755);

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	char *datadir = xstrdup(node_datadir(node));
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "exited with status 3");
	assert_says(&diag, "some words");
	assert_says(&diag, "more words");
	assert_false(node_is_alive(node));
	assert_int_equal(node_version(node), 0);
	assert_string_equal(node_subversion(node), "");
	struct json *result = (void *)1;
	assert_int_equal(node_call(node, deadline_in_ms(100), &result, &diag, "getblockcount", "[]"),
			 -ECHILD);
	assert_null(result);
	assert_int_equal(node_stop(node, deadline_in_ms(100), &diag), -ECHILD);
	assert_int_equal(node_log_mark(node), 0);
	struct buf log;
	buf_init(&log, 100);
	assert_int_equal(node_log_read(node, 0, &log, &diag), -ENOENT);
	char *path = xasprintf("%s/words", datadir), word[8] = "";
	assert_int_equal(node_write_file(node, "words", "others", 6, &diag), 0);
	assert_int_equal(node_write_file(node, "words", "a\0b", 3, &diag), 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, word, sizeof(word)), 3);
	assert_memory_equal(word, "a\0b", 3);
	close(fd);
	free(path);
	assert_int_equal(node_write_file(node, "none/words", "x", 1, &diag), -ENOENT);
	node_kill(node, NULL);
	node_free(node);
	assert_int_equal(access(datadir, F_OK), -1);
	free(datadir);
	free(script);

	script = make_script("dies", "#!/bin/sh\nkill -SEGV $$\n", 0755);
	siginfo_t info;
	assert_int_equal(start(&node, script, &diag), 0);
	assert_int_equal(waitid(P_PID, (id_t)node_pid(node), &info, WEXITED | WNOWAIT), 0);
	assert_false(node_is_alive(node));
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "(SIGSEGV)");
	node_free(node);
	free(script);
	assert_int_equal(cnt_of_datadirs(work), 0);
}

/* As long as a port is taken, five times are tried; each restart has as many. */
static void
test_ports_taken(void **state)
{
	struct diag diag;
	struct node *node;
	char *tried = in_work("tried");
	char *text = xasprintf("#!/bin/sh\necho >> '%s'\necho Unable to bind\nexit 1\n", tried);
	char *script = make_script("taken", text, 0755);
	struct stat st;

	(void)state;
	assert_int_equal(close(creat(tried, 0666)), 0);
	assert_int_equal(chmod(tried, 0666), 0);
	assert_int_equal(start(&node, script, &diag), 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(node_wait_ready(node, deadline_in_ms(60000), &diag), -ECHILD);
		assert_says(&diag, "Unable to bind");
		assert_int_equal(stat(tried, &st), 0);
		assert_int_equal(st.st_size, 5 * i);
		if (i == 1)
			assert_int_equal(node_restart(node, NULL, &diag), 0);
	}
	node_free(node);
	unlink(tried);
	free(script);
	free(text);
	free(tried);
}

/* An orphan stays a zombie where no init reaps it. */
static bool
is_zombie(pid_t pid)
{
	char *name = xasprintf("/proc/%d/stat", (int)pid), state_char = 0;
	FILE *file = fopen(name, "r");
	bool is_read = file && fscanf(file, "%*d (%*[^)]) %c", &state_char) == 1;

	if (file)
		fclose(file);
	free(name);
	return is_read && state_char == 'Z';
}

static void
test_never_answers(void **state)
{
	const uint64_t limit_ms = UINT64_C(300) * test_slowness();
	struct diag diag;
	struct node *node;
	char *script = make_script(
		"sleeps", "#!/bin/sh\nsleep 1000 & echo $! > child\nsync child\nexec sleep 1000\n", 0755);

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	assert_true(node_is_alive(node));
	uint64_t start_ns = clock_now_ns();
	assert_int_equal(node_wait_ready(node, deadline_in_ms(limit_ms), &diag), -ETIMEDOUT);
	assert_true(clock_now_ns() - start_ns >= limit_ms * 1000000);
	assert_true(clock_now_ns() - start_ns < (limit_ms + 4700) * 1000000);
	assert_says(&diag, "cookie");
	assert_int_equal(node_call(node, deadline_in_ms(100), NULL, &diag, "getblockcount", "[]"),
			 -ECONNREFUSED);
	assert_int_equal(node_restart(node, NULL, &diag), -EBUSY);

	/* Neither it nor its child is left. */
	char *name = xasprintf("%s/child", node_datadir(node));
	int child = 0;
	FILE *file = fopen(name, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &child), 1);
	fclose(file);
	pid_t pid = node_pid(node);
	assert_int_equal(kill(child, 0), 0);
	node_free(node);
	assert_int_equal(kill(pid, 0), -1);
	struct deadline deadline = deadline_in_ms(UINT64_C(5000) * test_slowness());
	while (kill(child, 0) == 0 && !is_zombie(child) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	assert_false(deadline_has_passed(deadline));
	assert_int_equal(cnt_of_datadirs(work), 0);
	free(name);
	free(script);
}

/* A process that ignores SIGTERM is not stopped in time; it can be killed. */
static void
test_ignores_sigterm(void **state)
{
	struct diag diag;
	struct node *node;
	char *script = make_script(
		"deaf", "#!/bin/sh\ntrap '' TERM\ntouch deaf\nwhile :; do sleep 0.01; done\n", 0755);

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	char *name = xasprintf("%s/deaf", node_datadir(node));
	struct deadline deadline = deadline_in_ms(5000);
	while (access(name, F_OK) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	assert_int_equal(node_stop(node, deadline_in_ms(100), &diag), -ETIMEDOUT);
	assert_true(node_is_alive(node));
	node_kill(node, NULL);
	assert_string_not_equal(node_end_text(node), "");
	node_free(node);
	free(name);
	free(script);
}

/* One that puts itself into the background: a session of its own, and no parent that would know it. */
static void
test_daemon_is_ended(void **state)
{
	struct diag diag;
	struct node *node;
	char *script = make_script(
		"daemon",
		"#!/bin/sh\nsetsid sh -c 'echo $$ > child.new; mv child.new child; exec sleep 1000' & sleep 1000\n",
		0755);
	int child = 0;

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	char *name = xasprintf("%s/child", node_datadir(node));
	struct deadline deadline = deadline_in_ms(10000);
	while (access(name, F_OK) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	FILE *file = fopen(name, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &child), 1);
	fclose(file);
	assert_int_equal(getsid(child), child);
	assert_int_equal(node_free(node), 0);
	assert_true(kill(child, 0) || is_zombie(child));
	assert_int_equal(cnt_of_datadirs(work), 0);
	free(name);
	free(script);
}

static void
test_datadir_that_stays(void **state)
{
	char *script = make_script("sleeps", "#!/bin/sh\nexec sleep 1000\n", 0755);
	struct diag diag;
	struct node *node;

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	char *datadir = xstrdup(node_datadir(node)), *busy = xasprintf("%s/busy", datadir);
	assert_int_equal(mkdir(busy, 0700), 0);
	if (mount("none", busy, "tmpfs", 0, NULL)) {
		node_free(node);
		skip();
	}
	int err = node_free(node);
	umount(busy);
	assert_int_equal(err, -ENOTEMPTY);
	assert_int_equal(access(datadir, F_OK), 0);
	assert_int_equal(folder_sweep(work, "tpcheck-node-", &diag), 1);
	assert_int_equal(cnt_of_datadirs(work), 0);
	free(busy);
	free(datadir);
	free(script);
}

/* From now on no process can be sent a signal. */
static void
refuse_kill(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static _Noreturn void
free_without_kill(const char *script, int error_fd)
{
	struct diag diag;
	struct node *node;
	char text[64], printed[4096] = "";

	if (start(&node, script, &diag) || dup2(error_fd, 2) < 0)
		_exit(1);
	pid_t pid = node_pid(node);
	uint64_t start_ns = clock_now_ns();
	refuse_kill();
	int err = node_free(node);
	if (pread(2, printed, sizeof(printed) - 1, 0) < 0)
		_exit(2);
	snprintf(text, sizeof(text), "failed to end process %d: Operation not permitted", (int)pid);
	if (err != -EPERM || !strstr(printed, text))
		_exit(3);
	_exit(clock_now_ns() - start_ns < UINT64_C(20000000000) ? 0 : 4);
}

/* By a security module, for example. */
static void
test_gives_up_when_kill_is_refused(void **state)
{
	char *script = make_script("sleeps", "#!/bin/sh\nexec sleep 1000\n", 0755);
	int status, error_fd = open(work, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct diag diag;

	(void)state;
	assert_true(error_fd >= 0);
	pid_t pid = fork();
	if (pid == 0)
		free_without_kill(script, error_fd); /* its end is that of its node */
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	/* The node has ended now, or will within moments. */
	struct deadline deadline = deadline_in_ms(10000);
	while (cnt_of_datadirs(work) && !deadline_has_passed(deadline))
		folder_sweep(work, "tpcheck-node-", &diag);
	assert_int_equal(cnt_of_datadirs(work), 0);
	close(error_fd);
	free(script);
}

/* What the process inherits from us and what it does not. */
static void
test_surroundings(void **state)
{
	struct diag diag;
	struct node *node;
	char line[512];
	static const char *const sets[] = {"Inh", "Prm", "Eff", "Bnd", "Amb"};
	char *script = make_script(
		"looks",
		"#!/bin/sh\n"
		"env; pwd; id -u; umask; ls /proc/self/fd | wc -w; cat; ps -o sid= -p $$; echo pid $$; grep -E '^(Uid|Gid|Groups|Cap|NoNew)' /proc/self/status | tr -s '\\t ' '  '; exit 1\n",
		0755);
	int inherited = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */

	(void)state;
	setenv("TPCHECK_SECRET", "leaked", 1);
	assert_int_equal(start(&node, script, &diag), 0);
	unsigned uid = uid_of(node);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_null(strstr(diag.text, "leaked"));
	snprintf(line, sizeof(line), "HOME=%s\n", node_datadir(node));
	assert_says(&diag, line);
	snprintf(line, sizeof(line), "TMPDIR=%s\n", node_datadir(node));
	assert_says(&diag, line);
	snprintf(line, sizeof(line), "    %s\n", node_datadir(node));
	assert_says(&diag, line);
	snprintf(line, sizeof(line), "    %u\n    0077\n    4\n", uid); /* 0, 1, 2 and that of ls */
	assert_says(&diag, line);
	/* No privileges, and no way to get any. */
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		snprintf(line, sizeof(line), "Cap%s: 0000000000000000\n", sets[i]);
		if (geteuid() == 0 || strcmp(sets[i], "Bnd"))
			assert_says(&diag, line);
	}
	assert_says(&diag, "NoNewPrivs: 1");
	if (geteuid() == 0) {
		snprintf(line, sizeof(line), "Uid: %u %u %u %u\n", uid, uid, uid, uid);
		assert_says(&diag, line);
		assert_says(&diag, "Groups: \n");
	}
	node_free(node);
	unsetenv("TPCHECK_SECRET");
	close(inherited);
	free(script);
}

/* A program in a directory that its user cannot enter. */
static void
test_no_way_to_program(void **state)
{
	struct diag diag;
	struct node *node;
	char *secret = in_work("secret"), *program = in_work("secret/program");

	(void)state;
	if (geteuid() != 0)
		skip();
	/* It is started through the open file ... */
	mkdir(secret, 0700);
	char *copy = xasprintf("cp /bin/true '%s'", program);
	assert_int_equal(system(copy), 0);
	free(copy);
	assert_int_equal(start(&node, program, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "exited with status 0 and left no output");
	node_free(node);

	/* ... unless it is a script, or only root may execute it. */
	char *script = make_script("secret/script", "#!/bin/sh\n", 0755);
	assert_int_equal(start(&node, script, &diag), -EACCES);
	assert_says(&diag, "nobody");
	chmod(program, 0700);
	assert_int_equal(start(&node, program, &diag), -EACCES);
	/* A temporary directory that the user cannot enter. */
	chmod(program, 0755);
	assert_int_equal(
		node_start(&node, &(struct node_opts){.bitcoind = "/bin/true", .parent_dir = secret}, &diag),
		-EACCES);
	assert_says(&diag, "cannot enter");
	assert_says(&diag, "TMPDIR");
	assert_int_equal(cnt_of_datadirs(secret), 0);
	free(secret);
	free(program);
	free(script);
}

static void
test_users(void **state)
{
	struct diag diag;
	struct node *node;

	(void)state;
	if (geteuid() != 0)
		skip();
	const struct passwd *daemon = getpwnam("daemon");
	assert_non_null(daemon);
	char *uid = xasprintf("%u", daemon->pw_uid);
	struct node_opts opts = {.bitcoind = "/bin/true", .parent_dir = work, .sudo_uid = uid};
	setenv("SUDO_UID", "4711", 1); /* the environment is not read here */
	setenv("SUDO_GID", "42", 1);
	assert_int_equal(node_start(&node, &opts, &diag), 0);
	assert_int_equal(uid_of(node), daemon->pw_uid);
	struct stat st;
	assert_int_equal(stat(node_datadir(node), &st), 0);
	assert_int_equal(st.st_uid, daemon->pw_uid);
	assert_int_equal(st.st_gid, daemon->pw_gid);
	free(uid);
	assert_int_equal(st.st_mode & 07777, 0700);
	node_free(node);
	static const char *const bad[] = {"0", "-1", "", "x", "4294967295", "99999999999", "987654", NULL};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opts.sudo_uid = bad[i];
		assert_int_equal(node_start(&node, &opts, &diag), 0);
		assert_int_equal(uid_of(node), 65534);
		node_free(node);
	}
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	assert_int_equal(
		node_start(&node,
			   &(struct node_opts){.bitcoind = "/bin/true", .parent_dir = work, .user = "root"},
			   &diag),
		0);
	assert_int_equal(uid_of(node), 0);
	node_free(node);
	/* Even root has no capability there. */
	char *caps = make_script("caps", "#!/bin/sh\ngrep ^Cap /proc/self/status; exit 1\n", 0755);
	assert_int_equal(node_start(&node,
				    &(struct node_opts){.bitcoind = caps, .parent_dir = work, .user = "root"},
				    &diag),
			 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "CapEff:\t0000000000000000");
	assert_says(&diag, "CapBnd:\t0000000000000000");
	node_free(node);
	free(caps);
	assert_int_equal(
		node_start(&node,
			   &(struct node_opts){.bitcoind = "/bin/true", .parent_dir = work, .user = "4711"},
			   &diag),
		0);
	assert_int_equal(uid_of(node), 4711);
	node_free(node);
}

/* Symbolic links in the datadir are not followed, and what they point at stays. */
static void
test_links(void **state)
{
	struct diag diag;
	struct node *node;
	struct buf log;
	char *precious = make_script("precious", "precious", 0666);
	char *text =
		xasprintf("#!/bin/sh\nmkdir -p a/b/c regtest; ln -s '%s' a/b/l; ln -s '%s' a/d; mkfifo a/f\n"
			  "ln -s '%s' regtest/debug.log; ln -s '%s' regtest/.cookie; chmod 0 a/b/c; exit 1\n",
			  precious, work, precious, precious);
	char *script = make_script("links", text, 0755);

	(void)state;
	assert_int_equal(start(&node, script, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_null(strstr(diag.text, "precious"));
	buf_init(&log, 100);
	assert_int_equal(node_log_read(node, 0, &log, &diag), -ELOOP);
	assert_int_equal(node_log_mark(node), 0);
	node_free(node);
	assert_int_equal(cnt_of_datadirs(work), 0);
	assert_int_equal(access(precious, F_OK), 0);
	assert_int_equal(access(script, F_OK), 0);
	free(precious);
	free(text);
	free(script);
}

/* A script that makes these things in its datadir, and ends; the node is freed by the caller. */
static struct node *
start_and_end(const char *parent, const char *commands)
{
	char *text = xasprintf("#!/bin/sh\nset -e\nmkdir regtest\n%s\nexit 7\n", commands);
	char *script = make_script("makes", text, 0755);
	struct node_opts opts = {.bitcoind = script, .parent_dir = parent};
	struct diag diag;
	struct node *node;

	assert_int_equal(node_start(&node, &opts, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "exited with status 7");
	assert_null(strstr(diag.text, "precious"));
	free(text);
	free(script);
	return node;
}

static void
assert_content(const char *path, const char *want)
{
	char text[64] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, want);
}

/* Whatever bitcoind puts in the place of its files, no other file is read or written: no target of a link to it or to
 * its folder, no file with another name elsewhere; and a FIFO does not block. */
static void
test_only_its_own_files(void **state)
{
	char *dir = in_work("theirs"), *precious, *commands;
	static const char *const makes[] = {
		"ln -s '%s' regtest/debug.log; ln -s '%s' words",
		"ln '%s' regtest/debug.log; ln '%s' words",
		"rmdir regtest; ln -s \"$(dirname '%s')\" regtest; mkfifo words; : '%s'",
		"mkfifo regtest/debug.log; mkdir words; : '%s' '%s'",
	};
	static const int log_errs[] = {-ELOOP, -EINVAL, -ENOTDIR, -EINVAL};
	static const int word_errs[] = {-ELOOP, -EINVAL, -EINVAL, -EISDIR};

	(void)state;
	assert_int_equal(mkdir(dir, 0755), 0);
	precious = make_script("theirs/debug.log", "precious", 0666);
	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		struct node *node;
		struct diag diag;
		struct buf log;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		commands = xasprintf(makes[i], precious, precious);
#pragma GCC diagnostic pop
		node = start_and_end(work, commands);
		buf_init(&log, 100);
		assert_int_equal(node_log_read(node, 0, &log, &diag), log_errs[i]);
		assert_int_equal(log.len, 0);
		assert_int_equal(node_log_mark(node), 0);
		assert_int_equal(node_write_file(node, "words", "others", 6, &diag), word_errs[i]);
		node_free(node);
		assert_content(precious, "precious");
		assert_int_equal(cnt_of_datadirs(work), 0);
		free(commands);
	}
	free(dir);
	free(precious);
}

static bool
is_in(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct stat st;
	bool found = !lstat(path, &st);

	free(path);
	return found;
}

/* bitcoind's user may rename the datadir, and put something else in its place: what is there then stays. */
static void
test_another_in_its_place(void **state)
{
	static const char *const places[] = {
		"ln -s ../theirs2 \"$here\"", /* a link to a folder with content */
		"mkdir \"$here\"; : >\"$here/kept\"",
		": >\"$here\"",
	};
	char *parent = in_work("parent"), *theirs = in_work("theirs2"), *kept;

	(void)state;
	assert_int_equal(mkdir(parent, 01777), 0);
	assert_int_equal(chmod(parent, 01777), 0);
	assert_int_equal(mkdir(theirs, 0777), 0);
	assert_int_equal(chmod(theirs, 0777), 0);
	kept = make_script("theirs2/kept", "precious", 0666);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *commands =
			xasprintf("here=$PWD; : >mine; mkdir -p a/b; mv \"$here\" ../moved\n%s", places[i]);
		struct node *node = start_and_end(parent, commands);
		char *datadir = xstrdup(node_datadir(node)), *moved = in_work("parent/moved");
		struct stat st;

		node_free(node);
		assert_content(kept, "precious");
		assert_int_equal(lstat(datadir, &st), 0);
		if (S_ISDIR(st.st_mode))
			assert_true(is_in(datadir, "kept"));
		char *clear = xasprintf("rm -r '%s' '%s'", datadir, moved);
		assert_int_equal(system(clear), 0);
		free(clear);
		free(datadir);
		free(moved);
		free(commands);
	}
	free(parent);
	free(theirs);
	free(kept);
}

/* The datadir is made where the options say, whatever TMPDIR is. */
static void
test_parent_dir(void **state)
{
	static const char *const defaults[] = {NULL, ""};
	const char *tmp = getenv("TMPDIR");
	char *old = tmp ? xstrdup(tmp) : NULL;
	struct diag diag;
	struct node *node;

	(void)state;
	char *missing = in_work("none");
	setenv("TMPDIR", missing, 1);
	free(missing);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		struct node_opts opts = {.bitcoind = "/bin/true", .parent_dir = defaults[i]};

		assert_int_equal(node_start(&node, &opts, &diag), 0);
		assert_int_equal(strncmp(node_datadir(node), "/tmp/tpcheck-node-", 18), 0);
		node_free(node);
	}
	assert_int_equal(start(&node, "/bin/true", &diag), 0);
	assert_int_equal(strncmp(node_datadir(node), work, strlen(work)), 0);
	node_free(node);
	if (old)
		setenv("TMPDIR", old, 1);
	else
		unsetenv("TMPDIR");
	free(old);
}

/* All that a node printed; the caller frees it. */
static char *
output_of(struct node *node)
{
	char *text = xcalloc(65536, 1);
	uint64_t from = 0;
	size_t n;

	while ((n = node_read_output(node, from, text + from, 1000)) && from + n < 60000)
		from += n;
	return text;
}

static int
cnt_of(const char *text, const char *word)
{
	int cnt = 0;

	for (; (text = strstr(text, word)); text++)
		cnt++;
	return cnt;
}

static void
test_environment(void **state)
{
	static const char *const env[] = {"A=1", "TMPDIR=/elsewhere", "A=2=3", "EMPTY=", "AA=4", NULL};
	char *script = make_script(
		"prints", "#!/bin/sh\nprintf '%s\\n' ---; tr '\\0' '\\n' </proc/$$/environ; exit 1\n", 0755);
	struct node_opts opts = {.bitcoind = script, .parent_dir = work, .env = env};
	struct diag diag;
	struct node *node;

	(void)state;
	setenv("OURS", "secret", 1);
	assert_int_equal(node_start(&node, &opts, &diag), 0);
	unsetenv("OURS");
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	char *text = output_of(node), *home = xasprintf("\nHOME=%s\n", node_datadir(node));
	assert_int_equal(cnt_of(text, "\nA="), 1);
	assert_non_null(strstr(text, "\nA=2=3\n"));
	assert_non_null(strstr(text, "\nAA=4\n"));
	assert_non_null(strstr(text, "\nEMPTY=\n"));
	assert_int_equal(cnt_of(text, "\nTMPDIR="), 1);
	assert_non_null(strstr(text, "\nTMPDIR=/elsewhere\n"));
	assert_non_null(strstr(text, home));
	assert_non_null(strstr(text, "\nPATH=/usr/local/bin:"));
	assert_non_null(strstr(text, "\nLC_ALL=C\n"));
	assert_non_null(strstr(text, "\nMALLOC_PERTURB_=165\n"));
	assert_non_null(strstr(text, "\nGLIBC_TUNABLES=glibc.malloc.hugetlb=1\n"));
	assert_non_null(strstr(text, "\nMALLOC_ARENA_MAX=1\n"));
	assert_null(strstr(text, "secret"));
	free(text);

	/* What it printed stays over a restart, but an error is about the last start. */
	assert_int_equal(node_restart(node, NULL, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_int_equal(cnt_of(diag.text, "---"), 1);
	text = output_of(node);
	assert_int_equal(cnt_of(text, "---"), 2);
	assert_int_equal(cnt_of(text, "\nA=2=3\n"), 2);
	char *saved = in_work("saved"), *copy = xcalloc(65536, 1);
	FILE *file = fopen(saved, "w+e");
	assert_non_null(file);
	assert_int_equal(node_save_output(node, fileno(file), &diag), 0);
	rewind(file);
	assert_int_equal(fread(copy, 1, 65535, file), strlen(text));
	assert_string_equal(copy, text);
	fclose(file);
	assert_int_equal(node_save_output(node, -1, &diag), -EBADF);
	assert_says(&diag, "output.txt");
	char *tail = node_output_tail(node, 100);
	assert_true(strlen(tail) > 0 && strlen(tail) <= 100);
	assert_string_equal(tail, text + strlen(text) - strlen(tail));
	assert_int_equal(text[strlen(text) - strlen(tail) - 1], '\n');
	free(tail);
	tail = node_log_tail(node, 100);
	assert_string_equal(tail, "");
	free(tail);
	node_free(node);
	unlink(saved);
	free(saved);
	free(copy);
	free(text);
	free(home);
	free(script);
}

static void
test_start_hint(void **state)
{
	char *script = make_script("fails", "#!/bin/sh\necho words\nexit 1\n", 0755);
	char *unlinked = make_script(
		"unlinked", "#!/bin/sh\necho 'error while loading shared libraries: libx.so'\nexit 127\n",
		0755);
	struct node_opts opts = {.bitcoind = script, .parent_dir = work, .start_hint = "use more of it"};
	struct diag diag;
	struct node *node;

	(void)state;
	assert_int_equal(node_start(&node, &opts, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "exited with status 1; use more of it\n");
	assert_says(&diag, "words");
	node_free(node);
	assert_int_equal(start(&node, script, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "exited with status 1\n");
	node_free(node);
	assert_int_equal(start(&node, unlinked, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "use --env=LD_LIBRARY_PATH=...\n");
	node_free(node);
	free(script);
	free(unlinked);
}

static void
add_output(void *cookie, const char *text, size_t len)
{
	buf_add(cookie, text, len);
}

static void
test_program_environment_and_output(void **state)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin:/x", "A=1", NULL}, *const args[] = {NULL};
	char *script = make_script("prints2", "#!/bin/sh\nenv\nhead -c 20000 /dev/zero | tr '\\0' x\n", 0755);
	struct buf all;
	struct program_opts opts = {
		.bitcoind = script, .args = args, .env = env, .on_output = add_output, .cookie = &all};
	struct deadline deadline = deadline_in_ms(10000);
	struct program *program;
	struct diag diag;

	(void)state;
	buf_init(&all, 100000);
	assert_int_equal(program_start(&program, &opts, &diag), 0);
	while (program_is_alive(program) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	assert_true(strlen(program_output(program)) < 2000);
	assert_true(all.len > 20000);
	assert_non_null(strstr(all.data, "PATH=/usr/bin:/bin:/x\n"));
	assert_null(strstr(all.data, "/usr/local/bin"));
	assert_non_null(strstr(all.data, "A=1\n"));
	program_free(program);
	buf_fini(&all);
	free(script);
}

static void
assert_printed(const struct program_opts *opts, const char *want)
{
	struct deadline deadline = deadline_in_ms(10000);
	struct program *program;
	struct diag diag;

	assert_int_equal(program_start(&program, opts, &diag), 0);
	while (program_is_alive(program) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	assert_true(program_ended_well(program));
	assert_string_equal(program_output(program), want);
	program_free(program);
}

/* HOME is the one that is given for ourselves, and another user's own. */
static void
test_program_home(void **state)
{
	char *script = make_script("home", "#!/bin/sh\necho \"$HOME\"\n", 0755), *want;
	const char *const args[] = {NULL};
	struct program_opts opts = {.bitcoind = script, .args = args, .home = "/some/where"};

	(void)state;
	opts.user = geteuid() == 0 ? "root" : NULL;
	assert_printed(&opts, "/some/where\n");
	opts.home = NULL;
	const struct passwd *entry = getpwuid(geteuid());
	want = xasprintf("%s\n", entry ? entry->pw_dir : "/");
	assert_printed(&opts, want);
	free(want);
	entry = getpwnam("daemon");
	if (geteuid() == 0 && entry) {
		opts.user = "daemon";
		opts.home = "/some/where";
		want = xasprintf("%s\n", entry->pw_dir);
		assert_printed(&opts, want);
		free(want);
	}
	free(script);
}

/* What stands behind a NUL byte is not lost. */
static void
test_nul_in_output(void **state)
{
	char *script = make_script("nul", "#!/bin/sh\nprintf 'one\\0two\\nthree\\0'\n", 0755);
	char *failing = make_script(
		"failing", "#!/bin/sh\nprintf 'one\\0Disk space is too low\\nthree\\0\\n'\nexit 3\n", 0755);
	char *wordy = make_script("wordy", "#!/bin/sh\nhead -c 1000 /dev/zero\nprintf '\\nlast\\0words\\n'\n",
				  0755);
	const char *const args[] = {NULL};
	struct program_opts opts = {.bitcoind = script, .args = args, .home = "/"};
	struct diag diag;
	struct node *node;

	(void)state;
	assert_printed(&opts, "one\\x00two\nthree\\x00");
	opts.bitcoind = wordy;
	assert_printed(&opts, "\\x00 (1000 times)\nlast\\x00words\n");
	assert_int_equal(start(&node, failing, &diag), 0);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(10000), &diag), -ECHILD);
	assert_says(&diag, "    one\\x00Disk space is too low\n    three\\x00");
	/* Words are found behind it as well. */
	assert_says(&diag, "; make room in '");
	node_free(node);
	node = start_and_end(work, "printf 'a\\0b\\n\\0\\0' >regtest/debug.log");
	struct buf log;
	buf_init(&log, 100);
	assert_int_equal(node_log_read(node, 0, &log, &diag), 0);
	assert_string_equal(log.data, "a\\x00b\n\\x00\\x00");
	buf_fini(&log);
	buf_init(&log, 8); /* what fits */
	assert_int_equal(node_log_read(node, 2, &log, &diag), 0);
	assert_string_equal(log.data, "b\n\\x00\\x");
	assert_true(log.overflow);
	buf_fini(&log);
	node_free(node);
	free(wordy);
	free(failing);
	free(script);
}

/* It ends with the thread that started it. */
static void
test_ends_with_us(void **state)
{
	struct diag diag;
	struct node *node;
	char *script = make_script("sleeper", "#!/bin/sh\nexec sleep 1000\n", 0755);
	int fds[2];
	pid_t pid = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t us = fork();
	if (us == 0) {
		if (start(&node, script, &diag) == 0)
			pid = node_pid(node);
		ssize_t n = write(fds[1], &pid, sizeof(pid));
		_exit(n != sizeof(pid));
	}
	assert_int_equal(waitpid(us, NULL, 0), us);
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_true(pid > 0);
	struct deadline deadline = deadline_in_ms(5000);
	bool has_ended = false;
	while (!has_ended && !deadline_has_passed(deadline)) {
		char *name = xasprintf("/proc/%d/cmdline", (int)pid);
		FILE *file = fopen(name, "r");
		has_ended = !file || fgetc(file) == EOF; /* a zombie has none */
		if (file)
			fclose(file);
		free(name);
		clock_pause_ms(1, deadline);
	}
	assert_true(has_ended);
	close(fds[0]);
	close(fds[1]);
	free(script);
	char *remove = xasprintf("rm -r '%s'/tpcheck-node-*", work);
	assert_int_equal(system(remove), 0);
	free(remove);
}

/* A bitcoind, or who stands in for it, may call itself anything. */
static void
test_strange_subversion(void **state)
{
	static const struct {
		const char *subversion, *want;
	} rows[] = {
		{"/Satoshi:31.0.0/", "/Satoshi:31.0.0/"},
		{"", ""},
		{"\\u0000", "\\x00"},
		{"/Sato\\u0000shi\\u001b[31m\\n/", "/Sato\\x00shi\x1b[31m\n/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct diag diag;
		struct node *node;
		char *text = xasprintf("getnetworkinfo {\"version\": 310000, \"subversion\": \"%s\"}\n",
				       rows[i].subversion);
		char *script = in_work("answers");

		assert_true(fake_node_make(script, text));
		assert_int_equal(start(&node, script, &diag), 0);
		if (node_wait_ready(node, deadline_in_ms(60000), &diag))
			fail_msg("%s", diag.text);
		assert_string_equal(node_subversion(node), rows[i].want);
		assert_int_equal(node_version(node), 310000);
		node_free(node);
		free(script);
		free(text);
	}
}

/* What is no bitcoind may answer, but not with these. */
static void
test_no_version(void **state)
{
	static const char *const answers[] = {
		"getnetworkinfo {\"version\": 310000}\n",
		"getnetworkinfo {\"subversion\": \"/fake/\"}\n",
		"getnetworkinfo {\"version\": \"31\", \"subversion\": \"/fake/\"}\n",
		"getnetworkinfo 310000\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct diag diag;
		struct node *node;
		char *script = in_work("answers");

		assert_true(fake_node_make(script, answers[i]));
		assert_int_equal(start(&node, script, &diag), 0);
		assert_int_equal(node_wait_ready(node, deadline_in_ms(60000), &diag), -EBADMSG);
		assert_string_equal(diag.text, "node: failed to read the version: getnetworkinfo has none");
		node_free(node);
		free(script);
	}
}

static void
test_details_of_the_log(void **state)
{
	static const struct {
		const char *answers;
		bool is_short;
		int want;
	} rows[] = {
		{"logging {}\n", true, 0},
		{"logging error {\"code\": -8, \"message\": \"unknown logging category bench\"}\n", true, 0},
		{"logging 1, 2\n", true, -EBADMSG}, /* not JSON */
		{"logging 1, 2\n", false, 0},       /* not asked */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *script = in_work("answers");
		struct node_opts opts = {
			.bitcoind = script, .parent_dir = work, .short_log = rows[i].is_short};
		struct diag diag;
		struct node *node;

		assert_true(fake_node_make(script, rows[i].answers));
		assert_int_equal(node_start(&node, &opts, &diag), 0);
		if (node_wait_ready(node, deadline_in_ms(60000), &diag))
			fail_msg("%s", diag.text);
		assert_int_equal(node_log_details(node, deadline_in_ms(60000), &diag), rows[i].want);
		/* They are asked for once. */
		if (!rows[i].want)
			assert_int_equal(node_log_details(node, deadline_in_ms(0), &diag), 0);
		node_free(node);
		free(script);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_details_of_the_log),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_ports_taken),
		cmocka_unit_test(test_never_answers),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_no_way_to_program),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_only_its_own_files),
		cmocka_unit_test(test_another_in_its_place),
		cmocka_unit_test(test_parent_dir),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_start_hint),
		cmocka_unit_test(test_program_environment_and_output),
		cmocka_unit_test(test_program_home),
		cmocka_unit_test(test_nul_in_output),
		cmocka_unit_test(test_strange_subversion),
		cmocka_unit_test(test_no_version),
		cmocka_unit_test(test_ends_with_us),
		cmocka_unit_test(test_ignores_sigterm),
		cmocka_unit_test(test_daemon_is_ended),
		cmocka_unit_test(test_datadir_that_stays),
		cmocka_unit_test(test_gives_up_when_kill_is_refused),
	};
	char *made = test_make_dir();

	if (!made)
		return 1;
	work = realpath(made, NULL);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char *remove = xasprintf("chmod -R u+rwx '%s'; rm -rf '%s'", work, work);
	failed += system(remove) != 0;
	free(remove);
	free(work);
	free(made);
	return failed;
}

#include "base/folder.h"

#include "base/clock.h"
#include "base/proc_stat.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 64,
	REMOVE_ROUNDS = 20, /* in a row in which nothing could be removed */
	ROUND_MS = 5,
	END_MS = 5000,  /* for processes to end */
	EXEC_MS = 1000, /* for a process to get through execve */
	TRIES = 100,
};
#define LOCK_FORMAT "tpcheck folder %" PRIu64 " %" PRIu64 "\n"
#define LOCK_SUFFIX ".lock"

/* This runs in the keeper too, so memory is not allocated by xmem.h. */
struct state {
	enum folder_kind kind;
	dev_t device;
	ino_t inode;
	pid_t pid; /* whose descriptor lock_fd is */
	int lock_fd;
	size_t parent_len;
	char path[PATH_MAX];
};
_Static_assert(sizeof(struct state) <= KEEPER_STATE_MAX, "fits");

struct args {
	enum folder_kind kind;
	char prefix[32];
	char parent[PATH_MAX - 64];
};

/* Removing what is in a folder. */

struct removal {
	dev_t device;
	int root_fd;
	unsigned moved;
	bool progress;
};

static int
open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What is too deep is moved to the top, for the next round. */
static void
move_to_top(struct removal *removal, int fd, const char *name)
{
	char top[32];

	snprintf(top, sizeof(top), "deep-%u", removal->moved++);
	if (!renameat(fd, name, removal->root_fd, top))
		removal->progress = true;
}

/* Takes over fd. */
static void
remove_content(struct removal *removal, int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (!unlinkat(fd, name, 0)) {
			removal->progress = true;
			continue;
		}
		int sub_fd = open_dir(fd, name);
		if (sub_fd >= 0 && (fstat(sub_fd, &st) || st.st_dev != removal->device)) {
			close(sub_fd);
			continue;
		}
		if (sub_fd >= 0 && depth < DEPTH_MAX)
			remove_content(removal, sub_fd, depth + 1);
		else if (sub_fd >= 0)
			close(sub_fd);
		if (!unlinkat(fd, name, AT_REMOVEDIR))
			removal->progress = true;
		else if (depth == DEPTH_MAX)
			move_to_top(removal, fd, name);
	}
	closedir(dir);
}

static bool
is_folder(const struct stat *st, const struct state *state)
{
	return S_ISDIR(st->st_mode) && st->st_dev == state->device && st->st_ino == state->inode;
}

/* Removes the folder, if what has its path still is that folder. A process that was just killed may write a little
 * longer, so it is tried again. */
static int
remove_folder(const struct state *state, struct diag *diag)
{
	struct removal removal = {.device = state->device};
	struct stat st;
	int err = 0;

	removal.root_fd = open(state->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (removal.root_fd < 0 && errno == ENOENT)
		return 0;
	if (removal.root_fd >= 0 && (fstat(removal.root_fd, &st) || !is_folder(&st, state))) {
		close(removal.root_fd);
		return diag_fail(diag, -ESTALE, "'%s' is left alone: something else was put in its place",
				 state->path);
	}
	for (int idle = 0; idle < REMOVE_ROUNDS;) {
		int fd = removal.root_fd < 0 ? -1 : open_dir(removal.root_fd, ".");

		removal.progress = false;
		if (fd >= 0)
			remove_content(&removal, fd, 0);
		err = rmdir(state->path) && errno != ENOENT ? -errno : 0;
		if (!err)
			break;
		if (!removal.progress)
			idle++;
		clock_pause_ms(ROUND_MS, deadline_in_ms(ROUND_MS));
	}
	if (removal.root_fd >= 0)
		close(removal.root_fd);
	return err ? diag_fail(diag, err, "failed to remove the folder '%s': %s; remove it yourself",
			       state->path, strerror(-err))
		   : 0;
}

/* Processes. */

/* Returns how many bytes of the environment were read; -1 if it may not be, or the process has ended. */
static ssize_t
read_environment(pid_t pid, char *text, size_t text_sz)
{
	char path[64];
	size_t got = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (got < text_sz && (n = read(fd, text + got, text_sz - got)) > 0)
		got += (size_t)n;
	close(fd);
	return (ssize_t)got;
}

/* Whether a process was started with that variable. An environment that reads as empty counts only if no execve came
 * in between: each puts it somewhere else. */
static bool
has_variable(pid_t pid, const char *variable)
{
	struct deadline deadline = deadline_in_ms(EXEC_MS);
	char text[8192];
	bool is_final;
	ssize_t got;

	do {
		struct proc_stat before, after;

		proc_stat_read(pid, &before);
		got = read_environment(pid, text, sizeof(text) - 1);
		proc_stat_read(pid, &after);
		is_final = got || !after.memory_bytes ||
			   (after.env_end && after.env_start == before.env_start &&
			    after.env_end == before.env_end);
	} while (!is_final && !deadline_has_passed(deadline));
	text[got > 0 ? got : 0] = '\0';
	for (ssize_t at = 0; at < got; at += (ssize_t)strlen(text + at) + 1)
		if (!strcmp(text + at, variable))
			return true;
	return false;
}

/* By a descriptor, because the PID may be another process's meanwhile. Returns whether it has the variable; if so,
 * err is that of killing it, or -ETIMEDOUT. */
static bool
kill_if_has(pid_t pid, const char *variable, int *err)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	bool has = fd >= 0 && has_variable(pid, variable);

	if (has) {
		*err = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) ? -errno : 0;
		if (!*err && poll(&pollfd, 1, END_MS) < 1)
			*err = -ETIMEDOUT;
		has = *err != -ESRCH;
		*err = has ? *err : 0;
	}
	if (fd >= 0)
		close(fd);
	return has;
}

/* Returns one of those that were there; 0: none. */
static pid_t
kill_processes(const char *variable, int *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (proc && !*err && (entry = readdir(proc))) {
		uint64_t pid;

		if (parse_u64(entry->d_name, &pid) && pid > 1 && pid <= INT_MAX &&
		    pid != (uint64_t)getpid() && kill_if_has((pid_t)pid, variable, err))
			found = (pid_t)pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

int
folder_end_processes(const char *path, struct diag *diag)
{
	struct deadline deadline = deadline_in_ms(END_MS);
	char variable[PATH_MAX + 8];
	pid_t found;
	int err = 0;

	snprintf(variable, sizeof(variable), "HOME=%s", path);
	/* One may have started another meanwhile. */
	do
		found = kill_processes(variable, &err);
	while (found && !err && !deadline_has_passed(deadline));
	if (!found)
		return 0;
	err = err ? err : -ETIMEDOUT;
	return diag_fail(diag, err, "failed to end process %d, whose home is '%s': %s; end it yourself",
			 (int)found, path, strerror(-err));
}

/* The lock file. */

static void
lock_path(const struct state *state, char *path, size_t path_sz)
{
	snprintf(path, path_sz, "%s" LOCK_SUFFIX, state->path);
}

/* A new file, locked. -EEXIST: try another name; a sweeper may have taken it for a dead one's before it was locked.
 * *lacks_locks: files cannot be locked there. */
static int
make_lock(struct state *state, bool *lacks_locks)
{
	char path[PATH_MAX + 8];
	struct stat st;

	*lacks_locks = false;
	lock_path(state, path, sizeof(path));
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int err = flock(fd, LOCK_SH | LOCK_NB) ? -errno : 0;
	if (err && err != -EWOULDBLOCK) {
		*lacks_locks = true;
		unlink(path);
		close(fd);
		return err;
	}
	if (err || fstat(fd, &st) || !st.st_nlink) {
		close(fd);
		return -EEXIST;
	}
	state->lock_fd = fd;
	state->pid = getpid();
	return 0;
}

static void
remove_lock(struct state *state)
{
	char path[PATH_MAX + 8];

	lock_path(state, path, sizeof(path));
	unlink(path);
	if (state->pid == getpid())
		close(state->lock_fd);
}

/* The name's last six characters. */
static void
choose_name(struct state *state, const struct args *args)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	unsigned char bytes[6];
	char name[7] = "";

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		memset(bytes, (int)clock_now_ns(), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		name[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	snprintf(state->path, sizeof(state->path), "%s/%s%s", strcmp(args->parent, "/") ? args->parent : "",
		 args->prefix, name);
}

static int
make_named(struct state *state, bool *lacks_locks)
{
	struct stat st;
	int err = make_lock(state, lacks_locks);

	if (err)
		return err;
	if (mkdir(state->path, 0700) || lstat(state->path, &st))
		err = -errno;
	if (err) {
		remove_lock(state);
		return err;
	}
	state->device = st.st_dev;
	state->inode = st.st_ino;
	if (dprintf(state->lock_fd, LOCK_FORMAT, (uint64_t)st.st_dev, (uint64_t)st.st_ino) > 0)
		return 0;
	err = -errno;
	rmdir(state->path);
	remove_lock(state);
	return err;
}

/* diag_fail has the remedy where a limit is in the way. */
static const char *
remedy_for(int err)
{
	if (err == -EMFILE || err == -EFBIG)
		return "";
	return err == -ENOSPC || err == -EDQUOT ? "; make room there, or set TMPDIR to another directory"
						: "; set TMPDIR to a directory that can be written to";
}

static int
make(void *cookie, const void *request, size_t request_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	const struct args *args = request;
	struct state *state = cookie;
	bool lacks_locks = false;
	int err = -EEXIST;

	(void)request_sz;
	(void)fds;
	(void)fds_cnt;
	state->kind = args->kind;
	for (int i = 0; i < TRIES && err == -EEXIST; i++) {
		choose_name(state, args);
		err = make_named(state, &lacks_locks);
	}
	if (lacks_locks)
		return diag_fail(diag, err, "failed to lock a file in '%s': %s; %s", args->parent,
				 strerror(-err),
				 err == -EPERM || err == -ENOSYS
					 ? "something forbids flock(), such as a seccomp profile"
					 : "set TMPDIR to a file system with locks");
	return err ? diag_fail(diag, err, "failed to make a folder in '%s': %s%s", args->parent,
			       strerror(-err), remedy_for(err))
		   : 0;
}

static int
unmake(void *cookie, struct diag *diag)
{
	struct state *state = cookie;
	int err = state->kind == FOLDER_HOME ? folder_end_processes(state->path, diag) : 0;

	/* Then its processes still use it. */
	if (err)
		return err;
	err = remove_folder(state, diag);
	/* Else the next tpcheck tries again. */
	if (!err || err == -ESTALE)
		remove_lock(state);
	else if (state->pid == getpid())
		close(state->lock_fd);
	return err;
}

static const struct keeper_desc folder_desc = {
	.state_sz = sizeof(struct state), .work = make, .undo = unmake, .undo_anywhere = true};

int
folder_make(struct folder *folder, struct keeper *keeper, const char *parent, const char *prefix,
	    enum folder_kind kind, struct diag *diag)
{
	struct args args = {.kind = kind};

	*folder = (struct folder){0};
	if (strlen(parent) >= sizeof(args.parent) || strlen(prefix) >= sizeof(args.prefix))
		return diag_fail(diag, -ENAMETOOLONG, "failed to make a folder in '%.100s...': %s", parent,
				 strerror(ENAMETOOLONG));
	snprintf(args.parent, sizeof(args.parent), "%s", parent);
	snprintf(args.prefix, sizeof(args.prefix), "%s", prefix);
	int err = keeper_do(keeper, &folder->deed, &folder_desc, &args, sizeof(args), NULL, 0, diag);
	if (err)
		return err;
	char path[PATH_MAX + 8];
	lock_path(folder->deed.state, path, sizeof(path));
	folder->path = ((const struct state *)folder->deed.state)->path;
	folder->lock_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (folder->lock_fd >= 0 && !flock(folder->lock_fd, LOCK_SH | LOCK_NB))
		return 0;
	err = diag_fail(diag, -errno, "failed to lock '%s': %s", path, strerror(errno));
	folder_remove(folder, NULL);
	return err;
}

int
folder_remove(struct folder *folder, struct diag *diag)
{
	int err = keeper_undo(&folder->deed, diag);

	if (folder->path && folder->lock_fd >= 0)
		close(folder->lock_fd);
	*folder = (struct folder){0};
	return err;
}

/* Sweeping. */

/* Opens the lock file of a dead process of ours; or a negative errno value. */
static int
open_dead_lock(int parent_fd, const char *name)
{
	struct stat st, named;
	int fd = openat(parent_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
	    (st.st_mode & 07777) == 0600 && !flock(fd, LOCK_EX | LOCK_NB) &&
	    !fstatat(parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) && named.st_ino == st.st_ino)
		return fd;
	close(fd);
	return -EBUSY;
}

/* True if something was removed. */
static bool
sweep_one(int parent_fd, const char *parent, const char *name, struct diag *diag)
{
	struct state state = {.kind = FOLDER_HOME, .pid = getpid()};
	char text[64] = "";
	uint64_t device, inode;

	state.lock_fd = open_dead_lock(parent_fd, name);
	if (state.lock_fd < 0)
		return false;
	ssize_t n = pread(state.lock_fd, text, sizeof(text) - 1, 0);
	snprintf(state.path, sizeof(state.path), "%s/%.*s", strcmp(parent, "/") ? parent : "",
		 (int)(strlen(name) - strlen(LOCK_SUFFIX)), name);
	if (n > 0 && sscanf(text, "tpcheck folder %" SCNu64 " %" SCNu64, &device, &inode) == 2) {
		state.device = (dev_t)device;
		state.inode = (ino_t)inode;
		return !unmake(&state, diag);
	}
	/* Not written yet when it was killed: then the folder is empty, or not made. */
	bool ours = n == 0 && (!rmdir(state.path) || errno == ENOENT);
	if (ours)
		remove_lock(&state);
	else
		close(state.lock_fd);
	return ours;
}

unsigned
folder_sweep(const char *parent, const char *prefix, struct diag *diag)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;
	unsigned cnt = 0;

	if (diag)
		diag->text[0] = '\0';
	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		size_t len = strlen(name);

		if (len == strlen(prefix) + 6 + strlen(LOCK_SUFFIX) &&
		    !strncmp(name, prefix, strlen(prefix)) &&
		    !strcmp(name + len - strlen(LOCK_SUFFIX), LOCK_SUFFIX))
			cnt += sweep_one(dirfd(dir), parent, name, diag);
	}
	if (dir)
		closedir(dir);
	return cnt;
}

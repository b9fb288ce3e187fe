#include "node/pid_file.h"

#include "base/proc_stat.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* File times are coarse, and so is the start time of a process. */
enum { SLACK_S = 2 };

int
pid_open(pid_t pid, int *pidfd, struct diag *diag)
{
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd < 0 && errno == EINVAL)
		errno = ESRCH; /* the number of a thread, or of no process at all */
	return *pidfd < 0 ? diag_fail(diag, -errno, "node: failed to find process %d: %s", (int)pid,
				      strerror(errno))
			  : 0;
}

bool
pidfd_has_ended(int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0 && pollfd.revents;
}

static bool
read_start_time(pid_t pid, time_t *out)
{
	struct timespec real, boot;
	struct proc_stat stat;

	if (!proc_stat_read(pid, &stat))
		return false;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	*out = real.tv_sec - boot.tv_sec + (time_t)(stat.start_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

static int
read_pid(const char *path, pid_t *pid, struct stat *st, struct diag *diag)
{
	char text[32];
	uint64_t n;
	/* O_NONBLOCK: does not wait for the writer of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*pid = 0;
	if (fd < 0 && errno == ENOENT)
		return diag_fail(diag, -EAGAIN, "node: there is no file '%s'", path);
	if (fd < 0 || fstat(fd, st)) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return diag_fail(diag, err, "node: failed to open '%s': %s", path, strerror(-err));
	}
	if (!S_ISREG(st->st_mode)) {
		close(fd);
		return diag_fail(diag, -EINVAL,
				 "node: '%s' is not a regular file; give the file that bitcoind's -pid names",
				 path);
	}
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (!parse_u64(text, &n) || !n || n > INT32_MAX)
		return diag_fail(diag, -EAGAIN, "node: there is no PID in '%s'", path);
	*pid = (pid_t)n;
	return 0;
}

int
pid_file_open(const char *path, pid_t *pid, int *pidfd, struct diag *diag)
{
	struct stat st;
	time_t start = 0;

	*pidfd = -1;
	int err = read_pid(path, pid, &st, diag);
	if (err)
		return err;
	if (pid_open(*pid, pidfd, NULL))
		return diag_fail(diag, -EAGAIN, "node: process %d, which '%s' names, does not run", (int)*pid,
				 path);
	/* If the process has not ended after this, the start time was its own. */
	bool known = read_start_time(*pid, &start);
	if (pidfd_has_ended(*pidfd))
		err = diag_fail(diag, -EAGAIN, "node: process %d, which '%s' names, has ended", (int)*pid,
				path);
	else if (known && start > st.st_mtime + SLACK_S)
		err = diag_fail(
			diag, -EAGAIN,
			"node: process %d is not the one that '%s' was written for: it started later; if only the clock was set since, use --pid=%d",
			(int)*pid, path, (int)*pid);
	if (err) {
		close(*pidfd);
		*pidfd = -1;
	}
	return err;
}

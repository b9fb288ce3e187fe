/* Starts the tracer process in the keeper, and sees to what it left when it is gone. */
#include "base/clock.h"
#include "probe/ptrace/tracer.h"
#include "probe/ptrace/traps.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than the tracer process takes to release a process whose threads are slow to stop. */
enum { END_MS = 10000 };

struct deed {
	pid_t pid;
	struct ptrace_area area;
};

static int
start_deed(void *state, const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag)
{
	struct deed *deed = state;

	(void)args;
	(void)args_sz;
	if (fds_cnt != 2)
		return diag_fail(diag, -EINVAL, "probe: the tracer process needs two descriptors");
	int err = ptrace_area_map(&deed->area, fds[0], diag);
	if (err)
		return err;
	deed->pid = fork();
	if (!deed->pid)
		tracer_run(&deed->area, fds[1]);
	if (deed->pid > 0)
		return 0;
	err = -errno;
	ptrace_area_unmap(&deed->area);
	return diag_fail(diag, err, "probe: failed to fork: %s", strerror(-err));
}

/* It ends by itself as its owner has closed the socket, or has ended. */
static int
end_deed(void *state, struct diag *diag)
{
	struct deed *deed = state;
	struct deadline deadline = deadline_in_ms(END_MS);
	int fd = (int)syscall(SYS_pidfd_open, deed->pid, 0);
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	while (fd >= 0 && !deadline_has_passed(deadline) && poll(&pollfd, 1, END_MS) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	kill(deed->pid, SIGKILL);
	while (waitpid(deed->pid, NULL, 0) < 0 && errno == EINTR)
		;
	int err = traps_rescue(&deed->area, diag);
	ptrace_area_unmap(&deed->area);
	return err;
}

static const struct keeper_desc tracer_deed = {
	.state_sz = sizeof(struct deed),
	.work = start_deed,
	.undo = end_deed,
};
_Static_assert(sizeof(struct deed) <= KEEPER_STATE_MAX, "fits");

int
tracer_process_start(struct keeper *keeper, struct keeper_deed *deed, int area_fd, int socket_fd, pid_t *pid,
		     struct diag *diag)
{
	const int fds[] = {area_fd, socket_fd};
	int err = keeper_do(keeper, deed, &tracer_deed, NULL, 0, fds, 2, diag);

	*pid = err ? 0 : ((const struct deed *)deed->state)->pid;
	return err;
}

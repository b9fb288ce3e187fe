#include "probe/bpf/links.h"

#include "base/xmem.h"
#include "probe/bpf/bcc_loader.h"
#include "probe/bpf/bcc_shim.h"
#include "probe/bpf/sys.h"
#include "probe/bpf/tracefs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct multi_args {
	char path[64];
	pid_t pid;
	uint32_t cnt;
	uint64_t values[]; /* offsets, semaphores, cookies */
};

static int
make_multi(void *state, const void *request, size_t request_sz, const int *fds, size_t fds_cnt,
	   struct diag *diag)
{
	const struct multi_args *args = request;
	int *link_fd = state;

	(void)request_sz;
	if (fds_cnt != 1)
		return -EBADMSG;
	*link_fd = bpf_link_uprobe_multi(fds[0], args->path, args->values, args->values + args->cnt,
					 args->values + 2 * args->cnt, args->cnt, args->pid);
	return *link_fd < 0 ? diag_fail(diag, *link_fd, "%s", strerror(-*link_fd)) : 0;
}

static int
unmake_multi(void *state, struct diag *diag)
{
	(void)diag;
	close(*(int *)state);
	return 0;
}

static const struct keeper_desc multi_desc = {
	.state_sz = sizeof(int), .work = make_multi, .undo = unmake_multi};

int
links_make_multi(struct keeper *keeper, struct keeper_deed *deed, int prog_fd, const char *path,
		 const uint64_t *offsets, const uint64_t *semaphore_offsets, const uint64_t *cookies,
		 uint32_t cnt, pid_t pid, struct diag *diag)
{
	size_t bytes = cnt * sizeof(*offsets), args_sz = sizeof(struct multi_args) + 3 * bytes;
	struct multi_args *args = xcalloc(1, args_sz);

	snprintf(args->path, sizeof(args->path), "%s", path);
	args->pid = pid;
	args->cnt = cnt;
	memcpy(args->values, offsets, bytes);
	memcpy(args->values + cnt, semaphore_offsets, bytes);
	memcpy(args->values + 2 * (size_t)cnt, cookies, bytes);
	int err = keeper_do(keeper, deed, &multi_desc, args, args_sz, &prog_fd, 1, diag);
	free(args);
	return err;
}

struct event_state {
	int fd;
	char name[64];
};

static int
make_perf(void *cookie, const void *request, size_t request_sz, const int *fds, size_t fds_cnt,
	  struct diag *diag)
{
	const struct links_event *event = request;
	struct event_state *state = cookie;
	char error[1024];

	(void)request_sz;
	if (fds_cnt != 1)
		return -EBADMSG;
	memcpy(state->name, event->name, sizeof(state->name));
	/* In the keeper, which is older than what its owner has loaded. */
	int err = bcc_loader_load(diag);
	if (err)
		return err;
	err = bcc_shim_attach_uprobe(fds[0], event->name, event->path, event->offset, event->pid,
				     (uint32_t)event->semaphore_offset, &state->fd, error, sizeof(error));
	if (!err)
		return 0;
	/* libbcc may have left its name in tracefs on the way. */
	bcc_shim_forget_event(event->name);
	return diag_fail(diag, err, "%s", error);
}

static int
unmake_perf(void *cookie, struct diag *diag)
{
	struct event_state *state = cookie;

	(void)diag;
	close(state->fd);
	bcc_shim_forget_event(state->name);
	return 0;
}

static const struct keeper_desc perf_desc = {
	.state_sz = sizeof(struct event_state), .work = make_perf, .undo = unmake_perf};

int
links_make_perf(struct keeper *keeper, struct keeper_deed *deed, int prog_fd, const struct links_event *event,
		struct diag *diag)
{
	return keeper_do(keeper, deed, &perf_desc, event, sizeof(*event), &prog_fd, 1, diag);
}

static int
make_tracefs(void *cookie, const void *request, size_t request_sz, const int *fds, size_t fds_cnt,
	     struct diag *diag)
{
	const struct links_event *event = request;
	struct event_state *state = cookie;

	(void)request_sz;
	if (fds_cnt != 1)
		return -EBADMSG;
	memcpy(state->name, event->name, sizeof(state->name));
	state->fd = tracefs_attach(fds[0], event->name, event->path, event->offset, event->semaphore_offset,
				   event->pid);
	return state->fd < 0 ? diag_fail(diag, state->fd, "%s", strerror(-state->fd)) : 0;
}

static int
unmake_tracefs(void *cookie, struct diag *diag)
{
	struct event_state *state = cookie;

	(void)diag;
	close(state->fd);
	tracefs_forget(state->name);
	return 0;
}

static const struct keeper_desc tracefs_desc = {
	.state_sz = sizeof(struct event_state), .work = make_tracefs, .undo = unmake_tracefs};

int
links_make_tracefs(struct keeper *keeper, struct keeper_deed *deed, int prog_fd,
		   const struct links_event *event, struct diag *diag)
{
	return keeper_do(keeper, deed, &tracefs_desc, event, sizeof(*event), &prog_fd, 1, diag);
}

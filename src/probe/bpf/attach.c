/* Puts the probes into a process: by one uprobe_multi link (multi), or by a perf event for each point, which libbcc
 * opens (perf) or an event of tracefs provides (tracefs).
 *
 * The kernel takes 0.13 s to close such a perf event. So detaching leaves them open: the probes are disarmed, and
 * their process usually ends soon after. The events are closed with the source, when the verdict has long been
 * reported, or by a later attach, once more than EVENTS_KEPT of them have accumulated. */
#include "base/privileges.h"
#include "base/xmem.h"
#include "probe/bpf/bcc_shim.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/program_text.h"
#include "probe/bpf/sys.h"
#include "probe/bpf/tracefs.h"
#include "probe/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS_KEPT = 400 };

/* For each point of a file, the kernel remembers one place of a semaphore and refuses another one, or none: BCC's
 * Python scripts pass none and raise the semaphores by hand. */
#define BUSY_HINT                                                                                            \
	"; is another tracer attached to the same file, such as one of BCC's Python scripts, which cannot share tracepoints with others? End it first"
static const char busy_hint[] = BUSY_HINT;

/* When the uprobe PMU refuses, libbcc tries tracefs. */
static const char *
explain_low_semaphore(enum probe_method method)
{
	if (method != PROBE_METHOD_PERF)
		return "";
	if (privileges_has(CAP_SYS_ADMIN))
		return " (libbcc attached through tracefs, which leaves semaphores alone)" BUSY_HINT;
	return " (libbcc attached through tracefs, which leaves semaphores alone; CAP_SYS_ADMIN is required)";
}

static int
attach_multi(struct bpf_source *source, const char *path, pid_t pid, struct diag *diag)
{
	uint64_t *offsets = xcalloc(source->points_cnt, sizeof(*offsets));
	uint64_t *semaphores = xcalloc(source->points_cnt, sizeof(*semaphores));
	uint64_t *cookies = xcalloc(source->points_cnt, sizeof(*cookies));

	for (size_t i = 0; i < source->points_cnt; i++) {
		offsets[i] = source->points[i].site->file_offset;
		semaphores[i] = source->points[i].site->semaphore_file_offset;
		cookies[i] = program_text_cookie(&source->points[i], i);
	}
	int fd = bpf_link_uprobe_multi(source->prog_fds[0], path, offsets, semaphores, cookies,
				       (uint32_t)source->points_cnt, pid);
	free(offsets);
	free(semaphores);
	free(cookies);
	if (fd < 0)
		return diag_fail(diag, fd,
				 "probe: failed to attach to process %d by a uprobe_multi link: %s%s",
				 (int)pid, strerror(-fd), fd == -EINVAL ? busy_hint : "");
	source->link_fd = fd;
	return 0;
}

static int
attach_tracefs(struct bpf_source *source, size_t idx, const char *path, pid_t pid, struct event_probe *event,
	       struct diag *diag)
{
	const struct site *site = source->points[idx].site;

	tracefs_event_name(event->name, sizeof(event->name), source->attachments_cnt, idx);
	event->fd = tracefs_attach(source->prog_fds[idx], event->name, path, site->file_offset,
				   site->semaphore_file_offset, pid);
	if (event->fd >= 0)
		return 0;
	return diag_fail(diag, event->fd,
			 "probe: failed to attach %s:%s to process %d by the event '%s' of tracefs: %s%s",
			 site->provider, site->name, (int)pid, event->name, strerror(-event->fd),
			 event->fd == -EINVAL ? busy_hint
			 : event->fd == -EPERM || event->fd == -EACCES
				 ? "; CAP_BPF, CAP_PERFMON and the right to write uprobe_events are required"
			 : event->fd == -ENOENT ? "; tracefs was unmounted meanwhile"
						: "");
}

static int
attach_perf(struct bpf_source *source, size_t idx, const char *path, pid_t pid, struct event_probe *event,
	    struct diag *diag)
{
	const struct site *site = source->points[idx].site;
	char error[1024];

	snprintf(event->name, sizeof(event->name), "tpcheck_%d_%zu", (int)pid, idx);
	if (site->semaphore_file_offset > UINT32_MAX)
		return diag_fail(diag, -ERANGE, "probe: the semaphore of %s:%s is too far into the file",
				 site->provider, site->name);
	int err = bcc_shim_attach_uprobe(source->prog_fds[idx], event->name, path, site->file_offset, pid,
					 (uint32_t)site->semaphore_file_offset, &event->fd, error,
					 sizeof(error));
	if (!err)
		return 0;
	/* libbcc may have left its name in tracefs on the way. */
	bcc_shim_forget_event(event->name);
	return diag_fail(
		diag, err,
		"probe: failed to attach %s:%s to process %d by a perf event: %s; CAP_SYS_ADMIN is required%s",
		site->provider, site->name, (int)pid, error,
		err == -EINVAL || err == -ENOENT ? busy_hint : "");
}

static int
attach_events(struct bpf_source *source, const char *path, pid_t pid, struct diag *diag)
{
	int err = 0;

	if (source->events_cnt > EVENTS_KEPT)
		bpf_close_events(source);
	source->attachments_cnt++;
	source->events = xreallocarray(source->events, source->events_cnt + source->points_cnt,
				       sizeof(*source->events));
	for (size_t i = 0; i < source->points_cnt && !err; i++) {
		struct event_probe *event = &source->events[source->events_cnt];

		err = source->base.method == PROBE_METHOD_TRACEFS
			      ? attach_tracefs(source, i, path, pid, event, diag)
			      : attach_perf(source, i, path, pid, event, diag);
		if (!err)
			source->events_cnt++;
	}
	return err;
}

int
bpf_attach(struct bpf_source *source, pid_t pid, struct diag *diag)
{
	enum probe_method method = source->base.method;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	int err = method == PROBE_METHOD_MULTI ? attach_multi(source, path, pid, diag)
					       : attach_events(source, path, pid, diag);
	if (err)
		return err;
	source->pid = pid;
	return process_check_probes(pid, source->points, source->points_cnt, explain_low_semaphore(method),
				    diag);
}

void
bpf_detach(struct bpf_source *source)
{
	if (source->link_fd >= 0)
		close(source->link_fd);
	source->link_fd = -1;
	source->pid = 0;
}

void
bpf_close_events(struct bpf_source *source)
{
	for (size_t i = 0; i < source->events_cnt; i++) {
		close(source->events[i].fd);
		if (source->base.method == PROBE_METHOD_TRACEFS)
			tracefs_forget(source->events[i].name);
		else
			bcc_shim_forget_event(source->events[i].name);
	}
	source->events_cnt = 0;
}

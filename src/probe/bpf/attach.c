/* Puts the probes into a process: by one uprobe_multi link (multi), or by a perf event for each point, which libbcc
 * opens (perf) or an event of tracefs provides (tracefs).
 *
 * The kernel takes 0.13 s to close such a perf event. So detaching leaves them open: the probes are disarmed, and
 * their process usually ends soon after. The events are closed with the source, when the verdict has long been
 * reported, or by a later attach, once more than EVENTS_KEPT of them have accumulated; at once if nothing was recorded
 * through them. */
#include "base/privileges.h"
#include "base/xmem.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/links.h"
#include "probe/bpf/program_text.h"
#include "probe/bpf/tracefs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
attach_multi(struct bpf_source *source, const char *path, pid_t pid, uint64_t mask, struct diag *diag)
{
	uint64_t *offsets = xcalloc(source->points_cnt, sizeof(*offsets));
	uint64_t *semaphores = xcalloc(source->points_cnt, sizeof(*semaphores));
	uint64_t *cookies = xcalloc(source->points_cnt, sizeof(*cookies));
	struct diag reason;
	uint32_t cnt = 0;

	for (size_t i = 0; i < source->points_cnt; i++) {
		if (!probe_point_is_in(&source->points[i], mask))
			continue;
		offsets[cnt] = source->points[i].site->file_offset;
		semaphores[cnt] = source->points[i].site->semaphore_file_offset;
		cookies[cnt++] = program_text_cookie(&source->points[i], i);
	}
	int err = links_make_multi(source->keeper, &source->link, source->prog_fds[0], path, offsets,
				   semaphores, cookies, cnt, pid, &reason);
	free(offsets);
	free(semaphores);
	free(cookies);
	if (!err)
		return 0;
	return diag_fail(diag, err, "probe: failed to attach to process %d by a uprobe_multi link: %s%s",
			 (int)pid, reason.text, err == -EINVAL ? busy_hint : "");
}

static int
attach_tracefs(struct bpf_source *source, const struct site *site, const struct links_event *event,
	       int prog_fd, struct keeper_deed *deed, struct diag *diag)
{
	struct diag reason;
	int err = links_make_tracefs(source->keeper, deed, prog_fd, event, &reason);

	if (!err)
		return 0;
	return diag_fail(diag, err,
			 "probe: failed to attach %s:%s to process %d by the event '%s' of tracefs: %s%s",
			 site->provider, site->name, (int)event->pid, event->name, reason.text,
			 err == -EINVAL ? busy_hint
			 : err == -EPERM || err == -EACCES
				 ? "; CAP_BPF, CAP_PERFMON and the right to write uprobe_events are required"
			 : err == -ENOENT ? "; tracefs was unmounted meanwhile"
					  : "");
}

static int
attach_perf(struct bpf_source *source, const struct site *site, const struct links_event *event, int prog_fd,
	    struct keeper_deed *deed, struct diag *diag)
{
	struct diag reason;

	if (event->semaphore_offset > UINT32_MAX)
		return diag_fail(diag, -ERANGE, "probe: the semaphore of %s:%s is too far into the file",
				 site->provider, site->name);
	int err = links_make_perf(source->keeper, deed, prog_fd, event, &reason);
	if (!err)
		return 0;
	return diag_fail(
		diag, err,
		"probe: failed to attach %s:%s to process %d by a perf event: %s; CAP_SYS_ADMIN is required%s",
		site->provider, site->name, (int)event->pid, reason.text,
		err == -EINVAL || err == -ENOENT ? busy_hint : "");
}

static atomic_uint attachments_cnt;

static int
attach_event(struct bpf_source *source, size_t idx, const char *path, pid_t pid, struct keeper_deed *deed,
	     struct diag *diag)
{
	const struct site *site = source->points[idx].site;
	struct links_event event = {
		.offset = site->file_offset, .semaphore_offset = site->semaphore_file_offset, .pid = pid};

	snprintf(event.path, sizeof(event.path), "%s", path);
	if (source->base.method == PROBE_METHOD_TRACEFS) {
		tracefs_event_name(event.name, sizeof(event.name), source->attachment, idx);
		return attach_tracefs(source, site, &event, source->prog_fds[idx], deed, diag);
	}
	snprintf(event.name, sizeof(event.name), "tpcheck_%d_%zu", (int)pid, idx);
	return attach_perf(source, site, &event, source->prog_fds[idx], deed, diag);
}

static int
attach_events(struct bpf_source *source, const char *path, pid_t pid, uint64_t mask, struct diag *diag)
{
	int err = 0;

	if (source->events_cnt > EVENTS_KEPT)
		bpf_close_events(source);
	source->first_event = source->events_cnt;
	/* The events' names are for all sources of this process: workers attach at the same time. */
	source->attachment = atomic_fetch_add(&attachments_cnt, 1) + 1;
	source->events = xreallocarray(source->events, source->events_cnt + source->points_cnt,
				       sizeof(*source->events));
	for (size_t i = 0; i < source->points_cnt && !err; i++) {
		if (!probe_point_is_in(&source->points[i], mask))
			continue;
		err = attach_event(source, i, path, pid, &source->events[source->events_cnt], diag);
		if (!err)
			source->events_cnt++;
	}
	return err;
}

int
bpf_attach(struct bpf_source *source, pid_t pid, uint64_t mask, struct diag *diag)
{
	enum probe_method method = source->base.method;
	char path[64];

	source->is_unused = true;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	int err = method == PROBE_METHOD_MULTI ? attach_multi(source, path, pid, mask, diag)
					       : attach_events(source, path, pid, mask, diag);
	source->base.semaphore_hint = explain_low_semaphore(method);
	if (!err)
		source->pid = pid;
	return err;
}

static void
close_events_from(struct bpf_source *source, size_t first)
{
	for (size_t i = first; i < source->events_cnt; i++)
		keeper_undo(&source->events[i], NULL);
	if (first < source->events_cnt)
		source->events_cnt = first;
}

void
bpf_detach(struct bpf_source *source)
{
	keeper_undo(&source->link, NULL);
	/* Attaching may have failed. What is left of that would be in the way of the next attempt. */
	if (source->is_unused)
		close_events_from(source, source->first_event);
	source->is_unused = false;
	source->pid = 0;
}

void
bpf_close_events(struct bpf_source *source)
{
	close_events_from(source, 0);
}

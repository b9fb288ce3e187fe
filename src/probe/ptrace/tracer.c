/* How hits are seen. A probe's nop (on x86-64 its first byte) is replaced by a trap. A thread that runs into it stops
 * with SIGTRAP, which the kernel reports to this process before it is delivered. The arguments are read from the
 * stopped thread, the signal is dropped, and the thread goes on behind the nop: nothing has to be put back or executed
 * step by step, and the trap stays for the other threads.
 *
 * Order. A thread cannot do anything after its hit before this process has recorded it. So the order in which hits
 * are recorded agrees with cause and effect, across threads as well.
 *
 * Threads. All threads are seized (PTRACE_SEIZE does not stop them); the kernel seizes those they make. A child
 * process has a copy of the memory, with its traps: these are taken out before it runs, and it is released. One that
 * shares the memory is traced as a thread is.
 *
 * This process waits for stops; SIGIO interrupts it for requests and for the end of its owner. What it does on its own
 * end depends on whose process it is: one that tpcheck started dies with it (EXITKILL); any other is released
 * unharmed. */
#include "probe/ptrace/tracer.h"

#include "base/clock.h"
#include "base/text.h"
#include "probe/process.h"
#include "probe/ptrace/aside.h"
#include "probe/ptrace/handler.h"
#include "probe/ptrace/reader.h"
#include "probe/ptrace/ring.h"
#include "probe/ptrace/shared.h"
#include "probe/ptrace/tracees.h"
#include "probe/ptrace/traps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACER_NAME "usdt-tracer"

enum {
	DRAIN_MS = 1000,
	RELEASE_MS = 5000,
	CALM_MS = 1000,
	READER_MS = 2000, /* much longer than a thread waits for a processor on a busy machine */
	LOOKS = 16,
	STOP_LOOKS = 100,
	CHILDREN_MAX = 1024,
};
#define NS_PER_MS UINT64_C(1000000)

struct tracer {
	struct ptrace_area area;
	int socket_fd;
	pid_t pid; /* 0: attached to none */
	int mem_fd;
	uint64_t mask;
	uint32_t generation;
	bool is_draining, is_releasing;
	bool has_left_traps;    /* which could not be taken out */
	struct handler handler; /* in a process that we did not start */
	uint64_t exit_address;  /* see aside.h; 0: no trap is there */
	struct traps_code exit_code;
	struct tracees tracees;
	/* New processes whose first stop came before their parent's report of them. */
	pid_t children[CHILDREN_MAX];
	size_t children_cnt;
};

/* Hits */

static void
record_hit(struct tracer *tracer, struct tracee *tracee, size_t idx, const struct regs *regs)
{
	const struct ptrace_point *point = &tracer->area.points[idx];
	struct ptrace_thread *counts = tracee->counts;

	if (!counts) {
		atomic_fetch_add(&tracer->area.shared->no_memory, 1);
		return;
	}
	uint64_t seq = atomic_load_explicit(&counts->attempts, memory_order_relaxed) + 1;
	atomic_store(&counts->attempts, seq);
	/* A node that tpcheck started can stand still for a while; others are not held up. */
	struct record *record =
		tracer->area.shared->is_owned
			? ring_reserve_patiently(&tracer->area, point->record_bytes, READER_MS)
			: ring_reserve(&tracer->area, point->record_bytes);
	if (!record) {
		atomic_fetch_add(&counts->failed, 1);
		return;
	}
	record->head = (struct record_head){
		.time_ns = clock_now_ns(),
		.seq = seq,
		.tid = (uint32_t)tracee->tid,
		.generation = tracer->generation,
		.point = (uint16_t)idx,
		.args_cnt = point->args_cnt,
	};
	record->head.size = reader_fill(record, point, tracee->tid, tracer->area.traps[idx].address, regs);
	if (conditions_hold(point->conditions, point->conditions_cnt, point->slots, record))
		ring_commit(&tracer->area, record->head.size);
	else
		atomic_fetch_add(&counts->filtered, 1);
}

/* Whether a process sent the signal (then its code is not positive). The thread may stand behind a trap all the same,
 * that of an earlier hit. */
static bool
is_sent(pid_t tid)
{
	siginfo_t info;

	return !ptrace_call(PTRACE_GETSIGINFO, tid, 0, (unsigned long)&info) && info.si_code <= 0;
}

/* Whether the thread has just run into a trap; if so, the hit is recorded and the thread put behind the nop. Traps that
 * were taken out count too: the thread may have run into one before. */
static bool
take_hit(struct tracer *tracer, struct tracee *tracee)
{
	struct regs regs;
	uint64_t behind = 0;

	if (regs_read(tracee->tid, &regs))
		return true; /* it has died */
	if (is_sent(tracee->tid))
		return false;
	for (size_t i = 0; i < tracer->area.shared->points_cnt; i++) {
		const struct ptrace_trap *trap = &tracer->area.traps[i];

		if (traps_stop_address(trap->address) != regs_pc(&regs))
			continue;
		behind = trap->address + trap->nop_bytes;
		if (tracer->mask >> tracer->area.points[i].tracepoint & 1)
			record_hit(tracer, tracee, i, &regs);
	}
	if (behind && behind != regs_pc(&regs)) {
		regs_set_pc(&regs, behind);
		regs_write(tracee->tid, &regs);
	}
	return behind != 0;
}

/* Processes and threads that come and go */

static bool
is_thread(const struct tracer *tracer, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)tracer->pid, (int)tid);
	return !access(path, F_OK);
}

static bool
shares_memory(const struct tracer *tracer, pid_t child, int event)
{
	long rc = syscall(SYS_kcmp, (long)tracer->pid, (long)child, 1L /* KCMP_VM */, 0L, 0L);

	return rc < 0 ? event != PTRACE_EVENT_FORK : rc == 0;
}

static void go_on(struct tracer *tracer, pid_t tid, int signo);

/* The child is in its first stop. One that shares the memory (vfork) runs into the same traps, so it is traced as a
 * thread is, until it executes a program. */
static void
on_child(struct tracer *tracer, pid_t child, int event)
{
	if (shares_memory(tracer, child, event) && tracees_add(&tracer->tracees, child)) {
		go_on(tracer, child, 0);
		return;
	}
	traps_clear_copy(&tracer->area, tracer->mem_fd, child);
	if (tracer->exit_address)
		traps_clear_other(child, tracer->exit_address, &tracer->exit_code);
	ptrace_call(PTRACE_DETACH, child, 0, 0);
}

static bool
take_early_child(struct tracer *tracer, pid_t child)
{
	for (size_t i = 0; i < tracer->children_cnt; i++)
		if (tracer->children[i] == child) {
			tracer->children[i] = tracer->children[--tracer->children_cnt];
			return true;
		}
	return false;
}

static bool
wait_for(pid_t tid, int *status)
{
	pid_t found;

	do
		found = waitpid(tid, status, __WALL);
	while (found < 0 && errno == EINTR);
	return found == tid;
}

/* tid has made a process or a thread. The first stop of a thread is a stop like others. */
static void
on_new(struct tracer *tracer, pid_t tid, int event)
{
	unsigned long made = 0;
	int status;

	if (ptrace_call(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&made) || is_thread(tracer, (pid_t)made))
		return;
	if (take_early_child(tracer, (pid_t)made) || (wait_for((pid_t)made, &status) && WIFSTOPPED(status)))
		on_child(tracer, (pid_t)made, event);
}

static void
forget_process(struct tracer *tracer)
{
	/* Else the keeper tries again. */
	if (!tracer->has_left_traps) {
		traps_forget(&tracer->area);
		atomic_store(&tracer->area.shared->pid, 0);
	}
	tracer->has_left_traps = false;
	tracees_remove_all(&tracer->tracees);
	if (tracer->mem_fd >= 0)
		close(tracer->mem_fd);
	tracer->mem_fd = -1;
	tracer->pid = 0;
	tracer->exit_address = 0;
	tracer->handler = (struct handler){0};
}

static void
set_exit_trap(struct tracer *tracer)
{
	tracer->exit_address = aside_find_exit(tracer->pid);
	if (tracer->exit_address && traps_set_at(tracer->mem_fd, tracer->exit_address, &tracer->exit_code))
		tracer->exit_address = 0;
}

static void
clear_exit_trap(struct tracer *tracer)
{
	/* If that fails, the process has ended. */
	if (tracer->exit_address && tracer->mem_fd >= 0)
		traps_clear_at(tracer->mem_fd, tracer->exit_address, &tracer->exit_code);
	tracer->exit_address = 0;
}

/* Stops */

static void release(struct tracer *tracer);

/* The thread has run into the trap at exit. It goes on only when all others have been released. */
static void
step_aside(struct tracer *tracer, pid_t tid)
{
	struct regs regs;

	if (!regs_read(tid, &regs)) {
		regs_set_pc(&regs, tracer->exit_address);
		regs_write(tid, &regs);
	}
	tracees_remove(&tracer->tracees, tid);
	release(tracer);
	ptrace_call(PTRACE_DETACH, tid, 0, 0);
}

/* Whether it is a process of its own, such as one that was just made. */
static bool
is_process(pid_t tid)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;
	int tgid = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *file = fopen(path, "re");
	while (file && !tgid && getline(&line, &line_sz, file) > 0)
		if (sscanf(line, "Tgid: %d", &tgid) != 1)
			tgid = 0;
	free(line);
	if (file)
		fclose(file);
	return tgid == tid;
}

/* The thread is stopped, the traps are gone: if it has no trap's signal now, it will not have one. */
static void
note_drained(struct tracer *tracer, pid_t tid)
{
	struct tracee *tracee = tracees_find(&tracer->tracees, tid);

	if (tracee && !handler_has_pending_trap(tid))
		tracee->is_drained = true;
}

static void
go_on(struct tracer *tracer, pid_t tid, int signo)
{
	if (tracer->is_draining)
		note_drained(tracer, tid);
	if (!tracer->is_releasing || handler_has_pending_trap(tid)) {
		ptrace_call(PTRACE_CONT, tid, 0, (unsigned long)signo);
		return;
	}
	if (!ptrace_call(PTRACE_DETACH, tid, 0, (unsigned long)signo))
		tracees_remove(&tracer->tracees, tid);
}

/* PTRACE_EVENT_STOP: a new thread's first stop, the answer to an interrupt, or a stop of the whole process, in which
 * the thread has to stay. */
static void
on_event_stop(struct tracer *tracer, pid_t tid, int signo)
{
	bool is_group_stop = signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;

	if (!tracees_find(&tracer->tracees, tid)) {
		if (!is_thread(tracer, tid)) {
			/* Else a thread of an earlier process, which could not be stopped in time. */
			if (tracer->pid && is_process(tid) && tracer->children_cnt < CHILDREN_MAX)
				tracer->children[tracer->children_cnt++] = tid;
			else
				ptrace_call(PTRACE_DETACH, tid, 0, 0);
			return;
		}
		tracees_add(&tracer->tracees, tid);
	}
	if (is_group_stop && !tracer->is_releasing) {
		note_drained(tracer, tid);
		ptrace_call(PTRACE_LISTEN, tid, 0, 0);
	} else {
		go_on(tracer, tid, 0);
	}
}

static bool
is_at_exit(const struct tracer *tracer, pid_t tid)
{
	struct regs regs;

	return tracer->exit_address && !regs_read(tid, &regs) &&
	       regs_pc(&regs) == traps_stop_address(tracer->exit_address);
}

static void
on_stop(struct tracer *tracer, pid_t tid, int status)
{
	int event = status >> 16, signo = WSTOPSIG(status);
	struct tracee *tracee;

	switch (event) {
	case 0:
		if (signo == SIGTRAP && is_at_exit(tracer, tid) && !is_sent(tid)) {
			step_aside(tracer, tid);
			break;
		}
		tracee = tracees_add(&tracer->tracees, tid);
		if (signo == PTRACE_CALL_STOP) /* of a call that was given up; see handler.c */
			signo = 0;
		if (signo == SIGTRAP && (!tracee || take_hit(tracer, tracee)))
			signo = 0;
		go_on(tracer, tid, signo);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_new(tracer, tid, event);
		go_on(tracer, tid, 0);
		break;
	case PTRACE_EVENT_EXEC: /* the only thread that is left, with other memory */
		tracees_remove(&tracer->tracees, tid);
		if (tid == tracer->pid)
			forget_process(tracer);
		ptrace_call(PTRACE_DETACH, tid, 0, 0);
		break;
	case PTRACE_EVENT_STOP:
		on_event_stop(tracer, tid, signo);
		break;
	default:
		go_on(tracer, tid, 0);
	}
}

static void
on_status(struct tracer *tracer, pid_t tid, int status)
{
	if (WIFSTOPPED(status)) {
		on_stop(tracer, tid, status);
		return;
	}
	tracees_remove(&tracer->tracees, tid);
	if (tid == tracer->pid) /* reported when all its threads have ended */
		forget_process(tracer);
}

/* Requests */

static int
explain_seize(pid_t pid, pid_t other, int err, struct diag *diag)
{
	if (err == -EPERM && other)
		return diag_fail(
			diag, err,
			"probe: failed to trace process %d by ptrace: process %d traces it already, and there can be only one; end that first, or use BPF (CAP_BPF and CAP_PERFMON)",
			(int)pid, (int)other);
	return diag_fail(diag, err, "probe: failed to trace process %d (PTRACE_SEIZE): %s%s", (int)pid,
			 strerror(-err),
			 err == -EPERM ? "; see tpcheck doctor for what tracing by ptrace requires" : "");
}

/* One that we trace already was made by a thread that we trace. */
static int
seize(struct tracer *tracer, pid_t tid, struct diag *diag)
{
	unsigned long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD |
				(tracer->area.shared->is_owned ? (unsigned long)PTRACE_O_EXITKILL : 0);

	if (tracees_find(&tracer->tracees, tid))
		return 0;
	if (ptrace_call(PTRACE_SEIZE, tid, 0, options)) {
		int err = -errno;
		pid_t other = process_tracer(tid);

		if (err == -ESRCH || (err == -EPERM && other == getpid()))
			return 0;
		/* It has ended meanwhile. */
		if (tid != tracer->pid && !is_thread(tracer, tid))
			return 0;
		return explain_seize(tracer->pid, other, err, diag);
	}
	if (tracees_add(&tracer->tracees, tid))
		return 0;
	return diag_fail(diag, -ENOMEM, "probe: out of memory");
}

/* Until no thread is found that is not known, twice: a look into the folder is no snapshot. */
static int
seize_all(struct tracer *tracer, struct diag *diag)
{
	int err = seize(tracer, tracer->pid, diag);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tracer->pid);
	if (!err && !tracer->tracees.cnt)
		err = diag_fail(diag, -ESRCH, "probe: process %d has ended", (int)tracer->pid);
	for (int idle = 0; idle < 2 && !err;) {
		size_t before = tracer->tracees.cnt;
		DIR *dir = opendir(path);
		struct dirent *entry;
		uint64_t tid;

		while (dir && !err && (entry = readdir(dir)))
			if (parse_u64(entry->d_name, &tid))
				err = seize(tracer, (pid_t)tid, diag);
		if (dir)
			closedir(dir);
		idle = tracer->tracees.cnt == before ? idle + 1 : 0;
	}
	return err;
}

static void
on_other_stop(void *cookie, pid_t tid, int status)
{
	on_status(cookie, tid, status);
}

/* Waits until a thread stops or ends, for the deadline, or for a request. */
static void
wait_for_child(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000),
				   .tv_nsec = (long)(left % 1000000000)};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &timeout);
}

/* Deals with what has stopped. */
static void
serve_stops(struct tracer *tracer, bool waits)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		on_status(tracer, tid, status);
	if (waits)
		wait_for_child(clock_now_ns() + NS_PER_MS);
}

typedef int (*change_cb)(struct handler *handler, const struct handler_thread *thread, struct diag *diag);

/* By the first thread that can do it; -EAGAIN: none can at present. */
static int
try_change_handler(struct tracer *tracer, change_cb change, bool allows_wait, struct diag *diag)
{
	const struct tracee *tracee;
	int err = -EAGAIN;

	for (size_t at = 0; err == -EAGAIN && (tracee = tracees_next(&tracer->tracees, &at));) {
		const struct handler_thread thread = {.pid = tracer->pid,
						      .tid = tracee->tid,
						      .mem_fd = tracer->mem_fd,
						      .allows_wait = allows_wait,
						      .on_stop = on_other_stop,
						      .cookie = tracer};

		/* A child by vfork has the memory, and handlers of its own. */
		if (is_thread(tracer, thread.tid))
			err = change(&tracer->handler, &thread, diag);
	}
	return err;
}

/* In a busy process it may take a moment until a thread is found within a system call. */
static int
change_handler(struct tracer *tracer, change_cb change, struct diag *diag)
{
	uint64_t deadline_ns = clock_now_ns() + CALM_MS * NS_PER_MS;
	bool allows_wait = false;
	int err;

	while ((err = try_change_handler(tracer, change, allows_wait, diag)) == -EAGAIN &&
	       clock_now_ns() < deadline_ns) {
		allows_wait = true;
		serve_stops(tracer, true);
	}
	return err == -EAGAIN ? diag_fail(diag, err, "probe: no thread of process %d could be interrupted",
					  (int)tracer->pid)
			      : err;
}

static int
check_suspects(struct tracer *tracer, struct diag *diag)
{
	struct tracee *tracee;
	int again = 0;

	for (size_t at = 0; (tracee = tracees_next(&tracer->tracees, &at));) {
		int err = tracee->is_suspect ? handler_check_thread(tracer->pid, tracee->tid, diag) : 0;

		if (err && err != -EAGAIN)
			return err;
		tracee->is_suspect = err != 0;
		again = err ? err : again;
	}
	return again;
}

/* A thread that begins or ends blocks all signals for a moment. One that begins later gets the mask of its maker. */
static int
check_threads(struct tracer *tracer, struct diag *diag)
{
	uint64_t deadline_ns = clock_now_ns() + CALM_MS * NS_PER_MS;
	struct tracee *tracee;
	int err;

	for (size_t at = 0; (tracee = tracees_next(&tracer->tracees, &at));)
		tracee->is_suspect = true;
	/* Whoever makes threads all the time blocks signals whenever it stops for us: so we look while it runs. */
	for (int look = 1; (err = check_suspects(tracer, diag)) == -EAGAIN && clock_now_ns() < deadline_ns;
	     look++)
		serve_stops(tracer, look % LOOKS == 0);
	return err == -EAGAIN ? -EOPNOTSUPP : err;
}

/* See handler.c. */
static int
protect(struct tracer *tracer, struct diag *diag)
{
	if (tracer->area.shared->is_owned)
		return 0;
	/* A thread that comes from the handler would go on in the middle of a longer nop. */
	for (size_t i = 0; i < tracer->area.shared->points_cnt; i++) {
		const struct ptrace_trap *trap = &tracer->area.traps[i];
		uint64_t moves = traps_stop_address(trap->address) - trap->address;

		if (moves && moves != trap->nop_bytes)
			return diag_fail(
				diag, -EOPNOTSUPP,
				"probe: the probes of process %d are nops of %d bytes: by ptrace, only a process that tpcheck started can be traced",
				(int)tracer->pid, trap->nop_bytes);
	}
	int err = check_threads(tracer, diag);
	if (err)
		return err;
	tracer->handler = (struct handler){0};
	return change_handler(tracer, handler_set, diag);
}

static void
interrupt_all(struct tracer *tracer)
{
	struct tracee *tracee;

	/* If that fails, it has ended. */
	for (size_t at = 0; (tracee = tracees_next(&tracer->tracees, &at));)
		tracee->is_drained = ptrace_call(PTRACE_INTERRUPT, tracee->tid, 0, 0) != 0;
}

static bool
is_drained(const struct tracer *tracer)
{
	const struct tracee *tracee;

	for (size_t at = 0; (tracee = tracees_next(&tracer->tracees, &at));)
		if (!tracee->is_drained)
			return false;
	return true;
}

/* Once the traps are gone: waits until no thread has the signal of one, which without the handler would end the process
 * if we were killed. False: a thread cannot be stopped at present. */
static bool
drain(struct tracer *tracer)
{
	uint64_t deadline_ns = clock_now_ns() + DRAIN_MS * NS_PER_MS;
	bool drained;
	int status;
	pid_t tid;

	tracer->is_draining = true;
	interrupt_all(tracer);
	while (!(drained = is_drained(tracer)) && clock_now_ns() < deadline_ns) {
		bool has_stopped = false;

		while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
			on_status(tracer, tid, status);
			has_stopped = true;
		}
		if (!has_stopped)
			wait_for_child(deadline_ns);
	}
	tracer->is_draining = false;
	return drained;
}

/* Takes the traps out, then stops each thread and lets it go, so that none is left with a trap's signal. The handler
 * goes when nothing is left that needs it; otherwise it stays, and does nothing. */
static void
release(struct tracer *tracer)
{
	int status;
	pid_t tid;

	if (!tracer->pid)
		return;
	tracer->mask = 0;
	clear_exit_trap(tracer);
	int err = traps_clear(&tracer->area, tracer->mem_fd, NULL);
	tracer->has_left_traps = err && err != -ESRCH;
	if (!tracer->has_left_traps && tracer->handler.is_set && drain(tracer) && tracer->pid)
		change_handler(tracer, handler_unset, NULL);
	tracer->is_releasing = true;
	interrupt_all(tracer);
	uint64_t deadline_ns = clock_now_ns() + RELEASE_MS * NS_PER_MS;
	while (tracer->tracees.cnt && clock_now_ns() < deadline_ns) {
		while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
			on_status(tracer, tid, status);
		if (tid < 0 && errno == ECHILD)
			break;
		if (tracer->tracees.cnt)
			wait_for_child(deadline_ns);
	}
	tracer->is_releasing = false;
	if (tracer->pid)
		forget_process(tracer);
}

static int
attach(struct tracer *tracer, pid_t pid, struct diag *diag)
{
	release(tracer);
	tracer->pid = pid;
	int err = seize_all(tracer, diag);
	if (!err)
		err = traps_open(&tracer->area, pid, &tracer->mem_fd, diag);
	if (!err)
		err = protect(tracer, diag);
	if (!err) {
		tracer->area.shared->start_time = process_start_time(pid);
		atomic_store(&tracer->area.shared->pid, pid);
		err = traps_set(&tracer->area, tracer->mem_fd, UINT64_MAX, diag);
	}
	/* A trap in an instruction that is no nop must not be left without a tracer. */
	if (!err && tracer->area.shared->is_owned)
		set_exit_trap(tracer);
	if (err)
		release(tracer);
	return err;
}

static int
record(struct tracer *tracer, const struct ptrace_request *request, struct diag *diag)
{
	int err = 0, check_err = 0;

	/* First no hit counts that is not wanted, last none is missed. */
	tracer->mask &= request->mask;
	tracer->generation = request->generation;
	if (tracer->pid)
		check_err = traps_check(&tracer->area, tracer->mem_fd, tracer->pid, diag);
	if (tracer->pid)
		err = traps_set(&tracer->area, tracer->mem_fd, request->mask, diag);
	/* The memory is gone: the process has ended meanwhile, which whoever waits for its events will see. */
	if (err == -ESRCH)
		err = 0;
	tracer->mask = err ? 0 : request->mask;
	return err ? err : check_err;
}

static void
serve(struct tracer *tracer, const struct ptrace_request *request)
{
	struct ptrace_answer answer = {.number = request->number};

	switch (request->verb) {
	case PTRACE_DO_ATTACH:
		answer.err = attach(tracer, request->pid, &answer.diag);
		break;
	case PTRACE_DO_DETACH:
		release(tracer);
		break;
	case PTRACE_DO_RECORD:
		answer.err = record(tracer, request, &answer.diag);
		break;
	}
	while (send(tracer->socket_fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && errno == EINTR)
		; /* the end of the owner is seen by the next look */
}

/* Serves all requests that are there, as one signal may stand for several; false when the owner has ended. */
static bool
look_for_requests(struct tracer *tracer)
{
	struct ptrace_request request;
	ssize_t n;

	while ((n = recv(tracer->socket_fd, &request, sizeof(request), MSG_DONTWAIT)) == sizeof(request) ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			serve(tracer, &request);
	return n < 0 && errno == EAGAIN;
}

static volatile sig_atomic_t has_request;

/* A signal that comes just before waitpid begins does not interrupt it. So it is repeated until it was seen. */
static void
on_request(int signo)
{
	const struct itimerval again = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
	int saved_errno = errno;

	if (signo == SIGIO) {
		has_request = 1;
		setitimer(ITIMER_REAL, &again, NULL);
	}
	errno = saved_errno;
}

/* After a stop the next one often follows at once: so it is looked for a few times, because waking up an idle CPU takes
 * longer than that. */
static pid_t
wait_for_stop(const struct tracer *tracer, int *status)
{
	pid_t tid = 0;

	for (int looks = 0; tracer->mask && looks < STOP_LOOKS && !tid && !has_request; looks++)
		tid = waitpid(-1, status, __WALL | WNOHANG);
	return tid || has_request ? tid : waitpid(-1, status, __WALL);
}

static void
run(struct tracer *tracer)
{
	bool has_owner = true;

	while (has_owner) {
		int status;
		pid_t tid = has_request ? 0 : wait_for_stop(tracer, &status);

		if (tid > 0)
			on_status(tracer, tid, status);
		else if (tid < 0 && errno == ECHILD && !has_request)
			pause();
		if (!has_request)
			continue;
		has_request = 0;
		setitimer(ITIMER_REAL, &(const struct itimerval){0}, NULL);
		has_owner = look_for_requests(tracer);
	}
}

/* All signals are blocked but those that say that there is a request. */
static void
set_signals(void)
{
	const struct sigaction action = {.sa_handler = on_request};
	sigset_t blocked;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGIO);
	sigdelset(&blocked, SIGALRM);
	signal(SIGCHLD, SIG_DFL);
	sigaction(SIGIO, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

_Noreturn void
tracer_run(struct ptrace_area *area, int socket_fd)
{
	struct tracer tracer = {.area = *area, .socket_fd = socket_fd, .mem_fd = -1};

	set_signals();
	if (tracer.socket_fd < 3)
		tracer.socket_fd = fcntl(tracer.socket_fd, F_DUPFD_CLOEXEC, 3);
	keeper_close_all_but(tracer.socket_fd);
	prctl(PR_SET_NAME, TRACER_NAME);
	/* On a busy machine the traced process should not wait for this one; best effort. */
	setpriority(PRIO_PROCESS, 0, -10);
	int flags = fcntl(tracer.socket_fd, F_GETFL);
	if (tracees_init(&tracer.tracees, &tracer.area) || flags < 0 ||
	    fcntl(tracer.socket_fd, F_SETOWN, getpid()) || fcntl(tracer.socket_fd, F_SETFL, flags | O_ASYNC))
		_exit(1);
	/* What came before SIGIO was asked for. */
	if (look_for_requests(&tracer))
		run(&tracer);
	if (!area->shared->is_owned)
		release(&tracer);
	_exit(0);
}

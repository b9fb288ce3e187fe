/* When the tracer process is killed, the kernel lets its tracees run on, and delivers the signals of the traps that
 * they have run into: SIGTRAP, which kills a process that does not handle it. So before the first trap is set, a
 * process that must outlive us gets a handler that does nothing. A thread that then runs into a trap without a tracer
 * goes on behind it where a trap leaves the program counter there (x86-64); where it does not (aarch64), the thread
 * comes back to the trap until it is gone. Either way the trap can be taken out in peace. The same holds for child
 * processes that inherit memory and handlers.
 *
 * Only the process itself can set a handler, so one of its threads has to call rt_sigaction. It must not matter when
 * we are killed meanwhile. Therefore everything is prepared in the unused part of the thread's stack, and one
 * PTRACE_SETREGSET starts it; the rest runs without us:
 *
 * 	syscall                 rt_sigaction(SIGTRAP, new, old), by an instruction found in the process,
 * 	return                  and the one behind it, which goes to
 * 	restorer                code that calls rt_sigreturn, with a frame that holds all registers that the thread
 * 	                        had
 *
 * Nothing is added to the process's code. The handler is a return instruction that was found there, too.
 *
 * A thread that was within a system call goes on as after a signal whose handler restarts system calls. */
#include "probe/ptrace/handler.h"

#include "base/clock.h"
#include "probe/ptrace/handler_machine.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STOP_MS = 500, CALL_MS = 2000 };

/* Code that is in the process already */

static int
find_code(struct handler *handler, pid_t pid, int mem_fd, struct diag *diag)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;

	if (handler_machine_has_code(handler))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	while (!handler_machine_has_code(handler) && getline(&line, &line_sz, maps) > 0) {
		uint64_t start, end;
		char permissions[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, permissions) != 3 ||
		    strncmp(permissions, "r-x", 3) || strstr(line, "[vsyscall]"))
			continue;
		handler_machine_look(handler, pid, mem_fd, start, end);
	}
	free(line);
	fclose(maps);
	if (handler_machine_has_code(handler))
		return 0;
	return diag_fail(
		diag, -EOPNOTSUPP,
		"probe: process %d has no code by which it could be protected from traps without a tracer",
		(int)pid);
}

/* Signals that the thread must not block, and features that forbid such calls */

int
handler_check_thread(pid_t pid, pid_t tid, struct diag *diag)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0; /* it has ended */
	while (!err && getline(&line, &line_sz, file) > 0) {
		uint64_t blocked;

		if (sscanf(line, "SigBlk: %" SCNx64, &blocked) == 1 && blocked >> (SIGTRAP - 1) & 1)
			err = diag_fail(
				diag, -EAGAIN,
				"probe: thread %d blocks SIGTRAP, so a trap without a tracer would kill the process",
				(int)tid);
		if (handler_machine_has_shadow_stack(line))
			err = diag_fail(
				diag, -EOPNOTSUPP,
				"probe: process %d has a shadow stack, with which it cannot be protected from traps without a tracer",
				(int)pid);
	}
	free(line);
	fclose(file);
	return err;
}

/* Stops */

static int
wait_for_stop(pid_t tid, unsigned timeout_ms, int *status)
{
	struct deadline deadline = deadline_in_ms(timeout_ms);
	pid_t found;

	while (!(found = waitpid(tid, status, __WALL | WNOHANG)) && !deadline_has_passed(deadline))
		sched_yield(); /* it takes some microseconds */
	if (found <= 0)
		return -EAGAIN;
	return WIFSTOPPED(*status) ? 0 : -ESRCH;
}

bool
handler_has_pending_trap(pid_t tid)
{
	siginfo_t infos[16];
	struct __ptrace_peeksiginfo_args args = {.nr = 16};
	long cnt = ptrace_call(PTRACE_PEEKSIGINFO, tid, (unsigned long)&args, (unsigned long)infos);

	for (long i = 0; i < cnt; i++)
		if (infos[i].si_signo == SIGTRAP)
			return true;
	return false;
}

/* Interrupts the thread where its registers can be changed. */
static int
stop_thread(const struct handler_thread *thread)
{
	int status;

	if (ptrace_call(PTRACE_INTERRUPT, thread->tid, 0, 0))
		return -EAGAIN;
	for (;;) {
		int err = wait_for_stop(thread->tid, STOP_MS, &status);

		if (err == -ESRCH) /* it has ended */
			thread->on_stop(thread->cookie, thread->tid, status);
		if (err)
			return -EAGAIN;
		if (status >> 16 == PTRACE_EVENT_STOP)
			break;
		thread->on_stop(thread->cookie, thread->tid, status);
	}
	if (WSTOPSIG(status) == SIGTRAP && !handler_has_pending_trap(thread->tid))
		return 0;
	thread->on_stop(thread->cookie, thread->tid, status);
	return WSTOPSIG(status) == SIGTRAP ? -EAGAIN : -EBUSY; /* else the whole process is stopped */
}

/* The call */

/* It goes on by itself. We only look on, until its exit, to read what was there while it still is. A signal that comes
 * in spite of the mask is passed on at once: one that is sent again comes again before the call, without end. Not
 * -EAGAIN for a thread that takes too long: the call is on its way, and a second one would find what it has set. */
static int
watch_call(const struct handler_thread *thread, uint64_t before_at, struct handler_action *before)
{
	struct regs regs;
	int status, signo = 0;

	for (int stops = 0; stops < 2;) {
		if (ptrace_call(PTRACE_SYSCALL, thread->tid, 0, (unsigned long)signo))
			return -ESRCH;
		int err = wait_for_stop(thread->tid, CALL_MS, &status);
		if (err == -ESRCH)
			thread->on_stop(thread->cookie, thread->tid, status);
		if (err)
			return err == -EAGAIN ? -ETIMEDOUT : err;
		signo = 0;
		if (status >> 16 == 0 && WSTOPSIG(status) == PTRACE_CALL_STOP)
			stops++;
		else if (status >> 16 == 0)
			signo = WSTOPSIG(status);
	}
	if (regs_read(thread->tid, &regs))
		return -ESRCH;
	if (handler_machine_result(&regs))
		return (int)handler_machine_result(&regs);
	return pread(thread->mem_fd, before, sizeof(*before), (off_t)before_at) == sizeof(*before) ? 0 : -EIO;
}

static int
change(const struct handler *handler, const struct handler_thread *thread,
       const struct handler_action *action, struct handler_action *before, struct diag *diag)
{
	uint64_t before_at;
	int err = stop_thread(thread);

	if (err == -EBUSY)
		return diag_fail(diag, err, "probe: process %d is stopped; continue it first (kill -CONT %d)",
				 (int)thread->pid, (int)thread->pid);
	if (err)
		return err;
	if (diag)
		diag->text[0] = '\0';
	err = handler_machine_start(handler, thread, action, &before_at, diag);
	if (!err)
		err = watch_call(thread, before_at, before);
	ptrace_call(PTRACE_CONT, thread->tid, 0, 0);
	if (err && err != -EAGAIN && !(diag && diag->text[0]))
		diag_fail(diag, err, "probe: failed to have process %d set a handler of SIGTRAP: %s",
			  (int)thread->pid, strerror(-err));
	return err;
}

int
handler_set(struct handler *handler, const struct handler_thread *thread, struct diag *diag)
{
	struct handler_action before;
	int err = find_code(handler, thread->pid, thread->mem_fd, diag);

	if (err)
		return err;
	const struct handler_action ours = {.handler = handler->entry,
					    .flags = handler->entry_flags | SA_RESTART,
					    .restorer = handler->entry_restorer};
	err = change(handler, thread, &ours, &handler->before, diag);
	if (err)
		return err;
	handler->is_set = true;
	if (handler->before.handler == ours.handler) /* a killed tpcheck has left it */
		handler->before = (struct handler_action){0};
	if (handler->before.handler <= 1) /* SIG_DFL, SIG_IGN */
		return 0;
	change(handler, thread, &handler->before, &before, NULL);
	handler->is_set = false;
	return diag_fail(
		diag, -EOPNOTSUPP,
		"probe: process %d handles SIGTRAP itself, so it cannot be traced by ptrace without risk",
		(int)thread->pid);
}

int
handler_unset(struct handler *handler, const struct handler_thread *thread, struct diag *diag)
{
	struct handler_action ours;

	if (!handler->is_set)
		return 0;
	int err = change(handler, thread, &handler->before, &ours, diag);
	if (err)
		return err;
	handler->is_set = false;
	/* The process has set one of its own meanwhile. */
	if (ours.handler != handler->entry) {
		struct handler_action ignored;

		err = change(handler, thread, &ours, &ignored, diag);
	}
	return err;
}

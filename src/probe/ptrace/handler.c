/* When the tracer process is killed, the kernel lets its tracees run on, and delivers the signals of the traps that
 * they have run into: SIGTRAP, which kills a process that does not handle it. So before the first trap is set, a
 * process that must outlive us gets a handler that does nothing. A thread that then runs into a trap without a tracer
 * goes on behind it, as a trap leaves the instruction pointer there, and the trap can be taken out in peace. The same
 * holds for child processes that inherit memory and handlers.
 *
 * Only the process itself can set a handler, so one of its threads has to call rt_sigaction. It must not matter when
 * we are killed meanwhile. Therefore everything is prepared in the unused part of the thread's stack, below its red
 * zone, and one PTRACE_SETREGS starts it; the rest runs without us:
 *
 * 	syscall                 rt_sigaction(SIGTRAP, new, old), by an instruction found in the process,
 * 	ret                     and the one behind it, which takes
 * 	restorer                from the stack: libc's code that calls rt_sigreturn, with a frame
 * 	                        that holds all registers that the thread had
 *
 * Nothing is added to the process's code. The handler is that same ret instruction, and its restorer is libc's.
 *
 * A thread that was within a system call goes on as after a signal whose handler restarts system calls. */
#include "probe/ptrace/handler.h"

#include "base/clock.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	RED_ZONE_BYTES = 128,
	XSTATE_BYTES_MAX = 16384,
	XSTATE_HEADER = 512,   /* behind the legacy area; its first 8 bytes are XSTATE_BV */
	XSTATE_SOFTWARE = 464, /* in the legacy area: free for software */
	XSTATE_BYTES_MIN = 576,
	SIGSET_BYTES = 8,
	STOP_MS = 500,
	CALL_MS = 2000,
	READ_BYTES = 1 << 16,
};
/* Of asm/sigcontext.h and linux/signal.h, which collide with the C library's headers. */
#define XSTATE_MAGIC1      UINT32_C(0x46505853)
#define XSTATE_MAGIC2      UINT32_C(0x46505845)
#define KERNEL_SA_RESTORER UINT64_C(0x04000000)
#define CONTEXT_HAS_XSTATE 1      /* UC_FP_XSTATE */
#define CONTEXT_HAS_SS     6      /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define STACK_UNCHANGED    0x7fff /* no valid mode: the kernel then leaves the alternate stack alone */
#define SYSCALL_STOP       (SIGTRAP | 0x80)
/* Of include/linux/errno.h: how an interrupted system call is to be restarted. */
enum { RESTART_SYS = 512, RESTART_NOINTR = 513, RESTART_NOHAND = 514, RESTART_BLOCK = 516 };

struct xstate_software {
	uint32_t magic1, extended_bytes;
	uint64_t features;
	uint32_t bytes, padding[7];
};
_Static_assert(sizeof(struct xstate_software) == 48, "struct _fpx_sw_bytes of asm/sigcontext.h");

/* What is put onto the stack; the state of the FPU follows it, aligned to 64 bytes. */
struct call {
	uint64_t restorer; /* the stack pointer when the call begins */
	struct {
		uint64_t flags, link;
		struct {
			uint64_t address;
			int32_t flags, padding;
			uint64_t bytes;
		} stack;
		mcontext_t registers;
		uint64_t mask;
	} context;
	struct handler_action action, before;
};
_Static_assert(offsetof(struct call, context.registers) == 8 + 40 && sizeof(mcontext_t) == 256,
	       "the kernel's struct ucontext");

/* What a thread had before the call. */
struct saved {
	struct user_regs_struct regs;
	uint64_t mask;
	_Alignas(64) unsigned char xstate[XSTATE_BYTES_MAX + 8];
	size_t xstate_bytes;
};

static long
do_ptrace(unsigned request, pid_t tid, unsigned long address, unsigned long data)
{
	return syscall(SYS_ptrace, (long)request, (long)tid, address, data);
}

/* Code that is in the process already */

static bool
find_bytes(int mem_fd, uint64_t start, uint64_t end, const char *bytes, size_t cnt, uint64_t *found)
{
	static char buffer[READ_BYTES];

	while (start + cnt <= end) {
		size_t wanted = end - start < sizeof(buffer) ? (size_t)(end - start) : sizeof(buffer);
		ssize_t n = pread(mem_fd, buffer, wanted, (off_t)start);

		if (n < (ssize_t)cnt)
			return false;
		const char *at = memmem(buffer, (size_t)n, bytes, cnt);
		if (at) {
			*found = start + (uint64_t)(at - buffer);
			return true;
		}
		start += (uint64_t)n - (cnt - 1);
	}
	return false;
}

static int
find_code(struct handler *handler, pid_t pid, int mem_fd, struct diag *diag)
{
	static const char gadget[] = "\x0f\x05\xc3";                           /* syscall; ret */
	static const char restorer[] = "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"; /* mov $15,%rax; syscall */
	char path[64], *line = NULL;
	size_t line_sz = 0;

	if (handler->gadget && handler->restorer)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	while (getline(&line, &line_sz, maps) > 0 && (!handler->gadget || !handler->restorer)) {
		uint64_t start, end;
		char permissions[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, permissions) != 3 ||
		    strncmp(permissions, "r-x", 3) || strstr(line, "[vsyscall]"))
			continue;
		if (!handler->gadget)
			find_bytes(mem_fd, start, end, gadget, sizeof(gadget) - 1, &handler->gadget);
		if (!handler->restorer)
			find_bytes(mem_fd, start, end, restorer, sizeof(restorer) - 1, &handler->restorer);
	}
	free(line);
	fclose(maps);
	if (handler->gadget && handler->restorer)
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
		if (!strncmp(line, "x86_Thread_features:", 20) && strstr(line, "shstk"))
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
	long cnt = do_ptrace(PTRACE_PEEKSIGINFO, tid, (unsigned long)&args, (unsigned long)infos);

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

	if (do_ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0))
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

/* Saves */

static int
read_xstate(struct saved *thread, pid_t tid)
{
	struct iovec iov = {.iov_base = thread->xstate, .iov_len = XSTATE_BYTES_MAX};
	struct xstate_software *software = (struct xstate_software *)(thread->xstate + XSTATE_SOFTWARE);
	uint64_t features;
	const uint32_t magic2 = XSTATE_MAGIC2;

	if (do_ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, (unsigned long)&iov) ||
	    iov.iov_len < XSTATE_BYTES_MIN)
		return -EOPNOTSUPP;
	memcpy(&features, thread->xstate + XSTATE_HEADER, sizeof(features));
	features |= 3; /* x87 and SSE, which the legacy area holds */
	thread->xstate_bytes = XSTATE_BYTES_MIN;
	for (unsigned i = 2; i < 63; i++) {
		unsigned bytes, offset, c, d;

		if (!(features >> i & 1))
			continue;
		if (i == 17 || i == 18) /* the large registers of AMX: the kernel may not take them back */
			return -EAGAIN;
		__cpuid_count(0xd, i, bytes, offset, c, d);
		if (offset + bytes > thread->xstate_bytes)
			thread->xstate_bytes = offset + bytes;
	}
	if (thread->xstate_bytes > iov.iov_len)
		return -EOPNOTSUPP;
	*software =
		(struct xstate_software){.magic1 = XSTATE_MAGIC1,
					 .extended_bytes = (uint32_t)thread->xstate_bytes + sizeof(magic2),
					 .features = features,
					 .bytes = (uint32_t)thread->xstate_bytes};
	memcpy(thread->xstate + thread->xstate_bytes, &magic2, sizeof(magic2));
	thread->xstate_bytes += sizeof(magic2);
	return 0;
}

static int
save(struct saved *saved, pid_t tid)
{
	if (do_ptrace(PTRACE_GETREGS, tid, 0, (unsigned long)&saved->regs) ||
	    do_ptrace(PTRACE_GETSIGMASK, tid, sizeof(saved->mask), (unsigned long)&saved->mask))
		return -EAGAIN;
	return read_xstate(saved, tid);
}

/* Only within a system call: elsewhere it might be in a sequence that the kernel must restart (rseq). */
static bool
is_fit(const struct user_regs_struct *regs, bool allows_wait)
{
	return (int64_t)regs->orig_rax >= 0 && (allows_wait || (int64_t)regs->rax != -RESTART_BLOCK);
}

/* As the kernel does it when no handler is to be called: see arch_do_signal_or_restart. A call with a time limit is
 * interrupted, because the frame makes the kernel forget how to go on with it. */
static void
restart_syscall(struct user_regs_struct *regs)
{
	if ((int64_t)regs->orig_rax < 0)
		return;
	switch (-(int64_t)regs->rax) {
	case RESTART_SYS:
	case RESTART_NOINTR:
	case RESTART_NOHAND:
		regs->rax = regs->orig_rax;
		regs->rip -= 2;
		break;
	case RESTART_BLOCK:
		regs->rax = (uint64_t)-EINTR;
		break;
	}
}

static void
fill_registers(mcontext_t *to, const struct user_regs_struct *from, uint64_t xstate_address)
{
	greg_t *gregs = to->gregs;

	gregs[REG_R8] = (greg_t)from->r8;
	gregs[REG_R9] = (greg_t)from->r9;
	gregs[REG_R10] = (greg_t)from->r10;
	gregs[REG_R11] = (greg_t)from->r11;
	gregs[REG_R12] = (greg_t)from->r12;
	gregs[REG_R13] = (greg_t)from->r13;
	gregs[REG_R14] = (greg_t)from->r14;
	gregs[REG_R15] = (greg_t)from->r15;
	gregs[REG_RDI] = (greg_t)from->rdi;
	gregs[REG_RSI] = (greg_t)from->rsi;
	gregs[REG_RBP] = (greg_t)from->rbp;
	gregs[REG_RBX] = (greg_t)from->rbx;
	gregs[REG_RDX] = (greg_t)from->rdx;
	gregs[REG_RAX] = (greg_t)from->rax;
	gregs[REG_RCX] = (greg_t)from->rcx;
	gregs[REG_RSP] = (greg_t)from->rsp;
	gregs[REG_RIP] = (greg_t)from->rip;
	gregs[REG_EFL] = (greg_t)from->eflags;
	gregs[REG_CSGSFS] = (greg_t)(from->cs | from->ss << 48);
	to->fpregs = (fpregset_t)(uintptr_t)xstate_address;
}

/* The call */

/* Unlike /proc/PID/mem this writes only what the thread itself may write, so not into the guard page at the end of its
 * stack. */
static int
write_all(pid_t tid, uint64_t address, const void *from, size_t bytes)
{
	struct iovec local = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};

	return process_vm_writev(tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -EAGAIN;
}

/* Prepares the call in the thread's stack, and starts it. *before_at: where rt_sigaction will put what was there. */
static int
start_call(const struct saved *saved, const struct handler_thread *thread, const struct handler *handler,
	   const struct handler_action *action, uint64_t *before_at)
{
	struct user_regs_struct back = saved->regs, regs = saved->regs;
	uint64_t xstate_at = (regs.rsp - RED_ZONE_BYTES - saved->xstate_bytes) & ~UINT64_C(63);
	uint64_t call_at = (xstate_at - sizeof(struct call)) & ~UINT64_C(15);
	struct call call = {.restorer = handler->restorer, .action = *action};
	const uint64_t all_signals = UINT64_MAX;

	restart_syscall(&back);
	call.context.flags = CONTEXT_HAS_XSTATE | CONTEXT_HAS_SS;
	call.context.stack.flags = STACK_UNCHANGED;
	call.context.mask = saved->mask;
	fill_registers(&call.context.registers, &back, xstate_at);
	if (write_all(thread->tid, xstate_at, saved->xstate, saved->xstate_bytes) ||
	    write_all(thread->tid, call_at, &call, sizeof(call)))
		return -EAGAIN;
	*before_at = call_at + offsetof(struct call, before);
	regs.rip = handler->gadget;
	regs.rsp = call_at;
	regs.rax = SYS_rt_sigaction;
	regs.orig_rax = UINT64_MAX; /* no system call to restart */
	regs.rdi = SIGTRAP;
	regs.rsi = call_at + offsetof(struct call, action);
	regs.rdx = *before_at;
	regs.r10 = SIGSET_BYTES;
	if (do_ptrace(PTRACE_SETREGS, thread->tid, 0, (unsigned long)&regs))
		return -EAGAIN;
	/* No signal comes in between. Not before the registers: only the frame gives the mask back. */
	do_ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(all_signals), (unsigned long)&all_signals);
	return 0;
}

/* It goes on by itself. We only look on, until its exit, to read what was there while it still is. A signal that comes
 * in spite of the mask is passed on at once: one that is sent again comes again before the call, without end. Not
 * -EAGAIN for a thread that takes too long: the call is on its way, and a second one would find what it has set. */
static int
watch_call(const struct handler_thread *thread, uint64_t before_at, struct handler_action *before)
{
	struct user_regs_struct regs;
	int status, signo = 0;

	for (int stops = 0; stops < 2;) {
		if (do_ptrace(PTRACE_SYSCALL, thread->tid, 0, (unsigned long)signo))
			return -ESRCH;
		int err = wait_for_stop(thread->tid, CALL_MS, &status);
		if (err == -ESRCH)
			thread->on_stop(thread->cookie, thread->tid, status);
		if (err)
			return err == -EAGAIN ? -ETIMEDOUT : err;
		signo = 0;
		if (status >> 16 == 0 && WSTOPSIG(status) == SYSCALL_STOP)
			stops++;
		else if (status >> 16 == 0)
			signo = WSTOPSIG(status);
	}
	if (do_ptrace(PTRACE_GETREGS, thread->tid, 0, (unsigned long)&regs))
		return -ESRCH;
	if (regs.rax)
		return (int)(int64_t)regs.rax;
	return pread(thread->mem_fd, before, sizeof(*before), (off_t)before_at) == sizeof(*before) ? 0 : -EIO;
}

static int
change(const struct handler *handler, const struct handler_thread *thread,
       const struct handler_action *action, struct handler_action *before, struct diag *diag)
{
	static struct saved saved;
	uint64_t before_at;
	int err = stop_thread(thread);

	if (err == -EBUSY)
		return diag_fail(diag, err, "probe: process %d is stopped; continue it first (kill -CONT %d)",
				 (int)thread->pid, (int)thread->pid);
	if (err)
		return err;
	err = save(&saved, thread->tid);
	if (!err && !is_fit(&saved.regs, thread->allows_wait))
		err = -EAGAIN;
	if (!err)
		err = start_call(&saved, thread, handler, action, &before_at);
	if (!err)
		err = watch_call(thread, before_at, before);
	do_ptrace(PTRACE_CONT, thread->tid, 0, 0);
	if (err && err != -EAGAIN)
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
	const struct handler_action ours = {.handler = handler->gadget + 2,
					    .flags = KERNEL_SA_RESTORER | SA_RESTART,
					    .restorer = handler->restorer};
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
	if (ours.handler != handler->gadget + 2) {
		struct handler_action ignored;

		err = change(handler, thread, &ours, &ignored, diag);
	}
	return err;
}

/* The call returns to an address in the stack, where the restorer's is; see handler.c. */
#include "probe/ptrace/handler_machine.h"

#if defined(__x86_64__) && defined(__LP64__)
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <ucontext.h>

enum {
	RED_ZONE_BYTES = 128,
	XSTATE_BYTES_MAX = 16384,
	XSTATE_HEADER = 512,   /* behind the legacy area; its first 8 bytes are XSTATE_BV */
	XSTATE_SOFTWARE = 464, /* in the legacy area: free for software */
	XSTATE_BYTES_MIN = 576,
};
/* Of asm/sigcontext.h and linux/signal.h, which collide with the C library's headers. */
#define XSTATE_MAGIC1      UINT32_C(0x46505853)
#define XSTATE_MAGIC2      UINT32_C(0x46505845)
#define KERNEL_SA_RESTORER UINT64_C(0x04000000)
#define CONTEXT_HAS_XSTATE 1 /* UC_FP_XSTATE */
#define CONTEXT_HAS_SS     6 /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
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

static int
read_xstate(struct saved *thread, pid_t tid)
{
	struct iovec iov = {.iov_base = thread->xstate, .iov_len = XSTATE_BYTES_MAX};
	struct xstate_software *software = (struct xstate_software *)(thread->xstate + XSTATE_SOFTWARE);
	uint64_t features;
	const uint32_t magic2 = XSTATE_MAGIC2;

	if (ptrace_call(PTRACE_GETREGSET, tid, NT_X86_XSTATE, (unsigned long)&iov) ||
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
	if (ptrace_call(PTRACE_GETREGS, tid, 0, (unsigned long)&saved->regs) ||
	    ptrace_call(PTRACE_GETSIGMASK, tid, sizeof(saved->mask), (unsigned long)&saved->mask))
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

/* Below the red zone. */
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
	call.context.stack.flags = HANDLER_STACK_UNCHANGED;
	call.context.mask = saved->mask;
	fill_registers(&call.context.registers, &back, xstate_at);
	if (handler_write(thread->tid, xstate_at, saved->xstate, saved->xstate_bytes) ||
	    handler_write(thread->tid, call_at, &call, sizeof(call)))
		return -EAGAIN;
	*before_at = call_at + offsetof(struct call, before);
	regs.rip = handler->gadget;
	regs.rsp = call_at;
	regs.rax = SYS_rt_sigaction;
	regs.orig_rax = UINT64_MAX; /* no system call to restart */
	regs.rdi = SIGTRAP;
	regs.rsi = call_at + offsetof(struct call, action);
	regs.rdx = *before_at;
	regs.r10 = HANDLER_SIGSET_BYTES;
	if (ptrace_call(PTRACE_SETREGS, thread->tid, 0, (unsigned long)&regs))
		return -EAGAIN;
	/* No signal comes in between. Not before the registers: only the frame gives the mask back. */
	ptrace_call(PTRACE_SETSIGMASK, thread->tid, sizeof(all_signals), (unsigned long)&all_signals);
	return 0;
}

void
handler_machine_look(struct handler *handler, pid_t pid, int mem_fd, uint64_t start, uint64_t end)
{
	static const char gadget[] = "\x0f\x05\xc3";                           /* syscall; ret */
	static const char restorer[] = "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"; /* mov $15,%rax; syscall */

	(void)pid;
	if (!handler->gadget)
		handler_find_bytes(mem_fd, start, end, gadget, sizeof(gadget) - 1, 1, &handler->gadget);
	if (!handler->restorer)
		handler_find_bytes(mem_fd, start, end, restorer, sizeof(restorer) - 1, 1, &handler->restorer);
	if (!handler_machine_has_code(handler))
		return;
	handler->entry = handler->gadget + 2;
	handler->entry_flags = KERNEL_SA_RESTORER;
	handler->entry_restorer = handler->restorer;
}

bool
handler_machine_has_code(const struct handler *handler)
{
	return handler->gadget && handler->restorer;
}

int
handler_machine_start(const struct handler *handler, const struct handler_thread *thread,
		      const struct handler_action *action, uint64_t *before_at, struct diag *diag)
{
	static struct saved saved;
	int err = save(&saved, thread->tid);

	(void)diag;
	if (!err && !is_fit(&saved.regs, thread->allows_wait))
		err = -EAGAIN;
	return err ? err : start_call(&saved, thread, handler, action, before_at);
}

int64_t
handler_machine_result(const struct regs *regs)
{
	return (int64_t)regs_get(regs, REGISTER_AX);
}

bool
handler_machine_has_shadow_stack(const char *line)
{
	return !strncmp(line, "x86_Thread_features:", 20) && strstr(line, "shstk");
}
#endif

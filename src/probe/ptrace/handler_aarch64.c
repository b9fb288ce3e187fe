/* The call returns to where x30 points, the restorer in the vDSO; see handler.c. The frame is that of a signal, and
 * lies where the stack pointer is. */
#include "probe/ptrace/handler_machine.h"

#if defined(__aarch64__)
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { INSTRUCTION_BYTES = 4, CALL_NUMBER = 8, LINK = 30, FRAME_ALIGNMENT = 16 };
#define SVC UINT32_C(0xd4000001)
/* Of asm/sigcontext.h, asm/hwcap.h, elf.h and linux/prctl.h, as far as older ones lack them. */
#define FPSIMD_CONTEXT_MAGIC UINT32_C(0x46508001)
#define CPU_HAS_BTI          (UINT64_C(1) << 17) /* HWCAP2_BTI */
#define SHADOW_STACK_REGSET  0x410               /* NT_ARM_GCS */
#define SHADOW_STACK_ENABLED 1                   /* PR_SHADOW_STACK_ENABLE */
/* Of linux/futex.h. */
enum { FUTEX_COMMAND = 127, FUTEX_WAIT_COMMAND = 0 };

/* struct fpsimd_context of asm/sigcontext.h, with the record that ends the list behind it. */
struct fpsimd {
	uint32_t magic, bytes, fpsr, fpcr;
	__uint128_t vregs[32];
	uint32_t end_magic, end_bytes;
};

/* What is put onto the stack: the kernel's struct rt_sigframe, and the action. */
struct call {
	siginfo_t info;
	ucontext_t context;
	struct handler_action action, before;
};
_Static_assert(offsetof(struct call, context) == 128, "the kernel's struct rt_sigframe");
_Static_assert(offsetof(ucontext_t, uc_mcontext) == 176, "the kernel's struct ucontext");
_Static_assert(offsetof(mcontext_t, __reserved) == 288, "the kernel's struct sigcontext");

/* Whether the processor checks where calls into the memory lead (BTI): to an instruction that is meant for it. */
static bool
is_guarded(pid_t pid, uint64_t start)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;
	bool is_here = false, found = false;

	if (!(getauxval(AT_HWCAP2) & CPU_HAS_BTI))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	FILE *smaps = fopen(path, "re");
	while (smaps && !found && getline(&line, &line_sz, smaps) > 0) {
		uint64_t first, last;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &first, &last) == 2)
			is_here = first == start;
		found = is_here && !strncmp(line, "VmFlags:", 8);
	}
	bool has_flag = found && strstr(line, " bt");
	free(line);
	if (smaps)
		fclose(smaps);
	return !found || has_flag;
}

void
handler_machine_look(struct handler *handler, pid_t pid, int mem_fd, uint64_t start, uint64_t end)
{
	static const char gadget[] = "\x01\x00\x00\xd4\xc0\x03\x5f\xd6";        /* svc #0; ret */
	static const char restorer[] = "\x68\x11\x80\xd2\x01\x00\x00\xd4";      /* mov x8, #139; svc #0 */
	static const char entry[] = "\xc0\x03\x5f\xd6";                         /* ret */
	static const char guarded_entry[] = "\x5f\x24\x03\xd5\xc0\x03\x5f\xd6"; /* bti c; ret */

	if (!handler->gadget)
		handler_find_bytes(mem_fd, start, end, gadget, sizeof(gadget) - 1, INSTRUCTION_BYTES,
				   &handler->gadget);
	if (!handler->restorer)
		handler_find_bytes(mem_fd, start, end, restorer, sizeof(restorer) - 1, INSTRUCTION_BYTES,
				   &handler->restorer);
	if (handler->entry)
		return;
	if (is_guarded(pid, start))
		handler_find_bytes(mem_fd, start, end, guarded_entry, sizeof(guarded_entry) - 1,
				   INSTRUCTION_BYTES, &handler->entry);
	else
		handler_find_bytes(mem_fd, start, end, entry, sizeof(entry) - 1, INSTRUCTION_BYTES,
				   &handler->entry);
}

bool
handler_machine_has_code(const struct handler *handler)
{
	return handler->gadget && handler->restorer && handler->entry;
}

static uint64_t
word(const struct regs *regs, unsigned n)
{
	return regs_get(regs, (enum machine_register)(REGISTER_X0 + n));
}

static void
set_word(struct regs *regs, unsigned n, uint64_t value)
{
	regs_set(regs, (enum machine_register)(REGISTER_X0 + n), value);
}

static bool
has_svc_at(int mem_fd, uint64_t address)
{
	uint32_t instruction;

	return pread(mem_fd, &instruction, sizeof(instruction), (off_t)address) == sizeof(instruction) &&
	       instruction == SVC;
}

/* Whether a call waits for some time from now on, which the kernel, when it is interrupted, goes on with in a way that
 * a frame makes it forget. It has put the program counter back onto the call already, and the first argument too. */
static bool
is_relative_wait(const struct regs *regs)
{
	switch (word(regs, CALL_NUMBER)) {
	case SYS_nanosleep:
		return true;
	case SYS_clock_nanosleep:
		return !(word(regs, 1) & TIMER_ABSTIME);
	case SYS_futex:
		return (word(regs, 1) & FUTEX_COMMAND) == FUTEX_WAIT_COMMAND && word(regs, 3);
	}
	return false;
}

/* Only within a system call: elsewhere it might be in a sequence that the kernel must restart (rseq). Fills in the
 * registers with which the thread is to go on. */
static int
find_way_back(const struct handler_thread *thread, struct regs *back)
{
	uint64_t pc = regs_pc(back);

	if (has_svc_at(thread->mem_fd, pc - INSTRUCTION_BYTES))
		return 0;
	if (!has_svc_at(thread->mem_fd, pc))
		return -EAGAIN;
	if (!is_relative_wait(back))
		return 0;
	if (!thread->allows_wait)
		return -EAGAIN;
	set_word(back, 0, (uint64_t)-EINTR);
	regs_set_pc(back, pc + INSTRUCTION_BYTES);
	return 0;
}

static bool
has_shadow_stack(pid_t tid)
{
	uint64_t state[3] = {0}; /* what is enabled, what is locked, the pointer */
	struct iovec iov = {.iov_base = state, .iov_len = sizeof(state)};

	return !ptrace_call(PTRACE_GETREGSET, tid, SHADOW_STACK_REGSET, (unsigned long)&iov) &&
	       state[0] & SHADOW_STACK_ENABLED;
}

/* The wider registers of SVE and SME do not outlive a system call. */
static int
fill_fpsimd(struct fpsimd *to, pid_t tid)
{
	struct user_fpsimd_struct state;
	struct iovec iov = {.iov_base = &state, .iov_len = sizeof(state)};

	if (ptrace_call(PTRACE_GETREGSET, tid, NT_PRFPREG, (unsigned long)&iov))
		return -EAGAIN;
	*to = (struct fpsimd){.magic = FPSIMD_CONTEXT_MAGIC,
			      .bytes = offsetof(struct fpsimd, end_magic),
			      .fpsr = state.fpsr,
			      .fpcr = state.fpcr};
	memcpy(to->vregs, state.vregs, sizeof(to->vregs));
	return 0;
}

static int
fill_context(ucontext_t *to, pid_t tid, const struct regs *back)
{
	struct fpsimd fpsimd;
	int err = fill_fpsimd(&fpsimd, tid);
	mcontext_t *registers = &to->uc_mcontext;

	if (err || ptrace_call(PTRACE_GETSIGMASK, tid, HANDLER_SIGSET_BYTES, (unsigned long)&to->uc_sigmask))
		return -EAGAIN;
	to->uc_stack.ss_flags = HANDLER_STACK_UNCHANGED;
	for (unsigned n = 0; n <= LINK; n++)
		registers->regs[n] = word(back, n);
	registers->sp = regs_get(back, REGISTER_A64_SP);
	registers->pc = regs_pc(back);
	registers->pstate = back->words[33];
	memcpy(registers->__reserved, &fpsimd, sizeof(fpsimd));
	return 0;
}

int
handler_machine_start(const struct handler *handler, const struct handler_thread *thread,
		      const struct handler_action *action, uint64_t *before_at, struct diag *diag)
{
	static struct call call;
	const uint64_t all_signals = UINT64_MAX;
	struct regs regs;

	if (regs_read(thread->tid, &regs))
		return -EAGAIN;
	if (has_shadow_stack(thread->tid))
		return diag_fail(
			diag, -EOPNOTSUPP,
			"probe: process %d has a shadow stack, with which it cannot be protected from traps without a tracer",
			(int)thread->pid);
	struct regs back = regs;
	int err = find_way_back(thread, &back);
	call = (struct call){.action = *action};
	if (!err)
		err = fill_context(&call.context, thread->tid, &back);
	uint64_t call_at =
		(regs_get(&regs, REGISTER_A64_SP) - sizeof(call)) & ~(uint64_t)(FRAME_ALIGNMENT - 1);
	if (!err)
		err = handler_write(thread->tid, call_at, &call, sizeof(call));
	if (err)
		return err;
	*before_at = call_at + offsetof(struct call, before);
	regs_set_pc(&regs, handler->gadget);
	regs_set(&regs, REGISTER_A64_SP, call_at);
	set_word(&regs, LINK, handler->restorer);
	set_word(&regs, CALL_NUMBER, SYS_rt_sigaction);
	set_word(&regs, 0, SIGTRAP);
	set_word(&regs, 1, call_at + offsetof(struct call, action));
	set_word(&regs, 2, *before_at);
	set_word(&regs, 3, HANDLER_SIGSET_BYTES);
	if (regs_write(thread->tid, &regs))
		return -EAGAIN;
	/* No signal comes in between. Not before the registers: only the frame gives the mask back. */
	ptrace_call(PTRACE_SETSIGMASK, thread->tid, sizeof(all_signals), (unsigned long)&all_signals);
	return 0;
}

int64_t
handler_machine_result(const struct regs *regs)
{
	return (int64_t)word(regs, 0);
}

/* See has_shadow_stack. */
bool
handler_machine_has_shadow_stack(const char *line)
{
	(void)line;
	return false;
}
#endif

#include "probe/ptrace/regs.h"

#include "base/machine.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

long
ptrace_call(unsigned request, pid_t tid, unsigned long address, unsigned long data)
{
	return syscall(SYS_ptrace, (long)request, (long)tid, address, data);
}

static int
transfer(unsigned request, pid_t tid, struct iovec *iov)
{
	return ptrace_call(request, tid, NT_PRSTATUS, (unsigned long)iov) ? -errno : 0;
}

int
regs_read(pid_t tid, struct regs *regs)
{
	struct iovec iov = {.iov_base = regs->words, .iov_len = sizeof(regs->words)};
	int err = transfer(PTRACE_GETREGSET, tid, &iov);

	regs->bytes = err ? 0 : (uint32_t)iov.iov_len;
	return err;
}

int
regs_write(pid_t tid, struct regs *regs)
{
	struct iovec iov = {.iov_base = regs->words, .iov_len = regs->bytes};

	return transfer(PTRACE_SETREGSET, tid, &iov);
}

uint64_t
regs_get(const struct regs *regs, enum machine_register id)
{
	const struct machine_desc *machine = machine_native();
	uint64_t value = 0;

	if (machine && machine_has_register(machine, id))
		memcpy(&value, (const char *)regs->words + machine_register(machine, id)->user_offset,
		       sizeof(value));
	return value;
}

void
regs_set(struct regs *regs, enum machine_register id, uint64_t value)
{
	const struct machine_desc *machine = machine_native();

	if (machine && machine_has_register(machine, id))
		memcpy((char *)regs->words + machine_register(machine, id)->user_offset, &value,
		       sizeof(value));
}

uint64_t
regs_pc(const struct regs *regs)
{
	const struct machine_desc *machine = machine_native();

	return machine ? regs_get(regs, machine->pc) : 0;
}

void
regs_set_pc(struct regs *regs, uint64_t pc)
{
	const struct machine_desc *machine = machine_native();

	if (machine)
		regs_set(regs, machine->pc, pc);
}

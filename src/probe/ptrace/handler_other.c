/* A machine without probes. */
#include "probe/ptrace/handler_machine.h"

#if !(defined(__x86_64__) && defined(__LP64__)) && !defined(__aarch64__)
#include <errno.h>

void
handler_machine_look(struct handler *handler, pid_t pid, int mem_fd, uint64_t start, uint64_t end)
{
	(void)handler;
	(void)pid;
	(void)mem_fd;
	(void)start;
	(void)end;
}

bool
handler_machine_has_code(const struct handler *handler)
{
	(void)handler;
	return false;
}

int
handler_machine_start(const struct handler *handler, const struct handler_thread *thread,
		      const struct handler_action *action, uint64_t *before_at, struct diag *diag)
{
	(void)handler;
	(void)thread;
	(void)action;
	(void)before_at;
	(void)diag;
	return -EOPNOTSUPP;
}

int64_t
handler_machine_result(const struct regs *regs)
{
	(void)regs;
	return -EOPNOTSUPP;
}

bool
handler_machine_has_shadow_stack(const char *line)
{
	(void)line;
	return false;
}
#endif

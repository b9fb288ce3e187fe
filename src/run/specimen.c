#include "run/specimen.h"

#include "base/limits.h"
#include "base/privileges.h"
#include "base/signals.h"
#include "base/xmem.h"
#include "run/specimen_values.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 60000, ANSWER_SLICES = 10 };

struct specimen {
	pid_t pid;
	int fd; /* commands go out, answers come in */
};

static void __attribute__((noreturn)) become_specimen(int fd, const char *program, pid_t parent)
{
	char *const args[] = {(char *)(uintptr_t) "tpcheck", (char *)(uintptr_t) "__specimen", NULL};

	limits_restore_memory();
	if (privileges_drop())
		_exit(126);
	signals_end_with(parent);
	/* With kernel.yama.ptrace_scope 1 only whom it names may trace it, besides its ancestors. */
	prctl(PR_SET_PTRACER, (unsigned long)parent, 0, 0, 0);
	dup2(fd, 0);
	dup2(fd, 1);
	execv(program ? program : "/proc/self/exe", args);
	_exit(127);
}

int
specimen_start(struct specimen **out, const char *program, struct diag *diag)
{
	int fds[2];

	*out = NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return diag_fail(diag, -errno, "specimen: failed to make a socket pair: %s", strerror(errno));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become_specimen(fds[1], program, parent);
	int fork_errno = errno;
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return diag_fail(diag, -fork_errno, "specimen: failed to fork: %s", strerror(fork_errno));
	}
	struct specimen *specimen = xmalloc(sizeof(*specimen));
	*specimen = (struct specimen){.pid = pid, .fd = fds[0]};
	/* Once it has answered, /proc/PID/exe is the specimen's. */
	int err = specimen_command(specimen, "burst 0", diag);
	if (err) {
		specimen_stop(specimen);
		return err;
	}
	*out = specimen;
	return 0;
}

pid_t
specimen_pid(const struct specimen *specimen)
{
	return specimen->pid;
}

/* Processor time that the process has used; 0 if it is not known. */
static uint64_t
used_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int
specimen_wait(int fd, pid_t pid, int slice_ms, int slices)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t used = used_ns(pid), before;
	int ready;

	do {
		before = used;
		ready = poll(&pfd, 1, slice_ms);
		used = used_ns(pid);
	} while (!ready && used != before && --slices > 0);
	return ready;
}

int
specimen_command(struct specimen *specimen, const char *command, struct diag *diag)
{
	char *line = xasprintf("%s\n", command);
	size_t len = strlen(line);
	ssize_t n = send(specimen->fd, line, len, MSG_NOSIGNAL);
	char answer[8];
	size_t got = 0;

	free(line);
	if (n != (ssize_t)len)
		return diag_fail(diag, -EPIPE, "specimen: it ended before the command '%s'", command);
	while (got < 5) {
		int ready = specimen_wait(specimen->fd, specimen->pid, ANSWER_MS, ANSWER_SLICES);

		if (ready < 0 && errno == EINTR)
			return diag_fail(diag, -EINTR, "specimen: interrupted");
		if (ready <= 0)
			return diag_fail(diag, -ETIMEDOUT, "specimen: no answer to the command '%s'",
					 command);
		n = read(specimen->fd, answer + got, 5 - got);
		if (n <= 0)
			return diag_fail(diag, -EPIPE, "specimen: it ended during the command '%s'", command);
		got += (size_t)n;
	}
	if (memcmp(answer, "done\n", 5))
		return diag_fail(diag, -EBADMSG, "specimen: unexpected answer to the command '%s'", command);
	return 0;
}

void
specimen_stop(struct specimen *specimen)
{
	if (!specimen)
		return;
	close(specimen->fd);
	kill(specimen->pid, SIGKILL);
	while (waitpid(specimen->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(specimen);
}

static void
want_specimen_value(struct expected *e, const struct contract_tracepoint *row, unsigned n,
		    enum specimen_round round)
{
	static uint8_t bytes[SPECIMEN_BYTES + 1];
	const struct contract_arg *arg = &row->args[n - 1];
	unsigned width = arg_type_width(arg->code_type, 8);

	switch (arg->type) {
	case ARG_INT64:
	case ARG_INT32:
		want_int(e, arg->name, specimen_int(row->id, n, round, width));
		break;
	case ARG_UINT64:
	case ARG_UINT32:
		if (arg->code_type == ARG_INT64) /* passed signed */
			want_uint(e, arg->name, (uint64_t)specimen_int(row->id, n, round, width));
		else if (row->args_cnt > n && row->args[n].type == ARG_BYTES)
			want_uint(e, arg->name, specimen_payload(row->id, round, bytes));
		else
			want_uint(e, arg->name, specimen_uint(row->id, n, round, width));
		break;
	case ARG_BOOL:
		want_bool(e, arg->name, specimen_bool(row->id, n, round));
		break;
	case ARG_HASH:
		specimen_hash(row->id, n, round, bytes);
		want_hash(e, arg->name, bytes);
		break;
	case ARG_STRING:
		specimen_string(row->id, n, round, (char *)bytes);
		if (round == SPECIMEN_BEYOND)
			want_cut_string(e, arg->name, (char *)bytes);
		else
			want_string(e, arg->name, (char *)bytes);
		break;
	case ARG_BYTES:
		want_bytes(e, arg->name, bytes, specimen_payload(row->id, round, bytes));
		break;
	}
}

void
specimen_expect(struct expect *x, enum specimen_round round, uint64_t tracepoints)
{
	/* Two threads, one after the other. */
	for (int thread = 0; thread < 2; thread++)
		for (int id = 0; id < TRACEPOINTS_CNT; id++) {
			const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

			if (!(tracepoints & TP_BIT(id)))
				continue;
			expect_source(x, "the specimen's values, round %d", (int)round);
			struct expected *e = expect_event(x, row->id, FINDING_CONTRACT, "round %d, thread %d",
							  (int)round, thread + 1);
			for (unsigned n = 1; n <= row->args_cnt; n++)
				want_specimen_value(e, row, n, round);
		}
}

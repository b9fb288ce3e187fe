#include "cli/trace_child.h"

#include "base/clock.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "node/node.h"
#include "node/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
trace_child_start(struct trace_child *child, const char *bitcoind, const struct trace_options *options,
		  const volatile sig_atomic_t *interrupted, struct diag *diag)
{
	struct environment environment = environment_read();
	struct program_opts program_opts = {.bitcoind = bitcoind,
					    .args = options->node_args,
					    .user = options->user,
					    .sudo_uid = environment.sudo_uid,
					    .same_user = bitcoind_needs_same_user(),
					    .home = environment.home};
	struct node_opts node_opts = {.bitcoind = bitcoind,
				      .parent_dir = environment.tmpdir,
				      .user = options->user,
				      .sudo_uid = environment.sudo_uid,
				      .same_user = bitcoind_needs_same_user(),
				      .keeper = options->probe.keeper,
				      .interrupted = interrupted};

	char *note = bitcoind_user_note(options->user);
	if (note)
		fprintf(stderr, "tpcheck trace: note: %s\n", note);
	free(note);
	if (options->node_args_cnt)
		return program_start(&child->program, &program_opts, diag);
	return node_start(&child->node, &node_opts, diag);
}

int
trace_child_fini(struct trace_child *child)
{
	program_free(child->program);
	int err = node_free(child->node);

	*child = (struct trace_child){0};
	return err;
}

pid_t
trace_child_pid(const struct trace_child *child)
{
	return child->program ? program_pid(child->program) : node_pid(child->node);
}

void
trace_child_signal(struct trace_child *child, int signo)
{
	if (child->program)
		program_signal(child->program, signo);
	else
		node_signal(child->node, signo, NULL);
}

bool
trace_child_is_alive(struct trace_child *child)
{
	return child->program ? program_is_alive(child->program) : node_is_alive(child->node);
}

bool
trace_child_stop(struct trace_child *child)
{
	struct deadline deadline = deadline_in_ms(TRACE_CHILD_STOP_MS);

	/* bitcoind saves its state on SIGTERM. */
	trace_child_signal(child, SIGTERM);
	trace_child_signal(child, SIGCONT);
	while (trace_child_is_alive(child) && !deadline_has_passed(deadline))
		clock_pause_ms(10, deadline);
	return !trace_child_is_alive(child);
}

static bool
has_ended_well(struct trace_child *child)
{
	if (child->program)
		return program_ended_well(child->program);
	const char *status = strrchr(node_end_text(child->node), ' ');
	return status && !strcmp(status, " 0");
}

int
trace_child_end(struct trace_child *child, struct diag *diag)
{
	const char *text = child->program ? program_end_text(child->program) : node_end_text(child->node);
	const char *output = child->program ? program_output(child->program) : "";

	if (has_ended_well(child)) {
		snprintf(diag->text, sizeof(diag->text), "%s", text);
		return 0;
	}
	diag_fail(diag, -ECHILD, "%s%s%s", text, *output ? "; its last output:\n" : "", output);
	return -ECHILD;
}

#include "cli/trace_child.h"

#include "base/clock.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "node/node.h"
#include "node/program.h"
#include "run/sanitizer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_TAIL = 1500 };

static void
on_output(void *cookie, const char *text, size_t len)
{
	struct trace_child *child = cookie;

	sanitizer_scan_feed(child->scan, text, len, &child->reports);
}

int
trace_child_start(struct trace_child *child, const char *bitcoind, const struct trace_options *options,
		  const atomic_int *interrupted, struct diag *diag)
{
	struct environment environment = environment_read();
	struct program_opts program_opts = {.bitcoind = bitcoind,
					    .args = options->node_args,
					    .env = options->env,
					    .user = options->user,
					    .sudo_uid = environment.sudo_uid,
					    .same_user = bitcoind_needs_same_user(),
					    .on_output = on_output,
					    .cookie = child,
					    .home = environment.home};
	struct node_opts node_opts = {.bitcoind = bitcoind,
				      .parent_dir = environment.tmpdir,
				      .env = options->env,
				      .user = options->user,
				      .sudo_uid = environment.sudo_uid,
				      .same_user = bitcoind_needs_same_user(),
				      .keeper = options->probe.keeper,
				      .interrupted = interrupted};

	char *note = bitcoind_user_note(options->user);
	if (note)
		fprintf(stderr, "tpcheck trace: note: %s\n", note);
	free(note);
	child->scan = sanitizer_scan_new();
	child->env_hint = environment_hint(options->env);
	if (options->node_args_cnt)
		return program_start(&child->program, &program_opts, diag);
	return node_start(&child->node, &node_opts, diag);
}

int
trace_child_fini(struct trace_child *child)
{
	program_free(child->program);
	int err = node_free(child->node);

	sanitizer_scan_free(child->scan);
	findings_fini(&child->reports);
	free(child->env_hint);
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

/* The last OUTPUT_TAIL bytes of what a node printed. */
static void
read_tail(struct node *node, char *tail)
{
	char text[OUTPUT_TAIL];
	uint64_t from = 0;
	size_t n, len = 0;

	while ((n = node_read_output(node, from, text, sizeof(text)))) {
		size_t kept = n < OUTPUT_TAIL - len ? len : OUTPUT_TAIL - n;

		memmove(tail, tail + len - kept, kept);
		memcpy(tail + kept, text, n);
		len = kept + n;
		from += n;
	}
	tail[len] = '\0';
}

const struct findings *
trace_child_reports(struct trace_child *child)
{
	char text[4096];
	uint64_t from = 0;
	size_t n;

	if (child->program)
		program_output(child->program);
	while (child->node && (n = node_read_output(child->node, from, text, sizeof(text)))) {
		sanitizer_scan_feed(child->scan, text, n, &child->reports);
		from += n;
	}
	sanitizer_scan_flush(child->scan, &child->reports);
	return &child->reports;
}

int
trace_child_end(struct trace_child *child, struct diag *diag)
{
	const char *text = child->program ? program_end_text(child->program) : node_end_text(child->node);
	char node_output[OUTPUT_TAIL + 1] = "";
	const char *output = child->program ? program_output(child->program) : node_output;

	if (has_ended_well(child)) {
		snprintf(diag->text, sizeof(diag->text), "%s", text);
		return 0;
	}
	if (child->node)
		read_tail(child->node, node_output);
	diag_fail(diag, -ECHILD, "%s%s%s%s%s", text, child->env_hint ? "; " : "",
		  child->env_hint ? child->env_hint : "", *output ? "; its last output:\n" : "", output);
	return -ECHILD;
}

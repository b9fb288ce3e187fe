#include "cli/cli.h"

#include "base/xmem.h"
#include "cli/binary.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "node/node.h"
#include "node/pid_file.h"
#include "node/program.h"
#include "report/report.h"
#include "run/tracer.h"
#include "trace/line.h"
#include "trace/stats.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OPTION_PID = 256,
	OPTION_PID_FILE,
	OPTION_BITCOIND,
	OPTION_FORMAT,
	OPTION_COUNT,
	OPTION_DURATION,
	OPTION_STATS,
	OPTION_BY,
	OPTION_OF,
	OPTION_INTERVAL,
	OPTION_PAYLOAD,
	OPTION_RELEASE,
	OPTION_USER,
	OPTION_RING,
};

enum {
	LOOK_MS = 100,       /* how often a PID file is looked at */
	REFRESH_MS = 1000,   /* of the table on a terminal */
	STOP_MS = 30000,     /* for bitcoind to end by itself */
	DIFFERENCES_MAX = 3, /* so many are told in whole */
};
#define NS_PER_S UINT64_C(1000000000)

struct arguments {
	pid_t pid;
	const char *pid_file, *bitcoind, *user;
	const char **node_args; /* ended by NULL */
	size_t node_args_cnt;
	const char **patterns;
	size_t patterns_cnt;
	enum cli_format format;
	uint64_t count, duration_ns, interval_ns; /* 0: not given */
	bool stats;
	struct stats_opts stats_opts;
	uint32_t payload_bytes;
	struct probe_opts probe;
	unsigned release;
};

/* What runs, and what is shown of it. */
struct session {
	const struct arguments *arguments;
	const volatile sig_atomic_t *interrupted;
	struct tracer *tracer;
	struct output output;
	struct line_clock clock;
	struct stats *stats;
	uint64_t shown, began_ns, refreshed_ns;
	unsigned table_lines; /* on the terminal */
	pid_t pid;
	struct stat binary; /* that is loaded; st_ino 0: none */
	bool told_waiting;
	bool is_usage;                /* what failed is what the caller named */
	bool is_attached, has_failed; /* to the process of now; to one of those that a PID file named */
};

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	fprintf(stderr, "tpcheck trace: %s\n", text);
	free(text);
}

/* Options. */

static uint64_t
parse_seconds(const struct argp_state *state, const char *option, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	/* The first test keeps blanks, signs, hexadecimal, "inf" and "nan" away. */
	if (strspn(text, "0123456789.") != strlen(text) || !*text || *end || seconds < 0.001 || seconds > 1e9)
		argp_error(state, "--%s=%s is no number of seconds from 0.001 on", option, text);
	return (uint64_t)(seconds * 1e9);
}

static void
add_names(const struct argp_state *state, const char *option, char *list, const char **names, size_t *cnt)
{
	for (char *name = list, *next; name; name = next) {
		next = strchr(name, ',');
		if (next)
			*next++ = '\0';
		if (!*name || *cnt == STATS_NAMES_MAX)
			argp_error(
				state,
				"--%s takes up to %d names of arguments with commas between, as 'tpcheck list' shows them",
				option, STATS_NAMES_MAX);
		names[(*cnt)++] = name;
	}
}

static void
check(const struct argp_state *state, const struct arguments *arguments)
{
	int ways = (arguments->pid != 0) + (arguments->pid_file != NULL) + (arguments->bitcoind != NULL);

	if (!ways)
		argp_error(state,
			   "which process? Give --pid=PID, --pid-file=FILE, or --bitcoind=PATH to start one");
	if (ways > 1)
		argp_error(state, "--pid, --pid-file and --bitcoind exclude one another");
	if (arguments->node_args_cnt && !arguments->bitcoind)
		argp_error(state, "'%s' is an argument for a bitcoind that --bitcoind would start",
			   arguments->node_args[0]);
	if (arguments->user && !arguments->bitcoind)
		argp_error(state, "--user is for a bitcoind that --bitcoind would start");
	if (!arguments->stats &&
	    (arguments->stats_opts.by_cnt || arguments->stats_opts.of_cnt || arguments->interval_ns))
		argp_error(state, "--by, --of and --interval are for --stats");
	if (arguments->stats && arguments->payload_bytes)
		argp_error(state, "--payload is of no use with --stats");
	for (size_t i = 0; i < arguments->node_args_cnt; i++)
		if (!strncmp(arguments->node_args[i] + strspn(arguments->node_args[i], "-"), "daemon", 6))
			argp_error(state, "'%s' would let bitcoind run on behind our back; leave it away",
				   arguments->node_args[i]);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->probe;
		return 0;
	case OPTION_PID:
		arguments->pid = (pid_t)cli_number(state, "pid", arg, 1, INT32_MAX);
		return 0;
	case OPTION_PID_FILE:
		arguments->pid_file = arg;
		return 0;
	case OPTION_BITCOIND:
		arguments->bitcoind = arg;
		return 0;
	case OPTION_FORMAT:
		arguments->format = (enum cli_format)cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case OPTION_COUNT:
		arguments->count = (uint64_t)cli_number(state, "count", arg, 1, INT64_MAX);
		return 0;
	case OPTION_DURATION:
		arguments->duration_ns = parse_seconds(state, "duration", arg);
		return 0;
	case OPTION_STATS:
		arguments->stats = true;
		return 0;
	case OPTION_BY:
		add_names(state, "by", arg, arguments->stats_opts.by, &arguments->stats_opts.by_cnt);
		return 0;
	case OPTION_OF:
		add_names(state, "of", arg, arguments->stats_opts.of, &arguments->stats_opts.of_cnt);
		return 0;
	case OPTION_INTERVAL:
		arguments->interval_ns = parse_seconds(state, "interval", arg);
		return 0;
	case OPTION_PAYLOAD:
		arguments->payload_bytes =
			(uint32_t)cli_number(state, "payload", arg, 1, RECORD_PAYLOAD_BYTES);
		return 0;
	case OPTION_RELEASE:
		arguments->release = cli_release(state, "release", arg);
		return 0;
	case OPTION_USER:
		arguments->user = cli_user(state, arg);
		return 0;
	case OPTION_RING:
		arguments->probe.ring_bytes = (size_t)cli_number(state, "ring", arg, 1, 16384) << 10;
		return 0;
	case ARGP_KEY_ARG:
		arguments->patterns = xreallocarray(arguments->patterns, arguments->patterns_cnt + 1,
						    sizeof(*arguments->patterns));
		arguments->patterns[arguments->patterns_cnt++] = arg;
		return 0;
	case ARGP_KEY_END:
		check(state, arguments);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Behind "--" stand the node's arguments. bitcoind takes none that does not begin with '-', so that one which does
 * not is a tracepoint, wherever it stands. */
static int
split_arguments(int argc, char **argv, struct arguments *arguments)
{
	int end = 1, kept;

	while (end < argc && strcmp(argv[end], "--"))
		end++;
	arguments->node_args = xcalloc((size_t)(argc - end) + 1, sizeof(*arguments->node_args));
	kept = end;
	for (int i = end + 1; i < argc; i++) {
		if (argv[i][0] == '-')
			arguments->node_args[arguments->node_args_cnt++] = argv[i];
		else
			argv[kept++] = argv[i];
	}
	return kept;
}

/* What is shown. */

static bool
is_over(const struct session *session)
{
	const struct arguments *arguments = session->arguments;

	return *session->interrupted || (arguments->duration_ns && session->began_ns &&
					 clock_now_ns() - session->began_ns >= arguments->duration_ns);
}

static bool
must_end(void *cookie)
{
	return is_over(cookie);
}

static uint64_t
lost_now(const struct session *session)
{
	struct probe_counts counts;

	tracer_counts(session->tracer, &counts);
	return probe_counts_lost(&counts);
}

static void
add_summary(struct session *session, uint64_t now, struct buf *out)
{
	double seconds = session->began_ns ? (double)(now - session->began_ns) / 1e9 : 0;
	struct probe_counts counts;

	tracer_counts(session->tracer, &counts);
	uint64_t lost = probe_counts_lost(&counts);

	buf_printf(out, "%" PRIu64 " event%s in %.1f s", session->shown, session->shown == 1 ? "" : "s",
		   seconds);
	if (lost)
		buf_printf(out, ", %" PRIu64 " lost", lost);
	else
		buf_puts(out, ", none lost");
	if (counts.late)
		buf_printf(out, ", %" PRIu64 " out of order", counts.late);
}

static void
show_table(struct session *session, bool is_last)
{
	struct stats_table_opts opts = {.with_now = !is_last};
	struct buf *out = &session->output.buf;
	struct winsize size = {0};
	uint64_t now = clock_now_ns();
	size_t start;

	if (session->output.is_terminal && !ioctl(session->output.fd, TIOCGWINSZ, &size) && !is_last) {
		opts.columns = size.ws_col;
		opts.lines = size.ws_row > 3 ? size.ws_row - 3u : 0;
	}
	/* Over the table of before. */
	if (session->table_lines)
		buf_printf(out, "\033[%uA\r\033[J", session->table_lines);
	start = out->len;
	line_time(&session->clock, now, out);
	buf_puts(out, "  ");
	add_summary(session, now, out);
	buf_puts(out, "\n");
	stats_table(session->stats, now, &opts, out);
	if (!session->output.is_terminal && !is_last)
		buf_putc(out, '\n');
	session->table_lines = 0;
	for (size_t i = start; session->output.is_terminal && !is_last && i < out->len; i++)
		session->table_lines += out->data[i] == '\n';
}

static void
show_stats(struct session *session, bool is_last)
{
	struct stats_losses losses = {0};
	struct probe_counts counts;
	uint64_t now = clock_now_ns();

	if (session->arguments->format == CLI_FORMAT_JSON) {
		tracer_counts(session->tracer, &counts);
		losses = (struct stats_losses){.lost = probe_counts_lost(&counts), .late = counts.late};
		stats_json(session->stats, now, line_clock_epoch_ns(&session->clock, now), &losses,
			   &session->output.buf);
	} else {
		show_table(session, is_last);
	}
	stats_next(session->stats, now);
	output_flush(&session->output);
}

static void
refresh_stats(struct session *session)
{
	uint64_t interval_ns = session->arguments->interval_ns;

	if (!interval_ns && session->output.is_terminal && session->arguments->format == CLI_FORMAT_TEXT)
		interval_ns = REFRESH_MS * UINT64_C(1000000);
	if (!interval_ns || !session->began_ns || clock_now_ns() - session->refreshed_ns < interval_ns)
		return;
	/* By the clock, not by when there was time: the intervals add up. */
	session->refreshed_ns += interval_ns;
	if (clock_now_ns() - session->refreshed_ns >= interval_ns)
		session->refreshed_ns = clock_now_ns();
	show_stats(session, false);
}

/* The terminal is told of something else: the table stays above it. */
static void
leave_table(struct session *session)
{
	session->table_lines = 0;
}

static bool
on_event(void *cookie, const struct contract_tracepoint *row, const struct event *event)
{
	struct session *session = cookie;
	const struct arguments *arguments = session->arguments;
	struct buf *out = &session->output.buf;

	session->shown++;
	/* The reader will not read it any more. */
	if (session->output.state == OUTPUT_STUCK) {
		session->output.unwritten_lines++;
		return true;
	}
	if (arguments->stats)
		stats_add(session->stats, row, event);
	else if (arguments->format == CLI_FORMAT_JSON)
		line_json(&session->clock, row, event, session->pid, out);
	else
		line_text(&session->clock, row, event, out);
	if (arguments->count && session->shown >= arguments->count)
		return false;
	return output_spill(&session->output) || session->output.state == OUTPUT_STUCK;
}

static bool
on_pause(void *cookie)
{
	struct session *session = cookie;

	if (session->arguments->stats)
		refresh_stats(session);
	return output_flush(&session->output) || session->output.state == OUTPUT_STUCK;
}

static void
on_loss(void *cookie, const struct probe_counts *counts, uint64_t lost)
{
	struct session *session = cookie;

	leave_table(session);
	say("lost %" PRIu64 " event%s (so far %" PRIu64 ": %" PRIu64 " did not fit into the rings, %" PRIu64
	    " came faster than they could be shown, %" PRIu64
	    " of more threads than there is room for, %" PRIu64 " did not arrive)",
	    lost, lost == 1 ? "" : "s", probe_counts_lost(counts), counts->failed, counts->dropped,
	    counts->no_memory, counts->missing);
}

/* Following. */

static void
tell_differences(const struct selection *selection)
{
	size_t cnt = selection->differences.cnt;

	for (size_t i = 0; i < cnt && i < DIFFERENCES_MAX; i++)
		say("note: %s; it is shown as it is there", selection->differences.items[i].message);
	if (cnt > DIFFERENCES_MAX)
		say("note: and %zu more differences; 'tpcheck abi' tells them all", cnt - DIFFERENCES_MAX);
}

/* Makes the probes for a binary, unless it is the one of before. */
static int
load(struct session *session, const char *path, struct diag *diag)
{
	struct stat st;

	if (stat(path, &st))
		return diag_fail(
			diag, -errno, "failed to look at '%s': %s%s", path, strerror(errno),
			errno == EACCES
				? "; a process of another user, or one that may not be dumped, takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: run tpcheck as its user, with these two, or as root"
				: "");
	if (session->binary.st_ino == st.st_ino && session->binary.st_dev == st.st_dev &&
	    session->binary.st_size == st.st_size && session->binary.st_mtim.tv_sec == st.st_mtim.tv_sec &&
	    session->binary.st_mtim.tv_nsec == st.st_mtim.tv_nsec)
		return 0;
	session->binary = (struct stat){0};
	int code = tracer_load(session->tracer, path, binary_find_release(path, session->arguments->release),
			       diag);
	/* Of all that can fail there, this is a tracepoint that was named and is not there. */
	session->is_usage = (code == -ENOENT || code == -E2BIG) && !stat(path, &st);
	if (code)
		return code;
	tell_differences(tracer_selection(session->tracer));
	session->binary = st;
	return 0;
}

static int
attach(struct session *session, pid_t pid, struct diag *diag)
{
	const struct selection *selection = tracer_selection(session->tracer);
	unsigned cnt = 0;
	int code = tracer_attach(session->tracer, pid, diag);

	if (code)
		return code;
	session->pid = pid;
	if (!session->began_ns) {
		session->began_ns = session->refreshed_ns = clock_now_ns();
		session->stats = stats_new(&session->arguments->stats_opts, session->began_ns);
	}
	for (size_t i = 0; i < SELECTION_MAX; i++)
		cnt += selection->rows[i] != NULL;
	leave_table(session);
	say("attached to %u tracepoint%s of process %d", cnt, cnt == 1 ? "" : "s", (int)pid);
	return 0;
}

/* One process, from its PID on. */
static int
follow_pid(struct session *session, pid_t pid, int pidfd, enum tracer_end *end, struct diag *diag)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	session->is_attached = false;
	int code = load(session, path, diag);
	if (!code)
		code = attach(session, pid, diag);
	session->is_attached = !code;
	if (!code)
		code = tracer_follow(session->tracer, pidfd, end, diag);
	tracer_detach(session->tracer);
	return code;
}

static int
trace_pid(struct session *session, struct diag *diag)
{
	enum tracer_end end = TRACER_TIME_OVER;
	pid_t pid = session->arguments->pid;
	int pidfd, code = pid_open(pid, &pidfd, diag);

	session->is_usage = code != 0;
	if (code)
		return code;
	code = follow_pid(session, pid, pidfd, &end, diag);
	if (code && !session->began_ns && pidfd_has_ended(pidfd))
		diag_fail(diag, code, "process %d ended before it could be traced", (int)pid);
	close(pidfd);
	if (!code && end == TRACER_PROCESS_ENDED)
		say("process %d ended", (int)pid);
	return code;
}

/* Waits until the file names a process that runs. -EINTR when it is time to end. */
static int
wait_for_pid(struct session *session, pid_t *pid, int *pidfd, struct diag *diag)
{
	const char *file = session->arguments->pid_file;

	for (;;) {
		int code = pid_file_open(file, pid, pidfd, diag);

		session->is_usage = code && code != -EAGAIN;
		if (code != -EAGAIN)
			return code;
		if (!session->told_waiting)
			say("%s; waiting for a PID in '%s'", diag->text, file);
		session->told_waiting = true;
		if (!on_pause(session) || is_over(session))
			return -EINTR;
		clock_pause_ms(LOOK_MS, deadline_in_ms(LOOK_MS));
	}
}

/* A process that cannot be traced is waited out. */
static void
wait_for_end(struct session *session, int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	while (!pidfd_has_ended(pidfd) && on_pause(session) && !is_over(session))
		poll(&pollfd, 1, LOOK_MS);
}

static int
trace_pid_file(struct session *session, struct diag *diag)
{
	const char *file = session->arguments->pid_file;

	while (!is_over(session)) {
		enum tracer_end end = TRACER_PROCESS_ENDED;
		pid_t pid;
		int pidfd, code = wait_for_pid(session, &pid, &pidfd, diag);

		if (code)
			return code == -EINTR ? 0 : code;
		code = follow_pid(session, pid, pidfd, &end, diag);
		/* One that ended before there was anything to see of it is no failure. */
		if (code && (session->is_attached || !pidfd_has_ended(pidfd))) {
			if (!session->began_ns) {
				close(pidfd);
				return code;
			}
			session->has_failed = true;
			say("process %d cannot be traced: %s", (int)pid, diag->text);
			wait_for_end(session, pidfd);
		}
		close(pidfd);
		if (end != TRACER_PROCESS_ENDED)
			return 0;
		leave_table(session);
		say("process %d ended; waiting for a new PID in '%s'", (int)pid, file);
		session->told_waiting = true;
	}
	return 0;
}

/* A bitcoind of ours: on a private regtest, or with the caller's arguments. */
struct child {
	struct node *node;
	struct program *program;
};

static int
start_child(struct session *session, const char *bitcoind, struct child *child, pid_t *pid, struct diag *diag)
{
	const struct arguments *arguments = session->arguments;
	struct environment environment = environment_read();
	int code;

	if (arguments->node_args_cnt) {
		struct program_opts opts = {.bitcoind = bitcoind,
					    .args = arguments->node_args,
					    .user = arguments->user,
					    .sudo_uid = environment.sudo_uid,
					    .home = environment.home};

		code = program_start(&child->program, &opts, diag);
		*pid = code ? 0 : program_pid(child->program);
		return code;
	}
	struct node_opts opts = {.bitcoind = bitcoind,
				 .parent_dir = environment.tmpdir,
				 .user = arguments->user,
				 .sudo_uid = environment.sudo_uid,
				 .interrupted = session->interrupted};
	code = node_start(&child->node, &opts, diag);
	*pid = code ? 0 : node_pid(child->node);
	return code;
}

static void
signal_child(struct child *child, int signo)
{
	if (child->program)
		program_signal(child->program, signo);
	else
		node_signal(child->node, signo, NULL);
}

static void
say_how_to_reach(const struct child *child)
{
	if (child->node)
		say("started bitcoind on a regtest of its own: bitcoin-cli -regtest -datadir=%s -rpcport=%u reaches it",
		    node_datadir(child->node), node_rpc_port(child->node));
}

static bool
child_is_alive(struct child *child)
{
	return child->program ? program_is_alive(child->program) : node_is_alive(child->node);
}

/* bitcoind saves its state on SIGTERM, and what does not end is killed when it is freed. */
static void
stop_child(struct child *child)
{
	struct deadline deadline = deadline_in_ms(STOP_MS);

	signal_child(child, SIGTERM);
	signal_child(child, SIGCONT);
	while (child_is_alive(child) && !deadline_has_passed(deadline))
		clock_pause_ms(10, deadline);
	if (child_is_alive(child))
		say("bitcoind did not end within %d s of SIGTERM and is killed", STOP_MS / 1000);
}

/* It ended by itself: was that well? */
static int
judge_end(struct child *child, struct diag *diag)
{
	const char *text = child->program ? program_end_text(child->program) : node_end_text(child->node);
	const char *output = child->program ? program_output(child->program) : "",
		   *status = strrchr(text, ' ');

	if (child->program ? program_ended_well(child->program) : status && !strcmp(status, " 0")) {
		say("%s", text);
		return 0;
	}
	diag_fail(diag, -ECHILD, "%s%s%s", text, *output ? "; it said last:\n" : "", output);
	/* A terminal is not to obey it. */
	for (char *c = diag->text; *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n') || (unsigned char)*c >= 0x7f)
			*c = '?';
	return -ECHILD;
}

static int
trace_child(struct session *session, struct diag *diag)
{
	enum tracer_end end = TRACER_TIME_OVER;
	struct child child = {0};
	char *bitcoind = NULL;
	int pidfd = -1, code = bitcoind_find(session->arguments->bitcoind, &bitcoind, diag);
	pid_t pid = 0;

	session->is_usage = code != 0;
	if (code)
		return code;
	/* All that takes time comes before the start. */
	code = load(session, bitcoind, diag);
	if (!code)
		code = start_child(session, bitcoind, &child, &pid, diag);
	if (code)
		goto out;
	/* It runs since the exec, which is some microseconds ago; now it waits until it is watched. */
	signal_child(&child, SIGSTOP);
	say_how_to_reach(&child);
	code = pid_open(pid, &pidfd, diag);
	if (!code)
		code = attach(session, pid, diag);
	signal_child(&child, SIGCONT);
	if (!code)
		code = tracer_follow(session->tracer, pidfd, &end, diag);
	tracer_detach(session->tracer);
	if (!child_is_alive(&child)) {
		struct diag how;
		int ended = judge_end(&child, &how);

		/* That it ended badly explains whatever failed before. */
		if (ended) {
			code = ended;
			*diag = how;
		} else if (!session->began_ns) {
			code = diag_fail(diag, -ECHILD, "bitcoind ended before it could be traced");
		}
	} else {
		stop_child(&child);
	}
out:
	if (pidfd >= 0)
		close(pidfd);
	program_free(child.program);
	node_free(child.node);
	free(bitcoind);
	return code;
}

/* The end. */

static enum exit_code
code_of(int error, struct diag *diag, const struct session *session)
{
	enum probe_method method = session->arguments->probe.method;
	char reason[600];

	if (session->is_usage)
		return EXIT_USAGE;
	if (error == -ENODATA)
		return EXIT_SKIPPED;
	/* What the machine does not allow at all is told rather than where it showed. */
	if (probe_find_early_obstacle(reason, sizeof(reason)) ||
	    probe_find_obstacle(method, reason, sizeof(reason))) {
		diag_fail(diag, error, "%s", reason);
		return EXIT_SKIPPED;
	}
	return error == -EPERM || error == -EACCES ? EXIT_SKIPPED : EXIT_ERROR;
}

static enum exit_code
finish(struct session *session, int error, struct diag *diag)
{
	uint64_t now = clock_now_ns(), lost = lost_now(session);
	struct buf summary;

	if (session->stats && session->arguments->stats && session->output.state == OUTPUT_GOOD)
		show_stats(session, true);
	output_flush(&session->output);
	if (session->output.state == OUTPUT_CLOSED)
		return EXIT_PASSED;
	if (session->output.state == OUTPUT_BROKEN) {
		say("failed to write to standard output: %s", strerror(session->output.error));
		return EXIT_ERROR;
	}
	if (session->began_ns) {
		buf_init(&summary, 4096);
		add_summary(session, now, &summary);
		if (session->output.unwritten_lines)
			buf_printf(&summary, "; of these, %" PRIu64 " were not shown, as nobody read them",
				   session->output.unwritten_lines);
		say("%s", summary.data);
		buf_fini(&summary);
	}
	if (error) {
		enum exit_code code = code_of(error, diag, session);

		say("%s", diag->text);
		return code;
	}
	return lost || session->output.unwritten_lines || session->has_failed ? EXIT_ERROR : EXIT_PASSED;
}

static int
run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"pid", OPTION_PID, "PID", 0,
		 "Trace this process: a bitcoind, or any program with tracepoints", 1},
		{"pid-file", OPTION_PID_FILE, "FILE", 0,
		 "Trace the process that this file names (bitcoind's -pid), and after its end the next one",
		 1},
		{"bitcoind", OPTION_BITCOIND, "PATH", 0,
		 "Start this bitcoind, with the arguments behind --, or on a private regtest, and end it with the trace",
		 1},
		{"user", OPTION_USER, "NAME", 0,
		 "Whom that bitcoind runs as when tpcheck is root (default: who called sudo, else nobody)",
		 1},
		{"format", OPTION_FORMAT, "text|json", 0,
		 "Lines for people (default), or one JSON object for each event", 2},
		{"payload", OPTION_PAYLOAD, "BYTES", 0,
		 "Show the first bytes of messages, up to 32768, as hex", 2},
		{"count", OPTION_COUNT, "COUNT", 0, "End after so many events", 2},
		{"duration", OPTION_DURATION, "SECONDS", 0, "End after so many seconds", 2},
		{"stats", OPTION_STATS, NULL, 0, "A table of counts, rates and quantiles instead of lines",
		 3},
		{"by", OPTION_BY, "ARGUMENTS", 0,
		 "With --stats: apart by the values of these, e.g. message_type", 3},
		{"of", OPTION_OF, "ARGUMENTS", 0,
		 "With --stats: measure these (default: all durations, sizes and amounts)", 3},
		{"interval", OPTION_INTERVAL, "SECONDS", 0,
		 "With --stats: how often to show the table (default: each second on a terminal, else in the end)",
		 3},
		{"release", OPTION_RELEASE, "RELEASE", 0,
		 "The release of Bitcoin Core whose names and types are used (default: what the binary says)",
		 4},
		{"ring", OPTION_RING, "KIB", 0, "Size of the buffer of each CPU between kernel and tpcheck",
		 4},
		{0},
	};
	static const struct argp_child children[] = {{.argp = &cli_probe_argp, .group = 4}, {0}};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.children = children,
		.args_doc = "[TRACEPOINT...] [-- NODE ARGUMENT...]",
		.doc = "Shows what a process's tracepoints tell, as it happens. TRACEPOINT is a name or a shell pattern: 'utxocache:*', 'net:*_connection', '*' (default: all that Bitcoin Core documents).\vExit codes: 0 all was shown, 2 wrong usage, 77 this machine or user cannot trace, or there are no tracepoints, 99 events were lost, or something broke.",
	};
	struct arguments arguments = {0};
	struct session session = {.arguments = &arguments};
	struct diag diag = {""};
	int code;

	argc = split_arguments(argc, argv, &arguments);
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	session.interrupted = cli_catch_signals();
	session.tracer = tracer_new(&(struct tracer_opts){
		.probe = arguments.probe,
		.patterns = arguments.patterns,
		.patterns_cnt = arguments.patterns_cnt,
		.payload_bytes = arguments.payload_bytes,
		.sink = {.on_event = on_event,
			 .on_pause = on_pause,
			 .must_end = must_end,
			 .on_loss = on_loss,
			 .cookie = &session},
	});
	line_clock_init(&session.clock);
	output_init(&session.output, STDOUT_FILENO, must_end, &session);
	if (arguments.pid)
		code = trace_pid(&session, &diag);
	else if (arguments.pid_file)
		code = trace_pid_file(&session, &diag);
	else
		code = trace_child(&session, &diag);
	enum exit_code exit_code = finish(&session, code, &diag);
	tracer_free(session.tracer);
	stats_free(session.stats);
	output_fini(&session.output);
	free(arguments.patterns);
	free(arguments.node_args);
	return exit_code;
}

const struct command command_trace = {"trace", "show what the tracepoints of a process tell, as it happens",
				      run};

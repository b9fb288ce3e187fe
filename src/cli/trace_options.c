#include "cli/trace_options.h"

#include "base/text.h"
#include "base/xmem.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPTION_PID = 'p',
	OPTION_PID_FILE = 256,
	OPTION_NAME,
	OPTION_CGROUP,
	OPTION_BITCOIND,
	OPTION_FORMAT,
	OPTION_WHERE,
	OPTION_COUNT,
	OPTION_DURATION,
	OPTION_STATS,
	OPTION_BY,
	OPTION_OF,
	OPTION_INTERVAL,
	OPTION_OUTPUT,
	OPTION_LISTEN,
	OPTION_PAYLOAD,
	OPTION_RELEASE,
	OPTION_USER,
	OPTION_ENV,
	OPTION_RING,
};

enum { PROCESSES_MAX = 64 };

static const char *const format_names[] = {"text", "json", "openmetrics", "prometheus", NULL};

static uint64_t
parse_seconds(const struct argp_state *state, const char *option, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	/* strspn rules out what else strtod takes: blanks, signs, hexadecimal, "inf" and "nan". */
	if (strspn(text, "0123456789.") != strlen(text) || !*text || *end || seconds < 0.001 || seconds > 1e9)
		argp_error(state, "--%s=%s is not a number of seconds, at least 0.001", option, text);
	return (uint64_t)(seconds * 1e9);
}

/* Splits a list of names at its commas, in place. */
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
				"--%s takes up to %d argument names, separated by commas, as 'tpcheck list' shows them",
				option, STATS_NAMES_MAX);
		names[(*cnt)++] = name;
	}
}

static void
add_term(const struct argp_state *state, struct trace_options *options, const char *text)
{
	struct diag diag;

	if (options->where_cnt == CONDITIONS_MAX)
		argp_error(state, "--where can be repeated up to %d times", CONDITIONS_MAX);
	if (where_parse(text, &options->where[options->where_cnt++], &diag))
		argp_error(state, "--where: %s", diag.text);
}

static void
check_node_args(const struct argp_state *state, const struct trace_options *options)
{
	if (options->node_args_cnt && !options->bitcoind)
		argp_error(state, "'%s' is an argument for bitcoind, which needs --bitcoind to start it",
			   options->node_args[0]);
	for (size_t i = 0; i < options->node_args_cnt; i++) {
		const char *arg = options->node_args[i];

		if (!strncmp(arg + strspn(arg, "-"), "daemon", strlen("daemon")))
			argp_error(state, "'%s' would put bitcoind in the background; remove it", arg);
	}
}

static void
check_combination(const struct argp_state *state, const struct trace_options *options)
{
	int ways = (options->pids_cnt != 0) + (options->pid_file != NULL) + (options->bitcoind != NULL) +
		   (options->name != NULL) + (options->cgroup != NULL);

	if (!ways)
		argp_error(
			state,
			"no process given; use --pid=PID, --pid-file=FILE, --name=bitcoind, or --bitcoind=PATH to start one");
	if (ways > 1)
		argp_error(state, "--pid, --pid-file, --name, --cgroup and --bitcoind exclude one another");
	check_node_args(state, options);
	if (options->user && !options->bitcoind)
		argp_error(state, "--user needs --bitcoind");
	if (options->env && !options->bitcoind)
		argp_error(state, "--env needs --bitcoind");
	if (!options->stats &&
	    (options->stats_opts.by_cnt || options->stats_opts.of_cnt || options->interval_ns))
		argp_error(state, "--by, --of and --interval need --stats");
	if (trace_options_has_metrics(options) && !options->stats)
		argp_error(state, "--format=%s needs --stats", format_names[options->format]);
	if (!trace_options_has_metrics(options) && (options->output || options->listen))
		argp_error(state, "--output and --listen need --format=openmetrics or --format=prometheus");
	if (options->listen && !options->output && options->interval_ns)
		argp_error(
			state,
			"--interval has no effect with --listen: metrics are made when they are asked for");
	if (options->stats && options->payload_bytes)
		argp_error(state, "--payload has no effect with --stats");
}

/* The options that choose what is shown, and how. */
static error_t
parse_display(int key, char *arg, const struct argp_state *state, struct trace_options *options)
{
	switch (key) {
	case OPTION_FORMAT:
		options->format = (enum trace_format)cli_choice(state, "format", arg, format_names);
		return 0;
	case OPTION_WHERE:
		add_term(state, options, arg);
		return 0;
	case OPTION_PAYLOAD:
		options->payload_bytes = (uint32_t)cli_number(state, "payload", arg, 1, RECORD_PAYLOAD_BYTES);
		return 0;
	case OPTION_COUNT:
		options->count = (uint64_t)cli_number(state, "count", arg, 1, INT64_MAX);
		return 0;
	case OPTION_DURATION:
		options->duration_ns = parse_seconds(state, "duration", arg);
		return 0;
	case OPTION_STATS:
		options->stats = true;
		return 0;
	case OPTION_BY:
		add_names(state, "by", arg, options->stats_opts.by, &options->stats_opts.by_cnt);
		return 0;
	case OPTION_OF:
		add_names(state, "of", arg, options->stats_opts.of, &options->stats_opts.of_cnt);
		return 0;
	case OPTION_OUTPUT:
		options->output = arg;
		return 0;
	case OPTION_LISTEN:
		options->listen = arg;
		return 0;
	case OPTION_INTERVAL:
		options->interval_ns = parse_seconds(state, "interval", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
add_pid(const struct argp_state *state, struct trace_options *options, const char *text)
{
	pid_t pid = (pid_t)cli_number(state, "pid", text, 1, INT32_MAX);

	for (size_t i = 0; i < options->pids_cnt; i++)
		if (options->pids[i] == pid)
			return;
	if (options->pids_cnt == PROCESSES_MAX)
		argp_error(state, "more than %d processes cannot be traced at once", PROCESSES_MAX);
	options->pids = xreallocarray(options->pids, options->pids_cnt + 1, sizeof(*options->pids));
	options->pids[options->pids_cnt++] = pid;
}

/* As from pidof and pgrep: separated by blanks, commas or newlines. */
static void
add_pids(const struct argp_state *state, struct trace_options *options, char *list)
{
	static const char separators[] = " ,\n\t";
	size_t cnt = 0;

	for (char *at = list + strspn(list, separators), *next; *at; at = next) {
		size_t len = strcspn(at, separators);

		next = at + len + strspn(at + len, separators);
		at[len] = '\0';
		add_pid(state, options, at);
		cnt++;
	}
	if (!cnt)
		argp_error(state, "--pid has no PID; is a bitcoind running?");
}

/* What cannot be the name of a tracepoint, and was meant for an option. */
static void
check_tracepoint(const struct argp_state *state, const char *arg)
{
	uint64_t pid;

	if (parse_u64(arg, &pid))
		argp_error(state, "'%s' is no tracepoint; did you mean --pid=%s?", arg, arg);
	if (strchr(arg, '/'))
		argp_error(state, "'%s' is no tracepoint; did you mean --bitcoind=%s, or --pid-file=%s?", arg,
			   arg, arg);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct trace_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->probe;
		return 0;
	case OPTION_PID:
		add_pids(state, options, arg);
		return 0;
	case OPTION_NAME:
		if (!*arg || strchr(arg, '/'))
			argp_error(state, "--name=%s is not the name of a program, such as bitcoind", arg);
		options->name = arg;
		return 0;
	case OPTION_CGROUP:
		options->cgroup = arg;
		return 0;
	case OPTION_PID_FILE:
		if (options->pid_file)
			argp_error(
				state,
				"only one --pid-file can be given; for several processes use --pid, --name or --cgroup");
		options->pid_file = arg;
		return 0;
	case OPTION_BITCOIND:
		options->bitcoind = arg;
		return 0;
	case OPTION_USER:
		options->user = cli_user(state, arg);
		return 0;
	case OPTION_ENV:
		cli_append_env(state, &options->env, &options->env_cnt, arg);
		return 0;
	case OPTION_RELEASE:
		options->release = cli_release(state, arg);
		return 0;
	case OPTION_RING:
		options->probe.ring_bytes = (size_t)cli_number(state, "ring", arg, 1, 16384) << 10;
		return 0;
	case ARGP_KEY_ARG:
		/* What pidof prints, without quotes. */
		if (options->pids_cnt && *arg && strspn(arg, "0123456789") == strlen(arg)) {
			add_pid(state, options, arg);
			return 0;
		}
		check_tracepoint(state, arg);
		cli_append(&options->patterns, &options->patterns_cnt, arg);
		return 0;
	case ARGP_KEY_END:
		check_combination(state, options);
		return 0;
	default:
		return parse_display(key, arg, state, options);
	}
}

/* Takes the node's arguments, which follow "--", out of argv, and returns what is left of argc. All of bitcoind's
 * arguments begin with '-': any other word is a TRACEPOINT, even after "--". */
static int
split_node_args(int argc, char **argv, struct trace_options *options)
{
	int end = 1, left;

	while (end < argc && strcmp(argv[end], "--"))
		end++;
	options->node_args = xcalloc((size_t)(argc - end) + 1, sizeof(*options->node_args));
	left = end;
	for (int i = end + 1; i < argc; i++) {
		if (argv[i][0] == '-')
			options->node_args[options->node_args_cnt++] = argv[i];
		else
			argv[left++] = argv[i];
	}
	return left;
}

static const struct argp_option known[] = {
	{"pid", OPTION_PID, "PID", 0,
	 "Trace this process: a bitcoind, or any program with tracepoints; may be repeated, or a list such as pidof prints",
	 1},
	{"name", OPTION_NAME, "PROGRAM", 0,
	 "Trace all processes that run a program of this name (bitcoind), also those that start later", 1},
	{"cgroup", OPTION_CGROUP, "GROUP", 0,
	 "Trace all processes with tracepoints in this control group (a container's), also those that start later",
	 1},
	{"pid-file", OPTION_PID_FILE, "FILE", 0,
	 "Trace the process that this file names (bitcoind's -pid) and, when it ends, the next one", 1},
	{"bitcoind", OPTION_BITCOIND, "PATH", 0,
	 "Start this bitcoind, with the arguments after -- or else on a private regtest, and stop it when the trace ends",
	 1},
	{"user", OPTION_USER, "NAME", 0, CLI_USER_HELP, 1},
	{"env", OPTION_ENV, "NAME=VALUE", 0, CLI_ENV_HELP, 1},
	{"format", OPTION_FORMAT, "text|json|openmetrics|prometheus", 0,
	 "Print text lines (default) or a JSON object per event; with --stats also metrics, as OpenMetrics or in Prometheus's older format",
	 2},
	{"where", OPTION_WHERE, "CONDITION", 0,
	 "Show only events that fulfil this: 'peer_id=17', 'fee>=1000', 'message_type~cmpct*' (operators = != < > <= >=, and ~ for a shell pattern; names as in list); may be repeated, then all must hold",
	 2},
	{"payload", OPTION_PAYLOAD, "BYTES", 0, "Print the first bytes of messages, up to 32768, as hex", 2},
	{"count", OPTION_COUNT, "COUNT", 0, "End after this many events", 2},
	{"duration", OPTION_DURATION, "SECONDS", 0,
	 "End this many seconds after the trace first attached; waiting for a process does not count", 2},
	{"stats", OPTION_STATS, NULL, 0, "Print a table of counts, rates and quantiles instead of events", 3},
	{"by", OPTION_BY, "ARGUMENTS", 0,
	 "With --stats: count separately for each value of these arguments, e.g. message_type", 3},
	{"of", OPTION_OF, "ARGUMENTS", 0,
	 "With --stats: measure these arguments (default: all durations, sizes and amounts)", 3},
	{"interval", OPTION_INTERVAL, "SECONDS", 0,
	 "With --stats: how often to print the table (default: every second on a terminal, else once at the end), or to replace the file of --output (default: every 15)",
	 3},
	{"output", OPTION_OUTPUT, "FILE", 0,
	 "With metrics: replace this file, as a whole (for node_exporter: NAME.prom), instead of printing them",
	 3},
	{"listen", OPTION_LISTEN, "ADDRESS", 0,
	 "With metrics: serve them by HTTP, as /metrics, at 127.0.0.1:PORT or [::1]:PORT (port 0: any)", 3},
	{"release", OPTION_RELEASE, "RELEASE", 0,
	 "The release of Bitcoin Core whose names and types to use (default: found in the binary)", 4},
	{"ring", OPTION_RING, "KIB", 0,
	 "Size of each process's buffer between the kernel (by ptrace: the tracer process) and tpcheck", 4},
	{0},
};
static const struct argp_child children[] = {{.argp = &cli_probe_argp, .group = 4}, {0}};
static const struct argp argp = {
	.options = known,
	.parser = parse,
	.children = children,
	.args_doc = "[TRACEPOINT...] [-- NODE ARGUMENT...]",
	.doc = "Print the events of a process's tracepoints as they happen. "
	       "TRACEPOINT is a name or a shell pattern: 'utxocache:*', 'net:*_connection', '*' (default: all that Bitcoin Core documents).\v"
	       "Exit codes: 0 everything was shown, 2 wrong usage, 77 this machine or user cannot trace, or there are no tracepoints, 99 events were lost, or something broke.",
};

bool
trace_options_has_many(const struct trace_options *options)
{
	return options->pids_cnt > 1 || options->name || options->cgroup;
}

bool
trace_options_has_metrics(const struct trace_options *options)
{
	return options->format == TRACE_FORMAT_OPENMETRICS || options->format == TRACE_FORMAT_PROMETHEUS;
}

void
trace_options_parse(struct trace_options *options, int argc, char **argv)
{
	*options = (struct trace_options){0};
	argc = split_node_args(argc, argv, options);
	argp_parse(&argp, argc, argv, 0, NULL, options);
	options->by_given_cnt = options->stats_opts.by_cnt;
	options->stats_opts.with_labels = trace_options_has_metrics(options);
	if (options->stats_opts.with_labels && !options->stats_opts.by_cnt)
		options->stats_opts.by[options->stats_opts.by_cnt++] = "message_type";
	/* Otherwise, nodes could not be distinguished. */
	if (options->stats_opts.with_labels && trace_options_has_many(options) &&
	    options->stats_opts.by_cnt < STATS_NAMES_MAX)
		options->stats_opts.by[options->stats_opts.by_cnt++] = "pid";
}

void
trace_options_fini(struct trace_options *options)
{
	free(options->env);
	free(options->pids);
	free(options->patterns);
	free(options->node_args);
}

#include "cli/cli.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/xmem.h"
#include "cli/environment.h"
#include "cli/messages.h"
#include "contract/contract.h"
#include "report/report.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *cli_program = "tpcheck";
struct keeper *cli_keeper;
const char *argp_program_version = "tpcheck " TPCHECK_VERSION;

const char *const cli_format_names[] = {"text", "json", NULL};
const char *const cli_attach_names[] = {"auto", "multi", "perf", "tracefs", "ptrace", NULL};
const char *const cli_headers_names[] = {"builtin", "system", NULL};

enum { OPTION_ATTACH = 768, OPTION_HEADERS, OPTION_NO_CACHE };

static error_t
parse_probe(int key, char *arg, struct argp_state *state)
{
	struct probe_opts *opts = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		environment_fill_probe_opts(opts);
		opts->keeper = cli_keeper;
		return 0;
	case OPTION_ATTACH:
		opts->method = (enum probe_method)cli_choice(state, "attach", arg, cli_attach_names);
		return 0;
	case OPTION_HEADERS:
		opts->headers = (enum probe_headers)cli_choice(state, "headers", arg, cli_headers_names);
		return 0;
	case OPTION_NO_CACHE:
		opts->cache_dir = NULL;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_probe_argp = {
	.options =
		(const struct argp_option[]){
			{"attach", OPTION_ATTACH, "auto|multi|perf|tracefs|ptrace", 0,
			 "How to attach: by BPF with one uprobe_multi link, a perf event per probe, or a tracefs event per probe; or by ptrace, which needs no privilege (default: auto, the first that works)",
			 0},
			{"headers", OPTION_HEADERS, "builtin|system", 0,
			 "Kernel headers to compile the probes with: tpcheck's own (default), or those that libbcc finds",
			 0},
			{"no-cache", OPTION_NO_CACHE, NULL, 0,
			 "Compile the probes anew, and do not keep them (by default root does, in " ENVIRONMENT_CACHE_DIR
			 ")",
			 0},
			{0},
		},
	.parser = parse_probe,
};

/* Set by a signal handler, read by all threads. */
static atomic_int interrupted;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may touch it only if it is lock-free");

/* What a program does with closed descriptors depends on what it opens first. */
static void
fill_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			fd = open("/", O_RDONLY | O_DIRECTORY); /* nothing can be written there either */
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What nobody can read was not said. */
static void
close_output(void)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return;
	/* An earlier flush met the error; the next write meets it again. */
	if (!errno && write(STDOUT_FILENO, "\n", 1) >= 0)
		errno = EIO;
	fprintf(stderr, "tpcheck: failed to write to standard output: %s\n", strerror(errno));
	fflush(stderr);
	_exit(EXIT_ERROR);
}

void
cli_start(void)
{
	fill_descriptors();
	messages_set_up(&interrupted);
	atexit(close_output);
}

/* "-h" and "help" are "--help", as in git and bpftrace. */
static void
translate_habits(int argc, char **argv)
{
	static char help[] = "--help";

	if (argc > 1 && !strcmp(argv[1], "help")) {
		argv[1] = argc > 2 ? argv[2] : help;
		if (argc > 2)
			argv[2] = help;
	}
	for (int i = 1; i < argc && i <= 2; i++)
		if (!strcmp(argv[i], "-h"))
			argv[i] = help;
}

void
cli_set_up(int argc, char **argv)
{
	/* The parent may have ignored or blocked signals that we need. */
	sigset_t none;

	translate_habits(argc, argv);
	environment_reduce();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	argp_err_exit_status = EXIT_USAGE;
	if (argc > 0 && *argv[0])
		cli_program = argv[0];
}

int
cli_run(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "tpcheck %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

int
cli_choice(const struct argp_state *state, const char *option, const char *value, const char *const *names)
{
	struct buf choices;

	buf_init(&choices, 1024);
	for (int i = 0; names[i]; i++) {
		if (!strcmp(names[i], value)) {
			buf_fini(&choices);
			return i;
		}
		buf_printf(&choices, "%s%s", i ? ", " : "", names[i]);
	}
	argp_error(state, "--%s=%s is none of %s", option, value, choices.data);
	exit(EXIT_USAGE); /* argp_error does not return, but the compiler does not know */
}

long
cli_number(const struct argp_state *state, const char *option, const char *value, long lo, long hi)
{
	int64_t n;

	if (!parse_i64(value, &n) || n < lo || n > hi)
		argp_error(state, "--%s=%s is not a whole number from %ld to %ld", option, value, lo, hi);
	return (long)n;
}

const char *
cli_user(const struct argp_state *state, const char *value)
{
	uint64_t uid = 0;

	/* The greatest one means "none" to the kernel. */
	const struct passwd *entry = getpwnam(value);

	if (!entry && !(parse_u64(value, &uid) && uid < UINT32_MAX))
		argp_error(state, "--user=%s is not a user of this machine", value);
	if (geteuid() && (entry ? entry->pw_uid : uid) != geteuid())
		argp_error(
			state,
			"--user=%s is for root; user %u can run bitcoind only as itself, which it does without --user",
			value, (unsigned)geteuid());
	return value;
}

/* Reports that go to files of their own would not become part of the result. */
static bool
hides_reports(const char *name, size_t name_len, const char *value)
{
	static const char suffix[] = "SAN_OPTIONS", option[] = "log_path=";
	size_t suffix_len = strlen(suffix);

	if (name_len < suffix_len || strncmp(name + name_len - suffix_len, suffix, suffix_len) != 0)
		return false;
	const char *path = strstr(value, option);
	if (!path)
		return false;
	path += strlen(option);
	return strncmp(path, "stderr", 6) != 0 && strncmp(path, "stdout", 6) != 0;
}

void
cli_append_env(const struct argp_state *state, const char ***env, size_t *cnt, const char *variable)
{
	const char *equals = strchr(variable, '=');
	size_t name_len = equals ? (size_t)(equals - variable) : 0;

	if (!equals || !name_len)
		argp_error(state, "--env=%s is not of the form NAME=VALUE", variable);
	if (name_len == 4 && !strncmp(variable, "HOME", 4))
		argp_error(state,
			   "--env cannot set HOME: bitcoind's is chosen by tpcheck, which finds it by that");
	if (hides_reports(variable, name_len, equals + 1))
		argp_error(
			state,
			"--env=%s: log_path would hide the sanitizer's reports from tpcheck, which reads them on standard error; remove it",
			variable);
	*env = xreallocarray(*env, *cnt + 2, sizeof(**env));
	(*env)[(*cnt)++] = variable;
	(*env)[*cnt] = NULL;
}

unsigned
cli_release(const struct argp_state *state, const char *value)
{
	unsigned release = 0;

	if (!release_parse(value, &release))
		argp_error(state, "--release=%s is not a release with tracepoints (%d to %d, or master)",
			   value, RELEASE_FIRST, RELEASE_MASTER - 1);
	return release;
}

void
cli_extra_argument(const struct argp_state *state, const char *arg)
{
	argp_error(state, "extra argument '%s'", arg);
}

void
cli_append(const char ***items, size_t *cnt, const char *item)
{
	*items = xreallocarray(*items, *cnt + 1, sizeof(**items));
	(*items)[(*cnt)++] = item;
}

char *
cli_quote(const char *word)
{
	if (*word &&
	    strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%") ==
		    strlen(word))
		return xstrdup(word);
	char *out = xmalloc(4 * strlen(word) + 3), *to = out;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(to, "'\\''", 4);
			to += 4;
		} else {
			*to++ = *word;
		}
	}
	*to++ = '\'';
	*to = '\0';
	return out;
}

void
cli_add_option(struct buf *command, const char *name, const char *value)
{
	char *quoted = cli_quote(value);

	buf_printf(command, " --%s=%s", name, quoted);
	free(quoted);
}

void
cli_print(char *text)
{
	fputs(text, stdout);
	free(text);
}

static void
on_signal(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* Signals that do not end a program by default, that report a fault of its own, or that cannot be caught. */
static bool
is_left_alone(int signo)
{
	static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGTRAP,  SIGSYS,
				     SIGABRT, SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGURG};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (signo == others[i])
			return true;
	return false;
}

const atomic_int *
cli_catch_signals(void)
{
	/* No SA_RESTART: waits have to notice. All of them end within 0.1 s, except compiling the probes. */
	struct sigaction action = {.sa_handler = on_signal}, old;

	sigemptyset(&action.sa_mask);
	for (int signo = 1; signo <= SIGRTMAX; signo++) {
		bool is_request = signo == SIGINT || signo == SIGTERM || signo == SIGQUIT;

		/* What is ignored stays so: SIGHUP under nohup. Those that the C library uses cannot be changed. */
		if (is_left_alone(signo) || sigaction(signo, NULL, &old) ||
		    (old.sa_handler == SIG_IGN && !is_request))
			continue;
		sigaction(signo, &action, NULL);
	}
	/* The write fails instead. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return &interrupted;
}

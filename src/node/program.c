/* A thread reads the output, so bitcoind never waits for whoever reads the trace. The thread ends with the last writer
 * of the pipe or, where a child of bitcoind outlives it, once stop_fd is readable. */
#include "node/program.h"

#include "base/utf8.h"
#include "base/xmem.h"
#include "node/env.h"
#include "node/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAIL_BYTES = 1500, PIPE_BYTES = 64 << 10 };

struct program {
	struct process process;
	struct process_user user;
	int output_fd, stop_fd, stop_write_fd; /* the reading end of its output; both ends of a pipe */
	void (*on_output)(void *cookie, const char *text, size_t len);
	void *cookie;
	pthread_t reader;
	bool reader_runs;
	char tail[2 * TAIL_BYTES + 1]; /* the reader's while it runs */
	size_t tail_len;
	char *end_text, *output; /* see program_end_text and program_output */
};

static void *
read_output(void *arg)
{
	struct program *program = arg;
	struct pollfd fds[] = {{.fd = program->output_fd, .events = POLLIN},
			       {.fd = program->stop_fd, .events = POLLIN}};
	size_t left = PIPE_BYTES; /* to read after the stop, as a child may go on writing forever */

	while (left) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (!fds[0].revents && fds[1].revents)
			break;
		if (program->tail_len > TAIL_BYTES) {
			program->tail_len -= TAIL_BYTES;
			memmove(program->tail, program->tail + TAIL_BYTES, program->tail_len);
		}
		ssize_t n = read(program->output_fd, program->tail + program->tail_len,
				 sizeof(program->tail) - 1 - program->tail_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (program->on_output)
			program->on_output(program->cookie, program->tail + program->tail_len, (size_t)n);
		program->tail_len += (size_t)n;
		if (fds[1].revents)
			left -= (size_t)n < left ? (size_t)n : left;
	}
	return NULL;
}

static void
end_reader(struct program *program)
{
	if (!program->reader_runs)
		return;
	/* The reader empties the pipe before it obeys. */
	if (write(program->stop_write_fd, "x", 1) == 1)
		pthread_join(program->reader, NULL);
	program->reader_runs = false;
}

static int
open_pipes(struct program *program, int *write_fd, struct diag *diag)
{
	int output[2], stop[2];

	if (pipe2(output, O_CLOEXEC))
		return diag_fail(diag, -errno, "node: failed to make a pipe: %s", strerror(errno));
	program->output_fd = output[0];
	*write_fd = output[1];
	if (pipe2(stop, O_CLOEXEC))
		return diag_fail(diag, -errno, "node: failed to make a pipe: %s", strerror(errno));
	program->stop_fd = stop[0];
	program->stop_write_fd = stop[1];
	int err = -pthread_create(&program->reader, NULL, read_output, program);
	program->reader_runs = !err;
	return err ? diag_fail(diag, err, "node: failed to start a thread: %s", strerror(-err)) : 0;
}

/* Where bitcoind looks for its datadir. */
static char *
find_home(const struct process_user *user, const char *own_home)
{
	struct passwd entry, *found = NULL;
	char strings[16384];

	if (!user->change && own_home)
		return xstrdup(own_home);
	getpwuid_r(user->uid, &entry, strings, sizeof(strings), &found);
	return xstrdup(found ? found->pw_dir : "/");
}

static int
start_process(struct program *program, const struct program_opts *opts, int output_fd, struct diag *diag)
{
	size_t args_cnt = 0;
	char *home = find_home(&program->user, opts->home), *home_env = xasprintf("HOME=%s", home);
	while (opts->args[args_cnt])
		args_cnt++;
	const char **argv = xcalloc(args_cnt + 2, sizeof(*argv));
	argv[0] = opts->bitcoind;
	memcpy(argv + 1, opts->args, args_cnt * sizeof(*argv));
	const char *const ours[] = {ENV_PATH, ENV_LOCALE, home_env, NULL};
	const char **env = env_merge(ours, opts->env);
	int err = process_start(&program->process,
				&(struct process_opts){
					.program = opts->bitcoind,
					.argv = (char *const *)(uintptr_t)argv,
					.envp = (char *const *)(uintptr_t)env,
					.dir = opts->dir,
					.output_fd = output_fd,
					.network_fd = -1,
					.user_ns_fd = -1,
					.user = &program->user,
				},
				diag);
	free(argv);
	free(env);
	free(home_env);
	free(home);
	return err;
}

int
program_start(struct program **out, const struct program_opts *opts, struct diag *diag)
{
	struct program *program = xcalloc(1, sizeof(*program));
	int write_fd = -1;

	*out = NULL;
	program->on_output = opts->on_output;
	program->cookie = opts->cookie;
	program->process.fd = program->output_fd = program->stop_fd = program->stop_write_fd = -1;
	int err = process_find_user(&program->user,
				    &(struct process_user_opts){.name = opts->user,
								.sudo_uid = opts->sudo_uid,
								.same_user = opts->same_user},
				    diag);
	if (!err)
		err = open_pipes(program, &write_fd, diag);
	if (!err)
		err = start_process(program, opts, write_fd, diag);
	if (write_fd >= 0)
		close(write_fd);
	if (err)
		program_free(program);
	else
		*out = program;
	return err;
}

void
program_free(struct program *program)
{
	if (!program)
		return;
	struct diag diag;

	if (process_kill(&program->process, &diag))
		fprintf(stderr, "tpcheck: %s\n", diag.text);
	end_reader(program);
	if (program->output_fd >= 0)
		close(program->output_fd);
	if (program->stop_fd >= 0)
		close(program->stop_fd);
	if (program->stop_write_fd >= 0)
		close(program->stop_write_fd);
	free(program->end_text);
	free(program->output);
	free(program);
}

pid_t
program_pid(const struct program *program)
{
	return program->process.pid;
}

int
program_signal(struct program *program, int signo)
{
	return process_signal(&program->process, signo);
}

bool
program_is_alive(struct program *program)
{
	return !process_has_ended(&program->process);
}

const char *
program_end_text(struct program *program)
{
	if (!program->end_text) {
		struct buf text;

		buf_init(&text, 256);
		process_describe_end(&program->process, "bitcoind", &text);
		program->end_text = buf_take(&text);
	}
	return program->end_text;
}

bool
program_ended_well(struct program *program)
{
	return process_has_ended(&program->process) && program->process.status_known &&
	       WIFEXITED(program->process.status) && !WEXITSTATUS(program->process.status);
}

const char *
program_output(struct program *program)
{
	end_reader(program);
	if (program->output)
		return program->output;
	const char *text = program->tail, *end = text + program->tail_len;
	if (program->tail_len > TAIL_BYTES) {
		const char *line = memchr(end - TAIL_BYTES, '\n', TAIL_BYTES);

		text = line ? line + 1 : text;
	}
	program->output = utf8_show_nul(text, (size_t)(end - text));
	return program->output;
}

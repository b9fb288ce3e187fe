#include "cli/doctor_start.h"

#include "base/clock.h"
#include "cli/bitcoind.h"
#include "cli/cli.h"
#include "cli/environment.h"
#include "node/datadir.h"
#include "node/process.h"
#include "node/program.h"

#include <errno.h>
#include <string.h>

/* Its output on one line, without what would control a terminal. */
static void
flatten(char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = *text == '\n' ? ' ' : '?';
}

static const char *
remedy(const char *output)
{
	if (strstr(output, "error while loading shared libraries"))
		return "; install that library, or give a bitcoind that was linked without it";
	if (strstr(output, "version `GLIBC") || strstr(output, "version `CXXABI"))
		return "; it was built for a newer system: build it here, or use a release binary";
	return "";
}

static int
print_version(const struct program_opts *opts, struct diag *diag)
{
	struct deadline deadline = deadline_in_ms(DOCTOR_START_MS);
	struct program *program;
	int err = program_start(&program, opts, diag);

	if (err)
		return err;
	while (program_is_alive(program) && !deadline_has_passed(deadline))
		clock_pause_ms(5, deadline);
	if (program_is_alive(program)) {
		err = diag_fail(diag, -ETIMEDOUT, "'%s -version' did not end within %d s", opts->bitcoind,
				DOCTOR_START_MS / 1000);
	} else if (!program_ended_well(program)) {
		const char *output = program_output(program);

		err = diag_fail(diag, -ECHILD, "'%s -version' cannot run: %s%s%s%s", opts->bitcoind,
				program_end_text(program), *output ? ": " : "", output, remedy(output));
	} else {
		const char *output = program_output(program);

		diag_fail(diag, 0, "%.*s", (int)strcspn(output, "\n"), output);
	}
	flatten(diag->text);
	program_free(program);
	return err;
}

int
doctor_start(const char *bitcoind, const char *user, const char *const *env, struct diag *diag)
{
	/* With another datadir, or none, it would create files there. */
	static const char *const args[] = {"-version", "-datadir=/", "-nosettings", NULL};
	struct environment environment = environment_read();
	struct process_user_opts user_opts = {
		.name = user, .sudo_uid = environment.sudo_uid, .same_user = bitcoind_needs_same_user()};
	struct process_user process_user;
	struct datadir datadir;
	int err = process_find_user(&process_user, &user_opts, diag);

	if (!err)
		err = datadir_make(&datadir, cli_keeper, environment_node_dir(), process_user.uid,
				   process_user.gid, diag);
	if (err)
		return err;
	struct program_opts opts = {.bitcoind = bitcoind,
				    .args = args,
				    .user = user,
				    .sudo_uid = environment.sudo_uid,
				    .same_user = user_opts.same_user,
				    .home = environment.home,
				    .dir = datadir.path,
				    .env = env};
	err = print_version(&opts, diag);
	datadir_remove_all(&datadir, NULL);
	return err;
}

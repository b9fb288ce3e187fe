#include "cli/doctor_start.h"

#include "base/clock.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
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

int
doctor_start(const char *bitcoind, const char *user, const char *const *env, struct diag *diag)
{
	/* Otherwise it creates a datadir in HOME, and settings.json. */
	static const char *const args[] = {"-version", "-datadir=/", "-nosettings", NULL};
	struct environment environment = environment_read();
	struct program_opts opts = {.bitcoind = bitcoind,
				    .args = args,
				    .user = user,
				    .sudo_uid = environment.sudo_uid,
				    .same_user = bitcoind_needs_same_user(),
				    .home = environment.home,
				    .env = env};
	struct deadline deadline = deadline_in_ms(DOCTOR_START_MS);
	struct program *program;
	int err = program_start(&program, &opts, diag);

	if (err)
		return err;
	while (program_is_alive(program) && !deadline_has_passed(deadline))
		clock_pause_ms(5, deadline);
	if (program_is_alive(program)) {
		err = diag_fail(diag, -ETIMEDOUT, "'%s -version' did not end within %d s", bitcoind,
				DOCTOR_START_MS / 1000);
	} else if (!program_ended_well(program)) {
		const char *output = program_output(program);

		err = diag_fail(diag, -ECHILD, "'%s -version' cannot run: %s%s%s%s", bitcoind,
				program_end_text(program), *output ? ": " : "", output, remedy(output));
	} else {
		const char *output = program_output(program);

		diag_fail(diag, 0, "%.*s", (int)strcspn(output, "\n"), output);
	}
	flatten(diag->text);
	program_free(program);
	return err;
}

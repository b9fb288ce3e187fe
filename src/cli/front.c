/* The program that people call. What looks at files alone is done here: it must be quick, and must work where libbcc
 * and libcurl are not even installed, as loading these (and LLVM with them) takes longer and more memory than all of
 * abi. Everything else is for tpcheck-full, which has all commands. */
#include "cli/cli.h"

#include "base/privileges.h"
#include "base/xmem.h"
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beside this program, where it was built; else where it is installed. */
static const char *const places[] = {"tpcheck-full", TPCHECK_LIBEXEC "/tpcheck-full"};

/* The folder that this program is in, with a slash behind; the caller frees it. */
static char *
own_folder(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return xstrdup("");
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	if (slash)
		slash[1] = '\0';
	return xstrdup(path);
}

static int
hand_over(char **argv)
{
	char *folder = own_folder();

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = xasprintf("%s%s", folder, places[i]);

		execv(path, argv);
		if (errno != ENOENT) {
			fprintf(stderr, "tpcheck: failed to run '%s': %s%s\n", path, strerror(errno),
				errno == EPERM
					? "; it has file capabilities (getcap) that nobody can have in this container: take them away (setcap -r), or allow them (--cap-add)"
				: errno == EACCES
					? "; if its file belongs to a group that may run it, you are not in it"
					: "");
			return EXIT_ERROR;
		}
		free(path);
	}
	fprintf(stderr,
		"tpcheck: tpcheck-full is neither in '%s' nor in '%s%s', and only abi and diff work without; install both programs\n",
		folder, folder, TPCHECK_LIBEXEC);
	free(folder);
	return EXIT_ERROR;
}

int
main(int argc, char **argv)
{
	static const struct command *const commands[] = {&command_abi, &command_diff};
	static const unsigned kept[] = {CAP_DAC_READ_SEARCH}; /* any file that root may name */
	struct diag diag;

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i]->name)) {
			cli_set_up(argc, argv);
			if (privileges_keep(kept, 1, &diag)) {
				fprintf(stderr, "tpcheck: %s\n", diag.text);
				return EXIT_ERROR;
			}
			return cli_run(commands[i], argc - 1, argv + 1);
		}
	return hand_over(argv);
}

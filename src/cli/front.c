/* The program tpcheck. It runs abi and diff itself: they only read files, should be quick, and should work where libbcc
 * and libcurl are not installed. Loading libbcc (and LLVM with it) takes more time and memory than all that abi does.
 * Everything else is handed to tpcheck-full, which has all commands. */
#include "cli/cli.h"

#include "base/privileges.h"
#include "base/xmem.h"
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beside this program in the build folder; else where it is installed. */
static const char *const places[] = {"tpcheck-full", TPCHECK_LIBEXEC "/tpcheck-full"};

/* The folder that this program is in, absolute and ending with a slash; the caller frees it. NULL with a message: a
 * relative path would name whatever is in the working directory. */
static char *
own_folder(void)
{
	char path[4097];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0 && errno == ENOENT) {
		fputs("tpcheck: failed to find tpcheck-full: /proc is not mounted; mount it: mount -t proc proc /proc\n",
		      stderr);
		return NULL;
	}
	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (n < 0 || *path != '/' || n == sizeof(path) - 1) {
		fprintf(stderr, "tpcheck: failed to find tpcheck-full: /proc/self/exe: %s\n",
			n < 0 ? strerror(errno) : "it is not the path of this program");
		return NULL;
	}
	slash[1] = '\0';
	return xstrdup(path);
}

static int
hand_over(char **argv)
{
	char *folder = own_folder();

	if (!folder)
		return EXIT_ERROR;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = xasprintf("%s%s", folder, places[i]);

		execv(path, argv);
		if (errno != ENOENT) {
			fprintf(stderr, "tpcheck: failed to run '%s': %s%s\n", path, strerror(errno),
				errno == EPERM
					? "; it has file capabilities (getcap) that nobody can have in this container: remove them (setcap -r), or allow them (--cap-add)"
				: errno == EACCES ? "; if only a group may run it, you are not a member"
						  : "");
			return EXIT_ERROR;
		}
		free(path);
	}
	fprintf(stderr,
		"tpcheck: tpcheck-full is neither in '%s' nor in '%s%s', and only abi and diff work without it; install both programs\n",
		folder, folder, TPCHECK_LIBEXEC);
	free(folder);
	return EXIT_ERROR;
}

int
main(int argc, char **argv)
{
	static const struct command *const commands[] = {&command_abi, &command_diff};
	static const unsigned kept[] = {CAP_DAC_READ_SEARCH}; /* to read any file, as root may */
	struct diag diag;

	cli_start();
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

/* A program without tracepoints that looks like one of Bitcoin Core's: it contains PRETENDER_TEXT. If it is named
 * "bitcoin", it does what that launcher does: "bitcoin node ARGS" runs the bitcoind in ../libexec, or else beside it. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char text[] = PRETENDER_TEXT;

int
main(int argc, char **argv)
{
	char own[4096], path[8192];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	own[n > 0 ? n : 0] = '\0';
	if (strcmp(argv[0] + strlen(argv[0]) - strlen("bitcoin"), "bitcoin") != 0 || argc < 2 ||
	    strcmp(argv[1], "node") != 0) {
		puts(text);
		return 1;
	}
	char *folder = dirname(own);
	snprintf(path, sizeof(path), "%s/../libexec/bitcoind", folder);
	argv[1] = path;
	execv(path, argv + 1);
	snprintf(path, sizeof(path), "%s/bitcoind", folder);
	execv(path, argv + 1);
	return 1;
}

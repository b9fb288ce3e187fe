/* The bitcoind that tests of the runner use: a copy of that in $BITCOIND or PATH. */
#ifndef TPCHECK_TESTS_NODE_BITCOIND_H
#define TPCHECK_TESTS_NODE_BITCOIND_H

#include "node/node.h"
#include "probe/probe.h"
#include "surroundings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The caller frees *copy and *dir, after test_remove_bitcoind. 0, 77 (there is none, or it cannot be traced) or 99. */
static inline int
test_copy_bitcoind(char **copy, char **dir)
{
	const struct node_search search = {.bitcoind_env = getenv("BITCOIND"), .path_env = getenv("PATH")};
	char reason[600], *found;
	struct diag diag;

	if (node_find_bitcoind(&search, &found, &diag)) {
		printf("SKIP: %s\n", diag.text);
		return 77;
	}
	if (probe_find_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		free(found);
		return 77;
	}
	*dir = test_make_dir();
	*copy = *dir ? test_copy_program(found, *dir) : NULL;
	free(found);
	return *copy ? 0 : 99;
}

static inline void
test_remove_bitcoind(const char *copy, const char *dir)
{
	unlink(copy);
	rmdir(dir);
}

#endif

#include "cli/bitcoind.h"

#include "cli/environment.h"
#include "node/node.h"

int
bitcoind_find(const char *given, char **path, struct diag *diag)
{
	struct environment environment = environment_read();
	struct node_search search = {
		.given = given, .bitcoind_env = environment.bitcoind, .path_env = environment.path};

	return node_find_bitcoind(&search, path, diag);
}

#include "cli/bitcoind.h"

#include "base/privileges.h"
#include "base/xmem.h"
#include "cli/environment.h"
#include "node/node.h"
#include "notes/absence.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int
bitcoind_find(const char *given, char **path, struct diag *diag)
{
	struct environment environment = environment_read();
	struct node_search search = {
		.given = given, .bitcoind_env = environment.bitcoind, .path_env = environment.path};
	int err = node_find_bitcoind(&search, path, diag);

	if (err || !launcher_is_it(*path))
		return err;
	char *node = launcher_find_node(*path);
	if (!node)
		err = diag_fail(
			diag, -ENOENT,
			"'%s' is the launcher 'bitcoin', and neither bitcoind nor bitcoin-node is beside it or in ../libexec; give the path of a bitcoind",
			*path);
	free(*path);
	*path = node;
	return err;
}

bool
bitcoind_needs_same_user(void)
{
	bool can_read = privileges_has(CAP_DAC_READ_SEARCH) || privileges_has(CAP_DAC_OVERRIDE);

	return geteuid() == 0 && !(privileges_has(CAP_SYS_PTRACE) && can_read);
}

char *
bitcoind_user_note(const char *user)
{
	struct node_opts opts = {
		.user = user,
		.sudo_uid = environment_read().sudo_uid,
		.same_user = bitcoind_needs_same_user(),
	};
	struct node_user found;

	/* Whoever starts it reports the error. */
	return !node_find_user(&found, &opts, NULL) && *found.note ? xstrdup(found.note) : NULL;
}

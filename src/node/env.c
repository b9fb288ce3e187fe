#include "node/env.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>

/* Adds a variable, in the place of one with the same name. */
static void
set(const char **env, const char *variable)
{
	size_t at = 0, name_len = strcspn(variable, "=") + 1;

	while (env[at] && strncmp(env[at], variable, name_len) != 0)
		at++;
	env[at] = variable;
}

const char **
env_merge(const char *const *ours, const char *const *theirs)
{
	size_t ours_cnt = 0, theirs_cnt = 0;

	while (ours[ours_cnt])
		ours_cnt++;
	while (theirs && theirs[theirs_cnt])
		theirs_cnt++;
	const char **env = xcalloc(ours_cnt + theirs_cnt + 1, sizeof(*env));
	for (size_t i = 0; i < ours_cnt; i++)
		set(env, ours[i]);
	for (size_t i = 0; i < theirs_cnt; i++)
		set(env, theirs[i]);
	return env;
}

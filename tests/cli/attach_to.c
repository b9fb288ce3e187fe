/* Attaches to a process that is given by its PID, as trace does, and says how: "attached by multi". What fails is told,
 * and the exit code is 1.
 *
 *	attach_to PID [METHOD] */
#include "notes/notes.h"
#include "probe/probe.h"
#include "scenario/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct probe_opts opts = {.method = PROBE_METHOD_AUTO};
	struct notes *notes = NULL;
	struct probe_set *set = NULL;
	struct plan plan = {0};
	struct diag diag;
	char path[64];

	if (argc < 2)
		return 2;
	while (argc > 2 && opts.method <= PROBE_METHOD_TRACEFS &&
	       strcmp(probe_method_name(opts.method), argv[2]))
		opts.method++;
	snprintf(path, sizeof(path), "/proc/%s/exe", argv[1]);
	int code = notes_open(&notes, path, &diag);
	if (!code) {
		plan_make(&plan, notes, RELEASE_MASTER, UINT64_MAX);
		code = probe_set_new(&set, plan.points, plan.points_cnt, &opts, &diag);
	}
	if (!code)
		code = probe_set_attach(set, (pid_t)strtol(argv[1], NULL, 10), &diag);
	if (code)
		puts(diag.text);
	else
		printf("attached by %s\n", probe_method_name(probe_set_method(set)));
	probe_set_free(set);
	plan_fini(&plan);
	notes_free(notes);
	return code ? 1 : 0;
}

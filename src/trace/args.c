#include "trace/args.h"

#include <stdio.h>
#include <string.h>

const struct contract_arg *
args_get(const struct contract_tracepoint *row, unsigned idx)
{
	return idx < row->args_cnt ? &row->args[idx] : NULL;
}

const char *
args_name(const struct contract_tracepoint *row, unsigned idx, char room[16])
{
	if (idx < row->args_cnt)
		return row->args[idx].name;
	snprintf(room, 16, "arg%u", idx + 1);
	return room;
}

unsigned
args_find(const struct contract_tracepoint *row, unsigned cnt, const char *name)
{
	char room[16];
	unsigned i = 0;

	while (i < cnt && strcmp(args_name(row, i, room), name))
		i++;
	return i;
}

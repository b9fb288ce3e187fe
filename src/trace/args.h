/* The arguments of a tracepoint, whether the contract has a row for them or not. */
#ifndef TPCHECK_TRACE_ARGS_H
#define TPCHECK_TRACE_ARGS_H

#include "contract/contract.h"

/* Lent; NULL: the row does not have it. */
const struct contract_arg *args_get(const struct contract_tracepoint *row, unsigned idx);
/* One that the row does not have is called "arg7"; room may hold that name. */
const char *args_name(const struct contract_tracepoint *row, unsigned idx, char room[16]);
/* The index of the argument with that name among the first cnt; cnt if there is none. */
unsigned args_find(const struct contract_tracepoint *row, unsigned cnt, const char *name);

#endif

/* What a scenario compares, by tracepoint. It is the same whether the scenario runs alone or among others. */
#ifndef TPCHECK_BASE_CHECKED_H
#define TPCHECK_BASE_CHECKED_H

#include "base/site.h"

#include <stddef.h>

/* Kinds of expected values: what a wrong argument could hide behind. */
enum checked_kind {
	CHECKED_ZERO,    /* 0, or a hash of zeros */
	CHECKED_8_BITS,  /* a number that has no more */
	CHECKED_16_BITS, /* more than 8 bits, and no more than these */
	CHECKED_32_BITS,
	CHECKED_64_BITS,
	CHECKED_NEGATIVE,
	CHECKED_FALSE,
	CHECKED_TRUE,
	CHECKED_HASH,
	CHECKED_EMPTY,    /* a string or a payload without bytes */
	CHECKED_BYTES,    /* with some */
	CHECKED_CUT,      /* with more than are read */
	CHECKED_MEASURED, /* between two bounds, or one of several */
	CHECKED_KINDS_CNT,
};

struct checked_tracepoint {
	const char *name; /* "utxocache:add"; as the names below, borrowed from the contract */
	size_t events;    /* expected ones */
	unsigned args_cnt;
	struct {
		const char *name;
		unsigned kinds; /* bits 1 << enum checked_kind */
	} args[SITE_ARGS_MAX];
};

struct checked {
	struct checked_tracepoint *items; /* in the order of the contract */
	size_t cnt;                       /* 0: nothing was compared */
};

#endif

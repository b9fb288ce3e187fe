/* The lines of bitcoind's debug.log that checks depend on: the one place where their words stand.
 *
 * What the log says is no interface. A release that words a line in another way gets a row here. A bitcoind that logs
 * none of the known words is checked by what else is known, which is less: log_report_unknown says so, once per
 * run. */
#ifndef TPCHECK_SCENE_LOG_LINES_H
#define TPCHECK_SCENE_LOG_LINES_H

#include "scene/scenario.h"

enum log_line {
	LOG_LOAD,          /* a block is read, before it is connected; all times are in ms */
	LOG_SANITY,        /* time of its sanity checks */
	LOG_FORK,          /* of the checks for forks */
	LOG_VERIFY,        /* of its scripts: begins with their number, then LOG_VERIFIED */
	LOG_VERIFIED,      /* followed by the time */
	LOG_UNDO,          /* of writing undo data */
	LOG_INDEX,         /* v23: of that and of the index */
	LOG_TIP,           /* a block became the tip: followed by its hash, then LOG_CACHE */
	LOG_CACHE,         /* size of the cache in MiB, and its coins */
	LOG_SIZE,          /* the cache is larger than allowed: its size in bytes, then LOG_EXCEEDS */
	LOG_EXCEEDS,       /* ... */
	LOG_FLUSH_BEGINS,  /* the first line of a flush */
	LOG_COINS,         /* the coins are written; "started" or "completed" follows */
	LOG_OLD_COINS,     /* up to v22 and with -debug=coindb: the same has been done */
	LOG_SELECTION,     /* a wallet has chosen coins: the algorithm and the waste follow */
	LOG_MISBEHAVING,   /* a peer misbehaves: its id and the reason follow */
	LOG_CONNECTIONS,   /* how many connections there may be */
	LOG_CONNECTED_VIA, /* a connection by a proxy has been made: the address follows */
	LOG_LINES_CNT,
};

/* Its words, in the releases that tpcheck knows. */
const char *log_words(enum log_line line);

/* What the lines are for. */
enum log_fact {
	LOG_FACT_DURATION, /* of block_connected */
	LOG_FACT_CACHE,    /* coins and memory of the cache */
	LOG_FACT_FLUSH,    /* how often, and for how long at least, the cache was flushed */
	LOG_FACT_CRITICAL, /* memory of a cache that is too large */
	LOG_FACT_MISBEHAVIOUR,
	LOG_FACTS_CNT,
};

/* Expects a detail: this bitcoind's log does not say that, or not in words that are known, and what this leaves
 * unchecked. Only the first time in a run. */
void log_report_unknown(struct scene *scene, enum log_fact fact);
/* Whether it is the message of such a finding. Scenarios that run at the same time report the same: the runner leaves
 * it to the first of them. */
bool log_is_about_unknown(const char *message);

#endif

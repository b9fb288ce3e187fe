#include "scene/log_lines.h"

#include <string.h>

#define UNKNOWN_WORDS "this bitcoind's debug.log does not have the line "

/* A line that releases word differently has a row for each wording; the releases are those that have the line. */
static const struct {
	const char *words;
	unsigned since, until; /* until: inclusive */
} lines[LOG_LINES_CNT] = {
	[LOG_LOAD] = {"- Load block from disk: ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_SANITY] = {"- Sanity checks: ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_FORK] = {"- Fork checks: ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_VERIFY] = {"- Verify ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_VERIFIED] = {" txins: ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_UNDO] = {"- Write undo data: ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_INDEX] = {"- Index writing: ", RELEASE_FIRST, RELEASE_FIRST},
	[LOG_TIP] = {"UpdateTip: new best=", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_CACHE] = {" cache=", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_SIZE] = {"Cache size (", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_EXCEEDS] = {"exceeds total space", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_FLUSH_BEGINS] = {"write block and undo data to disk started", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_COINS] = {"write coins cache to disk", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_OLD_COINS] = {" to coin database...", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_SELECTION] = {"Coin Selection: Algorithm:", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_MISBEHAVING] = {"Misbehaving: peer=", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_CONNECTIONS] = {"Using at most ", RELEASE_FIRST, RELEASE_MASTER},
	[LOG_CONNECTED_VIA] = {"Socket connected to ", RELEASE_FIRST, RELEASE_MASTER},
};

/* The tracepoint that it concerns, the line that is missing, and what this leaves unchecked. */
static const struct {
	enum tracepoint_id tracepoint;
	enum log_line line;
	const char *unchecked;
} facts[LOG_FACTS_CNT] = {
	[LOG_FACT_DURATION] =
		{TP_VALIDATION_BLOCK_CONNECTED, LOG_SANITY,
		 "argument 6 (duration) is only checked to be above 0, and no longer than it took until the check had ended"},
	[LOG_FACT_CACHE] = {TP_UTXOCACHE_FLUSH, LOG_TIP,
			    "arguments 3 and 4 (coins, memory) are only checked to be plausible"},
	[LOG_FACT_FLUSH] = {TP_UTXOCACHE_FLUSH, LOG_COINS,
			    "the least value of argument 1 (duration) is not checked"},
	[LOG_FACT_CRITICAL] =
		{TP_UTXOCACHE_FLUSH, LOG_SIZE,
		 "argument 4 (memory) of a cache that is too large is only checked to be plausible"},
	[LOG_FACT_MISBEHAVIOUR] =
		{TP_NET_MISBEHAVING_CONNECTION, LOG_MISBEHAVING,
		 "which messages the node takes for misbehaviour is learnt from the events themselves, so one that is missing is not noticed"},
};

const char *
log_words(enum log_line line)
{
	return lines[line].words;
}

void
log_report_unknown(struct scene *scene, enum log_fact fact)
{
	const unsigned bit = 1u << fact;
	char since[16], until[16];

	if (!scene->reported || *scene->reported & bit)
		return;
	*scene->reported |= bit;
	release_name(lines[facts[fact].line].since, since);
	release_name(lines[facts[fact].line].until, until);
	expect_detail(scene->expect, facts[fact].tracepoint, UNKNOWN_WORDS "'%s...' as from %s to %s: %s",
		      lines[facts[fact].line].words, since, until, facts[fact].unchecked);
}

bool
log_is_about_unknown(const char *message)
{
	return strstr(message, UNKNOWN_WORDS) != NULL;
}

/* The history of the interface. The rows are those of master; with what changed before, listed here, the rows of each
 * release follow.
 *
 * Source: the code and doc/tracing.md of v23.0, v25.0, v27.0, v28.0rc2, v30.0rc1 and master. Where a release's document
 * and code differ, "difference" says how. */
#include "contract/contract.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes_before_31[] = {"NONE", "IF_NEEDED", "PERIODIC", "ALWAYS", NULL};

#define BEFORE(...) (&(const struct contract_arg){__VA_ARGS__})
#define SIZE_BEFORE(n, m)                                                                                    \
	BEFORE(.name = n, .type = ARG_UINT64, .code_type = ARG_UINT64, .is_size = true, .unit = "vB",        \
	       .meaning = m)
#define POSITION_BEFORE                                                                                      \
	BEFORE(.name = "change_position", .type = ARG_INT32, .code_type = ARG_INT32,                         \
	       .meaning = "position of the change output; -1 when there is none, 0 also after a failure")
#define ADDRESS_BEFORE                                                                                       \
	BEFORE(.name = "address", .type = ARG_STRING, .code_type = ARG_STRING, .identifies = true,           \
	       .max_chars = 68, .meaning = "peer address and port")
#define SIZE_CHANGE     "the virtual size is an int32; it was a uint64"
#define POSITION_CHANGE "the change position is -1 after a failure; it was 0"
#define ADDRESS_CHANGE  "the document says that addresses may be longer than 68 characters"

/* By release; of two changes of one argument, the older one comes first. */
static const struct contract_change changes[] = {
	{25, TP_VALIDATION_BLOCK_CONNECTED, 6, true,
	 "the duration is in nanoseconds; it was in microseconds, and the document said so until v29",
	 BEFORE(.name = "duration", .type = ARG_UINT64, .code_type = ARG_INT64, .unit = "us",
		.meaning = "time it took to connect the block",
		.difference = "documented as uint64; the code passes a signed 64-bit count of microseconds")},
	{25, TP_UTXOCACHE_FLUSH, 1, false,
	 "the duration is measured by a steady clock; it was measured by the system clock", NULL},
	{26, TP_MEMPOOL_ADDED, 2, true, SIZE_CHANGE, SIZE_BEFORE("vsize", "virtual size")},
	{26, TP_MEMPOOL_REMOVED, 3, true, SIZE_CHANGE, SIZE_BEFORE("vsize", "virtual size")},
	{26, TP_MEMPOOL_REPLACED, 2, true, SIZE_CHANGE, SIZE_BEFORE("replaced_vsize", "its virtual size")},
	{26, TP_MEMPOOL_REPLACED, 6, true, SIZE_CHANGE,
	 SIZE_BEFORE("replacement_vsize", "virtual size of the replacement")},
	{27, TP_COIN_SELECTION_SELECTED_COINS, 2, false, "there is a new algorithm, cg", NULL},
	{27, TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL, 4, true, POSITION_CHANGE, POSITION_BEFORE},
	{27, TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, 5, true, POSITION_CHANGE, POSITION_BEFORE},
	{28, TP_MEMPOOL_REPLACED, 0, false,
	 "it also fires for replacements by packages, with the package's first transaction as argument 5",
	 NULL},
	{29, TP_VALIDATION_BLOCK_CONNECTED, 6, false,
	 "the document says nanoseconds, which it has been since v25; the argument is signed",
	 BEFORE(.name = "duration", .type = ARG_UINT64, .code_type = ARG_UINT64, .unit = "ns",
		.meaning = "time it took to connect the block",
		.difference = "documented as microseconds; the code passes nanoseconds")},
	{29, TP_MEMPOOL_REPLACED, 5, true, "it may be a package hash; the new argument 8 says which it is",
	 BEFORE(.name = "replacement_hash", .type = ARG_HASH, .code_type = ARG_HASH, .identifies = true,
		.meaning = "id of the replacement transaction")},
	{29, TP_MEMPOOL_REPLACED, 6, false, "it is the package's total if a package replaces", NULL},
	{29, TP_MEMPOOL_REPLACED, 7, true,
	 "the fee is the modified fee, including prioritisetransaction, and the package's total if a package replaces; it was the base fee",
	 BEFORE(.name = "replacement_fee", .type = ARG_INT64, .code_type = ARG_INT64, .unit = "sat",
		.meaning = "base fee of the replacement")},
	{29, TP_NET_INBOUND_MESSAGE, 2, false, ADDRESS_CHANGE, ADDRESS_BEFORE},
	{29, TP_NET_OUTBOUND_MESSAGE, 2, false, ADDRESS_CHANGE, ADDRESS_BEFORE},
	{30, TP_UTXOCACHE_FLUSH, 1, false,
	 "the duration is measured by the node's clock, which setmocktime stops: then it is 0", NULL},
	{30, TP_UTXOCACHE_FLUSH, 2, false, "PERIODIC comes every 50 to 70 minutes; it came every 24 hours",
	 NULL},
	{30, TP_NET_MISBEHAVING_CONNECTION, 0, true, "it no longer fires for consensus-invalid transactions",
	 NULL},
	{30, TP_MEMPOOL_REJECTED, 2, true,
	 "reasons that began with mandatory- now begin with block-, and those with non-mandatory- with mempool-",
	 NULL},
	{31, TP_UTXOCACHE_FLUSH, 2, true,
	 "mode 3, ALWAYS, is now called FORCE_FLUSH; mode 4, FORCE_SYNC, is new: gettxoutsetinfo, scantxoutset and dumptxoutset use it instead of 3",
	 BEFORE(.name = "mode", .type = ARG_UINT32, .code_type = ARG_UINT32, .value_names = modes_before_31,
		.meaning = "flush state mode")},
	{31, TP_NET_OUTBOUND_CONNECTION, 3, false, "there is a new type, private-broadcast", NULL},
	{31, TP_MEMPOOL_REJECTED, 2, true,
	 "too-long-mempool-chain is gone; too-large-cluster and replacement-failed are new", NULL},
};

enum {
	CHANGES_CNT = sizeof(changes) / sizeof(changes[0]),
	RELEASES_CNT = RELEASE_MASTER - RELEASE_FIRST + 1
};

static struct contract_tracepoint past[RELEASES_CNT][TRACEPOINTS_CNT];

static void
make_past(void)
{
	for (unsigned r = 0; r < RELEASES_CNT; r++)
		for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
			struct contract_tracepoint *row = &past[r][id];

			*row = *contract_get((enum tracepoint_id)id);
			row->release = RELEASE_FIRST + r;
			while (row->args_cnt && row->args[row->args_cnt - 1].since > RELEASE_FIRST + r)
				row->args_cnt--;
		}
	/* From the latest change back: the first one after a release decides how its row was. */
	for (unsigned c = CHANGES_CNT; c-- > 0;)
		for (unsigned release = RELEASE_FIRST; changes[c].before && release < changes[c].release;
		     release++)
			past[release - RELEASE_FIRST][changes[c].id].args[changes[c].argument - 1] =
				*changes[c].before;
}

const struct contract_tracepoint *
contract_at(enum tracepoint_id id, unsigned release)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (release < contract_get(id)->since || release < RELEASE_FIRST || release > RELEASE_MASTER)
		return NULL;
	pthread_once(&once, make_past);
	return &past[release - RELEASE_FIRST][id];
}

const struct contract_change *
contract_change(size_t idx)
{
	return idx < CHANGES_CNT ? &changes[idx] : NULL;
}

bool
release_parse(const char *text, unsigned *release)
{
	unsigned long second = 0;
	char *end;

	*release = RELEASE_MASTER;
	if (!strcmp(text, "master"))
		return true;
	text += *text == 'v';
	/* Two digits: before v22 the first number was 0. */
	if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) ||
	    isdigit((unsigned char)text[2]))
		return false;
	*release = (unsigned)strtoul(text, &end, 10);
	if (*end == '.' && isdigit((unsigned char)end[1]))
		second = strtoul(end + 1, &end, 10);
	while (isalnum((unsigned char)*end) || *end == '.' || *end == '-')
		end++;
	/* The version of master is that of the last release, with 99. */
	if (second == 99)
		(*release)++;
	/* Later masters are taken for the one that is known. */
	if (second == 99 && *release > RELEASE_MASTER)
		*release = RELEASE_MASTER;
	return !*end && *release >= RELEASE_FIRST && *release <= RELEASE_MASTER;
}

const char *
release_name(unsigned release, char buf[16])
{
	snprintf(buf, 16, release == RELEASE_MASTER ? "master" : "v%u", release);
	return buf;
}

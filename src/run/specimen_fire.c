/* The specimen's process. Its tracepoints are like Bitcoin Core's: each has a semaphore, prepares its arguments only
 * while that is raised, and passes the same types. */
#define SDT_USE_VARIADIC    1
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#include "base/text.h"
#include "run/specimen_values.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TRACEPOINT_SEMAPHORE(context, event)                                                                 \
	extern unsigned short context##_##event##_semaphore;                                                 \
	unsigned short context##_##event##_semaphore __attribute__((section(".probes")))

#define TRACEPOINT(id, context, event, ...) TRACEPOINT_SEMAPHORE(context, event);
#include "contract/tracepoints.def"
#undef TRACEPOINT

/* tests/specimens/broken.c defines these to build specimens that are wrong on purpose. */
#ifndef SPECIMEN_HITS
#define SPECIMEN_HITS(id)          1       /* how often the tracepoint fires each time it should */
#define SPECIMEN_POINTER(id, n, p) (p)     /* what is passed for a pointer */
#define SPECIMEN_INT32             int32_t /* the type of int32 arguments */
#define SPECIMEN_UINT32            uint32_t
#endif

/* The semaphore is volatile because the kernel changes it. */
#define TRACEPOINT(context, event, ...)                                                                      \
	do {                                                                                                 \
		for (int hits = SPECIMEN_HITS(v->id); hits > 0; hits--)                                      \
			if (*(volatile unsigned short *)&context##_##event##_semaphore)                      \
				STAP_PROBEV(context, event, __VA_ARGS__);                                    \
	} while (0)

/* What the pointers of one tracepoint's arguments point at. */
struct values {
	enum tracepoint_id id;
	enum specimen_round round;
	char strings[SITE_ARGS_MAX][SPECIMEN_STRING_BEYOND + 1];
	uint8_t hashes[SITE_ARGS_MAX][32];
	uint8_t payload[SPECIMEN_BYTES];
	size_t payload_len;
};

static const char *
string(struct values *v, unsigned arg)
{
	specimen_string(v->id, arg, v->round, v->strings[arg]);
	return SPECIMEN_POINTER(v->id, arg, v->strings[arg]);
}

static const uint8_t *
hash(struct values *v, unsigned arg)
{
	specimen_hash(v->id, arg, v->round, v->hashes[arg]);
	return SPECIMEN_POINTER(v->id, arg, v->hashes[arg]);
}

static const uint8_t *
payload(struct values *v)
{
	return SPECIMEN_POINTER(v->id, 6, v->payload);
}

#define BEGIN(i)   v->id = i
#define I64(n)     specimen_int(v->id, n, v->round, 8)
#define I32(n)     (SPECIMEN_INT32) specimen_int(v->id, n, v->round, 4)
#define U64(n)     specimen_uint(v->id, n, v->round, 8)
#define U32(n)     (SPECIMEN_UINT32) specimen_uint(v->id, n, v->round, 4)
#define BOOLEAN(n) specimen_bool(v->id, n, v->round)
#define STRING(n)  string(v, n)
#define HASH(n)    hash(v, n)

static void
fire_round(struct values *v)
{
	BEGIN(TP_NET_INBOUND_MESSAGE);
	v->payload_len = specimen_payload(v->id, v->round, v->payload);
	TRACEPOINT(net, inbound_message, I64(1), STRING(2), STRING(3), STRING(4), v->payload_len, payload(v));
	BEGIN(TP_NET_OUTBOUND_MESSAGE);
	v->payload_len = specimen_payload(v->id, v->round, v->payload);
	TRACEPOINT(net, outbound_message, I64(1), STRING(2), STRING(3), STRING(4), v->payload_len,
		   payload(v));
	BEGIN(TP_NET_INBOUND_CONNECTION);
	TRACEPOINT(net, inbound_connection, I64(1), STRING(2), STRING(3), U32(4), U64(5));
	BEGIN(TP_NET_OUTBOUND_CONNECTION);
	TRACEPOINT(net, outbound_connection, I64(1), STRING(2), STRING(3), U32(4), U64(5));
	BEGIN(TP_NET_EVICTED_INBOUND_CONNECTION);
	TRACEPOINT(net, evicted_inbound_connection, I64(1), STRING(2), STRING(3), U32(4), I64(5));
	BEGIN(TP_NET_MISBEHAVING_CONNECTION);
	TRACEPOINT(net, misbehaving_connection, I64(1), STRING(2));
	BEGIN(TP_NET_CLOSED_CONNECTION);
	TRACEPOINT(net, closed_connection, I64(1), STRING(2), STRING(3), U32(4), I64(5));
	BEGIN(TP_VALIDATION_BLOCK_CONNECTED);
	TRACEPOINT(validation, block_connected, HASH(1), I32(2), U64(3), I32(4), I64(5), I64(6));
	BEGIN(TP_UTXOCACHE_FLUSH);
	TRACEPOINT(utxocache, flush, I64(1), U32(2), U64(3), U64(4), BOOLEAN(5));
	BEGIN(TP_UTXOCACHE_ADD);
	TRACEPOINT(utxocache, add, HASH(1), U32(2), U32(3), I64(4), BOOLEAN(5));
	BEGIN(TP_UTXOCACHE_SPENT);
	TRACEPOINT(utxocache, spent, HASH(1), U32(2), U32(3), I64(4), BOOLEAN(5));
	BEGIN(TP_UTXOCACHE_UNCACHE);
	TRACEPOINT(utxocache, uncache, HASH(1), U32(2), U32(3), I64(4), BOOLEAN(5));
	BEGIN(TP_COIN_SELECTION_SELECTED_COINS);
	TRACEPOINT(coin_selection, selected_coins, STRING(1), STRING(2), I64(3), I64(4), I64(5));
	BEGIN(TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL);
	TRACEPOINT(coin_selection, normal_create_tx_internal, STRING(1), BOOLEAN(2), I64(3), I32(4));
	BEGIN(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX);
	TRACEPOINT(coin_selection, attempting_aps_create_tx, STRING(1));
	BEGIN(TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL);
	TRACEPOINT(coin_selection, aps_create_tx_internal, STRING(1), BOOLEAN(2), BOOLEAN(3), I64(4), I32(5));
	BEGIN(TP_MEMPOOL_ADDED);
	TRACEPOINT(mempool, added, HASH(1), I32(2), I64(3));
	BEGIN(TP_MEMPOOL_REMOVED);
	TRACEPOINT(mempool, removed, HASH(1), STRING(2), I32(3), I64(4), U64(5));
	BEGIN(TP_MEMPOOL_REPLACED);
	TRACEPOINT(mempool, replaced, HASH(1), I32(2), I64(3), U64(4), HASH(5), I32(6), I64(7), BOOLEAN(8));
	BEGIN(TP_MEMPOOL_REJECTED);
	TRACEPOINT(mempool, rejected, HASH(1), STRING(2));
}

/* A second location of utxocache:add, as compilers make by inlining. */
static void
fire_burst(uint64_t from, uint64_t cnt, int64_t thread)
{
	uint8_t txid[32];

	specimen_hash(TP_UTXOCACHE_ADD, 1, SPECIMEN_TYPICAL, txid);
	for (uint64_t i = from; i < from + cnt; i++)
		if (*(volatile unsigned short *)&utxocache_add_semaphore)
			STAP_PROBEV(utxocache, add, (const uint8_t *)txid, (uint32_t)i, (uint32_t)7, thread,
				    (bool)false);
}

struct storm {
	uint64_t from, cnt;
	int64_t thread;
};

static void *
fire_storm(void *arg)
{
	const struct storm *storm = arg;

	fire_burst(storm->from, storm->cnt, storm->thread);
	return NULL;
}

/* Each in a thread of its own, all at the same time. */
static int
fire_storms(struct storm *storms, size_t cnt)
{
	pthread_t threads[SPECIMEN_STORM_THREADS];
	size_t started = 0;

	while (started < cnt && !pthread_create(&threads[started], NULL, fire_storm, &storms[started]))
		started++;
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return started == cnt ? 0 : -1;
}

static int
fire_threads(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (fire_storms(&(struct storm){i, 1, (int64_t)i}, 1))
			return -1;
	return 0;
}

static void *
fire_in_thread(void *arg)
{
	fire_round(arg);
	return NULL;
}

/* In this thread, then in another. */
static int
fire_rounds(enum specimen_round round)
{
	static struct values main_values, other_values;
	pthread_t thread;

	main_values.round = other_values.round = round;
	fire_round(&main_values);
	if (pthread_create(&thread, NULL, fire_in_thread, &other_values))
		return -1;
	return pthread_join(thread, NULL) ? -1 : 0;
}

static int
fire_storm_of_threads(uint64_t cnt)
{
	struct storm storms[SPECIMEN_STORM_THREADS];

	for (int i = 0; i < SPECIMEN_STORM_THREADS; i++)
		storms[i] = (struct storm){0, cnt, i};
	return fire_storms(storms, SPECIMEN_STORM_THREADS);
}

/* Returns an exit code: 1 when a thread could not be made, 2 for an unknown command. */
static int
obey(const char *verb, uint64_t n)
{
	if (!strcmp(verb, "round") && n < SPECIMEN_ROUNDS)
		return fire_rounds((enum specimen_round)n) ? 1 : 0;
	if (!strcmp(verb, "threads"))
		return fire_threads(n) ? 1 : 0;
	if (!strcmp(verb, "storm"))
		return fire_storm_of_threads(n) ? 1 : 0;
	if (strcmp(verb, "burst") != 0)
		return 2;
	fire_burst(0, n, 0);
	return 0;
}

int
specimen_main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		uint64_t n = 0;
		char *space = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (!space || !parse_u64(space + 1, &n))
			return 2;
		*space = '\0';
		int code = obey(line, n);
		if (code)
			return code;
		puts("done");
		fflush(stdout);
	}
	return 0;
}

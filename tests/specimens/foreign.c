/* The tracepoints of Bitcoin Core's master, with the types that its code passes, in a program without libraries, which
 * is compiled for other machines and never run. The values do not matter, but compilers should put them into registers,
 * memory and constants. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define SEMAPHORE(context, event)                                                                            \
	__extension__ unsigned short context##_##event##_semaphore __attribute__((used, section(".probes")))
#define FIRE(n, context, event, ...)                                                                         \
	do {                                                                                                 \
		if (context##_##event##_semaphore)                                                           \
			DTRACE_PROBE##n(context, event, __VA_ARGS__);                                        \
	} while (0)

SEMAPHORE(net, inbound_message);
SEMAPHORE(net, outbound_message);
SEMAPHORE(net, inbound_connection);
SEMAPHORE(net, outbound_connection);
SEMAPHORE(net, evicted_inbound_connection);
SEMAPHORE(net, misbehaving_connection);
SEMAPHORE(net, closed_connection);
SEMAPHORE(validation, block_connected);
SEMAPHORE(utxocache, flush);
SEMAPHORE(utxocache, add);
SEMAPHORE(utxocache, spent);
SEMAPHORE(utxocache, uncache);
SEMAPHORE(coin_selection, selected_coins);
SEMAPHORE(coin_selection, normal_create_tx_internal);
SEMAPHORE(coin_selection, attempting_aps_create_tx);
SEMAPHORE(coin_selection, aps_create_tx_internal);
SEMAPHORE(mempool, added);
SEMAPHORE(mempool, removed);
SEMAPHORE(mempool, replaced);
SEMAPHORE(mempool, rejected);

/* As in FormatFullVersion(), and the texts that distinguish releases. */
const char *const texts[] __attribute__((used)) = {
	"v31.99.0-unk",
	"detecting (peer could be v1 or v2)",
	"Invalid nblocks. Must be a positive number or -1.",
	"main, test, testnet4, signet, regtest",
	"mempool-script-verify-flag-failed",
	"cluster size limit exceeded",
	"Transaction needs a change address, but we can't generate it.",
};

struct peer {
	int64_t id;
	const char *address, *type, *message;
	unsigned network;
	int64_t established;
	size_t connections, size;
	unsigned char *payload;
};

struct coin {
	unsigned char txid[32];
	uint32_t vout, height;
	int64_t value;
	bool is_coinbase;
};

struct entry {
	unsigned char txid[32];
	int32_t vsize;
	int64_t fee;
	uint64_t time;
	const char *reason;
};

extern int64_t clock_now(const void *of);
extern void use(const void *what);

__attribute__((noinline)) void
net(const struct peer *peer, const struct peer *peers, size_t i)
{
	FIRE(6, net, inbound_message, peer->id, peer->address, peer->type, peer->message, peer->size,
	     peer->payload);
	use(peer);
	FIRE(6, net, outbound_message, peers[i].id, peers[i].address, peers[i].type, peers[i].message,
	     peers[i].size, peers[i].payload);
	use(peers);
	FIRE(5, net, inbound_connection, peer->id, peer->address, peer->type, peer->network,
	     peer->connections);
	use(peer);
	FIRE(5, net, outbound_connection, peer->id, peer->address, peer->type, peer->network, (size_t)1);
	use(peer);
	int64_t established = clock_now(peer);
	FIRE(5, net, evicted_inbound_connection, peer->id, peer->address, peer->type, peer->network,
	     established);
	FIRE(2, net, misbehaving_connection, (int64_t)-1, peer->message);
	use(peer);
	FIRE(5, net, closed_connection, peer->id, peer->address, peer->type, peer->network,
	     peer->established);
}

__attribute__((noinline)) void
chain(const unsigned char *hash, int32_t height, size_t transactions, int inputs, int64_t sigops,
      const struct coin *coin)
{
	int64_t duration = clock_now(hash) - clock_now(coin);

	FIRE(6, validation, block_connected, hash, height, transactions, inputs, sigops, duration);
	FIRE(5, utxocache, flush, clock_now(hash), (uint32_t)4, (uint64_t)transactions, (uint64_t)sigops,
	     (bool)(height & 1));
	FIRE(5, utxocache, add, coin->txid, coin->vout, coin->height, coin->value, coin->is_coinbase);
	use(coin);
	FIRE(5, utxocache, spent, coin->txid, coin->vout, coin->height, coin->value, (bool)true);
	use(coin);
	FIRE(5, utxocache, uncache, coin->txid, (uint32_t)0, (uint32_t)height, (int64_t)-1,
	     coin->is_coinbase);
}

__attribute__((noinline)) void
wallet(const char *name, const char *algorithm, int64_t target, int64_t waste, int64_t *fee, int32_t position)
{
	FIRE(5, coin_selection, selected_coins, name, algorithm, target, waste, *fee);
	FIRE(4, coin_selection, normal_create_tx_internal, name, (bool)(fee != NULL), *fee, position);
	use(fee);
	FIRE(1, coin_selection, attempting_aps_create_tx, name);
	FIRE(5, coin_selection, aps_create_tx_internal, name, (bool)false, (bool)(target > waste), *fee,
	     (int32_t)-1);
}

__attribute__((noinline)) void
mempool(const struct entry *entry, const struct entry *other, bool is_txid)
{
	FIRE(3, mempool, added, entry->txid, entry->vsize, entry->fee);
	use(entry);
	FIRE(5, mempool, removed, entry->txid, entry->reason, entry->vsize, entry->fee, entry->time);
	use(entry);
	FIRE(8, mempool, replaced, entry->txid, entry->vsize, entry->fee, entry->time, other->txid,
	     other->vsize, other->fee, is_txid);
	use(other);
	FIRE(2, mempool, rejected, other->txid, other->reason);
}

int64_t
clock_now(const void *of)
{
	static volatile int64_t now;

	return now + *(const volatile signed char *)of;
}

void
use(const void *what)
{
	static const void *volatile used;

	used = what;
}

void _start(void);
void
_start(void)
{
	static struct peer peers[3];
	static struct coin coin;
	static struct entry entries[2];
	static int64_t fee;

	for (size_t i = 0;; i++) {
		net(&peers[i % 3], peers, i % 3);
		chain(coin.txid, (int32_t)i, i, (int)i, (int64_t)i, &coin);
		wallet(texts[i % 2], texts[0], (int64_t)i, -(int64_t)i, &fee, (int32_t)i);
		mempool(&entries[i % 2], &entries[0], i % 2);
	}
}

#include "scene/wallets.h"

#include "base/text.h"
#include "scene/blocks.h"
#include "scene/coins.h"

#include <errno.h>

enum { PARAMS_MAX = 1 << 16 };

/* The keys of both purses, for addresses and for change. All that they guard is on our own regtest. */
#define MASTER_KEY                                                                                           \
	"tprv8ZgxMBicQKsPduh337P2rnUV2UoLF5arQ3Dz7fKw2BQZGkFbYwJUNpuoKmi7R4MHBqrPbNxXdTnsasYgaouLXoezj6d6x1qmaBwrCqpCCPK"
#define ADDRESSES        "wpkh(" MASTER_KEY "/0/*)#zw3kl2w3"
#define CHANGE           "wpkh(" MASTER_KEY "/1/*)#n65hzl7f"
#define SECOND_ADDRESSES "wpkh(" MASTER_KEY "/2/*)#f0m5vf8g"
#define SECOND_CHANGE    "wpkh(" MASTER_KEY "/3/*)#cm743uhs"

enum {
	PURSE_ADDRESSES = 9,
	SECOND_PURSE_ADDRESSES = 1,
};

/* The values are not round, so that rounding or truncation shows. The second purse's addresses are numbered after
 * the first's. */
static const struct {
	int64_t value_sat;
	unsigned address;
} purse[PURSE_COINS] = {
	[COIN_LARGE] = {6012345678, 0}, [COIN_LARGE_TWIN] = {3801234567, 0}, [COIN_FINE] = {3000007, 1},
	[COIN_FINE_TWIN] = {9001, 1},   [COIN_EQUAL_1] = {40003, 2},         [COIN_EQUAL_2] = {40003, 3},
	[COIN_EQUAL_3] = {40003, 4},    [COIN_BIG] = {1000011, 5},           [COIN_SMALL_1] = {31013, 6},
	[COIN_SMALL_2] = {33517, 7},    [COIN_SMALL_3] = {37129, 8},         [COIN_SECOND] = {2000003, 9},
	[COIN_SECOND_TWIN] = {8009, 9},
};

/* Making the purses */

static void
make_wallet(struct scene *scene, const char *name, bool avoid_reuse, const char *addresses, unsigned cnt,
	    const char *change)
{
	scene_call(scene, "createwallet", "[\"%s\", false, true, null, %s]", name,
		   avoid_reuse ? "true" : "false");
	scene_wallet_call(
		scene, name, "importdescriptors",
		"[[{\"desc\": \"%s\", \"timestamp\": \"now\", \"range\": [0, %u]}, {\"desc\": \"%s\", \"timestamp\": \"now\", \"range\": [0, 1], \"active\": true, \"internal\": true}]]",
		addresses, cnt - 1, change);
}

/* Adds "{address: amount}, " for each of the descriptor's first cnt addresses. */
static void
add_addresses(struct scene *scene, const char *descriptor, unsigned cnt, struct buf *out)
{
	const struct json *addresses =
		scene_call(scene, "deriveaddresses", "[\"%s\", [0, %u]]", descriptor, cnt - 1);

	for (size_t i = 0; i < json_cnt(addresses); i++) {
		const char *address = json_string(json_at(addresses, i));

		buf_printf(out, "%s{\"%s\": 1}", out->len ? ", " : "", address ? address : "");
	}
}

struct tx *
wallets_read_tx(struct scene *scene, const struct json *hex, const char *method)
{
	struct tx *tx = scene_tx(scene);

	if (!scene_ok(scene))
		return tx;
	if (json_string(hex))
		scene->err = tx_parse_hex(tx, json_string(hex), &scene->diag);
	else
		scene_fail(scene, -EBADMSG, "wallets: bitcoind's answer to %s has no transaction", method);
	return tx;
}

/* A transaction that pays to each address of both purses, in order: its outputs have their scripts. */
static const struct tx *
get_scripts(struct scene *scene)
{
	static const char method[] = "createrawtransaction";
	enum { SCRIPTS = PURSE_ADDRESSES + SECOND_PURSE_ADDRESSES };
	struct buf *outputs = scene_buf(scene, PARAMS_MAX);

	add_addresses(scene, ADDRESSES, PURSE_ADDRESSES, outputs);
	add_addresses(scene, SECOND_ADDRESSES, SECOND_PURSE_ADDRESSES, outputs);
	const struct json *hex = scene_call(scene, method, "[[{\"txid\": \"%064d\", \"vout\": 0}], [%s]]", 1,
					    outputs->data ? outputs->data : "");
	const struct tx *scripts = wallets_read_tx(scene, hex, method);
	if (scripts->outputs_cnt != SCRIPTS)
		scene_fail(scene, -EBADMSG, "wallets: bitcoind's %s gave %zu outputs, not %d", method,
			   scripts->outputs_cnt, SCRIPTS);
	return scripts;
}

/* Adds the coins of two coinbases as inputs. coins_take would mine more blocks than these need. */
static void
spend_coinbases(struct scene *scene, struct tx *tx)
{
	uint32_t *next = &scene->coins->next_height;
	struct chain_tip tip = {.height = 0};

	if (!scene_ok(scene))
		return;
	scene->err = chain_tip(scene->node, scene->deadline, &tip, &scene->diag);
	*next = *next ? *next : 1;
	uint32_t least = *next + 1 + COINBASE_MATURITY - 1;
	if (tip.height < least)
		blocks_mine(scene, least - tip.height);
	for (int i = 0; i < 2 && scene_ok(scene); i++) {
		struct chain_coin coin = {.idx = 0};

		scene->err = chain_coinbase(scene->node, scene->deadline, (*next)++, &coin, &scene->diag);
		blocks_spend(tx, &coin);
	}
}

static void
fund(struct scene *scene)
{
	const struct tx *scripts = get_scripts(scene);
	struct tx *tx = scene_tx(scene);

	spend_coinbases(scene, tx);
	struct block *block = blocks_begin(scene, 0);
	if (!scene_ok(scene))
		return;
	for (int i = 0; i < PURSE_COINS; i++) {
		const struct tx_bytes *script = &scripts->outputs[purse[i].address].script;

		tx_add_output(tx, purse[i].value_sat, script->data, script->len);
	}
	block_add_tx(block, tx);
	blocks_submit(scene, block);
	for (uint32_t i = 0; i < PURSE_COINS; i++)
		scene->wallets->coins[i] = blocks_coin_of(tx, i);
}

void
wallets_make(struct scene *scene)
{
	struct wallet_pool *wallets = scene->wallets;

	if (wallets->made)
		return;
	make_wallet(scene, PURSE_NAME, false, ADDRESSES, PURSE_ADDRESSES, CHANGE);
	make_wallet(scene, SECOND_PURSE_NAME, true, SECOND_ADDRESSES, SECOND_PURSE_ADDRESSES, SECOND_CHANGE);
	fund(scene);
	wallets->made = scene_ok(scene);
	wallets->offered = ~COINS_SECOND & (COIN_BIT(PURSE_COINS) - 1);
}

static const char *const wallet_args[] = {
	"-unsafesqlitesync=1", /* no waiting for the disk */
	"-keypool=1",
	"-walletbroadcast=0", /* the mempool stays empty */
	"-consolidatefeerate=0.0001",
	"-discardfee=0.00012",
	"-maxapsfee=0.00002",
	"-maxtxfee=50",
	/* Today's defaults. */
	"-addresstype=bech32",
	"-changetype=bech32",
	"-spendzeroconfchange=1",
	"-txconfirmtarget=6",
	NULL,
};

static void
warm(struct scene *scene)
{
	wallets_make(scene);
	/* A bitcoind without the wallet: the scenarios that need it will be skipped. */
	if (scene->err == -EREMOTEIO && node_rpc_code(scene->node) == NODE_RPC_NO_METHOD)
		scene->err = 0;
}

const struct profile profile_wallet = {
	.name = "wallet", .cost_ms = 300, .args = wallet_args, .tip = COINBASE_MATURITY + 1, .warm = warm};

void
wallets_borrow(struct scene *scene, const struct chain_coin *coin)
{
	*scene->wallets = (struct wallet_pool){.made = true, .coins = {[COIN_LARGE] = *coin}};
}

void
wallets_give_back(struct scene *scene)
{
	*scene->wallets = (struct wallet_pool){.made = false};
}

/* Offering coins */

void
wallets_write_coins(const struct scene *scene, unsigned which, unsigned weight, struct buf *out)
{
	bool first = true;

	for (int i = 0; i < PURSE_COINS; i++) {
		const struct chain_coin *coin = &scene->wallets->coins[i];
		char txid[65];

		if (!(which & COIN_BIT(i)))
			continue;
		format_hash(coin->txid_wire, txid);
		buf_printf(out, "%s{\"txid\": \"%s\", \"vout\": %u", first ? "" : ", ", txid, coin->idx);
		if (weight)
			buf_printf(out, ", \"weight\": %u", weight);
		buf_puts(out, "}");
		first = false;
	}
}

static void
set_locks(struct scene *scene, unsigned which, bool lock)
{
	if (!which)
		return;
	struct buf *coins = scene_buf(scene, PARAMS_MAX);
	wallets_write_coins(scene, which, 0, coins);
	scene_wallet_call(scene, PURSE_NAME, "lockunspent", "[%s, [%s]]", lock ? "false" : "true",
			  coins->data);
}

void
wallets_offer(struct scene *scene, unsigned which)
{
	unsigned *offered = &scene->wallets->offered;

	set_locks(scene, *offered & ~which, true);
	set_locks(scene, which & ~*offered, false);
	/* A scenario that is skipped has locked nothing. */
	if (scene_ok(scene))
		*offered = which;
}

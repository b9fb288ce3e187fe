#include "scene/snapshot.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scene/payload.h"
#include "scene/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_FILE "snapshot.dat"

enum {
	GENESIS_TIME = 1296688602,
	OLD_VERSION = 4, /* VERSIONBITS_LAST_OLD_BLOCK_VERSION */
	HEADERS_MAX = 2000,
};

const struct profile profile_bare = {
	.name = "bare",
	.cost_ms = 110,
	.args =
		(const char *const[]){
			/* The block at SNAPSHOT_HEIGHT. */
			"-assumevalid=385901ccbd69dff6bbd00065d01fb8a9e464dede7cfe0372443884f9b1dcf6b9",
			NULL,
		},
	.listen = true,
	.no_blocks = true,
};

struct chain {
	struct block blocks[SNAPSHOT_HEADERS];
};

static void
fini_chain(void *kept)
{
	struct chain *chain = kept;

	for (size_t i = 0; i < SNAPSHOT_HEADERS; i++)
		block_fini(&chain->blocks[i]);
}

/* CreateBlockChain in src/test/util/mining.cpp. */
static void
make_coinbase(struct block *block)
{
	struct tx *coinbase = &block->txs[0];
	struct buf script;

	buf_init(&script, 16);
	script_add_number(&script, block->draft.height);
	script_add_op(&script, SCRIPT_OP_0);
	tx_set_script_sig(&coinbase->inputs[0], script.data, script.len);
	buf_fini(&script);
	coinbase->inputs[0].sequence = TX_SEQUENCE_FINAL - 1;
	coinbase->lock_time = block->draft.height - 1;
	block_add_output(block, block_regtest_subsidy_sat(block->draft.height), script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
}

struct block *
snapshot_chain(struct scene *scene)
{
	struct chain *chain = scene_keep(scene, sizeof(*chain), fini_chain);
	struct block_draft draft = chain_first_draft(GENESIS_TIME + 1);

	draft.version = OLD_VERSION;
	for (size_t i = 0; i < SNAPSHOT_HEADERS; i++) {
		struct block *block = &chain->blocks[i];

		block_init(block, &draft);
		make_coinbase(block);
		blocks_finish(scene, block);
		draft = blocks_next_draft(block);
	}
	return chain->blocks;
}

void
snapshot_send_headers(struct scene *scene, const struct block *chain)
{
	struct peer *peer = peers_new(scene, 1);

	peer_join(scene, peer, NULL, NULL);
	for (size_t sent = 0; sent < SNAPSHOT_HEADERS; sent += HEADERS_MAX) {
		size_t cnt = SNAPSHOT_HEADERS - sent < HEADERS_MAX ? SNAPSHOT_HEADERS - sent : HEADERS_MAX;
		struct buf *payload = payload_new(scene);

		tx_add_compact_size(payload, cnt);
		for (size_t i = 0; i < cnt; i++)
			payload_add_header(payload, &chain[sent + i]);
		peer_send_buf(scene, peer, "headers", payload);
	}
	peer_sync(scene, peer);
	peers_leave(scene, peer, 1);
}

void
snapshot_submit(struct scene *scene, const struct block *chain, uint32_t from, uint32_t to)
{
	for (uint32_t height = from; scene_ok(scene) && height <= to; height++) {
		scene->err =
			chain_submit(scene->node, scene->deadline, &chain[height - 1], NULL, &scene->diag);
		scene_prefix(scene, "the block at height %" PRIu32, height);
	}
}

/* VARINT in src/serialize.h. */
static void
add_varint(struct buf *out, uint64_t n)
{
	uint8_t bytes[10];
	int cnt = 0;

	bytes[cnt++] = n & 0x7f;
	while (n > 0x7f) {
		n = (n >> 7) - 1;
		bytes[cnt++] = 0x80 | (n & 0x7f);
	}
	while (cnt--)
		buf_putc(out, (char)bytes[cnt]);
}

/* CompressAmount in src/compressor.cpp. */
static uint64_t
compress_amount(uint64_t sat)
{
	uint64_t exponent = 0;

	if (!sat)
		return 0;
	for (; sat % 10 == 0 && exponent < 9; sat /= 10)
		exponent++;
	return exponent < 9 ? 1 + ((sat / 10) * 9 + sat % 10 - 1) * 10 + exponent : 1 + (sat - 1) * 10 + 9;
}

/* Output 0 of the coinbase: transaction, number of coins, position, Coin. */
static void
add_coin(struct buf *out, const struct block *block)
{
	const struct tx_output *output = &block->txs[0].outputs[0];
	uint8_t txid_wire[32];

	tx_txid(&block->txs[0], txid_wire);
	buf_add(out, txid_wire, 32);
	tx_add_compact_size(out, 1);
	tx_add_compact_size(out, 0);
	add_varint(out, 2 * (uint64_t)block->draft.height + 1);
	add_varint(out, compress_amount((uint64_t)output->value_sat));
	add_varint(out, output->script.len + 6);
	buf_add(out, output->script.data, output->script.len);
}

/* Version 2 of the format (src/node/utxo_snapshot.h). */
static void
write_file(struct scene *scene, const struct block *chain)
{
	static const uint8_t head[] = {'u', 't', 'x', 'o', 0xff, 2, 0, 0xfa, 0xbf, 0xb5, 0xda};
	struct buf *file = scene_buf(scene, 1 << 20);

	buf_add(file, head, sizeof(head));
	buf_add(file, chain[SNAPSHOT_HEIGHT - 1].hash_wire, 32);
	payload_add_le(file, SNAPSHOT_HEIGHT, 8);
	for (int i = 0; i < SNAPSHOT_HEIGHT; i++)
		add_coin(file, &chain[i]);
	if (scene_ok(scene))
		scene->err = node_write_file(scene->node, SNAPSHOT_FILE, file->data, file->len, &scene->diag);
}

void
snapshot_load(struct scene *scene, const struct block *chain)
{
	char *path = xasprintf("%s/" SNAPSHOT_FILE, node_datadir(scene->node)), *quoted = json_quote(path);

	write_file(scene, chain);
	if (!scene_call_succeeds(scene, "loadtxoutset", "[%s]", quoted) && scene_ok(scene)) {
		const char *message = node_rpc_message(scene->node);

		/* Releases differ in the snapshot that they know. */
		if (strstr(message, "not recognized") || strstr(message, "Bad snapshot content hash"))
			scene_skip(
				scene,
				"this bitcoind does not know the snapshot of regtest that earlier ones know: %s",
				message);
		else
			scene_fail(scene, -EREMOTEIO, "loadtxoutset refused tpcheck's snapshot: %s", message);
	}
	free(path);
	free(quoted);
}

#include "node/block.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/hash.h"
#include "node/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t commitment_tag[4] = {0xaa, 0x21, 0xa9, 0xed}; /* BIP141 */

enum {
	COMMITMENT_SZ = sizeof(commitment_tag) + 32,
	PUSH_SZ = 2, /* OP_RETURN and the length */
	NONCE_OFFSET = 76,
};

void
block_init(struct block *block, const struct block_draft *draft)
{
	static const uint8_t null_txid[32];
	struct buf script;
	uint8_t extra[4];

	*block = (struct block){.draft = *draft, .txs = xcalloc(1, sizeof(*block->txs)), .txs_cnt = 1};
	if (!block->draft.version)
		block->draft.version = BLOCK_VERSION;
	tx_init(&block->txs[0]);
	struct tx_input *input = tx_add_input(&block->txs[0], null_txid, UINT32_MAX, TX_SEQUENCE_FINAL);

	/* The height as consensus requires it (BIP34), then a push, which makes the script long enough (two bytes) even
	 * at heights up to 16. */
	for (int i = 0; i < 4; i++)
		extra[i] = (uint8_t)(draft->extra_nonce >> 8 * i);
	buf_init(&script, 100);
	script_add_number(&script, draft->height);
	script_add_push(&script, extra, sizeof(extra));
	tx_set_script_sig(input, script.data, script.len);
	buf_fini(&script);
}

void
block_fini(struct block *block)
{
	for (size_t i = 0; i < block->txs_cnt; i++)
		tx_fini(&block->txs[i]);
	free(block->txs);
	*block = (struct block){0};
}

void
block_add_output(struct block *block, int64_t value_sat, const void *script, size_t len)
{
	tx_add_output(&block->txs[0], value_sat, script, len);
}

void
block_add_tx(struct block *block, const struct tx *tx)
{
	block->txs = xreallocarray(block->txs, block->txs_cnt + 1, sizeof(*block->txs));
	tx_copy(&block->txs[block->txs_cnt++], tx);
}

void
block_merkle_root(uint8_t (*hashes_wire)[32], size_t cnt, uint8_t root_wire[32])
{
	uint8_t pair[64];

	for (; cnt > 1; cnt = (cnt + 1) / 2) {
		for (size_t i = 0; i < cnt; i += 2) {
			memcpy(pair, hashes_wire[i], 32);
			memcpy(pair + 32, hashes_wire[i + 1 < cnt ? i + 1 : i],
			       32); /* the last one of an odd number is paired with itself */
			hash_sha256d(pair, sizeof(pair), hashes_wire[i / 2]);
		}
	}
	memcpy(root_wire, hashes_wire[0], 32);
}

static void
txs_root(const struct block *block, bool witness, uint8_t root_wire[32])
{
	uint8_t(*hashes)[32] = xcalloc(block->txs_cnt, sizeof(*hashes));

	for (size_t i = 0; i < block->txs_cnt; i++) {
		if (!witness)
			tx_txid(&block->txs[i], hashes[i]);
		else if (i > 0) /* BIP141: the coinbase's is zero */
			tx_wtxid(&block->txs[i], hashes[i]);
	}
	block_merkle_root(hashes, block->txs_cnt, root_wire);
	free(hashes);
}

static bool
has_commitment(const struct tx *coinbase)
{
	for (size_t i = 0; i < coinbase->outputs_cnt; i++) {
		const struct tx_bytes *script = &coinbase->outputs[i].script;

		if (script->len >= PUSH_SZ + COMMITMENT_SZ && script->data[0] == SCRIPT_OP_RETURN &&
		    script->data[1] == COMMITMENT_SZ &&
		    !memcmp(script->data + PUSH_SZ, commitment_tag, sizeof(commitment_tag)))
			return true;
	}
	return false;
}

static void
add_commitment(struct block *block)
{
	struct tx *coinbase = &block->txs[0];
	uint8_t root_and_reserved[64] = {0}, commitment[COMMITMENT_SZ];
	struct buf script;
	bool needed = false;

	for (size_t i = 1; i < block->txs_cnt; i++)
		needed = needed || tx_has_witness(&block->txs[i]);
	if (!needed || has_commitment(coinbase))
		return;
	txs_root(block, true, root_and_reserved);
	memcpy(commitment, commitment_tag, sizeof(commitment_tag));
	hash_sha256d(root_and_reserved, sizeof(root_and_reserved), commitment + sizeof(commitment_tag));
	buf_init(&script, PUSH_SZ + COMMITMENT_SZ);
	script_add_op_return(&script, commitment, sizeof(commitment));
	tx_add_output(coinbase, 0, script.data, script.len);
	buf_fini(&script);
	if (!tx_has_witness(coinbase))
		tx_add_witness(&coinbase->inputs[0], root_and_reserved + 32, 32);
}

bool
block_target(uint32_t bits, uint8_t target_wire[32])
{
	uint32_t mantissa = bits & 0x7fffff, size = bits >> 24;

	memset(target_wire, 0, 32);
	if (bits & 0x800000 || !mantissa)
		return false;
	/* mantissa * 256^(size - 3) */
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t byte = (uint8_t)(mantissa >> 8 * i);

		if (size + i >= 3 && size + i < 3 + 32)
			target_wire[size + i - 3] = byte;
		else if (size + i >= 3 && byte)
			return false;
	}
	for (int i = 0; i < 32; i++)
		if (target_wire[i])
			return true;
	return false;
}

bool
block_hash_meets(const uint8_t hash_wire[32], const uint8_t target_wire[32])
{
	for (int i = 31; i >= 0; i--)
		if (hash_wire[i] != target_wire[i])
			return hash_wire[i] < target_wire[i];
	return true;
}

static void
put_u32(uint8_t *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> 8 * i);
}

void
block_format_header(const struct block *block, uint8_t header[BLOCK_HEADER_SZ])
{
	const struct block_draft *draft = &block->draft;

	put_u32(header, (uint32_t)draft->version);
	memcpy(header + 4, draft->prev_hash_wire, 32);
	memcpy(header + 36, block->merkle_root_wire, 32);
	put_u32(header + 68, draft->time);
	put_u32(header + 72, draft->bits);
	put_u32(header + NONCE_OFFSET, block->nonce);
}

int
block_finish(struct block *block, struct diag *diag)
{
	uint8_t target_wire[32], header[BLOCK_HEADER_SZ];

	if (!block_target(block->draft.bits, target_wire))
		return diag_fail(diag, -EINVAL, "block: failed to find a nonce: bits %08x are not a target",
				 block->draft.bits);
	add_commitment(block);
	txs_root(block, false, block->merkle_root_wire);
	block_format_header(block, header);
	for (uint32_t nonce = 0; nonce < BLOCK_TRIES_MAX; nonce++) {
		put_u32(header + NONCE_OFFSET, nonce);
		hash_sha256d(header, sizeof(header), block->hash_wire);
		if (block_hash_meets(block->hash_wire, target_wire)) {
			block->nonce = nonce;
			return 0;
		}
	}
	return diag_fail(diag, -ERANGE, "block: failed to find a nonce for bits %08x among the first %d",
			 block->draft.bits, BLOCK_TRIES_MAX);
}

bool
block_serialize(const struct block *block, struct buf *out)
{
	uint8_t header[BLOCK_HEADER_SZ];

	block_format_header(block, header);
	bool ok = buf_add(out, header, sizeof(header)) && tx_add_compact_size(out, block->txs_cnt);
	for (size_t i = 0; ok && i < block->txs_cnt; i++)
		ok = tx_serialize(&block->txs[i], true, out);
	return ok;
}

char *
block_hex(const struct block *block)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	block_serialize(block, &out);
	char *hex = xmalloc(2 * out.len + 1);
	format_hex((const uint8_t *)out.data, out.len, hex);
	buf_fini(&out);
	return hex;
}

int64_t
block_regtest_subsidy_sat(uint32_t height)
{
	uint32_t halvings = height / 150;

	return halvings >= 64 ? 0 : 5000000000 >> halvings;
}

#include "node/chain.h"

#include "base/text.h"
#include "base/xmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK_RECORD_MAX = 4000000 };

static bool
read_u32(const struct json *object, const char *key, uint32_t *out)
{
	uint64_t n;

	*out = 0;
	if (!json_u64(json_get(object, key), &n) || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
read_hash(const struct json *object, const char *key, uint8_t hash_wire[32])
{
	const char *hex = json_string(json_get(object, key));

	return hex && parse_hash(hex, hash_wire);
}

static bool
read_bits(const struct json *object, uint32_t *bits)
{
	const char *hex = json_string(json_get(object, "bits"));
	uint8_t bytes[4];

	*bits = 0;
	if (!hex || !parse_hex(hex, bytes, sizeof(bytes)))
		return false;
	*bits = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	return true;
}

static int
fail_answer(struct diag *diag, const char *method)
{
	return diag_fail(diag, -EBADMSG,
			 "chain: failed to read the answer to '%s': something is missing in it", method);
}

int
chain_tip(struct node *node, struct deadline deadline, struct chain_tip *tip, struct diag *diag)
{
	struct json *hash = NULL, *header = NULL;

	*tip = (struct chain_tip){0};
	int err = node_call(node, deadline, &hash, diag, "getbestblockhash", "[]");
	if (err)
		goto out;
	const char *hash_hex = json_string(hash);
	err = node_call(node, deadline, &header, diag, "getblockheader", "[\"%s\"]",
			hash_hex ? hash_hex : "");
	if (err)
		goto out;
	if (!read_hash(header, "hash", tip->hash_wire) || !read_u32(header, "height", &tip->height) ||
	    !read_u32(header, "time", &tip->time) || !read_u32(header, "mediantime", &tip->median_time) ||
	    !read_bits(header, &tip->bits))
		err = fail_answer(diag, "getblockheader");
out:
	json_free(hash);
	json_free(header);
	return err;
}

int
chain_draft(struct node *node, struct deadline deadline, struct block_draft *draft, struct diag *diag)
{
	struct chain_tip tip;
	int err = chain_tip(node, deadline, &tip, diag);

	*draft = (struct block_draft){.version = BLOCK_VERSION};
	if (err)
		return err;
	time_t now = time(NULL);
	memcpy(draft->prev_hash_wire, tip.hash_wire, 32);
	draft->height = tip.height + 1;
	draft->time = now > tip.median_time ? (uint32_t)now : tip.median_time + 1;
	draft->bits = tip.bits;
	return 0;
}

struct block_draft
chain_first_draft(uint32_t time)
{
	/* Of the genesis block. */
	static const uint8_t hash_wire[32] = {0x06, 0x22, 0x6e, 0x46, 0x11, 0x1a, 0x0b, 0x59,
					      0xca, 0xaf, 0x12, 0x60, 0x43, 0xeb, 0x5b, 0xbf,
					      0x28, 0xc3, 0x4f, 0x3a, 0x5e, 0x33, 0x2a, 0x1f,
					      0xc7, 0xb2, 0xb7, 0x3c, 0xf1, 0x88, 0x91, 0x0f};
	struct block_draft draft = {.height = 1, .time = time, .bits = 0x207fffff, .version = BLOCK_VERSION};

	memcpy(draft.prev_hash_wire, hash_wire, sizeof(hash_wire));
	return draft;
}

bool
chain_add_record(const struct block *block, struct buf *out)
{
	uint8_t head[8] = {0xfa, 0xbf, 0xb5, 0xda};
	struct buf bytes;

	buf_init(&bytes, BLOCK_RECORD_MAX);
	bool ok = block_serialize(block, &bytes);
	for (int i = 0; i < 4; i++)
		head[4 + i] = (uint8_t)(bytes.len >> 8 * i);
	ok = ok && buf_add(out, head, sizeof(head)) && buf_add(out, bytes.data, bytes.len);
	buf_fini(&bytes);
	return ok;
}

int
chain_submit(struct node *node, struct deadline deadline, const struct block *block, char **reason,
	     struct diag *diag)
{
	struct json *result = NULL;
	char *hex = block_hex(block);

	if (reason)
		*reason = NULL;
	int err = node_call(node, deadline, &result, diag, "submitblock", "[\"%s\"]", hex);
	free(hex);
	if (!err && !json_is_null(result)) {
		const char *text = json_string(result);

		if (!text)
			err = fail_answer(diag, "submitblock");
		else if (reason)
			*reason = xstrdup(text);
		else
			err = diag_fail(diag, -EREMOTEIO,
					"chain: failed to submit the block of height %u: %s",
					block->draft.height, text);
	}
	json_free(result);
	return err;
}

int
chain_generate(struct node *node, struct deadline deadline, unsigned cnt, const void *script, size_t len,
	       struct diag *diag)
{
	char *hex = xmalloc(2 * len + 1);

	format_hex(script, len, hex);
	int err =
		node_call(node, deadline, NULL, diag, "generatetodescriptor", "[%u, \"raw(%s)\"]", cnt, hex);
	free(hex);
	return err;
}

int
chain_coinbase(struct node *node, struct deadline deadline, uint32_t height, struct chain_coin *coin,
	       struct diag *diag)
{
	struct json *hash = NULL, *block = NULL;

	*coin = (struct chain_coin){.height = height};
	int err = node_call(node, deadline, &hash, diag, "getblockhash", "[%u]", height);
	if (err)
		goto out;
	const char *hash_hex = json_string(hash);
	err = node_call(node, deadline, &block, diag, "getblock", "[\"%s\", 2]", hash_hex ? hash_hex : "");
	if (err)
		goto out;
	const struct json *tx = json_at(json_get(block, "tx"), 0);
	if (!read_hash(tx, "txid", coin->txid_wire) ||
	    !json_sat(json_get(json_at(json_get(tx, "vout"), 0), "value"), &coin->value_sat))
		err = fail_answer(diag, "getblock");
out:
	json_free(hash);
	json_free(block);
	return err;
}

int
chain_send(struct node *node, struct deadline deadline, const struct tx *tx, struct diag *diag)
{
	struct json *result = NULL;
	uint8_t txid_wire[32];
	char *hex = tx_hex(tx), want[65];

	int err = node_call(node, deadline, &result, diag, "sendrawtransaction", "[\"%s\", 0]", hex);
	free(hex);
	tx_txid(tx, txid_wire);
	format_hash(txid_wire, want);
	const char *got = json_string(result);
	if (!err && (!got || strcmp(want, got)))
		err = diag_fail(diag, -EBADMSG,
				"chain: failed to send transaction %s: bitcoind gives it the txid %s", want,
				got ? got : "nothing");
	json_free(result);
	return err;
}

#include "scene/pool.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/xmem.h"
#include "node/hash.h"
#include "node/script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEX_MAX = 8 << 20,
	SMALL_SAT = 20000, /* of the outputs but the last, which differ by their position */
	MULTISIG_KEYS = 3,
};

void
pool_clean(struct scene *scene)
{
	struct pool *pool = scene->state;

	for (size_t i = 0; i < pool->txs_cnt; i++) {
		tx_fini(&pool->txs[i]->tx);
		free(pool->txs[i]);
	}
	free(pool->txs);
	block_fini(&pool->block);
}

/* Making them */

struct pool_tx *
pool_new(struct scene *scene, const char *name)
{
	struct pool *pool = scene->state;
	struct pool_tx *ptx = xcalloc(1, sizeof(*ptx));

	pool->txs = xreallocarray(pool->txs, pool->txs_cnt + 1, sizeof(struct pool_tx *));
	pool->txs[pool->txs_cnt++] = ptx;
	ptx->name = name;
	tx_init(&ptx->tx);
	return ptx;
}

void
pool_spend(struct pool_tx *ptx, const struct chain_coin *coin)
{
	tx_spend(&ptx->tx, coin);
	ptx->inputs_sat += coin->value_sat;
}

/* Without what prioritisetransaction put on it. */
static int64_t
find_fee(const struct pool_tx *ptx)
{
	int64_t fee_sat = ptx->inputs_sat;

	for (size_t i = 0; i < ptx->tx.outputs_cnt; i++)
		fee_sat -= ptx->tx.outputs[i].value_sat;
	return fee_sat;
}

void
pool_pay(struct pool_tx *ptx, unsigned outputs, int64_t fee_sat)
{
	for (unsigned i = 1; i < outputs; i++)
		tx_pay(&ptx->tx, SMALL_SAT + (int64_t)i);
	tx_pay(&ptx->tx, find_fee(ptx) - fee_sat);
}

int
pool_make(struct scene *scene, struct pool_tx **ptx, const char *name, unsigned coins, unsigned outputs,
	  int64_t fee_sat, struct diag *diag)
{
	int code = 0;

	*ptx = pool_new(scene, name);
	for (unsigned i = 0; i < coins && !code; i++) {
		struct chain_coin coin;

		code = blocks_take_small_coin(scene, &coin, diag);
		if (!code)
			pool_spend(*ptx, &coin);
	}
	if (!code)
		pool_pay(*ptx, outputs, fee_sat);
	return code;
}

struct pool_tx *
pool_child(struct scene *scene, const char *name, const struct pool_tx *parent, uint32_t idx,
	   unsigned outputs, int64_t fee_sat)
{
	struct pool_tx *ptx = pool_new(scene, name);
	struct chain_coin coin = tx_coin(&parent->tx, idx);

	pool_spend(ptx, &coin);
	pool_pay(ptx, outputs, fee_sat);
	return ptx;
}

struct pool_tx *
pool_rival(struct scene *scene, const char *name, struct pool_tx *const *others, size_t cnt, unsigned outputs,
	   int64_t fee_sat)
{
	struct pool_tx *ptx = pool_new(scene, name);

	for (size_t i = 0; i < cnt; i++) {
		const struct tx_input *input = &others[i]->tx.inputs[0];
		struct chain_coin coin = {.idx = input->prev_idx, .value_sat = others[i]->inputs_sat};

		memcpy(coin.txid_wire, input->prev_txid_wire, 32);
		pool_spend(ptx, &coin);
	}
	pool_pay(ptx, outputs, fee_sat);
	return ptx;
}

static void
move_value(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat, const struct buf *script)
{
	ptx->tx.outputs[from_idx].value_sat -= value_sat;
	tx_add_output(&ptx->tx, value_sat, script->data, script->len);
}

/* The hash is RIPEMD-160 of SHA-256 of script_op_true. */
void
pool_add_bare(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat)
{
	static const uint8_t p2sh[] = {SCRIPT_OP_HASH160,
				       20,
				       0xda,
				       0x17,
				       0x45,
				       0xe9,
				       0xb5,
				       0x49,
				       0xbd,
				       0x0b,
				       0xfa,
				       0x1a,
				       0x56,
				       0x99,
				       0x71,
				       0xc7,
				       0x7e,
				       0xba,
				       0x30,
				       0xcd,
				       0x5a,
				       0x4b,
				       0x87};
	struct buf script = {.data = (char *)p2sh, .len = sizeof(p2sh)};

	move_value(ptx, from_idx, value_sat, &script);
}

void
pool_spend_bare(struct pool_tx *ptx, const struct chain_coin *coin)
{
	struct tx_input *input = tx_add_input(&ptx->tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);

	tx_set_script_sig(input, "\x01\x51", 2);
	ptx->inputs_sat += coin->value_sat;
}

void
pool_add_multisig(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat)
{
	uint8_t keys[MULTISIG_KEYS][33];
	struct buf script;

	for (int i = 0; i < MULTISIG_KEYS; i++) {
		memset(keys[i], 0x11 * (i + 1), sizeof(keys[i]));
		keys[i][0] = 0x02;
	}
	buf_init(&script, 1 << 10);
	script_add_multisig(&script, 1, (const uint8_t(*)[33])keys, MULTISIG_KEYS);
	move_value(ptx, from_idx, value_sat, &script);
	buf_fini(&script);
	ptx->sigops_cost += POOL_MULTISIG_SIGOPS;
}

bool
pool_may_child_pay(const struct scene *scene)
{
	int version = node_version(scene->node);

	return version < 260000 || version >= 280000;
}

void
pool_let_child_pay(const struct scene *scene, struct pool_tx *parent, struct pool_tx *child)
{
	if (node_version(scene->node) < 280000)
		return;
	parent->tx.version = child->tx.version = 3;
	tx_txid(&parent->tx, child->tx.inputs[0].prev_txid_wire);
}

void
pool_set_witness(struct pool_tx *ptx, const void *item, size_t len)
{
	struct tx_input *input = &ptx->tx.inputs[0];

	for (size_t i = 0; i < input->witness_cnt; i++)
		free(input->witness[i].data);
	free(input->witness);
	input->witness = NULL;
	input->witness_cnt = 0;
	tx_add_witness(input, item, len);
}

/* Using the node */

int
pool_set_time(struct scene *scene, uint64_t time, struct diag *diag)
{
	struct pool *pool = scene->state;

	pool->now = time;
	return node_call(scene->node, scene->deadline, NULL, diag, "setmocktime", "[%" PRIu64 "]", time);
}

int
pool_prioritise(struct scene *scene, struct pool_tx *ptx, int64_t delta_sat, struct diag *diag)
{
	uint8_t txid_wire[32];
	char txid_hex[65];

	tx_txid(&ptx->tx, txid_wire);
	format_hash(txid_wire, txid_hex);
	ptx->delta_sat += delta_sat;
	return node_call(scene->node, scene->deadline, NULL, diag, "prioritisetransaction",
			 "[\"%s\", 0, %" PRId64 "]", txid_hex, delta_sat);
}

int
pool_send(struct scene *scene, struct pool_tx *ptx, struct diag *diag)
{
	ptx->entry_time = ((struct pool *)scene->state)->now;
	int code = chain_send(scene->node, scene->deadline, &ptx->tx, diag);
	return code ? diag_prefix(diag, code, "%s", ptx->name) : 0;
}

int
pool_send_at(struct scene *scene, struct pool_tx *ptx, uint64_t time, struct diag *diag)
{
	int code = pool_set_time(scene, time, diag);

	return code ? code : pool_send(scene, ptx, diag);
}

/* RPC tells "reason, what else there is to say", and no reason has a comma in it. */
static void
set_reason(struct pool_tx *ptx, const char *text)
{
	const char *end = strstr(text, ", ");

	snprintf(ptx->reason, sizeof(ptx->reason), "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
}

int
pool_send_refused(struct scene *scene, struct pool_tx *ptx, struct diag *diag)
{
	char *hex = tx_hex(&ptx->tx);
	int code =
		node_call(scene->node, scene->deadline, NULL, diag, "sendrawtransaction", "[\"%s\", 0]", hex);

	free(hex);
	if (!code)
		return diag_fail(diag, -EBADMSG, "sendrawtransaction took %s, which it had to refuse",
				 ptx->name);
	if (code == -EREMOTEIO)
		set_reason(ptx, node_rpc_message(scene->node));
	return code == -EREMOTEIO ? 0 : code;
}

/* "\"...\", \"...\"": all of them as hex; the caller's to free. */
static char *
hex_list(struct pool_tx *const *ptxs, size_t cnt)
{
	struct buf list;

	buf_init(&list, HEX_MAX);
	for (size_t i = 0; i < cnt; i++) {
		char *hex = tx_hex(&ptxs[i]->tx);

		buf_printf(&list, "%s\"%s\"", i ? ", " : "", hex);
		free(hex);
	}
	return buf_take(&list);
}

int
pool_submit_package(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted,
		    struct diag *diag)
{
	struct json *answer = NULL;
	char *hexes = hex_list(ptxs, cnt);
	int code = node_call(scene->node, scene->deadline, &answer, diag, "submitpackage", "[[%s]]", hexes);
	const char *message = json_string(json_get(answer, "package_msg"));

	for (size_t i = 0; i < cnt; i++)
		ptxs[i]->entry_time = ((struct pool *)scene->state)->now;
	/* Up to v25 there is no message, and a refusal is an error. */
	if (code == -EREMOTEIO && !accepted)
		code = 0;
	else if (!code && (!message || !strcmp(message, "success")) != accepted)
		code = diag_fail(diag, -EBADMSG, "submitpackage of %s and more: want %s, got '%s'",
				 ptxs[0]->name, accepted ? "'success'" : "a refusal",
				 message ? message : "no message");
	free(hexes);
	json_free(answer);
	return code;
}

int
pool_try(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted, struct diag *diag)
{
	struct json *answer = NULL;
	char *hexes = hex_list(ptxs, cnt);
	int code = node_call(scene->node, scene->deadline, &answer, diag, "testmempoolaccept", "[[%s], 0]",
			     hexes);

	for (size_t i = 0; i < cnt && !code; i++) {
		const struct json *result = json_at(answer, i);
		const char *reason = json_string(json_get(result, "reject-reason"));
		bool allowed = false;

		if (json_bool(json_get(result, "allowed"), &allowed) && allowed != accepted)
			code = diag_fail(diag, -EBADMSG, "testmempoolaccept of %s: want it %s, got '%s'",
					 ptxs[i]->name, accepted ? "allowed" : "refused",
					 reason ? reason : "no reason");
		if (reason)
			set_reason(ptxs[i], reason);
	}
	free(hexes);
	json_free(answer);
	return code;
}

int
pool_mine(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, char hash_hex[65], struct diag *diag)
{
	struct json *answer = NULL;
	char *hexes = hex_list(ptxs, cnt), script_hex[2 * SCRIPT_P2WSH_SZ + 1];

	format_hex(script_p2wsh_op_true, SCRIPT_P2WSH_SZ, script_hex);
	int code = node_call(scene->node, scene->deadline, &answer, diag, "generateblock",
			     "[\"raw(%s)\", [%s]]", script_hex, hexes);
	const char *got = json_string(json_get(answer, "hash"));
	if (!code && (!got || strlen(got) != 64))
		code = diag_fail(diag, -EBADMSG, "generateblock does not tell the block's hash");
	if (!code && hash_hex)
		memcpy(hash_hex, got, 65);
	free(hexes);
	json_free(answer);
	return code;
}

int
pool_clear(struct scene *scene, struct diag *diag)
{
	struct pool *pool = scene->state;
	int code = pool->now ? pool_set_time(scene, 0, diag) : 0;

	return code ? code : blocks_mine(scene, 1, diag);
}

/* What must come */

static int
compare_ids(const void *left, const void *right)
{
	uint8_t ids_wire[2][32];

	tx_txid(&(*(struct pool_tx *const *)left)->tx, ids_wire[0]);
	tx_txid(&(*(struct pool_tx *const *)right)->tx, ids_wire[1]);
	return memcmp(ids_wire[0], ids_wire[1], 32);
}

void
pool_sort(struct pool_tx **ptxs, size_t cnt)
{
	qsort(ptxs, cnt, sizeof(*ptxs), compare_ids);
}

static void
want_txid(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	uint8_t txid_wire[32];

	tx_txid(&ptx->tx, txid_wire);
	expect_source(scene->expect, "%s as it was sent: its id without witness", ptx->name);
	want_hash(e, argument, txid_wire);
}

/* adjusted says whether it is that of its signature operations. */
static int64_t
find_vsize(const struct pool_tx *ptx, bool *adjusted)
{
	int64_t weight = (int64_t)tx_weight(&ptx->tx), least = ptx->sigops_cost * POOL_SIGOP_WEIGHT;

	*adjusted = least > weight;
	return ((*adjusted ? least : weight) + 3) / 4;
}

/* That signature operations make a transaction larger is Bitcoin Core's policy; the document does not tell. */
static void
want_vsize(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	bool adjusted;
	int64_t vsize = find_vsize(ptx, &adjusted);

	expect_source(scene->expect, "%s as it was sent: %s", ptx->name,
		      adjusted ? "its size for its signature operations" : "a quarter of its weight");
	want_int(e, argument, vsize);
	if (adjusted)
		want_kind(e, FINDING_DETAIL);
}

/* The document does not tell whether what prioritisetransaction put on a fee is in it. */
static void
want_fee(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	expect_source(scene->expect, "%s as it was sent: its inputs less its outputs%s", ptx->name,
		      ptx->delta_sat ? ", without what prioritisetransaction put on it" : "");
	want_int(e, argument, find_fee(ptx));
	if (ptx->delta_sat)
		want_kind(e, FINDING_DETAIL);
}

static void
want_entry_time(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	expect_source(scene->expect, "the node's clock when %s was sent", ptx->name);
	want_uint(e, argument, ptx->entry_time);
}

void
expect_added(struct scene *scene, const struct pool_tx *ptx)
{
	expect_source(scene->expect, "%s as it was sent", ptx->name);
	struct expected *e = expect_event(scene->expect, TP_MEMPOOL_ADDED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	want_vsize(scene, e, "vsize", ptx);
	want_fee(scene, e, "fee", ptx);
}

void
expect_removed(struct scene *scene, const struct pool_tx *ptx, const char *reason)
{
	expect_source(scene->expect, "%s as it was sent", ptx->name);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REMOVED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	want_vsize(scene, e, "vsize", ptx);
	want_fee(scene, e, "fee", ptx);
	want_entry_time(scene, e, "entry_time", ptx);
	expect_source(scene->expect, "the reason that Bitcoin Core gives to this cause");
	want_string(e, "reason", reason);
}

/* Sorted as numbers, which the display order's digits are. */
static int
compare_hashes(const void *left, const void *right)
{
	const uint8_t *l = left, *r = right;

	for (int i = 31; i >= 0; i--)
		if (l[i] != r[i])
			return l[i] < r[i] ? -1 : 1;
	return 0;
}

static void
hash_package(struct pool_tx *const *ptxs, size_t cnt, uint8_t hash_wire[32])
{
	uint8_t(*wtxids_wire)[32] = xcalloc(cnt, sizeof(*wtxids_wire));

	for (size_t i = 0; i < cnt; i++)
		tx_wtxid(&ptxs[i]->tx, wtxids_wire[i]);
	qsort(wtxids_wire, cnt, sizeof(*wtxids_wire), compare_hashes);
	hash_sha256(wtxids_wire, cnt * sizeof(*wtxids_wire), hash_wire);
	free(wtxids_wire);
}

void
expect_replaced(struct scene *scene, const struct pool_tx *old, struct pool_tx *const *by, size_t by_cnt)
{
	/* Up to v28 what prioritisetransaction put on the fee was not in it. */
	bool modified = node_version(scene->node) >= 290000, adjusted = false, prioritised = false;
	int64_t vsize = 0, fee_sat = 0;

	expect_source(scene->expect, "%s and what took its place, as they were sent", old->name);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REPLACED, FINDING_CONTRACT, "%s", old->name);

	want_txid(scene, e, "replaced_txid", old);
	want_vsize(scene, e, "replaced_vsize", old);
	want_fee(scene, e, "replaced_fee", old);
	want_entry_time(scene, e, "replaced_entry_time", old);
	for (size_t i = 0; i < by_cnt; i++) {
		bool this_one;

		vsize += find_vsize(by[i], &this_one);
		adjusted |= this_one;
		fee_sat += find_fee(by[i]) + (modified ? by[i]->delta_sat : 0);
		prioritised |= by[i]->delta_sat != 0;
	}
	if (by_cnt == 1) {
		want_txid(scene, e, "replacement_hash", by[0]);
	} else {
		uint8_t hash_wire[32];

		hash_package(by, by_cnt, hash_wire);
		expect_source(scene->expect, "the package as it was sent: SHA-256 of its sorted wtxids");
		want_hash(e, "replacement_hash", hash_wire);
	}
	expect_source(scene->expect, "%s as sent: virtual size", by_cnt == 1 ? by[0]->name : "the package");
	want_int(e, "replacement_vsize", vsize);
	if (adjusted)
		want_kind(e, FINDING_DETAIL);
	expect_source(scene->expect, "%s as sent: inputs less outputs%s",
		      by_cnt == 1 ? by[0]->name : "the package",
		      prioritised && modified ? ", and what prioritisetransaction put on it" : "");
	want_int(e, "replacement_fee", fee_sat);
	if (prioritised)
		want_kind(e, FINDING_DETAIL);
	expect_source(scene->expect, "whether one transaction replaces, or a package");
	want_bool(e, "is_txid", by_cnt == 1);
}

void
expect_rejected(struct scene *scene, const struct pool_tx *ptx, const char *known)
{
	bool told = ptx->reason[0], agreed = told && (!known || !strcmp(known, ptx->reason));

	if (told)
		expect_source(scene->expect, "RPC, which refused %s for '%s'", ptx->name, ptx->reason);
	else
		expect_source(scene->expect, "the transaction as it was sent");
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REJECTED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	if (agreed)
		expect_source(scene->expect, "the reason that RPC gave");
	else if (told)
		expect_source(scene->expect, "the reason of all releases so far; RPC gave '%s'", ptx->reason);
	else
		expect_source(scene->expect, "the reason of all releases so far");
	want_string(e, "reason", agreed ? ptx->reason : known);
	if (!agreed)
		want_kind(e, FINDING_DETAIL);
}

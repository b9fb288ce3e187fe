#include "scene/pool.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/xmem.h"
#include "node/hash.h"
#include "node/script.h"
#include "scene/abilities.h"
#include "scene/coins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEX_MAX = 8 << 20,
	SMALL_SAT = 20000, /* of all outputs but the last; they differ by their position */
	MULTISIG_KEYS = 3,
};

/* Making transactions */

static void
fini_pool_tx(void *kept)
{
	struct pool_tx *ptx = kept;

	tx_fini(&ptx->tx);
}

struct pool_tx *
pool_new(struct scene *scene, const char *name)
{
	struct pool_tx *ptx = scene_keep(scene, sizeof(*ptx), fini_pool_tx);

	ptx->name = name;
	tx_init(&ptx->tx);
	return ptx;
}

void
pool_spend(struct pool_tx *ptx, const struct chain_coin *coin)
{
	blocks_spend(&ptx->tx, coin);
	ptx->inputs_sat += coin->value_sat;
}

/* Without what prioritisetransaction added. */
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
		blocks_pay(&ptx->tx, SMALL_SAT + (int64_t)i);
	blocks_pay(&ptx->tx, find_fee(ptx) - fee_sat);
}

struct pool_tx *
pool_make(struct scene *scene, const char *name, unsigned coins, unsigned outputs, int64_t fee_sat)
{
	struct pool_tx *ptx = pool_new(scene, name);

	for (unsigned i = 0; i < coins; i++) {
		struct chain_coin coin = coins_take_small(scene);

		pool_spend(ptx, &coin);
	}
	pool_pay(ptx, outputs, fee_sat);
	return ptx;
}

struct pool_tx *
pool_spender(struct scene *scene, const char *name, struct chain_coin coin, unsigned outputs, int64_t fee_sat)
{
	struct pool_tx *ptx = pool_new(scene, name);

	pool_spend(ptx, &coin);
	pool_pay(ptx, outputs, fee_sat);
	return ptx;
}

struct pool_tx *
pool_child(struct scene *scene, const char *name, const struct pool_tx *parent, uint32_t idx,
	   unsigned outputs, int64_t fee_sat)
{
	return pool_spender(scene, name, blocks_coin_of(&parent->tx, idx), outputs, fee_sat);
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
move_value(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat, const void *script, size_t len)
{
	ptx->tx.outputs[from_idx].value_sat -= value_sat;
	tx_add_output(&ptx->tx, value_sat, script, len);
}

/* P2SH: OP_HASH160, RIPEMD-160 of SHA-256 of script_op_true, OP_EQUAL. */
void
pool_add_bare(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat)
{
	static const uint8_t p2sh[] = {0xa9, 20,   0xda, 0x17, 0x45, 0xe9, 0xb5, 0x49, 0xbd, 0x0b, 0xfa, 0x1a,
				       0x56, 0x99, 0x71, 0xc7, 0x7e, 0xba, 0x30, 0xcd, 0x5a, 0x4b, 0x87};

	move_value(ptx, from_idx, value_sat, p2sh, sizeof(p2sh));
}

void
pool_spend_bare(struct pool_tx *ptx, const struct chain_coin *coin)
{
	struct tx_input *input = tx_add_input(&ptx->tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);

	tx_set_script_sig(input, "\x01\x51", 2); /* pushes script_op_true */
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
	move_value(ptx, from_idx, value_sat, script.data, script.len);
	buf_fini(&script);
	ptx->sigops_cost += POOL_MULTISIG_SIGOPS;
}

void
pool_let_child_pay(const struct scene *scene, struct pool_tx *parent, struct pool_tx *child)
{
	if (!scene_has(scene, ABILITY_TRUC))
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

struct chain_coin
pool_coinbase(struct scene *scene, uint32_t height)
{
	struct chain_coin coin = {.height = 0};

	if (scene_ok(scene))
		scene->err = chain_coinbase(scene->node, scene->deadline, height, &coin, &scene->diag);
	return scene->err ? (struct chain_coin){.height = 0} : coin;
}

/* Using the node */

void
pool_prioritise(struct scene *scene, struct pool_tx *ptx, int64_t delta_sat)
{
	uint8_t txid_wire[32];
	char txid_hex[65];

	tx_txid(&ptx->tx, txid_wire);
	format_hash(txid_wire, txid_hex);
	ptx->delta_sat += delta_sat;
	scene_call(scene, "prioritisetransaction", "[\"%s\", 0, %" PRId64 "]", txid_hex, delta_sat);
}

static void
note_entry_time(const struct scene *scene, struct pool_tx *ptx)
{
	ptx->entry_time = (uint64_t)scene->node_time;
}

void
pool_send(struct scene *scene, struct pool_tx *ptx)
{
	note_entry_time(scene, ptx);
	if (!scene_ok(scene))
		return;
	scene->err = chain_send(scene->node, scene->deadline, &ptx->tx, &scene->diag);
	scene_prefix(scene, "%s", ptx->name);
}

void
pool_send_at(struct scene *scene, struct pool_tx *ptx, uint64_t time)
{
	scene_set_time(scene, (int64_t)time);
	pool_send(scene, ptx);
}

/* RPC answers "reason, details", and no reason has a comma in it. If pool_foresee has learnt the reason alone, that is
 * taken, whatever else is in the text. */
static void
set_reason(struct pool_tx *ptx, const char *text)
{
	if (ptx->foreseen[0] && strstr(text, ptx->foreseen)) {
		memcpy(ptx->reason, ptx->foreseen, sizeof(ptx->reason));
		return;
	}
	const char *end = strstr(text, ", ");

	snprintf(ptx->reason, sizeof(ptx->reason), "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
}

/* "\"...\", \"...\"": all of them in hex, one at least. The scene's. */
static const char *
hex_list(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt)
{
	struct buf *list = scene_buf(scene, HEX_MAX);

	for (size_t i = 0; i < cnt; i++) {
		char *hex = tx_hex(&ptxs[i]->tx);

		buf_printf(list, "%s\"%s\"", i ? ", " : "", hex);
		free(hex);
	}
	return list->data;
}

void
pool_foresee(struct scene *scene, struct pool_tx *ptx)
{
	const struct json *answer =
		scene_call(scene, "testmempoolaccept", "[[%s], 0]", hex_list(scene, &ptx, 1));
	const char *reason = json_string(json_get(json_at(answer, 0), "reject-reason"));

	if (reason)
		snprintf(ptx->foreseen, sizeof(ptx->foreseen), "%s", reason);
}

void
pool_send_refused(struct scene *scene, struct pool_tx *ptx)
{
	char *hex = tx_hex(&ptx->tx);

	note_entry_time(scene, ptx);
	if (scene_call_succeeds(scene, "sendrawtransaction", "[\"%s\", 0]", hex))
		scene_fail(scene, -EBADMSG, "pool: sendrawtransaction accepted %s, which it must reject",
			   ptx->name);
	else if (scene_ok(scene))
		set_reason(ptx, node_rpc_message(scene->node));
	free(hex);
}

void
pool_submit_package(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted)
{
	struct json *answer = NULL;

	for (size_t i = 0; i < cnt; i++)
		note_entry_time(scene, ptxs[i]);
	if (!scene_ok(scene))
		return;
	/* Up to v25 a rejection is an error, and success has no message. */
	int err = node_call(scene->node, scene->deadline, &answer, &scene->diag, "submitpackage", "[[%s]]",
			    hex_list(scene, ptxs, cnt));
	const char *message = json_string(json_get(answer, "package_msg"));
	const bool success = !err && (!message || !strcmp(message, "success"));
	scene->err = err == -EREMOTEIO && !accepted ? 0 : err;
	if (success != accepted)
		scene_fail(scene, -EBADMSG, "pool: submitpackage of %s and others: want %s, got '%s'",
			   ptxs[0]->name, accepted ? "'success'" : "a rejection",
			   message ? message : "no message");
	json_free(answer);
}

void
pool_try(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted)
{
	const struct json *answer =
		scene_call(scene, "testmempoolaccept", "[[%s], 0]", hex_list(scene, ptxs, cnt));

	const char *any = NULL; /* reason why the package is rejected */

	for (size_t i = 0; i < cnt && !any; i++) {
		const struct json *result = json_at(answer, i);

		any = json_string(json_get(result, "reject-reason"));
		any = any ? any : json_string(json_get(result, "package-error"));
	}
	for (size_t i = 0; i < cnt; i++) {
		const struct json *result = json_at(answer, i);
		const char *reason = json_string(json_get(result, "reject-reason"));
		bool allowed; /* absent for some transactions of a rejected package */

		json_bool(json_get(result, "allowed"), &allowed);
		if (allowed != accepted)
			scene_fail(scene, -EBADMSG, "pool: testmempoolaccept of %s: want it %s, got '%s'",
				   ptxs[i]->name, accepted ? "allowed" : "rejected", any ? any : "no reason");
		if (reason)
			set_reason(ptxs[i], reason);
	}
}

void
pool_mine(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, char hash_hex[65])
{
	uint8_t hash_wire[32] = {0};
	char script_hex[2 * SCRIPT_P2WSH_SZ + 1];

	format_hex(script_p2wsh_op_true, SCRIPT_P2WSH_SZ, script_hex);
	const struct json *answer = scene_call(scene, "generateblock", "[\"raw(%s)\", [%s]]", script_hex,
					       hex_list(scene, ptxs, cnt));
	const char *got = json_string(json_get(answer, "hash"));
	if (!got || !parse_hash(got, hash_wire))
		scene_fail(scene, -EBADMSG, "pool: generateblock's answer lacks the hash of the block");
	if (hash_hex)
		format_hash(hash_wire, hash_hex);
}

void
pool_clear(struct scene *scene)
{
	if (scene->node_time)
		scene_set_time(scene, 0);
	blocks_mine(scene, 1);
}

/* Expected events */

static void
want_txid(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	uint8_t txid_wire[32];

	tx_txid(&ptx->tx, txid_wire);
	expect_source(scene->expect, "%s as it was sent: its txid", ptx->name);
	want_hash(e, argument, txid_wire);
}

/* adjusted: whether its signature operations determine it. */
static int64_t
find_vsize(const struct pool_tx *ptx, bool *adjusted)
{
	int64_t weight = (int64_t)tx_weight(&ptx->tx), least = ptx->sigops_cost * POOL_SIGOP_WEIGHT;

	*adjusted = least > weight;
	return ((*adjusted ? least : weight) + 3) / 4;
}

/* That signature operations make a transaction larger is policy, and not documented. */
static void
want_vsize(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	bool adjusted;
	int64_t vsize = find_vsize(ptx, &adjusted);

	expect_source(scene->expect, "%s as it was sent: %s", ptx->name,
		      adjusted ? "its size as determined by its signature operations"
			       : "a quarter of its weight");
	want_int(e, argument, vsize);
	if (adjusted)
		want_kind(e, FINDING_DETAIL);
}

/* Whether a fee includes what prioritisetransaction added is not documented. */
static void
want_fee(struct scene *scene, struct expected *e, const char *argument, const struct pool_tx *ptx)
{
	expect_source(scene->expect, "%s as it was sent: its inputs less its outputs%s", ptx->name,
		      ptx->delta_sat ? ", without what prioritisetransaction added" : "");
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
pool_expect_added(struct scene *scene, const struct pool_tx *ptx)
{
	expect_source(scene->expect, "%s as it was sent", ptx->name);
	struct expected *e = expect_event(scene->expect, TP_MEMPOOL_ADDED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	want_vsize(scene, e, "vsize", ptx);
	want_fee(scene, e, "fee", ptx);
}

void
pool_expect_removed(struct scene *scene, const struct pool_tx *ptx, const char *reason)
{
	expect_source(scene->expect, "%s as it was sent", ptx->name);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REMOVED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	want_vsize(scene, e, "vsize", ptx);
	want_fee(scene, e, "fee", ptx);
	want_entry_time(scene, e, "entry_time", ptx);
	expect_source(scene->expect, "the reason that Bitcoin Core gives for this cause");
	want_string(e, "reason", reason);
}

static int
compare_ids(const void *left, const void *right)
{
	uint8_t ids_wire[2][32];

	tx_txid(&(*(struct pool_tx *const *)left)->tx, ids_wire[0]);
	tx_txid(&(*(struct pool_tx *const *)right)->tx, ids_wire[1]);
	return memcmp(ids_wire[0], ids_wire[1], 32);
}

/* A copy of the array in the order in which they go when they go together; the caller's to free. */
static struct pool_tx **
sort(struct pool_tx *const *ptxs, size_t cnt)
{
	struct pool_tx **sorted = xcalloc(cnt, sizeof(*sorted));

	memcpy(sorted, ptxs, cnt * sizeof(*sorted));
	qsort(sorted, cnt, sizeof(*sorted), compare_ids);
	return sorted;
}

void
pool_expect_all_removed(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, const char *reason)
{
	struct pool_tx **sorted = sort(ptxs, cnt);

	for (size_t i = 0; i < cnt; i++)
		pool_expect_removed(scene, sorted[i], reason);
	free(sorted);
}

int
pool_compare_hashes(const void *left_wire, const void *right_wire)
{
	const uint8_t *l = left_wire, *r = right_wire;

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
	qsort(wtxids_wire, cnt, sizeof(*wtxids_wire), pool_compare_hashes);
	hash_sha256(wtxids_wire, cnt * sizeof(*wtxids_wire), hash_wire);
	free(wtxids_wire);
}

/* The arguments about what replaces, a transaction or a package. */
static void
want_replacement(struct scene *scene, struct expected *e, struct pool_tx *const *by, size_t by_cnt)
{
	/* Up to v28 the fee does not include what prioritisetransaction added. */
	const bool modified = scene_has(scene, ABILITY_REPLACED_PACKAGES), is_txid = by_cnt == 1;
	const char *name = is_txid ? by[0]->name : "the package";
	bool adjusted = false, prioritised = false;
	int64_t vsize = 0, fee_sat = 0;

	for (size_t i = 0; i < by_cnt; i++) {
		bool this_one;

		vsize += find_vsize(by[i], &this_one);
		adjusted |= this_one;
		fee_sat += find_fee(by[i]) + (modified ? by[i]->delta_sat : 0);
		prioritised |= by[i]->delta_sat != 0;
	}
	if (is_txid) {
		want_txid(scene, e, "replacement_hash", by[0]);
	} else {
		uint8_t hash_wire[32];

		hash_package(by, by_cnt, hash_wire);
		expect_source(scene->expect, "the package as it was sent: SHA-256 of its sorted wtxids");
		want_hash(e, "replacement_hash", hash_wire);
	}
	expect_source(scene->expect, "%s as it was sent: virtual size", name);
	want_int(e, "replacement_vsize", vsize);
	if (adjusted)
		want_kind(e, FINDING_DETAIL);
	expect_source(scene->expect, "%s as it was sent: inputs less outputs%s", name,
		      prioritised && modified ? ", and what prioritisetransaction added" : "");
	want_int(e, "replacement_fee", fee_sat);
	if (prioritised)
		want_kind(e, FINDING_DETAIL);
	expect_source(scene->expect, "whether a transaction or a package replaces it");
	want_bool(e, "is_txid", is_txid);
}

static void
expect_replaced(struct scene *scene, const struct pool_tx *old, struct pool_tx *const *by, size_t by_cnt)
{
	expect_source(scene->expect, "%s and its replacement as they were sent", old->name);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REPLACED, FINDING_CONTRACT, "%s", old->name);

	want_txid(scene, e, "replaced_txid", old);
	want_vsize(scene, e, "replaced_vsize", old);
	want_fee(scene, e, "replaced_fee", old);
	want_entry_time(scene, e, "replaced_entry_time", old);
	want_replacement(scene, e, by, by_cnt);
}

void
pool_expect_replacement(struct scene *scene, struct pool_tx *const *old, size_t old_cnt,
			struct pool_tx *const *by, size_t by_cnt)
{
	struct pool_tx **sorted = sort(old, old_cnt);

	for (size_t i = 0; i < old_cnt; i++)
		expect_replaced(scene, sorted[i], by, by_cnt);
	for (size_t i = 0; i < old_cnt; i++)
		pool_expect_removed(scene, sorted[i], "replaced");
	for (size_t i = 0; i < by_cnt; i++)
		pool_expect_added(scene, by[i]);
	free(sorted);
}

void
pool_expect_rejected(struct scene *scene, const struct pool_tx *ptx, const char *known)
{
	const bool has_reason = ptx->reason[0];
	const bool agreed = has_reason && (!known || !strcmp(known, ptx->reason));

	if (!has_reason && !known)
		scene_fail(scene, -EBADMSG, "pool: RPC gave no reason for rejecting %s", ptx->name);
	if (has_reason)
		expect_source(scene->expect, "RPC, which rejected %s with '%s'", ptx->name, ptx->reason);
	else
		expect_source(scene->expect, "%s as it was sent", ptx->name);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_REJECTED, FINDING_CONTRACT, "%s", ptx->name);

	want_txid(scene, e, "txid", ptx);
	if (agreed)
		expect_source(scene->expect, "the reason that RPC gave");
	else if (has_reason)
		expect_source(scene->expect, "the reason in all releases so far; RPC gave '%s'", ptx->reason);
	else
		expect_source(scene->expect, "the reason in all releases so far");
	want_string(e, "reason", agreed || !known ? ptx->reason : known);
	if (!agreed)
		want_kind(e, FINDING_DETAIL);
}

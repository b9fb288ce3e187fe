#include "base/text.h"
#include "node/block.h"
#include "node/hash.h"
#include "node/script.h"
#include "node/tx.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_hash(const uint8_t got_wire[32], const char *want_hex)
{
	char got_hex[65];

	format_hash(got_wire, got_hex);
	assert_string_equal(got_hex, want_hex);
}

static void
assert_hex(const void *data, size_t len, const char *want_hex)
{
	char *got_hex = malloc(2 * len + 1);

	format_hex(data, len, got_hex);
	assert_string_equal(got_hex, want_hex);
	free(got_hex);
}

static void
test_hashes(void **state)
{
	uint8_t hash[32];

	(void)state;
	hash_sha256("abc", 3, hash);
	assert_hex(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256(NULL, 0, hash);
	assert_hex(hash, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256d("hello", 5, hash);
	assert_hex(hash, 32, "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
}

static void
test_compact_size(void **state)
{
	static const struct {
		uint64_t n;
		const char *hex;
	} cases[] = {
		{0, "00"},
		{0xfc, "fc"},
		{0xfd, "fdfd00"},
		{0xffff, "fdffff"},
		{0x10000, "fe00000100"},
		{0xffffffff, "feffffffff"},
		{0x100000000, "ff0000000001000000"},
		{UINT64_MAX, "ffffffffffffffffff"},
	};
	static const char *const bad[] = {
		"", "fd", "fd00", "fdfc00", "fe0000", "feffff0000", "ff00000000000000", "ffffffffff00000000"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		uint64_t n;

		buf_init(&out, 9);
		assert_true(tx_add_compact_size(&out, cases[i].n));
		assert_hex(out.data, out.len, cases[i].hex);
		const uint8_t *data = (const uint8_t *)out.data, *end = data + out.len;
		assert_true(tx_read_compact_size(&data, end, &n));
		assert_true(n == cases[i].n && data == end);
		buf_fini(&out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t bytes[9];
		const uint8_t *data = bytes;
		uint64_t n;

		assert_true(parse_hex(bad[i], bytes, strlen(bad[i]) / 2));
		assert_false(tx_read_compact_size(&data, bytes + strlen(bad[i]) / 2, &n));
		assert_ptr_equal(data, bytes);
	}
}

static void
test_scripts(void **state)
{
	uint8_t bytes[20], hash[32], keys[3][33];
	struct buf s;

	(void)state;
	hash_sha256(script_op_true, 1, hash);
	assert_memory_equal(script_p2wsh_op_true + 2, hash, 32);

	buf_init(&s, 200000);
	script_add_p2wsh(&s, script_op_true, 1);
	assert_int_equal(s.len, SCRIPT_P2WSH_SZ);
	assert_memory_equal(s.data, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);

	memset(bytes, 0x33, sizeof(bytes));
	buf_reset(&s);
	script_add_p2pkh(&s, bytes);
	assert_hex(s.data, s.len, "76a914333333333333333333333333333333333333333388ac");
	buf_reset(&s);
	script_add_op_return(&s, "\xde\xad", 2);
	assert_hex(s.data, s.len, "6a02dead");

	memset(keys, 2, sizeof(keys));
	buf_reset(&s);
	assert_true(script_add_multisig(&s, 2, (const uint8_t(*)[33])keys, 3));
	assert_int_equal(s.len, 3 + 3 * 34);
	assert_int_equal((uint8_t)s.data[0], 0x52);
	assert_int_equal((uint8_t)s.data[1], 33);
	assert_int_equal((uint8_t)s.data[s.len - 2], 0x53);
	assert_int_equal((uint8_t)s.data[s.len - 1], 0xae);
	assert_false(script_add_multisig(&s, 0, (const uint8_t(*)[33])keys, 3));
	assert_false(script_add_multisig(&s, 4, (const uint8_t(*)[33])keys, 3));

	buf_fini(&s);

	buf_init(&s, 3);
	assert_false(script_add_p2pkh(&s, bytes));
	buf_fini(&s);
}

static void
test_script_pushes(void **state)
{
	static const struct {
		size_t len;
		const char *head;
	} pushes[] = {{0, "00"},     {1, "01"},       {75, "4b"},        {76, "4c4c"},
		      {255, "4cff"}, {256, "4d0001"}, {65535, "4dffff"}, {65536, "4e00000100"}};
	uint8_t bytes[70000] = {0};
	struct buf s;

	(void)state;
	buf_init(&s, 200000);
	for (size_t i = 0; i < sizeof(pushes) / sizeof(pushes[0]); i++) {
		buf_reset(&s);
		assert_true(script_add_push(&s, bytes, pushes[i].len));
		assert_hex(s.data, s.len - pushes[i].len, pushes[i].head);
	}
	buf_fini(&s);
}

static void
test_script_numbers(void **state)
{
	static const struct {
		int64_t n;
		const char *hex;
	} numbers[] = {{0, "00"},
		       {-1, "4f"},
		       {1, "51"},
		       {16, "60"},
		       {17, "0111"},
		       {127, "017f"},
		       {128, "028000"},
		       {-127, "01ff"},
		       {-128, "028080"},
		       {255, "02ff00"},
		       {256, "020001"},
		       {32767, "02ff7f"},
		       {32768, "03008000"},
		       {227931, "035b7a03"},
		       {-2, "0182"},
		       {INT64_MIN, "09000000000000008080"},
		       {INT64_MAX, "08ffffffffffffff7f"}};
	struct buf s;

	(void)state;
	buf_init(&s, 200000);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		buf_reset(&s);
		assert_true(script_add_number(&s, numbers[i].n));
		assert_hex(s.data, s.len, numbers[i].hex);
	}
	buf_fini(&s);
}

/* The coinbase of the genesis blocks, and their headers. */
static void
make_genesis(struct block *block, uint32_t time, uint32_t bits, uint32_t nonce)
{
	static const char text[] = "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks";
	static const char key[] =
		"04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f";
	struct block_draft draft = {.time = time, .bits = bits, .version = 1};
	uint8_t key_bytes[65], hash[1][32];
	struct buf script;

	block_init(block, &draft);
	block->txs[0].version = 1;
	buf_init(&script, 1000);
	script_add_push(&script, "\xff\xff\x00\x1d", 4);
	script_add_push(&script, "\x04", 1);
	script_add_push(&script, text, sizeof(text) - 1);
	tx_set_script_sig(&block->txs[0].inputs[0], script.data, script.len);
	buf_reset(&script);
	assert_true(parse_hex(key, key_bytes, sizeof(key_bytes)));
	script_add_push(&script, key_bytes, sizeof(key_bytes));
	script_add_op(&script, SCRIPT_OP_CHECKSIG);
	block_add_output(block, 5000000000, script.data, script.len);
	buf_fini(&script);
	tx_txid(&block->txs[0], hash[0]);
	block_merkle_root(hash, 1, block->merkle_root_wire);
	block->nonce = nonce;
	uint8_t header[BLOCK_HEADER_SZ];
	block_format_header(block, header);
	hash_sha256d(header, sizeof(header), block->hash_wire);
}

static void
test_genesis(void **state)
{
	static const char merkle[] = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
	static const char regtest_hash[] = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
	uint8_t target[32];
	struct block block;
	struct diag diag;

	(void)state;
	make_genesis(&block, 1296688602, 0x207fffff, 2);
	assert_hash(block.merkle_root_wire, merkle);
	assert_hash(block.hash_wire, regtest_hash);
	assert_true(block_target(0x207fffff, target));
	assert_true(block_hash_meets(block.hash_wire, target));
	char *hex = block_hex(&block);
	assert_string_equal(
		hex,
		"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000");
	assert_int_equal(tx_weight(&block.txs[0]), 4 * (strlen(hex) / 2 - BLOCK_HEADER_SZ - 1));
	free(hex);
	/* A target that one hash in 256 meets, and one that no hash meets. */
	block.draft.bits = 0x2000ffff;
	assert_int_equal(block_finish(&block, &diag), 0);
	assert_hash(block.merkle_root_wire, merkle);
	assert_int_equal(block.hash_wire[31], 0);
	uint8_t header[BLOCK_HEADER_SZ], hash[32];
	block_format_header(&block, header);
	hash_sha256d(header, sizeof(header), hash);
	assert_memory_equal(hash, block.hash_wire, 32);
	block.draft.bits = 0x03000001;
	assert_int_equal(block_finish(&block, &diag), -ERANGE);
	block_fini(&block);

	make_genesis(&block, 1231006505, 0x1d00ffff, 2083236893);
	assert_hash(block.hash_wire, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
	assert_true(block_target(0x1d00ffff, target));
	assert_hash(target, "00000000ffff0000000000000000000000000000000000000000000000000000");
	assert_true(block_hash_meets(block.hash_wire, target));
	assert_true(block_hash_meets(target, target));
	block_fini(&block);
}

static void
test_target(void **state)
{
	static const struct {
		uint32_t bits;
		const char *want; /* NULL: none */
	} cases[] = {
		{0x207fffff, "7fffff0000000000000000000000000000000000000000000000000000000000"},
		{0x01123456, "0000000000000000000000000000000000000000000000000000000000000012"},
		{0x02123456, "0000000000000000000000000000000000000000000000000000000000001234"},
		{0x03123456, "0000000000000000000000000000000000000000000000000000000000123456"},
		{0x04123456, "0000000000000000000000000000000000000000000000000000000012345600"},
		{0x22000012, "1200000000000000000000000000000000000000000000000000000000000000"},
		{0x21000100, "0100000000000000000000000000000000000000000000000000000000000000"},
		{0, NULL},
		{0x00123456, NULL},
		{0x01003456, NULL},
		{0x04923456, NULL},
		{0x03000000, NULL},
		{0x22000112, NULL},
		{0x21010000, NULL},
		{0x23000001, NULL},
		{0xff123456, NULL},
	};
	struct diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t target[32];
		bool ok = block_target(cases[i].bits, target);

		if (ok != (cases[i].want != NULL))
			fail_msg("%08x", cases[i].bits);
		if (ok)
			assert_hash(target, cases[i].want);
	}
	struct block block;
	block_init(&block, &(struct block_draft){.height = 1});
	assert_int_equal(block_finish(&block, &diag), -EINVAL);
	block_fini(&block);
}

static void
test_merkle(void **state)
{
	/* Three, computed by hand: H(H(a b) H(c c)). */
	uint8_t hashes[3][32], pair[64], want[32], root[32];

	(void)state;
	for (int i = 0; i < 3; i++)
		memset(hashes[i], i + 1, 32);
	memcpy(pair, hashes[0], 64);
	hash_sha256d(pair, 64, want);
	memcpy(pair, hashes[2], 32);
	memcpy(pair + 32, hashes[2], 32);
	hash_sha256d(pair, 64, pair + 32);
	memcpy(pair, want, 32);
	hash_sha256d(pair, 64, want);
	block_merkle_root(hashes, 3, root);
	assert_memory_equal(root, want, 32);
}

static void
test_block(void **state)
{
	static const uint32_t heights[] = {1, 16, 17, 127, 128, 65536};
	static const char *const scripts[] = {"510400000000",   "600400000000",     "01110400000000",
					      "017f0400000000", "0280000400000000", "030000010400000000"};
	struct diag diag;
	struct block block;
	struct tx tx;

	(void)state;
	for (size_t i = 0; i < sizeof(heights) / sizeof(heights[0]); i++) {
		block_init(&block, &(struct block_draft){.height = heights[i], .bits = 0x207fffff});
		assert_hex(block.txs[0].inputs[0].script_sig.data, block.txs[0].inputs[0].script_sig.len,
			   scripts[i]);
		block_add_output(&block, 1, "\x51", 1);
		assert_int_equal(block_finish(&block, &diag), 0);
		assert_false(tx_has_witness(&block.txs[0]));
		assert_int_equal(block.txs[0].outputs_cnt, 1);
		block_fini(&block);
	}

	/* A commitment if it is needed, and only one. */
	block_init(&block, &(struct block_draft){.height = 5, .bits = 0x207fffff, .extra_nonce = 0x04030201});
	assert_int_equal(block.draft.version, BLOCK_VERSION);
	block_add_output(&block, 1, "\x51", 1);
	tx_init(&tx);
	tx_add_input_op_true(&tx, block.draft.prev_hash_wire, 0, TX_SEQUENCE_FINAL);
	tx_add_output(&tx, 1, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	block_add_tx(&block, &tx);
	assert_int_equal(block_finish(&block, &diag), 0);
	assert_int_equal(block_finish(&block, &diag), 0);
	assert_int_equal(block.txs[0].outputs_cnt, 2);
	assert_int_equal(block.txs[0].outputs[1].value_sat, 0);
	assert_int_equal(block.txs[0].outputs[1].script.len, 38);
	uint8_t pair[64] = {0}, want[32];
	tx_wtxid(&tx, pair + 32);
	hash_sha256d(pair, 64, pair);
	memset(pair + 32, 0, 32);
	hash_sha256d(pair, 64, want);
	assert_memory_equal(block.txs[0].outputs[1].script.data + 6, want, 32);
	assert_int_equal(block.txs[0].inputs[0].witness_cnt, 1);
	assert_int_equal(block.txs[0].inputs[0].witness[0].len, 32);
	tx_fini(&tx);
	block_fini(&block);

	assert_int_equal(block_regtest_subsidy_sat(149), 5000000000);
	assert_int_equal(block_regtest_subsidy_sat(150), 2500000000);
	assert_int_equal(block_regtest_subsidy_sat(150 * 33), 0);
	assert_int_equal(block_regtest_subsidy_sat(UINT32_MAX), 0);
}

/* The signed transaction of BIP143's first example; ids and sizes are those of bitcoind's decoderawtransaction
 * them. */
static const char bip143_hex[] =
	"01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000";

static void
test_segwit(void **state)
{
	struct diag diag = {0};
	struct tx tx, copy;
	uint8_t hash[32];

	(void)state;
	if (tx_parse_hex(&tx, bip143_hex, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(tx.version, 1);
	assert_int_equal(tx.lock_time, 17);
	assert_int_equal(tx.inputs_cnt, 2);
	assert_int_equal(tx.inputs[0].sequence, 0xffffffee);
	assert_int_equal(tx.inputs[1].prev_idx, 1);
	assert_int_equal(tx.inputs[0].witness_cnt, 0);
	assert_int_equal(tx.inputs[1].witness_cnt, 2);
	assert_int_equal(tx.outputs[0].value_sat, 112340000);
	tx_copy(&copy, &tx);
	tx_fini(&tx);
	tx_txid(&copy, hash);
	assert_hash(hash, "e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609");
	tx_wtxid(&copy, hash);
	assert_hash(hash, "c36c38370907df2324d9ce9d149d191192f338b37665a82e78e76a12c909b762");
	assert_int_equal(tx_vsize(&copy), 261);
	assert_int_equal(tx_weight(&copy), 1042);
	char *hex = tx_hex(&copy);
	assert_int_equal(strlen(hex), 2 * 343);
	assert_string_equal(hex, bip143_hex);
	free(hex);
	tx_fini(&copy);
}

static void
test_parse_bad(void **state)
{
	size_t len = strlen(bip143_hex) / 2, used;
	uint8_t *bytes = malloc(len + 1);
	struct diag diag;
	struct tx tx;

	(void)state;
	assert_true(parse_hex(bip143_hex, bytes, len));
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, bytes, n);
		assert_int_equal(tx_parse(&tx, cut, n, &used, &diag), -EBADMSG);
		tx_fini(&tx);
		free(cut);
	}
	bytes[len] = 0;
	assert_int_equal(tx_parse(&tx, bytes, len + 1, NULL, &diag), -EBADMSG);
	tx_fini(&tx);
	assert_int_equal(tx_parse(&tx, bytes, len + 1, &used, &diag), 0);
	assert_int_equal(used, len);
	tx_fini(&tx);
	/* Any byte changed: an error, or a transaction that can be serialized again. */
	for (size_t n = 0; n < len; n++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[n] ^= (uint8_t)(1u << bit);
			if (tx_parse(&tx, bytes, len, NULL, &diag) == 0) {
				struct buf out;

				buf_init(&out, TX_BYTES_MAX);
				assert_true(tx_serialize(&tx, true, &out));
				assert_int_equal(out.len, len);
				assert_memory_equal(out.data, bytes, len);
				buf_fini(&out);
			}
			tx_fini(&tx);
			bytes[n] ^= (uint8_t)(1u << bit);
		}
	}
	free(bytes);
	assert_int_equal(tx_parse_hex(&tx, "zz", &diag), -EBADMSG);
	assert_int_equal(tx_parse_hex(&tx, "0", &diag), -EBADMSG);
	assert_int_equal(tx_parse_hex(&tx, "", &diag), -EBADMSG);
	/* Lengths that lie: 2^64-1 inputs, a script of 4 GiB, an unnecessary witness. */
	assert_int_equal(tx_parse_hex(&tx, "02000000ffffffffffffffffff", &diag), -EBADMSG);
	assert_int_equal(tx_parse_hex(&tx, "020000000001ffffffffffffffffff00", &diag), -EBADMSG);
	assert_int_equal(tx_parse_hex(&tx, "020000000001000000000000", &diag), -EBADMSG);
}

static void
test_build(void **state)
{
	uint8_t prev[32], txid[32], wtxid[32], big[1000];
	struct diag diag;
	struct tx tx, again;

	(void)state;
	memset(prev, 0xab, 32);
	memset(big, 7, sizeof(big));
	tx_init(&tx);
	assert_int_equal(tx.version, 2);
	for (uint32_t i = 0; i < 300; i++)
		tx_add_input(&tx, prev, i, TX_SEQUENCE_RBF);
	for (int64_t i = 0; i < 300; i++)
		tx_add_output(&tx, i, big, (size_t)i);
	assert_false(tx_has_witness(&tx));
	tx_txid(&tx, txid);
	tx_wtxid(&tx, wtxid);
	assert_memory_equal(txid, wtxid, 32);
	char *without_witness = tx_hex(&tx);
	assert_int_equal(tx_weight(&tx), 2 * strlen(without_witness));
	free(without_witness);
	tx_add_witness(&tx.inputs[299], NULL, 0);
	for (int i = 0; i < 9; i++)
		tx_add_witness(&tx.inputs[299], big, sizeof(big));
	tx_set_script_sig(&tx.inputs[0], big, 5);
	tx_set_script_sig(&tx.inputs[0], NULL, 0);
	tx_txid(&tx, wtxid);
	assert_memory_equal(txid, wtxid, 32);
	tx_wtxid(&tx, wtxid);
	assert_memory_not_equal(txid, wtxid, 32);

	char *hex = tx_hex(&tx);
	assert_int_equal(tx_parse_hex(&again, hex, &diag), 0);
	char *hex_again = tx_hex(&again);
	assert_string_equal(hex, hex_again);
	free(hex);
	free(hex_again);
	tx_fini(&again);

	struct buf small;
	buf_init(&small, 100);
	assert_false(tx_serialize(&tx, true, &small));
	buf_fini(&small);
	tx_fini(&tx);
	tx_fini(&tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),         cmocka_unit_test(test_compact_size),
		cmocka_unit_test(test_scripts),        cmocka_unit_test(test_script_pushes),
		cmocka_unit_test(test_script_numbers), cmocka_unit_test(test_genesis),
		cmocka_unit_test(test_target),         cmocka_unit_test(test_merkle),
		cmocka_unit_test(test_block),          cmocka_unit_test(test_segwit),
		cmocka_unit_test(test_parse_bad),      cmocka_unit_test(test_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

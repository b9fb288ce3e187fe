#include "node/script.h"

#include "node/hash.h"

#include <string.h>

/* OP_0 and the SHA-256 of the byte 0x51. */
const uint8_t script_p2wsh_op_true[SCRIPT_P2WSH_SZ] = {
	0x00, 0x20, 0x4a, 0xe8, 0x15, 0x72, 0xf0, 0x6e, 0x1b, 0x88, 0xfd, 0x5c, 0xed, 0x7a, 0x1a, 0x00, 0x09,
	0x45, 0x43, 0x2e, 0x83, 0xe1, 0x55, 0x1e, 0x6f, 0x72, 0x1e, 0xe9, 0xc0, 0x0b, 0x8c, 0xc3, 0x32, 0x60,
};
const uint8_t script_op_true[1] = {SCRIPT_OP_1};

bool
script_add_op(struct buf *script, uint8_t opcode)
{
	return buf_add(script, &opcode, 1);
}

bool
script_add_push(struct buf *script, const void *data, size_t len)
{
	uint8_t head[5];
	size_t head_len = 1;

	if (len < SCRIPT_OP_PUSHDATA1) {
		head[0] = (uint8_t)len;
	} else if (len <= 0xff) {
		head[0] = SCRIPT_OP_PUSHDATA1;
		head[1] = (uint8_t)len;
		head_len = 2;
	} else {
		size_t width = len <= 0xffff ? 2 : 4;

		if (len > UINT32_MAX)
			return false;
		head[0] = width == 2 ? SCRIPT_OP_PUSHDATA2 : SCRIPT_OP_PUSHDATA4;
		for (size_t i = 0; i < width; i++)
			head[1 + i] = (uint8_t)(len >> 8 * i);
		head_len = 1 + width;
	}
	return buf_add(script, head, head_len) && buf_add(script, data, len);
}

bool
script_add_number(struct buf *script, int64_t n)
{
	uint8_t bytes[9];
	size_t len = 0;

	if (n == 0)
		return script_add_op(script, SCRIPT_OP_0);
	if (n == -1)
		return script_add_op(script, SCRIPT_OP_1NEGATE);
	if (n >= 1 && n <= 16)
		return script_add_op(script, (uint8_t)(SCRIPT_OP_1 + n - 1));

	/* Sign and magnitude, least significant byte first; the sign is the highest bit of the last byte. */
	uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	for (; magnitude; magnitude >>= 8)
		bytes[len++] = (uint8_t)magnitude;
	if (bytes[len - 1] & 0x80)
		bytes[len++] = 0;
	if (n < 0)
		bytes[len - 1] |= 0x80;
	return script_add_push(script, bytes, len);
}

bool
script_add_p2pkh(struct buf *script, const uint8_t pubkey_hash[20])
{
	return script_add_op(script, SCRIPT_OP_DUP) && script_add_op(script, SCRIPT_OP_HASH160) &&
	       script_add_push(script, pubkey_hash, 20) && script_add_op(script, SCRIPT_OP_EQUALVERIFY) &&
	       script_add_op(script, SCRIPT_OP_CHECKSIG);
}

bool
script_add_p2wsh(struct buf *script, const void *witness_script, size_t len)
{
	uint8_t hash[32];

	hash_sha256(witness_script, len, hash);
	return script_add_op(script, SCRIPT_OP_0) && script_add_push(script, hash, sizeof(hash));
}

bool
script_add_op_return(struct buf *script, const void *data, size_t len)
{
	return script_add_op(script, SCRIPT_OP_RETURN) && script_add_push(script, data, len);
}

bool
script_add_multisig(struct buf *script, unsigned required, const uint8_t (*keys)[33], unsigned keys_cnt)
{
	if (keys_cnt > 16 || required < 1 || required > keys_cnt)
		return false;
	bool ok = script_add_number(script, required);
	for (unsigned i = 0; ok && i < keys_cnt; i++)
		ok = script_add_push(script, keys[i], sizeof(keys[i]));
	return ok && script_add_number(script, keys_cnt) && script_add_op(script, SCRIPT_OP_CHECKMULTISIG);
}

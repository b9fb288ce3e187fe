/* Scripts, built up in a buffer. */
#ifndef TPCHECK_NODE_SCRIPT_H
#define TPCHECK_NODE_SCRIPT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum script_opcode {
	SCRIPT_OP_0 = 0x00,
	SCRIPT_OP_PUSHDATA1 = 0x4c,
	SCRIPT_OP_PUSHDATA2 = 0x4d,
	SCRIPT_OP_PUSHDATA4 = 0x4e,
	SCRIPT_OP_1NEGATE = 0x4f,
	SCRIPT_OP_1 = 0x51,
	SCRIPT_OP_16 = 0x60,
	SCRIPT_OP_RETURN = 0x6a,
	SCRIPT_OP_DUP = 0x76,
	SCRIPT_OP_EQUALVERIFY = 0x88,
	SCRIPT_OP_HASH160 = 0xa9,
	SCRIPT_OP_CHECKSIG = 0xac,
	SCRIPT_OP_CHECKMULTISIG = 0xae,
};

enum {
	SCRIPT_P2WSH_SZ = 34,
};

/* P2WSH of the script OP_TRUE: anyone can spend it, with script_op_true as the only witness item. Standard, so mempools
 * accept it. */
extern const uint8_t script_p2wsh_op_true[SCRIPT_P2WSH_SZ];
extern const uint8_t script_op_true[1];

/* Each of these adds to script; false when it is full (see buf.h). */
bool script_add_op(struct buf *script, uint8_t opcode);
/* Pushes bytes with the shortest length prefix (no OP_1 .. OP_16 for single bytes). */
bool script_add_push(struct buf *script, const void *data, size_t len);
/* Pushes a number as CScript << int64 does: OP_0, OP_1NEGATE, OP_1 .. OP_16, else its bytes. */
bool script_add_number(struct buf *script, int64_t n);
bool script_add_p2pkh(struct buf *script, const uint8_t pubkey_hash[20]);
/* P2WSH of a witness script. */
bool script_add_p2wsh(struct buf *script, const void *witness_script, size_t len);
/* OP_RETURN and one push. */
bool script_add_op_return(struct buf *script, const void *data, size_t len);
/* Bare multisig: required of keys_cnt public keys of 33 bytes; false unless 1 <= required <= keys_cnt <= 16. */
bool script_add_multisig(struct buf *script, unsigned required, const uint8_t (*keys)[33], unsigned keys_cnt);

#endif

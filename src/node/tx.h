/* Transactions, built without a wallet. Plain data: members may be changed between the calls. */
#ifndef TPCHECK_NODE_TX_H
#define TPCHECK_NODE_TX_H

#include "base/buf.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TX_SEQUENCE_FINAL 0xffffffffu /* neither replacement nor lock times */
#define TX_SEQUENCE_RBF   0xfffffffdu /* opts in to replacement (BIP125) */

enum {
	TX_BYTES_MAX = 32 << 20, /* longest script or witness item that is read */
};

struct tx_bytes {
	uint8_t *data; /* owned by the transaction; NULL when len is 0 */
	size_t len;
};

struct tx_input {
	uint8_t prev_txid_wire[32];
	uint32_t prev_idx; /* the output that it spends ("vout") */
	uint32_t sequence;
	struct tx_bytes script_sig;
	struct tx_bytes *witness; /* stack items, bottom first */
	size_t witness_cnt;
};

struct tx_output {
	int64_t value_sat; /* any value, even one that the node rejects */
	struct tx_bytes script;
};

struct tx {
	int32_t version;
	uint32_t lock_time;
	struct tx_input *inputs;
	size_t inputs_cnt;
	struct tx_output *outputs;
	size_t outputs_cnt;
};

/* Version 2, lock time 0, no inputs and outputs. */
void tx_init(struct tx *tx);
void tx_fini(struct tx *tx);
/* Initialises dst. */
void tx_copy(struct tx *dst, const struct tx *src);

/* These copy what they are given. Adding may move the arrays: a returned pointer is valid until the next add. */
struct tx_input *tx_add_input(struct tx *tx, const uint8_t prev_txid_wire[32], uint32_t prev_idx,
			      uint32_t sequence);
struct tx_output *tx_add_output(struct tx *tx, int64_t value_sat, const void *script, size_t len);
void tx_set_script_sig(struct tx_input *input, const void *script, size_t len);
void tx_add_witness(struct tx_input *input, const void *item, size_t len);
/* An input that spends a coin of script_p2wsh_op_true: tx_add_input with the witness script_op_true. */
struct tx_input *tx_add_input_op_true(struct tx *tx, const uint8_t prev_txid_wire[32], uint32_t prev_idx,
				      uint32_t sequence);

bool tx_has_witness(const struct tx *tx);

/* Adds the serialization, with witness (BIP144) if asked for and if there is one; false when out is full. */
bool tx_serialize(const struct tx *tx, bool with_witness, struct buf *out);
/* With witness, for sendrawtransaction; the caller's to free. */
char *tx_hex(const struct tx *tx);
/* Reads one transaction from the start of data, with or without witness, and initialises tx, even on failure. *used is
 * the number of bytes read; if used is NULL, data must end with the transaction. -EBADMSG. */
int tx_parse(struct tx *tx, const uint8_t *data, size_t len, size_t *used, struct diag *diag);
int tx_parse_hex(struct tx *tx, const char *hex, struct diag *diag);

void tx_txid(const struct tx *tx, uint8_t txid_wire[32]);
void tx_wtxid(const struct tx *tx, uint8_t wtxid_wire[32]);
size_t tx_weight(const struct tx *tx); /* weight units (BIP141) */
size_t tx_vsize(const struct tx *tx);  /* virtual bytes: weight / 4, rounded up */

/* Bitcoin's variable-length number, 1 to 9 bytes. */
bool tx_add_compact_size(struct buf *out, uint64_t n);
/* Reads one and advances *data; false, and *n is 0, when it is cut off or not in its shortest form. */
bool tx_read_compact_size(const uint8_t **data, const uint8_t *end, uint64_t *n);

#endif

#include "node/tx.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/hash.h"
#include "node/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
tx_init(struct tx *tx)
{
	*tx = (struct tx){.version = 2};
}

static void
set_bytes(struct tx_bytes *bytes, const void *data, size_t len)
{
	uint8_t *copy = NULL;

	if (len) {
		copy = xmalloc(len);
		memcpy(copy, data, len);
	}
	free(bytes->data);
	*bytes = (struct tx_bytes){copy, len};
}

void
tx_fini(struct tx *tx)
{
	for (size_t i = 0; i < tx->inputs_cnt; i++) {
		struct tx_input *input = &tx->inputs[i];

		free(input->script_sig.data);
		for (size_t j = 0; j < input->witness_cnt; j++)
			free(input->witness[j].data);
		free(input->witness);
	}
	for (size_t i = 0; i < tx->outputs_cnt; i++)
		free(tx->outputs[i].script.data);
	free(tx->inputs);
	free(tx->outputs);
	tx_init(tx);
}

void
tx_copy(struct tx *dst, const struct tx *src)
{
	tx_init(dst);
	dst->version = src->version;
	dst->lock_time = src->lock_time;
	for (size_t i = 0; i < src->inputs_cnt; i++) {
		const struct tx_input *from = &src->inputs[i];
		struct tx_input *to = tx_add_input(dst, from->prev_txid_wire, from->prev_idx, from->sequence);

		tx_set_script_sig(to, from->script_sig.data, from->script_sig.len);
		for (size_t j = 0; j < from->witness_cnt; j++)
			tx_add_witness(to, from->witness[j].data, from->witness[j].len);
	}
	for (size_t i = 0; i < src->outputs_cnt; i++)
		tx_add_output(dst, src->outputs[i].value_sat, src->outputs[i].script.data,
			      src->outputs[i].script.len);
}

/* Makes room for one more element. Arrays grow at each power of two, so their capacity need not be stored. */
static void *
grow(void *array, size_t cnt, size_t elem_sz)
{
	return cnt & (cnt - 1) ? array : xreallocarray(array, cnt ? cnt * 2 : 1, elem_sz);
}

struct tx_input *
tx_add_input(struct tx *tx, const uint8_t prev_txid_wire[32], uint32_t prev_idx, uint32_t sequence)
{
	tx->inputs = grow(tx->inputs, tx->inputs_cnt, sizeof(*tx->inputs));
	struct tx_input *input = &tx->inputs[tx->inputs_cnt++];

	*input = (struct tx_input){.prev_idx = prev_idx, .sequence = sequence};
	memcpy(input->prev_txid_wire, prev_txid_wire, 32);
	return input;
}

struct tx_output *
tx_add_output(struct tx *tx, int64_t value_sat, const void *script, size_t len)
{
	tx->outputs = grow(tx->outputs, tx->outputs_cnt, sizeof(*tx->outputs));
	struct tx_output *output = &tx->outputs[tx->outputs_cnt++];

	*output = (struct tx_output){.value_sat = value_sat};
	set_bytes(&output->script, script, len);
	return output;
}

void
tx_set_script_sig(struct tx_input *input, const void *script, size_t len)
{
	set_bytes(&input->script_sig, script, len);
}

void
tx_add_witness(struct tx_input *input, const void *item, size_t len)
{
	input->witness = grow(input->witness, input->witness_cnt, sizeof(*input->witness));
	struct tx_bytes *bytes = &input->witness[input->witness_cnt++];

	*bytes = (struct tx_bytes){0};
	set_bytes(bytes, item, len);
}

struct tx_input *
tx_add_input_op_true(struct tx *tx, const uint8_t prev_txid_wire[32], uint32_t prev_idx, uint32_t sequence)
{
	struct tx_input *input = tx_add_input(tx, prev_txid_wire, prev_idx, sequence);

	tx_add_witness(input, script_op_true, sizeof(script_op_true));
	return input;
}

bool
tx_has_witness(const struct tx *tx)
{
	for (size_t i = 0; i < tx->inputs_cnt; i++)
		if (tx->inputs[i].witness_cnt)
			return true;
	return false;
}

/* Writing: everything is little-endian. */

static bool
add_uint(struct buf *out, uint64_t n, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(n >> 8 * i);
	return buf_add(out, bytes, width);
}

bool
tx_add_compact_size(struct buf *out, uint64_t n)
{
	if (n < 0xfd)
		return add_uint(out, n, 1);
	if (n <= 0xffff)
		return add_uint(out, 0xfd, 1) && add_uint(out, n, 2);
	if (n <= 0xffffffff)
		return add_uint(out, 0xfe, 1) && add_uint(out, n, 4);
	return add_uint(out, 0xff, 1) && add_uint(out, n, 8);
}

static bool
add_bytes(struct buf *out, const struct tx_bytes *bytes)
{
	return tx_add_compact_size(out, bytes->len) && buf_add(out, bytes->data, bytes->len);
}

bool
tx_serialize(const struct tx *tx, bool with_witness, struct buf *out)
{
	static const uint8_t marker_flag[2] = {0, 1};

	with_witness = with_witness && tx_has_witness(tx);
	bool ok = add_uint(out, (uint32_t)tx->version, 4);
	if (with_witness)
		ok = ok && buf_add(out, marker_flag, sizeof(marker_flag));
	ok = ok && tx_add_compact_size(out, tx->inputs_cnt);
	for (size_t i = 0; ok && i < tx->inputs_cnt; i++) {
		const struct tx_input *input = &tx->inputs[i];

		ok = buf_add(out, input->prev_txid_wire, 32) && add_uint(out, input->prev_idx, 4) &&
		     add_bytes(out, &input->script_sig) && add_uint(out, input->sequence, 4);
	}
	ok = ok && tx_add_compact_size(out, tx->outputs_cnt);
	for (size_t i = 0; ok && i < tx->outputs_cnt; i++)
		ok = add_uint(out, (uint64_t)tx->outputs[i].value_sat, 8) &&
		     add_bytes(out, &tx->outputs[i].script);
	for (size_t i = 0; ok && with_witness && i < tx->inputs_cnt; i++) {
		const struct tx_input *input = &tx->inputs[i];

		ok = tx_add_compact_size(out, input->witness_cnt);
		for (size_t j = 0; ok && j < input->witness_cnt; j++)
			ok = add_bytes(out, &input->witness[j]);
	}
	return ok && add_uint(out, tx->lock_time, 4);
}

/* The whole serialization; the caller's to buf_fini. */
static struct buf
serialized(const struct tx *tx, bool with_witness)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	tx_serialize(tx, with_witness, &out);
	return out;
}

char *
tx_hex(const struct tx *tx)
{
	struct buf out = serialized(tx, true);
	char *hex = xmalloc(2 * out.len + 1);

	format_hex((const uint8_t *)out.data, out.len, hex);
	buf_fini(&out);
	return hex;
}

static void
hash_serialized(const struct tx *tx, bool with_witness, uint8_t hash_wire[32])
{
	struct buf out = serialized(tx, with_witness);

	hash_sha256d(out.data, out.len, hash_wire);
	buf_fini(&out);
}

void
tx_txid(const struct tx *tx, uint8_t txid_wire[32])
{
	hash_serialized(tx, false, txid_wire);
}

void
tx_wtxid(const struct tx *tx, uint8_t wtxid_wire[32])
{
	hash_serialized(tx, true, wtxid_wire);
}

static size_t
size_bytes(const struct tx *tx, bool with_witness)
{
	struct buf out = serialized(tx, with_witness);
	size_t len = out.len;

	buf_fini(&out);
	return len;
}

size_t
tx_weight(const struct tx *tx)
{
	return 3 * size_bytes(tx, false) + size_bytes(tx, true);
}

size_t
tx_vsize(const struct tx *tx)
{
	return (tx_weight(tx) + 3) / 4;
}

/* Reading. */

struct reader {
	const uint8_t *data, *end;
	bool ok; /* false once a read has failed; all further reads give 0 */
};

static bool
can_read(struct reader *reader, size_t len)
{
	reader->ok = reader->ok && (size_t)(reader->end - reader->data) >= len;
	return reader->ok;
}

static uint64_t
read_uint(struct reader *reader, size_t width)
{
	uint64_t n = 0;

	if (!can_read(reader, width))
		return 0;
	for (size_t i = 0; i < width; i++)
		n |= (uint64_t)reader->data[i] << 8 * i;
	reader->data += width;
	return n;
}

bool
tx_read_compact_size(const uint8_t **data, const uint8_t *end, uint64_t *n)
{
	static const uint64_t least[] = {0xfd, 0x10000, 0x100000000};
	struct reader reader = {*data, end, true};

	*n = read_uint(&reader, 1);
	if (*n >= 0xfd) {
		unsigned class = (unsigned)*n - 0xfd;

		*n = read_uint(&reader, (size_t)2 << class);
		if (*n < least[class])
			reader.ok = false;
	}
	if (reader.ok)
		*data = reader.data;
	else
		*n = 0;
	return reader.ok;
}

static uint64_t
read_compact_size(struct reader *reader)
{
	uint64_t n = 0;

	reader->ok = reader->ok && tx_read_compact_size(&reader->data, reader->end, &n);
	return n;
}

static void
read_bytes(struct reader *reader, struct tx_bytes *bytes)
{
	uint64_t len = read_compact_size(reader);

	if (len > TX_BYTES_MAX)
		reader->ok = false;
	if (!can_read(reader, (size_t)len))
		return;
	set_bytes(bytes, reader->data, (size_t)len);
	reader->data += len;
}

static void
read_inputs(struct reader *reader, struct tx *tx, uint64_t cnt)
{
	for (uint64_t i = 0; reader->ok && i < cnt; i++) {
		if (!can_read(reader, 36))
			return;
		const uint8_t *txid_wire = reader->data;
		reader->data += 32;
		struct tx_input *input = tx_add_input(tx, txid_wire, (uint32_t)read_uint(reader, 4), 0);
		read_bytes(reader, &input->script_sig);
		input->sequence = (uint32_t)read_uint(reader, 4);
	}
}

static void
read_outputs(struct reader *reader, struct tx *tx)
{
	uint64_t cnt = read_compact_size(reader);

	for (uint64_t i = 0; reader->ok && i < cnt; i++) {
		uint64_t value = read_uint(reader, 8);

		if (reader->ok)
			read_bytes(reader, &tx_add_output(tx, (int64_t)value, NULL, 0)->script);
	}
}

static void
read_witness(struct reader *reader, struct tx_input *input)
{
	uint64_t cnt = read_compact_size(reader);

	for (uint64_t i = 0; reader->ok && i < cnt; i++) {
		struct tx_bytes item = {0};

		read_bytes(reader, &item);
		if (reader->ok)
			tx_add_witness(input, item.data, item.len);
		free(item.data);
	}
}

int
tx_parse(struct tx *tx, const uint8_t *data, size_t len, size_t *used, struct diag *diag)
{
	struct reader reader = {data, data + len, true};
	bool with_witness = false;

	tx_init(tx);
	tx->version = (int32_t)read_uint(&reader, 4);
	uint64_t cnt = read_compact_size(&reader);
	if (reader.ok && cnt == 0 && reader.end - reader.data >= 2 && reader.data[0] == 1) {
		with_witness = true; /* BIP144: a marker 0 in place of the count, then a flag 1 */
		reader.data++;
		cnt = read_compact_size(&reader);
	}
	read_inputs(&reader, tx, cnt);
	read_outputs(&reader, tx);
	for (size_t i = 0; reader.ok && with_witness && i < tx->inputs_cnt; i++)
		read_witness(&reader, &tx->inputs[i]);
	tx->lock_time = (uint32_t)read_uint(&reader, 4);
	if (with_witness && !tx_has_witness(tx))
		reader.ok = false; /* there must be one encoding only */

	size_t taken = (size_t)(reader.data - data);
	if (used)
		*used = taken;
	if (!reader.ok || (!used && taken != len)) {
		tx_fini(tx);
		return diag_fail(diag, -EBADMSG,
				 "tx: failed to parse a transaction of %zu bytes: %s at byte %zu", len,
				 reader.ok ? "it ends" : "it is cut off or malformed", taken);
	}
	return 0;
}

int
tx_parse_hex(struct tx *tx, const char *hex, struct diag *diag)
{
	size_t len = strlen(hex) / 2;
	uint8_t *data = xmalloc(len);
	int err;

	if (parse_hex(hex, data, len)) {
		err = tx_parse(tx, data, len, NULL, diag);
	} else {
		tx_init(tx);
		err = diag_fail(diag, -EBADMSG, "tx: failed to parse a transaction: it is not hexadecimal");
	}
	free(data);
	return err;
}

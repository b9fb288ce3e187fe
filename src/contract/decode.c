/* From a record to an event. */
#include "contract/contract.h"

#include <errno.h>
#include <string.h>

void
contract_plan(const struct contract_tracepoint *row, const struct site *site, struct probe_point *point)
{
	*point = (struct probe_point){.site = site, .tracepoint = row->id};
	for (unsigned i = 0; i < site->args_cnt; i++) {
		struct record_slot *slot = &point->slots[i];
		const struct operand *operand = &site->args[i];

		*slot = (struct record_slot){.reader = READER_INTEGER};
		if (i >= row->args_cnt || operand->kind == OPERAND_UNREADABLE || operand->width_bytes != 8)
			continue;
		switch (row->args[i].code_type) {
		case ARG_HASH:
			*slot = (struct record_slot){.reader = READER_BLOCK, .slot_bytes = RECORD_HASH_BYTES};
			break;
		case ARG_STRING:
			*slot = (struct record_slot){.reader = READER_STRING,
						     .slot_bytes = RECORD_STRING_BYTES};
			break;
		case ARG_BYTES:
			if (row->args[i].size_arg >= 1 && row->args[i].size_arg <= site->args_cnt)
				*slot = (struct record_slot){.reader = READER_PAYLOAD,
							     .slot_bytes = RECORD_PAYLOAD_BYTES,
							     .size_idx = row->args[i].size_arg - 1};
			break;
		default:
			break;
		}
	}
	record_lay_out(point);
}

static enum value_type
value_type_of(enum arg_type type)
{
	switch (type) {
	case ARG_INT64:
	case ARG_INT32:
		return VALUE_INT;
	case ARG_UINT64:
	case ARG_UINT32:
		return VALUE_UINT;
	case ARG_BOOL:
		return VALUE_BOOL;
	case ARG_HASH:
		return VALUE_HASH;
	case ARG_STRING:
		return VALUE_STRING;
	case ARG_BYTES:
		return VALUE_BYTES;
	}
	return VALUE_UINT;
}

enum value_type
contract_value_type(const struct contract_tracepoint *row, unsigned i, const struct operand *operand)
{
	if (i < row->args_cnt)
		return value_type_of(row->args[i].code_type);
	return operand->is_signed ? VALUE_INT : VALUE_UINT;
}

static int64_t
sign_extend(uint64_t value, unsigned width_bytes)
{
	/* 0: the note's width was not understood. */
	if (!width_bytes || width_bytes >= 8)
		return (int64_t)value;
	unsigned shift = 64 - 8 * width_bytes;

	return (int64_t)(value << shift) >> shift;
}

/* Fills the value of argument i, after those before it; false when its length cannot be. */
static bool
decode_argument(const struct contract_tracepoint *row, const struct probe_point *point, unsigned i,
		const uint8_t *record, uint32_t record_sz, struct event *event)
{
	const struct record_slot *slot = &point->slots[i];
	const struct operand *operand = &point->site->args[i];
	struct value *value = &event->args[i];
	struct record_arg arg;

	memcpy(&arg, record + sizeof(struct record_head) + i * sizeof(arg), sizeof(arg));
	value->u = arg.value;
	value->i = operand->is_signed ? sign_extend(arg.value, operand->width_bytes) : (int64_t)arg.value;
	value->type = contract_value_type(row, i, operand);
	if (arg.flags & RECORD_OPERAND_FAILED) {
		value->state = VALUE_BAD_OPERAND;
		value->error = -arg.error;
		return true;
	}
	if (slot->reader == READER_INTEGER) {
		/* A pointer that is read as a number could not be followed: its operand is too narrow. */
		if (value->type == VALUE_HASH || value->type == VALUE_STRING || value->type == VALUE_BYTES) {
			value->state = VALUE_BAD_POINTER;
			value->error = EINVAL;
		}
		return true;
	}
	if (arg.flags & RECORD_POINTER_FAILED) {
		value->state = VALUE_BAD_POINTER;
		value->error = -arg.error;
		return true;
	}
	if (arg.len > slot->slot_bytes || slot->slot_offset + arg.len > record_sz)
		return false;
	value->bytes = record + slot->slot_offset;
	value->len = arg.len;
	value->state = arg.flags & RECORD_CUT ? VALUE_CUT : VALUE_READ;
	if (slot->reader == READER_STRING && value->len)
		value->len--;
	value->full_len = slot->reader == READER_PAYLOAD ? event->args[slot->size_idx].u : value->len;
	return true;
}

int
contract_decode(const struct contract_tracepoint *row, const struct probe_point *point, const void *record,
		size_t record_sz, struct event *event)
{
	const struct site *site = point->site;
	struct record_head head;

	*event = (struct event){0};
	if (record_sz < point->fixed_bytes)
		return -EBADMSG;
	memcpy(&head, record, sizeof(head));
	if (head.size > record_sz || head.size < point->fixed_bytes || head.args_cnt != site->args_cnt)
		return -EBADMSG;
	*event = (struct event){
		.tracepoint = point->tracepoint,
		.release = row->release,
		.site = head.point,
		.time_ns = head.time_ns,
		.tid = head.tid,
		.seq = head.seq,
		.args_cnt = site->args_cnt,
	};
	for (unsigned i = 0; i < site->args_cnt; i++)
		if (!decode_argument(row, point, i, record, head.size, event))
			return -EBADMSG;
	return 0;
}

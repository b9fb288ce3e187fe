#include "base/buf.h"
#include "base/text.h"
#include "contract/contract.h"

#include <errno.h>
#include <inttypes.h>
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

static int64_t
sign_extend(uint64_t value, unsigned width_bytes)
{
	/* 0: the note tells no width that could be understood. */
	if (!width_bytes || width_bytes >= 8)
		return (int64_t)value;
	unsigned shift = 64 - 8 * width_bytes;

	return (int64_t)(value << shift) >> shift;
}

int
contract_decode(const struct contract_tracepoint *row, const struct probe_point *point, const void *record,
		size_t record_sz, struct event *event)
{
	const struct site *site = point->site;
	const uint8_t *bytes = record;
	struct record_head head;

	*event = (struct event){0};
	if (record_sz < point->fixed_bytes)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
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
	for (unsigned i = 0; i < site->args_cnt; i++) {
		const struct record_slot *slot = &point->slots[i];
		const struct operand *operand = &site->args[i];
		struct value *value = &event->args[i];
		struct record_arg arg;

		memcpy(&arg, bytes + sizeof(head) + i * sizeof(arg), sizeof(arg));
		value->u = arg.value;
		value->i = operand->is_signed ? sign_extend(arg.value, operand->width_bytes)
					      : (int64_t)arg.value;
		if (i < row->args_cnt)
			value->type = value_type_of(row->args[i].code_type);
		else
			value->type = operand->is_signed ? VALUE_INT : VALUE_UINT;
		if (arg.flags & RECORD_OPERAND_FAILED) {
			value->state = VALUE_BAD_OPERAND;
			value->error = -arg.error;
			continue;
		}
		bool is_pointer = value->type == VALUE_HASH || value->type == VALUE_STRING ||
				  value->type == VALUE_BYTES;
		if (slot->reader == READER_INTEGER) {
			/* A pointer that was planned as a number could not be followed: its operand is too narrow. */
			if (is_pointer)
				value->state = VALUE_BAD_POINTER;
			value->error = is_pointer ? EINVAL : 0;
			continue;
		}
		if (arg.flags & RECORD_POINTER_FAILED) {
			value->state = VALUE_BAD_POINTER;
			value->error = -arg.error;
			continue;
		}
		if (arg.len > slot->slot_bytes || slot->slot_offset + arg.len > head.size)
			return -EBADMSG;
		value->bytes = bytes + slot->slot_offset;
		value->len = arg.len;
		value->state = arg.flags & RECORD_CUT ? VALUE_CUT : VALUE_READ;
		if (slot->reader == READER_STRING && value->len)
			value->len--;
		value->full_len = slot->reader == READER_PAYLOAD ? event->args[slot->size_idx].u : value->len;
	}
	return 0;
}

static void
format_string(const uint8_t *bytes, size_t len, struct buf *out)
{
	buf_putc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\'' || bytes[i] == '\\')
			buf_printf(out, "\\%c", bytes[i]);
		else if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			buf_printf(out, "\\x%02x", bytes[i]);
		else
			buf_putc(out, (char)bytes[i]);
	}
	buf_putc(out, '\'');
}

static void
format_bytes(const struct value *value, struct buf *out)
{
	enum { SHOWN = 24 };
	char hex[2 * SHOWN + 1];
	size_t n = value->len < SHOWN ? value->len : SHOWN;

	format_hex(value->bytes, n, hex);
	buf_printf(out, "%zu bytes %s%s", value->len, hex, n < value->len ? "..." : "");
}

void
contract_format_value(const struct contract_arg *arg, const struct value *value, struct buf *out)
{
	char hex[65];

	if (value->state == VALUE_BAD_OPERAND) {
		buf_printf(out, "<argument not readable: %s>", strerror(value->error));
		return;
	}
	if (value->state == VALUE_BAD_POINTER) {
		buf_printf(out, "<not readable at 0x%" PRIx64 ": %s>", value->u, strerror(value->error));
		return;
	}
	switch (value->type) {
	case VALUE_INT:
		buf_printf(out, "%" PRId64, value->i);
		break;
	case VALUE_UINT: {
		const char *const *name = arg ? arg->value_names : NULL;

		buf_printf(out, "%" PRIu64, value->u);
		for (uint64_t i = 0; name && *name; i++, name++)
			if (i == value->u)
				buf_printf(out, " (%s)", *name);
		break;
	}
	case VALUE_BOOL:
		if (value->u > 1)
			buf_printf(out, "%" PRIu64 " (not a bool)", value->u);
		else
			buf_puts(out, value->u ? "true" : "false");
		break;
	case VALUE_HASH:
		format_hash(value->bytes, hex);
		buf_puts(out, hex);
		break;
	case VALUE_STRING:
		format_string(value->bytes, value->len, out);
		break;
	case VALUE_BYTES:
		format_bytes(value, out);
		break;
	}
	if (value->state == VALUE_CUT) {
		if (value->type == VALUE_BYTES)
			buf_printf(out, " <cut: %" PRIu64 " bytes in full>", value->full_len);
		else
			buf_printf(out, " <cut after %zu bytes>", value->len);
	}
	if (arg && arg->unit && (value->type == VALUE_INT || value->type == VALUE_UINT))
		buf_printf(out, " %s", arg->unit);
}

const struct contract_tracepoint *
contract_of_event(const struct event *event)
{
	const struct contract_tracepoint *row = contract_at(event->tracepoint, event->release);

	return row ? row : contract_get(event->tracepoint);
}

void
contract_format_event(const struct event *event, struct buf *out)
{
	const struct contract_tracepoint *row = contract_of_event(event);

	buf_printf(out, "%s(", row->full_name);
	for (unsigned i = 0; i < event->args_cnt; i++) {
		const struct contract_arg *arg = i < row->args_cnt ? &row->args[i] : NULL;

		if (arg)
			buf_printf(out, "%s%s=", i ? ", " : "", arg->name);
		else
			buf_printf(out, "%sundocumented argument %u=", i ? ", " : "", i + 1);
		contract_format_value(arg, &event->args[i], out);
	}
	buf_putc(out, ')');
}

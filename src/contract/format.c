/* Values and events as people write them. */
#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"
#include "contract/contract.h"

#include <inttypes.h>
#include <string.h>

static void
format_string(const uint8_t *bytes, size_t len, struct buf *out)
{
	const char *text = (const char *)bytes;
	char shown[UTF8_SHOWN_BYTES];

	buf_putc(out, '\'');
	for (size_t i = 0; i < len;) {
		if (bytes[i] == '\'' || bytes[i] == '\\')
			buf_putc(out, '\\');
		i += utf8_show(text + i, len - i, shown);
		buf_puts(out, shown);
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

/* names: of the values 0, 1, ...; NULL-terminated, or NULL. */
static void
format_number(const char *const *names, uint64_t value, struct buf *out)
{
	buf_printf(out, "%" PRIu64, value);
	for (uint64_t i = 0; names && names[i]; i++)
		if (i == value)
			buf_printf(out, " (%s)", names[i]);
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
	case VALUE_UINT:
		format_number(arg ? arg->value_names : NULL, value->u, out);
		break;
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
	contract_format_event_marked(event, 0, out);
}

void
contract_format_event_marked(const struct event *event, uint64_t marked, struct buf *out)
{
	const struct contract_tracepoint *row = contract_of_event(event);

	buf_printf(out, "%s(", row->full_name);
	for (unsigned i = 0; i < event->args_cnt; i++) {
		const struct contract_arg *arg = i < row->args_cnt ? &row->args[i] : NULL;
		bool is_marked = marked >> i & 1;

		buf_printf(out, "%s%s", i ? ", " : "", is_marked ? ">" : "");
		if (arg)
			buf_printf(out, "%s=", arg->name);
		else
			buf_printf(out, "undocumented argument %u=", i + 1);
		contract_format_value(arg, &event->args[i], out);
		if (is_marked)
			buf_putc(out, '<');
	}
	buf_putc(out, ')');
}

#include "base/condition.h"

#include "base/text.h"

#include <fnmatch.h>
#include <string.h>

static bool
compare(enum condition_operator op, bool is_less, bool is_equal)
{
	switch (op) {
	case CONDITION_EQ:
		return is_equal;
	case CONDITION_NE:
		return !is_equal;
	case CONDITION_LT:
		return is_less;
	case CONDITION_LE:
		return is_less || is_equal;
	case CONDITION_GT:
		return !is_less && !is_equal;
	case CONDITION_GE:
		return !is_less;
	case CONDITION_LIKE:
		break;
	}
	return false;
}

static bool
number_holds(const struct condition *condition, uint64_t value)
{
	if (condition->extend_bytes && condition->extend_bytes < 8) {
		unsigned shift = 64u - 8u * condition->extend_bytes;

		value = (uint64_t)((int64_t)(value << shift) >> shift);
	}
	bool is_less = condition->is_signed ? (int64_t)value < (int64_t)condition->number
					    : value < condition->number;
	return compare(condition->op, is_less, value == condition->number);
}

static bool
bytes_hold(const struct condition *condition, const struct record_slot *slot, const struct record_arg *arg,
	   const uint8_t *bytes)
{
	size_t len = slot->reader == READER_STRING && arg->len ? arg->len - 1 : arg->len;
	bool is_equal = !(arg->flags & RECORD_CUT) && len == condition->bytes_len &&
			!memcmp(bytes, condition->bytes, len);

	return compare(condition->op, false, is_equal);
}

static bool
string_pattern_holds(const struct condition *condition, const struct record_arg *arg, const uint8_t *bytes)
{
	char text[RECORD_STRING_BYTES + 1];
	size_t len = arg->len && !bytes[arg->len - 1] ? arg->len - 1 : arg->len;

	if (len > RECORD_STRING_BYTES)
		return false;
	memcpy(text, bytes, len);
	text[len] = '\0';
	return !fnmatch(condition->pattern, text, 0);
}

static bool
hash_pattern_holds(const struct condition *condition, const struct record_arg *arg, const uint8_t *bytes)
{
	char hex[65];

	if (arg->len != RECORD_HASH_BYTES)
		return false;
	format_hash(bytes, hex);
	return !fnmatch(condition->pattern, hex, 0);
}

bool
condition_holds(const struct condition *condition, const struct record_slot *slot, const void *record)
{
	const uint8_t *bytes = (const uint8_t *)record + slot->slot_offset;
	struct record_arg arg;

	memcpy(&arg, (const uint8_t *)record + sizeof(struct record_head) + condition->arg * sizeof(arg),
	       sizeof(arg));
	if (arg.flags & (RECORD_OPERAND_FAILED | RECORD_POINTER_FAILED))
		return false;
	switch ((enum condition_kind)condition->kind) {
	case CONDITION_ALWAYS:
		return true;
	case CONDITION_NEVER:
		return false;
	case CONDITION_NUMBER:
		return number_holds(condition, arg.value);
	case CONDITION_BYTES:
		return bytes_hold(condition, slot, &arg, bytes);
	case CONDITION_STRING_PATTERN:
		return string_pattern_holds(condition, &arg, bytes);
	case CONDITION_HASH_PATTERN:
		return hash_pattern_holds(condition, &arg, bytes);
	}
	return false;
}

bool
conditions_hold(const struct condition *conditions, size_t cnt, const struct record_slot *slots,
		const void *record)
{
	for (size_t i = 0; i < cnt; i++)
		if (!condition_holds(&conditions[i], &slots[conditions[i].arg], record))
			return false;
	return true;
}

bool
condition_is_early(const struct condition *condition)
{
	return condition->kind != CONDITION_STRING_PATTERN && condition->kind != CONDITION_HASH_PATTERN;
}

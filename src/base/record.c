#include "base/record.h"

void
record_lay_out(struct probe_point *point)
{
	unsigned cnt = point->site->args_cnt;
	uint32_t at = (uint32_t)(sizeof(struct record_head) + cnt * sizeof(struct record_arg));
	struct record_slot *payload = NULL;

	for (unsigned i = 0; i < cnt; i++) {
		struct record_slot *slot = &point->slots[i];

		slot->slot_offset = 0;
		if (slot->reader == READER_PAYLOAD) {
			payload = slot;
		} else if (slot->reader != READER_INTEGER) {
			slot->slot_offset = at;
			at += (slot->slot_bytes + 7) & ~7u;
		}
	}
	point->fixed_bytes = point->record_bytes = at;
	if (payload) {
		payload->slot_offset = at;
		point->record_bytes += payload->slot_bytes;
	}
}

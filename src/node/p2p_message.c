#include "node/p2p_internal.h"

#include "base/xmem.h"
#include "node/hash.h"

#include <errno.h>
#include <string.h>

/* Offsets in the header. */
enum { TYPE_AT = 4, SIZE_AT = 16, CHECKSUM_AT = 20, CHECKSUM_SZ = 4 };

static const uint8_t magic[4] = {0xfa, 0xbf, 0xb5, 0xda}; /* regtest */

void
p2p_put_le(uint8_t *out, uint64_t n, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(n >> (8 * i));
}

static uint32_t
get_le32(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

bool
p2p_format(const char *type, const void *payload, size_t size, struct buf *out)
{
	uint8_t header[P2P_HEADER_SZ] = {0}, hash[32];
	size_t chars = strlen(type);

	if (chars > P2P_TYPE_CHARS || size > UINT32_MAX)
		return false;
	memcpy(header, magic, sizeof(magic));
	memcpy(header + TYPE_AT, type, chars);
	p2p_put_le(header + SIZE_AT, size, 4);
	hash_sha256d(payload, size, hash);
	memcpy(header + CHECKSUM_AT, hash, CHECKSUM_SZ);
	return buf_add(out, header, sizeof(header)) && (!size || buf_add(out, payload, size));
}

static void
add_entry(struct p2p_peer *peer, enum p2p_direction direction, const char *type, const void *payload,
	  size_t size)
{
	if (peer->transcript_cnt == peer->transcript_cap) {
		peer->transcript_cap = peer->transcript_cap ? 2 * peer->transcript_cap : 32;
		peer->transcript =
			xreallocarray(peer->transcript, peer->transcript_cap, sizeof(*peer->transcript));
	}
	struct p2p_entry *entry = &peer->transcript[peer->transcript_cnt++];
	*entry = (struct p2p_entry){
		.message = {.direction = direction, .size = size, .time_ns = clock_now_ns()}};
	memcpy(entry->message.type, type, strlen(type));
	entry->payload = xmalloc(size + 1);
	if (size)
		memcpy(entry->payload, payload, size);
	entry->message.payload = entry->payload;
}

size_t
p2p_cnt(const struct p2p_peer *peer)
{
	return peer->transcript_cnt;
}

struct p2p_message
p2p_at(const struct p2p_peer *peer, size_t idx)
{
	return peer->transcript[idx].message;
}

/* Copies the type; false unless it is printable and padded with NUL. */
static bool
read_type(const uint8_t *header, char type[P2P_TYPE_SZ])
{
	memcpy(type, header + TYPE_AT, P2P_TYPE_CHARS);
	type[P2P_TYPE_CHARS] = '\0';
	size_t len = strlen(type);
	for (size_t i = 0; i < P2P_TYPE_CHARS; i++)
		if (i < len ? type[i] < ' ' || type[i] > '~' : type[i] != 0)
			return false;
	return true;
}

/* Takes one complete message from the inbox at *from; *is_taken is false if there is none. */
static int
take_message(struct p2p_peer *peer, size_t *from, bool *is_taken, struct diag *diag)
{
	const uint8_t *header = (const uint8_t *)peer->inbox.data + *from;
	size_t left = peer->inbox.len - *from;
	char type[P2P_TYPE_SZ];
	uint8_t hash[32];

	*is_taken = false;
	if (left < P2P_HEADER_SZ)
		return 0;
	if (memcmp(header, magic, sizeof(magic)) != 0)
		return diag_fail(
			diag, -EBADMSG,
			"p2p: failed to read from the node: a message begins with %02x%02x%02x%02x, not with the magic of regtest",
			header[0], header[1], header[2], header[3]);
	if (!read_type(header, type))
		return diag_fail(
			diag, -EBADMSG,
			"p2p: failed to read from the node: the type of a message is not printable text");
	uint32_t size = get_le32(header + SIZE_AT);
	if (size > P2P_PAYLOAD_MAX)
		return diag_fail(diag, -EBADMSG,
				 "p2p: failed to read '%s' from the node: its header announces %u bytes",
				 type, size);
	if (left - P2P_HEADER_SZ < size)
		return 0;
	const uint8_t *payload = header + P2P_HEADER_SZ;
	hash_sha256d(payload, size, hash);
	if (memcmp(hash, header + CHECKSUM_AT, CHECKSUM_SZ) != 0)
		return diag_fail(diag, -EBADMSG,
				 "p2p: failed to read '%s' from the node: its checksum is wrong", type);
	add_entry(peer, P2P_RECEIVED, type, payload, size);
	*from += P2P_HEADER_SZ + size;
	*is_taken = true;
	return 0;
}

int
p2p_post(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag)
{
	if (peer->send_failed)
		return 0; /* reading will find the end of the connection */
	if (!p2p_format(type, payload, size, &peer->outbox))
		return diag_fail(diag, -EMSGSIZE, "p2p: failed to send '%s': it is too long", type);
	add_entry(peer, P2P_SENT, type, payload, size);
	return 0;
}

int
p2p_take_messages(struct p2p_peer *peer, struct diag *diag)
{
	size_t from = 0;
	bool is_taken;
	int err = take_message(peer, &from, &is_taken, diag);

	while (!err && is_taken) {
		struct p2p_message last = p2p_at(peer, peer->transcript_cnt - 1);

		if (!strcmp(last.type, "ping") && last.size == P2P_NONCE_SZ && !peer->silent)
			err = p2p_post(peer, "pong", last.payload, last.size, diag);
		if (!err)
			err = take_message(peer, &from, &is_taken, diag);
	}
	buf_drop(&peer->inbox, from);
	return err;
}

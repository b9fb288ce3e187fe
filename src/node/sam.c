/* SAM 3.1 as an I2P router speaks it (geti2p.net/en/docs/api/samv3), as far as bitcoind needs it: lines of words and
 * KEY=VALUE. A destination is 387 bytes, of which bitcoind reads only the last two: how many bytes of certificate
 * follow, here 0. A private key begins with the destination. An address is the base 32 of a destination's SHA-256. */
#include "node/stand_in_protocol.h"

#include "node/hash.h"

#include <stdio.h>
#include <string.h>

enum {
	DESTINATION_SZ = 387,
	KEY_SZ = 387 + 321, /* multiples of 3: no padding */
	PEER_SZ = 381,      /* see sam_destination */
};

static void
add_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~";

	for (size_t i = 0; i + 2 < len; i += 3) {
		uint32_t n = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			buf_putc(out, digits[n >> shift & 63]);
	}
}

static void
format_base32(const uint8_t hash[32], char out[53])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0, bits_cnt = 0;

	for (int i = 0; i < 32; i++) {
		bits = bits << 8 | hash[i];
		for (bits_cnt += 8; bits_cnt >= 5; bits_cnt -= 5)
			*out++ = digits[bits >> (bits_cnt - 5) & 31];
	}
	*out++ = digits[bits << (5 - bits_cnt) & 31];
	*out = '\0';
}

/* Fills a destination or key; each number gives different bytes. */
static void
fill(uint8_t *bytes, size_t len, unsigned nth)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + nth + (nth >> 8) * (i % 13));
}

/* Shorter than a destination is; bitcoind, which only hashes it, does not notice. It reads 512 bytes at a time, and
 * gives up a line that has no end by then if it has lost its processor for a second. */
void
sam_destination(unsigned nth, struct buf *line, char address[STAND_IN_ADDRESS_SZ])
{
	uint8_t destination[PEER_SZ], hash[32];
	char name[53];

	fill(destination, sizeof(destination), nth);
	add_base64(line, destination, sizeof(destination));
	hash_sha256(destination, sizeof(destination), hash);
	format_base32(hash, name);
	snprintf(address, STAND_IN_ADDRESS_SZ, "%s.b32.i2p:0", name);
}

/* The value of a key in a line: *len bytes, without NUL. NULL: the line does not have the key. */
static const char *
value_of(const char *line, const char *key, size_t *len)
{
	size_t key_len = strlen(key);

	for (const char *word = line; (word = strchr(word, ' '));) {
		word++;
		if (!strncmp(word, key, key_len) && word[key_len] == '=') {
			*len = strcspn(word + key_len + 1, " ");
			return word + key_len + 1;
		}
	}
	return NULL;
}

static bool
begins(const char *line, const char *words)
{
	return !strncmp(line, words, strlen(words));
}

static void
add_key(struct buf *out)
{
	uint8_t key[KEY_SZ];

	fill(key, sizeof(key), 0x5a7);
	key[DESTINATION_SZ - 2] = key[DESTINATION_SZ - 1] = 0;
	add_base64(out, key, sizeof(key));
}

static enum stand_in_outcome
feed_line(struct stand_in_client *client, const char *line)
{
	struct buf *out = &client->out;
	const char *value;
	size_t len;

	if (begins(line, "HELLO VERSION")) {
		buf_puts(out, "HELLO REPLY RESULT=OK VERSION=3.1\n");
	} else if (begins(line, "DEST GENERATE")) {
		buf_puts(out, "DEST REPLY PUB=none PRIV=");
		add_key(out);
		buf_putc(out, '\n');
	} else if (begins(line, "SESSION CREATE") && (value = value_of(line, "DESTINATION", &len))) {
		buf_puts(out, "SESSION STATUS RESULT=OK DESTINATION=");
		if (len == strlen("TRANSIENT") && begins(value, "TRANSIENT"))
			add_key(out);
		else
			buf_add(out, value, len);
		buf_putc(out, '\n');
	} else if (begins(line, "NAMING LOOKUP") && (value = value_of(line, "NAME", &len)) &&
		   len < sizeof(client->host)) {
		/* The destination of the STREAM CONNECT that follows. */
		snprintf(client->host, sizeof(client->host), "%.*s", (int)len, value);
		buf_printf(out, "NAMING REPLY RESULT=OK NAME=%s VALUE=destination\n", client->host);
	} else if (begins(line, "STREAM CONNECT") && client->host[0]) {
		buf_puts(out, "STREAM STATUS RESULT=OK\n");
		return STAND_IN_CONNECTED;
	} else if (begins(line, "STREAM ACCEPT")) {
		buf_puts(out, "STREAM STATUS RESULT=OK\n");
		return STAND_IN_ACCEPTING;
	} else {
		buf_puts(out, "SESSION STATUS RESULT=I2P_ERROR\n");
		return STAND_IN_REFUSED;
	}
	return STAND_IN_MORE;
}

enum stand_in_outcome
sam_feed(struct stand_in_client *client)
{
	enum stand_in_outcome outcome = STAND_IN_MORE;
	char *end;

	while (outcome == STAND_IN_MORE && client->in.len &&
	       (end = memchr(client->in.data, '\n', client->in.len))) {
		*end = '\0';
		outcome = feed_line(client, client->in.data);
		buf_drop(&client->in, (size_t)(end + 1 - client->in.data));
	}
	return outcome;
}

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
parse_u64(const char *s, uint64_t *out)
{
	char *end;

	*out = 0;
	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (errno || *end)
		return false;
	*out = v;
	return true;
}

bool
parse_i64(const char *s, int64_t *out)
{
	char *end;

	*out = 0;
	const char *digits = *s == '-' ? s + 1 : s;
	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (errno || *end)
		return false;
	*out = v;
	return true;
}

bool
parse_btc_as_sat(const char *s, int64_t *sat)
{
	/* The digits become a whole number n, and the value is n * 10^exp; 10^8 satoshi are one BTC. */
	bool negative = *s == '-', any = false, point = false;
	uint64_t n = 0;
	int exp = 8;

	*sat = 0;
	if (negative)
		s++;
	for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		any = true;
		if (n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*s - '0');
		exp -= point;
	}
	if (!any)
		return false;
	if (*s == 'e' || *s == 'E') {
		int64_t e;
		if (!parse_i64(s + 1 + (s[1] == '+' && s[2] != '-'), &e) || e < -30 || e > 30)
			return false;
		exp += (int)e;
	} else if (*s) {
		return false;
	}
	for (; exp < 0 && n; exp++, n /= 10)
		if (n % 10)
			return false;
	for (; exp > 0 && n; exp--, n *= 10)
		if (n > (uint64_t)INT64_MAX / 10)
			return false;
	if (n > INT64_MAX)
		return false;
	*sat = negative ? -(int64_t)n : (int64_t)n;
	return true;
}

void
format_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
parse_hex(const char *hex, uint8_t *bytes, size_t len)
{
	if (!hex || strlen(hex) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static void
reverse(uint8_t bytes[32])
{
	for (int i = 0; i < 16; i++) {
		uint8_t b = bytes[i];
		bytes[i] = bytes[31 - i];
		bytes[31 - i] = b;
	}
}

void
format_hash(const uint8_t hash_wire[32], char hash_hex[65])
{
	uint8_t display[32];

	memcpy(display, hash_wire, 32);
	reverse(display);
	format_hex(display, 32, hash_hex);
}

bool
parse_hash(const char *hash_hex, uint8_t hash_wire[32])
{
	memset(hash_wire, 0, 32);
	if (!parse_hex(hash_hex, hash_wire, 32))
		return false;
	reverse(hash_wire);
	return true;
}

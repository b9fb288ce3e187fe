/* A program with tracepoints that are undocumented, or not as documented, and with malicious strings. Prints "ready", fires
 * all of them for each line of input, and prints "done". */
#define SDT_USE_VARIADIC 1
#include <sys/sdt.h>

#include <stdint.h>
#include <stdio.h>

int
main(void)
{
	static const char evil[] = "\033[31mred\033]0;title\a\xc2\x9b"
				   "2J\nnext\xff 'quoted' \\";
	char line[64];
	int64_t n = 0;

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		n++;
		STAP_PROBEV(net, misbehaving_connection, n, (const char *)evil);
		STAP_PROBEV(net, misbehaving_connection, n, (const char *)8);
		STAP_PROBEV(strange, thing, (int8_t)-n, (uint16_t)65535, (int64_t)-5, (const char *)evil,
			    (uint32_t)7);
		/* With other widths and signs than documented, and an extra argument. */
		STAP_PROBEV(utxocache, flush, (int32_t)-7, (int64_t)-2, (uint8_t)3, (uint64_t)4, (uint32_t)9,
			    (uint16_t)11);
		puts("done");
		fflush(stdout);
	}
	return 0;
}

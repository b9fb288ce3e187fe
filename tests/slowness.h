/* How slow the machine is: $TPCHECK_TEST_SLOWNESS, which is 1 unless given, and 10 to 20 in an emulated machine. Tests
 * give up that many times later, and those whose work takes long do that many times less of it. */
#ifndef TPCHECK_TESTS_SLOWNESS_H
#define TPCHECK_TESTS_SLOWNESS_H

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>

static inline unsigned
test_slowness(void)
{
	const char *text = getenv("TPCHECK_TEST_SLOWNESS");
	uint64_t slowness;

	return text && parse_u64(text, &slowness) && slowness > 0 && slowness <= 1000 ? (unsigned)slowness
										      : 1;
}

#endif

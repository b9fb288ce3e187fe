#include "cli/shuffle.h"

#include "base/xmem.h"

#include <stdlib.h>

struct place {
	uint64_t group, own; /* random */
	const struct scenario *scenario;
};

/* The text's bytes and the seed, well mixed (FNV-1a, then the finalizer of splitmix64). */
static uint64_t
mix(uint32_t seed, const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037) + seed;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return hash ^ (hash >> 31);
}

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->own > y->own) - (x->own < y->own);
}

void
shuffle(const struct scenario **chosen, size_t cnt, uint32_t seed)
{
	struct place *places = xcalloc(cnt, sizeof(*places));

	/* By names, so that the order of some scenarios is the same among any others. */
	for (size_t i = 0; i < cnt; i++)
		places[i] = (struct place){.group = mix(seed, chosen[i]->profile->name),
					   .own = mix(seed, chosen[i]->name),
					   .scenario = chosen[i]};
	qsort(places, cnt, sizeof(*places), compare);
	for (size_t i = 0; i < cnt; i++)
		chosen[i] = places[i].scenario;
	free(places);
}

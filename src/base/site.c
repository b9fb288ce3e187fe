#include "base/site.h"

#include "base/xmem.h"

#include <stdlib.h>
#include <string.h>

static int
compare(const void *pa, const void *pb)
{
	const struct site *a = *(const struct site *const *)pa, *b = *(const struct site *const *)pb;
	int order = strcmp(a->provider, b->provider);

	if (!order)
		order = strcmp(a->name, b->name);
	return order ? order : a < b ? -1 : a > b;
}

const struct site **
sites_sort(const struct site *sites, size_t cnt)
{
	const struct site **sorted = xcalloc(cnt ? cnt : 1, sizeof(const struct site *));

	for (size_t i = 0; i < cnt; i++)
		sorted[i] = &sites[i];
	qsort(sorted, cnt, sizeof(const struct site *), compare);
	return sorted;
}

bool
site_is_of(const struct site *site, const char *provider, const char *name)
{
	return !strcmp(site->provider, provider) && !strcmp(site->name, name);
}

bool
site_is_like(const struct site *a, const struct site *b)
{
	return site_is_of(a, b->provider, b->name);
}

#include "trace/histogram.h"

#include "base/xmem.h"

#include <math.h>
#include <stdlib.h>

struct number
number_of_i64(int64_t n)
{
	return (struct number){.is_negative = n < 0, .magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n};
}

struct number
number_of_u64(uint64_t n)
{
	return (struct number){.magnitude = n};
}

double
number_as_double(struct number n)
{
	return n.is_negative ? -(double)n.magnitude : (double)n.magnitude;
}

static bool
is_less(struct number a, struct number b)
{
	if (a.is_negative != b.is_negative)
		return a.is_negative;
	return a.is_negative ? a.magnitude > b.magnitude : a.magnitude < b.magnitude;
}

void
histogram_fini(struct histogram *histogram)
{
	for (int sign = 0; sign < 2; sign++)
		for (int row = 0; row < HISTOGRAM_ROWS; row++)
			free(histogram->rows[sign][row]);
	*histogram = (struct histogram){0};
}

/* Row 0 holds the numbers up to 63, row r those with r + 6 binary digits. */
static void
place(uint64_t magnitude, unsigned *row, unsigned *part)
{
	if (magnitude < HISTOGRAM_PARTS) {
		*row = 0;
		*part = (unsigned)magnitude;
		return;
	}
	unsigned exponent = 63u - (unsigned)__builtin_clzll(magnitude);
	*row = exponent - 5;
	*part = (unsigned)(magnitude >> (exponent - 6)) & (HISTOGRAM_PARTS - 1);
}

static uint64_t
middle(unsigned row, unsigned part)
{
	if (!row)
		return part;
	return ((uint64_t)(HISTOGRAM_PARTS + part) << (row - 1)) + ((UINT64_C(1) << (row - 1)) >> 1);
}

void
histogram_add(struct histogram *histogram, struct number n)
{
	unsigned row, part;

	place(n.magnitude, &row, &part);
	uint64_t **counts = &histogram->rows[n.is_negative][row];
	if (!*counts)
		*counts = xcalloc(HISTOGRAM_PARTS, sizeof(**counts));
	(*counts)[part]++;
	if (!histogram->cnt || is_less(n, histogram->min))
		histogram->min = n;
	if (!histogram->cnt || is_less(histogram->max, n))
		histogram->max = n;
	histogram->cnt++;
	histogram->sum += number_as_double(n);
}

/* The rank-th smallest; ranks start at 1. */
static struct number
find(const struct histogram *histogram, uint64_t rank)
{
	uint64_t seen = 0;

	for (int row = HISTOGRAM_ROWS - 1; row >= 0; row--) {
		const uint64_t *counts = histogram->rows[1][row];

		for (int part = HISTOGRAM_PARTS - 1; counts && part >= 0; part--)
			if ((seen += counts[part]) >= rank)
				return (struct number){true, middle((unsigned)row, (unsigned)part)};
	}
	for (unsigned row = 0; row < HISTOGRAM_ROWS; row++) {
		const uint64_t *counts = histogram->rows[0][row];

		for (unsigned part = 0; counts && part < HISTOGRAM_PARTS; part++)
			if ((seen += counts[part]) >= rank)
				return number_of_u64(middle(row, part));
	}
	return histogram->max;
}

struct number
histogram_quantile(const struct histogram *histogram, double q)
{
	if (!histogram->cnt)
		return (struct number){0};
	uint64_t rank = (uint64_t)ceil(q * (double)histogram->cnt);
	if (rank <= 1)
		return histogram->min;
	if (rank >= histogram->cnt)
		return histogram->max;
	struct number n = find(histogram, rank);
	/* The middle of a part may be outside the numbers seen. */
	if (is_less(n, histogram->min))
		return histogram->min;
	return is_less(histogram->max, n) ? histogram->max : n;
}

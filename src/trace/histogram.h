/* How whole numbers are spread, in memory that does not grow with their count: least, greatest, sum, and quantiles
 * with a relative error below 1/128 (0.8 %).
 *
 * Numbers up to 63 are counted one by one. From there on each power of 2 is divided into 64 parts of equal width,
 * so that a part is never wider than 1/64 of the numbers in it; a quantile is told as the middle of its part. A
 * power of 2 takes its memory (512 bytes) when its first number comes. */
#ifndef TPCHECK_TRACE_HISTOGRAM_H
#define TPCHECK_TRACE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_PARTS = 64, HISTOGRAM_ROWS = 59 };

/* A whole number of either kind. */
struct number {
	bool is_negative;
	uint64_t magnitude;
};
struct number number_of_i64(int64_t n);
struct number number_of_u64(uint64_t n);
double number_as_double(struct number n);

struct histogram {
	uint64_t cnt;
	struct number min, max; /* with cnt > 0 */
	double sum;
	uint64_t *rows[2][HISTOGRAM_ROWS]; /* [is_negative]; NULL: nothing there yet */
};

/* Begin with {0}. */
void histogram_fini(struct histogram *histogram);
void histogram_add(struct histogram *histogram, struct number n);
/* The number that the share q (0 to 1) of all is not above; the least one for 0. 0 when there is none. */
struct number histogram_quantile(const struct histogram *histogram, double q);

#endif

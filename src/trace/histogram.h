/* The distribution of whole numbers, in memory that does not grow with their count: minimum, maximum, sum, and
 * quantiles with a relative error below 1/128 (0.8 %).
 *
 * Numbers up to 63 are counted one by one. Above, each power of 2 is divided into 64 parts of equal width, so a part is
 * never wider than 1/64 of the numbers in it; a quantile is the middle of its part. The memory for a power of 2 (512
 * bytes) is allocated with its first number. */
#ifndef TPCHECK_TRACE_HISTOGRAM_H
#define TPCHECK_TRACE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_PARTS = 64, HISTOGRAM_ROWS = 59 };

/* An int64_t or a uint64_t. */
struct number {
	bool is_negative;
	uint64_t magnitude;
};
struct number number_of_i64(int64_t n);
struct number number_of_u64(uint64_t n);
double number_as_double(struct number n);

struct histogram {
	uint64_t cnt;
	struct number min, max; /* if cnt > 0 */
	double sum;
	uint64_t *rows[2][HISTOGRAM_ROWS]; /* [is_negative][row]; NULL: all counts are 0 */
};

/* Begin with {0}. */
void histogram_fini(struct histogram *histogram);
void histogram_add(struct histogram *histogram, struct number n);
/* The least number that at least a share q (0 to 1) of all numbers do not exceed; 0 if there are none. */
struct number histogram_quantile(const struct histogram *histogram, double q);

#endif

/* Quantiles in bounded memory, compared with exact ones. */
#include "trace/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NUMBERS = 5000 };

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t
next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static double
exact(const int64_t *sorted, size_t cnt, double q)
{
	size_t rank = (size_t)ceil(q * (double)cnt);

	return (double)sorted[rank ? rank - 1 : 0];
}

static void
assert_near(double want, double got)
{
	if (fabs(want - got) > fabs(want) / 128)
		fail_msg("want %.0f, got %.0f", want, got);
}

static void
test_small_numbers_are_exact(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	for (int64_t i = -63; i <= 63; i++)
		histogram_add(&histogram, number_of_i64(i));
	assert_int_equal(histogram.cnt, 127);
	assert_true(histogram.sum == 0);
	assert_true(number_as_double(histogram_quantile(&histogram, 0)) == -63);
	assert_true(number_as_double(histogram_quantile(&histogram, 0.5)) == 0);
	assert_true(number_as_double(histogram_quantile(&histogram, 1)) == 63);
	assert_true(number_as_double(histogram_quantile(&histogram, 10.0 / 127)) == -54);
	histogram_fini(&histogram);
}

/* Numbers of all sizes and both signs, near powers of 2, and unevenly distributed. */
static void
test_the_error_is_bounded(void **state)
{
	static const double qs[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
	static int64_t numbers[NUMBERS];
	uint64_t seed = 88172645463325252;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct histogram histogram = {0};
		unsigned shift = (unsigned)round % 64;

		for (int i = 0; i < NUMBERS; i++) {
			uint64_t n = next(&seed) >> (round % 3 ? shift : next(&seed) % 64);

			if (round % 4 == 1)
				n = (UINT64_C(1) << (n % 63)) + next(&seed) % 3 - 1;
			numbers[i] = (int64_t)(n >> 1);
			if (round % 5 == 2 && n & 1)
				numbers[i] = -numbers[i];
			histogram_add(&histogram, number_of_i64(numbers[i]));
		}
		qsort(numbers, NUMBERS, sizeof(numbers[0]), compare);
		assert_true(number_as_double(histogram.min) == (double)numbers[0]);
		assert_true(number_as_double(histogram.max) == (double)numbers[NUMBERS - 1]);
		for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++)
			assert_near(exact(numbers, NUMBERS, qs[i]),
				    number_as_double(histogram_quantile(&histogram, qs[i])));
		histogram_fini(&histogram);
	}
}

static void
test_the_ends_of_the_range(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 0.5).magnitude, 0);
	histogram_add(&histogram, number_of_u64(UINT64_MAX));
	histogram_add(&histogram, number_of_i64(INT64_MIN));
	histogram_add(&histogram, number_of_u64(0));
	assert_true(histogram.max.magnitude == UINT64_MAX && !histogram.max.is_negative);
	assert_true(histogram.min.magnitude == UINT64_C(1) << 63 && histogram.min.is_negative);
	assert_int_equal(histogram_quantile(&histogram, 0.5).magnitude, 0);
	assert_true(histogram_quantile(&histogram, 1).magnitude == UINT64_MAX);
	histogram_fini(&histogram);
	/* A single number is exact, however large. */
	histogram_add(&histogram, number_of_u64(1234567));
	assert_int_equal(histogram_quantile(&histogram, 0.99).magnitude, 1234567);
	histogram_fini(&histogram);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_numbers_are_exact),
		cmocka_unit_test(test_the_error_is_bounded),
		cmocka_unit_test(test_the_ends_of_the_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

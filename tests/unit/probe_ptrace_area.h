/* For the tests of the ptrace backend's parts: an area with points that a test describes. */
#ifndef TPCHECK_TESTS_UNIT_PROBE_PTRACE_AREA_H
#define TPCHECK_TESTS_UNIT_PROBE_PTRACE_AREA_H

#include "probe/ptrace/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static inline struct ptrace_area
area_with(const struct probe_point *points, size_t points_cnt, size_t ring_bytes)
{
	struct ptrace_area area;
	struct diag diag;
	int fd;

	if (ptrace_area_make(&area, &fd, points, points_cnt, ring_bytes, NULL, &diag))
		fail_msg("%s", diag.text);
	close(fd);
	return area;
}

#endif

/* The text of the BPF programs for some probe points: probes/prelude.bpf.c and what is specific to each point. */
#ifndef TPCHECK_PROBE_BPF_PROGRAM_TEXT_H
#define TPCHECK_PROBE_BPF_PROGRAM_TEXT_H

#include "base/buf.h"
#include "base/record.h"
#include "probe/probe.h"

#include <stddef.h>
#include <stdint.h>

#define PROGRAM_TEXT_MULTI_FUNCTION "on_any_point"

/* The text for libbcc. With multi it has one function, PROGRAM_TEXT_MULTI_FUNCTION; else one for each point. */
void program_text_generate(const struct probe_point *points, size_t points_cnt, enum probe_method method,
			   struct buf *out);
void program_text_function_name(const struct probe_point *point, size_t idx, char *out, size_t out_sz);
/* What the kernel keeps with a point and hands to the program; prelude.bpf.c has its layout. */
uint64_t program_text_cookie(const struct probe_point *point, size_t idx);
/* The largest record, rounded up to 8. */
uint32_t program_text_record_bytes(const struct probe_point *points, size_t points_cnt);
/* What the largest map takes at most, as that many values of that size. */
enum { PROGRAM_TEXT_VALUES_MIN = 128, PROGRAM_TEXT_VALUE_BYTES_MAX = 40 << 10 };
/* How many threads there is room for; each needs memory for a record. */
size_t program_text_threads(uint32_t record_bytes);

#endif

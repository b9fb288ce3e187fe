/* What a scenario expects, and the comparison with the events that came.
 *
 * A scenario adds the events that must come, with a value for every argument. A missing argument, a name that the
 * contract does not have, or a value of another type is an error of the scenario, found before anything is compared. An
 * event that was not expected is a finding as well.
 *
 *	expect_source(x, "getblock %s 3", hash);
 *	struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "output %zu of tx %zu", n, i);
 *	want_hash(e, "txid", txid_wire);
 *	want_uint(e, "vout", n);
 *	...
 *
 * Events are compared in order, unless the lane says otherwise; one out of order is a finding about a detail. A
 * scenario whose events come from several independent threads or peers opens a lane for each: an event belongs to the
 * first lane that selects it, and order matters only within a lane. */
#ifndef TPCHECK_CONTRACT_EXPECT_H
#define TPCHECK_CONTRACT_EXPECT_H

#include "base/checked.h"
#include "base/diag.h"
#include "base/event.h"
#include "base/finding.h"
#include "contract/contract.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct expect;
struct expected; /* one expected event; belongs to its struct expect */

struct expect *expect_new(void);
void expect_free(struct expect *x);
/* The release to compare with, initially RELEASE_MASTER; to be called before anything is expected. Expectations are
 * written for master's rows: arguments that the release does not have are ignored, and those of another type or unit
 * are converted. Other differences are the scenario's business. */
void expect_release(struct expect *x, unsigned release);

/* Where the values that follow come from; reported with a finding. */
void expect_source(struct expect *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An event that must come. what names it, for people: "output 1 of transaction 2". kind is the kind of a finding
 * about its absence and, unless want_kind changes it, about its arguments. Never NULL. */
struct expected *expect_event(struct expect *x, enum tracepoint_id tracepoint, enum finding_kind kind,
			      const char *what, ...) __attribute__((format(printf, 4, 5)));

/* The value that the argument of that name must have. */
void want_int(struct expected *e, const char *argument, int64_t value);
void want_uint(struct expected *e, const char *argument, uint64_t value);
void want_bool(struct expected *e, const char *argument, bool value);
void want_hash(struct expected *e, const char *argument, const uint8_t hash_wire[32]);
void want_string(struct expected *e, const char *argument, const char *value);
/* A string that is too long for a record: what comes must be its beginning, and marked as cut. */
void want_cut_string(struct expected *e, const char *argument, const char *value);
/* All the bytes; what comes may be cut at RECORD_PAYLOAD_BYTES, but the length that was passed may not. */
void want_bytes(struct expected *e, const char *argument, const void *bytes, size_t len);
/* From lo to hi, inclusive; for signed and unsigned measurements. */
void want_range(struct expected *e, const char *argument, int64_t lo, int64_t hi);
/* One of these, where the node chooses at random. */
void want_string_of(struct expected *e, const char *argument, const char *const *values, size_t cnt);
/* Changes the kind of the last argument. */
void want_kind(struct expected *e, enum finding_kind kind);

/* Which events a lane selects: all conditions that are given must hold. */
struct lane_select {
	uint64_t tracepoints;     /* bits 1 << id; 0: all */
	const char *int_argument; /* this argument must be int_value */
	int64_t int_value;
	const char *string_argument; /* this argument must be string_value */
	const char *string_value;
};
enum lane_order {
	LANE_ORDERED,
	LANE_ANY_ORDER,
	LANE_IGNORED, /* its events are ignored; expecting one is an error */
};
/* Opens a lane; events expected from now on belong to it. The main lane exists from the start, and selects what no
 * other does. name and select's strings are copied. */
void expect_lane(struct expect *x, const char *name, enum lane_order order, const struct lane_select *select);
/* Continues with the main lane. */
void expect_main_lane(struct expect *x);
/* The kind of a finding about an unexpected event in the current lane; initially FINDING_CONTRACT. */
void expect_extra_kind(struct expect *x, enum finding_kind kind);

/* A finding about a detail that is no event: the node does not do what the scenario needs for a part of itself. The
 * rest is compared all the same. message is one line, complete by itself. */
void expect_detail(struct expect *x, enum tracepoint_id tracepoint, const char *message, ...)
	__attribute__((format(printf, 3, 4)));

/* Drops what was expected of these tracepoints, which the binary does not have. */
void expect_drop(struct expect *x, uint64_t tracepoints);

/* Compares, and appends findings. subject is the tracepoint that the scenario is about: at least one event of it must
 * be expected, as the positive control, without which silence proves nothing. 0, whatever was found; -EINVAL: the
 * expectations are not sound. */
int expect_match(const struct expect *x, enum tracepoint_id subject, const struct event *events,
		 size_t events_cnt, struct findings *findings, struct diag *diag);
/* What expect_match compares. The caller frees checked->items. */
void expect_describe(const struct expect *x, struct checked *checked);

#endif

/* What a scenario expects, and the comparison with what came.
 *
 * A scenario adds the events that must come, each with a wanted value for every argument: an argument left
 * out, a name that the contract does not have or a value of another type is an error of the scenario, found
 * before anything is compared. Whatever comes and was not expected is a finding as well.
 *
 *	expect_source(x, "getblock %s 3", hash);
 *	struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "output %zu of tx %zu", n, i);
 *	want_hash(e, "txid", txid_wire);
 *	want_uint(e, "vout", n);
 *	...
 *
 * Events are compared in order, unless the lane says otherwise; one out of order is a finding about a detail. A
 * scenario whose events come from several independent threads or peers opens a lane for each: an event belongs to
 * the first lane that selects it, and
 * order holds within a lane. */
#ifndef TPCHECK_CONTRACT_EXPECT_H
#define TPCHECK_CONTRACT_EXPECT_H

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
/* The release that is judged; before anything is expected. RELEASE_MASTER from the start. Expectations are written as
 * master's rows have it: arguments that the release does not have are left out, those of another type or unit are
 * compared as such. What it means otherwise is the scenario's to know. */
void expect_release(struct expect *x, unsigned release);

/* Where the wanted values that follow come from; told with a finding. */
void expect_source(struct expect *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An event that must come. what says which one it is, for people: "output 1 of transaction 2". kind is that of
 * the event's absence and, unless changed by want_kind, of its arguments. Never NULL. */
struct expected *expect_event(struct expect *x, enum tracepoint_id tracepoint, enum finding_kind kind,
			      const char *what, ...) __attribute__((format(printf, 4, 5)));

/* One wanted value for the argument of that name. */
void want_int(struct expected *e, const char *argument, int64_t value);
void want_uint(struct expected *e, const char *argument, uint64_t value);
void want_bool(struct expected *e, const char *argument, bool value);
void want_hash(struct expected *e, const char *argument, const uint8_t hash_wire[32]);
void want_string(struct expected *e, const char *argument, const char *value);
/* A string longer than a record has room for: what came has to be its beginning and marked as cut. */
void want_cut_string(struct expected *e, const char *argument, const char *value);
/* The whole of the bytes; what came may have been cut at RECORD_PAYLOAD_BYTES, the length told may not. */
void want_bytes(struct expected *e, const char *argument, const void *bytes, size_t len);
/* From lo to hi, both allowed; for integers of both signs, and for measures alone. */
void want_range(struct expected *e, const char *argument, int64_t lo, int64_t hi);
/* One of these, where the node chooses at random. */
void want_string_of(struct expected *e, const char *argument, const char *const *values, size_t cnt);
/* Changes the kind of the argument wanted last. */
void want_kind(struct expected *e, enum finding_kind kind);

/* Conditions by which a lane selects events: all that are given must hold. */
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
	LANE_IGNORED, /* events here are neither wanted nor blamed; expecting one is an error */
};
/* Opens a lane; events expected from now on belong to it. The lane that exists from the start selects all
 * that no other does. name and select's strings are copied. */
void expect_lane(struct expect *x, const char *name, enum lane_order order, const struct lane_select *select);
/* Goes on with the lane that exists from the start. */
void expect_main_lane(struct expect *x);
/* The kind of a finding about an event that was not expected in the current lane; contract from the start. */
void expect_extra_kind(struct expect *x, enum finding_kind kind);

/* Drops what was expected of these tracepoints (the binary does not have them). */
void expect_drop(struct expect *x, uint64_t tracepoints);

/* Compares. subject is the tracepoint that the scenario is about: at least one event of it has to be
 * expected, as the positive control without which silence proves nothing. Appends findings.
 * Returns 0 when the comparison was made (whatever it found), -EINVAL when the expectations are not sound. */
int expect_match(const struct expect *x, enum tracepoint_id subject, const struct event *events,
		 size_t events_cnt, struct findings *findings, struct diag *diag);

#endif

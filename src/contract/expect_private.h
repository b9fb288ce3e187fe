/* What expect.c and want.c build, match.c compares and mismatch.c reports. Private to src/contract. */
#ifndef TPCHECK_CONTRACT_EXPECT_PRIVATE_H
#define TPCHECK_CONTRACT_EXPECT_PRIVATE_H

#include "base/buf.h"
#include "contract/expect.h"

enum want_op {
	WANT_NOTHING, /* not given yet */
	WANT_INT,
	WANT_UINT,
	WANT_BOOL,
	WANT_HASH,
	WANT_STRING,
	WANT_CUT_STRING,
	WANT_BYTES,
	WANT_RANGE,
	WANT_STRING_OF,
};

struct want {
	enum want_op op;
	enum finding_kind kind;
	const char *source; /* belongs to the expect */
	int64_t lo, hi;     /* WANT_INT: lo */
	uint64_t u;
	uint8_t *bytes; /* hash, string, payload */
	size_t len;
	char **choices;
	size_t choices_cnt;
};

struct expected {
	struct expect *owner;
	enum tracepoint_id tracepoint;
	const struct contract_tracepoint *row; /* of the release */
	enum finding_kind kind;
	unsigned lane;
	char *what;
	const char *source;
	unsigned last_want; /* index of the want given last; args_cnt: none so far */
	unsigned args_cnt;
	struct want wants[]; /* args_cnt, and a spare one for mistakes */
};

struct lane {
	char *name;
	enum lane_order order;
	enum finding_kind extra_kind;
	struct lane_select select; /* strings owned */
};

struct expect {
	struct expected **items;
	size_t cnt, cap;
	struct lane *lanes; /* 0 is the main lane */
	unsigned lanes_cnt, lane;
	char **sources; /* all of them: wants point at them */
	size_t sources_cnt;
	unsigned release;
	uint64_t dropped;        /* tracepoints, bits 1 << id */
	struct findings details; /* see expect_detail */
	char *broken;            /* the first mistake in building it */
};

/* The events that belong to one lane. */
struct lane_events {
	const struct event **items;
	size_t cnt;
};

/* expect.c */
void expect_set_broken(struct expect *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *expect_current_source(const struct expect *x);
/* 0, or -EINVAL: there was a mistake, an argument is left unchecked, or no event of the subject is expected. */
int expect_check(const struct expect *x, enum tracepoint_id subject, struct diag *diag);

/* want.c */
void want_fini(struct want *want);
bool want_fits(const struct want *want, const struct value *value);
void want_format(const struct contract_arg *arg, const struct want *want, struct buf *out);

/* mismatch.c: appends findings. event is the event's position in the lane; place is that of the event before which an
 * expected one should be. */
void mismatch_wrong_args(const struct expected *e, const struct lane_events *events, size_t event,
			 struct findings *findings);
void mismatch_missing(const struct expected *e, const struct lane_events *events, size_t place,
		      struct findings *findings);
/* It came, but out of order. */
void mismatch_moved(const struct expected *e, const struct lane_events *events, size_t place, size_t event,
		    struct findings *findings);
void mismatch_extra(const struct lane *lane, const struct lane_events *events, size_t event,
		    struct findings *findings);

#endif

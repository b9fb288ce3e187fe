/* One event as a line, for people or as JSON. What a peer or a wallet's name says goes into a line only as what a
 * terminal shows and nothing that it obeys. */
#ifndef TPCHECK_TRACE_LINE_H
#define TPCHECK_TRACE_LINE_H

#include "base/buf.h"
#include "trace/selection.h"

/* Turns the events' clock into the time of day, as it was when the trace began. */
struct line_clock {
	int64_t offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t second;   /* that text tells of; 0: none yet */
	char text[16];     /* "12:34:56" */
};
void line_clock_init(struct line_clock *clock);
/* Nanoseconds since the epoch. */
uint64_t line_clock_epoch_ns(const struct line_clock *clock, uint64_t monotonic_ns);
/* Adds "12:34:56.789012", the local time. */
void line_time(struct line_clock *clock, uint64_t monotonic_ns, struct buf *out);

/* Adds "12:34:56.789012 net:inbound_message peer_id=3 ... size=8 B\n". */
void line_text(struct line_clock *clock, const struct contract_tracepoint *row, const struct event *event,
	       struct buf *out);
/* Adds one JSON object and a newline; doc/trace.md tells its members. pid is the process's. */
void line_json(const struct line_clock *clock, const struct contract_tracepoint *row,
	       const struct event *event, int64_t pid, struct buf *out);

/* A value alone. */
void line_value_text(const struct contract_arg *arg, const struct value *value, struct buf *out);
/* null when it could not be read. */
void line_value_json(const struct value *value, struct buf *out);
/* A string for people: as it is when it is a plain word, else between ' with what is special as \xNN. */
void line_string_text(const uint8_t *bytes, size_t len, struct buf *out);
void line_string_json(const uint8_t *bytes, size_t len, struct buf *out);

#endif

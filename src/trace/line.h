/* One event as a line, for people or as JSON. Strings come from peers and others: a line holds only what a terminal
 * shows, and nothing that it obeys. */
#ifndef TPCHECK_TRACE_LINE_H
#define TPCHECK_TRACE_LINE_H

#include "base/buf.h"
#include "trace/selection.h"

/* Turns the events' clock into the time of day; later changes of the time of day have no effect. */
struct line_clock {
	int64_t offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t second;   /* of text, since the epoch; 0: none */
	char text[16];     /* "12:34:56" */
};
void line_clock_init(struct line_clock *clock);
/* Nanoseconds since the epoch. */
uint64_t line_clock_epoch_ns(const struct line_clock *clock, uint64_t monotonic_ns);
/* Adds "12:34:56.789012", the local time. */
void line_time(struct line_clock *clock, uint64_t monotonic_ns, struct buf *out);

/* Adds "12:34:56.789012 net:inbound_message peer_id=3 ... size=8 B\n"; with a pid other than 0, it comes second. */
void line_text(struct line_clock *clock, const struct contract_tracepoint *row, const struct event *event,
	       int64_t pid, struct buf *out);
/* Adds one JSON object and a newline; doc/trace.md lists its members. */
void line_json(const struct line_clock *clock, const struct contract_tracepoint *row,
	       const struct event *event, int64_t pid, struct buf *out);

/* Adds a value, with its unit and the like if arg, which may be NULL, has them. A string stands as it is if it is a
 * plain word, else between ' with special bytes as \xNN. */
void line_value_text(const struct contract_arg *arg, const struct value *value, struct buf *out);
/* Adds a value; null if it could not be read. */
void line_value_json(const struct value *value, struct buf *out);
/* Adds a string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void line_json_string(const uint8_t *bytes, size_t len, struct buf *out);

#endif

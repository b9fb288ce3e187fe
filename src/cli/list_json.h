/* tpcheck list --format=json: see doc/json.md. */
#ifndef TPCHECK_CLI_LIST_JSON_H
#define TPCHECK_CLI_LIST_JSON_H

#include <stdbool.h>

struct list_parts {
	bool tracepoints, scenarios, history;
	unsigned release; /* of the tracepoints */
};

/* One JSON object with these parts, and a final newline; the caller frees it. */
char *list_json(const struct list_parts *parts);

#endif

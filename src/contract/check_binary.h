/* All tracepoints of a binary, as its ELF notes describe them, against the contract of a release. Pure.
 * contract_check_site (contract.h) checks one location against one row; this adds what only the whole binary shows:
 * tracepoints that are missing, undocumented or differ between locations, and addresses that they share. */
#ifndef TPCHECK_CONTRACT_CHECK_BINARY_H
#define TPCHECK_CONTRACT_CHECK_BINARY_H

#include "base/finding.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct checked_binary {
	const struct site *sites;
	size_t sites_cnt;
	unsigned release;
	const char *machine; /* its name */
	bool has_bcc;        /* libbcc can read arguments on that machine */
	bool has_no_wallet;  /* it is known to be built without the wallet */
};

struct binary_findings {
	struct findings wrong;   /* not as the release documents */
	struct findings known;   /* as the code is, where the document is known to differ from it */
	struct findings remarks; /* good to know: undocumented tracepoints and the like */
};

void contract_check_binary(const struct checked_binary *binary, struct binary_findings *findings);
void binary_findings_fini(struct binary_findings *findings);

#endif

/* A whole binary's tracepoints against the contract of a release, by its ELF notes alone. Pure. */
#ifndef TPCHECK_CONTRACT_JUDGE_H
#define TPCHECK_CONTRACT_JUDGE_H

#include "base/finding.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct judged_binary {
	const struct site *sites;
	size_t sites_cnt;
	unsigned release;
	const char *machine;   /* its name */
	bool has_bcc;          /* libbcc can read arguments on that machine */
	bool lacks_the_wallet; /* it is known to have been built without */
};

struct judgement {
	struct findings wrong; /* what is not as the release promises */
	struct findings
		known; /* where document and code are known to differ, and the binary is as the code */
	struct findings remarks; /* what is good to know: undocumented tracepoints and the like */
};

void judge(const struct judged_binary *binary, struct judgement *judgement);
void judgement_fini(struct judgement *judgement);

#endif

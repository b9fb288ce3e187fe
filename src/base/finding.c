#include "base/finding.h"

#include "base/xmem.h"

#include <stdlib.h>

struct finding *
findings_add(struct findings *findings, enum finding_kind kind, const char *tracepoint, unsigned argument,
	     const char *argument_name, const char *want, const char *got, const char *source,
	     const char *message)
{
	/* Room for the next power of 2. */
	if (!(findings->cnt & (findings->cnt - 1)))
		findings->items = xreallocarray(findings->items, findings->cnt ? 2 * findings->cnt : 1,
						sizeof(*findings->items));
	struct finding *finding = &findings->items[findings->cnt++];

	*finding = (struct finding){
		.kind = kind,
		.tracepoint = xstrdup_or_null(tracepoint),
		.argument = argument,
		.argument_name = xstrdup_or_null(argument_name),
		.want = xstrdup_or_null(want),
		.got = xstrdup_or_null(got),
		.source = xstrdup_or_null(source),
		.message = xstrdup(message),
	};
	return finding;
}

static void
fini(struct finding *finding)
{
	free(finding->tracepoint);
	free(finding->argument_name);
	free(finding->want);
	free(finding->got);
	free(finding->source);
	free(finding->message);
	free(finding->context);
}

void
findings_remove(struct findings *findings, size_t idx)
{
	struct finding removed = findings->items[idx];

	for (size_t i = idx; i + 1 < findings->cnt; i++)
		findings->items[i] = findings->items[i + 1];
	findings->cnt--;
	fini(&removed);
}

void
findings_fini(struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++)
		fini(&findings->items[i]);
	free(findings->items);
	*findings = (struct findings){0};
}

const char *
finding_kind_name(enum finding_kind kind)
{
	static const char *const names[] = {[FINDING_CONTRACT] = "contract",
					    [FINDING_DETAIL] = "detail",
					    [FINDING_SANITIZER] = "sanitizer"};

	return names[kind];
}

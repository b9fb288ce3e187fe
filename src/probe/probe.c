/* Chooses the backend: BPF where it works, as it is what most consumers use and the faster one, else ptrace. No other
 * file of the shared part names one. */
#include "base/xmem.h"
#include "probe/backend.h"
#include "probe/bpf/backend.h"
#include "probe/ptrace/backend.h"
#include "probe/set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *
probe_method_name(enum probe_method method)
{
	switch (method) {
	case PROBE_METHOD_MULTI:
		return "multi";
	case PROBE_METHOD_PERF:
		return "perf";
	case PROBE_METHOD_TRACEFS:
		return "tracefs";
	case PROBE_METHOD_PTRACE:
		return "ptrace";
	case PROBE_METHOD_AUTO:
		break;
	}
	return "auto";
}

enum { REASON_BYTES = 600 };

static const struct probe_backend *
backend_of(enum probe_method method)
{
	return method == PROBE_METHOD_PTRACE ? &ptrace_backend : &bpf_backend;
}

/* Whether BPF does not work, with the reason; err is that of having tried it, or 0. */
static bool
finds_bpf_obstacle(int err, char *reason, size_t reason_sz)
{
	return err ? bpf_backend.find_obstacle(PROBE_METHOD_AUTO, reason, reason_sz)
		   : bpf_backend.find_early_obstacle(PROBE_METHOD_AUTO, reason, reason_sz);
}

/* Why neither works, first what is more easily removed. What is in the way of both is given once. */
static void
describe_both(char *reason, size_t reason_sz, const char *bpf_reason, const char *ptrace_reason)
{
	struct probe_feature features[PROBE_FEATURES_MAX];
	char early[REASON_BYTES];

	if (ptrace_backend.find_early_obstacle(PROBE_METHOD_PTRACE, early, sizeof(early))) {
		snprintf(reason, reason_sz, "%s", early);
		return;
	}
	ptrace_backend.try_features(features, NULL);
	if (features[0].needs_boot)
		snprintf(reason, reason_sz, "%s; nor by ptrace: %s", bpf_reason, ptrace_reason);
	else
		snprintf(reason, reason_sz, "%s; nor by BPF: %s", ptrace_reason, bpf_reason);
}

static int
new_automatically(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
		  const struct probe_opts *opts, struct diag *diag)
{
	char bpf_reason[REASON_BYTES], ptrace_reason[REASON_BYTES], both[2 * REASON_BYTES];
	int err = 0;

	if (!finds_bpf_obstacle(0, bpf_reason, sizeof(bpf_reason))) {
		err = set_new(out, &bpf_backend, points, points_cnt, opts, diag);
		if (!err || !finds_bpf_obstacle(err, bpf_reason, sizeof(bpf_reason)))
			return err;
	}
	if (ptrace_backend.find_obstacle(PROBE_METHOD_PTRACE, ptrace_reason, sizeof(ptrace_reason))) {
		describe_both(both, sizeof(both), bpf_reason, ptrace_reason);
		return err ? err : diag_fail(diag, -EOPNOTSUPP, "probe: %s", both);
	}
	err = set_new(out, &ptrace_backend, points, points_cnt, opts, diag);
	if (!err)
		(*out)->why = xstrdup(bpf_reason);
	return err;
}

int
probe_set_new(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
	      const struct probe_opts *opts, struct diag *diag)
{
	static const struct probe_opts defaults;

	if (!opts)
		opts = &defaults;
	if (opts->method == PROBE_METHOD_AUTO)
		return new_automatically(out, points, points_cnt, opts, diag);
	return set_new(out, backend_of(opts->method), points, points_cnt, opts, diag);
}

/* Where ptrace works, what only BPF needs is not needed. */
size_t
probe_try_features(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source)
{
	static const char *const always_needed[] = {"proc", "machine", "valgrind"};
	size_t cnt = bpf_backend.try_features(features, kernel_source);
	size_t ptrace_cnt = ptrace_backend.try_features(features + cnt, kernel_source);

	for (size_t i = 0; i < cnt && features[cnt].ok; i++) {
		bool needed = false;

		for (size_t n = 0; n < sizeof(always_needed) / sizeof(*always_needed); n++)
			needed |= !strcmp(features[i].name, always_needed[n]);
		features[i].needed &= needed;
	}
	return cnt + ptrace_cnt;
}

bool
probe_lacks_memory(void)
{
	return bpf_backend.lacks_memory();
}

void
probe_sweep(void)
{
	bpf_backend.sweep();
}

/* The obstacle of a method that was asked for is not one of all. */
static void
add_way_out(enum probe_method method, char *reason, size_t reason_sz)
{
	char ignored[REASON_BYTES];
	size_t len = strlen(reason);
	const char *works = NULL;

	if (method != PROBE_METHOD_PTRACE && !probe_find_bpf_obstacle(ignored, sizeof(ignored)))
		works = "another way of BPF works here: leave --attach out";
	else if (method != PROBE_METHOD_PTRACE &&
		 !ptrace_backend.find_obstacle(PROBE_METHOD_PTRACE, ignored, sizeof(ignored)))
		works = "ptrace works here: leave --attach out, or use --attach=ptrace";
	else if (method == PROBE_METHOD_PTRACE && !probe_find_bpf_obstacle(ignored, sizeof(ignored)))
		works = "BPF works here: leave --attach out";
	if (works)
		snprintf(reason + len, reason_sz - len, "; %s", works);
}

bool
probe_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	char bpf_reason[REASON_BYTES], ptrace_reason[REASON_BYTES];

	if (method != PROBE_METHOD_AUTO) {
		if (!backend_of(method)->find_early_obstacle(method, reason, reason_sz))
			return false;
		add_way_out(method, reason, reason_sz);
		return true;
	}
	/* The trial of ptrace is harmless. */
	if (!finds_bpf_obstacle(0, bpf_reason, sizeof(bpf_reason)) ||
	    !ptrace_backend.find_obstacle(PROBE_METHOD_PTRACE, ptrace_reason, sizeof(ptrace_reason)))
		return false;
	describe_both(reason, reason_sz, bpf_reason, ptrace_reason);
	return true;
}

bool
probe_find_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	char bpf_reason[REASON_BYTES], ptrace_reason[REASON_BYTES];

	if (method != PROBE_METHOD_AUTO) {
		if (!backend_of(method)->find_obstacle(method, reason, reason_sz))
			return false;
		add_way_out(method, reason, reason_sz);
		return true;
	}
	if (!probe_find_bpf_obstacle(bpf_reason, sizeof(bpf_reason)) ||
	    !ptrace_backend.find_obstacle(method, ptrace_reason, sizeof(ptrace_reason)))
		return false;
	describe_both(reason, reason_sz, bpf_reason, ptrace_reason);
	return true;
}

bool
probe_find_bpf_obstacle(char *reason, size_t reason_sz)
{
	return bpf_backend.find_early_obstacle(PROBE_METHOD_AUTO, reason, reason_sz) ||
	       bpf_backend.find_obstacle(PROBE_METHOD_AUTO, reason, reason_sz);
}

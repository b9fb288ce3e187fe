/* Chooses the backend. No other file of the shared part names one. */
#include "probe/backend.h"
#include "probe/bpf/backend.h"
#include "probe/set.h"

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
	case PROBE_METHOD_AUTO:
		break;
	}
	return "auto";
}

int
probe_set_new(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
	      const struct probe_opts *opts, struct diag *diag)
{
	static const struct probe_opts defaults;

	return set_new(out, &bpf_backend, points, points_cnt, opts ? opts : &defaults, diag);
}

size_t
probe_try_features(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source)
{
	return bpf_backend.try_features(features, kernel_source);
}

bool
probe_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	return bpf_backend.find_early_obstacle(method, reason, reason_sz);
}

bool
probe_find_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	return bpf_backend.find_obstacle(method, reason, reason_sz);
}

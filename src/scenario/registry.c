#include "scenario/registry.h"

#include <stddef.h>

const struct scenario *const scenarios[] = {
#define SCENARIO(name) &name,
#include "scenario/scenarios.def"
#undef SCENARIO
	NULL,
};

#include "scenario/registry.h"

const struct profile profile_default = {.name = "default"};

const struct scenario *const scenarios[] = {
#define SCENARIO(name) &name,
#include "scenario/scenarios.def"
#undef SCENARIO
	NULL,
};

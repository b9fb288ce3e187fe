#include "scenario/registry.h"

#include "scenario/blocks.h"

const struct profile profile_default = {.name = "default", .warm = blocks_warm};

const struct scenario *const scenarios[] = {
#define SCENARIO(name) &name,
#include "scenario/scenarios.def"
#undef SCENARIO
	NULL,
};

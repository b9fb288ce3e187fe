/* All scenarios, from scenarios.def. */
#ifndef TPCHECK_SCENARIO_REGISTRY_H
#define TPCHECK_SCENARIO_REGISTRY_H

#include "scene/profiles.h"
#include "scene/scenario.h"

#define SCENARIO(name) extern const struct scenario name;
#include "scenario/scenarios.def"
#undef SCENARIO

/* In the order in which they run; ends with NULL. */
extern const struct scenario *const scenarios[];

#endif

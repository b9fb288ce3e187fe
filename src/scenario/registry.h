/* Every scenario, declared from scenarios.def. */
#ifndef TPCHECK_SCENARIO_REGISTRY_H
#define TPCHECK_SCENARIO_REGISTRY_H

#include "scenario/scenario.h"

#define SCENARIO(name) extern const struct scenario name;
#include "scenario/scenarios.def"
#undef SCENARIO

#endif

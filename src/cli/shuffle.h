/* Another order of scenarios, for run --shuffle. */
#ifndef TPCHECK_CLI_SHUFFLE_H
#define TPCHECK_CLI_SHUFFLE_H

#include "scene/scenario.h"

#include <stddef.h>
#include <stdint.h>

/* Puts them into an order that depends on the seed only. Those that share a node stay together. */
void shuffle(const struct scenario **chosen, size_t cnt, uint32_t seed);

#endif

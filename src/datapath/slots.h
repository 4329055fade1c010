/* SPDX-License-Identifier: BSD-2-Clause */
/* Which slot counts which rule: a rule whose text is unchanged keeps its slot, and so its counter, over a change. */
#ifndef SLUICE_DATAPATH_SLOTS_H
#define SLUICE_DATAPATH_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "compile/compile.h"
#include "datapath/running.h"

/* One slot for each of compiled.rules; free the result. There are always enough: see RULE_SLOTS. */
uint32_t *slots_assign(const struct running *running, const struct compiled *compiled);

/* True when a pinned generation counts a rule of the interface there. */
bool slots_in_use(const struct running *running, const char *interface, uint32_t slot);

#endif

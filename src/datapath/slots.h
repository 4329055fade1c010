/* SPDX-License-Identifier: BSD-2-Clause */
/* Which slot counts which rule: a rule whose text is unchanged keeps its slot, and so its counter, over a change. */
#ifndef SLUICE_DATAPATH_SLOTS_H
#define SLUICE_DATAPATH_SLOTS_H

#include <stdint.h>

#include "compile/compile.h"
#include "datapath/running.h"

struct slots {
	uint32_t *items; /* one for each of compiled.rules */
	uint32_t needed; /* all are below */
	uint32_t *fresh; /* those that no pinned generation counts a rule of the interface in */
	size_t fresh_count;
};

/* There are always enough: see RULE_SLOTS. Free with slots_free. Where several rules have the same text, they keep
 * their slots in order. */
struct slots slots_assign(const struct running *running, const struct compiled *compiled);
void slots_free(struct slots *slots);

#endif

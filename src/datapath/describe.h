/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the description of a generation that is being made. */
#ifndef SLUICE_DATAPATH_DESCRIBE_H
#define SLUICE_DATAPATH_DESCRIBE_H

#include "compile/compile.h"
#include "datapath/description.h"

/* All but the interfaces, which describe_interface fills in, each once. Free with description_free. */
struct description describe(const struct policy *policy, unsigned generation, int64_t applied);
void describe_interface(struct description *description, size_t index, const struct compiled *compiled);

/* The slots dealt out to the rules of interface number `index`. */
void describe_slots(struct description *description, size_t index, const uint32_t *slots);

#endif

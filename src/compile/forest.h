/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes into groups, groups into hash tables of trees, and what no tree could hold into the linear rest. */
#ifndef SLUICE_COMPILE_FOREST_H
#define SLUICE_COMPILE_FOREST_H

#include "compile/box.h"
#include "compile/heap.h"
#include "compile/tree.h"

struct forest {
	struct heap heap;
	struct trees trees;
	struct classifier_layout layout; /* its groups */
	unsigned group_count;
	uint32_t *linear; /* owned; numbers of boxes, ascending */
	size_t linear_count;
};

/* At least one box. `spare` is classifier_build's. */
void forest_make(const struct boxes *boxes, unsigned *spare, struct forest *out);
void forest_free(struct forest *forest);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's way to its dynamic sets: the two arrays of maps in bpf/sets.h. */
#ifndef SLUICE_DATAPATH_DYNAMIC_H
#define SLUICE_DATAPATH_DYNAMIC_H

#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"
#include "datapath/sets.h"

struct sluice_bpf;

/* Before load: the arrays are made only for a program that names dynamic sets, whose rules are counted in `slots`
 * (NULL: a rule's index is its slot). */
int dynamic_prepare(struct sluice_bpf *skeleton, const uint32_t *slots);

/* After load. `sets` are those of the policy; NULL: empty ones of the program's own. Returns 0 or a
 * negative errno. */
int dynamic_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct sets *sets);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer that is code for just these rules: comparisons with constants and jumps, rule after rule, as a compiler of
 * rules to BPF would write them. It knows what the one that walks knows (walk.h).
 */
#ifndef SLUICE_BENCH_STRAIGHT_H
#define SLUICE_BENCH_STRAIGHT_H

#include "base/error.h"
#include "compile/compile.h"

struct straight {
	int program, hits; /* descriptors; -1: closed */
};

/* Returns 0 and what is to be closed with straight_close, or a negative errno with `error` set: -E2BIG where a jump
 * would be farther than an instruction can say (some two thousand rules). */
int straight_load(const struct compiled *compiled, struct straight *out, struct error *error);
void straight_close(struct straight *straight);

#endif

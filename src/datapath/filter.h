/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rules of a program do beyond their verdicts, and the maps that it takes for that (bpf/filter.h, rate.h,
 * ban.h, events.h, track.h). */
#ifndef SLUICE_DATAPATH_FILTER_H
#define SLUICE_DATAPATH_FILTER_H

#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"

struct sluice_bpf;
struct state;

/* Before load: maps are made only where the policy needs them; those of `state` (NULL: none) are gone on with. What
 * actions ask for goes into the configuration. Returns 0 or a negative errno. */
int filter_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state);

/* The same for a copy of a running program, which has its configuration already: state of its own, and it tells and
 * bans nobody. */
int filter_prepare_copy(struct sluice_bpf *skeleton);

/* After load: draws the seed of limits that begin. Returns 0 or a negative errno. */
int filter_begin(struct sluice_bpf *skeleton, const struct state *state);

#endif

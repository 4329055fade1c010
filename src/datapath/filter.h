/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's filter: what its rules do, and the maps that it takes for that (bpf/filter.h, limit.h, events.h,
 * track.h).
 */
#ifndef SLUICE_DATAPATH_FILTER_H
#define SLUICE_DATAPATH_FILTER_H

#include <stdint.h>

#include "base/error.h"
#include "compile/compile.h"

struct sluice_bpf;
struct state;

/* Before load: maps are made only where the policy needs them; those of `state` (NULL: none) are gone on with. What
 * actions ask for goes into config.filter_needs. Returns 0 or a negative errno. */
int filter_prepare(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state);

/* The same for a copy of a running program, which has its configuration already: state of its own. */
int filter_prepare_copy(struct sluice_bpf *skeleton);

/* After load: writes actions, counting in `slots` (NULL: a rule's index is its slot), and reads them back; draws the
 * seed of limits that begin. Returns 0 or a negative errno, -EIO when they are not what was written. */
int filter_fill(struct sluice_bpf *skeleton, const struct compiled *compiled, const struct state *state,
		const uint32_t *slots);

struct bpf_map;

/* Writes elements of 8 bytes, or of multiples of it, as the kernel lays them out in a map that can be mapped, and reads
 * them back. Returns 0 or a negative errno, -EIO when they are not what was written. */
int map_fill(const struct bpf_map *map, const void *elements, size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's ordered lists of rules (enum classifier_list): for each its classifiers, and what its rules do. */
#ifndef SLUICE_DATAPATH_LISTS_H
#define SLUICE_DATAPATH_LISTS_H

#include <stdint.h>

#include "compile/compile.h"

struct bpf_map;
struct sluice_bpf;

struct list_maps {
	struct bpf_map *classifier4, *classifier6, *actions, *more;
	struct bpf_map *runs; /* of actions; NULL: the list has none */
};

struct list_maps list_maps(const struct sluice_bpf *skeleton, enum classifier_list list);

/* Before load: sets the sizes of the maps; those of lists that have no rules are not made. Returns 0 or a negative
 * errno. */
int lists_prepare(const struct sluice_bpf *skeleton, const struct compiled *compiled);

/* After load: writes the images and actions, counting in `slots` (NULL: a rule's index is its slot), and reads them
 * back. Returns 0 or a negative errno, -EIO when they are not what was written. */
int lists_fill(const struct sluice_bpf *skeleton, const struct compiled *compiled, const uint32_t *slots);

/* Elements of 8 bytes, or of multiples of it, into a map that can be mapped; as above. */
int map_fill(const struct bpf_map *map, const void *elements, size_t size);

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* What bpf/walk.bpf.c walks: the boxes of a filter one by one, a peer that `make bench` compares Sluice with. */
#ifndef SLUICE_WALK_H
#define SLUICE_WALK_H

#include "sluice/filter.h"

#define WALK_CHUNK 64 /* boxes in one step of bpf_loop */

/* The packet's addresses and lanes (struct filter_key) are in the box when they differ in no bit of the mask, and no
 * lane is outside. */
struct walk_box {
	__u64 addresses, mask;
	__u64 low, high;
};

/* What is left over in the last one has boxes that nothing is in. */
struct walk_chunk {
	struct walk_box boxes[WALK_CHUNK];
	__u32 rules[WALK_CHUNK];
};

_Static_assert(sizeof(struct walk_chunk) == WALK_CHUNK * 36, "shared layout");

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prefix tables: an address in, the rule slot of the longest prefix that covers it out. User space has already settled
 * who wins where prefixes overlap (src/compile/prefixes.c), so the longest one has the answer.
 */
#ifndef SLUICE_PREFIXES_H
#define SLUICE_PREFIXES_H

#include "packet.h"
#include "sluice/prefixes4.h"
#include "sluice/prefixes6.h"

/* One value, the whole image; its size is set before load. A table that the policy does not use is not created
 * (src/datapath/program.c), and the code that would read it is deleted by the verifier. */
#define PREFIX_TABLE(name) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1); \
		__uint(key_size, sizeof(__u32)); \
		__uint(value_size, sizeof(__u64)); \
	} name SEC(".maps")

static __always_inline __u32 prefixes_lookup4(void *table, const volatile struct prefix_layout *layout,
					      const union address *address)
{
	const __u64 *image = bpf_map_lookup_elem(table, &(__u32){ 0 });
	return image ? prefixes4_lookup(image, layout, bpf_ntohl(address->v4)) : PREFIX_NONE;
}

static __always_inline __u32 prefixes_lookup6(void *table, const volatile struct prefix_layout *layout,
					      const union address *address)
{
	const __u64 *image = bpf_map_lookup_elem(table, &(__u32){ 0 });
	return image ? prefixes6_lookup(image, layout, address->words[0], address->words[1]) : PREFIX_NONE;
}

#endif

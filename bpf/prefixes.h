/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Prefix tables: an address in, the rule slot of the longest prefix that covers it out. User space has already settled
 * who wins where prefixes overlap (src/compile/prefixes.c), so the longest one has the answer.
 */
#ifndef SLUICE_PREFIXES_H
#define SLUICE_PREFIXES_H

#include "packet.h"

/* A table that the policy does not use is not created (src/datapath/program.c), and the code that would read it is
 * deleted by the verifier. */
#define PREFIX_TABLE(name, key_type) \
	struct { \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, 1); /* set before load */ \
		__type(key, key_type); \
		__type(value, __u32); \
	} name SEC(".maps")

static __always_inline __u32 prefixes_lookup4(void *table, const union address *address)
{
	struct prefix_key4 key = { .length = 32 };
	__builtin_memcpy(key.address, &address->v4, sizeof(key.address));
	__u32 *value = bpf_map_lookup_elem(table, &key);
	return value ? *value : PREFIX_NONE;
}

static __always_inline __u32 prefixes_lookup6(void *table, const union address *address)
{
	struct prefix_key6 key = { .length = 128 };
	__builtin_memcpy(key.address, &address->v6, sizeof(key.address));
	__u32 *value = bpf_map_lookup_elem(table, &key);
	return value ? *value : PREFIX_NONE;
}

#endif

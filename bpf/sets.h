/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Dynamic sets: is an address in one, now? The maps of a set are reached through arrays of maps, which user space can
 * point at others while the program runs: so a set can get another size under every program that uses it.
 */
#ifndef SLUICE_BPF_SETS_H
#define SLUICE_BPF_SETS_H

#include "packet.h"
#include "record.h"
#include "sluice/set.h"

/* Preallocated: the memory is there before the first packet is, and no lack of it can keep an entry out. */
struct dynamic_entries {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* each set has its own */
	__uint(key_size, sizeof(struct set_key));
	__uint(value_size, sizeof(struct set_value));
};

struct dynamic_head {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct set_head));
};

/* Not created where a policy names no dynamic set. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DYNAMIC_COUNT);
	__type(key, __u32);
	__array(values, struct dynamic_entries);
} dynamic_entries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DYNAMIC_COUNT);
	__type(key, __u32);
	__array(values, struct dynamic_head);
} dynamic_heads SEC(".maps");

static __always_inline int filter_has(const struct set_head *head, const struct set_key *key)
{
	__u64 mask = *(volatile __u64 *)&head->filter_mask;
	__u64 hash = set_hash(key, head->seed);
	__u64 bits = set_filter_bits(hash);

	return !mask || (head->filter[set_filter_word(hash, mask)] & bits) == bits;
}

/* The prefix of that length that has the address. */
static __always_inline struct set_key set_key_of(__u32 version, const union address *address, __u32 length)
{
	return (struct set_key){
		.address = { address->words[0] & bpf_cpu_to_be64(set_mask_high(length)),
			     address->words[1] & bpf_cpu_to_be64(set_mask_low(length)) },
		.version = version,
		.length = length,
	};
}

static __always_inline int set_has_length(void *entries, const struct set_head *head, __u32 version,
					  const union address *address, __u32 length)
{
	struct set_key key = set_key_of(version, address, length);
	struct set_value *value;

	if (!filter_has(head, &key))
		return 0;
	value = bpf_map_lookup_elem(entries, &key);
	return value && (value->expires == SET_NEVER || value->expires > packet_time_coarse());
}

static __always_inline int set_has(__u32 index, __u32 version, const union address *address)
{
	void *entries = bpf_map_lookup_elem(&dynamic_entries, &index);
	void *head_map = bpf_map_lookup_elem(&dynamic_heads, &index);
	struct set_head *head;
	__u64 lengths;
	__u32 only = 0;

	if (!entries || !head_map)
		return 0;
	head = bpf_map_lookup_elem(head_map, &only);
	if (!head)
		return 0;
	/* At once: user space changes all of them at once, too. */
	lengths = *(volatile __u64 *)&head->lengths[version == 6];
	for (int i = 0; i < SET_LENGTHS && lengths; i++, lengths >>= 8) {
		if (set_has_length(entries, head, version, address, (lengths & 0xff) - 1))
			return 1;
	}
	return 0;
}

/* As set_has, checked by the verifier once for all that call it. */
__noinline int set_has_address(__u32 index, __u32 version, const union address *address)
{
	if (UNUSED(config.except_sets + config.from_sets + config.to_sets + config.filter_source_sets +
		   config.filter_destination_sets))
		return 0;
	return address && index < DYNAMIC_COUNT && set_has(index, version, address);
}

/* Inlined, it is some nanoseconds faster. The verifier's budget does not allow that for many sets, or beside a filter.
 */
static __always_inline int block_has(__u32 index, const struct packet *pkt, const union address *address)
{
	int many = config.filter || config.except_sets + config.from_sets + config.to_sets > DYNAMIC_MAX;

	return many ? set_has_address(index, pkt->version, address) : set_has(index, pkt->version, address);
}

/* The rule of the first of these sets that has the address; PREFIX_NONE when none has. */
static __always_inline __u32 sets_find(__u32 first, __u32 count, const volatile __u32 *rules, const struct packet *pkt,
				       const union address *address)
{
	for (__u32 i = 0; i < count && i < DYNAMIC_MAX; i++) {
		if (block_has(first + i, pkt, address))
			return rules[i];
	}
	return PREFIX_NONE;
}

static __always_inline int sets_except(const struct packet *pkt, const union address *address)
{
	for (__u32 i = 0; i < config.except_sets && i < DYNAMIC_MAX; i++) {
		if (block_has(DYNAMIC_EXCEPT + i, pkt, address))
			return 1;
	}
	return 0;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The key: what rules of the limit stage and of the filter may ask of a packet (include/sluice/filter.h). The first
 * stage that has rules fills it, the others find it filled.
 */
#ifndef SLUICE_BPF_KEY_H
#define SLUICE_BPF_KEY_H

#include <linux/if_ether.h>

#include "default.h"
#include "prefixes.h"
#include "sets.h"
#include "sluice/filter.h"

/* Their values are bits: the sets that an address is in. */
PREFIX_TABLE(filter_source4);
PREFIX_TABLE(filter_source6);
PREFIX_TABLE(filter_dest4);
PREFIX_TABLE(filter_dest6);

/* Where each CPU makes its key. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter_key);
} filter_keys SEC(".maps");

/* Only what is sound is of the failsafe, as in default.h. */
static __always_inline __u64 key_protocol(const struct packet *pkt)
{
	if (pkt->ethertype == ETH_P_ARP)
		return FILTER_PROTOCOL_ARP;
	if (!(pkt->has & HAS_ADDRESSES))
		return FILTER_PROTOCOL_OTHER;
	return !pkt->malformed && is_failsafe(pkt) ? FILTER_PROTOCOL_FAILSAFE : pkt->protocol;
}

static __always_inline __u64 lanes(__u64 source, __u64 destination, __u64 protocol)
{
	return source << FILTER_SOURCE_PORT_SHIFT | destination << FILTER_DESTINATION_PORT_SHIFT |
	       protocol << FILTER_PROTOCOL_SHIFT;
}

static __always_inline __u64 key_lanes(const struct packet *pkt)
{
	if (pkt->has & HAS_PORTS)
		return lanes(pkt->source_port, pkt->destination_port, pkt->protocol);
	if (pkt->has & HAS_ICMP)
		return lanes(pkt->icmp_type, pkt->icmp_code, key_protocol(pkt));
	if (pkt->has & HAS_ADDRESSES)
		return lanes(FILTER_PORT_NONE, FILTER_PORT_NONE, pkt->protocol);
	return lanes(FILTER_PORT_NONE, pkt->ethertype, key_protocol(pkt));
}

static __always_inline __u64 static_bits(__u32 value)
{
	return value == PREFIX_NONE ? 0 : value;
}

static __always_inline __u64 dynamic_bits(__u32 first, __u32 count, const struct packet *pkt,
					  const union address *address)
{
	__u64 bits = 0;

	for (__u32 i = 0; i < count && i < DYNAMIC_MAX; i++) {
		if (set_has_address(first + i, pkt->version, address))
			bits |= 1ULL << (FILTER_DYNAMIC_BIT + i);
	}
	return bits;
}

/* A function of its own: what a table may answer is so much that the verifier would not come to an end if it went on
 * from each answer. */
__noinline __u64 key_sets(const struct packet *pkt)
{
	__u64 source = 0, destination = 0;

	if (!pkt)
		return 0;

	if (config.filter_source4.end && pkt->version == 4)
		source = static_bits(prefixes_lookup4(&filter_source4, &config.filter_source4, &pkt->source));
	if (config.filter_source6.end && pkt->version == 6)
		source = static_bits(prefixes_lookup6(&filter_source6, &config.filter_source6, &pkt->source));
	if (config.filter_dest4.end && pkt->version == 4)
		destination = static_bits(prefixes_lookup4(&filter_dest4, &config.filter_dest4, &pkt->destination));
	if (config.filter_dest6.end && pkt->version == 6)
		destination = static_bits(prefixes_lookup6(&filter_dest6, &config.filter_dest6, &pkt->destination));
	source |= dynamic_bits(DYNAMIC_FILTER_SOURCE, config.filter_source_sets, pkt, &pkt->source);
	destination |= dynamic_bits(DYNAMIC_FILTER_DESTINATION, config.filter_destination_sets, pkt, &pkt->destination);
	return source << FILTER_SOURCE_SETS_SHIFT | destination << FILTER_DESTINATION_SETS_SHIFT;
}

static __always_inline int has_sets(void)
{
	return config.filter_source4.end || config.filter_source6.end || config.filter_dest4.end ||
	       config.filter_dest6.end || config.filter_source_sets || config.filter_destination_sets;
}

static __always_inline __u64 key_marks(const struct packet *pkt, __u64 sets)
{
	__u64 marks = (__u64)pkt->extensions << FILTER_EXTENSION_SHIFT;

	if (pkt->has & HAS_FLAGS)
		marks |= FILTER_TCP | pkt->tcp_flags;
	if (pkt->fragment == FRAGMENT_FIRST)
		marks |= FILTER_FRAGMENT_FIRST;
	if (pkt->fragment == FRAGMENT_LATER)
		marks |= FILTER_FRAGMENT_LATER;
	if (pkt->has & HAS_ADDRESSES)
		marks |= FILTER_IP | sets;
	return marks;
}

static __always_inline __u64 key_ranges(const struct packet *pkt)
{
	__u64 length = pkt->length < 65535 ? pkt->length : 65535;
	__u64 vlan = pkt->vlans ? pkt->vlan[0] : FILTER_VLAN_NONE;

	if (pkt->has & HAS_ADDRESSES)
		length = pkt->ip_length;
	return length << FILTER_LENGTH_SHIFT | (__u64)pkt->hop_limit << FILTER_HOP_LIMIT_SHIFT |
	       (__u64)pkt->dscp << FILTER_DSCP_SHIFT | vlan << FILTER_VLAN_SHIFT;
}

/* Of the source; parse has no use for it. */
static __always_inline __u64 key_mac(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u64 mac = 0;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	for (int i = 0; i < ETH_ALEN; i++)
		mac = mac << 8 | eth->h_source[i];
	return mac;
}

/* All but the addresses. `sets` is of key_sets. What no rule asks for stays 0. */
static __always_inline void fill_key(struct xdp_md *ctx, const struct packet *pkt, __u64 sets, struct filter_key *key)
{
	key->lanes = key_lanes(pkt);
	if (config.filter_needs & FILTER_NEEDS_MARKS)
		key->marks = key_marks(pkt, sets);
	if (config.filter_needs & FILTER_NEEDS_RANGES)
		key->ranges = key_ranges(pkt);
	if (config.filter_needs & FILTER_NEEDS_MAC)
		key->mac = key_mac(ctx);
}

static __always_inline void fill_key4(struct xdp_md *ctx, const struct packet *pkt, __u64 sets, struct filter_key *key)
{
	key->addresses[0] = 0;
	if (pkt->version)
		key->addresses[0] = (__u64)bpf_ntohl(pkt->source.v4) << 32 | bpf_ntohl(pkt->destination.v4);
	fill_key(ctx, pkt, sets, key);
}

static __always_inline void fill_key6(struct xdp_md *ctx, const struct packet *pkt, __u64 sets, struct filter_key *key)
{
	key->addresses[0] = bpf_be64_to_cpu(pkt->source.words[0]);
	key->addresses[1] = bpf_be64_to_cpu(pkt->source.words[1]);
	key->addresses[2] = bpf_be64_to_cpu(pkt->destination.words[0]);
	key->addresses[3] = bpf_be64_to_cpu(pkt->destination.words[1]);
	fill_key(ctx, pkt, sets, key);
}

/* The key, filled unless an earlier stage has done so (a constant), or NULL. Not on the stack, because a classifier
 * needs more than half of the 512 bytes that a program's calls have in all. */
static __always_inline const struct filter_key *key4(struct xdp_md *ctx, const struct packet *pkt, __u64 sets,
						     int filled)
{
	struct filter_key *key = bpf_map_lookup_elem(&filter_keys, &(__u32){ 0 });

	if (pkt && key && !filled)
		fill_key4(ctx, pkt, sets, key);
	return key;
}

static __always_inline const struct filter_key *key6(struct xdp_md *ctx, const struct packet *pkt, __u64 sets,
						     int filled)
{
	struct filter_key *key = bpf_map_lookup_elem(&filter_keys, &(__u32){ 0 });

	if (pkt && key && !filled)
		fill_key6(ctx, pkt, sets, key);
	return key;
}

#endif

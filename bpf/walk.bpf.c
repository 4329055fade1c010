// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * The filter that `make bench` compares Sluice's with: every rule in turn until one matches, over an array, for IPv4.
 * It does as little else as can be: headers without options, one counter for each rule.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sluice/counter.h"
#include "sluice/walk.h"

#define NO_RULE (~0U)

/* User space sets the sizes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_chunk);
} chunks SEC(".maps");

/* By the number of a rule: enum xdp_action. In steps of 8 bytes, as the kernel lays out an array that is mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} hits SEC(".maps");

const volatile __u32 chunk_count = 0;

struct walk {
	__u64 addresses, lanes;
	__u32 rule;
};

static long walk_chunk(__u32 number, struct walk *walk)
{
	const struct walk_chunk *chunk = bpf_map_lookup_elem(&chunks, &number);
	__u64 addresses = walk->addresses, lanes = walk->lanes;

	if (!chunk)
		return 1;
	for (int i = 0; i < WALK_CHUNK; i++) {
		const struct walk_box *box = &chunk->boxes[i];

		if ((addresses ^ box->addresses) & box->mask)
			continue;
		if (filter_lanes_inside(lanes, box->low, box->high, FILTER_LANES_GUARDS) != FILTER_LANES_GUARDS)
			continue;
		walk->rule = chunk->rules[i];
		return 1;
	}
	return 0;
}

static __always_inline __u64 lanes_of(const struct iphdr *ip, const __be16 *ports)
{
	__u64 source = FILTER_PORT_NONE, destination = FILTER_PORT_NONE;

	if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP || ip->protocol == IPPROTO_SCTP) {
		source = bpf_ntohs(ports[0]);
		destination = bpf_ntohs(ports[1]);
	} else if (ip->protocol == IPPROTO_ICMP) {
		source = *(const __u8 *)ports;
		destination = *((const __u8 *)ports + 1);
	}
	return source << FILTER_SOURCE_PORT_SHIFT | destination << FILTER_DESTINATION_PORT_SHIFT |
	       (__u64)ip->protocol << FILTER_PROTOCOL_SHIFT;
}

SEC("xdp.frags")
int walk(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = data;
	const struct iphdr *ip = data + sizeof(*ethernet);
	const __be16 *ports = (const void *)(ip + 1);
	struct walk walk = { .rule = NO_RULE };
	struct counter *counter;
	__u64 *action;

	if ((const void *)(ports + 2) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	walk.addresses = (__u64)bpf_ntohl(ip->saddr) << 32 | bpf_ntohl(ip->daddr);
	walk.lanes = lanes_of(ip, ports);
	bpf_loop(chunk_count, walk_chunk, &walk, 0);
	counter = bpf_map_lookup_elem(&hits, &walk.rule);
	action = bpf_map_lookup_elem(&actions, &walk.rule);
	if (!counter || !action)
		return XDP_PASS;
	counter->packets++;
	counter->bytes += end - data;
	return *action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

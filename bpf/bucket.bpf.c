// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * What `make bench` compares a limit per source with: a token bucket for each source in an LRU hash of the kernel, as
 * it is mostly written. Who sends from random sources has it evict the buckets of others.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BUCKETS (1 << 21) /* as many as Sluice has cells */
#define RATE 1000	  /* tokens a second */
#define BURST 1000000
#define SECOND 1000000000ULL

struct source {
	__u32 address[4];
};

struct bucket {
	__u64 tokens;
	__u64 filled; /* nanoseconds of bpf_ktime_get_ns */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BUCKETS);
	__type(key, struct source);
	__type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline int take(const struct source *source)
{
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, source);
	__u64 now = bpf_ktime_get_ns();
	struct bucket first = { .tokens = BURST - 1, .filled = now };
	__u64 earned;

	if (!bucket)
		return bpf_map_update_elem(&buckets, source, &first, BPF_ANY) ? XDP_DROP : XDP_PASS;
	earned = (now - bucket->filled) * RATE / SECOND;
	if (earned) {
		bucket->tokens = bucket->tokens + earned < BURST ? bucket->tokens + earned : BURST;
		bucket->filled = now;
	}
	if (!bucket->tokens)
		return XDP_DROP;
	bucket->tokens--;
	return XDP_PASS;
}

SEC("xdp.frags")
int bucket(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ipv6 = (void *)(eth + 1);
	struct iphdr *ipv4 = (void *)(eth + 1);
	struct source source = { 0 };

	if ((void *)(ipv4 + 1) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		source.address[0] = ipv4->saddr;
		return take(&source);
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ipv6 + 1) > end)
		return XDP_DROP;
	__builtin_memcpy(&source, &ipv6->saddr, sizeof(source));
	return take(&source);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

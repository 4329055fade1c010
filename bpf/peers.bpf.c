// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * What `make bench` compares Sluice with, as small as it can be: a program that drops everything, and one that drops
 * sources which the kernel's own longest-prefix-match trie has.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* As the kernel wants keys (struct bpf_lpm_trie_key): leading bits that count, then the address in network byte order.
 */
struct trie_key4 {
	__u32 length;
	__u8 address[4];
};

struct trie_key6 {
	__u32 length;
	__u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, struct trie_key4);
	__type(value, __u32);
} trie4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct trie_key6);
	__type(value, __u32);
} trie6 SEC(".maps");

/* "xdp.frags" as Sluice's own program, so that the cost meter takes it too. */
SEC("xdp.frags")
int drop_all(struct xdp_md *ctx)
{
	return XDP_DROP;
}

static __always_inline int judge4(const struct iphdr *ip, const void *end)
{
	struct trie_key4 key = { .length = 32 };

	if ((const void *)(ip + 1) > end)
		return XDP_DROP;
	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	return bpf_map_lookup_elem(&trie4, &key) ? XDP_DROP : XDP_PASS;
}

static __always_inline int judge6(const struct ipv6hdr *ip, const void *end)
{
	struct trie_key6 key = { .length = 128 };

	if ((const void *)(ip + 1) > end)
		return XDP_DROP;
	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	return bpf_map_lookup_elem(&trie6, &key) ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int drop_listed(struct xdp_md *ctx)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = (void *)(long)ctx->data;

	if ((const void *)(ethernet + 1) > end)
		return XDP_DROP;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		return judge4((const void *)(ethernet + 1), end);
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		return judge6((const void *)(ethernet + 1), end);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/*
 * The traffic generator: run by BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, it sends each frame out of the
 * interface that the frame is said to have come from (XDP_TX), so it arrives at the other end of a veth pair. Frames
 * are recycled with what was last written to them, by whoever received them too, so all of a frame is written each
 * time.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sluice/generator.h"

#define CLOCK_TURNS 64 /* packets between two looks at the clock */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct generator_source);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it: 1 where sources are drawn */
	__type(key, __u32);
	__type(value, struct generator_frame);
} frames SEC(".maps");

const volatile struct generator_config config;

__u64 sent;
__u64 first_ns, last_ns; /* when the first packet went, and one of the last CLOCK_TURNS */
__u64 random_state;
__u32 next_source, next_frame;

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c */
static __always_inline __u64 random64(void)
{
	__u64 z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Unicast that a host takes from a wire: IPv4 in 1.0.0.0 to 223.255.255.255 without 127.0.0.0/8, IPv6 in 2000::/3. */
static __always_inline void random_source(__u32 *words)
{
	__u64 high = random64();
	__u8 *first = (__u8 *)words;

	words[0] = high;
	if (config.version == 4) {
		*first = 1 + ((high >> 32 & 0xffff) * 223 >> 16);
		*first -= *first == 127;
		return;
	}
	__u64 low = random64();

	words[1] = high >> 32;
	words[2] = low;
	words[3] = low >> 32;
	*first = 0x20 | (*first & 0x1f);
}

static __always_inline void listed_source(__u32 *words)
{
	__u32 index = next_source;
	struct generator_source *source = bpf_map_lookup_elem(&sources, &index);

	next_source = index + 1 < config.source_count ? index + 1 : 0;
	if (source)
		__builtin_memcpy(words, source, sizeof(*source));
}

/* RFC 1071: 16-bit words may be added in any byte order, and several at once. */
static __always_inline __u64 add_words(__u64 sum, const __u32 *words, int count)
{
	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static __always_inline __u16 checksum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline int write_transport(void *transport, void *end, __u64 sum)
{
	/* In network byte order. Not one of the lowest, which firewalls treat in their own way. */
	__u16 port = random64() >> 48 | bpf_htons(0x400);

	if (config.tcp) {
		struct tcphdr *tcp = transport;

		if ((void *)(tcp + 1) > end)
			return -1;
		tcp->source = port;
		tcp->check = checksum(sum + port);
	} else {
		struct udphdr *udp = transport;

		if ((void *)(udp + 1) > end)
			return -1;
		udp->source = port;
		udp->check = checksum(sum + port) ?: 0xffff; /* RFC 768: zero stands for no checksum */
	}
	return 0;
}

/* The next frame of the map, of its own length. */
static __always_inline int write_frame(struct xdp_md *ctx)
{
	__u32 index = next_frame;
	struct generator_frame *frame = bpf_map_lookup_elem(&frames, &index);
	__u32 length = frame ? frame->length : 0;
	long there = (long)ctx->data_end - (long)ctx->data;

	next_frame = index + 1 < config.frame_count ? index + 1 : 0;
	barrier_var(there); /* or clang subtracts from a pointer what the verifier wants as a number */
	if (length < ETH_HLEN || length > GENERATOR_FRAME_MAX)
		return -1;
	if (bpf_xdp_adjust_tail(ctx, (int)length - (int)there))
		return -1;
	return bpf_xdp_store_bytes(ctx, 0, frame->bytes, length);
}

/* The source of a template, whose own is zero, and what follows from it. */
static __always_inline int write_source(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ipv6 = data + ETH_HLEN;
	struct iphdr *ipv4 = data + ETH_HLEN;
	__u32 source[4] = { 0 };
	__u64 sum;

	if (config.source_count)
		listed_source(source);
	else
		random_source(source);
	if (config.version == 4) {
		if ((void *)(ipv4 + 1) > end)
			return -1;
		ipv4->saddr = source[0];
		ipv4->check = checksum(add_words(config.ip_sum, source, 1));
		sum = add_words(config.transport_sum, source, 1);
		return write_transport(ipv4 + 1, end, sum);
	}
	if ((void *)(ipv6 + 1) > end)
		return -1;
	__builtin_memcpy(&ipv6->saddr, source, sizeof(source));
	sum = add_words(config.transport_sum, source, 4);
	return write_transport(ipv6 + 1, end, sum);
}

SEC("xdp")
int generator(struct xdp_md *ctx)
{
	if (write_frame(ctx) || (config.version && write_source(ctx)))
		return XDP_ABORTED;
	if (sent % CLOCK_TURNS == 0) {
		last_ns = bpf_ktime_get_ns();
		if (!sent)
			first_ns = last_ns;
	}
	sent++;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

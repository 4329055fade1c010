/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* The checksum of the Internet: of IP, TCP and ICMPv6, of what arrives and of what is answered. */
#ifndef SLUICE_BPF_CHECKSUM_H
#define SLUICE_BPF_CHECKSUM_H

#include "extensions.h"
#include "packet.h"

/* Bytes that are added up at most: an ICMPv6 error, or a segment that fits into a frame of Ethernet. */
#define SUM_MAX 1500

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

/* Of the addresses, the protocol and the length: RFC 9293, section 3.1; RFC 8200, section 8.1. */
static __always_inline __u64 pseudo_header(const struct packet *pkt, __u8 protocol, __u32 length)
{
	__u64 sum = bpf_htonl(protocol) + (__u64)bpf_htonl(length);

	sum = add_words(sum, pkt->source.v6.s6_addr32, pkt->version == 4 ? 1 : 4);
	return add_words(sum, pkt->destination.v6.s6_addr32, pkt->version == 4 ? 1 : 4);
}

/* Up to three bytes. Linux 6.1 wants a size that it knows not to be 0, and clang must not see that it is `size`. */
static __always_inline int load_rest(struct xdp_md *ctx, __u32 offset, __u32 *to, __u32 size)
{
	__u32 known = 3;

	if (!size)
		return 0;
	if (size == 1)
		known = 1;
	if (size == 2)
		known = 2;
	barrier_var(known);
	return bpf_xdp_load_bytes(ctx, offset, to, known);
}

/* The sum of `length` bytes from `offset` on, at most SUM_MAX, as far as the first buffer has them. A function of its
 * own: the verifier counts each of its turns, so they should be few. */
__noinline __u64 sum_bytes(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	__u32 rest = length % sizeof(__u32), words = length / sizeof(__u32), last = 0;
	void *end = (void *)(long)ctx->data_end;
	void *at;
	__u64 sum;

	if (offset > EXTENSIONS_END || length > SUM_MAX)
		return 0;
	if (load_rest(ctx, offset + length - rest, &last, rest))
		return 0;
	sum = last;
	at = (void *)(long)ctx->data + offset;
	for (__u32 i = 0; i < SUM_MAX / 4; i++) {
		if (i >= words || at + sizeof(__u32) > end)
			break;
		sum += *(__u32 *)at;
		at += sizeof(__u32);
	}
	return sum;
}

#endif

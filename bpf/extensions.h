/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The extension headers of IPv6. A function of its own, which the verifier checks once: inlined, eight variable lengths
 * in a row cost it more than its million instructions. Packets without extension headers never call it.
 */
#ifndef SLUICE_EXTENSIONS_H
#define SLUICE_EXTENSIONS_H

#include <linux/in.h>
#include <linux/ipv6.h>

#include "fragments.h"
#include "packet.h"

/* RFC 8200, section 4.5. */
struct fragment_header {
	__u8 next_header;
	__u8 reserved;
	__be16 offset_flags; /* 13 bits of offset in units of 8 bytes, 2 reserved, 1 more-fragments */
	__be32 identification;
};

#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_OFFSET_MASK 0xfff8

/* No header begins further back: Ethernet, two tags, IPv6 and EXTENSIONS_MAX headers of 2,048 bytes. */
#define EXTENSIONS_END (14 + 2 * 4 + 40 + EXTENSIONS_MAX * 2048)

struct extensions {
	__u32 offset;  /* of the next header, from the Ethernet header on; in and out */
	__u32 start;   /* where the first one begins */
	__u32 limit;   /* where the packet ends */
	__u8 protocol; /* of the next header; in and out */
	__u8 fragment; /* out: enum fragment */
	__u8 seen;     /* out: a bit for each enum filter_extension */
	__u8 reserved;
	__u32 identification; /* out: of the fragment, in network byte order */
};

static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

/* Hop-by-hop, routing and destination options count in units of 8 bytes and leave out the first (RFC 8200, section 4);
 * AH counts in units of 4 and leaves out the first two (RFC 4302, section 2.2). */
static __always_inline __u32 extension_length(__u8 protocol, const struct ipv6_opt_hdr *extension)
{
	if (protocol == IPPROTO_AH)
		return (extension->hdrlen + 2) * 4;
	return (extension->hdrlen + 1) * 8;
}

static __always_inline __u8 extension_bit(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
		return 1 << FILTER_EXTENSION_HOP_BY_HOP;
	case IPPROTO_ROUTING:
		return 1 << FILTER_EXTENSION_ROUTING;
	case IPPROTO_FRAGMENT:
		return 1 << FILTER_EXTENSION_FRAGMENT;
	case IPPROTO_DSTOPTS:
		return 1 << FILTER_EXTENSION_DESTINATION;
	default:
		return 1 << FILTER_EXTENSION_AUTHENTICATION;
	}
}

static __always_inline int parse_extension(struct xdp_md *ctx, struct extensions *ext)
{
	union {
		struct ipv6_opt_hdr any;
		struct fragment_header fragment;
	} header;
	__u32 length, before;
	__u16 bits;

	/* Every extension header has 8 bytes or more, and they may lie in any buffer of the frame. */
	if (ext->offset + sizeof(header) > ext->limit || bpf_xdp_load_bytes(ctx, ext->offset, &header, sizeof(header)))
		return -REASON_MALFORMED_EXTENSION;

	ext->seen |= extension_bit(ext->protocol);
	if (ext->protocol != IPPROTO_FRAGMENT) {
		length = extension_length(ext->protocol, &header.any);
		if (ext->offset + length > ext->limit)
			return -REASON_MALFORMED_EXTENSION;
		ext->offset += length;
		ext->protocol = header.any.nexthdr;
		return 0;
	}

	before = ext->offset - ext->start;
	ext->offset += sizeof(header.fragment);
	ext->protocol = header.fragment.next_header;
	ext->identification = header.fragment.identification;
	bits = bpf_ntohs(header.fragment.offset_flags);
	return parse_fragment(&ext->fragment, ext->protocol, bits & IPV6_OFFSET_MASK, bits & IPV6_MORE_FRAGMENTS,
			      ext->limit - ext->offset, before);
}

/* Returns the protocol after the extension headers, or the negative reason why there is none. */
__noinline int parse_extensions(struct xdp_md *ctx, struct extensions *ext)
{
	int err;

	if (!ext)
		return -REASON_MALFORMED_EXTENSION; /* for the verifier, which checks this function alone */

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (!is_extension(ext->protocol))
			return ext->protocol;
		err = parse_extension(ctx, ext);
		if (err)
			return err;
		if (ext->fragment == FRAGMENT_LATER)
			return ext->protocol; /* what follows is the middle of something */
	}
	return is_extension(ext->protocol) ? -REASON_EXTENSION_DEPTH : ext->protocol;
}

#endif

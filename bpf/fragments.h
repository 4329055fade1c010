/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* fragments: told apart while parsing; `pass` lets them on to the next stage, `drop` refuses the first and all later
 * ones, `track` gives the later ones the verdict of the first (track.h). */
#ifndef SLUICE_BPF_FRAGMENTS_H
#define SLUICE_BPF_FRAGMENTS_H

#include "packet.h"
#include "track.h"

/* Both families: offset and length in bytes, of the part that the fragment carries. `before` are the bytes in front of
 * it that the limit of the whole, 65535, counts too: the header of IPv4 (RFC 791), the extension headers of IPv6 (RFC
 * 8200, section 4.5).
 *
 * A first fragment without the whole of a TCP header is refused with the header; so a later one that begins inside of
 * it only overlaps the flags and ports of the first (RFC 1858, section 4; RFC 3128). */
static __always_inline int parse_fragment(__u8 *kind, __u8 protocol, __u32 offset, int more, __u32 length, __u32 before)
{
	/* In one value, so that the verifier does not follow TCP and all else as two ways from here on. Offsets count
	 * in eights: 8 and 16 are within the header. */
	__u32 beyond_header = (protocol ^ IPPROTO_TCP) | (offset - 1) / 16;

	if (offset)
		*kind = FRAGMENT_LATER;
	else if (more)
		*kind = FRAGMENT_FIRST;
	if (!beyond_header || (more && (length == 0 || length % 8)) || before + offset + length > 65535)
		return -REASON_MALFORMED_FRAGMENT;
	return 0;
}

static __always_inline enum verdict stage_fragments(struct xdp_md *ctx, struct packet *pkt)
{
	if (config.fragments_drop && pkt->fragment != FRAGMENT_NONE)
		return decide(pkt, VERDICT_DROP, REASON_FRAGMENT);
	if (config.fragments_track && pkt->fragment == FRAGMENT_LATER)
		return track_later(pkt);
	return NEXT;
}

#endif

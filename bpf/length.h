/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The length of a frame, all its buffers. data_end - data leaves out all but the first, and the helper that does not is
 * a real call, which costs a quarter of an empty policy: so it is called only for frames that have more than one.
 */
#ifndef SLUICE_LENGTH_H
#define SLUICE_LENGTH_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* The kernel's side of struct xdp_md, include/net/xdp.h, and what belongs to it. */
struct net_device {
	__u8 dev_addr_shadow[32]; /* what dev_addr points to */
} __attribute__((preserve_access_index));

struct xdp_rxq_info {
	struct net_device *dev;
} __attribute__((preserve_access_index));

struct xdp_buff {
	struct xdp_rxq_info *rxq;
	__u32 flags;
} __attribute__((preserve_access_index));

enum xdp_buff_flags {
	XDP_FLAGS_HAS_FRAGS = 1,
};

/* The verifier replaces the call by a move. Since Linux 6.2; before that, the helper is always called. */
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	struct xdp_buff *frame;

	if (&bpf_cast_to_kern_ctx) {
		frame = bpf_cast_to_kern_ctx(ctx);
		if (!(frame->flags & bpf_core_enum_value(enum xdp_buff_flags, XDP_FLAGS_HAS_FRAGS)))
			return ctx->data_end - ctx->data;
	}
	return bpf_xdp_get_buff_len(ctx);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * syncookie: services of this host. A SYN is answered with the cookie that the kernel itself would give, so that the
 * kernel takes the ACK which brings it back and makes the connection; nothing is kept in between.
 *
 * The cookie is made with the socket that listens (bpf_tcp_gen_syncookie), which notes there that cookies are out: a
 * kernel takes none for a socket without such a note (tcp_synq_no_recent_overflow). It refuses while the socket has
 * room for the connection and net.ipv4.tcp_syncookies is 1; then the SYN goes on to the kernel, which has that room.
 */
#ifndef SLUICE_BPF_SYNCOOKIE_H
#define SLUICE_BPF_SYNCOOKIE_H

#include <bpf/bpf_core_read.h>

#include "synack.h"

/* What of the kernel the answer depends on. */
struct netns_ipv4 {
	__u8 sysctl_tcp_ecn;
	__u8 sysctl_tcp_sack;
	__u8 sysctl_tcp_window_scaling;
	__u8 sysctl_tcp_timestamps;
	int sysctl_tcp_adv_win_scale;
	int sysctl_tcp_rmem[3];
} __attribute__((preserve_access_index));

struct net {
	struct netns_ipv4 ipv4;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct sock_common {
	possible_net_t skc_net;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
	int sk_rcvbuf;
	__u8 sk_userlocks;
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u32 window_clamp;
	__u8 scaling_ratio;
} __attribute__((preserve_access_index));

#define SOCK_RCVBUF_LOCK 2 /* include/net/sock.h */

/* The low bits of a timestamp that goes with a cookie: net/ipv4/syncookies.c. */
#define TIMESTAMP_BITS 6
#define TIMESTAMP_WSCALE_MASK 0xf
#define TIMESTAMP_SACK (1 << 4)
#define TIMESTAMP_ECN (1 << 5)

/* net.ipv4.tcp_timestamps: with 1, each connection's timestamps begin at a secret of the kernel. */
#define TIMESTAMPS_WITHOUT_OFFSET 2

#define WSCALE_MAX 14 /* RFC 7323, section 2.3 */
#define WSCALE_CLAMP (65535 << WSCALE_MAX)

#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_WSCALE 3
#define TCP_OPTION_SACK 4
#define TCP_OPTION_TIMESTAMP 8

#define TCP_ECE 0x40
#define TCP_CWR 0x80

/* As everywhere in Linux; <sys/socket.h> needs the C library. */
#define AF_INET 2
#define AF_INET6 10

#define MSS_MAX 65495 /* a packet of IPv4 without the least headers */

static __always_inline void take_option(struct synack_work *work, __u32 at, __u8 kind, __u8 length)
{
	struct synack *synack = &work->synack;

	if (at > TCP_HEADER_MAX)
		return;
	if (kind == TCP_OPTION_WSCALE && length == 3) {
		synack->options |= SYNACK_WSCALE;
		synack->wscale = work->bytes[at + 2] < WSCALE_MAX ? work->bytes[at + 2] : WSCALE_MAX;
	}
	if (kind == TCP_OPTION_SACK && length == 2)
		synack->options |= SYNACK_SACK;
	if (kind == TCP_OPTION_TIMESTAMP && length == 10) {
		synack->options |= SYNACK_TIMESTAMPS;
		__builtin_memcpy(&synack->echo, work->bytes + at + 2, sizeof(synack->echo));
	}
}

/* What the SYN in `work`, whose header has that length, offers. Where the next option begins is kept where the verifier
 * does not follow it: so it walks a turn of the loop once, not once for each way to come there. */
__noinline int syncookie_offer(__u32 length)
{
	struct synack_work *work;

	if (UNUSED(config.synproxy & SYNPROXY_HOST))
		return 0;
	work = synack_space();
	if (!work)
		return 0;
	__builtin_memset(&work->synack, 0, sizeof(work->synack));
	work->at = sizeof(struct tcphdr);
	for (int i = 0; i < TCP_HEADER_MAX - (int)sizeof(struct tcphdr); i++) {
		__u32 at = *(volatile __u32 *)&work->at;
		__u8 kind, size = 1;

		if (at >= length || at >= TCP_HEADER_MAX)
			break;
		kind = work->bytes[at];
		if (kind == TCP_OPTION_END)
			break;
		if (kind != TCP_OPTION_NOP) {
			size = work->bytes[at + 1];
			if (size < 2 || at + size > length)
				break;
			take_option(work, at, kind, size);
		}
		work->at = at + size;
	}
	return 0;
}

/* The shift that a window of so many bytes takes to fit into 15 bits and one. A function of its own: the verifier does
 * not follow each of its results. */
__noinline __u32 wscale_of(__u32 window)
{
	__u32 wscale = 0;

	while (wscale < WSCALE_MAX && window >> 16) {
		window >>= 1;
		wscale++;
	}
	return wscale;
}

/* include/net/tcp.h, tcp_win_from_space: how much of a buffer is for data. */
static __always_inline __u32 receive_space(const struct tcp_sock *tcp, const struct net *net)
{
	__u32 buffer = ((const struct sock *)tcp)->sk_rcvbuf;
	int scale;

	if (bpf_core_field_exists(tcp->scaling_ratio))
		return (__u64)buffer * tcp->scaling_ratio >> 8;
	scale = net->ipv4.sysctl_tcp_adv_win_scale;
	return scale <= 0 ? buffer >> (-scale & 31) : buffer - (buffer >> (scale & 31));
}

/* The shift of the windows that the kernel will announce: net/ipv4/tcp_output.c, tcp_select_initial_window, as
 * cookie_v4_check calls it. */
static __always_inline __u32 receive_wscale(const struct tcp_sock *tcp, const struct net *net, __u32 space)
{
	__u32 clamp = tcp->window_clamp;
	__u32 most = net->ipv4.sysctl_tcp_rmem[2];

	if (BPF_CORE_READ_BITFIELD((const struct sock *)tcp, sk_userlocks) & SOCK_RCVBUF_LOCK &&
	    (!clamp || clamp > space))
		clamp = space;
	if (!clamp)
		clamp = WSCALE_CLAMP;
	if (most < space)
		most = space;
	if (most < config.synproxy_receive)
		most = config.synproxy_receive;
	if (most > clamp)
		most = clamp;
	return wscale_of(most);
}

/* net/ipv4/syncookies.c, cookie_init_timestamp: a time not above now, in milliseconds, that says what was agreed on. */
static __always_inline __u32 cookie_timestamp(__u32 agreed)
{
	__u32 now = packet_time() / 1000000;
	__u32 timestamp = (now & ~((1U << TIMESTAMP_BITS) - 1)) | agreed;

	return (__s32)(timestamp - now) > 0 ? timestamp - (1U << TIMESTAMP_BITS) : timestamp;
}

/* From what is offered to what is agreed on: what the kernel can read from the timestamp that comes back, and nothing
 * where there is none. */
static __always_inline void agree(struct synack *synack, const struct packet *pkt, const struct tcp_sock *tcp)
{
	const struct net *net = ((const struct sock *)tcp)->__sk_common.skc_net.net;
	__u32 space = receive_space(tcp, net), agreed = TIMESTAMP_WSCALE_MASK;

	/* Half of what the kernel will announce: it may take that back never, and adds to it with its first ACK. */
	synack->window = space / 2 < 32768 ? space / 2 : 32768;
	if (net->ipv4.sysctl_tcp_timestamps != TIMESTAMPS_WITHOUT_OFFSET || !(synack->options & SYNACK_TIMESTAMPS)) {
		synack->options = 0;
		return;
	}
	if (!net->ipv4.sysctl_tcp_sack)
		synack->options &= ~SYNACK_SACK;
	if (!net->ipv4.sysctl_tcp_window_scaling)
		synack->options &= ~SYNACK_WSCALE;
	if (synack->options & SYNACK_WSCALE) {
		agreed = synack->wscale;
		synack->wscale = receive_wscale(tcp, net, space);
	}
	if (synack->options & SYNACK_SACK)
		agreed |= TIMESTAMP_SACK;
	if ((pkt->tcp_flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) && net->ipv4.sysctl_tcp_ecn) {
		agreed |= TIMESTAMP_ECN;
		synack->ecn = 1;
	}
	synack->timestamp = bpf_htonl(cookie_timestamp(agreed));
}

/* What the interface can receive. */
static __always_inline __u16 own_mss(struct xdp_md *ctx, const struct packet *pkt)
{
	__u32 headers = sizeof(struct tcphdr) + (pkt->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	__u32 mtu = 0;

	bpf_check_mtu(ctx, 0, &mtu, 0, 0);
	if (mtu < headers || mtu - headers > MSS_MAX)
		return MSS_MAX;
	return mtu - headers;
}

static __always_inline struct bpf_sock *lookup(struct xdp_md *ctx, const struct packet *pkt)
{
	struct bpf_sock_tuple tuple = {};

	if (pkt->version == 4) {
		tuple.ipv4.saddr = pkt->source.v4;
		tuple.ipv4.daddr = pkt->destination.v4;
		tuple.ipv4.sport = bpf_htons(pkt->source_port);
		tuple.ipv4.dport = bpf_htons(pkt->destination_port);
		return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, &pkt->source, sizeof(tuple.ipv6.saddr));
	__builtin_memcpy(tuple.ipv6.daddr, &pkt->destination, sizeof(tuple.ipv6.daddr));
	tuple.ipv6.sport = bpf_htons(pkt->source_port);
	tuple.ipv6.dport = bpf_htons(pkt->destination_port);
	return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* The frame has the interface's link address: the kernel takes no others, but a port of a bridge, a parent of macvlans,
 * or who listens to everything sees them. A packet of a capture has come by no interface. */
static __always_inline int is_for_interface(struct xdp_md *ctx)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct net_device *device;

	if (config.record || !&bpf_cast_to_kern_ctx)
		return 1;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	device = ((struct xdp_buff *)bpf_cast_to_kern_ctx(ctx))->rxq->dev;
	for (int i = 0; i < ETH_ALEN; i++) {
		if (eth->h_dest[i] != device->dev_addr_shadow[i])
			return 0;
	}
	return 1;
}

/* A socket that listens on all addresses is found for those of others, too. Where packets are forwarded, the routes say
 * whose this one is; where they are not, the kernel takes all that have the interface's link address. */
static __always_inline int is_ours(struct xdp_md *ctx, const struct packet *pkt, struct bpf_fib_lookup *route)
{
	__builtin_memset(route, 0, sizeof(*route));
	route->family = pkt->version == 4 ? AF_INET : AF_INET6;
	route->l4_protocol = IPPROTO_TCP;
	route->ifindex = ctx->ingress_ifindex;
	if (pkt->version == 4) {
		route->ipv4_src = pkt->source.v4;
		route->ipv4_dst = pkt->destination.v4;
	} else {
		__builtin_memcpy(route->ipv6_src, &pkt->source, sizeof(route->ipv6_src));
		__builtin_memcpy(route->ipv6_dst, &pkt->destination, sizeof(route->ipv6_dst));
	}
	switch (bpf_fib_lookup(ctx, route, sizeof(*route), 0)) {
	case BPF_FIB_LKUP_RET_NOT_FWDED: /* a local address */
		return 1;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return is_for_interface(ctx);
	default:
		return 0;
	}
}

/* The kernel's cookie, negative where it gives none. Linux 6.1 has forgotten how long a header is. */
static __always_inline __s64 gen_cookie(struct bpf_sock *sk, struct synack_work *work, __u64 length)
{
	barrier_var(length);
	if (length < sizeof(work->tcp))
		return -1;
	barrier_var(length);
	if (length > TCP_HEADER_MAX)
		return -1;
	return bpf_tcp_gen_syncookie(sk, &work->ip, sizeof(work->ip), &work->tcp, length);
}

/* Returns 1 with the answer to the SYN in the space of this CPU, 0 where the kernel shall have the SYN: no socket
 * listens, or it takes no cookie now. */
__noinline int syncookie_make(struct xdp_md *ctx, const struct packet *pkt)
{
	struct synack_work *work;
	struct tcp_sock *tcp;
	struct bpf_sock *sk;
	__s64 cookie = -1;
	__u32 length;

	if (UNUSED(config.synproxy & SYNPROXY_HOST) || !pkt)
		return 0;
	work = synack_space();
	if (!work)
		return 0;
	length = synack_load(ctx, pkt, work);
	if (!length)
		return 0;
	syncookie_offer(length);
	synack_addresses(pkt, work);
	sk = lookup(ctx, pkt);
	if (!sk)
		return 0;
	if (sk->state == BPF_TCP_LISTEN && is_ours(ctx, pkt, &work->route)) {
		tcp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
		if (tcp) {
			agree(&work->synack, pkt, tcp);
			cookie = gen_cookie(sk, work, length);
		}
	}
	bpf_sk_release(sk);
	if (cookie < 0)
		return 0;
	work->synack.options |= SYNACK_MSS;
	work->synack.mss = own_mss(ctx, pkt);
	work->synack.acknowledgement = bpf_htonl(bpf_ntohl(work->tcp.seq) + 1);
	work->synack.sequence = bpf_htonl((__u32)cookie);
	return 1;
}

enum syncookie_ack {
	SYNCOOKIE_NOT_ASKED, /* of a connection, or for nobody who listens */
	SYNCOOKIE_VALID,
	SYNCOOKIE_INVALID,
};

/* Returns enum syncookie_ack. */
__noinline int syncookie_check(struct xdp_md *ctx, const struct packet *pkt)
{
	int found = SYNCOOKIE_NOT_ASKED;
	struct synack_work *work;
	struct bpf_sock *sk;

	if (UNUSED(config.synproxy & SYNPROXY_HOST) || !pkt)
		return found;
	work = synack_space();
	if (!work || !synack_load(ctx, pkt, work))
		return found;
	synack_addresses(pkt, work);
	sk = lookup(ctx, pkt);
	if (!sk)
		return found;
	if (sk->state == BPF_TCP_LISTEN) {
		if (!bpf_tcp_check_syncookie(sk, &work->ip, sizeof(work->ip), &work->tcp, sizeof(work->tcp)))
			found = SYNCOOKIE_VALID;
		else if (is_ours(ctx, pkt, &work->route))
			found = SYNCOOKIE_INVALID;
	}
	bpf_sk_release(sk);
	return found;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * synack: a SYN becomes the SYN-ACK that answers it, in place, with its VLAN tags, and leaves through the interface
 * that it came in by. What the answer says is the business of syncookie.h and question.h.
 */
#ifndef SLUICE_BPF_SYNACK_H
#define SLUICE_BPF_SYNACK_H

#include <linux/tcp.h>

#include "answer.h"
#include "checksum.h"
#include "packet.h"
#include "record.h"

#define TCP_HEADER_MAX 60

/* Of struct synack.options, as far as the answer has them. */
enum synack_options {
	SYNACK_MSS = 1 << 0,
	SYNACK_TIMESTAMPS = 1 << 1,
	SYNACK_SACK = 1 << 2,	/* only beside timestamps */
	SYNACK_WSCALE = 1 << 3, /* only beside timestamps */
};

/* What a SYN offers, and then what the answer says. */
struct synack {
	__be32 sequence, acknowledgement;
	__be32 timestamp, echo;
	__u16 window;
	__u16 mss;
	__u8 options;
	__u8 wscale;
	__u8 ecn;
	__u8 reserved;
};

/* Too much for the stack. */
struct synack_work {
	/* The TCP header, and after it bytes that a reader of options may run into. */
	union {
		struct tcphdr tcp;
		__u8 bytes[TCP_HEADER_MAX + 20];
		__u32 words[(TCP_HEADER_MAX + 20) / 4];
	};
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} ip; /* version and addresses: all that a cookie is made of */
	struct bpf_fib_lookup route;
	struct synack synack;
	__u32 at; /* where an option begins */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct synack_work);
} synack_work SEC(".maps");

static __always_inline struct synack_work *synack_space(void)
{
	return bpf_map_lookup_elem(&synack_work, &(__u32){ 0 });
}

/* Returns the length of the TCP header, options and all, which is in `work` then; 0 when it cannot be read. */
static __always_inline __u32 synack_load(struct xdp_md *ctx, const struct packet *pkt, struct synack_work *work)
{
	__u32 transport = pkt->transport;
	__u64 options; /* 64 bits, and two comparisons: of others Linux 6.1 forgets the lower bound */

	if (transport > EXTENSIONS_END || bpf_xdp_load_bytes(ctx, transport, &work->tcp, sizeof(work->tcp)))
		return 0;
	options = work->tcp.doff * 4;
	barrier_var(options); /* or clang checks the field that it was made of, and the verifier does not see it */
	if (options <= sizeof(work->tcp))
		return options;
	options -= sizeof(work->tcp);
	barrier_var(options);
	if (options > TCP_HEADER_MAX - sizeof(work->tcp))
		return 0;
	if (bpf_xdp_load_bytes(ctx, transport + sizeof(work->tcp), work->bytes + sizeof(work->tcp), options))
		return 0;
	return sizeof(work->tcp) + options;
}

static __always_inline void synack_addresses(const struct packet *pkt, struct synack_work *work)
{
	if (pkt->version == 4) {
		work->ip.v4 = (struct iphdr){
			.version = 4,
			.ihl = sizeof(struct iphdr) / 4,
			.saddr = pkt->source.v4,
			.daddr = pkt->destination.v4,
		};
	} else {
		work->ip.v6 = (struct ipv6hdr){
			.version = 6,
			.saddr = pkt->source.v6,
			.daddr = pkt->destination.v6,
		};
	}
}

/* True when the checksums of IP and TCP are right. Those that a veth leaves half done are not. */
static __always_inline int synack_is_sound(struct xdp_md *ctx, const struct packet *pkt)
{
	__u32 network = network_offset(pkt);
	__u32 headers = pkt->transport - network;
	__u32 length = pkt->ip_length - headers;

	if (length > SUM_MAX || (pkt->version == 4 && checksum(sum_bytes(ctx, network, headers))))
		return 0;
	return !checksum(pseudo_header(pkt, IPPROTO_TCP, length) + sum_bytes(ctx, pkt->transport, length));
}

/* The header and the options, in the order and with the filling that Linux has them in (net/ipv4/tcp_output.c,
 * tcp_options_write). Returns their length. */
static __always_inline __u32 synack_write_segment(const struct packet *pkt, struct synack_work *work)
{
	const struct synack *synack = &work->synack;
	__u32 *option = work->words + sizeof(struct tcphdr) / 4;
	__u32 length = sizeof(struct tcphdr);

	__builtin_memset(work->bytes, 0, sizeof(work->bytes));
	work->tcp = (struct tcphdr){
		.source = bpf_htons(pkt->destination_port),
		.dest = bpf_htons(pkt->source_port),
		.seq = synack->sequence,
		.ack_seq = synack->acknowledgement,
		.window = bpf_htons(synack->window),
		.syn = 1,
		.ack = 1,
		.ece = synack->ecn,
	};
	if (synack->options & SYNACK_MSS) {
		option[0] = bpf_htonl(0x02040000 | synack->mss);
		length += 4;
	}
	if (synack->options & SYNACK_TIMESTAMPS) {
		option[1] = bpf_htonl(synack->options & SYNACK_SACK ? 0x0402080a : 0x0101080a);
		option[2] = synack->timestamp;
		option[3] = synack->echo;
		length += 12;
	}
	if (synack->options & SYNACK_WSCALE) {
		option[4] = bpf_htonl(0x01030300 | synack->wscale);
		length += 4;
	}
	work->tcp.doff = length / 4;
	work->tcp.check =
		checksum(add_words(pseudo_header(pkt, IPPROTO_TCP, length), work->words, sizeof(work->words) / 4));
	return length;
}

/* Makes the frame what work->synack says. Returns enum verdict: TX, or NEXT with the frame as it was where it cannot
 * get longer. A function of its own: the verifier checks it once. */
__noinline int synack_answer(struct xdp_md *ctx, const struct packet *pkt)
{
	struct synack_work *work;
	__u32 network, header, length;
	void *data, *end;

	if (UNUSED(config.synproxy) || !pkt)
		return NEXT;
	if (config.shadow == SHADOW_CANDIDATE)
		return VERDICT_TX; /* only says that it would */
	work = synack_space();
	if (!work)
		return NEXT;
	network = network_offset(pkt);
	header = pkt->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	length = synack_write_segment(pkt, work);
	if (set_frame_length(ctx, network + header + length))
		return NEXT;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + network + sizeof(struct ipv6hdr) > end)
		return VERDICT_DROP; /* never: the verifier wants to see it */
	if (pkt->version == 4)
		write_ipv4(data + network, pkt, IPPROTO_TCP, header + length);
	else
		write_ipv6(data + network, pkt, IPPROTO_TCP, length);
	barrier_var(length);
	if (length < sizeof(struct tcphdr) || length > TCP_HEADER_MAX ||
	    bpf_xdp_store_bytes(ctx, network + header, work->bytes, length))
		return VERDICT_DROP;
	return turn_around(ctx) ? VERDICT_DROP : VERDICT_TX;
}

#endif

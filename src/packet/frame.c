// SPDX-License-Identifier: BSD-2-Clause
#include "packet/frame.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"
#include "packet/protocol.h"

/* Locally administered (the second bit of the first byte is set). */
static const uint8_t source_mac[6] = { 0x02, 0, 0, 0, 0, 0x01 };
static const uint8_t destination_mac[6] = { 0x02, 0, 0, 0, 0, 0x02 };
static const uint8_t broadcast_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

#define ETHERNET_SIZE 14
#define VLAN_SIZE 4
#define ARP_SIZE 28
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define FRAGMENT_SIZE 8
#define TCP_SIZE 20
#define UDP_SIZE 8
#define ICMP_SIZE 8
#define SCTP_SIZE 12

#define DATAGRAM_MAX 65535 /* both families: the length field has 16 bits */
#define FRAME_MAX (ETHERNET_SIZE + VLANS_MAX * VLAN_SIZE + IPV6_SIZE + DATAGRAM_MAX)

#define PLAIN_LENGTH 8 /* payload of a protocol of which no header is written */

/* The datagram that a fragment is of: the first fragment is followed by FRAGMENT_REST bytes, zeros as all payload, a
 * later one comes FRAGMENT_OFFSET bytes after the first and is the last. */
#define FRAGMENT_REST 8
#define FRAGMENT_OFFSET 1480

/* Zeros that are appended header by header. The memory never moves. */
struct frame {
	uint8_t *bytes;
	size_t length;
};

static uint8_t *append(struct frame *frame, size_t size)
{
	uint8_t *at = frame->bytes + frame->length;

	frame->length += size;
	return at;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* RFC 1071: the sum of 16-bit words, folded and inverted at the end. */
static uint32_t sum(uint32_t start, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		start += i % 2 ? bytes[i] : bytes[i] << 8;
	return start;
}

static uint16_t folded(uint32_t sum32)
{
	while (sum32 >> 16)
		sum32 = (sum32 & 0xffff) + (sum32 >> 16);
	return ~sum32;
}

/* RFC 9260, appendix A: reflected polynomial 0x82f63b78. */
static uint32_t crc32c(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

bool draft_has_ports(const struct draft *draft)
{
	return draft->version && draft->fragment != FRAGMENT_LATER &&
	       (draft->protocol == IPPROTO_TCP || draft->protocol == IPPROTO_UDP || draft->protocol == IPPROTO_SCTP);
}

bool draft_has_icmp(const struct draft *draft)
{
	return draft->fragment != FRAGMENT_LATER && ((draft->version == 4 && draft->protocol == IPPROTO_ICMP) ||
						     (draft->version == 6 && draft->protocol == IPPROTO_ICMPV6));
}

static size_t header_size(const struct draft *draft)
{
	if (draft_has_icmp(draft))
		return ICMP_SIZE;
	if (!draft_has_ports(draft))
		return 0;
	if (draft->protocol == IPPROTO_TCP)
		return TCP_SIZE;
	return draft->protocol == IPPROTO_UDP ? UDP_SIZE : SCTP_SIZE;
}

static size_t payload_size(const struct draft *draft)
{
	size_t header = header_size(draft);

	if (draft->length != ABSENT)
		return draft->length;
	if (!header)
		return PLAIN_LENGTH;
	return draft->fragment == FRAGMENT_FIRST ? -header % 8 : 0;
}

/* RFC 791, section 3.1 and RFC 8200, section 4.5: all fragments but the last carry a multiple of 8 bytes. */
static int check_fragment(const struct draft *draft, struct error *error)
{
	size_t header = header_size(draft);
	size_t size = header + payload_size(draft);

	if (draft->fragment != FRAGMENT_FIRST || (size && size % 8 == 0))
		return 0;
	return error_set(error, EINVAL,
			 "a first fragment carries a multiple of 8 bytes, not %zu (header %zu, length %zu)", size,
			 header, size - header);
}

static int check_length(const struct draft *draft, struct error *error)
{
	size_t size = header_size(draft) + payload_size(draft);

	if (draft->version == 4)
		size += IPV4_SIZE;
	if (draft->version == 6 && draft->fragment != FRAGMENT_NONE)
		size += FRAGMENT_SIZE;
	if (draft->fragment == FRAGMENT_FIRST)
		size += FRAGMENT_REST;
	if (draft->fragment == FRAGMENT_LATER)
		size += FRAGMENT_OFFSET;
	if (draft->ethertype < ETHERTYPE_MIN && size >= ETHERTYPE_MIN)
		return error_set(error, EINVAL, "length %zu: an llc frame has at most %d bytes", size,
				 ETHERTYPE_MIN - 1);
	if (size > DATAGRAM_MAX)
		return error_set(error, EINVAL, "length %d makes a packet of %zu bytes, more than %d", draft->length,
				 size, DATAGRAM_MAX);
	return 0;
}

static void build_ethernet(struct frame *frame, const struct draft *draft)
{
	uint8_t *ethernet = append(frame, ETHERNET_SIZE);
	uint8_t *type = ethernet + 12;

	memcpy(ethernet, draft->ethertype == ETHERTYPE_ARP ? broadcast_mac : destination_mac, 6);
	memcpy(ethernet + 6, source_mac, 6);
	for (unsigned i = 0; i < draft->vlans; i++) {
		uint8_t *tag = append(frame, VLAN_SIZE);

		put16(type, i + 1 < draft->vlans ? ETHERTYPE_QINQ : ETHERTYPE_VLAN);
		put16(tag, draft->vlan[i]);
		type = tag + 2;
	}
	put16(type, draft->ethertype < ETHERTYPE_MIN ? payload_size(draft) : draft->ethertype);
}

/* RFC 826: a request, "who has the destination? Tell the source". */
static void build_arp(struct frame *frame, const struct draft *draft)
{
	uint8_t *arp = append(frame, ARP_SIZE);

	put16(arp, 1); /* Ethernet */
	put16(arp + 2, ETHERTYPE_IP);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, 1); /* request */
	memcpy(arp + 8, source_mac, 6);
	memcpy(arp + 14, draft->source.address, 4);
	memcpy(arp + 24, draft->destination.address, 4);
}

static void build_ipv4(struct frame *frame, const struct draft *draft, size_t size)
{
	uint8_t *ip = append(frame, IPV4_SIZE);

	ip[0] = 0x45;
	ip[1] = draft->dscp << 2;
	put16(ip + 2, IPV4_SIZE + size);
	put16(ip + 4, 1); /* identification */
	if (draft->fragment == FRAGMENT_FIRST)
		put16(ip + 6, 0x2000); /* more fragments */
	if (draft->fragment == FRAGMENT_LATER)
		put16(ip + 6, FRAGMENT_OFFSET / 8);
	ip[8] = draft->ttl;
	ip[9] = draft->protocol;
	memcpy(ip + 12, draft->source.address, 4);
	memcpy(ip + 16, draft->destination.address, 4);
	put16(ip + 10, folded(sum(0, ip, IPV4_SIZE)));
}

static void build_ipv6(struct frame *frame, const struct draft *draft, size_t size)
{
	uint8_t *ip = append(frame, IPV6_SIZE);
	uint8_t *fragment;

	put32(ip, 6U << 28 | draft->dscp << 22);
	put16(ip + 4, size);
	ip[6] = draft->protocol;
	ip[7] = draft->ttl;
	memcpy(ip + 8, draft->source.address, 16);
	memcpy(ip + 24, draft->destination.address, 16);
	if (draft->fragment == FRAGMENT_NONE)
		return;

	fragment = append(frame, FRAGMENT_SIZE);
	put16(ip + 4, FRAGMENT_SIZE + size);
	ip[6] = IPPROTO_FRAGMENT;
	fragment[0] = draft->protocol;
	/* The offset counts units of 8 bytes and stands above 3 bits, of which the lowest says that more follow. */
	put16(fragment + 2, draft->fragment == FRAGMENT_FIRST ? 1 : FRAGMENT_OFFSET);
	put32(fragment + 4, 1); /* identification */
}

/* RFC 9293, section 3.1; RFC 8200, section 8.1: the addresses, the length and the protocol are summed up too. */
static uint32_t pseudo_header_sum(const struct draft *draft, size_t size)
{
	size_t address_size = draft->version == 4 ? 4 : 16;
	uint32_t start = draft->protocol + size;

	start = sum(start, draft->source.address, address_size);
	return sum(start, draft->destination.address, address_size);
}

static void build_tcp(uint8_t *tcp, const struct draft *draft, size_t size)
{
	put16(tcp, draft->source.port);
	put16(tcp + 2, draft->destination.port);
	put32(tcp + 4, 1); /* sequence number */
	tcp[12] = TCP_SIZE / 4 << 4;
	tcp[13] = draft->tcp_flags;
	put16(tcp + 14, 65535); /* window */
	put16(tcp + 16, folded(sum(pseudo_header_sum(draft, size), tcp, TCP_SIZE)));
}

static void build_udp(uint8_t *udp, const struct draft *draft, size_t size)
{
	uint16_t checksum;

	put16(udp, draft->source.port);
	put16(udp + 2, draft->destination.port);
	put16(udp + 4, size);
	checksum = folded(sum(pseudo_header_sum(draft, size), udp, UDP_SIZE));
	put16(udp + 6, checksum ? checksum : 0xffff); /* RFC 768: zero stands for no checksum */
}

static void build_icmp(uint8_t *icmp, const struct draft *draft, size_t size)
{
	icmp[0] = draft->icmp_type;
	icmp[1] = draft->icmp_code;
	put16(icmp + 2, folded(sum(draft->version == 6 ? pseudo_header_sum(draft, size) : 0, icmp, ICMP_SIZE)));
}

static void build_sctp(uint8_t *sctp, const struct draft *draft, size_t size)
{
	uint32_t crc;

	put16(sctp, draft->source.port);
	put16(sctp + 2, draft->destination.port);
	put32(sctp + 4, 1); /* verification tag */
	crc = crc32c(sctp, size);
	for (int i = 0; i < 4; i++)
		sctp[8 + i] = crc >> 8 * i; /* RFC 9260, appendix A: the low byte goes first */
}

/* The header, then the payload, all zeros: no checksum but SCTP's has to read it. */
static void build_transport(struct frame *frame, const struct draft *draft)
{
	size_t header = header_size(draft);
	size_t size = header + payload_size(draft);
	uint8_t *transport = append(frame, size);

	/* Lengths and checksums are those of the whole datagram, of which a first fragment is a part. */
	if (draft->fragment == FRAGMENT_FIRST)
		size += FRAGMENT_REST;
	if (!header)
		return;
	if (draft_has_icmp(draft))
		build_icmp(transport, draft, size);
	else if (draft->protocol == IPPROTO_TCP)
		build_tcp(transport, draft, size);
	else if (draft->protocol == IPPROTO_UDP)
		build_udp(transport, draft, size);
	else
		build_sctp(transport, draft, size);
}

int frame_build(const struct draft *draft, uint8_t **bytes, size_t *length, struct error *error)
{
	struct frame frame = { 0 };
	int err;

	err = check_fragment(draft, error);
	if (err)
		return err;
	err = check_length(draft, error);
	if (err)
		return err;

	frame.bytes = xcalloc(FRAME_MAX, 1);
	build_ethernet(&frame, draft);
	if (draft->ethertype == ETHERTYPE_ARP) {
		build_arp(&frame, draft);
	} else if (draft->version == 4) {
		build_ipv4(&frame, draft, header_size(draft) + payload_size(draft));
		build_transport(&frame, draft);
	} else if (draft->version == 6) {
		build_ipv6(&frame, draft, header_size(draft) + payload_size(draft));
		build_transport(&frame, draft);
	} else {
		append(&frame, payload_size(draft));
	}
	*bytes = xrealloc(frame.bytes, frame.length, 1);
	*length = frame.length;
	return 0;
}

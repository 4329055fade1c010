/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Why a packet got its verdict. One table for the kernel side, the user side, the manual and the tests. A number is
 * never reused, because counters outlive the program that wrote them: add at the end of a group, leave holes be.
 */
#ifndef SLUICE_REASON_H
#define SLUICE_REASON_H

/* X(number, SYMBOL, stage, name, explanation) */
#define SLUICE_REASONS(X) \
	X(1, DEFAULT, "default", "default", "no stage decided: the default of the interface") \
	X(2, FAILSAFE, "default", "failsafe", \
	  "ARP, neighbour discovery or a path-MTU error, kept alive by a default of drop") \
	X(16, MALFORMED_ETHERNET, "parse", "malformed-ethernet", "frame shorter than an Ethernet header") \
	X(17, MALFORMED_VLAN, "parse", "malformed-vlan", "frame ends inside a VLAN tag") \
	X(18, VLAN_DEPTH, "parse", "vlan-depth", "more than two VLAN tags") \
	X(19, MALFORMED_ARP, "parse", "malformed-arp", "ARP packet shorter than its own lengths say") \
	X(20, MALFORMED_IPV4, "parse", "malformed-ipv4", "IPv4 version, header length or total length is wrong") \
	X(21, MALFORMED_IPV6, "parse", "malformed-ipv6", "IPv6 version or payload length is wrong") \
	X(22, MALFORMED_EXTENSION, "parse", "malformed-extension", "IPv6 extension header runs past the packet") \
	X(23, EXTENSION_DEPTH, "parse", "extension-depth", "more IPv6 extension headers than Sluice follows") \
	X(24, MALFORMED_FRAGMENT, "parse", "malformed-fragment", \
	  "fragment of more than 65535 bytes in all, or not the last and its length no multiple of 8") \
	X(25, MALFORMED_TCP, "parse", "malformed-tcp", "TCP header is cut off or its data offset is wrong") \
	X(26, MALFORMED_UDP, "parse", "malformed-udp", "UDP header is cut off or its length is wrong") \
	X(27, MALFORMED_ICMP, "parse", "malformed-icmp", "ICMP or ICMPv6 header is cut off") \
	X(28, MALFORMED_SCTP, "parse", "malformed-sctp", "SCTP header is cut off") \
	X(48, BLOCK_SOURCE, "block", "block-source", "source address is in a `from` of the block stage") \
	X(49, BLOCK_DESTINATION, "block", "block-destination", "destination address is in a `to` of the block stage") \
	X(64, FRAGMENT, "fragments", "fragment", "a fragment, and the policy says `fragments drop`") \
	X(65, FRAGMENT_UNKNOWN, "fragments", "fragment-unknown", \
	  "a later fragment whose first was not seen, and the policy says `fragments track`") \
	X(80, FILTER_RULE, "filter", "filter-rule", "a rule of the filter says so") \
	X(81, FILTER_LIMIT, "filter", "filter-limit", "over the limit of the rule of the filter that matched") \
	X(82, FILTER_REJECT, "filter", "filter-reject", \
	  "a rule of the filter rejects it: answered (tx), or dropped where an answer is not allowed") \
	X(83, FILTER_LIMIT_BAN, "filter", "filter-limit-ban", \
	  "over a limit of the filter that bans: its source was put into a dynamic set") \
	X(84, FILTER_LIMIT_FULL, "filter", "filter-limit-full", \
	  "over a limit of the filter that bans, but the dynamic set has no room for its source") \
	X(96, LIMIT, "limit", "limit", "over a limit of the limit stage") \
	X(97, LIMIT_BAN, "limit", "limit-ban", "over a limit that bans: its source was put into a dynamic set") \
	X(98, LIMIT_FULL, "limit", "limit-full", \
	  "over a limit that bans, but the dynamic set has no room for its source") \
	X(112, SYNPROXY_COOKIE, "synproxy", "synproxy-cookie", "a SYN answered with a cookie (tx)") \
	X(113, SYNPROXY_INVALID, "synproxy", "synproxy-invalid", \
	  "an ACK to a service that is armed: of no connection, and without a cookie of this host") \
	X(114, SYNPROXY_CHECKSUM, "synproxy", "synproxy-checksum", \
	  "to be answered, but its IP or TCP checksum is wrong, or it is too long for a SYN") \
	X(115, SYNPROXY_QUESTION, "synproxy", "synproxy-question", \
	  "a SYN answered (tx) so that its source proves itself before it may reach a service behind this box") \
	X(116, SYNPROXY_ADMITTED, "synproxy", "synproxy-admitted", \
	  "the answer to such a question was right: the source may send its SYN again")

#define X(number, symbol, stage, name, explanation) REASON_##symbol = (number),
enum reason {
	REASON_NONE = 0,
	SLUICE_REASONS(X)
	/* Reasons are below this; counters are laid out for all of them, so that a newer program can count
	 * into the counters of an older one. */
	REASONS_MAX = 256,
};
#undef X

#endif

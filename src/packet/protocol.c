// SPDX-License-Identifier: BSD-2-Clause
#include "packet/protocol.h"

#include <stdio.h>
#include <stdbool.h>
#include <string.h>

#include "base/nearest.h"

struct number_name {
	uint16_t number;
	const char *name;
};

/* IANA's protocol numbers by the names of /etc/protocols, but for those that nobody calls so: 4 is ipip, 58 is
 * icmpv6, 135 is mobility. Where a number stands twice, the first name is written and both are read. */
static const struct number_name protocols[] = {
	{ 0, "hopopt" },     { 1, "icmp" },
	{ 2, "igmp" },	     { 3, "ggp" },
	{ 4, "ipip" },	     { 4, "ipencap" },
	{ 5, "st" },	     { 6, "tcp" },
	{ 8, "egp" },	     { 9, "igp" },
	{ 12, "pup" },	     { 17, "udp" },
	{ 20, "hmp" },	     { 22, "xns-idp" },
	{ 27, "rdp" },	     { 29, "iso-tp4" },
	{ 33, "dccp" },	     { 36, "xtp" },
	{ 37, "ddp" },	     { 38, "idpr-cmtp" },
	{ 41, "ipv6" },	     { 43, "ipv6-route" },
	{ 44, "ipv6-frag" }, { 45, "idrp" },
	{ 46, "rsvp" },	     { 47, "gre" },
	{ 50, "esp" },	     { 51, "ah" },
	{ 57, "skip" },	     { 58, "icmpv6" },
	{ 58, "ipv6-icmp" }, { 59, "ipv6-nonxt" },
	{ 60, "ipv6-opts" }, { 73, "rspf" },
	{ 81, "vmtp" },	     { 88, "eigrp" },
	{ 89, "ospf" },	     { 93, "ax.25" },
	{ 97, "etherip" },   { 98, "encap" },
	{ 103, "pim" },	     { 108, "ipcomp" },
	{ 112, "vrrp" },     { 112, "carp" },
	{ 115, "l2tp" },     { 124, "isis" },
	{ 132, "sctp" },     { 133, "fc" },
	{ 135, "mobility" }, { 135, "mobility-header" },
	{ 136, "udplite" },  { 137, "mpls-in-ip" },
	{ 138, "manet" },    { 139, "hip" },
	{ 140, "shim6" },    { 141, "wesp" },
	{ 142, "rohc" },     { 143, "ethernet" },
};

/* IANA's EtherTypes (IEEE 802 numbers). */
static const struct number_name ethertypes[] = {
	{ 0x0800, "ipv4" },
	{ 0x0806, "arp" },
	{ 0x0842, "wake-on-lan" },
	{ 0x22f3, "trill" },
	{ 0x6558, "teb" },
	{ 0x8035, "rarp" },
	{ 0x809b, "appletalk" },
	{ 0x80f3, "aarp" },
	{ 0x8100, "vlan" },
	{ 0x8137, "ipx" },
	{ 0x86dd, "ipv6" },
	{ 0x8808, "mac-control" },
	{ 0x8809, "slow" }, /* LACP and others, IEEE 802.3, annex 57A */
	{ 0x8847, "mpls" },
	{ 0x8848, "mpls-multicast" },
	{ 0x8863, "pppoe-discovery" },
	{ 0x8864, "pppoe-session" },
	{ 0x888e, "eapol" },
	{ 0x8892, "profinet" },
	{ 0x88a2, "aoe" },
	{ 0x88a4, "ethercat" },
	{ 0x88a8, "qinq" },
	{ 0x88cc, "lldp" },
	{ 0x88e5, "macsec" },
	{ 0x88e7, "pbb" },
	{ 0x88f7, "ptp" },
	{ 0x88fb, "prp" },
	{ 0x8902, "cfm" },
	{ 0x8906, "fcoe" },
	{ 0x8914, "fip" },
	{ 0x8915, "roce" },
	{ 0x892f, "hsr" },
	{ 0x894f, "nsh" },
	{ 0x9000, "loopback" },
	{ 0x9100, "qinq-old" },
};

/* IANA's ICMP and ICMPv6 parameters, by the names that nftables gives them. */
static const struct number_name icmp4_types[] = {
	{ 0, "echo-reply" },	       { 3, "destination-unreachable" },
	{ 4, "source-quench" },	       { 5, "redirect" },
	{ 8, "echo-request" },	       { 9, "router-advertisement" },
	{ 10, "router-solicitation" }, { 11, "time-exceeded" },
	{ 12, "parameter-problem" },   { 13, "timestamp-request" },
	{ 14, "timestamp-reply" },     { 15, "info-request" },
	{ 16, "info-reply" },	       { 17, "address-mask-request" },
	{ 18, "address-mask-reply" },
};

static const struct number_name icmp6_types[] = {
	{ 1, "destination-unreachable" }, { 2, "packet-too-big" },	  { 3, "time-exceeded" },
	{ 4, "parameter-problem" },	  { 128, "echo-request" },	  { 129, "echo-reply" },
	{ 130, "mld-listener-query" },	  { 131, "mld-listener-report" }, { 132, "mld-listener-done" },
	{ 133, "nd-router-solicit" },	  { 134, "nd-router-advert" },	  { 135, "nd-neighbor-solicit" },
	{ 136, "nd-neighbor-advert" },	  { 137, "nd-redirect" },	  { 138, "router-renumbering" },
	{ 141, "ind-neighbor-solicit" },  { 142, "ind-neighbor-advert" }, { 143, "mld2-listener-report" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES_MAX (COUNT(protocols) + COUNT(ethertypes))

static const char *name_of(const struct number_name *table, size_t count, unsigned number)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].number == number)
			return table[i].name;
	return NULL;
}

static int number_of(const struct number_name *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].number;
	return -1;
}

const char *protocol_name(uint8_t protocol, char *text)
{
	const char *name = name_of(protocols, COUNT(protocols), protocol);

	if (name)
		return name;
	snprintf(text, PROTOCOL_TEXT_MAX, "%u", protocol);
	return text;
}

int protocol_number(const char *name)
{
	return number_of(protocols, COUNT(protocols), name);
}

const char *ethertype_name(uint16_t ethertype, char *text)
{
	const char *name = name_of(ethertypes, COUNT(ethertypes), ethertype);

	if (name)
		return name;
	if (ethertype < ETHERTYPE_MIN)
		return "llc";
	snprintf(text, PROTOCOL_TEXT_MAX, "0x%04x", ethertype);
	return text;
}

int ethertype_number(const char *name)
{
	return number_of(ethertypes, COUNT(ethertypes), name);
}

const char *icmp_type_name(int version, uint8_t type)
{
	if (version == 4)
		return name_of(icmp4_types, COUNT(icmp4_types), type);
	return name_of(icmp6_types, COUNT(icmp6_types), type);
}

int icmp_type_number(int version, const char *name)
{
	if (version == 4)
		return number_of(icmp4_types, COUNT(icmp4_types), name);
	return number_of(icmp6_types, COUNT(icmp6_types), name);
}

const char *protocol_nearest(const char *word)
{
	const char *names[NAMES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(protocols); i++)
		names[count++] = protocols[i].name;
	for (size_t i = 0; i < COUNT(ethertypes); i++)
		names[count++] = ethertypes[i].name;
	return nearest(word, names, count);
}

const char *ethertype_nearest(const char *word)
{
	const char *names[COUNT(ethertypes)];

	for (size_t i = 0; i < COUNT(ethertypes); i++)
		names[i] = ethertypes[i].name;
	return nearest(word, names, COUNT(ethertypes));
}

const char *icmp_type_nearest(int version, const char *word)
{
	const struct number_name *table = version == 4 ? icmp4_types : icmp6_types;
	size_t count = version == 4 ? COUNT(icmp4_types) : COUNT(icmp6_types);
	const char *names[COUNT(icmp6_types)];

	_Static_assert(COUNT(icmp4_types) <= COUNT(icmp6_types), "either table fits");
	for (size_t i = 0; i < count; i++)
		names[i] = table[i].name;
	return nearest(word, names, count);
}

const char *tcp_flag_name(unsigned bit)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr" };

	return names[bit];
}

int usual_ttl(int version, int icmp_type)
{
	bool is_discovery = version == 6 && icmp_type >= icmp_type_number(6, "nd-router-solicit") &&
			    icmp_type <= icmp_type_number(6, "nd-redirect");

	return is_discovery ? 255 : 64;
}

// SPDX-License-Identifier: BSD-2-Clause
/* Rules of the filter: what is in the tree afterwards, each thing that can be wrong with its whole message, and the one
 * form in which they are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Rules stand on the second line of this, from its first column on. */
#define BEFORE "set office { } set a { ::1 } set d dynamic size 9 interface eth0 { filter {\n"
#define AFTER "\n} }"

#define STATELESS "this version keeps no connections; for answers to TCP connections write: accept tcp flags ack/ack"

/* A wrong rule, and the first thing that is wrong with it. */
struct wrong {
	const char *name, *text;
	int column;
	const char *what, *hint;
};

static const struct wrong wrongs[] = {
	{ "ports_without_a_protocol", "accept dport 22", 8, "`dport` without a protocol that has ports",
	  "write tcp, udp or sctp, or several of them: protocol { tcp, udp }" },
	{ "ports_of_icmp", "accept icmp sport 22", 13, "`sport` without a protocol that has ports",
	  "write tcp, udp or sctp, or several of them: protocol { tcp, udp }" },
	{ "ports_of_a_list_with_gre", "accept protocol { tcp, gre } dport 22", 30,
	  "`dport` without a protocol that has ports",
	  "write tcp, udp or sctp, or several of them: protocol { tcp, udp }" },
	{ "ports_of_what_is_not_tcp", "accept protocol not tcp dport 22", 25,
	  "`dport` without a protocol that has ports",
	  "write tcp, udp or sctp, or several of them: protocol { tcp, udp }" },
	{ "flags_without_tcp", "drop udp flags syn", 10, "`flags` in a rule that is not about tcp alone",
	  "write: tcp flags syn" },
	{ "flags_of_two_protocols", "drop protocol { tcp, udp } flags syn", 28,
	  "`flags` in a rule that is not about tcp alone", "write: tcp flags syn" },
	{ "type_without_icmp", "accept udp type echo-request", 12,
	  "`type` in a rule that is about neither icmp nor icmpv6",
	  "write: icmp type echo-request, or: icmpv6 type echo-request" },
	{ "type_of_two_protocols", "accept protocol { icmp, icmpv6 } type 8", 34,
	  "`type` in a rule that is about neither icmp nor icmpv6",
	  "write: icmp type echo-request, or: icmpv6 type echo-request" },
	{ "code_without_icmp", "accept code 4", 8, "`code` in a rule that is about neither icmp nor icmpv6",
	  "write: icmp type echo-request, or: icmpv6 type echo-request" },
	{ "code_of_another_type", "drop icmp type redirect code port-unreachable", 30,
	  "`port-unreachable` is a code of destination-unreachable alone",
	  "write: type destination-unreachable code port-unreachable" },
	{ "near_miss_of_a_code", "drop icmp type destination-unreachable code port-unreachabel", 45,
	  "`port-unreachabel` is not a code", "did you mean `port-unreachable`?" },
	{ "ipv6_prefix_with_ipv4", "accept ipv4 from 2001:db8::/32", 18, "2001:db8::/32 in a rule about ipv4",
	  "its words allow IPv4 packets alone" },
	{ "ipv6_prefix_in_a_list", "accept ipv4 to { 10.0.0.0/8, ::1 }", 16, "::1 in a rule about ipv4",
	  "its words allow IPv4 packets alone" },
	{ "icmp_from_ipv6", "accept icmp from 2001:db8::/32", 18, "2001:db8::/32 in a rule about ipv4",
	  "its words allow IPv4 packets alone" },
	{ "icmpv6_to_ipv4", "accept icmpv6 to 192.0.2.1", 18, "192.0.2.1 in a rule about ipv6",
	  "its words allow IPv6 packets alone" },
	{ "icmp_with_ipv6", "accept ipv6 icmp", 13, "icmp, which is IPv4's, in a rule about ipv6", "IPv6 has icmpv6" },
	{ "icmpv6_with_ipv4", "accept icmpv6 ipv4", 8, "icmpv6, which is IPv6's, in a rule about ipv4",
	  "IPv4 has icmp" },
	{ "from_and_to_of_two_families", "accept from 192.0.2.1 to ::1", 23,
	  "`from` and `to` are of different families", "no packet has addresses of both" },
	{ "extension_with_ipv4", "drop ipv4 extension routing", 11, "`extension` in a rule about ipv4",
	  "only IPv6 has extension headers" },
	{ "extension_from_ipv4", "drop extension routing from 10.0.0.0/8", 29, "10.0.0.0/8 in a rule about ipv6",
	  "its words allow IPv6 packets alone" },
	{ "extension_with_icmp", "drop icmp extension routing", 11, "`extension` in a rule about ipv4",
	  "only IPv6 has extension headers" },
	{ "ends_before_it_begins", "accept tcp dport 90-80", 18, "90-80 ends before it begins",
	  "write the lower number first: 80-90" },
	{ "port_out_of_range", "accept tcp dport 65536", 18, "`65536` is not a port",
	  "it is a number from 0 to 65535, or two of them: 8000-8080" },
	{ "port_range_out_of_range", "accept tcp dport 1-70000", 18, "`1-70000` is not a port",
	  "it is a number from 0 to 65535, or two of them: 8000-8080" },
	{ "port_by_name", "accept tcp dport ssh", 18, "`ssh` is not a port", "write the number: ssh is 22" },
	{ "port_by_unknown_name", "accept tcp dport gopher", 18, "`gopher` is not a port",
	  "it is a number from 0 to 65535, or two of them: 8000-8080" },
	{ "port_range_of_iptables", "accept udp sport { 53, 8000:8080 }", 24, "`8000:8080` is not a port",
	  "a range is written with a dash: 8000-8080" },
	{ "port_any", "accept tcp dport any", 18, "`any` is not a port",
	  "what a rule does not name may be anything: leave it out" },
	{ "protocol_any", "accept protocol any", 17, "`any` is not a protocol",
	  "what a rule does not name may be anything: leave it out" },
	{ "service_in_place_of_a_protocol", "accept protocol https", 17, "`https` is not a protocol",
	  "it is a name, as tcp, or a number from 0 to 255" },
	{ "service_in_a_rule", "accept https", 8, "unknown word `https`",
	  "a service is a protocol and a port, as a number: tcp dport 443" },
	{ "port_in_a_rule", "accept tcp port 80", 12, "unknown word `port`",
	  "write dport for the port that a packet goes to, sport for the one it comes from: tcp dport 80" },
	{ "verb_of_another_language", "allow tcp dport 22", 1, "unknown word `allow`", "write: accept" },
	{ "verb_that_denies", "accept tcp deny", 12, "unknown word `deny`", "write: drop" },
	{ "verb_of_the_default", "pass tcp", 1, "unexpected `pass`", "write: accept" },
	{ "verb_of_the_block", "accept block udp", 8, "unexpected `block`", "write: drop" },
	{ "states_of_connections", "accept ct state established", 8, "unknown word `ct`", STATELESS },
	{ "states_in_front", "ct state related accept", 1, "unknown word `ct`", STATELESS },
	{ "state_of_iptables", "accept state NEW", 8, "unknown word `state`", STATELESS },
	{ "related", "accept related", 8, "unknown word `related`", STATELESS },
	{ "from_any", "accept from any to 192.0.2.1", 13, "`any` is not an address or prefix",
	  "what a rule does not name may be anything: leave it out" },
	{ "to_any", "accept to ANY", 11, "`ANY` is not an address or prefix",
	  "what a rule does not name may be anything: leave it out" },
	{ "any", "drop any", 6, "unknown word `any`", "what a rule does not name may be anything: leave it out" },
	{ "source_of_nftables", "drop ip saddr 192.0.2.1", 6, "unknown word `ip`",
	  "write ipv4; addresses of both families stand behind `from` and `to`" },
	{ "address_range", "accept from 192.0.2.1-192.0.2.6", 13, "`192.0.2.1-192.0.2.6` is not an address or prefix",
	  "these addresses are, as prefixes: 192.0.2.1, 192.0.2.2/31, 192.0.2.4/31, 192.0.2.6" },
	{ "address_range_of_ipv6", "drop to { 2001:db8::-2001:db8::ffff }", 11,
	  "`2001:db8::-2001:db8::ffff` is not an address or prefix",
	  "these addresses are, as prefixes: 2001:db8::/112" },
	{ "address_range_of_many", "drop from 10.0.0.1-10.0.0.254", 11,
	  "`10.0.0.1-10.0.0.254` is not an address or prefix",
	  "these addresses are, as prefixes: 10.0.0.1, 10.0.0.2/31, 10.0.0.4/30, 10.0.0.8/29, 10.0.0.16/28 and 9 "
	  "more" },
	{ "address_range_backwards", "drop from 10.0.0.9-10.0.0.1", 11,
	  "`10.0.0.9-10.0.0.1` is not an address or prefix",
	  "prefixes stand for a range, and this one ends before it begins" },
	{ "address_range_of_two_families", "drop from 10.0.0.9-::1", 11, "`10.0.0.9-::1` is not an address or prefix",
	  "write it as 192.0.2.0/24, 2001:db8::/32 or a single address" },
	{ "exclamation_mark", "drop ! tcp", 6, "stray character `!`",
	  "write `not` behind the field: from not 192.0.2.0/24" },
	{ "echo", "accept icmp type echo", 18, "`echo` is not a type", "did you mean `echo-request`?" },
	{ "router_solicitation_of_icmpv6", "accept icmpv6 type router-solicitation", 20,
	  "`router-solicitation` is not a type", "did you mean `nd-router-solicit`?" },
	{ "port_negative", "accept tcp dport -1", 18, "`-1` is not a port",
	  "it is a number from 0 to 65535, or two of them: 8000-8080" },
	{ "protocol_out_of_range", "accept protocol 256", 17, "`256` is not a protocol",
	  "it is a name, as tcp, or a number from 0 to 255" },
	{ "near_miss_of_a_protocol", "accept protocol tpc", 17, "`tpc` is not a protocol", "did you mean `tcp`?" },
	{ "protocol_that_is_an_ethertype", "accept protocol lldp", 17, "`lldp` is not a protocol",
	  "it is a name, as tcp, or a number from 0 to 255" },
	{ "type_out_of_range", "accept icmp type 256", 18, "`256` is not a type",
	  "it is a name, as echo-request, or a number from 0 to 255" },
	{ "near_miss_of_a_type", "accept icmp type echo-requst", 18, "`echo-requst` is not a type",
	  "did you mean `echo-request`?" },
	{ "type_of_the_other_icmp", "accept icmp type nd-neighbor-solicit", 18,
	  "`nd-neighbor-solicit` is not a type of icmp", "icmpv6 has it" },
	{ "vlan_out_of_range", "drop vlan 4096", 11, "`4096` is not a VLAN",
	  "it is a number from 0 to 4095, or none for packets without a tag" },
	{ "dscp_out_of_range", "drop dscp 64", 11, "`64` is not a DSCP",
	  "it is a name, as cs1, af11 or ef, or a number from 0 to 63" },
	{ "near_miss_of_a_dscp", "drop dscp af14", 11, "`af14` is not a DSCP", "did you mean `af11`?" },
	{ "ttl_out_of_range", "drop ttl 256", 10, "`256` is not a TTL or hop limit",
	  "it is a number from 0 to 255, or two of them: 0-4" },
	{ "length_out_of_range", "drop length 65536", 13, "`65536` is not a length",
	  "it is a number of bytes from 0 to 65535, or two of them: 1000-1500" },
	{ "kind_of_fragment_unknown", "drop fragment frist", 15, "`frist` is not a kind of fragment",
	  "did you mean `first`?" },
	{ "extension_unknown", "drop extension hop-by-hopp", 16, "`hop-by-hopp` is not an extension header",
	  "did you mean `hop-by-hop`?" },
	{ "mac_too_short", "drop mac 02:00:00", 10, "`02:00:00` is not a MAC address",
	  "write all six bytes in hex: 02:00:5e:10:00:01" },
	{ "mac_no_hex", "drop mac 02:00:00:00:00:0g", 10, "`02:00:00:00:00:0g` is not a MAC address",
	  "write all six bytes in hex: 02:00:5e:10:00:01" },
	{ "flag_unknown", "drop tcp flags sny", 16, "`sny` is not a flag of TCP", "did you mean `syn`?" },
	{ "flags_not_looked_at", "drop tcp flags syn,ack/syn", 16,
	  "`syn,ack/syn` never matches: it wants flags that it does not look at",
	  "behind the / stand all that are looked at: syn/syn,ack" },
	{ "flags_that_look_at_nothing", "drop tcp flags syn/none", 16, "`syn/none` compares no flags",
	  "write those that are set, / and those that are looked at: syn/syn,ack" },
	{ "flags_with_nothing_behind_the_slash", "drop tcp flags syn/", 16, "`syn/` compares no flags",
	  "write those that are set, / and those that are looked at: syn/syn,ack" },
	{ "flags_without_any", "drop tcp flags ;", 16, "unexpected `;`", "expected a value" },
	{ "value_twice", "accept tcp dport { 80, 443, 80 }", 29, "this value is in the list already",
	  "the other one is at line 2, column 20" },
	{ "value_within_another", "accept tcp dport { 80-90, 85 }", 27, "this value is within another one of the list",
	  "the other one is at line 2, column 20" },
	{ "values_overlap", "accept tcp dport { 80-90, 85-95 }", 27, "this value overlaps another one of the list",
	  "the other one is at line 2, column 20" },
	{ "type_twice_by_name", "accept icmp type { 8, echo-request }", 23, "this value is in the list already",
	  "the other one is at line 2, column 20" },
	{ "list_of_nothing", "accept tcp dport { }", 20, "unexpected `}`", "expected a value" },
	{ "values_without_braces", "accept tcp dport 80, 443", 20, "unexpected `,`",
	  "several values stand in braces: { 80, 443 }" },
	{ "match_twice", "accept tcp dport 80 dport 443", 21, "this rule has `dport` twice",
	  "the other one is at column 12" },
	{ "from_twice", "accept from 10.0.0.0/8 from 11.0.0.0/8", 24, "this rule has `from` twice",
	  "the other one is at column 8" },
	{ "protocol_twice", "accept tcp udp", 12, "this rule has a protocol already",
	  "for several protocols write: protocol { tcp, udp }" },
	{ "protocol_twice_by_word", "accept tcp protocol udp", 12, "this rule has a protocol already",
	  "for several protocols write: protocol { tcp, udp }" },
	{ "families_twice", "accept ipv4 ipv6", 13, "this rule is about another family already",
	  "a rule without ipv4 and ipv6 is about both" },
	{ "family_twice", "accept ipv4 ipv4", 13, "this rule has its family twice",
	  "the other word is at line 2, column 8" },
	{ "arp_and_a_family", "drop arp ipv4", 10, "this rule is about another family already",
	  "the other word is at line 2, column 6" },
	{ "arp_with_an_address", "drop arp from 10.0.0.1", 10, "`from` in a rule about ARP",
	  "a rule about ARP may have vlan and mac" },
	{ "arp_with_a_protocol", "drop arp tcp", 10, "`protocol` in a rule about ARP",
	  "a rule about ARP may have vlan and mac" },
	{ "ethertype_decimal", "accept ethertype 8809", 18, "`8809` is not an EtherType",
	  "it is a name, as lldp, or a number from 0x0600 to 0xffff, or llc for what has none" },
	{ "ethertype_of_a_length", "accept ethertype 0x5ff", 18, "`0x5ff` is not an EtherType",
	  "it is a name, as lldp, or a number from 0x0600 to 0xffff, or llc for what has none" },
	{ "ethertype_too_large", "accept ethertype 0x10000", 18, "`0x10000` is not an EtherType",
	  "it is a name, as lldp, or a number from 0x0600 to 0xffff, or llc for what has none" },
	{ "ethertype_without_digits", "accept ethertype 0x", 18, "`0x` is not an EtherType",
	  "it is a name, as lldp, or a number from 0x0600 to 0xffff, or llc for what has none" },
	{ "near_miss_of_an_ethertype", "accept ethertype eapool", 18, "`eapool` is not an EtherType",
	  "did you mean `eapol`?" },
	{ "ethertype_of_ip", "accept ethertype { lldp, 0x0800 }", 26,
	  "`0x0800` in a match about what is neither IP nor ARP", "write: ipv4" },
	{ "ethertype_of_arp", "accept ethertype arp", 18, "`arp` in a match about what is neither IP nor ARP",
	  "write: arp" },
	{ "ethertype_of_tags", "accept ethertype qinq", 18, "`qinq` in a match about what is neither IP nor ARP",
	  "write: vlan not none" },
	{ "ethertype_of_ipv6_rule", "accept ipv6 ethertype lldp", 13, "`ethertype` in a rule about ipv6",
	  "it is for what is neither IP nor ARP" },
	{ "ethertype_of_arp_rule", "accept ethertype lldp arp", 8, "`ethertype` in a rule about arp",
	  "it is for what is neither IP nor ARP" },
	{ "ethertype_and_an_address", "accept ethertype lldp from 192.0.2.1", 23, "`from` in a rule about an EtherType",
	  "a rule about an EtherType may have vlan and mac" },
	{ "ethertype_twice_in_a_list", "accept ethertype { slow, 0x8809 }", 26, "this value is in the list already",
	  "the other one is at line 2, column 20" },
	{ "reject_of_an_ethertype", "reject ethertype lldp", 1,
	  "reject in a rule about an EtherType, which has no answer that refuses", "write: drop ethertype lldp" },
	{ "reject_of_arp", "reject arp", 1, "reject in a rule about ARP, which has no answer that refuses",
	  "write: drop arp" },
	{ "prefix_twice", "accept from { 10.0.0.0/8, 10.1.0.0/16 }", 27,
	  "10.1.0.0/16 is covered by 10.0.0.0/8 at line 2", "leave it out" },
	{ "prefix_twice_without_braces", "accept from 10.0.0.0/8, 10.1.0.0/16", 25,
	  "10.1.0.0/16 is covered by 10.0.0.0/8 at line 2", "leave it out" },
	{ "set_twice", "accept from @a, 10.0.0.0/8, @a", 29, "this rule names @a twice", "leave it out" },
	{ "empty_list", "accept from { }", 13, "this list is empty", "write a prefix: { 192.0.2.0/24 }" },
	{ "unknown_set", "accept from @ofice", 13, "unknown set @ofice", "did you mean @office?" },
	{ "set_without_at_sign", "accept from office", 13, "`office` is not an address or prefix",
	  "write it as 192.0.2.0/24, 2001:db8::/32 or a single address\nif it is a set: @office" },
	{ "prefix_is_none", "accept from 10.0.0/8", 13,
	  "10.0.0/8 is a short form of an IPv4 address, which programs read in different ways",
	  "write all four parts: 10.0.0.0/8" },
	{ "rate_of_nothing", "accept limit 0/s", 14, "0/s lets nothing through",
	  "for that write a rule of the filter: drop …" },
	{ "rate_too_high", "accept limit 10000001/s", 14, "10000001/s is faster than a limit can count",
	  "at most 10000000 packets a second" },
	{ "rate_without_unit", "accept limit 10", 14, "`10` is not a rate",
	  "write packets in a time: 10/s, 10/m, 10/h or 10/d; or bits or bytes in a second: 10mbit/s, 1mbyte/s" },
	{ "rate_of_unknown_unit", "accept limit 10/w", 14, "`10/w`: there is no rate in each `w`",
	  "write packets in each second, minute, hour or day: 10/s, 10/m, 10/h or 10/d" },
	{ "rate_in_words", "accept limit many/s", 14, "`many/s` is not a rate",
	  "write packets in a time: 10/s, 10/m, 10/h or 10/d; or bits or bytes in a second: 10mbit/s, 1mbyte/s" },
	{ "burst_of_nothing", "accept limit 10/s burst 0", 25, "a burst of 0 packets lets nothing through",
	  "it is a number of packets from 1 to 1000000" },
	{ "burst_too_large", "accept limit 10/s burst 1000001", 25, "`1000001` is not a burst",
	  "it is a number of packets from 1 to 1000000" },
	{ "burst_without_limit", "accept burst 10", 8, "`burst` without a limit in front of it",
	  "write: limit 10/s burst 20 per source else drop" },
	{ "per_without_limit", "accept per source", 8, "`per` without a limit in front of it",
	  "write: limit 10/s burst 20 per source else drop" },
	{ "else_without_limit", "accept tcp else drop", 12, "`else` without a limit in front of it",
	  "write: limit 10/s burst 20 per source else drop" },
	{ "else_accept", "accept limit 1/s else accept", 23, "unexpected `accept`", "expected `drop`" },
	{ "per_what", "accept limit 1/s per port", 22, "`port` is not what a limit can be kept per",
	  "it is rule, source, destination or source+dport" },
	{ "per_bits_of_ipv4", "accept ipv4 limit 1/s per source/33", 23, "33 bits of an IPv4 address",
	  "an IPv4 address has 32 bits" },
	{ "per_no_bits", "accept limit 1/s per source/0", 22, "`0` is not a prefix length",
	  "after the slash stands a number from 1 to 32, or to 128 for IPv6" },
	{ "per_too_many_bits", "accept limit 1/s per source/129", 22, "`129` is not a prefix length",
	  "after the slash stands a number from 1 to 32, or to 128 for IPv6" },
	{ "limit_of_a_drop", "drop tcp limit 10/s", 10, "a limit in a rule that drops",
	  "what is over the limit is dropped: write accept (or reject) for what is within it" },
	{ "limit_twice", "accept limit 10/s limit 20/s", 19, "this rule has `limit` twice",
	  "the other one is at column 8" },
	{ "log_of_two", "accept log 2/3", 12, "`2/3` is not a part of the packets",
	  "write `log` for each packet, `log 1/1000` for one of a thousand (at most 1/1000000000)" },
	{ "log_of_nothing", "accept log 1/0", 12, "`1/0` is not a part of the packets",
	  "write `log` for each packet, `log 1/1000` for one of a thousand (at most 1/1000000000)" },
	{ "log_of_a_number", "accept log 5", 12, "`5` is not a part of the packets",
	  "write `log` for each packet, `log 1/1000` for one of a thousand (at most 1/1000000000)" },
	{ "counter_name", "accept count 9lives", 14, "`9lives` is not a name for a counter",
	  "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most 63" },
	{ "counter_missing", "accept count ;", 14, "unexpected `;`", "expected a name" },
	{ "reset_of_udp", "reject with tcp-reset udp", 1, "reject with tcp-reset in a rule that is not about tcp alone",
	  "`reject` alone resets TCP, and answers everything else with port-unreachable" },
	{ "reset_of_anything", "reject with tcp-reset", 1,
	  "reject with tcp-reset in a rule that is not about tcp alone",
	  "`reject` alone resets TCP, and answers everything else with port-unreachable" },
	{ "answer_unknown", "reject with port-unreachabel", 13, "`port-unreachabel` is not an answer",
	  "did you mean `port-unreachable`?" },
	{ "answer_of_an_accept", "accept with tcp-reset tcp", 13, "`with` belongs to reject",
	  "write: reject with tcp-reset" },
	{ "answer_twice", "reject with tcp-reset with port-unreachable", 28, "this rule has `with` twice",
	  "a packet gets one answer" },
	{ "ports_of_later_fragments", "drop tcp fragment later dport 22", 10, "a later fragment has no `dport`",
	  "only the first one has; `fragments track` gives the others its verdict" },
	{ "flags_of_later_fragments", "drop tcp fragment later flags syn", 10, "a later fragment has no `flags`",
	  "only the first one has; `fragments track` gives the others its verdict" },
	{ "types_of_later_fragments", "drop icmp fragment later type 8", 11, "a later fragment has no `type`",
	  "only the first one has; `fragments track` gives the others its verdict" },
	{ "near_miss_of_a_match", "accept tcp dprt 22", 12, "unknown word `dprt`", "did you mean `dport`?" },
	{ "near_miss_of_a_verb", "acept tcp", 1, "unknown word `acept`", "did you mean `accept`?" },
	{ "unknown_word", "accept tcp wildly", 12, "unknown word `wildly`",
	  "a rule goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …), limit, log or "
	  "count, or the next one begins: accept, drop or reject" },
	{ "established", "accept established", 8, "`established` is not part of this version of Sluice",
	  "for answers to TCP connections write: accept tcp flags ack/ack" },
	{ "not_a_type", "accept icmp type not 8", 18, "unexpected `not`", "expected a value or `{`" },
	{ "rule_after_the_default", "default drop accept tcp", 14, "unexpected `accept`", "expected `}`" },
	{ "filter_of_a_word", "limit 10/s", 1, "unexpected `limit`",
	  "expected `drop`, `use`, `accept`, `reject`, `default` or `}`" },
	{ "value_missing", "accept tcp dport }", 18, "unexpected `}`", "expected a value, `not` or `{`" },
};

static char *around(const char *rules)
{
	return xasprintf("%s%s%s", BEFORE, rules, AFTER);
}

static void wrong_rule_says_what_and_where(void **state)
{
	const struct wrong *wrong = *state;
	CLEANUP_FREE char *text = around(wrong->text);
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(policy_parse(text, "test.policy", &policy, &error), -EINVAL);
	assert_string_equal(error.what, wrong->what);
	assert_string_equal(error.hint, wrong->hint);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, wrong->column);
	assert_null(policy);
}

static struct policy *parse(const char *rules)
{
	CLEANUP_FREE char *text = around(rules);
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s\nin:\n%s", error.line, error.column, error.what, error.hint, rules);
	return policy;
}

static char *print_rules(const struct filter_list *filter)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < filter->rule_count; i++) {
		fputs(i ? "; " : "", out);
		filter_print_rule(out, &filter->rules[i]);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

/* As somebody may write it, and as it is printed; NULL: the same. */
static const struct {
	const char *written, *printed;
} forms[] = {
	{ "", NULL },
	{ "accept", NULL },
	{ "drop;reject;;accept", "drop; reject; accept" },
	{ "accept\ntcp\ndport\n22 drop", "accept tcp dport 22; drop" },
	{ "accept dport 22 tcp", "accept tcp dport 22" },
	{ "accept protocol tcp", "accept tcp" },
	{ "accept protocol 132 dport { 5, }", "accept sctp dport 5" },
	{ "accept protocol { 6, 17 } dport 53", "accept protocol { tcp, udp } dport 53" },
	{ "accept protocol 1", "accept protocol icmp" },
	{ "accept ipv4 protocol 1", "accept icmp" },
	{ "accept icmp ipv4", "accept icmp" },
	{ "accept protocol icmp type 8", "accept icmp type echo-request" },
	{ "accept type 128 protocol icmpv6", "accept icmpv6 type echo-request" },
	{ "accept protocol not 6-17", "accept protocol not 6-17" },
	{ "accept protocol 253", NULL },
	{ "drop icmp code port-unreachable type destination-unreachable",
	  "drop icmp type destination-unreachable code 3" },
	{ "drop icmpv6 type { 1, 200-255, 133 } code 0-3",
	  "drop icmpv6 type { destination-unreachable, 200-255, nd-router-solicit } code 0-3" },
	{ "accept from @a to not 10.0.0.0/8", NULL },
	{ "accept to { ::1 } from { 10.0.0.0/8, ::/8 }", "accept from { 10.0.0.0/8, ::/8 } to ::1" },
	{ "drop from not @a, @d, { ::2 }", "drop from not @a, @d, ::2" },
	{ "drop tcp flags syn / fin , syn,rst,ack", "drop tcp flags syn/fin,syn,rst,ack" },
	{ "drop tcp flags syn/syn", "drop tcp flags syn" },
	{ "drop tcp flags none/all", "drop tcp flags none" },
	{ "drop tcp flags fin,syn,rst,psh,ack,urg,ece,cwr", "drop tcp flags all" },
	{ "drop tcp flags none/syn,ack", NULL },
	{ "drop vlan none", NULL },
	{ "drop vlan not none mac 02:0A:00:00:00:fF", "drop vlan not none mac 02:0a:00:00:00:ff" },
	{ "drop dscp { 46, af11, 63, 0 }", "drop dscp { ef, af11, 63, cs0 }" },
	{ "drop length 0-19 ttl not 255", "drop ttl not 255 length 0-19" },
	{ "drop fragment any", NULL },
	{ "drop extension fragment fragment first", "drop fragment first extension fragment" },
	{ "drop arp vlan 5", NULL },
	{ "accept ethertype 0x8809", "accept ethertype slow" },
	{ "accept vlan 5 ethertype not { 0xBEEF, lldp, llc }", "accept ethertype not { 0xbeef, lldp, llc } vlan 5" },
	{ "reject", NULL },
	{ "reject with tcp-reset tcp", NULL },
	{ "reject udp with admin-prohibited", "reject with admin-prohibited udp" },
	{ "accept limit 10/s else drop", "accept limit 10/s" },
	{ "accept limit 5/m per source/24 burst 7 log 1/1 count log",
	  "accept limit 5/m burst 7 per source/24 log count log" },
	{ "reject limit 10000000/d burst 1000000 per destination/128 log 1/1000000000", NULL },
	{ "accept log accept", "accept log; accept" },
	{ "accept log 1/10 count from", NULL },
};

static void rules_print_in_one_form(void **state)
{
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct policy *first = parse(forms[i].written), *second;
		CLEANUP_FREE char *printed = print_rules(&first->interfaces[0].filter);
		CLEANUP_FREE char *again = NULL;

		assert_string_equal(printed, forms[i].printed ?: forms[i].written);
		second = parse(printed);
		again = print_rules(&second->interfaces[0].filter);
		assert_string_equal(again, printed);
		policy_free(first);
		policy_free(second);
	}
}

static void tree_holds_the_rule(void **state)
{
	struct policy *policy =
		parse("reject with host-unreachable tcp from not @a\n  dport { 80, 443-444 } flags syn/syn,ack\n"
		      "limit 3/h burst 9 per source/56 log 1/7 count web\n default drop");
	const struct interface *interface = &policy->interfaces[0];
	const struct filter_rule *rule = &interface->filter.rules[0];
	const struct filter_values *ports = &rule->fields[FILTER_FIELD_DPORT];

	assert_int_equal(interface->filter.rule_count, 1);
	assert_int_equal(interface->default_verdict, VERDICT_DROP);
	assert_int_equal(interface->default_where.line, 5);
	assert_int_equal(interface->filter.where.line, 1);
	assert_int_equal(rule->where.line, 2);
	assert_int_equal(rule->where.column, 1);
	assert_int_equal(rule->verb, FILTER_REJECT);
	assert_int_equal(rule->reject, FILTER_REJECT_HOST);
	assert_int_equal(rule->family, FILTER_FAMILY_ANY);
	assert_true(filter_rule_is_only(rule, 6));
	assert_true(rule->source.negated);
	assert_ptr_equal(rule->source.targets[0].set, policy->sets[1]);
	assert_int_equal(rule->destination.where.line, 0);
	assert_int_equal(ports->where.line, 3);
	assert_int_equal(ports->where.column, 3);
	assert_int_equal(ports->count, 2);
	assert_int_equal(ports->ranges[1].low, 443);
	assert_int_equal(ports->ranges[1].high, 444);
	assert_int_equal(rule->flags, 0x02);
	assert_int_equal(rule->flags_mask, 0x12);
	assert_int_equal(rule->limit.rate, 3);
	assert_int_equal(rule->limit.unit, LIMIT_HOUR);
	assert_int_equal(rule->limit.burst, 9);
	assert_int_equal(rule->limit.per, FILTER_PER_SOURCE);
	assert_int_equal(rule->limit.length, 56);
	assert_int_equal(rule->log, 7);
	assert_string_equal(rule->counter, "web");
	policy_free(policy);
}

static void fragments_can_be_tracked(void **state)
{
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(policy_parse("interface eth0 { fragments track }", "test.policy", &policy, &error), 0);
	assert_int_equal(policy->interfaces[0].fragments, FRAGMENTS_TRACK);
	assert_string_equal(fragments_name(FRAGMENTS_TRACK), "track");
	policy_free(policy);
}

static void damaged_rules_never_crash(void **state)
{
	static const char likely[] = "{}@,;/- \n09azF";

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		CLEANUP_FREE char *text = around(forms[random() % (long)COUNT(forms)].written);
		struct policy *policy = NULL;
		struct error error = { .what = "" };

		for (long flips = 1 + random() % 3; flips > 0; flips--)
			text[strlen(BEFORE) + (size_t)random() % (strlen(text) - strlen(BEFORE))] =
				likely[random() % (long)(sizeof(likely) - 1)];
		if (policy_parse(text, "test.policy", &policy, &error))
			assert_int_not_equal(error.what[0], '\0');
		policy_free(policy);
	}
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(rules_print_in_one_form),
	cmocka_unit_test(tree_holds_the_rule),
	cmocka_unit_test(fragments_can_be_tracked),
	cmocka_unit_test(damaged_rules_never_crash),
};

/* Each row of the table is a test of its own name. */
int main(void)
{
	struct CMUnitTest tests[COUNT(others) + COUNT(wrongs)];

	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < COUNT(wrongs); i++)
		tests[COUNT(others) + i] = (struct CMUnitTest){
			.name = wrongs[i].name,
			.test_func = wrong_rule_says_what_and_where,
			.initial_state = (void *)&wrongs[i],
		};
	return cmocka_run_group_tests_name("filter_policy", tests, NULL, NULL);
}

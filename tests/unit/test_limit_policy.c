// SPDX-License-Identifier: BSD-2-Clause
/* Limits: what is in the tree afterwards, each thing that can be wrong with its whole message, the one form in which
 * they are printed, and rates that are kept to a thousandth. */
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

/* Limits stand on the second line of this, from its first column on. */
#define SETS "set office { 192.0.2.0/24 } set list file \"/dev/null\" set banned dynamic size 9 "
#define BEFORE SETS "interface eth0 { limit {\n"
#define BEFORE_RULE SETS "interface eth0 { filter {\n"
#define AFTER "\n} }"

/* A wrong limit, and the first thing that is wrong with it. */
struct wrong {
	const char *name, *text;
	int column;
	const char *what, *hint;
};

#define HINT_RATE "write packets in a time: 10/s, 10/m, 10/h or 10/d; or bits or bytes in a second: 10mbit/s, 1mbyte/s"
#define HINT_TIME "write packets in each second, minute, hour or day: 10/s, 10/m, 10/h or 10/d"
#define HINT_BAN_TIME "write it as 90s, 10m, 1h or 7d, from 1s to 3650d; without it the set's timeout holds"
#define HINT_GOES_ON \
	"a limit goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …) or with its " \
	"rate: 100/s, 10mbit/s"
#define HINT_BEHIND \
	"behind its rate a limit has burst, per, ban, else drop, log or count, or the next one begins with a match"
#define HINT_BEGINS \
	"a limit begins with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …), or with `all`: " \
	"udp sport 53 1000/s per source"
#define HINT_PORTS "write tcp, udp or sctp, or several of them: protocol { tcp, udp }; or per source"
#define HINT_LINE "matches come first: tcp dport 80 100/s; the next limit begins on a line of its own, or after ;"

static const struct wrong wrongs[] = {
	{ "port_of_other_languages", "tcp port 80 10/s", 5, "unknown word `port`",
	  "write dport for the port that a packet goes to, sport for the one it comes from: tcp dport 80" },
	{ "states_of_connections", "ct state new 10/s", 1, "unknown word `ct`",
	  "this version keeps no connections; the first packet of one is: tcp flags syn/syn,ack" },
	{ "any_instead_of_all", "any 10/s", 1, "unknown word `any`", "write: all" },
	{ "source_of_nftables", "udp saddr 192.0.2.1 10/s", 5, "unknown word `saddr`",
	  "write: from 192.0.2.0/24, or with a set: from @office" },
	{ "rate_of_nothing", "udp 0/s", 5, "0/s lets nothing through", "for that write a rule of the filter: drop …" },
	{ "rate_of_no_bytes", "udp 0mbit/s", 5, "0mbit/s lets nothing through",
	  "for that write a rule of the filter: drop …" },
	{ "rate_of_an_unknown_unit", "udp 10mb/s", 5, "`10mb/s`: there is no unit `mb`",
	  "write mbit for bits, mbyte for bytes" },
	{ "rate_of_an_unknown_unit_in_capitals", "udp 10KB/s", 5, "`10KB/s`: there is no unit `KB`",
	  "write kbit for bits, kbyte for bytes" },
	{ "unit_below_the_smallest", "udp 800bit/s", 5, "`800bit/s`: there is no unit `bit`",
	  "the smallest unit is kbit: 1kbit/s" },
	{ "near_miss_of_a_unit", "udp 10mbits/s", 5, "`10mbits/s`: there is no unit `mbits`", "did you mean `mbit`?" },
	{ "rate_of_packets_by_name", "udp 10packets/s", 5, "`10packets/s`: there is no unit `packets`",
	  "a rate is in packets, as 10/s, or in kbit, mbit, gbit, kbyte or mbyte: 10mbit/s" },
	{ "rate_in_an_unknown_time", "udp 10/week", 5, "`10/week`: there is no rate in each `week`", HINT_TIME },
	{ "bits_in_an_hour", "udp 10mbit/h", 5, "`10mbit/h`: bits and bytes are in each second", "as in: 10mbit/s" },
	{ "rate_without_a_time", "udp 100", 5, "`100` is not a rate", HINT_RATE },
	{ "rate_with_half_a_time", "udp 100/", 5, "`100/` is not a rate", HINT_RATE },
	{ "rate_in_other_words", "udp 100pps", 5, "`100pps` is not a rate", HINT_RATE },
	{ "address_without_its_word", "udp 192.0.2.1 10/s", 5, "unexpected `192.0.2.1`", HINT_GOES_ON },
	{ "flag_without_its_word", "tcp syn 100/s", 5, "unknown word `syn`", "write: tcp flags syn/syn,ack" },
	{ "address_in_words_of_nftables", "udp saddr 192.0.2.1 10/s", 5, "unknown word `saddr`",
	  "write: from 192.0.2.0/24, or with a set: from @office" },
	{ "everything_in_another_word", "any 10/s", 1, "unknown word `any`", "write: all" },
	{ "rate_with_a_fraction", "udp 1.5/s", 5, "`1.5/s` is not a whole number of its unit",
	  "write a smaller unit: 90/m for 1.5/s, 1500kbit/s for 1.5mbit/s" },
	{ "rate_too_high", "udp 10000001/s", 5, "10000001/s is faster than a limit can count",
	  "at most 10000000 packets a second" },
	{ "rate_too_high_for_its_number", "udp 4294967296/d", 5,
	  "4294967296/d is more than a limit can be written with",
	  "at most 4294967295 of a unit: write a larger one, or a shorter time" },
	{ "rate_in_bits_too_high", "udp 101gbit/s", 5, "101gbit/s is faster than a limit can count",
	  "at most 100gbit/s" },
	{ "rate_that_nanoseconds_cannot_keep", "udp 7100000/s", 5, "7100000/s cannot be kept to a thousandth",
	  "the nearest that can: 7092198/s and 7142857/s" },
	{ "rate_that_nanoseconds_cannot_keep_in_a_minute", "udp 399000000/m", 5,
	  "399000000/m cannot be kept to a thousandth", "the nearest that can: 397350993/m and 400000000/m" },
	{ "burst_of_nothing", "udp 10/s burst 0", 16, "a burst of 0 packets lets nothing through",
	  "it is a number of packets from 1 to 1000000" },
	{ "burst_below_a_packet", "udp 10mbit/s burst 1513", 20,
	  "a burst of 1513 bytes is less than a largest packet has",
	  "an Ethernet frame has up to 1514 bytes: write that, or more" },
	{ "burst_below_a_packet_in_kbyte", "udp 10mbit/s burst 1kbyte", 20,
	  "a burst of 1kbyte is less than a largest packet has",
	  "an Ethernet frame has up to 1514 bytes: write that, or more" },
	{ "burst_of_no_bytes", "udp 10mbit/s burst 0", 20, "a burst of 0 bytes is less than a largest packet has",
	  "an Ethernet frame has up to 1514 bytes: write that, or more" },
	{ "burst_of_an_unknown_size", "udp 10mbit/s burst 64kb", 20, "`64kb`: there is no size in `kb`",
	  "write bytes, kbyte or mbyte: 1514, 64kbyte or 1mbyte" },
	{ "burst_in_bytes_of_packets", "udp 10/s burst 64kbyte", 16, "a burst in bytes for a rate in packets",
	  "write how many packets: burst 20" },
	{ "burst_in_words", "udp 10/s burst many", 16, "`many` is not a burst",
	  "it is a number of packets from 1 to 1000000" },
	{ "burst_in_words_of_bytes", "udp 10kbit/s burst many", 20, "`many` is not a burst",
	  "for a rate in bits or bytes it is a size: 1514, 64kbyte or 1mbyte" },
	{ "burst_too_large", "udp 10/s burst 1000001", 16, "`1000001` is not a burst",
	  "it is a number of packets from 1 to 1000000" },
	{ "burst_of_weeks", "udp 1/d burst 21", 15, "a burst of 21 takes longer than 20 days to come back at this rate",
	  "at most 20" },
	{ "burst_of_bytes_of_weeks", "udp 1kbit/s burst 217mbyte", 19,
	  "a burst of 217mbyte takes longer than 20 days to come back at this rate", "at most 216000000 bytes" },
	{ "burst_twice", "udp 10/s burst 5 burst 6", 18, "this rule has `burst` twice",
	  "the other one is at column 10" },
	{ "per_what", "udp 10/s per port", 14, "`port` is not what a limit can be kept per",
	  "it is rule, source, destination or source+dport" },
	{ "near_miss_of_a_key", "udp 10/s per source+sport", 14, "`source+sport` is not what a limit can be kept per",
	  "did you mean `source+dport`?" },
	{ "per_no_bits", "udp 10/s per source/0", 14, "`0` is not a prefix length",
	  "after the slash stands a number from 1 to 32, or to 128 for IPv6" },
	{ "per_too_many_bits", "udp 10/s per destination/129", 14, "`129` is not a prefix length",
	  "after the slash stands a number from 1 to 32, or to 128 for IPv6" },
	{ "per_too_many_bits_of_ipv4", "udp 10/s per source/33/64", 14, "`33` is not a prefix length",
	  "the first of two is IPv4's, from 1 to 32, the second IPv6's, from 1 to 128" },
	{ "per_too_many_bits_of_ipv6", "udp 10/s per source/24/129", 14, "`129` is not a prefix length",
	  "the first of two is IPv4's, from 1 to 32, the second IPv6's, from 1 to 128" },
	{ "per_three_lengths", "udp 10/s per source/24/56/64", 14, "`56/64` is not a prefix length",
	  "the first of two is IPv4's, from 1 to 32, the second IPv6's, from 1 to 128" },
	{ "per_bits_of_an_ipv4_address", "icmp 10/s per source/33", 11, "33 bits of an IPv4 address",
	  "an IPv4 address has 32 bits" },
	{ "per_two_lengths_of_ipv6", "ipv6 udp 10/s per source/24/56", 15,
	  "two prefix lengths in a rule about ipv6 alone", "write per source/56" },
	{ "per_two_lengths_of_ipv4", "icmp 10/s per destination/24/56", 11,
	  "two prefix lengths in a rule about ipv4 alone", "write per destination/24" },
	{ "per_rule_of_a_length", "udp 10/s per rule/24", 14, "`rule` has no prefix length",
	  "source and destination may have one: per source/24" },
	{ "per_port_of_a_length", "udp 10/s per source+dport/24", 14, "`source+dport` has no prefix length",
	  "source and destination may have one: per source/24" },
	{ "per_port_of_icmp", "icmp 10/s per source+dport", 11, "`per source+dport` without a protocol that has ports",
	  HINT_PORTS },
	{ "per_port_of_all", "all 10/s per source+dport", 10, "`per source+dport` without a protocol that has ports",
	  HINT_PORTS },
	{ "per_port_of_what_is_not_tcp", "protocol not tcp 10/s per source+dport", 23,
	  "`per source+dport` without a protocol that has ports", HINT_PORTS },
	{ "per_port_of_later_fragments", "udp fragment later 10/s per source+dport", 25,
	  "`per source+dport` of later fragments, which have no ports", "write per source" },
	{ "per_source_of_arp", "arp 10/s per source", 10,
	  "`per source` in a rule about ARP, whose packets have no such address",
	  "leave it out: the limit is that of all packets of the rule" },
	{ "per_port_of_arp", "arp 10/s per source+dport", 10,
	  "`per source+dport` in a rule about ARP, whose packets have no such address",
	  "leave it out: the limit is that of all packets of the rule" },
	{ "ban_of_arp", "arp 10/s ban @banned", 10, "`ban` in a rule about ARP, whose packets have no source address",
	  "a ban is of addresses of IP; leave it out" },
	{ "ban_of_an_ethertype", "ethertype lldp 10/s ban @banned", 21,
	  "`ban` in a rule about an EtherType, whose packets have no source address",
	  "a ban is of addresses of IP; leave it out" },
	{ "per_source_of_an_ethertype", "ethertype lldp 10/s per source", 21,
	  "`per source` in a rule about an EtherType, whose packets have no such address",
	  "leave it out: the limit is that of all packets of the rule" },
	{ "ban_into_a_written_set", "udp 10/s ban @office", 14, "ban into set @office, which is not dynamic",
	  "only a dynamic set can be added to: set office dynamic size 100000 timeout 10m" },
	{ "ban_into_a_file", "udp 10/s per source ban @list 5m", 25, "ban into set @list, which is not dynamic",
	  "only a dynamic set can be added to: set list dynamic size 100000 timeout 10m" },
	{ "ban_into_an_unknown_set", "udp 10/s ban @bannde", 14, "unknown set @bannde", "did you mean @banned?" },
	{ "ban_without_a_set", "udp 10/s ban banned", 14, "unknown word `banned`",
	  "a set has an @ in front of its name: @banned" },
	{ "ban_of_no_time", "udp 10/s ban @banned 0s", 22, "a ban of 0s is none", HINT_BAN_TIME },
	{ "ban_too_long", "udp 10/s ban @banned 3651d", 22, "a ban of 3651d is longer than one can be", HINT_BAN_TIME },
	{ "ban_longer_than_any_time", "udp 10/s ban @banned 99999999999999999999d", 22,
	  "a ban of 99999999999999999999d is longer than one can be", HINT_BAN_TIME },
	{ "ban_of_an_unknown_time", "udp 10/s ban @banned 5min", 22, "`5min` is not a time", HINT_BAN_TIME },
	{ "ban_twice", "udp 10/s ban @banned ban @banned", 22, "this rule has `ban` twice",
	  "the other one is at column 10" },
	{ "ports_without_a_protocol", "dport 22 10/s", 1, "`dport` without a protocol that has ports",
	  "write tcp, udp or sctp, or several of them: protocol { tcp, udp }" },
	{ "match_twice", "udp dport 22 dport 23 10/s", 14, "this rule has `dport` twice",
	  "the other one is at column 5" },
	{ "match_behind_the_rate", "tcp 10/s dport 80\nudp 5/s", 10, "a match behind the rate of a limit", HINT_LINE },
	{ "two_on_a_line", "tcp 10/s burst 5 udp 5/s", 18, "a match behind the rate of a limit", HINT_LINE },
	{ "all_on_a_line", "tcp 10/s all 5/s", 10, "a match behind the rate of a limit", HINT_LINE },
	{ "without_a_match", "10/s", 1, "unexpected `10/s`", HINT_BEGINS },
	{ "without_a_rate", "tcp dport 80 }", 14, "unexpected `}`", HINT_GOES_ON },
	{ "all_with_a_match", "all tcp 10/s", 5, "unexpected `tcp`", "expected a rate (100/s, 10mbit/s)" },
	{ "with_a_verb", "accept tcp 10/s", 1, "unexpected `accept`", HINT_BEGINS },
	{ "with_the_word_of_rules", "tcp limit 10/s", 5, "unexpected `limit`", HINT_GOES_ON },
	{ "near_miss_of_a_match", "tpc 10/s", 1, "unknown word `tpc`", "did you mean `tcp`?" },
	{ "near_miss_of_a_modifier", "tcp 10/s brst 5", 10, "unknown word `brst`", "did you mean `burst`?" },
	{ "verb_behind_the_rate", "tcp 10/s accept", 10, "unexpected `accept`", HINT_BEHIND },
	{ "else_pass", "tcp 10/s else accept", 15, "unexpected `accept`", "expected `drop`" },
};

/* The same in rules of the filter, where they are other words. */
static const struct wrong wrong_rules[] = {
	{ "rule_with_an_unknown_unit", "accept udp limit 10mb/s", 18, "`10mb/s`: there is no unit `mb`",
	  "write mbit for bits, mbyte for bytes" },
	{ "rule_with_a_fraction", "accept udp limit 1.5mbit/s", 18, "`1.5mbit/s` is not a whole number of its unit",
	  "write a smaller unit: 90/m for 1.5/s, 1500kbit/s for 1.5mbit/s" },
	{ "rule_with_bytes_of_packets", "accept udp limit 10/s burst 1mbyte", 29,
	  "a burst in bytes for a rate in packets", "write how many packets: burst 20" },
	{ "rule_with_ports_of_icmp", "accept icmp limit 10/s per source+dport", 24,
	  "`per source+dport` without a protocol that has ports", HINT_PORTS },
	{ "rule_that_bans_arp", "accept arp limit 10/s ban @banned", 23,
	  "`ban` in a rule about ARP, whose packets have no source address",
	  "a ban is of addresses of IP; leave it out" },
	{ "rule_that_bans_into_a_written_set", "reject tcp limit 10/s ban @office", 27,
	  "ban into set @office, which is not dynamic",
	  "only a dynamic set can be added to: set office dynamic size 100000 timeout 10m" },
	{ "rule_that_bans_without_limit", "accept udp ban @banned 5m", 12, "`ban` without a limit in front of it",
	  "write: limit 10/s burst 20 per source else drop" },
};

static void assert_wrong(const char *before, const struct wrong *wrong)
{
	CLEANUP_FREE char *text = xasprintf("%s%s%s", before, wrong->text, AFTER);
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(policy_parse(text, "test.policy", &policy, &error), -EINVAL);
	assert_string_equal(error.what, wrong->what);
	assert_string_equal(error.hint, wrong->hint);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, wrong->column);
	assert_null(policy);
}

static void wrong_limit_says_what_and_where(void **state)
{
	assert_wrong(BEFORE, *state);
}

static void wrong_rule_says_what_and_where(void **state)
{
	assert_wrong(BEFORE_RULE, *state);
}

static struct policy *parse(const char *before, const char *rules)
{
	CLEANUP_FREE char *text = xasprintf("%s%s%s", before, rules, AFTER);
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s\nin:\n%s", error.line, error.column, error.what, error.hint, rules);
	return policy;
}

static char *print_rules(const struct filter_list *list)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < list->rule_count; i++) {
		fputs(i ? "; " : "", out);
		filter_print_rule(out, &list->rules[i]);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

/* As somebody may write it, and as it is printed; NULL: the same. */
static const struct {
	const char *written, *printed;
} forms[] = {
	{ "", NULL },
	{ "all 10/s", NULL },
	{ "udp\n10/s\ntcp 5/m;; icmp 1/h\nicmpv6 1/d", "udp 10/s; tcp 5/m; icmp 1/h; icmpv6 1/d" },
	{ "udp 10/s;tcp 5/s", "udp 10/s; tcp 5/s" },
	{ "dport 80 tcp 10/s", "tcp dport 80 10/s" },
	{ "tcp flags syn/syn,ack 100/s burst 200 per source ban @banned", NULL },
	{ "udp sport { 53, 123 } 2000/s per source/24", NULL },
	{ "udp 10kbit/s", NULL },
	{ "udp 10mbit/s burst 1514", NULL },
	{ "udp 10gbit/s burst 64kbyte", NULL },
	{ "udp 10kbyte/s burst 2mbyte", NULL },
	{ "udp 10mbyte/s burst 3000mbyte per rule", "udp 10mbyte/s burst 3000mbyte" },
	{ "udp 10/s per source/24/56", NULL },
	{ "udp 10/s per destination/32/128 burst 3", "udp 10/s burst 3 per destination/32/128" },
	{ "ipv6 10/s per source/24", NULL },
	{ "protocol { tcp, udp } dport 53 10/s per source+dport", NULL },
	{ "udp 10/s ban @banned 600s", "udp 10/s ban @banned 10m" },
	{ "udp 10/s ban @banned 3650d per source/20", "udp 10/s per source/20 ban @banned 3650d" },
	{ "udp 10/s ban @banned else drop log 1/1 count all", "udp 10/s ban @banned log count all" },
	{ "udp 10/s log\nall 5/s log 1/100 count b", "udp 10/s log; all 5/s log 1/100 count b" },
	{ "udp 10/s ban @banned\nfrom @office, @banned 10/s", "udp 10/s ban @banned; from @office, @banned 10/s" },
	{ "from { 10.0.0.0/8, 192.0.2.0/24 } 10/s", NULL },
	{ "to not ::1 10/s", NULL },
	{ "arp 10/s", NULL },
	{ "ethertype lldp 10/s", NULL },
	{ "vlan 5 10/s", NULL },
	{ "fragment any 1mbit/s", NULL },
	{ "extension routing 10/s", NULL },
	{ "mac 02:00:00:00:00:01 10/s", NULL },
	{ "tcp flags all 1/s", NULL },
	{ "icmp type echo-request 10/s", NULL },
	{ "ttl 0-4 length not 0-100 10/s", NULL },
	{ "udp 2000000/s", NULL },
	{ "udp 10000000/s burst 1000000", NULL },
	{ "udp 100gbit/s", NULL },
	{ "udp 1/d burst 20", NULL },
	{ "udp 1kbit/s burst 216mbyte", NULL },
	{ "udp 4294967295/d", NULL },
};

static void assert_form(const char *before, bool is_filter, const char *written, const char *printed)
{
	struct policy *first = parse(before, written), *second;
	CLEANUP_FREE char *once = print_rules(is_filter ? &first->interfaces[0].filter : &first->interfaces[0].limit);
	CLEANUP_FREE char *again = NULL;

	assert_string_equal(once, printed ?: written);
	second = parse(before, once);
	again = print_rules(is_filter ? &second->interfaces[0].filter : &second->interfaces[0].limit);
	assert_string_equal(again, once);
	policy_free(first);
	policy_free(second);
}

static void limits_print_in_one_form(void **state)
{
	for (size_t i = 0; i < COUNT(forms); i++)
		assert_form(BEFORE, false, forms[i].written, forms[i].printed);
}

static void rules_have_the_same_limits(void **state)
{
	assert_form(BEFORE_RULE, true, "accept udp limit 10mbit/s burst 64kbyte per source+dport ban @banned 10m",
		    NULL);
	assert_form(BEFORE_RULE, true, "reject tcp limit 10/s ban @banned", NULL);
}

static void whole_policies_print_and_read_back(void **state)
{
	static const char text[] = "set banned dynamic size 9\n"
				   "\n"
				   "interface eth0 {\n"
				   "    mode native\n"
				   "    fragments pass\n"
				   "    malformed drop\n"
				   "    log drops 1/1000\n"
				   "    limit {\n"
				   "        udp 10/s per source ban @banned 1m\n"
				   "        all 1gbit/s log 1/5\n"
				   "    }\n"
				   "    filter {\n"
				   "        accept udp limit 10kbyte/s ban @banned\n"
				   "    }\n"
				   "    default pass\n"
				   "}\n"
				   "\n"
				   "interface eth1 {\n"
				   "    mode native\n"
				   "    fragments pass\n"
				   "    malformed drop\n"
				   "    log drops\n"
				   "    limit { }\n"
				   "    default pass\n"
				   "}\n";
	struct policy *policy = NULL;
	CLEANUP_FREE char *printed = NULL;
	struct error error;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	assert_int_equal(policy_parse(text, "test.policy", &policy, &error), 0);
	policy_print(out, policy);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(printed, text);
	assert_int_equal(policy->interfaces[0].log_drops, 1000);
	assert_int_equal(policy->interfaces[1].log_drops, 1);
	assert_int_equal(policy->interfaces[1].limit.where.line, 23);
	policy_free(policy);
}

static void tree_holds_the_limit(void **state)
{
	struct policy *policy = parse(BEFORE, "tcp\n dport 80 5mbit/s burst 64kbyte per source/24/56 ban @banned 90s\n"
					      " log 1/7 count web\nall 3/h per rule");
	const struct filter_list *limit = &policy->interfaces[0].limit;
	const struct filter_rule *rule = &limit->rules[0];

	assert_int_equal(limit->where.line, 1);
	assert_int_equal(limit->rule_count, 2);
	assert_int_equal(policy->interfaces[0].filter.where.line, 0);
	assert_int_equal(rule->verb, FILTER_LIMIT);
	assert_int_equal(rule->where.line, 2);
	assert_int_equal(rule->where.column, 1);
	assert_true(filter_rule_is_only(rule, 6));
	assert_int_equal(rule->limit.rate, 5);
	assert_int_equal(rule->limit.unit, LIMIT_MBIT);
	assert_int_equal(rule->limit.burst, 64);
	assert_int_equal(limit_burst(&rule->limit), 64000);
	assert_int_equal(limit_per_second(&rule->limit), 625000);
	assert_int_equal(rule->limit.per, FILTER_PER_SOURCE);
	assert_int_equal(limit_length(rule, 4), 24);
	assert_int_equal(limit_length(rule, 6), 56);
	assert_ptr_equal(rule->limit.ban->set, policy->sets[2]);
	assert_int_equal(rule->limit.ban->where.line, 3);
	assert_int_equal(rule->limit.ban_time, 90);
	assert_int_equal(rule->log, 7);
	assert_string_equal(rule->counter, "web");
	rule++;
	assert_int_equal(rule->where.line, 5);
	assert_int_equal(rule->limit.unit, LIMIT_HOUR);
	assert_int_equal(rule->limit.per, FILTER_PER_RULE);
	assert_null(rule->limit.ban);
	policy_free(policy);
}

/* Without `burst`. */
static void bursts_are_a_tenth_of_a_second(void **state)
{
	static const struct {
		const char *written;
		uint64_t burst;
	} rows[] = {
		{ "all 1/d", 5 },     { "all 59/s", 5 },       { "all 60/s", 6 },	 { "all 1000/s", 100 },
		{ "all 6000/m", 10 }, { "all 1kbit/s", 7570 }, { "all 1mbit/s", 12500 }, { "all 1mbyte/s", 100000 }
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy *policy = parse(BEFORE, rows[i].written);

		assert_int_equal(limit_burst(&policy->interfaces[0].limit.rules[0].limit), rows[i].burst);
		policy_free(policy);
	}
}

/* Rates of all units and sizes: refused, or what whole intervals make of them is within a thousandth. */
static void rates_are_kept_to_a_thousandth(void **state)
{
	static const struct {
		const char *unit;
		double amount, time; /* packets or bytes of one, nanoseconds or 2^-16 of them */
	} units[] = {
		{ "/s", 1, 1e9 },
		{ "/m", 1, 60e9 },
		{ "/h", 1, 3600e9 },
		{ "/d", 1, 86400e9 },
		{ "kbit/s", 125, 65536e9 },
		{ "mbit/s", 125e3, 65536e9 },
		{ "gbit/s", 125e6, 65536e9 },
		{ "kbyte/s", 1e3, 65536e9 },
		{ "mbyte/s", 1e6, 65536e9 },
	};
	size_t kept = 0, refused = 0;

	for (size_t u = 0; u < COUNT(units); u++) {
		for (uint64_t number = 1; number < 4000000000; number += number < 40 ? 1 : number * 37 / 1000) {
			CLEANUP_FREE char *text = xasprintf("%llu%s", (unsigned long long)number, units[u].unit);
			struct filter_limit limit = { 0 };
			struct error error;
			double exact;

			if (limit_rate_parse(text, (struct location){ 0 }, &limit, &error)) {
				refused++;
				continue;
			}
			exact = units[u].time / units[u].amount / limit.rate;
			assert_true((double)limit_interval(&limit) >= exact * 0.999);
			assert_true((double)limit_interval(&limit) <= exact * 1.001);
			kept++;
		}
	}
	assert_true(kept > 3000);
	assert_true(refused > 500);
}

/* None up to a million packets a second is refused. */
static void usual_rates_are_all_kept(void **state)
{
	for (unsigned rate = 1; rate <= 1000000; rate += rate < 1000 ? 1 : 997) {
		CLEANUP_FREE char *text = xasprintf("%u/s", rate);
		struct filter_limit limit = { 0 };
		struct error error;

		assert_int_equal(limit_rate_parse(text, (struct location){ 0 }, &limit, &error), 0);
	}
}

static void damaged_limits_never_crash(void **state)
{
	static const char likely[] = "{}@,;/+- \n09azF";

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		CLEANUP_FREE char *text =
			xasprintf("%s%s%s", BEFORE, forms[random() % (long)COUNT(forms)].written, AFTER);
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
	cmocka_unit_test(limits_print_in_one_form),	      cmocka_unit_test(rules_have_the_same_limits),
	cmocka_unit_test(whole_policies_print_and_read_back), cmocka_unit_test(tree_holds_the_limit),
	cmocka_unit_test(bursts_are_a_tenth_of_a_second),     cmocka_unit_test(rates_are_kept_to_a_thousandth),
	cmocka_unit_test(usual_rates_are_all_kept),	      cmocka_unit_test(damaged_limits_never_crash),
};

static struct CMUnitTest test_of(const struct wrong *wrong, CMUnitTestFunction function)
{
	return (struct CMUnitTest){ .name = wrong->name, .test_func = function, .initial_state = (void *)wrong };
}

/* Each row of the tables is a test of its own name. */
int main(void)
{
	struct CMUnitTest tests[COUNT(others) + COUNT(wrongs) + COUNT(wrong_rules)];

	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < COUNT(wrongs); i++)
		tests[COUNT(others) + i] = test_of(&wrongs[i], wrong_limit_says_what_and_where);
	for (size_t i = 0; i < COUNT(wrong_rules); i++)
		tests[COUNT(others) + COUNT(wrongs) + i] = test_of(&wrong_rules[i], wrong_rule_says_what_and_where);
	return cmocka_run_group_tests_name("limit_policy", tests, NULL, NULL);
}

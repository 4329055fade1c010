// SPDX-License-Identifier: BSD-2-Clause
/* What the program recorded of a packet, as names, JSON and text: src/packet/{protocol,reason,read}.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "packet/protocol.h"
#include "packet/read.h"
#include "packet/reason.h"
#include "sluice/verdict.h"

static void protocol_names_read_back(void **state)
{
	char text[PROTOCOL_TEXT_MAX];

	for (unsigned i = 0; i < 256; i++) {
		const char *name = protocol_name(i, text);

		if (name == text)
			assert_int_equal(strtol(name, NULL, 10), i);
		else
			assert_int_equal(protocol_number(name), i);
	}
	assert_string_equal(protocol_name(6, text), "tcp");
	assert_string_equal(protocol_name(58, text), "icmpv6");
	assert_string_equal(protocol_name(253, text), "253");
	assert_int_equal(protocol_number("ipv6-icmp"), 58);
	assert_int_equal(protocol_number("nothing"), -1);
}

static void ethertype_names_read_back_and_are_no_protocols(void **state)
{
	char text[PROTOCOL_TEXT_MAX];

	for (unsigned i = 0; i < 65536; i++) {
		const char *name = ethertype_name(i, text);

		if (i < 1536) {
			assert_string_equal(name, "llc");
		} else if (name == text) {
			assert_int_equal(strtol(name, NULL, 16), i);
			assert_int_equal(strlen(name), 6);
		} else {
			assert_int_equal(ethertype_number(name), i);
			assert_true(protocol_number(name) == -1 || i == 0x86dd);
		}
	}
	assert_string_equal(ethertype_name(0x88cc, text), "lldp");
	assert_string_equal(ethertype_name(0x1234, text), "0x1234");
}

static void reasons_are_found_by_number(void **state)
{
	assert_string_equal(reason_name(REASON_MALFORMED_IPV4), "malformed-ipv4");
	assert_string_equal(reason_stage(REASON_BLOCK_SOURCE), "block");
	assert_string_equal(reason_explanation(REASON_DEFAULT), "no stage decided: the default of the interface");
	assert_null(reason_name(REASON_NONE));
	assert_null(reason_stage(REASONS_MAX));
	assert_null(reason_explanation(REASONS_MAX - 1));
#define X(number, symbol, stage, name, explanation) assert_string_equal(reason_name(number), name);
	SLUICE_REASONS(X)
#undef X
}

static void check_json(const struct record *record, uint32_t length, const char *expected)
{
	json_t *object = record_json(record, length);
	CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT);

	assert_string_equal(text, expected);
	json_decref(object);
}

static void json_has_what_the_packet_has(void **state)
{
	struct record record = {
		.verdict = VERDICT_DROP,
		.reason = REASON_BLOCK_SOURCE,
		.has = HAS_ADDRESSES | HAS_PORTS | HAS_FLAGS,
		.version = 6,
		.protocol = IPPROTO_TCP,
		.fragment = FRAGMENT_FIRST,
		.vlans = 2,
		.vlan = { 5, 6 },
		.ethertype = 0x86dd,
		.source_port = 1234,
		.destination_port = 443,
		.tcp_flags = 0x12,
		.hop_limit = 57,
		.dscp = 46,
	};

	assert_int_equal(inet_pton(AF_INET6, "2001:DB8:0:0:1:0:0:1", record.source), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:0:1:1:1:1:1", record.destination), 1);
	check_json(
		&record, 1514,
		"{\"verdict\":\"drop\",\"reason\":\"block-source\",\"stage\":\"block\",\"src\":\"2001:db8::1:0:0:1\","
		"\"dst\":\"2001:db8:0:1:1:1:1:1\",\"proto\":\"tcp\",\"sport\":1234,\"dport\":443,"
		"\"tcp_flags\":[\"syn\",\"ack\"],\"ttl\":57,\"dscp\":46,\"vlan\":[5,6],\"fragment\":\"first\","
		"\"length\":1514}");
}

static void json_leaves_out_what_the_packet_lacks(void **state)
{
	struct record lldp = { .verdict = VERDICT_PASS, .reason = REASON_DEFAULT, .ethertype = 0x88cc };
	struct record runt = { .verdict = VERDICT_DROP,
			       .reason = REASON_MALFORMED_ETHERNET,
			       .malformed = REASON_MALFORMED_ETHERNET };
	struct record ping = { .verdict = VERDICT_PASS,
			       .reason = REASON_DEFAULT,
			       .has = HAS_ADDRESSES | HAS_ICMP,
			       .version = 4,
			       .protocol = IPPROTO_ICMP,
			       .icmp_type = 8,
			       .hop_limit = 64,
			       .source = { 192, 0, 2, 1 },
			       .destination = { 198, 51, 100, 7 } };

	check_json(&lldp, 60,
		   "{\"verdict\":\"pass\",\"reason\":\"default\",\"stage\":\"default\",\"proto\":\"lldp\",\"vlan\":[],"
		   "\"fragment\":\"none\",\"length\":60}");
	check_json(&runt, 5,
		   "{\"verdict\":\"drop\",\"reason\":\"malformed-ethernet\",\"stage\":\"parse\","
		   "\"malformed\":\"malformed-ethernet\",\"vlan\":[],\"fragment\":\"none\",\"length\":5}");
	check_json(&ping, 42,
		   "{\"verdict\":\"pass\",\"reason\":\"default\",\"stage\":\"default\",\"src\":\"192.0.2.1\","
		   "\"dst\":\"198.51.100.7\",\"proto\":\"icmp\",\"icmp_type\":8,\"icmp_code\":0,"
		   "\"ttl\":64,\"dscp\":0,\"vlan\":[],\"fragment\":\"none\",\"length\":42}");
}

static void text_has_what_is_not_as_usual(void **state)
{
	struct record record = {
		.has = HAS_ADDRESSES | HAS_PORTS | HAS_FLAGS,
		.version = 4,
		.protocol = IPPROTO_TCP,
		.tcp_flags = 0x12,
		.hop_limit = 3,
		.dscp = 46,
	};
	CLEANUP_FREE char *odd = record_text(&record);

	assert_string_equal(odd, "tcp 0.0.0.0:0 > 0.0.0.0:0 syn,ack ttl 3 dscp 46");
	record.hop_limit = 64;
	record.dscp = 0;
	CLEANUP_FREE char *usual = record_text(&record);

	assert_string_equal(usual, "tcp 0.0.0.0:0 > 0.0.0.0:0 syn,ack");
	record = (struct record){ .has = HAS_ADDRESSES | HAS_ICMP, .version = 6, .protocol = 58, .icmp_type = 135 };
	record.hop_limit = 64;
	CLEANUP_FREE char *neighbour = record_text(&record);

	assert_non_null(strstr(neighbour, " ttl 64"));
}

static void text_of_what_could_not_be_read_says_so(void **state)
{
	struct record runt = { .malformed = REASON_MALFORMED_VLAN, .vlans = 1, .vlan = { 7 } };
	struct record cut = { .malformed = REASON_MALFORMED_IPV4, .ethertype = 0x0800 };
	CLEANUP_FREE char *runt_text = record_text(&runt);
	CLEANUP_FREE char *cut_text = record_text(&cut);

	assert_string_equal(runt_text, "ethernet vlan 7");
	assert_string_equal(cut_text, "ipv4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_names_read_back),
		cmocka_unit_test(ethertype_names_read_back_and_are_no_protocols),
		cmocka_unit_test(reasons_are_found_by_number),
		cmocka_unit_test(json_has_what_the_packet_has),
		cmocka_unit_test(json_leaves_out_what_the_packet_lacks),
		cmocka_unit_test(text_has_what_is_not_as_usual),
		cmocka_unit_test(text_of_what_could_not_be_read_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

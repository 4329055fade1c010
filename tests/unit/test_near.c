// SPDX-License-Identifier: BSD-2-Clause
/* Rules that nearly matched: those before the one that decided, which miss by one thing alone, and by which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/near.h"
#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct record syn(void)
{
	struct record record = {
		.rule = PREFIX_NONE,
		.has = HAS_ADDRESSES | HAS_PORTS | HAS_FLAGS,
		.version = 4,
		.protocol = 6,
		.ethertype = 0x0800,
		.source_port = 1000,
		.destination_port = 80,
		.tcp_flags = 2,
		.hop_limit = 64,
	};

	inet_pton(AF_INET, "192.0.2.1", record.source);
	inet_pton(AF_INET, "198.51.100.1", record.destination);
	return record;
}

static struct record echo6(void)
{
	struct record record = {
		.rule = PREFIX_NONE,
		.has = HAS_ADDRESSES | HAS_ICMP,
		.version = 6,
		.protocol = 58,
		.ethertype = 0x86dd,
		.icmp_type = 128,
		.hop_limit = 64,
		.dscp = 46,
		.vlans = 1,
		.vlan = { 5 },
	};

	inet_pton(AF_INET6, "2001:db8::1", record.source);
	inet_pton(AF_INET6, "2001:db8::2", record.destination);
	return record;
}

static struct record lldp(void)
{
	return (struct record){ .rule = PREFIX_NONE, .ethertype = 0x88cc };
}

/* "2:dport 4:from" for the lines of the rules. */
static char *near_text(const char *rules, struct record record)
{
	CLEANUP_FREE char *text =
		xasprintf("set office { 10.0.0.0/8, 2001:db8:1::/48 }\ninterface eth0 { filter {\n%s } }", rules);
	struct policy *policy = NULL;
	struct compiled compiled;
	struct near_miss misses[8];
	char *said = xstrdup("");
	struct error error;
	size_t count;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s", error.line, error.column, error.what);
	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	count = near_misses(&compiled, &record, misses, COUNT(misses));
	for (size_t i = 0; i < count; i++) {
		char *more = xasprintf("%s%s%d:%s", said, i ? " " : "", compiled.rules[misses[i].rule].where.line - 2,
				       misses[i].field);

		free(said);
		said = more;
	}
	compiled_free(&compiled);
	policy_free(policy);
	return said;
}

static void each_field_is_named(void **state)
{
	static const struct {
		const char *rule, *near;
	} cases[] = {
		{ "drop tcp dport 81", "1:dport" },
		{ "drop tcp sport 80", "1:sport" },
		{ "drop udp dport 80", "1:protocol" },
		{ "drop udp dport 81", "" },
		{ "drop from 192.0.2.2", "1:from" },
		{ "drop tcp to 198.51.100.2 dport 80", "1:to" },
		{ "drop tcp from @office", "1:from" },
		{ "drop tcp to @office dport 80", "1:to" },
		{ "drop tcp from not 192.0.2.0/24", "1:from" },
		{ "drop tcp flags ack", "1:flags" },
		{ "drop tcp flags syn,ack/syn,ack dport 80", "1:flags" },
		{ "drop ttl 0-4", "1:ttl" },
		{ "drop dscp ef", "1:dscp" },
		{ "drop vlan 5", "1:vlan" },
		{ "drop vlan 5 ttl 4", "" },
		{ "drop fragment any", "1:fragment" },
		{ "drop tcp dport { 81, 90 }", "1:dport" },
		{ "drop ipv6 tcp dport 80", "" },
		{ "drop arp", "" },
		{ "drop ethertype lldp", "" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP_FREE char *said = near_text(cases[i].rule, syn());

		if (strcmp(said, cases[i].near) != 0)
			fail_msg("%s: %s", cases[i].rule, said);
	}
}

static void fields_of_icmpv6_are_named(void **state)
{
	CLEANUP_FREE char *said =
		near_text("drop icmpv6 type echo-reply\ndrop icmpv6 type echo-request code 1\n"
			  "drop vlan none\ndrop ttl not 64\ndrop dscp not ef\ndrop to not ::/0\ndrop tcp",
			  echo6());

	assert_string_equal(said, "1:type 2:code 3:vlan 4:ttl 5:dscp 7:protocol");
}

static void what_is_not_ip_misses_by_its_ethertype_or_its_tags(void **state)
{
	CLEANUP_FREE char *said = near_text("drop ethertype slow\ndrop ethertype lldp vlan 5\ndrop tcp\ndrop arp\n"
					    "drop from 192.0.2.1\ndrop vlan 7\ndrop ethertype slow vlan 5",
					    lldp());

	assert_string_equal(said, "1:ethertype 2:vlan 6:vlan");
}

/* Those behind the one that decided were not asked. */
static void rules_are_named_up_to_the_one_that_decided(void **state)
{
	struct record record = syn();
	CLEANUP_FREE char *all = near_text("drop tcp dport 81\naccept tcp\ndrop tcp dport 82", record);
	CLEANUP_FREE char *before = NULL;

	assert_string_equal(all, "1:dport 3:dport");
	record.rule = 1;
	before = near_text("drop tcp dport 81\naccept tcp\ndrop tcp dport 82", record);
	assert_string_equal(before, "1:dport");
}

static void there_are_no_more_than_asked_for(void **state)
{
	CLEANUP_FREE char *said = near_text("drop tcp dport 1\ndrop tcp dport 2\ndrop tcp dport 3\ndrop tcp dport 4\n"
					    "drop tcp dport 5\ndrop tcp dport 6\ndrop tcp dport 7\ndrop tcp dport 8\n"
					    "drop tcp dport 9",
					    syn());

	assert_string_equal(said, "1:dport 2:dport 3:dport 4:dport 5:dport 6:dport 7:dport 8:dport");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_is_named),
		cmocka_unit_test(fields_of_icmpv6_are_named),
		cmocka_unit_test(what_is_not_ip_misses_by_its_ethertype_or_its_tags),
		cmocka_unit_test(rules_are_named_up_to_the_one_that_decided),
		cmocka_unit_test(there_are_no_more_than_asked_for),
	};

	return cmocka_run_group_tests_name("near", tests, NULL, NULL);
}

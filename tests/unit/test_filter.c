// SPDX-License-Identifier: BSD-2-Clause
/* What a filter is compiled into: lanes, actions, bits of sets, and the rules that nothing reaches. */
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
#include "compile/compile.h"
#include "compile/lists.h"
#include "compile/outside.h"
#include "compile/unreached.h"
#include "policy/policy.h"
#include "sluice/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* `sets` stand in front of the interface, rules inside of its filter. */
static struct policy *read_rules(const char *sets, const char *rules, struct compiled *compiled, int expected,
				 struct error *error)
{
	CLEANUP_FREE char *text = xasprintf("%s interface eth0 { filter {\n%s\n} }", sets, rules);
	struct policy *policy = NULL;

	if (policy_parse(text, "test.policy", &policy, error))
		fail_msg("%d:%d: %s\nin:\n%s", error->line, error->column, error->what, text);
	assert_int_equal(compile(&policy->interfaces[0], compiled, error), expected);
	return policy;
}

static struct policy *read_filter(const char *sets, const char *rules, struct compiled *compiled)
{
	struct error error = { .what = "" };

	return read_rules(sets, rules, compiled, 0, &error);
}

/* The protocol lanes of all boxes of one family: "0-255 258-258". */
static char *protocols_of(const struct matches *matches)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < matches->count; i++)
		fprintf(out, "%s%u-%u", i ? " " : "",
			(unsigned)(matches->items[i].low >> FILTER_PROTOCOL_SHIFT & 0x3ff),
			(unsigned)(matches->items[i].high >> FILTER_PROTOCOL_SHIFT & 0x3ff));
	assert_int_equal(fclose(out), 0);
	return text;
}

static void failsafe_is_meant_where_it_is_named(void **state)
{
	static const struct {
		const char *rule, *ipv4, *ipv6;
	} rows[] = {
		{ "accept", "0-258", "0-256" },
		{ "drop", "0-255 258-258", "0-255" },
		{ "reject", "0-255 258-258", "0-255" },
		{ "drop vlan 5", "0-255 258-258", "0-255" },
		{ "accept mac 02:00:00:00:00:01", "0-258", "0-256" },
		{ "accept ttl 1", "0-256", "0-256" },
		{ "drop ttl 1", "0-255", "0-255" },
		{ "accept ipv4", "0-256", "" },
		{ "drop ipv6", "", "0-255" },
		{ "accept arp", "257-257", "" },
		{ "drop arp", "257-257", "" },
		{ "accept icmp", "1-1 256-256", "" },
		{ "drop icmp", "1-1", "" },
		{ "drop icmp type destination-unreachable", "1-1 256-256", "" },
		{ "drop icmp type 8", "1-1", "" },
		{ "accept icmp type 8", "1-1", "" },
		{ "accept icmpv6", "", "58-58 256-256" },
		{ "drop icmpv6", "", "58-58" },
		{ "drop icmpv6 type packet-too-big", "", "58-58 256-256" },
		{ "drop icmpv6 type nd-redirect", "", "58-58 256-256" },
		{ "drop icmpv6 type 138-255", "", "58-58" },
		{ "accept protocol icmp", "1-1 256-256", "1-1" },
		{ "accept protocol not icmp", "0-0 2-255", "0-0 2-256" },
		{ "drop protocol not tcp", "0-5 7-255", "0-5 7-255" },
		{ "accept protocol not tcp", "0-5 7-256", "0-5 7-256" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct compiled compiled;
		struct policy *policy = read_filter("", rows[i].rule, &compiled);
		CLEANUP_FREE char *ipv4 = protocols_of(&compiled.filter.matches4);
		CLEANUP_FREE char *ipv6 = protocols_of(&compiled.filter.matches6);

		assert_string_equal(ipv4, rows[i].ipv4);
		assert_string_equal(ipv6, rows[i].ipv6);
		compiled_free(&compiled);
		policy_free(policy);
	}
}

static void actions_are_what_rules_say(void **state)
{
	struct compiled compiled;
	struct policy *policy = read_filter("",
					    "accept tcp count web\n"
					    "reject with net-unreachable udp log 1/7\n"
					    "accept icmp limit 3/s\n"
					    "accept limit 1000/s per source\n"
					    "accept limit 90/h burst 1 per destination/24 log\n"
					    "accept ipv6 limit 1/d burst 2 per source/20\n"
					    "accept limit 1/m per source/56\n"
					    "drop udp log 1/7 drop log reject",
					    &compiled);
	const struct filter_more *more = compiled.filter.more;
	const struct filter_action *actions = compiled.filter.actions;

	assert_int_equal(compiled.config.filter, 1);
	assert_int_equal(compiled.config.filter_needs, 0);
	assert_int_equal(compiled.filter.first, 0);
	assert_int_equal(compiled.filter.count, 10);
	assert_string_equal(compiled.rules[0].text, "accept tcp count web");
	assert_string_equal(compiled.rules[0].counter, "web");
	assert_int_equal(compiled.rules[0].where.line, 2);
	assert_int_equal(actions[0].verdict, VERDICT_PASS);
	assert_int_equal(actions[0].reject, FILTER_REJECT_NONE);
	assert_int_equal(actions[0].more, 0);
	assert_int_equal(actions[1].verdict, VERDICT_DROP);
	assert_int_equal(actions[1].reject, FILTER_REJECT_NET);
	assert_int_equal(more[actions[1].more].log, 7);
	assert_int_equal(more[actions[1].more].interval, 0);
	assert_int_equal(actions[9].reject, FILTER_REJECT_AUTO);

	assert_int_equal(more[actions[2].more].interval, 333333333);
	assert_int_equal(more[actions[2].more].burst, 4 * 333333333ULL);
	assert_int_equal(more[actions[2].more].per, FILTER_PER_RULE);
	assert_int_equal(more[actions[3].more].interval, 1000000);
	assert_int_equal(more[actions[3].more].burst, 99 * 1000000);
	assert_int_equal(more[actions[3].more].per, FILTER_PER_SOURCE);
	assert_int_equal(more[actions[3].more].length4, 32);
	assert_int_equal(more[actions[3].more].length6, 64);
	assert_int_equal(more[actions[4].more].interval, 40000000000);
	assert_int_equal(more[actions[4].more].burst, 0);
	assert_int_equal(more[actions[4].more].per, FILTER_PER_DESTINATION);
	assert_int_equal(more[actions[4].more].log, 1);
	assert_int_equal(more[actions[4].more].length4, 24);
	assert_int_equal(more[actions[4].more].length6, 64);
	assert_int_equal(more[actions[5].more].interval, 86400000000000);
	assert_int_equal(more[actions[5].more].length6, 20);
	assert_int_equal(more[actions[6].more].length4, 32);
	assert_int_equal(more[actions[6].more].length6, 56);

	/* Rules that only log alike share it; each limit is its own. */
	assert_int_equal(actions[7].more, actions[1].more);
	assert_int_not_equal(actions[8].more, actions[7].more);
	assert_int_equal(compiled.filter.more_count, 1 + 2 + 5);
	compiled_free(&compiled);
	policy_free(policy);
}

static void rules_of_the_block_come_first(void **state)
{
	struct policy *policy = NULL;
	struct compiled compiled;
	struct error error;

	assert_int_equal(policy_parse("interface eth0 { fragments track filter { drop udp } block { from ::1 } }",
				      "test.policy", &policy, &error),
			 0);
	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	assert_int_equal(compiled.rule_count, 2);
	assert_int_equal(compiled.filter.first, 1);
	assert_int_equal(compiled.filter.count, 1);
	assert_string_equal(compiled.rules[1].text, "drop udp");
	assert_int_equal(compiled.config.fragments_track, 1);
	assert_int_equal(compiled.config.fragments_drop, 0);
	compiled_free(&compiled);
	policy_free(policy);
}

static void dynamic_sets_are_bits_of_each_direction(void **state)
{
	static const char sets[] = "set a dynamic size 1 set b dynamic size 1 set c dynamic size 1\n"
				   "set d dynamic size 1 set e dynamic size 1";
	struct error error = { .what = "" };
	struct compiled compiled;
	struct policy *policy =
		read_filter(sets, "accept from @b to @a\ndrop from @a, @b\ndrop from not @b", &compiled);
	uint64_t a = 1ULL << (FILTER_SOURCE_SETS_SHIFT + FILTER_DYNAMIC_BIT + 1), b = a >> 1;
	const struct match *matches = compiled.filter.matches4.items;

	assert_int_equal(compiled.config.filter_needs, FILTER_NEEDS_MARKS);
	assert_int_equal(compiled.config.filter_source_sets, 2);
	assert_int_equal(compiled.config.filter_destination_sets, 1);
	assert_int_equal(compiled.dynamic_count, 3);
	assert_string_equal(compiled.dynamic[0].set->name, "b");
	assert_int_equal(compiled.dynamic[0].index, DYNAMIC_FILTER_SOURCE);
	assert_int_equal(compiled.dynamic[1].index, DYNAMIC_FILTER_SOURCE + 1);
	assert_string_equal(compiled.dynamic[2].set->name, "a");
	assert_int_equal(compiled.dynamic[2].index, DYNAMIC_FILTER_DESTINATION);
	assert_int_equal(compiled.filter.matches4.count, 4);
	assert_int_equal(compiled.filter.matches6.count, 4);
	assert_int_equal(matches[0].extra.marks, b | 1ULL << (FILTER_DESTINATION_SETS_SHIFT + FILTER_DYNAMIC_BIT));
	assert_int_equal(matches[1].extra.marks, a);
	assert_int_equal(matches[2].extra.marks, b);
	assert_int_equal(matches[3].extra.marks_mask, b);
	assert_int_equal(matches[3].extra.marks, 0);
	compiled_free(&compiled);
	policy_free(policy);

	policy = read_rules(sets, "accept from @a, @b, @c, @d\naccept from @d, @e", &compiled, -EINVAL, &error);
	assert_string_equal(error.what,
			    "interface eth0 has more than 4 dynamic sets in `from` of its limits and filter");
	assert_int_equal(error.line, 4);
	assert_int_equal(error.column, 17);
	compiled_free(&compiled);
	policy_free(policy);
}

/* `count` sets of `size` networks each, none of them in another, and a rule for each set. */
static void write_sets(unsigned count, unsigned size, char **sets, char **rules)
{
	size_t length;
	FILE *out = open_memstream(sets, &length);

	assert_non_null(out);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "set s%u {", i);
		for (unsigned j = 0; j < size; j++)
			fprintf(out, " %u.%u.%u.0/24,", i + 1, j >> 7, j << 1 & 0xff);
		fprintf(out, " }\n");
	}
	fclose(out);
	out = open_memstream(rules, &length);
	assert_non_null(out);
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "accept tcp from @s%u\n", i);
	fclose(out);
}

static void few_prefixes_are_boxes_and_many_are_a_bit(void **state)
{
	for (unsigned size = FILTER_SPREAD; size <= FILTER_SPREAD + 1; size++) {
		CLEANUP_FREE char *sets = NULL, *rules = NULL;
		struct compiled compiled;
		struct policy *policy;

		write_sets(1, size, &sets, &rules);
		policy = read_filter(sets, rules, &compiled);
		assert_int_equal(compiled.filter.matches4.count, size == FILTER_SPREAD ? size : 1);
		assert_int_equal(compiled.filter.matches6.count, 0);
		assert_int_equal(compiled.tables[TABLE_FILTER_SOURCE4].count, size == FILTER_SPREAD ? 0 : size);
		assert_int_equal(compiled.tables[TABLE_FILTER_DEST4].count, 0);
		assert_int_equal(!compiled.config.filter_source4.end, size == FILTER_SPREAD);
		compiled_free(&compiled);
		policy_free(policy);
	}
}

static void without_bits_the_rest_is_multiplied_out(void **state)
{
	CLEANUP_FREE char *sets = NULL, *rules = NULL, *large = NULL, *large_rules = NULL;
	struct error error = { .what = "" };
	struct compiled compiled;
	struct policy *policy;

	write_sets(FILTER_STATIC_SETS_MAX + 2, 100, &sets, &rules);
	policy = read_filter(sets, rules, &compiled);
	assert_int_equal(compiled.filter.matches4.count, FILTER_STATIC_SETS_MAX + 2 * 100);
	compiled_free(&compiled);
	policy_free(policy);

	write_sets(FILTER_STATIC_SETS_MAX + 1, FILTER_RULE_BOXES_MAX + 1, &large, &large_rules);
	policy = read_rules(large, large_rules, &compiled, -EINVAL, &error);
	assert_string_equal(error.what, "this rule has 16385 combinations of its values in IPv4, more than 16384");
	assert_int_not_equal(error.hint[0], '\0');
	assert_int_equal(error.column, 1);
	compiled_free(&compiled);
	policy_free(policy);
}

static void same_lists_share_a_bit(void **state)
{
	struct compiled compiled;
	struct policy *policy = read_filter("set a { 10.0.0.0/8, 192.0.2.0/24 }",
					    "drop from not @a drop from not { 192.0.2.0/24, 10.0.0.0/8 }\n"
					    "drop to not @a accept from not 192.0.2.0/24",
					    &compiled);

	assert_int_equal(compiled.filter.matches4.count, 4);
	assert_int_equal(compiled.filter.matches4.items[0].extra.marks_mask,
			 compiled.filter.matches4.items[1].extra.marks_mask);
	assert_int_not_equal(compiled.filter.matches4.items[3].extra.marks_mask,
			     compiled.filter.matches4.items[0].extra.marks_mask);
	/* All of IPv6 is outside. */
	assert_int_equal(compiled.filter.matches6.count, 4);
	assert_int_equal(compiled.filter.matches6.items[0].extra.marks_mask, 0);
	/* A network that two of them have has the bits of both. */
	assert_int_equal(compiled.tables[TABLE_FILTER_SOURCE4].count, 2);
	assert_int_equal(compiled.tables[TABLE_FILTER_SOURCE4].entries[1].value, 3);
	assert_int_equal(compiled.tables[TABLE_FILTER_DEST4].count, 2);
	compiled_free(&compiled);
	policy_free(policy);
}

static void lists_of_numbers_are_bounded(void **state)
{
	struct error error = { .what = "" };
	struct compiled compiled;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct policy *policy;

	assert_non_null(out);
	fputs("accept tcp sport { 1", out);
	for (int i = 3; i < 400; i += 2)
		fprintf(out, ", %d", i);
	fputs(" } dport { 1", out);
	for (int i = 3; i < 400; i += 2)
		fprintf(out, ", %d", i);
	fputs(" }", out);
	assert_int_equal(fclose(out), 0);
	policy = read_rules("", text, &compiled, -EINVAL, &error);
	assert_non_null(strstr(error.what, "combinations of its values in IPv4, more than 16384"));
	compiled_free(&compiled);
	policy_free(policy);
	free(text);
}

/* Every address is in the list or outside of it, and in one prefix. */
static void outside_is_all_that_is_left(void **state)
{
	srandom(1);
	for (int round = 0; round < 500; round++) {
		struct prefixes list = { 0 }, rest = { 0 };

		for (long i = random() % 6; i > 0; i--) {
			struct prefix prefix = { .version = 4, .length = (uint8_t)(random() % 9) };

			prefix.address[0] = (uint8_t)(random() & ~(0xff >> prefix.length));
			prefixes_add(&list, prefix);
		}
		prefixes_settle(&list);
		assert_int_equal(prefixes_outside(&list, 4, NULL), prefixes_outside(&list, 4, &rest));
		assert_int_equal(prefixes_outside(&list, 6, NULL), 1);
		for (int byte = 0; byte < 256; byte++) {
			struct prefix host = { .version = 4, .length = 32, .address = { (uint8_t)byte, 7 } };
			int covers = 0;

			for (size_t i = 0; i < list.count; i++)
				covers += prefix_covers(&list.items[i], &host);
			for (size_t i = 0; i < rest.count; i++)
				covers += prefix_covers(&rest.items[i], &host);
			assert_int_equal(covers, 1);
		}
		prefixes_free(&list);
		prefixes_free(&rest);
	}
}

/* What `check` warns of, a line each, with the line of the rule; the first rule is on line 2. */
static char *unreached_lines(const char *rules, uint64_t steps, uint32_t *looked_at)
{
	struct compiled compiled;
	struct policy *policy = read_filter("set none { }", rules, &compiled);
	struct unreached_rules unreached;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	unreached_find(&compiled, &compiled.filter, steps, &unreached);
	for (size_t i = 0; i < unreached.count; i++) {
		CLEANUP_FREE char *said = unreached_text(&compiled, &compiled.filter, &unreached.items[i]);

		fprintf(out, "%d: %s\n", compiled.rules[unreached.items[i].first].where.line, said);
	}
	*looked_at = unreached.looked_at;
	assert_int_equal(fclose(out), 0);
	unreached_free(&unreached);
	compiled_free(&compiled);
	policy_free(policy);
	return text;
}

static void rules_that_nothing_reaches_are_found(void **state)
{
	static const struct {
		const char *rules, *said;
	} rows[] = {
		{ "accept\ndrop\n", "3: this rule is never reached: the one at line 2 has all of it\n" },
		{ "drop\naccept\ndrop arp", "4: this rule is never reached: the one at line 3 has all of it\n" },
		{ "accept ipv4\naccept ipv6\naccept", "" },
		{ "accept ipv4\naccept ipv6\ndrop tcp",
		  "4: this rule is never reached: earlier rules, the last of them at line 3, have all of it\n" },
		{ "accept tcp dport 22\naccept udp\naccept tcp dport { 22 }",
		  "4: this rule is never reached: it is the rule of line 2 again\n" },
		{ "accept tcp dport 20-30\ndrop tcp dport 22\nreject tcp dport { 21, 23 }\naccept tcp",
		  "3: this rule and the 1 after it, to line 4, are never reached: the one at line 2 has all of "
		  "them\n" },
		{ "accept tcp dport 20-30\ndrop tcp dport { 22, 31 }", "" },
		{ "accept from 10.0.0.0/8\ndrop tcp from 10.1.0.0/16 to 192.0.2.1",
		  "3: this rule is never reached: the one at line 2 has all of it\n" },
		{ "accept from 10.1.0.0/16\ndrop from 10.0.0.0/8", "" },
		{ "accept from ::/8\ndrop udp from ::1 dport 53",
		  "3: this rule is never reached: the one at line 2 has all of it\n" },
		{ "accept tcp flags syn\ndrop tcp flags syn,ack/syn,ack",
		  "3: this rule is never reached: the one at line 2 "
		  "has all of it\n" },
		{ "accept tcp flags syn,ack\ndrop tcp flags syn", "" },
		{ "accept vlan 5\ndrop tcp vlan 5 ttl 3",
		  "3: this rule is never reached: the one at line 2 has all of it\n" },
		{ "accept tcp vlan 5\ndrop tcp", "" },
		{ "accept tcp fragment none\ndrop tcp", "" },
		{ "accept mac 02:00:00:00:00:01\ndrop udp\ndrop tcp mac 02:00:00:00:00:01",
		  "4: this rule is never reached: the one at line 2 has all of it\n" },
		{ "accept from @none\naccept from not 0.0.0.0/0, ::/0\naccept",
		  "2: this rule matches nothing: its sets have no prefixes, or its values leave none\n"
		  "3: this rule matches nothing: its sets have no prefixes, or its values leave none\n" },
		{ "drop icmp\ndrop icmp type destination-unreachable", "" }, /* of the failsafe, only the second */
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t looked_at;
		CLEANUP_FREE char *said = unreached_lines(rows[i].rules, UNREACHED_STEPS, &looked_at);

		assert_string_equal(said, rows[i].said);
		assert_int_not_equal(looked_at, 0);
	}
}

static void search_for_unreached_rules_ends(void **state)
{
	uint32_t looked_at;
	CLEANUP_FREE char *said = unreached_lines("accept udp\naccept tcp\naccept\ndrop", 5, &looked_at);

	assert_string_equal(said, "");
	assert_in_range(looked_at, 1, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failsafe_is_meant_where_it_is_named),
		cmocka_unit_test(actions_are_what_rules_say),
		cmocka_unit_test(rules_of_the_block_come_first),
		cmocka_unit_test(dynamic_sets_are_bits_of_each_direction),
		cmocka_unit_test(few_prefixes_are_boxes_and_many_are_a_bit),
		cmocka_unit_test(without_bits_the_rest_is_multiplied_out),
		cmocka_unit_test(same_lists_share_a_bit),
		cmocka_unit_test(lists_of_numbers_are_bounded),
		cmocka_unit_test(outside_is_all_that_is_left),
		cmocka_unit_test(rules_that_nothing_reaches_are_found),
		cmocka_unit_test(search_for_unreached_rules_ends),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
/* Macros: what is in the tree where one is used, each thing that can be wrong with its whole message, and the ready
 * ones.
 */
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
#include "policy/macro.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A wrong policy, and the first thing that is wrong with it. */
struct wrong {
	const char *name, *text;
	int line, column;
	const char *what, *hint;
};

#define NAME_HINT "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most 63"
#define UNKNOWN_HINT "define it above, outside of the interface; `sluice defences` prints the ready ones"
#define USE_HINT "`use NAME` stands in block, limit or filter, where a rule could begin"

static const struct wrong wrongs[] = {
	{ "unknown", "interface a { filter {\nuse nothing-like-it } }", 2, 5, "unknown macro `nothing-like-it`",
	  UNKNOWN_HINT },
	{ "near_miss_of_a_ready_one", "interface a { filter {\nuse bogus-tpc } }", 2, 5, "unknown macro `bogus-tpc`",
	  "did you mean `bogus-tcp`?" },
	{ "near_miss_of_one_of_the_policy", "macro own { drop sctp }\ninterface a { filter { use owm } }", 2, 28,
	  "unknown macro `owm`", "did you mean `own`?" },
	{ "near_miss_in_another_stage", "macro own { drop sctp }\ninterface a { block { use owm } }", 2, 27,
	  "unknown macro `owm`", UNKNOWN_HINT },
	{ "defined_below", "interface a { filter { use own } }\nmacro own { drop sctp }", 1, 28, "unknown macro `own`",
	  UNKNOWN_HINT },
	{ "filter_rules_in_block", "macro own { drop sctp }\ninterface a { block { use own } }", 2, 27,
	  "macro own has rules of `filter`, and this is `block`", "write: filter { use own }" },
	{ "ready_limits_in_filter", "interface a { filter { use amplification } }", 1, 28,
	  "macro amplification has rules of `limit`, and this is `filter`", "write: limit { use amplification }" },
	{ "block_rules_in_limit", "macro own { from 45.0.0.0/8 }\ninterface a { limit { use own } }", 2, 27,
	  "macro own has rules of `block`, and this is `limit`", "write: block { use own }" },
	{ "uses_itself", "macro own {\n drop sctp\n use own\n}", 3, 6, "macro own uses itself",
	  "a macro can use those that are defined above it" },
	{ "uses_itself_alone", "macro own { use own }", 1, 17, "macro own uses itself",
	  "a macro can use those that are defined above it" },
	{ "two_that_use_each_other", "macro a { use b }\nmacro b { use a }", 1, 15, "unknown macro `b`", UNKNOWN_HINT },
	{ "defined_twice", "macro own { drop sctp }\nmacro own { accept sctp }", 2, 7,
	  "macro own is defined twice for filter", "the other one is at line 1" },
	{ "name_of_a_ready_one", "macro bogus-tcp { drop tcp flags syn,fin }", 1, 7,
	  "bogus-tcp is one of the ready macros",
	  "`sluice defences bogus-tcp` prints it; give this one another name, as my-bogus-tcp" },
	{ "name_of_a_ready_one_for_another_stage", "macro bogus-tcp { from 45.0.0.0/8 }", 1, 7,
	  "bogus-tcp is one of the ready macros",
	  "`sluice defences bogus-tcp` prints it; give this one another name, as my-bogus-tcp" },
	{ "used_twice", "interface a { filter { use bogus-tcp\n accept tcp\n use bogus-tcp } }", 3, 6,
	  "this `filter` uses macro bogus-tcp twice", "leave it out" },
	{ "empty", "macro own { }", 1, 7, "macro own has no rules",
	  "write what it stands for: macro own { drop tcp flags syn,fin }" },
	{ "no_name", "macro { drop sctp }", 1, 7, "unexpected `{`", "expected a name" },
	{ "bad_name", "macro 6to4 { drop sctp }", 1, 7, "`6to4` is not a name for a macro", NAME_HINT },
	{ "no_rules", "macro own drop sctp", 1, 11, "unexpected `drop`",
	  "behind its name stand its rules: macro NAME { drop tcp flags syn,fin }" },
	{ "without_an_end", "macro own {\n drop sctp\n", 3, 1,
	  "unexpected end of the file: the { at line 1, column 11 is not closed",
	  "a rule goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …), limit, log or "
	  "count, or the next one begins: accept, drop or reject" },
	{ "in_an_interface", "interface a { macro own { drop sctp } }", 1, 15, "unexpected `macro`",
	  "expected `mode`, `fragments`, `malformed`, `log`, `block`, `limit`, `synproxy`, `filter`, `default` or `}`" },
	{ "used_outside_of_a_stage", "interface a { use bogus-tcp }", 1, 15, "unexpected `use`", USE_HINT },
	{ "used_on_top", "use bogus-tcp", 1, 1, "unexpected `use`", USE_HINT },
	{ "used_inside_a_rule", "interface a { filter { accept tcp from use own } }", 1, 40, "unexpected `use`",
	  USE_HINT },
	{ "rules_of_two_stages", "macro own { drop sctp; except 45.0.0.0/8 }", 1, 24, "unexpected `except`",
	  "expected `drop`, `use`, `accept`, `reject` or `}`" },
	{ "a_stage_in_a_macro", "macro own { filter { drop sctp } }", 1, 13, "unexpected `filter`",
	  "a limit begins with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …), or with `all`: "
	  "udp sport 53 1000/s per source" },
	{ "wrong_rule_that_nothing_uses", "macro own { drop udp flags syn }", 1, 22,
	  "`flags` in a rule that is not about tcp alone", "write: tcp flags syn" },
	{ "unknown_set", "macro own { drop from @nobody }\ninterface a { filter { use own } }", 1, 23,
	  "unknown set @nobody", "define it outside of the interface: set nobody { 192.0.2.0/24 }" },
	{ "default_in_a_macro", "macro own { drop sctp default drop }", 1, 23, "unexpected `default`",
	  "a rule goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, …), limit, log or "
	  "count, or the next one begins: accept, drop or reject" },
};

static void refuses(void **state)
{
	const struct wrong *wrong = *state;
	struct policy *policy = NULL;
	struct error error = { 0 };

	assert_int_equal(policy_parse(wrong->text, "test.policy", &policy, &error), -EINVAL);
	assert_null(policy);
	assert_string_equal(error.what, wrong->what);
	assert_string_equal(error.hint, wrong->hint);
	assert_string_equal(error.file, "test.policy");
	assert_int_equal(error.line, wrong->line);
	assert_int_equal(error.column, wrong->column);
}

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s\nin:\n%s", error.line, error.column, error.what, error.hint, text);
	return policy;
}

static char *print(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	policy_print(out, policy);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* All that a rule can have, so that each part has to be copied. */
#define EVERYTHING \
	"set a { 45.0.0.0/8 } set b { 46.0.0.0/8 } set banned dynamic size 100\n" \
	"macro limits {\n" \
	"  tcp from @a, { 47.0.0.0/8, 48.0.0.0/8 } to not @b dport { 80, 443-445 } flags syn/syn,ack length not " \
	"0-99\n" \
	"    100/s burst 200 per source/24 ban @banned 10m else drop log 1/10 count c\n" \
	"  all 10mbit/s\n" \
	"}\n" \
	"macro rules {\n" \
	"  accept icmp type echo-request limit 10/s per source ban @banned log count c\n" \
	"  reject with tcp-reset tcp mac 02:00:00:00:00:01 vlan 5 ttl 1 dscp ef fragment first\n" \
	"}\n" \
	"macro blocks { except @a, 1.2.3.4; from @b, { 2.0.0.0/8, 3::/16 } ; to @banned }\n"

static void used_is_as_if_written(void **state)
{
	struct policy *used = parse(EVERYTHING "interface x { block { use blocks } limit { use limits }\n"
					       "filter { drop sctp; use rules; default drop } }\n"
					       "interface y { limit { udp 5/s; use limits } filter { use rules } }\n");
	CLEANUP_FREE char *printed = print(used);
	struct policy *again = parse(printed);
	CLEANUP_FREE char *reprinted = print(again);

	assert_string_equal(printed, reprinted);
	assert_non_null(strstr(printed,
			       "    limit {\n"
			       "        udp 5/s\n"
			       "        tcp from @a, { 47.0.0.0/8, 48.0.0.0/8 } to not @b dport { 80, 443-445 } "
			       "flags syn/syn,ack length not 0-99 100/s burst 200 per source/24 ban @banned 10m "
			       "log 1/10 count c\n"
			       "        all 10mbit/s\n"));
	assert_non_null(strstr(printed,
			       "    filter {\n"
			       "        drop sctp\n"
			       "        accept icmp type echo-request limit 10/s per source ban @banned log count c\n"
			       "        reject with tcp-reset tcp vlan 5 dscp ef ttl 1 fragment first mac "
			       "02:00:00:00:00:01\n"));
	assert_non_null(strstr(printed, "        except @a, 1.2.3.4\n"
					"        from @b, { 2.0.0.0/8, 3::/16 }\n"
					"        to @banned\n"));
	assert_null(strstr(printed, "macro"));
	policy_free(used);
	policy_free(again);
}

static void rules_keep_the_place_of_the_macro(void **state)
{
	struct policy *policy =
		parse("macro own {\n  drop sctp\n}\ninterface x {\n filter {\n  use own use bogus-tcp\n}\n}");
	const struct filter_list *filter = &policy->interfaces[0].filter;
	size_t length;
	const char *text = defences_text(&length), *line = text;

	assert_string_equal(filter->rules[0].where.file, "test.policy");
	assert_int_equal(filter->rules[0].where.line, 2);
	assert_int_equal(filter->rules[0].where.column, 3);
	assert_string_equal(filter->rules[1].where.file, DEFENCES_FILE);
	for (int i = 1; i < filter->rules[1].where.line; i++)
		line = strchr(line, '\n') + 1;
	assert_memory_equal(line + filter->rules[1].where.column - 1, "drop tcp flags none/fin,syn,rst,ack", 35);
	policy_free(policy);
}

static void macros_use_macros(void **state)
{
	struct policy *policy = parse("macro one { drop sctp }\nmacro two { use one; use bogus-udp; drop arp }\n"
				      "macro three { use martians; from 45.0.0.0/8 }\nmacro four { use martians }\n"
				      "interface x { block { use three } filter { use two } }\n"
				      "interface y { block { use four } }\n");
	const struct interface *x = policy_interface(policy, "x"), *y = policy_interface(policy, "y");

	assert_int_equal(x->filter.rule_count, 4);
	assert_int_equal(x->block.rule_count, y->block.rule_count + 1);
	policy_free(policy);
}

static void a_name_may_stand_for_rules_of_each_stage(void **state)
{
	struct policy *policy = parse("macro own { from 45.0.0.0/8 } macro own { from 45.0.0.0/8 5/s }\n"
				      "macro own { drop from 45.0.0.0/8 }\n"
				      "interface x { block { use own } limit { use own } filter { use own } }\n");
	const struct interface *x = policy_interface(policy, "x");

	assert_int_equal(x->block.rule_count, 1);
	assert_int_equal(x->limit.rule_count, 1);
	assert_int_equal(x->filter.rule_count, 1);
	policy_free(policy);
}

/* What a macro's first rule begins with, and the stage that it is for. */
static void the_stage_is_read_off_the_first_rule(void **state)
{
	static const struct {
		const char *rules;
		enum macro_stage stage;
	} rows[] = {
		{ "drop tcp limit 5/s }", MACRO_FILTER },
		{ "# from here 5/s\n ; accept from 1.2.3.4 }", MACRO_FILTER },
		{ "reject }", MACRO_FILTER },
		{ "acept tcp }", MACRO_FILTER },
		{ "from 1.2.3.4 } 100/s", MACRO_BLOCK },
		{ "from { 1.2.3.4/8 } to 5.6.7.8 } interface a { limit { tcp 100/s } }", MACRO_BLOCK },
		{ "to @a # 100/s\n}", MACRO_BLOCK },
		{ "except 1.2.3.4 }", MACRO_BLOCK },
		{ "from { 1.2.3.4, ::1 } tcp 100/s }", MACRO_LIMIT },
		{ "to 1.2.3.4 10mbit/s }", MACRO_LIMIT },
		{ "tcp dport 80 100/s }", MACRO_LIMIT },
		{ "all 5/m }", MACRO_LIMIT },
		{ "use martians from 1.2.3.4 }", MACRO_BLOCK },
		{ "use martians }", MACRO_BLOCK },
		{ "use martians; use bogus-tcp }", MACRO_FILTER },
		{ "use icmp-flood }", MACRO_LIMIT },
		{ "", MACRO_BLOCK },
		{ "from", MACRO_BLOCK },
	};
	struct policy *policy = parse("interface x { }");

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *rules = rows[i].rules;

		if (macro_stage_of(policy, rules, rules + strlen(rules)) != rows[i].stage)
			fail_msg("%s is not for %s", rules, macro_stage_name(rows[i].stage));
	}
	policy_free(policy);
}

/* Each can be used where its stage is, beside all others of that stage. */
static void all_ready_macros_can_be_used(void **state)
{
	struct policy *none = parse("interface x { }"), *all;
	CLEANUP_FREE char *text = NULL;
	size_t size, rules = 0;
	FILE *out = open_memstream(&text, &size);

	fputs("interface x {", out);
	for (int stage = 0; stage < MACRO_STAGES; stage++) {
		fprintf(out, " %s {", macro_stage_name((enum macro_stage)stage));
		for (size_t i = 0; i < none->macro_count; i++) {
			const struct macro *macro = none->macros[i];

			if ((int)macro->stage != stage)
				continue;
			assert_true(macro->ready);
			fprintf(out, " use %s", macro->name);
			rules += macro->rules.rule_count + macro->block.rule_count;
		}
		fputs(" }", out);
	}
	fputs(" }", out);
	assert_int_equal(fclose(out), 0);
	all = parse(text);
	assert_true(rules > 0);
	assert_int_equal(rules, all->interfaces[0].block.rule_count + all->interfaces[0].limit.rule_count +
					all->interfaces[0].filter.rule_count);
	policy_free(none);
	policy_free(all);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(wrongs) + 6] = {
		cmocka_unit_test(used_is_as_if_written),
		cmocka_unit_test(rules_keep_the_place_of_the_macro),
		cmocka_unit_test(macros_use_macros),
		cmocka_unit_test(a_name_may_stand_for_rules_of_each_stage),
		cmocka_unit_test(the_stage_is_read_off_the_first_rule),
		cmocka_unit_test(all_ready_macros_can_be_used),
	};

	for (size_t i = 0; i < COUNT(wrongs); i++)
		tests[6 + i] = (struct CMUnitTest){ wrongs[i].name, refuses, NULL, NULL, (void *)&wrongs[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

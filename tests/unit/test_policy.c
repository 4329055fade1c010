// SPDX-License-Identifier: BSD-2-Clause
/* Reading a policy: what is in the tree afterwards, and each thing that can be wrong with its whole message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A wrong policy, and the first thing that is wrong with it. `file` is NULL when that is in the policy itself. */
struct wrong {
	const char *name, *text, *file;
	int line, column;
	const char *what, *hint;
	int code; /* 0 stands for EINVAL */
};

#define STRAY_HINT "a policy has words, prefixes, @sets, \"strings\", { } , ; and comments after #"
#define STATEMENTS \
	"expected `mode`, `fragments`, `malformed`, `log`, `block`, `limit`, `synproxy`, `filter`, `default` or `}`"
#define STAGES_HINT "this version has the block, limit, synproxy and filter stages"
#define WRITE_IT "write it as 192.0.2.0/24, 2001:db8::/32 or a single address"
#define NAME_HINT "Linux refuses an empty name, . and .., and white space, / and : in a name"
#define SET_NAME_HINT "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most 63"
#define SIZE_HINT "it is how many entries the set has room for: a number from 1 to 16777216"
#define TIME_HINT "write it as 90s, 10m, 1h or 7d, from 1s to 3650d, or never"
#define LETTERS_64 "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh"

static const struct wrong wrongs[] = {
	/* Words. */
	{ "unknown_word_on_top", "set a { }\nbridge br0 { }", NULL, 2, 1, "unknown word `bridge`",
	  "expected `set`, `macro`, `interface` or the end of the file" },
	{ "near_miss_on_top", "interfaec eth0 { }", NULL, 1, 1, "unknown word `interfaec`",
	  "did you mean `interface`?" },
	{ "near_miss_in_interface", "interface eth0 {\n\tfragmens drop\n}", NULL, 2, 2, "unknown word `fragmens`",
	  "did you mean `fragments`?" },
	{ "near_miss_in_block", "interface eth0 { block { form ::1 } }", NULL, 1, 26, "unknown word `form`",
	  "did you mean `from`?" },
	{ "near_miss_after_a_target", "interface eth0 { block { from ::1\n exept ::2 } }", NULL, 2, 2,
	  "unknown word `exept`", "did you mean `except`?" },
	{ "near_miss_of_a_value", "interface eth0 { malformed dorp }", NULL, 1, 28, "unknown word `dorp`",
	  "did you mean `drop`?" },
	{ "value_out_of_place", "interface eth0 { mode fast }", NULL, 1, 23, "unknown word `fast`",
	  "expected `native`, `generic` or `offload`" },
	{ "verdict_out_of_place", "interface eth0 { default native }", NULL, 1, 26, "unexpected `native`",
	  "expected `pass` or `drop`" },
	{ "block_statement_outside_block", "interface eth0 { from ::1 }", NULL, 1, 18, "unexpected `from`",
	  STATEMENTS },
	{ "target_missing", "interface eth0 { block { from; } }", NULL, 1, 30, "unexpected `;`",
	  "expected a prefix, a set (@name) or `{`" },
	{ "set_inside_a_list", "interface eth0 { block { from { @a } } }", NULL, 1, 33, "unexpected `@a`",
	  "expected a prefix or `}`" },
	{ "comma_missing", "set a { 10.0.0.0/8\n 11.0.0.0/8 }", NULL, 2, 2, "unexpected `11.0.0.0/8`",
	  "expected `,` or `}`" },
	{ "list_that_begins_with_a_comma", "set a { , }", NULL, 1, 9, "unexpected `,`", "expected a prefix or `}`" },
	{ "brace_too_many", "interface eth0 { } }", NULL, 1, 20, "unexpected `}`",
	  "expected `set`, `macro`, `interface` or the end of the file" },
	{ "braces_nested_too_deep", "interface a { block { from { { { {", NULL, 1, 30, "unexpected `{`",
	  "expected a prefix or `}`" },
	{ "set_name_missing", "set { }", NULL, 1, 5, "unexpected `{`", "expected a name" },
	{ "set_name_in_quotes", "set \"a\" { }", NULL, 1, 5, "unexpected string \"a\"", "expected a name" },
	{ "interface_name_missing", "interface { }", NULL, 1, 11, "unexpected `{`",
	  "expected a name or a string in double quotes" },
	{ "set_file_without_quotes", "set a file bogons.txt", NULL, 1, 12, "unexpected `bogons.txt`",
	  "expected a string in double quotes" },

	/* Characters. */
	{ "stray_character", "interface eth0 { mode = native }", NULL, 1, 23, "stray character `=`", STRAY_HINT },
	{ "stray_letter_beyond_ascii", "set \xc3\xa4 { }", NULL, 1, 5, "stray character `\xc3\xa4`", STRAY_HINT },
	{ "stray_byte", "set a { }\n\x01", NULL, 2, 1, "stray byte 0x01", STRAY_HINT },
	{ "broken_utf8", "set a { } \xff", NULL, 1, 11, "stray byte 0xff", STRAY_HINT },
	{ "at_sign_alone", "interface eth0 { block { from @ office } }", NULL, 1, 31, "`@` without the name of a set",
	  "write the name right behind it: @office" },
	{ "unterminated_string", "set a file \"bogons.txt\ninterface eth0 { }", NULL, 1, 12, "unterminated string",
	  "end it with \" on the same line" },
	{ "unterminated_string_at_the_end", "interface \"eth0\\", NULL, 1, 11, "unterminated string",
	  "end it with \" on the same line" },
	{ "unknown_escape", "set a file \"c:\\temp\"", NULL, 1, 15,
	  "a backslash stands only before \" and another backslash", "write \\\\ for a backslash" },

	/* The end. */
	{ "missing_brace_of_interface", "interface eth0 {\n    mode native\n", NULL, 3, 1,
	  "unexpected end of the file: the { at line 1, column 16 is not closed", STATEMENTS },
	{ "missing_brace_of_block", "interface eth0 {\n block {\n from { ::1 }\n", NULL, 4, 1,
	  "unexpected end of the file: the { at line 2, column 8 is not closed",
	  "expected `except`, `from`, `to`, `use`, `,` or `}`" },
	{ "missing_brace_of_set", "set a {\n::1,", NULL, 2, 5,
	  "unexpected end of the file: the { at line 1, column 7 is not closed", "expected a prefix or `}`" },
	{ "end_without_a_brace", "set a", NULL, 1, 6, "unexpected end of the file",
	  "expected `file`, `dynamic` or `{`" },

	/* Names. */
	{ "unknown_set_near_miss", "set office { }\ninterface eth0 { block { from @ofice } }", NULL, 2, 31,
	  "unknown set @ofice", "did you mean @office?" },
	{ "unknown_set", "set office { }\ninterface eth0 { block { from @bogons } }", NULL, 2, 31,
	  "unknown set @bogons", "define it outside of the interface: set bogons { 192.0.2.0/24 }" },
	{ "set_without_at_sign", "set office { }\ninterface eth0 { block { from office } }", NULL, 2, 31,
	  "`office` is not an address or prefix", WRITE_IT "\nif it is a set: @office" },
	{ "duplicate_set", "set a { }\nset b { }\nset a { ::1 }\ninterface eth0 { }", NULL, 3, 5,
	  "set a is defined twice", "the other one is at line 1" },
	{ "duplicate_interface", "interface eth0 { }\n interface \"eth0\" { }", NULL, 2, 12,
	  "interface eth0 is defined twice", "the other one is at line 1" },
	{ "no_interface", "set a { }\n", NULL, 0, 0, "the policy has no interface",
	  "write what to do on one: interface eth0 { block { from 192.0.2.0/24 } }" },
	{ "set_name_with_a_digit_first", "set 6bone { }", NULL, 1, 5, "`6bone` is not a name for a set",
	  SET_NAME_HINT },
	{ "set_name_with_a_dot", "set a.b { }", NULL, 1, 5, "`a.b` is not a name for a set", SET_NAME_HINT },
	{ "set_name_too_long", "set " LETTERS_64 " { }", NULL, 1, 5, "`" LETTERS_64 "` is not a name for a set",
	  SET_NAME_HINT },
	{ "interface_name_too_long", "interface abcdefghijklmnop { }", NULL, 1, 11,
	  "`abcdefghijklmnop` is too long for the name of an interface", "Linux takes at most 15 bytes" },
	{ "interface_name_with_a_colon", "interface eth0:1 { }", NULL, 1, 11, "`eth0:1` is not a name for an interface",
	  NAME_HINT },
	{ "interface_name_with_a_slash", "interface \"a/b\" { }", NULL, 1, 11, "`a/b` is not a name for an interface",
	  NAME_HINT },
	{ "interface_name_with_a_space", "interface \"a b\" { }", NULL, 1, 11, "`a b` is not a name for an interface",
	  NAME_HINT },
	{ "interface_name_dots", "interface .. { }", NULL, 1, 11, "`..` is not a name for an interface", NAME_HINT },
	{ "interface_name_empty", "interface \"\" { }", NULL, 1, 11, "`` is not a name for an interface", NAME_HINT },

	/* Things written twice. */
	{ "duplicate_mode", "interface eth0 {\n mode native\n mode generic }", NULL, 3, 2,
	  "interface eth0 has `mode` twice", "the other one is at line 2" },
	{ "duplicate_fragments", "interface eth0 {\n fragments drop; fragments drop }", NULL, 2, 18,
	  "interface eth0 has `fragments` twice", "the other one is at line 2" },
	{ "duplicate_malformed", "interface eth0 { malformed drop\n malformed pass }", NULL, 2, 2,
	  "interface eth0 has `malformed` twice", "the other one is at line 1" },
	{ "duplicate_default", "interface eth0 { default drop\n default drop }", NULL, 2, 2,
	  "interface eth0 has `default` twice", "the other one is at line 1" },
	{ "duplicate_block", "interface eth0 { block { }\n block { from ::1 } }", NULL, 2, 2,
	  "interface eth0 has `block` twice", "the other one is at line 1" },
	{ "prefix_twice_in_a_list", "set a { 10.0.0.0/8,\n ::1,\n 10.0.0.0/8 }", NULL, 3, 2,
	  "10.0.0.0/8 is in this list already, at line 1", "leave it out" },
	{ "prefix_covered_in_a_list", "set a {\n 10.0.0.0/8,\n 10.1.0.0/16 }", NULL, 3, 2,
	  "10.1.0.0/16 is covered by 10.0.0.0/8 at line 2", "leave it out" },
	{ "prefix_covered_by_a_later_one", "set a {\n 2001:db8:1::/48,\n ::1,\n 2001:db8::/32 }", NULL, 2, 2,
	  "2001:db8:1::/48 is covered by 2001:db8::/32 at line 4", "leave it out" },
	{ "first_of_several_overlaps", "set a { 9.0.0.0/8,\n 8.1.0.0/16,\n 9.9.0.0/16,\n 8.0.0.0/8 }", NULL, 2, 2,
	  "8.1.0.0/16 is covered by 8.0.0.0/8 at line 4", "leave it out" },
	{ "prefix_twice_in_a_target", "interface eth0 { block { to { ::1,\n ::1 } } }", NULL, 2, 2,
	  "::1 is in this list already, at line 1", "leave it out" },
	{ "set_twice_in_a_statement", "set a { }\ninterface eth0 { block { from @a, ::1, @a } }", NULL, 2, 40,
	  "the block has the same `from` target twice", "the other one is at line 2" },
	{ "set_twice_in_two_statements", "set a { }\ninterface eth0 { block {\n to @a\n from @a\n to @a } }", NULL, 5,
	  5, "the block has the same `to` target twice", "the other one is at line 3" },
	{ "list_twice_in_another_order", "interface eth0 { block {\n except { ::1, ::2 }\n except { ::2, ::1 } } }",
	  NULL, 3, 9, "the block has the same `except` target twice", "the other one is at line 2" },
	{ "prefix_twice_once_in_braces", "interface eth0 { block { to ::1\n to { ::1 } } }", NULL, 2, 5,
	  "the block has the same `to` target twice", "the other one is at line 1" },

	/* Prefixes; test_prefix.c has all that can be wrong with one. */
	{ "prefix_length_too_long", "set a { 192.0.2.0/33 }", NULL, 1, 9,
	  "192.0.2.0/33 has a prefix length that is too long", "an IPv4 address has 32 bits" },
	{ "prefix_length_too_long_ipv6", "set a { ::/129 }", NULL, 1, 9, "::/129 has a prefix length that is too long",
	  "an IPv6 address has 128 bits" },
	{ "host_bits", "interface eth0 { block {\n  from 192.0.2.1/24 } }", NULL, 2, 8,
	  "192.0.2.1/24 has host bits set", "write 192.0.2.0/24 for the network or 192.0.2.1/32 for the one address" },
	{ "short_ipv4", "set a { 10.1/16 }", NULL, 1, 9,
	  "10.1/16 is a short form of an IPv4 address, which programs read in different ways",
	  "write all four parts: 10.1.0.0/16" },
	{ "mapped_ipv4", "set a { ::ffff:1.2.3.4 }", NULL, 1, 9,
	  "::ffff:1.2.3.4 is IPv4-mapped: IPv4 packets do not carry such addresses", "write 1.2.3.4" },
	{ "not_a_prefix", "set a { ::1, web1.example }", NULL, 1, 14, "`web1.example` is not an address or prefix",
	  WRITE_IT },

	/* Set files. */
	{ "missing_set_file", "interface eth0 { }\nset a file \"missing.txt\"", NULL, 2, 12,
	  "cannot read the set file missing.txt: No such file or directory", "", ENOENT },
	{ "set_file_is_a_folder", "set a file \"/\" interface eth0 { }", NULL, 1, 12,
	  "cannot read the set file /: Is a directory", "", EISDIR },
	{ "bad_line_in_a_set_file", "interface eth0 { }\nset a file \"bad.txt\"", "bad.txt", 2, 3,
	  "`hello` is not an address or prefix", WRITE_IT "\nthe file is named by the policy at test.policy:2" },

	/* What later versions have. */
	{ "later_balance", "interface eth0 { balance web }", NULL, 1, 18,
	  "the balance stage is not part of this version of Sluice", STAGES_HINT },
	{ "later_route", "interface eth0 { route }", NULL, 1, 18,
	  "the route stage is not part of this version of Sluice", STAGES_HINT },
	{ "later_capture", "interface eth0 { capture }", NULL, 1, 18,
	  "the capture stage is not part of this version of Sluice", STAGES_HINT },
	{ "later_service", "service web { }", NULL, 1, 1, "services are not part of this version of Sluice",
	  "this version has sets and interfaces" },

	/* Dynamic sets. */
	{ "dynamic_set_without_size", "set a dynamic\nset b { }", NULL, 2, 1, "unexpected `set`", "expected `size`" },
	{ "dynamic_set_with_timeout_only", "set a dynamic timeout 10m", NULL, 1, 15, "unexpected `timeout`",
	  "expected `size`" },
	{ "near_miss_of_size", "set a dynamic sise 10", NULL, 1, 15, "unknown word `sise`", "did you mean `size`?" },
	{ "near_miss_of_timeout", "set a dynamic size 10 timout 10m", NULL, 1, 23, "unknown word `timout`",
	  "did you mean `timeout`?" },
	{ "size_missing", "set a dynamic size { }", NULL, 1, 20, "unexpected `{`", "expected a number" },
	{ "size_no_number", "set a dynamic size many", NULL, 1, 20, "`many` is not a size for a set", SIZE_HINT },
	{ "size_with_unit", "set a dynamic size 10k", NULL, 1, 20, "`10k` is not a size for a set", SIZE_HINT },
	{ "size_negative", "set a dynamic size -1", NULL, 1, 20, "`-1` is not a size for a set", SIZE_HINT },
	{ "size_of_nothing", "set a dynamic size 0", NULL, 1, 20, "`0` is not a size for a set", SIZE_HINT },
	{ "size_too_large", "set a dynamic size 16777217", NULL, 1, 20, "`16777217` is not a size for a set",
	  SIZE_HINT },
	{ "size_past_32_bits", "set a dynamic size 4294967297", NULL, 1, 20, "`4294967297` is not a size for a set",
	  SIZE_HINT },
	{ "timeout_missing", "set a dynamic size 1 timeout\n}", NULL, 2, 1, "unexpected `}`",
	  "expected a time (90s, 10m, 1h, 7d)" },
	{ "timeout_no_time", "set a dynamic size 1 timeout soon", NULL, 1, 30, "`soon` is not a time", TIME_HINT },
	{ "timeout_of_two_units", "set a dynamic size 1 timeout 1h30m", NULL, 1, 30, "`1h30m` is not a time",
	  TIME_HINT },
	{ "timeout_of_nothing", "set a dynamic size 1 timeout 0s", NULL, 1, 30, "0s is no time at all", TIME_HINT },
	{ "timeout_too_long", "set a dynamic size 1 timeout 3651d", NULL, 1, 30,
	  "3651d is longer than a timeout can be", TIME_HINT },
	{ "timeout_past_64_bits", "set a dynamic size 1 timeout 99999999999999999999d", NULL, 1, 30,
	  "99999999999999999999d is longer than a timeout can be", TIME_HINT },
	{ "dynamic_set_with_prefixes", "set a dynamic size 10 { 192.0.2.1 }", NULL, 1, 23, "unexpected `{`",
	  "expected `set`, `timeout`, `macro`, `interface` or the end of the file" },
	{ "dynamic_set_twice", "set a dynamic size 10\nset a { }\ninterface b { }", NULL, 2, 5,
	  "set a is defined twice", "the other one is at line 1" },
	{ "dynamic_set_unknown", "set banned dynamic size 10\ninterface b { block { from @baned } }", NULL, 2, 28,
	  "unknown set @baned", "did you mean @banned?" },
};

static void wrong_policy_says_what_and_where(void **state)
{
	struct policy *const untouched = (struct policy *)state;
	const struct wrong *wrong = *state;
	struct policy *policy = untouched;
	struct error error;

	assert_int_equal(policy_parse(wrong->text, "test.policy", &policy, &error), -(wrong->code ?: EINVAL));
	assert_string_equal(error.what, wrong->what);
	assert_string_equal(error.hint, wrong->hint);
	assert_string_equal(error.file, wrong->file ?: "test.policy");
	assert_int_equal(error.line, wrong->line);
	assert_int_equal(error.column, wrong->column);
	assert_ptr_equal(policy, untouched);
}

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\n%s", error.line, error.column, error.what, error.hint);
	return policy;
}

static void write_file(const char *path, const char *text, size_t length)
{
	CLEANUP_FILE FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
}

static void assert_place(struct location where, const struct policy *policy, int line, int column)
{
	assert_ptr_equal(where.file, policy->path);
	assert_int_equal(where.line, line);
	assert_int_equal(where.column, column);
}

static void tree_holds_what_is_written(void **state)
{
	struct policy *policy = parse("set office { 192.0.2.0/24, 2001:db8:a::/48, }\n"
				      "interface eth0.100 {\n"
				      "    mode generic; fragments drop\n"
				      "    malformed pass\n"
				      "    block { except @office, ::1\n"
				      "            from { 10.0.0.0/8,\n"
				      "                   11.0.0.0/8 } }\n"
				      "    default drop\n"
				      "}\n");
	const struct interface *interface = policy_interface(policy, "eth0.100");
	const struct block_rule *rules = interface->block.rules;
	const struct set *office = policy->sets[0];

	assert_string_equal(policy->path, "test.policy");
	assert_string_equal(office->name, "office");
	assert_null(office->path);
	assert_int_equal(office->prefixes.count, 2);
	assert_place(office->where, policy, 1, 5);
	assert_place(interface->where, policy, 2, 11);
	assert_int_equal(interface->mode, MODE_GENERIC);
	assert_place(interface->mode_where, policy, 3, 5);
	assert_int_equal(interface->fragments, FRAGMENTS_DROP);
	assert_place(interface->fragments_where, policy, 3, 19);
	assert_int_equal(interface->malformed, VERDICT_PASS);
	assert_place(interface->malformed_where, policy, 4, 5);
	assert_int_equal(interface->default_verdict, VERDICT_DROP);
	assert_place(interface->default_where, policy, 8, 5);
	assert_place(interface->block.where, policy, 5, 5);

	assert_int_equal(interface->block.rule_count, 2);
	assert_int_equal(rules[0].kind, BLOCK_EXCEPT);
	assert_place(rules[0].where, policy, 5, 13);
	assert_int_equal(rules[0].target_count, 2);
	assert_ptr_equal(rules[0].targets[0].set, office);
	assert_ptr_equal(target_prefixes(&rules[0].targets[0]), &office->prefixes);
	assert_place(rules[0].targets[1].where, policy, 5, 29);
	assert_int_equal(target_prefixes(&rules[0].targets[1])->count, 1);
	assert_int_equal(rules[1].kind, BLOCK_FROM);
	assert_int_equal(rules[1].targets[0].prefixes.count, 2);
	assert_null(rules[1].targets[0].set);
	policy_free(policy);
}

static void what_is_not_written_has_its_default(void **state)
{
	struct policy *policy = parse("interface eth0 { }");
	const struct interface *interface = policy_interface(policy, "eth0");

	assert_int_equal(interface->mode, MODE_NATIVE);
	assert_int_equal(interface->fragments, FRAGMENTS_PASS);
	assert_int_equal(interface->malformed, VERDICT_DROP);
	assert_int_equal(interface->default_verdict, VERDICT_PASS);
	assert_int_equal(interface->mode_where.line, 0);
	assert_int_equal(interface->fragments_where.line, 0);
	assert_int_equal(interface->malformed_where.line, 0);
	assert_int_equal(interface->default_where.line, 0);
	assert_int_equal(interface->block.where.line, 0);
	assert_null(policy_interface(policy, "eth1"));
	policy_free(policy);
}

static void separators_and_emptiness_are_free(void **state)
{
	static const char *const texts[] = {
		"interface eth0{}",
		";;interface eth0 { ; ; };",
		"interface eth0 { block { } }\r\n",
		"interface eth0 { block { ;; from ::1;; to ::1 } }",
		"interface eth0\n{\n#}\nblock\n{\nfrom\n::1\n,\n::2\n}\n}",
		"interface eth0 { block { from { } to { ::1, } } }",
		"set a { } interface eth0 { block { from @a } }",
		"interface eth0 { block { from @later } } set later { }",
		"interface eth0 { block { from ::1 to ::1 except ::1 } }",
		"interface eth0 { mode native fragments pass malformed drop default drop }",
		"interface br-lan { } interface 0 { } interface \"drop\" { } interface \"v@if3\" { } interface set { }",
		"set from { } interface eth0 { block { from @from } }",
		"interface abcdefghijklmno { }",
		"interface eth0 { } # the end",
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		policy_free(parse(texts[i]));
}

static void quotes_and_backslashes_are_read(void **state)
{
	struct policy *policy = parse("interface \"a\\\"b\\\\c\" { }");

	assert_string_equal(policy->interfaces[0].name, "a\"b\\c");
	policy_free(policy);
}

static void set_file_stands_beside_the_policy(void **state)
{
	struct policy *policy = NULL;
	struct error error;

	assert_int_equal(mkdir("folder", 0700), 0);
	write_file("folder/list.txt", "10.0.0.0/8\n10.0.0.0/8\n10.1.0.0/16\n", 34);
	write_file("folder/empty.txt", "", 0);
	write_file("folder/test.policy", "set a file \"list.txt\" set b file \"empty.txt\" interface eth0 { }", 63);
	assert_int_equal(policy_load("folder/test.policy", &policy, &error), 0);
	assert_string_equal(policy->sets[0]->path, "list.txt");
	assert_int_equal(policy->sets[0]->prefixes.count, 3); /* overlaps are settled when tables are made */
	assert_int_equal(policy->sets[1]->prefixes.count, 0);
	assert_place(policy->sets[1]->path_where, policy, 1, 34);
	policy_free(policy);

	unlink("folder/list.txt");
	assert_int_equal(policy_load("folder/test.policy", &policy, &error), -ENOENT);
	assert_string_equal(error.what, "cannot read the set file folder/list.txt: No such file or directory");
	unlink("folder/empty.txt");
	unlink("folder/test.policy");
	assert_int_equal(rmdir("folder"), 0);
}

static void unreadable_policy_says_why(void **state)
{
	static const struct {
		const char *path;
		int code, line, column;
		const char *what, *hint;
	} cases[] = {
		{ "missing", ENOENT, 0, 0, "cannot read the policy: No such file or directory", "" },
		{ "/", EISDIR, 0, 0, "cannot read the policy: Is a directory", "" },
		{ "/dev/zero", EFBIG, 0, 0, "the policy is larger than 64 MiB",
		  "long lists of prefixes belong in a file of their own: set NAME file \"PATH\"" },
		{ "nul", EINVAL, 2, 4, "NUL byte: this is not a text file", "" },
	};
	struct policy *policy = NULL;
	struct error error;

	write_file("nul", "set a { }\nset\0", 14);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(policy_load(cases[i].path, &policy, &error), -cases[i].code);
		assert_string_equal(error.what, cases[i].what);
		assert_string_equal(error.hint, cases[i].hint);
		assert_string_equal(error.file, cases[i].path);
		assert_int_equal(error.line, cases[i].line);
		assert_int_equal(error.column, cases[i].column);
		assert_null(policy);
	}
	unlink("nul");
}

static const char whole[] = "set office { 192.0.2.0/24, 2001:db8:a::/48, } # comment\n"
			    "set bogons file \"good.txt\"; set empty { }\n"
			    "interface \"a\\\"b\" { mode offload; fragments drop malformed pass\n"
			    "    block { except @office, ::1; from @bogons, { 10.0.0.0/8, 11.0.0.0/8 }\n"
			    "            to { }, @empty } default drop }\n"
			    "interface eth0.100 { block { } }\n";

/* Whatever comes out of it: it must say what is wrong, and leave nothing behind (ASan). */
static void judge_damaged(const char *text)
{
	struct policy *policy = NULL;
	struct error error = { .what = "" };

	if (policy_parse(text, "test.policy", &policy, &error)) {
		assert_null(policy);
		assert_int_not_equal(error.what[0], '\0');
	}
	policy_free(policy);
}

static void truncated_policies_never_crash(void **state)
{
	char text[sizeof(whole)];

	for (size_t i = 0; i < sizeof(whole); i++) {
		memcpy(text, whole, i);
		text[i] = '\0';
		judge_damaged(text);
	}
}

static void damaged_policies_never_crash(void **state)
{
	static const char likely[] = "{}@\"\\,;#\n /.:09azF\xff";
	char text[sizeof(whole)];

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		memcpy(text, whole, sizeof(whole));
		for (long flips = 1 + random() % 4; flips > 0; flips--) {
			char *byte = &text[random() % (long)(sizeof(text) - 1)];
			*byte = random() % 2 ? likely[random() % (long)(sizeof(likely) - 1)] : (char)random();
		}
		judge_damaged(text);
	}
}

/* The group's folder of its own; it is the working directory while the tests run. */
static char folder[] = "/tmp/sluice-test-policy-XXXXXX";

static int enter_folder(void **state)
{
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	write_file("bad.txt", "::1\n  hello\n", 12);
	write_file("good.txt", "198.51.100.0/24\n", 16);
	return 0;
}

static int leave_folder(void **state)
{
	unlink("bad.txt");
	unlink("good.txt");
	return chdir("/") || rmdir(folder) ? -1 : 0;
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(tree_holds_what_is_written),	     cmocka_unit_test(what_is_not_written_has_its_default),
	cmocka_unit_test(separators_and_emptiness_are_free), cmocka_unit_test(quotes_and_backslashes_are_read),
	cmocka_unit_test(set_file_stands_beside_the_policy), cmocka_unit_test(unreadable_policy_says_why),
	cmocka_unit_test(truncated_policies_never_crash),    cmocka_unit_test(damaged_policies_never_crash),
};

/* Each row of the table is a test of its own name. */
int main(void)
{
	struct CMUnitTest tests[COUNT(others) + COUNT(wrongs)];

	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < COUNT(wrongs); i++)
		tests[COUNT(others) + i] = (struct CMUnitTest){
			.name = wrongs[i].name,
			.test_func = wrong_policy_says_what_and_where,
			.initial_state = (void *)&wrongs[i],
		};
	return cmocka_run_group_tests_name("policy", tests, enter_folder, leave_folder);
}

// SPDX-License-Identifier: BSD-2-Clause
/* What is allowed and most likely not meant: src/policy/warnings.c, and limits that nothing reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/unreached.h"
#include "policy/warnings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error error;

	if (policy_parse(text, "test.policy", &policy, &error))
		fail_msg("%d:%d: %s\nin:\n%s", error.line, error.column, error.what, text);
	return policy;
}

static void note(const struct location *where, const char *text, void *context)
{
	fprintf(context, "%d:%d: %s\n", where->line, where->column, text);
}

static void what_nothing_uses_or_drops_by_is_told(void **state)
{
	static const struct {
		const char *written, *said;
	} rows[] = {
		{ "set a { } set b dynamic size 1\ninterface eth0 { block { from @a } }",
		  "1:5: set a is empty\n1:15: nothing uses set b\n" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { limit {\nudp 1/s ban @a\ntcp 1/s ban @a } filter "
		  "{\n"
		  "accept limit 5/s ban @a } }",
		  "2:13: sources are banned into @a, but nothing drops what is from it; write in a block: from @a\n" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { filter {\naccept limit 5/s ban @a\naccept from @a\n"
		  "drop from not @a\ndrop to @a } block { except @a to @a } }",
		  "2:22: sources are banned into @a, but nothing drops what is from it; write in a block: from @a\n" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { limit { udp 1/s ban @a } block { from @a } }", "" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { limit { udp 1/s ban @a } filter { drop from @a } }",
		  "" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { limit { udp 1/s ban @a } filter { reject udp from "
		  "@a } }",
		  "" },
		{ "set a dynamic size 1 timeout 1h interface eth0 { limit { udp 1/s ban @a } } interface eth1 { block "
		  "{ from @a } "
		  "}",
		  "" },
		{ "macro one { drop sctp } macro two { drop arp }\nmacro three { drop udp }\n"
		  "interface eth0 { filter { use two } }",
		  "1:7: nothing uses macro one\n2:7: nothing uses macro three\n" },
		{ "set a { ::1 } interface eth0 { limit { udp from @a 1/s } }", "" },
		{ "set a { ::1 } interface eth0 { limit { udp to @a 1/s } }", "" },
		{ "set a dynamic size 1 interface eth0 { block { from @a } limit {\nudp 1/s ban @a\ntcp 1/s ban @a } }",
		  "2:13: bans into @a have no end; write one: ban @a 10m\n" },
		{ "set a dynamic size 1 interface eth0 { block { from @a } limit { udp 1/s ban @a 1h } }", "" },
		{ "interface eth0 { limit { tcp flags syn/syn,ack 100/s per destination }\nsynproxy { tcp dport 80 "
		  "above 200/s } }",
		  "2:25: nothing arms this service: the limit of line 1 lets 100 SYNs a second through\n" },
		{ "interface eth0 { limit { tcp dport 1-99 6000/m }\nsynproxy { tcp dport 80 above 200/s gateway } }",
		  "2:25: nothing arms this service: the limit of line 1 lets 100 SYNs a second through\n" },
		{ "interface eth0 { limit { tcp 200/s } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { tcp 100/s per source } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { udp 100/s } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { tcp dport not 80 100/s } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { tcp flags ack/ack 100/s } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { tcp dport 80 9000/s\ntcp 100/s } synproxy { tcp dport 80 above 200/s } }",
		  "" },
		{ "interface eth0 { limit { all 1mbit/s } synproxy { tcp dport 80 above 200/s } }", "" },
		{ "interface eth0 { limit { all 1/s } synproxy { tcp dport 80 } }", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy *policy = parse(rows[i].written);
		CLEANUP_FREE char *said = NULL;
		size_t size;
		FILE *out = open_memstream(&said, &size);

		policy_warn(policy, note, out);
		fclose(out);
		assert_string_equal(said, rows[i].said);
		policy_free(policy);
	}
}

/* LIMIT_CELLS is 2097152. */
static void limits_that_a_flood_uses_up_are_told(void **state)
{
	static const struct {
		const char *written; /* on the second line */
		int column;	     /* of the warning; 0: there is none */
		const char *flood;
	} rows[] = {
		{ "udp 30/m per source", 10, "1048576 packets" },
		{ "udp 1/s per source", 0, NULL },
		{ "udp 42/m per source", 10, "1468006 packets" },
		{ "udp 43/m per source", 0, NULL },
		{ "udp 1/d per source", 9, "24 packets" },
		{ "udp 3/h per source/24", 9, "1747 packets" },
		{ "udp 1/s per source/16", 9, "65536 packets" },
		{ "udp 20/s per source/16/64", 10, "1310720 packets" },
		{ "ipv6 udp 30/m per source/24", 15, "1048576 packets" },
		{ "udp 30/m per source+dport", 10, "1048576 packets" },
		{ "udp 30/m per destination", 0, NULL },
		{ "udp 30/m", 0, NULL },
		{ "udp from 192.0.2.0/24 30/m per source", 0, NULL },
		{ "udp from not 192.0.2.0/24 30/m per source", 32, "1048576 packets" },
		{ "udp 1kbit/s per source", 0, NULL },
		{ "udp 1kbit/s per source/16", 13, "8192000 bytes" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		CLEANUP_FREE char *text = xasprintf("interface eth0 { limit {\n%s } }", rows[i].written);
		CLEANUP_FREE char *said = NULL, *expected = xstrdup("");
		struct policy *policy = parse(text);
		size_t size;
		FILE *out = open_memstream(&said, &size);

		policy_warn_slow(&policy->interfaces[0], note, out);
		fclose(out);
		if (rows[i].column) {
			free(expected);
			expected = xasprintf("2:%d: so slow a limit per source holds everybody back once a flood from "
					     "random sources brings some %s a second\n",
					     rows[i].column, rows[i].flood);
		}
		assert_string_equal(said, expected);
		policy_free(policy);
	}
}

static void limits_in_the_shadow_of_earlier_ones_are_told(void **state)
{
	struct policy *policy = parse("interface eth0 { limit {\n"
				      "tcp flags syn 100/s per source\n"
				      "udp sport 53 10/s\n"
				      "tcp dport 80 flags syn/syn 5/s\n"
				      "udp sport 53 10/s\n"
				      "tcp 1mbit/s\n"
				      "from { 10.0.0.0/8 } tcp 5/s\n"
				      "all 5/s\n"
				      "arp 5/s\n"
				      "} filter { accept\naccept tcp } }");
	static const char expected[] = "4: this limit is never reached: the one at line 2 has all of it\n"
				       "5: this limit is never reached: it is the limit of line 3 again\n"
				       "7: this limit is never reached: the one at line 6 has all of it\n";
	struct unreached_rules unreached;
	CLEANUP_FREE char *said = NULL;
	struct compiled compiled;
	struct error error;
	size_t size;
	FILE *out = open_memstream(&said, &size);

	assert_int_equal(compile(&policy->interfaces[0], &compiled, &error), 0);
	unreached_find(&compiled, &compiled.limit, UNREACHED_STEPS, &unreached);
	for (size_t i = 0; i < unreached.count; i++) {
		CLEANUP_FREE char *text = unreached_text(&compiled, &compiled.limit, &unreached.items[i]);

		fprintf(out, "%d: %s\n", compiled.rules[compiled.limit.first + unreached.items[i].first].where.line,
			text);
	}
	fclose(out);
	assert_string_equal(said, expected);
	unreached_free(&unreached);
	compiled_free(&compiled);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nothing_uses_or_drops_by_is_told),
		cmocka_unit_test(limits_that_a_flood_uses_up_are_told),
		cmocka_unit_test(limits_in_the_shadow_of_earlier_ones_are_told),
	};

	return cmocka_run_group_tests_name("warnings", tests, NULL, NULL);
}

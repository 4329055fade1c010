// SPDX-License-Identifier: BSD-2-Clause
/* "Did you mean …?": src/base/nearest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/nearest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const words[] = { "set", "interface", NULL, "fragments", "block", "from", "to", "drop", "office" };

static void mistyped_words_are_understood(void **state)
{
	static const struct {
		const char *word, *meant;
	} cases[] = {
		{ "form", "from" },
		{ "fom", "from" },
		{ "frmo", "from" },
		{ "frrom", "from" },
		{ "FROM", "from" },
		{ "ofice", "office" },
		{ "offices", "office" },
		{ "interfaec", "interface" },
		{ "intreface", "interface" },
		{ "fragmentation", NULL },
		{ "fragmens", "fragments" },
		{ "blcok", "block" },
		{ "ot", "to" },
		{ "drop", "drop" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *found = nearest(cases[i].word, words, COUNT(words));

		if (cases[i].meant)
			assert_string_equal(found, cases[i].meant);
		else
			assert_null(found);
	}
}

static void strange_words_get_no_proposal(void **state)
{
	char endless[1000] = "";

	memset(endless, 'f', sizeof(endless) - 1);
	assert_null(nearest("x", words, COUNT(words)));
	assert_null(nearest("fast", words, COUNT(words)));
	assert_null(nearest("", words, COUNT(words)));
	assert_null(nearest(endless, words, COUNT(words)));
	assert_null(nearest("from", words, 0));
}

static void longest_words_fit(void **state)
{
	char typed[64] = "", known[64] = "", longer[65] = "";
	const char *const list[] = { longer, known };

	memset(typed, 'a', 63);
	memset(known, 'a', 63);
	memset(longer, 'a', 64);
	known[40] = 'b';
	assert_ptr_equal(nearest(typed, list, 2), known);
}

static void first_of_equally_near_wins(void **state)
{
	static const char *const twins[] = { "web1", "web2" };

	assert_string_equal(nearest("web3", twins, 2), "web1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistyped_words_are_understood),
		cmocka_unit_test(strange_words_get_no_proposal),
		cmocka_unit_test(longest_words_fit),
		cmocka_unit_test(first_of_equally_near_wins),
	};

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}

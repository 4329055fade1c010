// SPDX-License-Identifier: BSD-2-Clause
/* Lengths of time: what is one, what is none, and how they are written back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"

static void units_and_bare_numbers(void **state)
{
	const struct {
		const char *text;
		uint64_t seconds;
	} cases[] = {
		{ "0", 0 },	{ "60", 60 },	  { "60s", 60 },      { "5m", 300 },
		{ "1h", 3600 }, { "2d", 172800 }, { "007m", 7 * 60 }, { "18446744073709551615", UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t seconds = 12345;

		assert_int_equal(duration_parse(cases[i].text, &seconds), 0);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void what_is_no_duration_is_refused_and_changes_nothing(void **state)
{
	const char *cases[] = { "",	"s",  "m5",  "-5", "+5",    " 5",   "5 ",  "5 s",
				"1.5h", "5x", "5ms", "5S", "1h30m", "0x10", "five" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t seconds = 12345;

		assert_int_equal(duration_parse(cases[i], &seconds), -EINVAL);
		assert_int_equal(seconds, 12345);
	}
}

static void what_does_not_fit_is_out_of_range(void **state)
{
	const char *cases[] = { "18446744073709551616", "99999999999999999999999999999", "18446744073709551615m",
				"213503982334602d" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t seconds = 12345;

		assert_int_equal(duration_parse(cases[i], &seconds), -ERANGE);
		assert_int_equal(seconds, 12345);
	}
}

static void written_back_in_the_largest_exact_unit(void **state)
{
	const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1s" },
		{ 59, "59s" },
		{ 60, "1m" },
		{ 90, "90s" },
		{ 3600, "1h" },
		{ 5400, "90m" },
		{ 86400, "1d" },
		{ 90000, "25h" },
		{ 172800, "2d" },
		{ 86401, "86401s" },
		{ 604800, "7d" },
		{ UINT64_MAX, "18446744073709551615s" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[DURATION_TEXT_MAX];
		uint64_t seconds = 12345;

		assert_string_equal(duration_text(cases[i].seconds, text), cases[i].text);
		assert_int_equal(duration_parse(text, &seconds), 0);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_and_bare_numbers),
		cmocka_unit_test(what_is_no_duration_is_refused_and_changes_nothing),
		cmocka_unit_test(what_does_not_fit_is_out_of_range),
		cmocka_unit_test(written_back_in_the_largest_exact_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

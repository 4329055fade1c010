// SPDX-License-Identifier: BSD-2-Clause
/* What is put into dynamic sets, as lines: src/policy/entries.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "policy/entries.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEFAULT 77

static int read_text(const char *text, struct set_entries *list, struct error *error)
{
	CLEANUP_FREE char *copy = xstrdup(text);

	return entries_read(list, copy, strlen(text), "stdin", DEFAULT, error);
}

static void assert_entry(const struct set_entry *entry, const char *prefix, uint64_t timeout)
{
	char text[PREFIX_TEXT_MAX];

	assert_string_equal(prefix_print(&entry->prefix, text), prefix);
	assert_int_equal(entry->timeout, timeout);
}

static void lines_are_prefixes_with_or_without_a_time(void **state)
{
	struct set_entries list = { 0 };
	struct error error;

	assert_int_equal(read_text("192.0.2.1\n"
				   "# comment\n"
				   "\n"
				   " \t2001:db8::/64\ttimeout  90s \r\n"
				   "10.0.0.0/8 timeout 2h # until tomorrow\n"
				   "::1 timeout never;\n"
				   "192.0.2.2",
				   &list, &error),
			 0);
	assert_int_equal(list.count, 5);
	assert_entry(&list.items[0], "192.0.2.1", DEFAULT);
	assert_entry(&list.items[1], "2001:db8::/64", 90);
	assert_entry(&list.items[2], "10.0.0.0/8", 7200);
	assert_entry(&list.items[3], "::1", TIMEOUT_NEVER);
	assert_entry(&list.items[4], "192.0.2.2", DEFAULT);
	entries_free(&list);
}

static const struct {
	const char *text;
	int line, column;
	const char *what;
} wrongs[] = {
	{ "192.0.2.1\n192.0.2.300\n", 2, 1, "`192.0.2.300` is not an address or prefix" },
	{ " 192.0.2.1/24", 1, 2, "192.0.2.1/24 has host bits set" },
	{ "::1 192.0.2.1", 1, 5, "a line has one prefix, and may say how long it stays" },
	{ "::1 timeout", 1, 5, "a line has one prefix, and may say how long it stays" },
	{ "::1 timeouts 5s", 1, 5, "a line has one prefix, and may say how long it stays" },
	{ "\n::1  timeout soon", 2, 14, "`soon` is not a time" },
	{ "::1 timeout 5s ::2", 1, 13, "`5s ::2` is not a time" },
	{ "::1 timeout 0", 1, 13, "0 is no time at all" },
	{ "::1 timeout 3651d", 1, 13, "3651d is longer than a timeout can be" },
	{ "192.0.2.1, 192.0.2.2", 1, 1, "`192.0.2.1,` is not an address or prefix" },
};

static void wrong_lines_are_told_and_nothing_is_kept(void **state)
{
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		struct set_entries list = { 0 };
		struct error error;

		assert_int_equal(read_text("192.0.2.9", &list, &error), 0);
		assert_int_equal(read_text(wrongs[i].text, &list, &error), -EINVAL);
		assert_string_equal(error.what, wrongs[i].what);
		assert_string_equal(error.file, "stdin");
		assert_int_equal(error.line, wrongs[i].line);
		assert_int_equal(error.column, wrongs[i].column);
		assert_int_not_equal(strlen(error.hint), 0);
		assert_int_equal(list.count, 1);
		entries_free(&list);
	}
}

static void nul_byte_is_no_text(void **state)
{
	char text[] = "::1\n::2\0 timeout 5s\n";
	struct set_entries list = { 0 };
	struct error error;

	assert_int_equal(entries_read(&list, text, sizeof(text) - 1, "stdin", DEFAULT, &error), -EINVAL);
	assert_string_equal(error.what, "NUL byte: this is not a text file");
	assert_int_equal(error.line, 2);
	assert_int_equal(list.count, 0);
	entries_free(&list);
}

static void settled_entries_are_sorted_and_the_last_of_the_same_counts(void **state)
{
	struct set_entries list = { 0 };
	struct error error;

	assert_int_equal(read_text("::1 timeout 1s\n192.0.2.0/24 timeout 5s\n192.0.2.0\n::1 timeout 2s\n192.0.2.0/24\n"
				   "::1 timeout 3s\n10.0.0.1",
				   &list, &error),
			 0);
	entries_settle(&list);
	assert_int_equal(list.count, 4);
	assert_entry(&list.items[0], "10.0.0.1", DEFAULT);
	assert_entry(&list.items[1], "192.0.2.0/24", DEFAULT);
	assert_entry(&list.items[2], "192.0.2.0", DEFAULT);
	assert_entry(&list.items[3], "::1", 3);
	entries_free(&list);
	entries_settle(&list);
	assert_int_equal(list.count, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_are_prefixes_with_or_without_a_time),
	cmocka_unit_test(wrong_lines_are_told_and_nothing_is_kept),
	cmocka_unit_test(nul_byte_is_no_text),
	cmocka_unit_test(settled_entries_are_sorted_and_the_last_of_the_same_counts),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

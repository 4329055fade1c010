// SPDX-License-Identifier: BSD-2-Clause
/* Prefixes and set files: src/policy/prefix.c, src/policy/set_file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "policy/prefix.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct location here = { .file = "policy", .line = 3, .column = 7 };

static struct prefix parse(const char *text)
{
	struct prefix prefix = { 0 };
	struct error error;

	if (prefix_parse(text, here, &prefix, &error))
		fail_msg("%s: %s", text, error.what);
	return prefix;
}

static void prefixes_print_in_one_form(void **state)
{
	static const struct {
		const char *text, *printed;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "128.0.0.0/1", "128.0.0.0/1" },
		{ "255.255.255.254/31", "255.255.255.254/31" },
		{ "192.0.2.0/024", "192.0.2.0/24" },
		{ "::/0", "::/0" },
		{ "::1", "::1" },
		{ "2001:DB8:0:0::/32", "2001:db8::/32" },
		{ "2001:db8:a::/48", "2001:db8:a::/48" },
		{ "2001:db8::1/128", "2001:db8::1" },
		{ "fe80::/10", "fe80::/10" },
		{ "2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65" },
		{ "64:ff9b::192.0.2.0/120", "64:ff9b::c000:200/120" },
		{ "::ffff:0:0/96", "::ffff:0.0.0.0/96" },
	};
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix = parse(cases[i].text), again;

		assert_ptr_equal(prefix_print(&prefix, text), text);
		assert_string_equal(text, cases[i].printed);
		again = parse(text);
		assert_memory_equal(&again, &prefix, sizeof(prefix));
	}
}

static void prefix_fields_are_in_network_order(void **state)
{
	static const struct prefix four = { 4, 20, { 10, 1, 240 } };
	static const struct prefix six = { 6, 36, { 0x20, 0x01, 0x0d, 0xb8, 0x10 } };
	struct prefix prefix;

	prefix = parse("10.1.240.0/20");
	assert_memory_equal(&prefix, &four, sizeof(prefix));
	prefix = parse("2001:db8:1000::/36");
	assert_memory_equal(&prefix, &six, sizeof(prefix));
}

#define WRITE_IT "write it as 192.0.2.0/24, 2001:db8::/32 or a single address"

static void wrong_prefixes_say_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *what, *hint;
	} cases[] = {
		{ "", "`` is not an address or prefix", WRITE_IT },
		{ "office", "`office` is not an address or prefix", WRITE_IT },
		{ "/24", "`/24` is not an address or prefix", WRITE_IT },
		{ "256.0.0.1", "`256.0.0.1` is not an address or prefix", WRITE_IT },
		{ "1.2.3.4.5", "`1.2.3.4.5` is not an address or prefix", WRITE_IT },
		{ "010.0.0.1", "`010.0.0.1` is not an address or prefix", WRITE_IT },
		{ "1..2/16", "`1..2/16` is not an address or prefix", WRITE_IT },
		{ "2001:db8:::1", "`2001:db8:::1` is not an address or prefix", WRITE_IT },
		{ "fe80::1%eth0", "`fe80::1%eth0` is not an address or prefix", WRITE_IT },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
		  "`1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb` is not an address or prefix", WRITE_IT },
		{ "10.1/16", "10.1/16 is a short form of an IPv4 address, which programs read in different ways",
		  "write all four parts: 10.1.0.0/16" },
		{ "10/8", "10/8 is a short form of an IPv4 address, which programs read in different ways",
		  "write all four parts: 10.0.0.0/8" },
		{ "10.1.2/24", "10.1.2/24 is a short form of an IPv4 address, which programs read in different ways",
		  "write all four parts: 10.1.2.0/24" },
		{ "10.1", "10.1 is a short form of an IPv4 address, which programs read in different ways",
		  "write all four parts" },
		{ "192.0.2.0/", "192.0.2.0/ has no valid prefix length",
		  "after the slash stands a number from 0 to 32" },
		{ "192.0.2.0/-1", "192.0.2.0/-1 has no valid prefix length",
		  "after the slash stands a number from 0 to 32" },
		{ "192.0.2.0/255.255.255.0", "192.0.2.0/255.255.255.0 has no valid prefix length",
		  "after the slash stands a number from 0 to 32" },
		{ "::/x", "::/x has no valid prefix length", "after the slash stands a number from 0 to 128" },
		{ "192.0.2.0/33", "192.0.2.0/33 has a prefix length that is too long", "an IPv4 address has 32 bits" },
		{ "192.0.2.0/4294967320", "192.0.2.0/4294967320 has a prefix length that is too long",
		  "an IPv4 address has 32 bits" },
		{ "::/129", "::/129 has a prefix length that is too long", "an IPv6 address has 128 bits" },
		{ "192.0.2.1/24", "192.0.2.1/24 has host bits set",
		  "write 192.0.2.0/24 for the network or 192.0.2.1/32 for the one address" },
		{ "128.0.0.0/0", "128.0.0.0/0 has host bits set",
		  "write 0.0.0.0/0 for the network or 128.0.0.0/32 for the one address" },
		{ "2001:db8::1/64", "2001:db8::1/64 has host bits set",
		  "write 2001:db8::/64 for the network or 2001:db8::1/128 for the one address" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1 is IPv4-mapped: IPv4 packets do not carry such addresses",
		  "write 192.0.2.1" },
		{ "::ffff:c000:200/120", "::ffff:c000:200/120 is IPv4-mapped: IPv4 packets do not carry such addresses",
		  "write 192.0.2.0/24" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix = { .version = 77 };
		struct error error;

		assert_int_equal(prefix_parse(cases[i].text, here, &prefix, &error), -EINVAL);
		assert_string_equal(error.what, cases[i].what);
		assert_string_equal(error.hint, cases[i].hint);
		assert_string_equal(error.file, here.file);
		assert_int_equal(error.line, here.line);
		assert_int_equal(error.column, here.column);
		assert_int_equal(prefix.version, 77);
	}
}

static void prefixes_cover_what_is_inside(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} cases[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true },	   { "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.0.0/16", "10.0.0.0/8", false },	   { "10.0.0.0/8", "11.0.0.0/16", false },
		{ "0.0.0.0/0", "255.255.255.255", true },  { "10.0.0.0/9", "10.128.0.0", false },
		{ "::/0", "10.0.0.0/8", false },	   { "0.0.0.0/0", "::1", false },
		{ "::/0", "2001:db8::/32", true },	   { "2001:db8::/33", "2001:db8:8000::/33", false },
		{ "2001:db8::/127", "2001:db8::1", true }, { "2001:db8::", "2001:db8::1", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix outer = parse(cases[i].outer), inner = parse(cases[i].inner);

		assert_int_equal(prefix_covers(&outer, &inner), cases[i].covers);
	}
}

static void sorted_prefixes_follow_what_covers_them(void **state)
{
	static const char *const sorted[] = { "0.0.0.0/0",     "10.0.0.0/8",   "10.0.0.0/24", "10.0.0.0",
					      "10.128.0.0/9",  "11.0.0.0/8",   "::/0",	      "::1",
					      "2001:db8::/32", "2001:db8::/48" };
	struct prefix prefixes[COUNT(sorted)];
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < COUNT(sorted); i++)
		prefixes[i] = parse(sorted[(i * 7 + 3) % COUNT(sorted)]);
	qsort(prefixes, COUNT(prefixes), sizeof(prefixes[0]), prefix_compare);
	for (size_t i = 0; i < COUNT(sorted); i++)
		assert_string_equal(prefix_print(&prefixes[i], text), sorted[i]);
}

/* The group's folder of its own; it is the working directory while the tests run. */
static char folder[] = "/tmp/sluice-test-prefix-XXXXXX";

static void write_file(const char *path, const char *text, size_t length)
{
	CLEANUP_FILE FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
}

static void set_file_is_read_as_people_write_it(void **state)
{
	static const char text[] = "# bogons\r\n"
				   "\r\n"
				   "10.0.0.0/8\r\n"
				   "\n"
				   "  \t192.168.0.0/16 # private\n"
				   "2001:db8::/32#documentation\n"
				   "10.0.0.0/8\n"
				   "::1";
	static const char *const expected[] = { "1.2.3.4",	 "10.0.0.0/8", "192.168.0.0/16",
						"2001:db8::/32", "10.0.0.0/8", "::1" };
	struct prefixes list = { 0 };
	char printed[PREFIX_TEXT_MAX];
	struct error error;

	write_file("set", text, strlen(text));
	prefixes_add(&list, parse("1.2.3.4"));
	assert_int_equal(prefixes_read(&list, "set", here, &error), 0);
	assert_int_equal(list.count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_string_equal(prefix_print(&list.items[i], printed), expected[i]);
	prefixes_free(&list);
	assert_null(list.items);
	assert_int_equal(list.count, 0);
}

static void empty_set_file_is_fine(void **state)
{
	static const char *const texts[] = { "", "\n", "# nothing", "; nothing", "\r\n\r\n" };
	struct prefixes list = { 0 };
	struct error error;

	for (size_t i = 0; i < COUNT(texts); i++) {
		write_file("set", texts[i], strlen(texts[i]));
		assert_int_equal(prefixes_read(&list, "set", here, &error), 0);
		assert_int_equal(list.count, 0);
	}
}

#define NAMED "\nthe file is named by the policy at policy:3"

static void wrong_line_of_a_set_file_is_named(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		int line, column;
		const char *what, *hint;
	} cases[] = {
		{ "10.0.0.0/8\r\n\r\n\t 192.0.2.1/24\n", 28, 3, 3, "192.0.2.1/24 has host bits set",
		  "write 192.0.2.0/24 for the network or 192.0.2.1/32 for the one address" NAMED },
		{ "10.0.0.0/8 11.0.0.0/8\n", 22, 1, 12, "more than one prefix on a line",
		  "a set file has one prefix a line; # or ; begins a comment" NAMED },
		{ "10.0.0.0/8, 11.0.0.0/8\n", 22, 1, 11, "comma in a set file",
		  "a set file has one prefix a line; # or ; begins a comment" NAMED },
		{ "10.0.0.0/8,\n", 12, 1, 11, "comma in a set file",
		  "a set file has one prefix a line; # or ; begins a comment" NAMED },
		{ "# fine\n10.0.0.0/8\0\n", 19, 2, 11, "NUL byte: this is not a text file",
		  "the file is named by the policy at policy:3" },
		{ "::1\nhello", 9, 2, 1, "`hello` is not an address or prefix", WRITE_IT NAMED },
	};
	struct prefixes list = { 0 };
	struct error error;

	prefixes_add(&list, parse("1.2.3.4"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("set", cases[i].text, cases[i].length);
		assert_int_equal(prefixes_read(&list, "set", here, &error), -EINVAL);
		assert_string_equal(error.what, cases[i].what);
		assert_string_equal(error.hint, cases[i].hint);
		assert_string_equal(error.file, "set");
		assert_int_equal(error.line, cases[i].line);
		assert_int_equal(error.column, cases[i].column);
		assert_int_equal(list.count, 1);
	}
	prefixes_free(&list);
}

static void file_that_never_ends_is_refused(void **state)
{
	struct prefixes list = { 0 };
	struct error error;

	assert_int_equal(prefixes_read(&list, "/dev/zero", here, &error), -EFBIG);
	assert_string_equal(error.what, "cannot read the set file /dev/zero: File too large");
	assert_int_equal(error.line, 3);
}

#define MANY 1000000

static void million_lines_are_read(void **state)
{
	CLEANUP_FREE char *text = xcalloc(MANY, 24);
	char printed[PREFIX_TEXT_MAX];
	struct prefixes list = { 0 };
	struct error error;
	size_t used = 0;

	for (unsigned i = 0; i < MANY; i++)
		used += (size_t)sprintf(text + used, "%u.%u.%u.%u/32\n", i >> 18 & 255, i >> 10 & 255, i >> 2 & 255,
					(i & 3) * 64);
	write_file("set", text, used);

	assert_int_equal(prefixes_read(&list, "set", here, &error), 0);
	assert_int_equal(list.count, MANY);
	assert_string_equal(prefix_print(&list.items[MANY - 1], printed), "3.208.143.192");
	prefixes_free(&list);
}

static int enter_folder(void **state)
{
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int leave_folder(void **state)
{
	unlink("set");
	return chdir("/") || rmdir(folder) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_print_in_one_form),
		cmocka_unit_test(prefix_fields_are_in_network_order),
		cmocka_unit_test(wrong_prefixes_say_what_is_wrong),
		cmocka_unit_test(prefixes_cover_what_is_inside),
		cmocka_unit_test(sorted_prefixes_follow_what_covers_them),
		cmocka_unit_test(set_file_is_read_as_people_write_it),
		cmocka_unit_test(empty_set_file_is_fine),
		cmocka_unit_test(wrong_line_of_a_set_file_is_named),
		cmocka_unit_test(file_that_never_ends_is_refused),
		cmocka_unit_test(million_lines_are_read),
	};

	return cmocka_run_group_tests_name("prefix", tests, enter_folder, leave_folder);
}

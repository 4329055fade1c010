// SPDX-License-Identifier: BSD-2-Clause
/* Connections and where they arrive: src/lockout/{connection,devices}.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "lockout/connection.h"
#include "lockout/devices.h"
#include "packet/write.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *variable;
	const char *text;
} readable[] = {
	{ "192.0.2.7 51234 198.51.100.1 22", "192.0.2.7 port 51234 to 198.51.100.1 port 22" },
	{ "192.0.2.7 1 198.51.100.1 65535", "192.0.2.7 port 1 to 198.51.100.1 port 65535" },
	{ "2001:db8::7 51234 2001:db8::1 22", "2001:db8::7 port 51234 to 2001:db8::1 port 22" },
	{ "::ffff:192.0.2.7 51234 ::ffff:198.51.100.1 22", "192.0.2.7 port 51234 to 198.51.100.1 port 22" },
	{ "fe80::1%eth0 51234 fe80::2%eth0 22", "fe80::1 port 51234 to fe80::2 port 22" },
	{ "fe80::1%2 51234 fe80::2 22", "fe80::1 port 51234 to fe80::2 port 22" },
};

static void what_sshd_leaves_is_read(void **state)
{
	for (size_t i = 0; i < COUNT(readable); i++) {
		struct connection connection;
		CLEANUP_FREE char *text = NULL;

		assert_true(connection_parse(readable[i].variable, &connection));
		assert_int_equal(connection.device, 0);
		text = connection_text(&connection);
		assert_string_equal(text, readable[i].text);
	}
}

static const char *const garbage[] = {
	"",
	" ",
	"   ",
	"garbage",
	"192.0.2.7",
	"192.0.2.7 51234",
	"192.0.2.7 51234 198.51.100.1",
	"192.0.2.7 51234 198.51.100.1 ",
	"192.0.2.7 51234 198.51.100.1 22 ",
	"192.0.2.7 51234 198.51.100.1 22 22",
	" 192.0.2.7 51234 198.51.100.1 22",
	"192.0.2.7  51234 198.51.100.1 22",
	"192.0.2.7 51234 198.51.100.1 22\n",
	"192.0.2.7\t51234\t198.51.100.1\t22",
	"192.0.2.7 0 198.51.100.1 22",
	"192.0.2.7 65536 198.51.100.1 22",
	"192.0.2.7 99999999999999999999 198.51.100.1 22",
	"192.0.2.7 000051234 198.51.100.1 22",
	"192.0.2.7 -1 198.51.100.1 22",
	"192.0.2.7 +1 198.51.100.1 22",
	"192.0.2.7 0x16 198.51.100.1 22",
	"192.0.2.7 ssh 198.51.100.1 22",
	"192.0.2.256 51234 198.51.100.1 22",
	"192.0.2.7%eth0 51234 198.51.100.1 22",
	"192.0.2.7 51234 2001:db8::1 22",
	"2001:db8::7 51234 ::ffff:198.51.100.1 22",
	"2001:db8::7::1 51234 2001:db8::1 22",
	"%eth0 51234 fe80::1 22",
	"client.example 51234 server.example 22",
	"UNKNOWN 65535 UNKNOWN 65535", /* what sshd writes without a socket */
};

static void anything_else_is_not(void **state)
{
	for (size_t i = 0; i < COUNT(garbage); i++) {
		struct connection connection, untouched;

		memset(&connection, 0xa5, sizeof(connection));
		memcpy(&untouched, &connection, sizeof(untouched));
		if (connection_parse(garbage[i], &connection))
			fail_msg("\"%s\" was read", garbage[i]);
		assert_memory_equal(&connection, &untouched, sizeof(untouched));
	}
}

static struct connection parsed(const char *text)
{
	struct connection connection;

	assert_true(connection_parse(text, &connection));
	return connection;
}

static void connections_are_the_same_by_addresses_and_ports(void **state)
{
	static const char *const others[] = {
		"192.0.2.8 51234 198.51.100.1 22", "192.0.2.7 51235 198.51.100.1 22",
		"192.0.2.7 51234 198.51.100.2 22", "192.0.2.7 51234 198.51.100.1 23",
		"198.51.100.1 22 192.0.2.7 51234", "c000:207:: 51234 c633:6401:: 22", /* the same first bytes */
	};
	struct connection connection = parsed("192.0.2.7 51234 198.51.100.1 22");
	struct connection mapped = parsed("::ffff:192.0.2.7 51234 ::ffff:198.51.100.1 22");

	mapped.device = 3;
	assert_true(connection_same(&connection, &mapped));
	for (size_t i = 0; i < COUNT(others); i++) {
		struct connection other = parsed(others[i]);

		assert_false(connection_same(&connection, &other));
	}
}

static void frame_is_what_arrives(void **state)
{
	static const struct {
		const char *variable;
		unsigned vlans;
		uint16_t vlan[VLANS_MAX];
		const char *words;
	} frames[] = {
		{ "192.0.2.7 51234 198.51.100.1 22",
		  0,
		  { 0 },
		  "tcp 192.0.2.7:51234 > 198.51.100.1:22 ack psh length 64" },
		{ "192.0.2.7 51234 198.51.100.1 22",
		  1,
		  { 7 },
		  "tcp 192.0.2.7:51234 > 198.51.100.1:22 ack psh length 64 vlan 7" },
		{ "2001:db8::7 51234 2001:db8::1 22",
		  2,
		  { 7, 8 },
		  "tcp [2001:db8::7]:51234 > [2001:db8::1]:22 ack psh length 64 vlan 7 vlan 8" },
	};

	for (size_t i = 0; i < COUNT(frames); i++) {
		struct connection connection = parsed(frames[i].variable);
		CLEANUP_FREE uint8_t *frame = NULL, *expected = NULL;
		size_t length, expected_length;
		struct error error;

		assert_int_equal(
			connection_frame(&connection, frames[i].vlan, frames[i].vlans, &frame, &length, &error), 0);
		assert_int_equal(packet_write(&frames[i].words, 1, &expected, &expected_length, &error), 0);
		assert_int_equal(length, expected_length);
		assert_memory_equal(frame, expected, length);
	}
}

static void kinds_are_known_by_their_names(void **state)
{
	assert_int_equal(device_kind("vlan"), DEVICE_VLAN);
	assert_int_equal(device_kind("macvlan"), DEVICE_CHILD);
	assert_int_equal(device_kind("bond"), DEVICE_TEAM);
	assert_int_equal(device_kind("bridge"), DEVICE_TEAM);
	assert_int_equal(device_kind("veth"), DEVICE_OTHER);
	assert_int_equal(device_kind("vxlan"), DEVICE_OTHER);
	assert_int_equal(device_kind(""), DEVICE_OTHER);
}

/* 1 and 2 are members of the bond 3; 4 is VLAN 10 on it, 5 is VLAN 20 in that, 13 is VLAN 30 in that; 6 is a macvlan on
 * 4; 7 is a veth whose peer has index 1 elsewhere; the bridge 8 has the ports 9 and 10, a VLAN of 9; 11 and 12 stand on
 * one another; 14 is a VLAN whose parent is in another network namespace. */
static struct device machine[] = {
	{ .index = 1, .master = 3 },
	{ .index = 2, .master = 3 },
	{ .index = 3, .kind = DEVICE_TEAM },
	{ .index = 4, .lower = 3, .kind = DEVICE_VLAN, .vlan = 10 },
	{ .index = 5, .lower = 4, .kind = DEVICE_VLAN, .vlan = 20 },
	{ .index = 6, .lower = 4, .kind = DEVICE_CHILD },
	{ .index = 7, .lower = 1 },
	{ .index = 8, .kind = DEVICE_TEAM },
	{ .index = 9, .master = 8 },
	{ .index = 10, .lower = 9, .master = 8, .kind = DEVICE_VLAN, .vlan = 10 },
	{ .index = 11, .lower = 12, .kind = DEVICE_CHILD },
	{ .index = 12, .lower = 11, .kind = DEVICE_CHILD },
	{ .index = 13, .lower = 5, .kind = DEVICE_VLAN, .vlan = 30 },
	{ .index = 14, .kind = DEVICE_VLAN, .vlan = 14 },
};

static void packet_arrives_on_all_that_an_interface_stands_on(void **state)
{
	static const struct devices devices = { .list = machine, .count = COUNT(machine) };
	static const struct {
		unsigned index;
		size_t count;
		struct arrival arrivals[5];
	} ways[] = {
		{ 1, 1, { { 1 } } },
		{ 3, 3, { { 3 }, { 1 }, { 2 } } },
		{ 4, 4, { { 4 }, { 3, 1, { 10 } }, { 1, 1, { 10 } }, { 2, 1, { 10 } } } },
		{ 6, 5, { { 6 }, { 4 }, { 3, 1, { 10 } }, { 1, 1, { 10 } }, { 2, 1, { 10 } } } },
		{ 5, 5, { { 5 }, { 4, 1, { 20 } }, { 3, 2, { 10, 20 } }, { 1, 2, { 10, 20 } }, { 2, 2, { 10, 20 } } } },
		{ 7, 1, { { 7 } } },
		{ 8, 3, { { 8 }, { 9 }, { 10 } } },
		{ 11, 2, { { 11 }, { 12 } } },
		{ 13, 3, { { 13 }, { 5, 1, { 30 } }, { 4, 2, { 20, 30 } } } }, /* no frame with three tags */
		{ 14, 1, { { 14 } } },
		{ 0, 0, { { 0 } } },
		{ 99, 0, { { 0 } } },
	};

	for (size_t i = 0; i < COUNT(ways); i++) {
		struct arrivals arrivals = { 0 };

		devices_arrivals(&devices, ways[i].index, &arrivals);
		assert_int_equal(arrivals.count, ways[i].count);
		for (size_t j = 0; j < ways[i].count; j++)
			assert_memory_equal(&arrivals.list[j], &ways[i].arrivals[j], sizeof(struct arrival));
		free(arrivals.list);
	}
}

static void interface_that_is_there_is_not_added_again(void **state)
{
	static const struct devices devices = { .list = machine, .count = COUNT(machine) };
	struct arrivals arrivals = { 0 };

	devices_arrivals(&devices, 1, &arrivals);
	devices_arrivals(&devices, 3, &arrivals);
	devices_arrivals(&devices, 3, &arrivals);
	assert_int_equal(arrivals.count, 3);
	free(arrivals.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_sshd_leaves_is_read),
		cmocka_unit_test(anything_else_is_not),
		cmocka_unit_test(connections_are_the_same_by_addresses_and_ports),
		cmocka_unit_test(frame_is_what_arrives),
		cmocka_unit_test(kinds_are_known_by_their_names),
		cmocka_unit_test(packet_arrives_on_all_that_an_interface_stands_on),
		cmocka_unit_test(interface_that_is_there_is_not_added_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

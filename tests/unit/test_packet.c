// SPDX-License-Identifier: BSD-2-Clause
/* Packets as people write them: src/packet/{write,frame,hex}.c, and read.c where it says them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "packet/hex.h"
#include "packet/read.h"
#include "packet/write.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int write_one(const char *text, uint8_t **bytes, size_t *length, struct error *error)
{
	return packet_write(&text, 1, bytes, length, error);
}

/* Frames that scapy 2.5 builds from the same description. */
static const struct {
	const char *text;
	const char *hex;
} scapy[] = {
	{ "tcp 192.0.2.1:1234 > 198.51.100.7:443 syn",
	  "0200000000020200000000010800450000280001000040068e93c0000201c633640704d201bb00000001000000005002"
	  "ffffbd180000" },
	{ "tcp 192.0.2.1 > 198.51.100.7:443 syn,ack vlan 5 vlan 6 ttl 3 dscp 46 length 3",
	  "02000000000202000000000188a8000581000006080045b8002b000100000306cad8c0000201c63364079c4001bb0000"
	  "0001000000005012ffff25970000000000" },
	{ "tcp [2001:db8::1]:1 to [2001:db8::2]:2 fin psh urg ece cwr rst dscp 63",
	  "02000000000202000000000186dd6fc000000014064020010db800000000000000000000000120010db8000000000000"
	  "00000000000200010002000000010000000050edffff537f0000" },
	{ "udp 192.0.2.1:53 > 198.51.100.7:53 length 1 vlan 4095",
	  "02000000000202000000000181000fff08004500001d0001000040118e93c0000201c6336407003500350009133600" },
	{ "udp [2001:db8::1]:53 > [2001:db8::2]:5353",
	  "02000000000202000000000186dd600000000008114020010db800000000000000000000000120010db8000000000000"
	  "000000000002003514e900088f4b" },
	{ "icmp 192.0.2.1 > 198.51.100.7",
	  "02000000000202000000000108004500001c0001000040018ea4c0000201c63364070800f7ff00000000" },
	{ "icmp 192.0.2.1 > 198.51.100.7 type destination-unreachable code 4",
	  "02000000000202000000000108004500001c0001000040018ea4c0000201c63364070304fcfb00000000" },
	{ "icmpv6 2001:db8::1 > 2001:db8::2 type packet-too-big length 5",
	  "02000000000202000000000186dd60000000000d3a4020010db800000000000000000000000120010db8000000000000"
	  "0000000000020200a243000000000000000000" },
	{ "icmpv6 2001:db8::1 > 2001:db8::2",
	  "02000000000202000000000186dd6000000000083a4020010db800000000000000000000000120010db8000000000000"
	  "0000000000028000244800000000" },
	{ "sctp 192.0.2.1:7 > 198.51.100.7:9 length 4",
	  "0200000000020200000000010800450000240001000040848e19c0000201c63364070007000900000001e844a5360000"
	  "0000" },
	{ "gre 192.0.2.1 > 198.51.100.7",
	  "02000000000202000000000108004500001c00010000402f8e76c0000201c63364070000000000000000" },
	{ "253 2001:db8::1 > 2001:db8::2 length 0",
	  "02000000000202000000000186dd600000000000fd4020010db800000000000000000000000120010db8000000000000"
	  "000000000002" },
	{ "udp 192.0.2.1 > 198.51.100.7 fragment later length 3",
	  "020000000002020000000001080045000017000100b940118de0c0000201c6336407000000" },
	{ "udp 2001:db8::1 > 2001:db8::2 fragment later",
	  "02000000000202000000000186dd6000000000102c4020010db800000000000000000000000120010db8000000000000"
	  "000000000002110005c8000000010000000000000000" },
	{ "arp 192.0.2.1 > 192.0.2.2",
	  "ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000202" },
	{ "udp 192.0.2.1:5 > 198.51.100.7:6 fragment first",
	  "02000000000202000000000108004500001c0001200040116e94c0000201c63364070005000600101387" },
	{ "tcp 192.0.2.1:5 > 198.51.100.7:6 fragment first",
	  "02000000000202000000000108004500002c0001200040066e8fc0000201c63364070005000600000001000000005002"
	  "ffffc38e000000000000" },
	{ "udp [2001:db8::1]:5 > [2001:db8::2]:6 fragment first",
	  "02000000000202000000000186dd6000000000102c4020010db800000000000000000000000120010db8000000000000"
	  "0000000000021100000100000001000500060010a44e" },
};

static void written_packets_are_scapys_byte_for_byte(void **state)
{
	for (size_t i = 0; i < COUNT(scapy); i++) {
		CLEANUP_FREE uint8_t *written = NULL, *expected = NULL;
		size_t written_length, expected_length;
		struct error error;

		assert_int_equal(hex_read(scapy[i].hex, &expected, &expected_length, &error), 0);
		assert_int_equal(write_one(scapy[i].text, &written, &written_length, &error), 0);
		assert_int_equal(written_length, expected_length);
		assert_memory_equal(written, expected, expected_length);
	}
}

static void words_may_come_as_one_string_or_many_in_any_case(void **state)
{
	static const char *const words[] = { "TCP", "192.0.2.1:1234>198.51.100.7:443", " \n", "SYN,Ack", "VLAN", "5" };
	CLEANUP_FREE uint8_t *one = NULL, *many = NULL;
	size_t one_length, many_length;
	struct error error;

	assert_int_equal(packet_write(words, COUNT(words), &many, &many_length, &error), 0);
	assert_int_equal(write_one("tcp 192.0.2.1:1234 to 198.51.100.7:443 ack syn vlan 5", &one, &one_length, &error),
			 0);
	assert_int_equal(many_length, one_length);
	assert_memory_equal(many, one, one_length);
}

#define EXAMPLE "for example: tcp 192.0.2.1:1234 to 198.51.100.7:443 syn"

static const struct {
	const char *text;
	const char *what;
	const char *hint;
} wrong[] = {
	{ "", "no packet", EXAMPLE },
	{ "tpc 192.0.2.1 > 192.0.2.2", "unknown protocol `tpc`", "did you mean `tcp`?" },
	{ "zzzzzzzz", "unknown protocol `zzzzzzzz`", EXAMPLE },
	{ "256 192.0.2.1 > 192.0.2.2", "protocol 256 is out of range: 0 to 255", "" },
	{ "99999999999999999999 192.0.2.1 > 192.0.2.2", "protocol 99999999999999999999 is out of range: 0 to 255", "" },
	{ "0x5dc", "EtherType 0x5dc is out of range: 0x0600 to 0xffff", "" },
	{ "0x10000", "EtherType 0x10000 is out of range: 0x0600 to 0xffff", "" },
	{ "0x88zz", "EtherType `0x88zz` is not a hex number", "" },
	{ "0x", "EtherType `0x` is not a hex number", "" },
	{ "0x0800", "`0x0800` is not enough: write the protocol above IP and the addresses", "" },
	{ "ipv4", "`ipv4` is not enough: write the protocol above IP and the addresses", "" },
	{ "qinq", "`qinq` does not begin a packet: write `vlan N` at its end", "" },
	{ "tcp", "the source address is missing", "" },
	{ "tcp 192.0.2.1", "after the source comes `>` or `to`, not the end",
	  "a shell takes > for itself: quote the packet, or write `to`" },
	{ "tcp 192.0.2.1 192.0.2.2", "after the source comes `>` or `to`, not `192.0.2.2`",
	  "a shell takes > for itself: quote the packet, or write `to`" },
	{ "tcp 192.0.2.1 >", "the destination address is missing", "" },
	{ "tcp 192.0.2 > 192.0.2.2:1", "`192.0.2` is not an address", EXAMPLE },
	{ "tcp 192.0.2.1 > 2001:db8::1:443:70000", "`2001:db8::1:443:70000` is not an address",
	  "an IPv6 address with a port is written [2001:db8::1]:443" },
	{ "tcp 192.0.2.1 > [2001:db8::1:443", "`[2001:db8::1:443` is not [ADDRESS] or [ADDRESS]:PORT", "" },
	{ "tcp 192.0.2.1 > [2001:db8::1]443", "`[2001:db8::1]443` is not [ADDRESS] or [ADDRESS]:PORT", "" },
	{ "tcp 192.0.2.1:70000 > 192.0.2.2:1", "port 70000 is out of range: 0 to 65535", "" },
	{ "tcp 192.0.2.1:x > 192.0.2.2:1", "port `x` is not a number", "" },
	{ "tcp 192.0.2.1: > 192.0.2.2:1", "port `` is not a number", "" },
	{ "tcp 192.0.2.1:-1 > 192.0.2.2:1", "port `-1` is not a number", "" },
	{ "tcp 192.0.2.1:1 > [2001:db8::1]:1", "the source is IPv4 and the destination IPv6", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2", "tcp needs a destination port", "" },
	{ "gre 192.0.2.1 > 192.0.2.2:1", "gre has no ports", "" },
	{ "arp 192.0.2.1:1 > 192.0.2.2", "arp has no ports", "" },
	{ "udp 192.0.2.1:1 > 192.0.2.2:1 fragment later", "a later fragment has no ports", "" },
	{ "icmp 192.0.2.1 > 192.0.2.2 type 3 fragment later", "a later fragment has no ICMP type and code", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2 syn fragment later", "a later fragment has no TCP flags", "" },
	{ "udp 192.0.2.1 > 192.0.2.2:1 syn", "`syn` goes with tcp", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 syn,akc", "unknown word `akc`", "did you mean `ack`?" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 ,", "unknown word `,`", EXAMPLE },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 vlna 5", "unknown word `vlna`", "did you mean `vlan`?" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 vlan", "vlan has to be followed by a number", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 vlan 4096", "vlan 4096 is out of range: 0 to 4095", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 vlan 1 vlan 2 vlan 3", "more than 2 VLAN tags", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 ttl 256", "ttl 256 is out of range: 0 to 255", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 ttl 1 ttl 2", "ttl is there twice", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 dscp 64", "dscp 64 is out of range: 0 to 63", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 length 65536", "length 65536 is out of range: 0 to 65535", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 length 65535", "length 65535 makes a packet of 65575 bytes, more than 65535",
	  "" },
	{ "llc length 1600", "length 1600: an llc frame has at most 1535 bytes", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 fragment", "fragment has to be followed by `first` or `later`", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 fragment first fragment first", "fragment is there twice", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 fragment first length 5",
	  "a first fragment carries a multiple of 8 bytes, not 25 (header 20, length 5)", "" },
	{ "tcp 192.0.2.1 > 192.0.2.2:1 type 8", "`type` goes with icmp and icmpv6", "" },
	{ "icmp 192.0.2.1 > 192.0.2.2 type", "type has to be followed by a number or a name", "" },
	{ "icmp 192.0.2.1 > 192.0.2.2 type 256", "type 256 is out of range: 0 to 255", "" },
	{ "icmp 192.0.2.1 > 192.0.2.2 type 8 type 8", "type is there twice", "" },
	{ "icmp 192.0.2.1 > 192.0.2.2 type ehco-request", "unknown type `ehco-request`",
	  "did you mean `echo-request`?" },
	{ "icmp 2001:db8::1 > 2001:db8::2", "icmp goes with IPv4 addresses, icmpv6 with IPv6 addresses", "" },
	{ "icmpv6 192.0.2.1 > 192.0.2.2", "icmp goes with IPv4 addresses, icmpv6 with IPv6 addresses", "" },
	{ "ah 2001:db8::1 > 2001:db8::2",
	  "ah is an extension header of IPv6, not a protocol: give such a packet as hex", "" },
	{ "arp 2001:db8::1 > 2001:db8::2", "ARP has IPv4 addresses; IPv6 has neighbour discovery", "" },
	{ "arp 192.0.2.1 > 192.0.2.2 length 5", "`length` does not go with ARP, which has no payload", "" },
	{ "lldp ttl 5", "`ttl` goes with IP", "" },
	{ "hex", "hex: no bytes", "" },
	{ "hex 00 1", "hex: `1` at position 4 is half a byte", "" },
	{ "hex 0 0", "hex: `0` at position 1 is half a byte", "" },
	{ "hex 00:g0", "hex: `g` at position 4 is no hex digit", "" },
	{ "hex 00\xff", "hex: byte 255 at position 3 is no hex digit", "" },
};

static void each_mistake_has_its_own_message(void **state)
{
	for (size_t i = 0; i < COUNT(wrong); i++) {
		uint8_t untouched, *bytes = &untouched;
		size_t length = 77;
		struct error error;

		assert_int_equal(write_one(wrong[i].text, &bytes, &length, &error), -EINVAL);
		assert_string_equal(error.what, wrong[i].what);
		assert_string_equal(error.hint, wrong[i].hint);
		assert_string_equal(error.file, "");
		assert_ptr_equal(bytes, &untouched);
		assert_int_equal(length, 77);
	}
}

static void hex_takes_blanks_colons_newlines_and_0x(void **state)
{
	static const uint8_t expected[] = { 0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc, 0x0f };
	CLEANUP_FREE uint8_t *bytes = NULL;
	size_t length;
	struct error error;

	assert_int_equal(write_one("HEX 0011 22:aA\n\t0xbb 0XCC0f\r\n", &bytes, &length, &error), 0);
	assert_int_equal(length, sizeof(expected));
	assert_memory_equal(bytes, expected, length);
}

static void hex_ends_at_64_kilobytes(void **state)
{
	CLEANUP_FREE char *text = xcalloc(2 * HEX_BYTES_MAX + 3, 1);
	CLEANUP_FREE uint8_t *bytes = NULL;
	size_t length;
	struct error error;

	memset(text, '5', 2 * HEX_BYTES_MAX);
	assert_int_equal(hex_read(text, &bytes, &length, &error), 0);
	assert_int_equal(length, HEX_BYTES_MAX);
	memset(text, '5', 2 * HEX_BYTES_MAX + 2);
	assert_int_equal(hex_read(text, &bytes, &length, &error), -EINVAL);
	assert_string_equal(error.what, "hex: more than 65536 bytes");
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static unsigned sum16(const uint8_t *bytes, size_t size, unsigned sum)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += get16(bytes + i);
	if (size % 2)
		sum += bytes[size - 1] << 8;
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* A parser of its own, for what packet_write can produce; checks every length and checksum on its way. */
static void check_transport(struct record *record, const uint8_t *at, size_t size)
{
	size_t whole = size + (record->fragment == FRAGMENT_FIRST ? 8 : 0); /* the rest is 8 zeros */
	size_t address_size = record->version == 4 ? 4 : 16;
	unsigned sum = record->protocol + whole;

	sum = sum16(record->source, address_size, sum);
	sum = sum16(record->destination, address_size, sum);
	if (record->fragment == FRAGMENT_LATER)
		return;
	if (record->protocol == IPPROTO_TCP || record->protocol == IPPROTO_UDP || record->protocol == IPPROTO_SCTP) {
		record->has |= HAS_PORTS;
		record->source_port = get16(at);
		record->destination_port = get16(at + 2);
	}
	if (record->protocol == IPPROTO_TCP) {
		assert_true(size >= 20);
		assert_int_equal(at[12], 0x50);
		assert_int_equal(sum16(at, size, sum), 0xffff);
	} else if (record->protocol == IPPROTO_UDP) {
		assert_int_equal(get16(at + 4), whole);
		assert_int_not_equal(get16(at + 6), 0);
		assert_int_equal(sum16(at, size, sum), 0xffff);
	} else if (record->protocol == (record->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		assert_true(size >= 8);
		record->has |= HAS_ICMP;
		record->icmp_type = at[0];
		record->icmp_code = at[1];
		assert_int_equal(sum16(at, size, record->version == 4 ? 0 : sum), 0xffff);
	}
}

static void check_ipv4(struct record *record, const uint8_t *at, size_t size)
{
	assert_true(size >= 20);
	assert_int_equal(at[0], 0x45);
	assert_int_equal(get16(at + 2), size);
	assert_int_equal(sum16(at, 20, 0), 0xffff);
	record->version = 4;
	record->has |= HAS_ADDRESSES;
	record->protocol = at[9];
	memcpy(record->source, at + 12, 4);
	memcpy(record->destination, at + 16, 4);
	if (get16(at + 6) & 0x1fff)
		record->fragment = FRAGMENT_LATER;
	else if (get16(at + 6) & 0x2000)
		record->fragment = FRAGMENT_FIRST;
	if (record->fragment == FRAGMENT_FIRST)
		assert_int_equal((size - 20) % 8, 0);
	check_transport(record, at + 20, size - 20);
}

static void check_ipv6(struct record *record, const uint8_t *at, size_t size)
{
	assert_true(size >= 40);
	assert_int_equal(at[0] >> 4, 6);
	assert_int_equal(get16(at + 4), size - 40);
	record->version = 6;
	record->has |= HAS_ADDRESSES;
	record->protocol = at[6];
	memcpy(record->source, at + 8, 16);
	memcpy(record->destination, at + 24, 16);
	at += 40;
	size -= 40;
	if (record->protocol == IPPROTO_FRAGMENT) {
		assert_true(size >= 8);
		record->protocol = at[0];
		record->fragment = get16(at + 2) >> 3 ? FRAGMENT_LATER : FRAGMENT_FIRST;
		assert_int_equal(get16(at + 2) & 1, record->fragment == FRAGMENT_FIRST);
		at += 8;
		size -= 8;
		if (record->fragment == FRAGMENT_FIRST)
			assert_int_equal(size % 8, 0);
	}
	check_transport(record, at, size);
}

static struct record check_frame(const uint8_t *bytes, size_t length)
{
	struct record record = { 0 };
	const uint8_t *at = bytes + 12;

	assert_true(length >= 14);
	while (get16(at) == 0x8100 || get16(at) == 0x88a8) {
		assert_true(record.vlans < VLANS_MAX);
		record.vlan[record.vlans++] = get16(at + 2) & 0xfff;
		at += 4;
	}
	record.ethertype = get16(at);
	at += 2;
	length -= at - bytes;
	if (record.ethertype == 0x0800)
		check_ipv4(&record, at, length);
	else if (record.ethertype == 0x86dd)
		check_ipv6(&record, at, length);
	else if (record.ethertype == 0x0806)
		assert_int_equal(length, 28);
	else if (record.ethertype < 1536)
		assert_int_equal(record.ethertype, length);
	return record;
}

/* The text of a packet's record is a packet with the same record. */
static void check_text(const struct record *record)
{
	CLEANUP_FREE char *text = record_text(record);
	CLEANUP_FREE uint8_t *bytes = NULL;
	struct record again;
	struct error error;
	size_t length;

	assert_int_equal(write_one(text, &bytes, &length, &error), 0);
	again = check_frame(bytes, length);
	if (again.ethertype < 1536 && record->ethertype < 1536)
		again.ethertype = record->ethertype; /* a length, which the text leaves out */
	assert_memory_equal(&again, record, sizeof(again));
}

/* Bounded and the same every time. */
static unsigned seed;

static unsigned random_below(unsigned limit)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % limit;
}

static const char *const protocol_words[] = {
	"tcp", "udp", "sctp", "icmp", "icmpv6", "gre", "esp", "ah", "253", "47", "arp", "lldp", "llc", "0x1234", "300",
};

/* By family, then what is no address. */
static const char *const endpoint_words[3][5] = {
	{ "192.0.2.1", "192.0.2.1:1", "198.51.100.7:443", "0.0.0.0:65535", "255.255.255.255:0" },
	{ "2001:db8::1", "[::1]:65535", "[2001:db8:1:2:3:4:5:6]:7", "::ffff:192.0.2.1", "[::]:0" },
	{ "192.0.2.1:", "[", "[]", "syn", ">" },
};

static const char *const other_words[] = {
	"syn",
	"ack,psh",
	"fin",
	"type 8",
	"type 255",
	"code 3",
	"ttl 0",
	"ttl 255",
	"vlan 0",
	"vlan 4095",
	"dscp 63",
	"length 0",
	"length 12",
	"length 1400",
	"length 60000",
	"length 65535",
	"fragment first",
	"fragment later",
	"type packet-too-big",
	"type echo-reply",
	"length",
	"sny",
};

#define PICK(array) ((array)[random_below(COUNT(array))])

static size_t random_packet(char *text, size_t size)
{
	unsigned source = random_below(16) ? random_below(2) : 2, destination = random_below(16) ? source : 2;
	int used = snprintf(text, size, "%s", PICK(protocol_words));

	if (random_below(8))
		used += snprintf(text + used, size - used, " %s %s %s", PICK(endpoint_words[source]),
				 random_below(9) ? ">" : "to", PICK(endpoint_words[destination]));
	for (unsigned i = random_below(4); i; i--)
		used += snprintf(text + used, size - used, " %s", PICK(other_words));
	return used;
}

static void random_words_are_a_right_packet_or_an_error(void **state)
{
	unsigned written = 0;

	seed = 1;
	for (int i = 0; i < 100000; i++) {
		CLEANUP_FREE uint8_t *bytes = NULL;
		char text[512];
		size_t used = random_packet(text, sizeof(text));
		struct error error = { .what = "" };
		struct record record;
		size_t length;

		if (random_below(8) == 0)
			text[random_below(used)] = 1 + random_below(255);
		if (write_one(text, &bytes, &length, &error)) {
			assert_string_not_equal(error.what, "");
			continue;
		}
		record = check_frame(bytes, length);
		check_text(&record);
		written++;
	}
	assert_in_range(written, 4000, 95000); /* or the words above have become one-sided */
}

static void random_hex_is_bytes_or_an_error(void **state)
{
	static const char characters[] = "0123456789abcdefABCDEF000000000000000x: \ng\xff";
	unsigned read = 0;

	seed = 1;
	for (int i = 0; i < 20000; i++) {
		CLEANUP_FREE uint8_t *bytes = NULL;
		char text[64] = "";
		size_t length = 0;
		struct error error = { .what = "" };

		for (unsigned j = random_below(20); j; j--)
			text[j - 1] = characters[random_below(sizeof(characters) - 1)];
		if (hex_read(text, &bytes, &length, &error)) {
			assert_string_not_equal(error.what, "");
			continue;
		}
		assert_in_range(length, 1, strlen(text) / 2);
		read++;
	}
	assert_in_range(read, 500, 19500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_packets_are_scapys_byte_for_byte),
		cmocka_unit_test(words_may_come_as_one_string_or_many_in_any_case),
		cmocka_unit_test(each_mistake_has_its_own_message),
		cmocka_unit_test(hex_takes_blanks_colons_newlines_and_0x),
		cmocka_unit_test(hex_ends_at_64_kilobytes),
		cmocka_unit_test(random_words_are_a_right_packet_or_an_error),
		cmocka_unit_test(random_hex_is_bytes_or_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

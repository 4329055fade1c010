// SPDX-License-Identifier: BSD-2-Clause
/* What the cost meter and the generator are fed with, and what is made of their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/capture_frames.h"
#include "bench/flows.h"
#include "bench/median.h"
#include "bench/random.h"
#include "bench/rates.h"
#include "bench/template.h"
#include "compile/prefixes.h"

static struct endpoint endpoint(uint8_t version, uint8_t first, int port)
{
	struct endpoint made = { .version = version, .port = port };

	for (int i = 0; i < (version == 4 ? 4 : 16); i++)
		made.address[i] = (uint8_t)(first + 37 * i);
	return made;
}

/* The frame that frame_build makes of the same packet, checksums and all. */
static void check_template(uint8_t version, bool tcp)
{
	const struct endpoint source = endpoint(version, 11, 40001), destination = endpoint(version, 200, 53);
	struct draft draft = {
		.ethertype = version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6,
		.version = version,
		.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.source = source,
		.destination = destination,
		.tcp_flags = 2,
		.icmp_type = ABSENT,
		.icmp_code = ABSENT,
		.ttl = 64,
	};
	struct template template;
	uint8_t frame[TEMPLATE_MAX];
	uint8_t *wanted;
	struct error error;
	size_t length;

	assert_int_equal(template_make(version, tcp, 80, &template, &error), 0);
	assert_int_equal(template.length, 80);
	template_complete(&template, &source, &destination, frame);
	draft.length = 80 - ETH_HLEN - (version == 4 ? 20 : 40) - (tcp ? 20 : 8);
	assert_int_equal(frame_build(&draft, &wanted, &length, &error), 0);
	assert_int_equal(length, 80);
	assert_memory_equal(frame, wanted, length);
	free(wanted);
}

static void test_a_completed_template_is_the_frame_that_would_have_been_built(void **state)
{
	check_template(4, false);
	check_template(4, true);
	check_template(6, false);
	check_template(6, true);
}

static void test_a_template_is_as_long_as_its_headers_at_least(void **state)
{
	struct template template;
	struct error error;

	assert_int_equal(template_make(6, true, 10, &template, &error), 0);
	assert_int_equal(template.length, ETH_HLEN + 40 + 20);
}

static void test_a_template_too_long_to_hold_is_refused(void **state)
{
	struct template template = { .length = 7 };
	struct error error;

	assert_true(template_make(4, false, TEMPLATE_MAX + 1, &template, &error) < 0);
	assert_int_equal(template.length, 7);
}

static void test_random_addresses_are_inside_their_prefix(void **state)
{
	struct error error;
	uint64_t numbers = 3;

	for (int length = 0; length <= 128; length++) {
		struct prefix prefix = { .version = 6, .length = (uint8_t)length };
		struct prefix host = { .version = 6, .length = 128 };
		char text[PREFIX_TEXT_MAX + 8];

		snprintf(text, sizeof(text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
		assert_int_equal(prefix_parse(text, (struct location){ 0 }, &prefix, &error), 0);
		prefix.length = (uint8_t)length;
		for (int bit = length; bit < 128; bit++)
			prefix.address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		for (int i = 0; i < 8; i++) {
			random_inside(&numbers, &prefix, host.address);
			assert_true(prefix_covers(&prefix, &host));
		}
	}
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;
	struct error error;

	assert_int_equal(prefix_parse(text, (struct location){ 0 }, &prefix, &error), 0);
	return prefix;
}

#define FLOWS 2000

/* How many of FLOWS have their source in 192.0.2.0/24, with that in the source table. */
static int count_inside(const struct flows *flows, size_t *different)
{
	const struct prefix listed = prefix_of("192.0.2.0/24");
	static struct meter_flow4 each[FLOWS];
	uint8_t frame[METER_FRAME];
	struct compiled compiled = { 0 };
	struct error error;
	int inside = 0;

	prefix_table_add(&compiled.tables[TABLE_BLOCK_SOURCE4], listed, 0);
	assert_int_equal(flows_write(&compiled, flows, frame, each, FLOWS, &error), 0);
	*different = 0;
	for (int i = 0; i < FLOWS; i++) {
		struct prefix source = { .version = 4, .length = 32 };

		memcpy(frame + METER_FLOW4_OFFSET, each[i].words, sizeof(each[i]));
		memcpy(source.address, frame + ETH_HLEN + 12, 4);
		inside += prefix_covers(&listed, &source);
		*different += i && memcmp(&each[i], &each[i - 1], sizeof(each[i]));
	}
	prefix_table_free(&compiled.tables[TABLE_BLOCK_SOURCE4]);
	return inside;
}

static void test_flows_have_the_sources_that_were_asked_for(void **state)
{
	struct prefix item = prefix_of("192.0.2.128/25");
	struct prefixes set = { .items = &item, .count = 1 };
	size_t different;

	assert_int_equal(count_inside(&(struct flows){ 4, SOURCES_LISTED, NULL }, &different), FLOWS);
	assert_int_equal(different, FLOWS - 1);
	assert_int_equal(count_inside(&(struct flows){ 4, SOURCES_SET, &set }, &different), FLOWS);
	assert_in_range(count_inside(&(struct flows){ 4, SOURCES_MIXED, NULL }, &different), FLOWS * 45 / 100,
			FLOWS * 55 / 100);
	assert_in_range(count_inside(&(struct flows){ 4, SOURCES_RANDOM, NULL }, &different), 0, 1);
	assert_int_equal(different, FLOWS - 1);
}

static void test_rates_are_those_of_the_standard(void **state)
{
	assert_true(fabs(rates_packets(10, RATES_SMALLEST) / 1e6 - 14.88) < 0.01);
	assert_true(fabs(rates_packets(25, RATES_SMALLEST) / 1e6 - 37.2) < 0.01);
	assert_true(fabs(rates_packets(100, RATES_SMALLEST) / 1e6 - 148.8) < 0.1);
	assert_true(fabs(rates_packets(10, 1514) - 812744) < 1); /* RFC 2544: 812,743 frames of 1518 bytes */
	assert_true(fabs(rates_cores(100, 10e6) - 1) < 1e-9);
	assert_true(fabs(rates_millions(50) - 20) < 1e-9);
}

static void test_a_cost_that_is_lost_in_noise_has_no_rate(void **state)
{
	assert_true(rates_millions(0) == 0 && rates_millions(-1) == 0 && rates_cores(-1, 1e6) == 0);
}

/* A capture with packets of these lengths, of which it holds at most `snap` bytes; every byte is the packet's number.
 */
static char *write_capture(const unsigned *lengths, size_t count, unsigned snap)
{
	static char path[] = "/tmp/sluice-test-bench-XXXXXX";
	static uint8_t bytes[65536];
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65536);
	pcap_dumper_t *out;
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	out = pcap_dump_fopen(pcap, fdopen(fd, "w"));
	for (size_t i = 0; i < count; i++) {
		struct pcap_pkthdr header = { .len = lengths[i], .caplen = lengths[i] < snap ? lengths[i] : snap };

		memset(bytes, (int)i + 1, lengths[i]);
		pcap_dump((u_char *)out, &header, bytes);
	}
	pcap_dump_close(out);
	pcap_close(pcap);
	return path;
}

static void test_packets_of_a_capture_keep_their_length_and_their_beginning(void **state)
{
	static const unsigned lengths[] = { 13, 14, 60, 257, METER_LENGTH, METER_LENGTH + 1 };
	char *path = write_capture(lengths, 6, 65536);
	struct capture_frames read;
	struct error error;

	assert_int_equal(capture_frames_read(path, &read, &error), 0);
	unlink(path);
	assert_int_equal(read.count, 4);
	assert_int_equal(read.runts, 1);
	assert_int_equal(read.jumbos, 1);
	assert_int_equal(read.cut, 0);
	for (size_t i = 0; i < read.count; i++) {
		const struct meter_captured *frame = &read.frames[i];

		assert_int_equal(frame->length, lengths[i + 1]);
		assert_int_equal(frame->written, frame->length < METER_CAPTURED ? frame->length : METER_CAPTURED);
		for (unsigned at = 0; at < METER_CAPTURED; at++)
			assert_int_equal(frame->bytes[at], at < frame->written ? i + 2 : 0);
	}
	capture_frames_free(&read);
}

static void test_what_a_capture_cut_off_is_zeros_and_counted(void **state)
{
	static const unsigned lengths[] = { 40, 100, 1000 };
	char *path = write_capture(lengths, 3, 64);
	struct capture_frames read;
	struct error error;

	assert_int_equal(capture_frames_read(path, &read, &error), 0);
	unlink(path);
	assert_int_equal(read.cut, 2);
	assert_int_equal(read.frames[1].length, 100);
	assert_int_equal(read.frames[1].written, 100);
	assert_int_equal(read.frames[1].bytes[63], 2);
	assert_int_equal(read.frames[1].bytes[64], 0);
	capture_frames_free(&read);
}

static void test_packets_beyond_the_limit_are_counted(void **state)
{
	unsigned *lengths = calloc(METER_PACKETS + 3, sizeof(*lengths));
	struct capture_frames read;
	struct error error;
	char *path;

	for (size_t i = 0; i < METER_PACKETS + 3; i++)
		lengths[i] = 14;
	path = write_capture(lengths, METER_PACKETS + 3, 14);
	free(lengths);
	assert_int_equal(capture_frames_read(path, &read, &error), 0);
	unlink(path);
	assert_int_equal(read.count, METER_PACKETS);
	assert_int_equal(read.beyond, 3);
	capture_frames_free(&read);
}

static void test_a_capture_without_a_packet_to_use_is_an_error(void **state)
{
	static const unsigned lengths[] = { 5, METER_LENGTH + 1 };
	char *path = write_capture(lengths, 2, 65536);
	struct capture_frames read = { .count = 9 };
	struct error error;

	assert_true(capture_frames_read(path, &read, &error) < 0);
	unlink(path);
	assert_int_equal(read.count, 9);
	assert_non_null(strstr(error.what, "no packet to measure with"));
	assert_non_null(strstr(error.hint, "1 are shorter"));
}

static void test_rounds_that_are_apart_are_noisy(void **state)
{
	double near[] = { 104, 100, 101, 98, 99, 300, 100 }; /* one that stands out does not matter */
	double apart[] = { 100, 130, 99, 131, 100, 132, 101 };

	assert_false(median_is_noisy(near, 7));
	assert_true(median_is_noisy(apart, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_completed_template_is_the_frame_that_would_have_been_built),
		cmocka_unit_test(test_a_template_is_as_long_as_its_headers_at_least),
		cmocka_unit_test(test_a_template_too_long_to_hold_is_refused),
		cmocka_unit_test(test_random_addresses_are_inside_their_prefix),
		cmocka_unit_test(test_flows_have_the_sources_that_were_asked_for),
		cmocka_unit_test(test_rates_are_those_of_the_standard),
		cmocka_unit_test(test_a_cost_that_is_lost_in_noise_has_no_rate),
		cmocka_unit_test(test_packets_of_a_capture_keep_their_length_and_their_beginning),
		cmocka_unit_test(test_what_a_capture_cut_off_is_zeros_and_counted),
		cmocka_unit_test(test_packets_beyond_the_limit_are_counted),
		cmocka_unit_test(test_a_capture_without_a_packet_to_use_is_an_error),
		cmocka_unit_test(test_rounds_that_are_apart_are_noisy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

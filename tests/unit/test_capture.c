// SPDX-License-Identifier: BSD-2-Clause
/* Captures as they come, good and bad: src/packet/capture.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/memory.h"
#include "packet/capture.h"

#define PACKETS 3

/* An empty temporary file that main() removes. */
static char path[] = "/tmp/sluice-test-capture-XXXXXX";

static FILE *open_path(const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		abort();
	return file;
}

static void append(FILE *file, const void *bytes, size_t size)
{
	assert_int_equal(fwrite(bytes, 1, size, file), size);
}

/* PACKETS frames of 1000 bytes of which the capture holds 60; the first byte of each is its number. */
static void write_pcap(int link_type)
{
	pcap_t *pcap = pcap_open_dead(link_type, 60);
	pcap_dumper_t *dumper = pcap_dump_open(pcap, path);
	struct pcap_pkthdr header = { .caplen = 60, .len = 1000 };
	uint8_t frame[60] = { 0 };

	assert_non_null(dumper);
	for (int i = 1; i <= PACKETS; i++) {
		frame[0] = i;
		pcap_dump((u_char *)dumper, &header, frame);
	}
	pcap_dump_close(dumper);
	pcap_close(pcap);
}

/* pcapng blocks, each with its length at both ends (draft-ietf-opsawg-pcapng, section 3.1). */
static void append_block(FILE *file, uint32_t type, const void *body, uint32_t size)
{
	uint32_t total = size + 12;

	append(file, &type, 4);
	append(file, &total, 4);
	append(file, body, size);
	append(file, &total, 4);
}

static void append_interface(FILE *file, uint16_t link_type)
{
	const struct {
		uint16_t link_type, reserved;
		uint32_t snap_length;
	} body = { .link_type = link_type, .snap_length = 65535 };

	append_block(file, 1, &body, sizeof(body));
}

static void append_packet(FILE *file, uint32_t interface)
{
	const struct {
		uint32_t interface, time[2], captured, length;
		uint8_t bytes[60];
	} body = { .interface = interface, .captured = 60, .length = 60 };

	append_block(file, 6, &body, sizeof(body));
}

static FILE *open_pcapng(void)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint64_t length;
	} section = { .magic = 0x1a2b3c4d, .major = 1, .length = UINT64_MAX };
	FILE *file = open_path("w");

	append_block(file, 0x0a0d0d0a, &section, sizeof(section));
	return file;
}

static void packets_come_in_order_with_both_lengths(void **state)
{
	struct capture *capture = NULL;
	struct captured packet;
	struct error error;
	uint64_t last = 0;

	write_pcap(DLT_EN10MB);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_size(capture), 24 + PACKETS * (16 + 60));
	for (int i = 1; i <= PACKETS; i++) {
		assert_int_equal(capture_next(capture, &packet, &error), 1);
		assert_int_equal(packet.bytes[0], i);
		assert_int_equal(packet.size, 60);
		assert_int_equal(packet.length, 1000);
		assert_true(capture_position(capture) > last);
		last = capture_position(capture);
	}
	assert_int_equal(capture_next(capture, &packet, &error), 0);
	assert_int_equal(capture_position(capture), capture_size(capture));
	capture_close(capture);
}

static void standard_input_may_be_a_pipe(void **state)
{
	struct capture *capture = NULL;
	struct captured packet;
	struct error error;
	char bytes[1024];
	int ends[2], saved = dup(STDIN_FILENO);
	ssize_t size;

	write_pcap(DLT_EN10MB);
	CLEANUP_FD int file = open(path, O_RDONLY);
	size = read(file, bytes, sizeof(bytes));
	assert_true(size > 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, size), size);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);

	assert_int_equal(capture_open("-", &capture, &error), 0);
	assert_int_equal(capture_size(capture), 0);
	assert_int_equal(capture_next(capture, &packet, &error), 1);
	assert_int_equal(capture_position(capture), 60);
	capture_close(capture);
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
}

static void another_link_type_is_named(void **state)
{
	struct capture *capture = NULL;
	struct error error;

	write_pcap(DLT_LINUX_SLL);
	assert_int_equal(capture_open(path, &capture, &error), -EINVAL);
	assert_null(capture);
	assert_string_equal(error.file, path);
	assert_string_equal(error.what, "link type is LINUX_SLL (Linux cooked v1), not Ethernet");
}

static void a_file_that_is_no_capture_is_refused(void **state)
{
	struct capture *capture = NULL;
	struct error error;
	FILE *file = open_path("w");

	fputs("this is not a capture, but long enough to be one\n", file);
	fclose(file);
	assert_int_equal(capture_open(path, &capture, &error), -EINVAL);
	assert_string_equal(error.file, path);
	assert_string_equal(error.what, "unknown file format");
	assert_int_equal(capture_open("/nonexistent/file.pcap", &capture, &error), -ENOENT);
	assert_string_equal(error.what, "/nonexistent/file.pcap: No such file or directory");
	assert_null(capture);
}

static void a_truncated_file_gives_its_whole_packets_first(void **state)
{
	struct capture *capture = NULL;
	struct captured packet;
	struct error error;

	write_pcap(DLT_EN10MB);
	assert_int_equal(truncate(path, 24 + 2 * (16 + 60) - 1), 0);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_next(capture, &packet, &error), 1);
	assert_int_equal(capture_next(capture, &packet, &error), -EINVAL);
	assert_string_equal(error.file, path);
	assert_string_equal(error.what,
			    "after packet 1: truncated dump file; tried to read 60 captured bytes, only got 59");
	capture_close(capture);
}

static void a_frame_is_never_longer_than_its_length(void **state)
{
	const struct {
		uint32_t seconds, microseconds, captured, length;
		uint8_t bytes[60];
	} packet_record = { .captured = 60, .length = 0 };
	struct capture *capture = NULL;
	struct captured packet;
	struct error error;

	write_pcap(DLT_EN10MB);
	assert_int_equal(truncate(path, 24), 0);
	FILE *file = open_path("a");
	append(file, &packet_record, sizeof(packet_record));
	fclose(file);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_next(capture, &packet, &error), 1);
	assert_int_equal(packet.size, 60);
	assert_int_equal(packet.length, 60);
	capture_close(capture);
}

static void pcapng_is_read_up_to_an_interface_of_another_link_type(void **state)
{
	struct capture *capture = NULL;
	struct captured packet;
	struct error error;
	FILE *file = open_pcapng();

	append_interface(file, 1); /* Ethernet */
	append_packet(file, 0);
	append_interface(file, 113); /* Linux cooked */
	append_packet(file, 1);
	fclose(file);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_next(capture, &packet, &error), 1);
	assert_int_equal(packet.length, 60);
	assert_int_equal(capture_next(capture, &packet, &error), -EINVAL);
	assert_string_equal(error.file, path);
	assert_non_null(strstr(error.what, "after packet 1: "));
	assert_non_null(strstr(error.what, "different from the type of the first interface"));
	capture_close(capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_in_order_with_both_lengths),
		cmocka_unit_test(standard_input_may_be_a_pipe),
		cmocka_unit_test(another_link_type_is_named),
		cmocka_unit_test(a_file_that_is_no_capture_is_refused),
		cmocka_unit_test(a_truncated_file_gives_its_whole_packets_first),
		cmocka_unit_test(a_frame_is_never_longer_than_its_length),
		cmocka_unit_test(pcapng_is_read_up_to_an_interface_of_another_link_type),
	};
	CLEANUP_FD int file = mkstemp(path);
	int failed;

	if (file < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}

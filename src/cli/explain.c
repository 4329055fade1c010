// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/plural.h"
#include "cli/cli.h"
#include "cli/subject.h"
#include "compile/near.h"
#include "packet/capture.h"
#include "packet/read.h"
#include "packet/reason.h"
#include "packet/write.h"

#define NEAR_MAX 3 /* rules that nearly matched: the first ones */

struct frame {
	uint8_t *bytes;
	size_t size, wire_length;
	unsigned long number; /* in its capture, else 1 */
};

static int read_captured(const char *path, unsigned long number, struct frame *frame, struct error *error)
{
	struct capture *capture;
	struct captured packet;
	unsigned long read = 0;
	int err = capture_open(path, &capture, error);

	if (err)
		return err;
	err = 1;
	while (read < number && (err = capture_next(capture, &packet, error)) == 1)
		read++;
	if (err == 1) {
		frame->bytes = xcalloc(packet.size, 1);
		memcpy(frame->bytes, packet.bytes, packet.size);
		frame->size = packet.size;
		frame->wire_length = packet.length;
		frame->number = number;
	}
	capture_close(capture);
	if (!err)
		return error_set(error, ENOENT, "%s has no packet number %lu, only %lu", path, number, read);
	return err < 0 ? err : 0;
}

/* PACKET is a capture and a number, or a packet in words or hex. */
static int read_frame(char **words, size_t count, struct frame *frame, struct error *error)
{
	/* "tcp 192.0.2.0/24 > …" in one word is no path. */
	bool is_path = !strchr(words[0], ' ') && (strchr(words[0], '/') || strstr(words[0], ".pcap"));
	int err;

	if (is_path || !access(words[0], R_OK)) {
		unsigned long number = count > 1 ? strtoul(words[1], NULL, 10) : 1;

		if (count > 2)
			return error_set(error, EINVAL, "a capture takes one packet number, not \"%s\" too", words[2]);
		if (number < 1 || (count > 1 && words[1][strspn(words[1], "0123456789")]))
			return error_set(error, EINVAL, "\"%s\" is no packet number: they count from 1", words[1]);
		return read_captured(words[0], number, frame, error);
	}
	err = packet_write((const char *const *)words, count, &frame->bytes, &frame->size, error);
	frame->wire_length = frame->size;
	frame->number = 1;
	return err;
}

static int open_subject(const char *name, const char *interface, struct subject *subject, struct error *error)
{
	struct stat status;
	bool is_file = !stat(name, &status) && !S_ISDIR(status.st_mode);

	if (is_file || strchr(name, '/'))
		return subject_open_policy(name, interface, subject, error);
	if (interface && if_nametoindex(name))
		return error_set(error, EINVAL, "--interface goes with a policy file; %s is an interface itself", name);
	if (if_nametoindex(name))
		return subject_open_interface(name, subject, error);
	error_set(error, ENOENT, "%s is neither a policy file nor an interface here", name);
	return -ENOENT;
}

static bool blocks(const struct config *config)
{
	return config->block_source4.end || config->block_source6.end || config->block_dest4.end ||
	       config->block_dest6.end || config->from_sets || config->to_sets;
}

/* Stages that the policy uses, in the packet's order, up to the one that decided. */
static void print_stages(const struct config *config, const struct record *record, const struct subject_rule *rule,
			 const struct subject_rule *limit)
{
	const struct {
		const char *name;
		bool used;
	} stages[] = {
		{ "parse", true },
		{ "block", blocks(config) },
		{ "fragments", config->fragments_drop || config->fragments_track },
		{ "limit", config->limit },
		{ "synproxy", config->synproxy },
		{ "filter", config->filter },
		{ "default", true },
	};
	const char *decided = reason_stage(record->reason);

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		bool last = !strcmp(stages[i].name, decided);
		bool is_parse = i == 0;

		if (!stages[i].used)
			continue;
		printf("  %-10s", stages[i].name);
		if (last && rule)
			printf("%s   %s:%d\n", rule->text, rule->file, rule->line);
		else if (is_parse && record->malformed)
			printf("%s: %s\n", reason_name(record->malformed), reason_explanation(record->malformed));
		else if (!last && limit && !strcmp(stages[i].name, "limit"))
			printf("goes on, within %s   %s:%d\n", limit->text, limit->file, limit->line);
		else if (!last && !strcmp(stages[i].name, "synproxy") && record->protocol == IPPROTO_TCP)
			printf("goes on, unless its service is armed by now\n");
		else
			printf("%s\n", last ? "decides" : "goes on");
		if (last)
			return;
	}
}

/* Of a policy file: which rules of the filter the packet missed by one thing. */
static void print_near_misses(const struct compiled *compiled, const struct record *record)
{
	struct near_miss misses[NEAR_MAX];
	bool reached = compiled->filter.count && (!strcmp(reason_stage(record->reason), "filter") ||
						  !strcmp(reason_stage(record->reason), "default"));
	size_t count = reached ? near_misses(compiled, record, misses, NEAR_MAX) : 0;

	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = &compiled->rules[misses[i].rule];

		printf("  near      %s   %s:%d   but for `%s`\n", rule->text, rule->where.file, rule->where.line,
		       misses[i].field);
	}
}

static void print_explanation(const struct subject *subject, const struct record *record, const json_t *json,
			      const struct frame *frame)
{
	CLEANUP_FREE char *text = record_text(record);
	const char *output = json_string_value(json_object_get(json, "output"));
	struct subject_rule rule, limit;
	bool has_rule = subject_find_rule(subject, record->rule, &rule);
	bool has_limit = record->limit && subject_find_rule(subject, record->limit - 1, &limit);

	printf("packet %lu: %s, %zu byte%s\n", frame->number, text, frame->wire_length, plural(frame->wire_length));
	if (frame->size < frame->wire_length)
		printf("  the capture holds %zu of them\n", frame->size);
	print_stages(judge_config(&subject->judge), record, has_rule ? &rule : NULL, has_limit ? &limit : NULL);
	if (!subject->described)
		print_near_misses(&subject->compiled, record);
	printf("  verdict   %s\n", verdict_name(record->verdict));
	printf("  reason    %s: %s\n", reason_name(record->reason), reason_explanation(record->reason));
	if (output)
		printf("  output    %s\n", output);
}

int cli_explain(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' }, { 0 } };
	const char *interface = NULL;
	struct frame frame = { 0 };
	struct subject subject;
	struct record record;
	struct error error;
	bool line = false;
	json_t *json = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j')
			line = true;
		else if (option == 'i')
			interface = optarg;
		else
			return cli_usage(argv[0]);
	}
	if (argc - optind < 2)
		return cli_usage(argv[0]);
	if (read_frame(argv + optind + 1, argc - optind - 1, &frame, &error))
		return cli_failed(&error);
	if (!open_subject(argv[optind], interface, &subject, &error)) {
		json = subject_judge(&subject, frame.bytes, frame.size, frame.wire_length, &record, &error);
		if (json && line) {
			json_object_set_new(json, "packet", json_integer(frame.number));
			cli_print_line(json);
		} else if (json) {
			print_explanation(&subject, &record, json, &frame);
		}
		subject_close(&subject);
	}
	free(frame.bytes);
	if (!json)
		return cli_failed(&error);
	json_decref(json);
	return STATUS_DONE;
}

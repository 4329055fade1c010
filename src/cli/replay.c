// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/plural.h"
#include "cli/cli.h"
#include "cli/subject.h"
#include "packet/capture.h"
#include "packet/reason.h"

#define PROGRESS_MILLISECONDS 100
#define BAR_WIDTH 40

struct summary {
	uint64_t packets, bytes, cut;
	uint64_t verdicts[VERDICT_COUNT];
	uint64_t reasons[REASONS_MAX];
	json_t *rules; /* "file:line  text" → packets */
};

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* On a terminal, on stderr; at most ten times a second. */
static void show_progress(const struct capture *capture, bool done)
{
	static uint64_t last;
	uint64_t size = capture_size(capture);
	uint64_t now = milliseconds();
	int filled;

	if (!size || !isatty(STDERR_FILENO) || (!done && now - last < PROGRESS_MILLISECONDS))
		return;
	last = now;
	if (done) {
		fprintf(stderr, "\r%*s\r", BAR_WIDTH + 8, "");
		return;
	}
	filled = capture_position(capture) * BAR_WIDTH / size;
	fprintf(stderr, "\r[%.*s%*s] %3d %%", filled, "########################################", BAR_WIDTH - filled,
		"", (int)(capture_position(capture) * 100 / size));
}

static void add(struct summary *summary, const struct captured *packet, const struct record *record, const json_t *json)
{
	const char *where = json_string_value(json_object_get(json, "rule"));

	summary->packets++;
	summary->bytes += packet->length;
	summary->cut += packet->size < packet->length;
	summary->verdicts[record->verdict]++;
	summary->reasons[record->reason]++;
	if (where) {
		const char *text = json_string_value(json_object_get(json, "rule_text"));
		CLEANUP_FREE char *rule = xasprintf("%s  %s", where, text);
		json_int_t count = json_integer_value(json_object_get(summary->rules, rule));

		json_object_set_new(summary->rules, rule, json_integer(count + 1));
	}
}

static void print_summary(const struct summary *summary)
{
	const char *rule;
	json_t *count;

	printf("%llu packet%s, %llu byte%s\n", (unsigned long long)summary->packets, plural(summary->packets),
	       (unsigned long long)summary->bytes, plural(summary->bytes));
	if (summary->cut)
		printf("%llu of them %s cut by the capture and judged by the bytes there are\n",
		       (unsigned long long)summary->cut, summary->cut == 1 ? "was" : "were");
	for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		if (summary->verdicts[verdict])
			printf("  verdict  %10llu  %s\n", (unsigned long long)summary->verdicts[verdict],
			       verdict_name(verdict));
	}
	for (int reason = 0; reason < REASONS_MAX; reason++) {
		if (summary->reasons[reason])
			printf("  reason   %10llu  %s\n", (unsigned long long)summary->reasons[reason],
			       reason_name(reason));
	}
	json_object_foreach(summary->rules, rule, count)
		printf("  rule     %10lld  %s\n", (long long)json_integer_value(count), rule);
}

static int replay(struct subject *subject, struct capture *capture, bool lines, struct error *error)
{
	struct summary summary = { .rules = json_object() };
	struct captured packet;
	int err;

	while ((err = capture_next(capture, &packet, error)) == 1) {
		struct record record;
		json_t *json;

		subject->judge.time = packet.time;
		json = subject_judge(subject, packet.bytes, packet.size, packet.length, &record, error);
		if (!json) {
			err = -1;
			break;
		}
		add(&summary, &packet, &record, json);
		if (lines) {
			json_object_set_new(json, "packet", json_integer(summary.packets));
			cli_print_line(json);
		}
		json_decref(json);
		show_progress(capture, false);
	}
	show_progress(capture, true);
	if (!lines && (!err || summary.packets))
		print_summary(&summary);
	json_decref(summary.rules);
	return err;
}

int cli_replay(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' }, { 0 } };
	const char *interface = NULL;
	struct capture *capture;
	struct subject subject;
	struct error error;
	bool lines = false;
	int option, err;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j')
			lines = true;
		else if (option == 'i')
			interface = optarg;
		else
			return cli_usage(argv[0]);
	}
	if (argc - optind != 2)
		return cli_usage(argv[0]);
	if (capture_open(argv[optind + 1], &capture, &error))
		return cli_failed(&error);
	err = subject_open_policy(argv[optind], interface, &subject, &error);
	if (!err) {
		err = replay(&subject, capture, lines, &error);
		subject_close(&subject);
	}
	capture_close(capture);
	return err ? cli_failed(&error) : STATUS_DONE;
}

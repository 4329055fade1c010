// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/plural.h"
#include "cli/cli.h"
#include "datapath/events.h"
#include "packet/read.h"
#include "packet/reason.h"
#include "policy/policy.h"
#include "sluice/set.h"

#define WAIT_MILLISECONDS 200 /* between two looks at what was lost */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

struct printing {
	bool lines;	      /* JSON */
	unsigned long wanted; /* events; 0: until interrupted */
	unsigned long printed;
};

static const char *kind_name(uint32_t kind)
{
	static const char *const names[EVENT_KINDS] = {
		[EVENT_LOG] = "log",
		[EVENT_DROP] = "drop",
		[EVENT_BAN] = "ban",
		[EVENT_ARMED] = "armed",
		[EVENT_STOOD_DOWN] = "stood-down",
	};

	return kind < EVENT_KINDS ? names[kind] : "unknown";
}

static void set_ban(json_t *json, const struct told *told)
{
	char time[CLOCK_TEXT_MAX];

	if (told->set)
		json_object_set_new(json, "set", json_string(told->set));
	json_object_set_new(json, "banned", json_boolean(told->event->value != EVENT_BAN_REFUSED));
	if (told->event->value != EVENT_BAN_REFUSED && told->event->value != SET_NEVER)
		json_object_set_new(json, "until", json_string(clock_text(told->event->value, time)));
}

static void set_rate(json_t *json, const struct told *told)
{
	if (told->event->record.verdict == NEXT)
		json_object_del(json, "verdict"); /* what was decided in the end is not known here */
	json_object_set_new(json, "service", json_integer(told->event->number));
	json_object_set_new(json, "rate", json_integer((json_int_t)told->event->value));
}

static void print_json(const struct told *told)
{
	const struct record *record = &told->event->record;
	json_t *json = record_json(record, record->wire_length);
	char time[CLOCK_TEXT_MAX];

	json_object_set_new(json, "time", json_string(clock_text(record->time, time)));
	json_object_set_new(json, "event", json_string(kind_name(told->event->kind)));
	json_object_set_new(json, "interface", json_string(told->interface));
	if (told->event->kind == EVENT_BAN)
		set_ban(json, told);
	if (told->event->kind == EVENT_ARMED || told->event->kind == EVENT_STOOD_DOWN)
		set_rate(json, told);
	if (told->rule) {
		CLEANUP_FREE char *where = xasprintf("%s:%d", told->rule->file, told->rule->line);

		json_object_set_new(json, "rule", json_string(where));
		json_object_set_new(json, "rule_text", json_string(told->rule->text));
	}
	cli_print_line(json);
	json_decref(json);
}

static int enough(const struct printing *printing)
{
	return printing->printed == printing->wanted ? -ECANCELED : 0;
}

static void print_ban(const struct told *told)
{
	const char *set = told->set ? told->set : "?";
	char time[CLOCK_TEXT_MAX];

	if (told->event->value == EVENT_BAN_REFUSED)
		printf(": its source is NOT in @%s, which has no room", set);
	else if (told->event->value == SET_NEVER)
		printf(": its source is in @%s for ever", set);
	else
		printf(": its source is in @%s until %s", set, clock_text(told->event->value, time));
}

static int print_event(const struct told *told, void *context)
{
	const struct event *event = told->event;
	const struct record *record = &event->record;
	CLEANUP_FREE char *text = record_text(record);
	struct printing *printing = context;
	char time[CLOCK_TEXT_MAX];

	printing->printed++;
	if (printing->lines) {
		print_json(told);
		return enough(printing);
	}
	printf("%s  %s  %s:", clock_text(record->time, time), told->interface, kind_name(event->kind));
	if (record->verdict != NEXT)
		printf(" %s %s ", verdict_name(record->verdict), reason_name(record->reason));
	printf(" %s, %" PRIu32 " bytes", text, record->wire_length);
	if (told->rule)
		printf("  %s:%d  %s", told->rule->file, told->rule->line, told->rule->text);
	if (event->kind == EVENT_BAN)
		print_ban(told);
	if (event->kind == EVENT_ARMED || event->kind == EVENT_STOOD_DOWN)
		printf(": %" PRIu64 " SYNs a second", (uint64_t)event->value);
	putchar('\n');
	return enough(printing);
}

/* Not an event of this reader: standard error has it, also beside JSON. */
static void print_left_out(const char *interface, uint64_t count, void *context)
{
	fprintf(stderr, "sluice: %" PRIu64 " event%s of %s that came before and waited for a reader %s left out\n",
		count, plural(count), interface, count == 1 ? "is" : "are");
}

static void print_lost(const char *interface, uint64_t count, void *context)
{
	const struct printing *printing = context;

	if (printing->lines) {
		json_t *json = json_pack("{s:s, s:I}", "interface", interface, "lost", (json_int_t)count);

		cli_print_line(json);
		json_decref(json);
	} else {
		printf("%s: %" PRIu64 " event%s lost: they came faster than they were read\n", interface, count,
		       plural(count));
	}
}

static int follow(struct events *events, const struct printing *printing)
{
	struct error error;

	while (!interrupted && (!printing->wanted || printing->printed < printing->wanted)) {
		int told = events_read(events, WAIT_MILLISECONDS, &error);

		if (told == -EINTR)
			continue;
		if (told < 0)
			return cli_failed(&error);
		fflush(stdout);
		if (ferror(stdout))
			break; /* main says that the output was lost */
	}
	return STATUS_DONE;
}

int cli_events(int argc, char **argv)
{
	static const struct option options[] = { { "count", required_argument, NULL, 'c' }, { 0 } };
	const struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };
	struct printing printing = { 0 };
	struct events_reader reader = { print_event, print_left_out, print_lost, &printing };
	struct events *events;
	struct error error;
	int option, status;
	char *end;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j') {
			printing.lines = true;
		} else if (option == 'c') {
			printing.wanted = strtoul(optarg, &end, 10);
			if (*end || *optarg == '-' || !printing.wanted) {
				fprintf(stderr, "sluice: --count takes a number from 1 on, not \"%s\"\n", optarg);
				return STATUS_USAGE;
			}
		} else {
			return cli_usage(argv[0]);
		}
	}
	if (events_open(argv + optind, argc - optind, &reader, &events, &error))
		return cli_failed(&error);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	status = follow(events, &printing);
	events_close(events);
	return status;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/stats.h"
#include "datapath/members.h"
#include "datapath/tally.h"
#include "packet/reason.h"

/* Adds to the entry of that name; makes it when it is not there. Returns the entry. */
static json_t *add(json_t *table, const char *name, const struct counter *counter)
{
	json_t *entry = json_object_get(table, name);

	if (!entry) {
		entry = json_pack("{s:i, s:i}", "packets", 0, "bytes", 0);
		json_object_set_new(table, name, entry);
	}
	json_integer_set(json_object_get(entry, "packets"),
			 json_integer_value(json_object_get(entry, "packets")) + (json_int_t)counter->packets);
	json_integer_set(json_object_get(entry, "bytes"),
			 json_integer_value(json_object_get(entry, "bytes")) + (json_int_t)counter->bytes);
	return entry;
}

static bool has_text(const char *joined, const char *text)
{
	size_t length = strlen(text);

	for (const char *at = joined; at; at = strstr(at, "; ") ? strstr(at, "; ") + 2 : NULL) {
		if (!strncmp(at, text, length) && (!at[length] || !strncmp(at + length, "; ", 2)))
			return true;
	}
	return false;
}

/* Rules of one line share an entry; their texts are joined, each once, whatever the number of interfaces. */
static void add_text(json_t *entry, const char *text)
{
	const char *there = json_string_value(json_object_get(entry, "text"));
	CLEANUP_FREE char *joined = there ? xasprintf("%s; %s", there, text) : xstrdup(text);

	if (there && has_text(there, text))
		return;

	json_object_set_new(entry, "text", json_string(joined));
}

/* What a dynamic set has room for and what is in it. */
static void add_usage(json_t *entry, const struct pins *pins, const char *name)
{
	struct set_usage usage;
	struct error ignored; /* a static set */

	if (json_object_get(entry, "size") || members_usage(pins, name, &usage, &ignored))
		return;
	json_object_set_new(entry, "size", json_integer(usage.size));
	json_object_set_new(entry, "used", json_integer((json_int_t)usage.used));
}

/* A service without it is always armed. */
#define ABOVE " above "

/* Known by its interface and its text: several may stand on one line. */
static void add_service(json_t *services, const char *interface, const char *where, const struct described_rule *rule,
			const struct counter *counter, const struct service_tally *tally)
{
	CLEANUP_FREE char *name = xasprintf("%s: %s", interface, rule->text);
	json_t *entry = add(services, name, counter);
	char text[CLOCK_TEXT_MAX];

	json_object_set_new(entry, "rule", json_string(where));
	json_object_set_new(entry, "text", json_string(rule->text));
	json_object_set_new(entry, "armed", json_boolean(tally->armed || !strstr(rule->text, ABOVE)));
	if (tally->armed)
		json_object_set_new(entry, "armed_since", json_string(clock_text(tally->armed, text)));
	json_object_set_new(entry, "rate", json_integer((json_int_t)tally->rate));
	json_object_set_new(entry, "syns", json_integer((json_int_t)tally->packets[SYNPROXY_SYNS]));
	json_object_set_new(entry, "answered", json_integer((json_int_t)tally->packets[SYNPROXY_ANSWERED]));
	json_object_set_new(entry, "valid", json_integer((json_int_t)tally->packets[SYNPROXY_VALID]));
	json_object_set_new(entry, "invalid", json_integer((json_int_t)tally->packets[SYNPROXY_INVALID]));
}

static void add_interface(json_t *stats, const struct pins *pins, const struct described_interface *interface,
			  const struct tally *tally)
{
	for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
		add(json_object_get(stats, "verdicts"), verdict_name(verdict), &tally->verdicts[verdict]);
	for (int reason = 0; reason < REASONS_MAX; reason++) {
		if (reason_name(reason))
			add(json_object_get(stats, "reasons"), reason_name(reason), &tally->reasons[reason]);
	}
	for (size_t i = 0; i < interface->rule_count; i++) {
		const struct described_rule *rule = &interface->rules[i];
		CLEANUP_FREE char *where = xasprintf("%s:%d", rule->file, rule->line);

		add_text(add(json_object_get(stats, "rules"), where, &tally->rules[i]), rule->text);
		if (rule->set)
			add_usage(add(json_object_get(stats, "sets"), rule->set, &tally->rules[i]), pins, rule->set);
		if (rule->counter)
			add(json_object_get(stats, "counters"), rule->counter, &tally->rules[i]);
		if (rule->service)
			add_service(json_object_get(stats, "services"), interface->name, where, rule, &tally->rules[i],
				    &tally->services[i]);
	}
}

static int collect_from(const struct pins *pins, const char *only, json_t *stats, struct error *error)
{
	struct running running;
	size_t found = 0;
	int err = running_read(pins, &running, error);

	if (err)
		return err;
	for (size_t i = 0; i < running.attachment_count && !err; i++) {
		const struct attachment *attachment = &running.attachments[i];
		const struct generation *generation = running_generation(&running, attachment->generation);
		const struct described_interface *interface;
		struct tally tally;

		if (!generation || (only && strcmp(only, attachment->interface)))
			continue;
		interface = described_interface(&generation->description, attachment->interface);
		err = tally_read(pins, interface, &tally, error);
		if (err)
			break;
		add_interface(stats, pins, interface, &tally);
		tally_free(&tally);
		found++;
	}
	running_free(&running);
	if (!err && !found && only)
		return error_set(error, ENOENT, "nothing of Sluice runs on %s", only);
	if (!err && !found)
		return error_set(error, ENOENT, "nothing of Sluice runs here");
	return err;
}

json_t *stats_collect(const char *only, struct error *error)
{
	json_t *stats = json_pack("{s:{}, s:{}, s:{}, s:{}, s:{}, s:{}}", "verdicts", "reasons", "rules", "sets",
				  "counters", "services");
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (!err) {
		err = collect_from(&pins, only, stats, error);
		pins_close(&pins);
	}
	if (!err)
		return stats;
	json_decref(stats);
	return NULL;
}

static long long number_of(const json_t *entry, const char *name)
{
	return json_integer_value(json_object_get(entry, name));
}

static void print_service(const json_t *entry)
{
	const char *since = json_string_value(json_object_get(entry, "armed_since"));

	if (since)
		printf("  armed since %s", since);
	else
		printf("  %s", json_is_true(json_object_get(entry, "armed")) ? "armed" : "not armed");
	printf(", %lld SYNs/s; %lld SYNs, %lld answered, %lld valid, %lld invalid", number_of(entry, "rate"),
	       number_of(entry, "syns"), number_of(entry, "answered"), number_of(entry, "valid"),
	       number_of(entry, "invalid"));
}

/* Verdicts always, of the rest what has counted; rules and sets also when they have not. */
static void print_table(json_t *table, const char *title, bool zeros, const json_t *earlier, double seconds)
{
	const char *name;
	json_t *entry;

	json_object_foreach(table, name, entry)
	{
		json_int_t packets = json_integer_value(json_object_get(entry, "packets"));
		const json_t *before = json_object_get(json_object_get(earlier, title), name);
		const char *text = json_string_value(json_object_get(entry, "text"));
		const char *rule = json_string_value(json_object_get(entry, "rule"));

		if (!packets && !zeros)
			continue;
		printf("%-8.*s %-24s %14lld %16lld", (int)strlen(title) - 1, title, rule ? rule : name,
		       (long long)packets, (long long)json_integer_value(json_object_get(entry, "bytes")));
		if (earlier)
			printf(" %12.0f/s",
			       (double)(packets - json_integer_value(json_object_get(before, "packets"))) / seconds);
		if (json_object_get(entry, "size"))
			printf("  %lld of %lld entries", (long long)json_integer_value(json_object_get(entry, "used")),
			       (long long)json_integer_value(json_object_get(entry, "size")));
		if (json_object_get(entry, "armed"))
			print_service(entry);
		printf("%s%s\n", text ? "  " : "", text ? text : "");
	}
}

static void print_tables(json_t *stats, const json_t *earlier, double seconds)
{
	const char *title;
	json_t *table;

	printf("%-33s %14s %16s%s\n", "", "packets", "bytes", earlier ? "      packets/s" : "");
	json_object_foreach(stats, title, table)
		print_table(table, title, strcmp(title, "reasons") != 0, earlier, seconds);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Until interrupted: a JSON line, or the tables with rates since the time before, on a terminal always at the top. */
static int watch(const char *only, bool lines, double interval)
{
	struct error error;
	json_t *earlier = NULL;
	double then = 0;
	json_t *stats;

	while ((stats = stats_collect(only, &error))) {
		double time = now();

		if (lines) {
			cli_print_line(stats);
		} else {
			if (isatty(STDOUT_FILENO))
				printf("\033[H\033[J");
			print_tables(stats, earlier, time - then);
			if (!isatty(STDOUT_FILENO))
				putchar('\n');
		}
		fflush(stdout);
		json_decref(earlier);
		earlier = stats;
		then = time;
		if (ferror(stdout)) {
			json_decref(earlier);
			return STATUS_DONE; /* main says that the output was lost */
		}
		usleep(interval * 1e6);
	}
	json_decref(earlier);
	return cli_failed(&error);
}

static double seconds_of(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	return *end || end == text || !(seconds >= 0.1 && seconds <= 3600) ? -1 : seconds;
}

int cli_stats(int argc, char **argv)
{
	static const struct option options[] = { { "watch", required_argument, NULL, 'w' }, { 0 } };
	double interval = 0;
	bool lines = false;
	struct error error;
	json_t *stats;
	int option;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (option == 'j') {
			lines = true;
		} else if (option == 'w') {
			interval = seconds_of(optarg);
			if (interval < 0) {
				fprintf(stderr, "sluice: --watch takes 0.1 to 3600 seconds, not \"%s\"\n", optarg);
				return STATUS_USAGE;
			}
		} else {
			return cli_usage(argv[0]);
		}
	}
	if (argc - optind > 1)
		return cli_usage(argv[0]);
	if (interval > 0)
		return watch(argv[optind], lines, interval);
	stats = stats_collect(argv[optind], &error);
	if (!stats)
		return cli_failed(&error);
	if (lines) {
		cli_print_line(stats);
	} else {
		print_tables(stats, NULL, 0);
	}
	json_decref(stats);
	return STATUS_DONE;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <jansson.h>
#include <time.h>

#include "base/duration.h"
#include "cli/cli.h"
#include "datapath/attach.h"
#include "datapath/inspect.h"
#include "datapath/members.h"
#include "datapath/running.h"
#include "datapath/shadow.h"
#include "datapath/tidy.h"

#define TIME_TEXT_MAX 32

static const char *time_text(int64_t seconds, char *text)
{
	time_t time = seconds;
	struct tm parts;

	strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &parts));
	return text;
}

static json_t *attachment_json(const struct running *running, const struct attachment *attachment)
{
	const struct generation *generation = running_generation(running, attachment->generation);
	const struct described_interface *interface =
		generation ? described_interface(&generation->description, attachment->interface) : NULL;
	json_t *json = json_pack("{s:s, s:i, s:i, s:i}", "interface", attachment->interface, "ifindex",
				 (int)attachment->ifindex, "link", (int)attachment->link_id, "generation",
				 (int)attachment->generation);
	struct inspection inspection;

	if (attachment->gate)
		json_object_set_new(json, "gate", json_integer(attachment->gate->program_id));
	if (interface)
		json_object_set_new(json, "mode", json_string(mode_name(interface->mode)));
	if (inspect_program(attachment->program_id, &inspection))
		return json;
	json_object_set_new(json, "program",
			    json_pack("{s:i, s:s, s:s, s:i, s:i, s:i}", "id", (int)attachment->program_id, "name",
				      inspection.name, "tag", inspection.tag, "verified_instructions",
				      (int)inspection.verified, "translated_bytes", (int)inspection.translated,
				      "machine_code_bytes", (int)inspection.machine_code));
	json_object_set_new(json, "map_bytes", json_integer(inspection.map_bytes));
	return json;
}

/* As it is, which is the same for all generations: see datapath/sets.h. */
static json_t *dynamic_json(const struct pins *pins, const char *name)
{
	struct set_usage usage;
	struct error ignored; /* removed meanwhile */
	json_t *json;

	if (members_usage(pins, name, &usage, &ignored))
		return json_object();
	json = json_pack("{s:I, s:I}", "size", (json_int_t)usage.size, "used", (json_int_t)usage.used);
	if (usage.timeout != TIMEOUT_NEVER)
		json_object_set_new(json, "timeout", json_integer((json_int_t)usage.timeout));
	return json;
}

/* The candidate beside it; NULL: none. */
static json_t *shadow_json(const struct pins *pins, const struct generation *generation)
{
	json_t *interfaces = json_array();
	struct shadow shadow;
	struct error ignored;
	json_t *json;

	if (!shadow_exists(pins, generation) || shadow_read(pins, generation, &shadow, &ignored)) {
		json_decref(interfaces);
		return NULL;
	}
	for (size_t i = 0; i < shadow.interface_count; i++)
		json_array_append_new(interfaces, json_string(shadow.interfaces[i].name));
	json = json_pack("{s:s, s:o}", "path", shadow.candidate.path, "interfaces", interfaces);
	shadow_free(&shadow);
	return json;
}

static json_t *generation_json(const struct pins *pins, const struct generation *generation)
{
	char text[TIME_TEXT_MAX];
	json_t *sets = json_object();
	json_t *dynamic = json_object();

	for (size_t i = 0; i < generation->description.set_count; i++) {
		const struct described_set *set = &generation->description.sets[i];

		if (set->size)
			json_object_set_new(dynamic, set->name, dynamic_json(pins, set->name));
		else
			json_object_set_new(sets, set->name, json_integer((json_int_t)set->prefixes));
	}
	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:s, s:o*}", "number", (int)generation->number, "path",
			 generation->description.path, "applied", time_text(generation->description.applied, text),
			 "sets", sets, "dynamic_sets", dynamic, "policy", generation->description.policy, "shadow",
			 shadow_json(pins, generation));
}

/* What becomes of a change that is not settled: "left" seconds, rounded up, and the generation that then "runs". */
static json_t *change_json(const struct running *running)
{
	const struct gates *gates = &running->gates;
	const struct generation *const *behind = running->behind;
	json_t *json = json_pack("{s:b}", "waits", running->waiting);

	if (behind[GATE_NEW])
		json_object_set_new(json, "generation", json_integer(behind[GATE_NEW]->number));
	if (gates->deadline != GATE_OPEN && gates->deadline != GATE_CLOSED)
		json_object_set_new(json, "seconds_left", json_integer((gates->left + 999999999) / 1000000000));
	json_object_set_new(json, "then", json_integer(behind[GATE_OLD] ? behind[GATE_OLD]->number : 0));
	return json;
}

/* Interfaces that the policy names and that nothing stands on: gone when it was applied or gone back to, or made anew
 * since. NULL: none. */
static json_t *unguarded_json(const struct running *running)
{
	json_t *names = json_array();

	for (size_t i = 0; running->current && i < running->current->description.interface_count; i++) {
		const char *name = running->current->description.interfaces[i].name;
		const struct attachment *attachment = running_attachment(running, name);

		if (!attachment || !attachment->ifindex)
			json_array_append_new(names, json_string(name));
	}
	if (json_array_size(names))
		return names;
	json_decref(names);
	return NULL;
}

/* Needs the lock: to whom it does not hold, a change under way looks like one that was cut off. */
static json_t *collect(const struct pins *pins, const struct running *running)
{
	json_t *interfaces = json_array();
	json_t *json = json_pack("{s:o}", "interfaces", interfaces);
	json_t *unguarded;

	for (size_t i = 0; i < running->attachment_count; i++)
		json_array_append_new(interfaces, attachment_json(running, &running->attachments[i]));
	if ((unguarded = unguarded_json(running)))
		json_object_set_new(json, "unguarded", unguarded);
	if (running->current)
		json_object_set_new(json, "current", generation_json(pins, running->current));
	if (running->previous)
		json_object_set_new(json, "previous", generation_json(pins, running->previous));
	if (running->gates.exist)
		json_object_set_new(json, "change", change_json(running));
	json_object_set_new(json, "remains", json_boolean(tidy_finds(pins, running)));
	return json;
}

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static long long number_of(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static void print_interface(const json_t *interface, bool anything_runs)
{
	const json_t *program = json_object_get(interface, "program");

	printf("%s", text_of(interface, "interface"));
	if (!number_of(interface, "ifindex")) {
		printf("  detached: the interface is gone, or someone detached the link; apply or down cleans up\n");
		return;
	}
	if (json_object_get(interface, "gate") && !program) {
		printf("  lets everything pass: %s\n",
		       anything_runs ? "the generation that runs does not name it" : "no generation runs");
		return;
	}
	printf("  %s  generation %lld\n", text_of(interface, "mode") ? text_of(interface, "mode") : "foreign program",
	       number_of(interface, "generation"));
	if (program)
		printf("  program id %lld  name %s  tag %s  link id %lld\n"
		       "  %lld instructions verified, %lld bytes of machine code, %lld KiB of maps\n",
		       number_of(program, "id"), text_of(program, "name"), text_of(program, "tag"),
		       number_of(interface, "link"), number_of(program, "verified_instructions"),
		       number_of(program, "machine_code_bytes"), number_of(interface, "map_bytes") / 1024);
}

static void print_unguarded(const char *interface, const struct running *running)
{
	if (running_attachment(running, interface))
		return; /* said: detached */
	printf("%s  nothing guards it: %s\n", interface,
	       if_nametoindex(interface) ? "apply the policy again" : "there is no such interface");
}

static void print_generation(const char *title, const json_t *generation)
{
	const char *name;
	json_t *size, *set;

	if (!generation)
		return;
	printf("%s generation %lld  %s  applied %s\n", title, number_of(generation, "number"),
	       text_of(generation, "path"), text_of(generation, "applied"));
	if (json_object_get(generation, "shadow"))
		printf("  shadow %s  beside it; `sluice shadow` tells where it differs\n",
		       text_of(json_object_get(generation, "shadow"), "path"));
	json_object_foreach(json_object_get(generation, "sets"), name, size)
		printf("  set %s  %lld %s\n", name, (long long)json_integer_value(size),
		       cli_prefixes(json_integer_value(size)));
	json_object_foreach(json_object_get(generation, "dynamic_sets"), name, set)
	{
		long long timeout = number_of(set, "timeout");
		char text[DURATION_TEXT_MAX];

		printf("  set %s  dynamic, %lld of %lld, timeout %s\n", name, number_of(set, "used"),
		       number_of(set, "size"), timeout ? duration_text((uint64_t)timeout, text) : "never");
	}
}

static void print_change(const json_t *change)
{
	long long generation = number_of(change, "generation");
	char then[48] = "nothing runs again";

	if (!change)
		return;
	if (number_of(change, "then"))
		snprintf(then, sizeof(then), "generation %lld comes back", number_of(change, "then"));
	if (json_is_true(json_object_get(change, "waits")))
		printf("generation %lld waits for `sluice confirm`: %lld s left, then %s\n", generation,
		       number_of(change, "seconds_left"), then);
	else if (json_object_get(change, "seconds_left"))
		printf("generation %lld was not confirmed in time; the next change clears it away\n", generation);
	else
		printf("a change was cut off; the next one settles it\n");
}

int cli_show(int argc, char **argv)
{
	struct running running;
	struct pins pins;
	struct error error;
	bool as_json = false;
	json_t *json;
	size_t index;
	json_t *interface;
	int option, err;

	while ((option = getopt(argc, argv, "j")) != -1) {
		if (option != 'j')
			return cli_usage(argv[0]);
		as_json = true;
	}
	if (argc != optind)
		return cli_usage(argv[0]);
	if (pins_open(READ, &pins, &error))
		return cli_failed(&error);
	err = running_read(&pins, &running, &error);
	json = err ? NULL : collect(&pins, &running);
	pins_close(&pins);
	if (err)
		return cli_failed(&error);

	if (as_json) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(json_object_get(json, "interfaces"), index, interface)
			print_interface(interface, running.current);
		json_array_foreach(json_object_get(json, "unguarded"), index, interface)
			print_unguarded(json_string_value(interface), &running);
		if (!running.attachment_count)
			printf("nothing of Sluice runs here\n");
		print_generation("current ", json_object_get(json, "current"));
		print_generation("previous", json_object_get(json, "previous"));
		print_change(json_object_get(json, "change"));
		if (json_is_true(json_object_get(json, "remains")))
			printf("an earlier change was cut off; the next one cleans up what it left\n");
	}
	json_decref(json);
	running_free(&running);
	return STATUS_DONE;
}

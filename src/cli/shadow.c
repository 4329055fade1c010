// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "cli/change.h"
#include "cli/cli.h"
#include "datapath/describe.h"
#include "datapath/shadow.h"
#include "packet/reason.h"
#include "sluice/prefix.h"

/* One side of a pair: what it said, why, and by which rule. */
static json_t *side_json(const struct described_interface *interface, uint8_t verdict, uint8_t reason, uint32_t slot)
{
	const struct described_rule *rule = interface ? described_rule(interface, slot) : NULL;
	json_t *json = json_pack("{s:s, s:s}", "verdict", verdict_name(verdict), "reason", reason_name(reason));

	if (rule && slot != PREFIX_NONE) {
		CLEANUP_FREE char *where = xasprintf("%s:%d", rule->file, rule->line);

		json_object_set_new(json, "rule", json_string(where));
		json_object_set_new(json, "rule_text", json_string(rule->text));
	}
	return json;
}

static json_t *interface_json(const struct description *active, const struct description *candidate,
			      const struct shadow_interface *seen)
{
	const struct described_interface *ours = described_interface(active, seen->name);
	const struct described_interface *theirs = described_interface(candidate, seen->name);
	json_t *pairs = json_array();

	for (size_t i = 0; i < seen->difference_count; i++) {
		const struct shadow_difference *difference = &seen->differences[i];
		const struct shadow_pair *pair = &difference->pair;

		json_array_append_new(
			pairs, json_pack("{s:I, s:I, s:o, s:o}", "packets", (json_int_t)difference->counter.packets,
					 "bytes", (json_int_t)difference->counter.bytes, "active",
					 side_json(ours, pair->active_verdict, pair->active_reason, pair->active_rule),
					 "candidate",
					 side_json(theirs, pair->candidate_verdict, pair->candidate_reason,
						   pair->candidate_rule)));
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "interface", seen->name, "compared",
			 (json_int_t)seen->totals[SHADOW_COMPARED].packets, "different",
			 (json_int_t)seen->totals[SHADOW_DIFFERENT].packets, "untold",
			 (json_int_t)seen->totals[SHADOW_UNTOLD].packets, "pairs", pairs);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_side(const char *who, const json_t *side)
{
	const char *rule = text_of(side, "rule");

	printf("      %-10s %-8s %s%s%s%s%s\n", who, text_of(side, "verdict"), text_of(side, "reason"),
	       rule ? "  " : "", rule ? rule : "", rule ? "  " : "", rule ? text_of(side, "rule_text") : "");
}

static void print_interface(const json_t *interface)
{
	size_t index;
	json_t *pair;

	printf("%s: %lld packet%s compared, %lld judged otherwise\n", text_of(interface, "interface"),
	       number_of(interface, "compared"), plural(number_of(interface, "compared")),
	       number_of(interface, "different"));
	json_array_foreach(json_object_get(interface, "pairs"), index, pair)
	{
		printf("  %lld packet%s, %lld byte%s\n", number_of(pair, "packets"), plural(number_of(pair, "packets")),
		       number_of(pair, "bytes"), plural(number_of(pair, "bytes")));
		print_side("active", json_object_get(pair, "active"));
		print_side("candidate", json_object_get(pair, "candidate"));
	}
	if (number_of(interface, "untold"))
		printf("  %lld packet%s more, by pairs of rules for which there was no room left\n",
		       number_of(interface, "untold"), plural(number_of(interface, "untold")));
}

/* Reads what runs and its shadow. Returns 0, or a negative errno with `error` set and nothing to free. */
static int read_shadow(struct running *running, struct shadow *shadow, struct error *error)
{
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	err = running_read(&pins, running, error);
	if (!err) {
		err = shadow_read(&pins, running->current, shadow, error);
		if (err)
			running_free(running);
	}
	pins_close(&pins);
	return err;
}

static int show(bool lines)
{
	struct running running;
	struct shadow shadow;
	struct error error;

	if (read_shadow(&running, &shadow, &error))
		return cli_failed(&error);
	if (!lines)
		printf("beside generation %u: %s\n", running.current->number, shadow.candidate.path);
	for (size_t i = 0; i < shadow.interface_count; i++) {
		json_t *json = interface_json(&running.current->description, &shadow.candidate, &shadow.interfaces[i]);

		if (lines)
			cli_print_line(json);
		else
			print_interface(json);
		json_decref(json);
	}
	shadow_free(&shadow);
	running_free(&running);
	return STATUS_DONE;
}

static int begin(const char *path)
{
	struct settled settled = { 0 };
	struct policy *policy;
	struct error error;
	int err;

	if (policy_load(path, &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	err = shadow_begin(policy, &settled, &error);
	settled_print(&settled);
	policy_free(policy);
	if (err)
		return cli_failed(&error);
	printf("%s is asked about each packet, and enforces nothing; `sluice shadow` tells where it differs\n", path);
	return STATUS_DONE;
}

static int end(void)
{
	struct settled settled = { 0 };
	struct error error;
	int err = shadow_end(&settled, &error);

	settled_print(&settled);
	if (err)
		return cli_failed(&error);
	printf("the candidate is gone\n");
	return STATUS_DONE;
}

/* True when the policy, and what is in the files of its sets, is what was watched. */
static bool is_what_was_seen(const struct policy *policy, const struct description *candidate)
{
	struct description now = describe(policy, candidate->generation, candidate->applied);
	bool same = !strcmp(now.policy, candidate->policy) && now.set_count == candidate->set_count;

	now.interface_count = 0; /* not described */
	for (size_t i = 0; i < now.set_count && same; i++)
		same = !strcmp(now.sets[i].digest, candidate->sets[i].digest);
	description_free(&now);
	return same;
}

static int promote(uint64_t confirm, bool force)
{
	struct running running;
	struct policy *policy;
	struct shadow shadow, left;
	struct error error;
	int status;

	if (read_shadow(&running, &shadow, &error))
		return cli_failed(&error);
	running_free(&running);
	if (policy_load(shadow.candidate.path, &policy, &error)) {
		shadow_free(&shadow);
		return cli_failed(&error);
	}
	if (is_what_was_seen(policy, &shadow.candidate)) {
		status = change_carry_out(policy, confirm, force);
		if (status == STATUS_DONE && !read_shadow(&running, &left, &error)) {
			/* What was watched is what runs: no reason to go on. */
			shadow_free(&left);
			running_free(&running);
			status = end();
		}
	} else {
		error_set(&error, EINVAL, "%s is not what was watched: it, or the file of a set, has changed since",
			  shadow.candidate.path);
		error_hint(&error, "watch it anew: sluice shadow %s", shadow.candidate.path);
		status = cli_failed(&error);
	}
	policy_free(policy);
	shadow_free(&shadow);
	return status;
}

int cli_shadow(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stop", no_argument, NULL, 's' },
		{ "promote", no_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ "confirm", required_argument, NULL, 'c' },
		{ 0 },
	};
	bool lines = false, stop = false, promoted = false, force = false;
	uint64_t confirm = 0;
	int option;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (!strchr("jspfc", option))
			return cli_usage(argv[0]);
		if (option == 'c' && change_read_time(optarg, &confirm))
			return STATUS_USAGE;
		lines |= option == 'j';
		stop |= option == 's';
		promoted |= option == 'p';
		force |= option == 'f';
	}
	if (argc - optind + lines + stop + promoted > 1 || ((force || confirm) && !promoted))
		return cli_usage(argv[0]);
	if (stop)
		return end();
	if (promoted)
		return promote(confirm, force);
	return optind < argc ? begin(argv[optind]) : show(lines);
}

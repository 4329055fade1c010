// SPDX-License-Identifier: BSD-2-Clause
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "cli/cli.h"
#include "cli/difference.h"
#include "cli/subject.h"
#include "packet/capture.h"
#include "packet/reason.h"

#define EXAMPLES 3 /* packets of each kind that are named */

/* Packets that the old policy judged one way and the new one another. */
struct pair {
	char *text; /* "drop  old.policy:4 from @bogons  ->  pass  default" */
	uint64_t packets;
	uint64_t examples[EXAMPLES];
};

struct comparison {
	struct subject old, new;
	bool lines;
	uint64_t packets, verdicts, rules; /* all; with another verdict; with another rule or reason only */
	struct pair *pairs;
	size_t pair_count, pair_capacity;
};

static char *canonical(const struct policy *policy)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out) {
		fprintf(stderr, "sluice: out of memory\n");
		exit(EXIT_FAILURE);
	}
	policy_print(out, policy);
	fclose(out);
	return text;
}

static bool same_prefixes(const struct prefixes *a, const struct prefixes *b)
{
	size_t size = a->count * sizeof(*a->items);
	CLEANUP_FREE struct prefix *left = xcalloc(a->count, sizeof(*left));
	CLEANUP_FREE struct prefix *right = xcalloc(a->count, sizeof(*right));

	if (a->count != b->count || !size)
		return a->count == b->count;
	memcpy(left, a->items, size);
	memcpy(right, b->items, size);
	qsort(left, a->count, sizeof(*left), prefix_compare);
	qsort(right, a->count, sizeof(*right), prefix_compare);
	for (size_t i = 0; i < a->count; i++) {
		if (prefix_compare(&left[i], &right[i]) != 0)
			return false;
	}
	return true;
}

/* The text of a set that is kept in a file does not say what is in it. */
static void print_set_files(const struct policy *old, const struct policy *new, bool lines)
{
	for (size_t i = 0; i < new->set_count; i++) {
		const struct set *set = new->sets[i];

		for (size_t j = 0; j < old->set_count; j++) {
			const struct set *was = old->sets[j];

			if (strcmp(set->name, was->name) != 0 || !set->path || !was->path ||
			    same_prefixes(&set->prefixes, &was->prefixes))
				continue;
			if (lines) {
				json_t *json = json_pack("{s:s, s:s, s:I, s:I}", "change", "content", "set", set->name,
							 "old", (json_int_t)was->prefixes.count, "new",
							 (json_int_t)set->prefixes.count);

				cli_print_line(json);
				json_decref(json);
			} else {
				printf("  ~ set %s: %zu %s, was %zu\n", set->name, set->prefixes.count,
				       cli_prefixes(set->prefixes.count), was->prefixes.count);
			}
		}
	}
}

static int compare_rules(const char *old_path, const char *new_path, bool lines, struct error *error)
{
	struct policy *old = NULL, *new = NULL;
	int err = policy_load(old_path, &old, error);

	if (!err)
		err = policy_load(new_path, &new, error);
	if (!err) {
		CLEANUP_FREE char *before = canonical(old);
		CLEANUP_FREE char *after = canonical(new);

		difference_print_moves(before, after, lines);
		print_set_files(old, new, lines);
		if (!lines && !strcmp(before, after))
			printf("the same rules\n");
	}
	policy_free(old);
	policy_free(new);
	return err;
}

/* What decided: verdict, reason, rule. */
static json_t *decision(const json_t *judged)
{
	static const char *const keys[] = { "verdict", "reason", "stage", "rule", "rule_text", "output" };
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (json_object_get(judged, keys[i]))
			json_object_set(json, keys[i], json_object_get(judged, keys[i]));
	}
	return json;
}

static bool same_value(const json_t *a, const json_t *b, const char *key)
{
	const json_t *left = json_object_get(a, key), *right = json_object_get(b, key);

	return left == right || (left && right && json_equal(left, right));
}

static char *decision_text(const json_t *judged)
{
	const char *rule = json_string_value(json_object_get(judged, "rule"));
	const char *text = json_string_value(json_object_get(judged, "rule_text"));

	return xasprintf("%s  %s%s%s", json_string_value(json_object_get(judged, "verdict")),
			 rule ? rule : json_string_value(json_object_get(judged, "reason")), rule ? "  " : "",
			 rule ? text : "");
}

static void add_pair(struct comparison *comparison, const json_t *old, const json_t *new)
{
	CLEANUP_FREE char *left = decision_text(old);
	CLEANUP_FREE char *right = decision_text(new);
	char *text = xasprintf("%s  ->  %s", left, right);
	struct pair *pair = NULL;

	for (size_t i = 0; i < comparison->pair_count && !pair; i++) {
		if (!strcmp(comparison->pairs[i].text, text))
			pair = &comparison->pairs[i];
	}
	if (pair) {
		free(text);
	} else {
		comparison->pairs = xgrow(comparison->pairs, comparison->pair_count, &comparison->pair_capacity,
					  sizeof(*comparison->pairs));
		pair = &comparison->pairs[comparison->pair_count++];
		*pair = (struct pair){ .text = text };
	}
	if (pair->packets < EXAMPLES)
		pair->examples[pair->packets] = comparison->packets;
	pair->packets++;
}

static void print_packet(const struct comparison *comparison, json_t *packet, const json_t *old, const json_t *new)
{
	static const char *const decided[] = { "verdict", "reason", "stage", "rule", "rule_text", "output" };

	json_object_set_new(packet, "packet", json_integer((json_int_t)comparison->packets));
	for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++)
		json_object_del(packet, decided[i]);
	json_object_set_new(packet, "old", decision(old));
	json_object_set_new(packet, "new", decision(new));
	cli_print_line(packet);
}

/* Rules are the same when they say the same, wherever they stand. */
static void compare(struct comparison *comparison, const json_t *old, json_t *new)
{
	bool verdict = !same_value(old, new, "verdict") || !same_value(old, new, "output");

	if (!verdict && same_value(old, new, "reason") && same_value(old, new, "rule_text"))
		return;
	comparison->verdicts += verdict;
	comparison->rules += !verdict;
	add_pair(comparison, old, new);
	if (comparison->lines) {
		json_t *packet = json_copy(new);

		print_packet(comparison, packet, old, new);
		json_decref(packet);
	}
}

static int compare_packets(struct comparison *comparison, struct capture *capture, struct error *error)
{
	struct captured packet;
	int err;

	while ((err = capture_next(capture, &packet, error)) == 1) {
		struct record record;
		json_t *old, *new;

		comparison->old.judge.time = comparison->new.judge.time = packet.time;
		old = subject_judge(&comparison->old, packet.bytes, packet.size, packet.length, &record, error);
		new = old ? subject_judge(&comparison->new, packet.bytes, packet.size, packet.length, &record, error)
			  : NULL;

		comparison->packets++;
		if (new)
			compare(comparison, old, new);
		json_decref(old);
		json_decref(new);
		if (!new)
			return -1;
	}
	return err;
}

static int compare_pairs(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	return a->packets != b->packets ? (a->packets < b->packets ? 1 : -1) : strcmp(a->text, b->text);
}

static void print_summary(struct comparison *comparison)
{
	printf("%llu packet%s: %llu with another verdict, %llu by another rule\n",
	       (unsigned long long)comparison->packets, plural(comparison->packets),
	       (unsigned long long)comparison->verdicts, (unsigned long long)comparison->rules);
	if (comparison->pair_count)
		qsort(comparison->pairs, comparison->pair_count, sizeof(*comparison->pairs), compare_pairs);
	for (size_t i = 0; i < comparison->pair_count; i++) {
		const struct pair *pair = &comparison->pairs[i];

		printf("%10llu  %s\n            packet%s", (unsigned long long)pair->packets, pair->text,
		       plural(pair->packets));
		for (uint64_t e = 0; e < pair->packets && e < EXAMPLES; e++)
			printf("%s%llu", e ? ", " : " ", (unsigned long long)pair->examples[e]);
		printf("%s\n", pair->packets > EXAMPLES ? ", …" : "");
	}
}

/* Everything is opened before anything is printed. */
static int compare_capture(const char *old, const char *new, struct capture *capture, const char *interface, bool lines,
			   struct error *error)
{
	struct comparison comparison = { .lines = lines };
	int err = subject_open_policy(old, interface, &comparison.old, error);

	if (err)
		return err;
	err = subject_open_policy(new, interface, &comparison.new, error);
	if (!err) {
		err = compare_rules(old, new, lines, error);
		if (!err)
			err = compare_packets(&comparison, capture, error);
		if (!lines && (!err || comparison.packets))
			print_summary(&comparison);
		subject_close(&comparison.new);
	}
	subject_close(&comparison.old);
	for (size_t i = 0; i < comparison.pair_count; i++)
		free(comparison.pairs[i].text);
	free(comparison.pairs);
	return err;
}

int cli_diff(int argc, char **argv)
{
	static const struct option options[] = { { "interface", required_argument, NULL, 'i' }, { 0 } };
	const char *interface = NULL;
	struct capture *capture;
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
	if (argc - optind < 2 || argc - optind > 3)
		return cli_usage(argv[0]);
	if (argc - optind == 2) {
		err = compare_rules(argv[optind], argv[optind + 1], lines, &error);
		return err ? cli_failed(&error) : STATUS_DONE;
	}
	if (capture_open(argv[optind + 2], &capture, &error))
		return cli_failed(&error);
	err = compare_capture(argv[optind], argv[optind + 1], capture, interface, lines, &error);
	capture_close(capture);
	return err ? cli_failed(&error) : STATUS_DONE;
}

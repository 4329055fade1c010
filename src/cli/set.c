// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/reload.h"
#include "datapath/members.h"
#include "datapath/running.h"
#include "policy/set_file.h"

/* What the caller wants put in or taken out. */
struct request {
	const char *name;
	struct set_entries entries;
	bool bulk; /* from standard input */
};

/* What is taken out has no time to stay. */
static int refuse_timeouts(const struct set_entries *entries, struct error *error)
{
	for (size_t i = 0; i < entries->count; i++) {
		char text[PREFIX_TEXT_MAX];

		if (entries->items[i].timeout == TIMEOUT_OF_SET)
			continue;
		error_set(error, EINVAL, "%s is to be taken out, and has a timeout",
			  prefix_print(&entries->items[i].prefix, text));
		error_hint(error, "write the prefix alone");
		return -EINVAL;
	}
	return 0;
}

static int read_input(uint64_t timeout, struct set_entries *entries, struct error *error)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;
	int err = text_read_from(STDIN_FILENO, SET_FILE_MAX, &text, &length);

	if (err)
		return error_set(error, -err, "cannot read standard input: %s", strerror(-err));
	return entries_read(entries, text, length, "stdin", timeout, error);
}

/* NAME PREFIX… [timeout TIME], or NAME - [timeout TIME]. Returns 0, or a negative errno with `error` set. */
static int parse_request(int argc, char **argv, struct request *request, struct error *error)
{
	uint64_t timeout = TIMEOUT_OF_SET;
	int err = 0;

	request->name = argv[0];
	if (argc > 3 && !strcmp(argv[argc - 2], "timeout")) {
		err = timeout_parse(argv[argc - 1], (struct location){ 0 }, &timeout, error);
		argc -= 2;
	}
	request->bulk = argc == 2 && !strcmp(argv[1], "-");
	if (!err && request->bulk)
		err = read_input(timeout, &request->entries, error);
	for (int i = 1; i < argc && !err && !request->bulk; i++) {
		struct prefix prefix;

		err = prefix_parse(argv[i], (struct location){ 0 }, &prefix, error);
		if (!err)
			entries_add(&request->entries, prefix, timeout);
	}
	entries_settle(&request->entries);
	return err;
}

static int refuse_static(const struct described_set *set, enum access access, struct error *error)
{
	error_set(error, EINVAL, "%s is a static set: %zu %s from %s", set->name, set->prefixes,
		  cli_prefixes(set->prefixes), set->file ? set->file : "the policy");
	if (access == READ)
		error_hint(error, set->file ? "its prefixes stand there, unless the file was changed since it was read"
					    : "its prefixes stand there: sluice show -j has it");
	else if (set->file)
		error_hint(error, "change the file, then: sluice set reload %s", set->name);
	else
		error_hint(error, "change the policy and apply it again");
	return -EINVAL;
}

static int refuse_unknown(const struct description *description, const char *name, struct error *error)
{
	CLEANUP_FREE const char **names = xcalloc(description->set_count, sizeof(*names));
	const char *meant;

	for (size_t i = 0; i < description->set_count; i++)
		names[i] = description->sets[i].name;
	meant = nearest(name, names, description->set_count);
	error_set(error, ENOENT, "there is no set \"%s\" in the policy that runs", name);
	if (meant)
		error_hint(error, "did you mean \"%s\"?", meant);
	else
		error_hint(error, "define it in the policy: set %s dynamic size 10000 timeout 10m",
			   strlen(name) <= SET_NAME_MAX ? name : "NAME");
	return -ENOENT;
}

static int refuse_lost(const struct description *description, const char *name, struct error *error)
{
	error_set(error, ENOENT, "set %s is in the policy, but its maps are gone", name);
	error_hint(error, "apply again: sluice apply %s", description->path);
	return -ENOENT;
}

/* Why there is no dynamic set of that name, from what the running policy says. */
static int refuse(const struct description *description, const char *name, enum access access, struct error *error)
{
	for (size_t i = 0; i < description->set_count; i++) {
		const struct described_set *set = &description->sets[i];

		if (!strcmp(set->name, name))
			return set->size ? refuse_lost(description, name, error) : refuse_static(set, access, error);
	}
	return refuse_unknown(description, name, error);
}

static int tell_missing(const char *name, enum access access, struct error *error)
{
	struct running running;
	struct pins pins;
	int err = pins_open(READ, &pins, error);

	if (err)
		return err;
	err = running_read(&pins, &running, error);
	pins_close(&pins);
	if (err)
		return err;
	if (running.current)
		err = refuse(&running.current->description, name, access, error);
	else
		err = error_set(error, ENOENT, "nothing of Sluice runs here");
	running_free(&running);
	return err;
}

static int open_set(const char *name, enum access access, struct dynamic_set *set, struct error *error)
{
	struct pins pins;
	int err = pins_open(UNLOCKED, &pins, error);

	if (err)
		return err;
	err = set_open(&pins, name, access, set, error);
	return err == -ENOENT ? tell_missing(name, access, error) : err;
}

static int add(int argc, char **argv, bool lines, struct error *error)
{
	struct request request = { 0 };
	struct dynamic_set set;
	size_t added, renewed;
	int err = parse_request(argc, argv, &request, error);

	if (!err)
		err = open_set(request.name, WRITE, &set, error);
	if (!err) {
		err = members_add(&set, &request.entries, &added, &renewed, error);
		set_close(&set);
	}
	if (!err)
		printf("set %s: %zu added, %zu renewed\n", request.name, added, renewed);
	entries_free(&request.entries);
	return err;
}

static int del(int argc, char **argv, bool lines, struct error *error)
{
	struct request request = { 0 };
	size_t removed, missing = 0;
	struct dynamic_set set;
	int err = parse_request(argc, argv, &request, error);

	if (!err)
		err = refuse_timeouts(&request.entries, error);
	if (!err)
		err = open_set(request.name, WRITE, &set, error);
	if (!err) {
		err = members_remove(&set, &request.entries, &removed, request.bulk ? &missing : NULL, error);
		set_close(&set);
	}
	if (!err && missing)
		printf("set %s: %zu deleted, %zu were not in it\n", request.name, removed, missing);
	else if (!err)
		printf("set %s: %zu deleted\n", request.name, removed);
	entries_free(&request.entries);
	return err;
}

static int flush(int argc, char **argv, bool lines, struct error *error)
{
	struct dynamic_set set;
	size_t removed;
	int err = open_set(argv[0], WRITE, &set, error);

	if (err)
		return err;
	err = members_flush(&set, &removed, error);
	set_close(&set);
	if (!err)
		printf("set %s: %zu deleted\n", argv[0], removed);
	return err;
}

/* Text in the form that `set add` reads. */
static void print_member(const struct member *member, bool lines)
{
	char prefix[PREFIX_TEXT_MAX];

	prefix_print(&member->prefix, prefix);
	if (lines) {
		json_t *json = json_pack("{s:s}", "prefix", prefix);

		if (member->seconds != TIMEOUT_NEVER)
			json_object_set_new(json, "seconds", json_integer((json_int_t)member->seconds));
		cli_print_line(json);
		json_decref(json);
	} else if (member->seconds == TIMEOUT_NEVER) {
		printf("%s timeout never\n", prefix);
	} else {
		printf("%s timeout %llus\n", prefix, (unsigned long long)member->seconds);
	}
}

static int list_one(const char *name, bool lines, struct error *error)
{
	struct dynamic_set set;
	struct members members;
	int err = open_set(name, READ, &set, error);

	if (err)
		return err;
	err = members_read(&set, &members, error);
	set_close(&set);
	if (err)
		return err;
	for (size_t i = 0; i < members.count; i++)
		print_member(&members.items[i], lines);
	members_free(&members);
	return 0;
}

static void print_static(const struct described_set *set, bool lines)
{
	if (lines) {
		json_t *json = json_pack("{s:s, s:s, s:I, s:s*}", "set", set->name, "kind", "static", "prefixes",
					 (json_int_t)set->prefixes, "file", set->file);

		cli_print_line(json);
		json_decref(json);
	} else {
		printf("%-16s static   %zu %s%s%s\n", set->name, set->prefixes, cli_prefixes(set->prefixes),
		       set->file ? " from " : "", set->file ? set->file : "");
	}
}

static int print_dynamic(const struct pins *pins, const struct described_set *described, bool lines,
			 struct error *error)
{
	char timeout[DURATION_TEXT_MAX];
	struct set_usage usage;
	int err = members_usage(pins, described->name, &usage, error);

	if (err)
		return err;
	if (lines) {
		json_t *json = json_pack("{s:s, s:s, s:o}", "set", described->name, "kind", "dynamic", "size",
					 json_integer(usage.size));

		json_object_set_new(json, "used", json_integer((json_int_t)usage.used));
		if (usage.timeout != TIMEOUT_NEVER)
			json_object_set_new(json, "timeout", json_integer((json_int_t)usage.timeout));
		cli_print_line(json);
		json_decref(json);
	} else {
		printf("%-16s dynamic  %zu of %u, timeout %s\n", described->name, usage.used, usage.size,
		       usage.timeout == TIMEOUT_NEVER ? "never" : duration_text(usage.timeout, timeout));
	}
	return 0;
}

static int print_sets(const struct pins *pins, const struct description *description, bool lines, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < description->set_count && !err; i++) {
		const struct described_set *set = &description->sets[i];

		if (set->size)
			err = print_dynamic(pins, set, lines, error);
		else
			print_static(set, lines);
	}
	return err;
}

static int list_all(const struct pins *pins, bool lines, struct error *error)
{
	struct running running;
	int err = running_read(pins, &running, error);

	if (err)
		return err;
	if (running.current)
		err = print_sets(pins, &running.current->description, lines, error);
	else
		err = error_set(error, ENOENT, "nothing of Sluice runs here");
	running_free(&running);
	return err;
}

static int list(int argc, char **argv, bool lines, struct error *error)
{
	struct pins pins;
	int err;

	if (argc)
		return list_one(argv[0], lines, error);
	err = pins_open(READ, &pins, error);
	if (err)
		return err;
	err = list_all(&pins, lines, error);
	pins_close(&pins);
	return err;
}

/* What can be done with sets. `run` gets the arguments after the action's name. */
static const struct action {
	const char *name;
	int at_least, at_most; /* arguments */
	int (*run)(int argc, char **argv, bool lines, struct error *error);
} actions[] = {
	{ "add", 2, INT_MAX, add }, { "del", 2, INT_MAX, del },	      { "list", 0, 1, list },
	{ "flush", 1, 1, flush },   { "reload", 0, INT_MAX, reload },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	}
	return NULL;
}

int cli_set(int argc, char **argv)
{
	const struct action *action;
	struct error error;
	bool lines = false;
	int option;

	while ((option = getopt(argc, argv, "j")) != -1) {
		if (option != 'j')
			return cli_usage(argv[0]);
		lines = true;
	}
	action = optind < argc ? find_action(argv[optind]) : NULL;
	optind++;
	if (!action || argc - optind < action->at_least || argc - optind > action->at_most ||
	    (lines && action->run != list))
		return cli_usage(argv[0]);
	return action->run(argc - optind, argv + optind, lines, &error) ? cli_failed(&error) : STATUS_DONE;
}

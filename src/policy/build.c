// SPDX-License-Identifier: BSD-2-Clause
#include "policy/parse.h"

#include <ctype.h>
#include <linux/if.h>
#include <string.h>

#include "base/memory.h"
#include "policy/check.h"
#include "policy/habits.h"
#include "policy/entries.h"

bool is_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
			return false;
	}
	return strlen(name) <= SET_NAME_MAX;
}

int build_set(struct parse *parse, struct location where, char *name)
{
	struct policy *policy = parse->policy;
	struct set *set = xcalloc(1, sizeof(*set));
	int err;

	set->name = name;
	set->where = where;
	set->index = policy->set_count;
	policy->sets = xgrow(policy->sets, policy->set_count, &policy->set_capacity, sizeof(*policy->sets));
	policy->sets[policy->set_count++] = set;
	parse->list = &set->prefixes;
	if (is_name(name))
		return 0;
	err = error_at(parse->error, where, "`%.80s` is not a name for a set", name);
	error_hint(parse->error,
		   "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most %d",
		   SET_NAME_MAX);
	return err;
}

void build_set_file(struct parse *parse, struct location where, char *path)
{
	struct set *set = parse->policy->sets[parse->policy->set_count - 1];

	set->path = path;
	set->path_where = where;
}

static int bad_size(struct parse *parse, struct location where, const char *text)
{
	int err = error_at(parse->error, where, "`%.80s` is not a size for a set", text);

	error_hint(parse->error, "it is how many entries the set has room for: a number from 1 to %u", SET_SIZE_MAX);
	return err;
}

int build_set_size(struct parse *parse, struct location where, char *text)
{
	struct set *set = parse->policy->sets[parse->policy->set_count - 1];
	CLEANUP_FREE char *owned = text;
	uint32_t size = 0;

	for (const char *digit = owned; *digit; digit++) {
		if (!isdigit((unsigned char)*digit))
			return bad_size(parse, where, owned);
		size = size * 10 + (uint32_t)(*digit - '0');
		if (size > SET_SIZE_MAX)
			return bad_size(parse, where, owned);
	}
	if (!size)
		return bad_size(parse, where, owned);
	set->size = size;
	return 0;
}

int build_set_timeout(struct parse *parse, struct location where, char *text)
{
	struct set *set = parse->policy->sets[parse->policy->set_count - 1];
	CLEANUP_FREE char *owned = text;

	return timeout_parse(owned, where, &set->timeout, parse->error);
}

/* dev_valid_name() in the kernel's net/core/dev.c; its isspace() counts 0xa0, the no-break space of Latin-1. */
static bool is_interface_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	return !strpbrk(name, "/: \t\n\v\f\r\xa0");
}

static int check_interface_name(const char *name, struct location where, struct error *error)
{
	int err;

	if (!is_interface_name(name)) {
		err = error_at(error, where, "`%.80s` is not a name for an interface", name);
		error_hint(error, "Linux refuses an empty name, . and .., and white space, / and : in a name");
		return err;
	}
	if (strlen(name) >= IFNAMSIZ) {
		err = error_at(error, where, "`%.80s` is too long for the name of an interface", name);
		error_hint(error, "Linux takes at most %d bytes", IFNAMSIZ - 1);
		return err;
	}
	return 0;
}

int build_interface(struct parse *parse, struct location where, char *name)
{
	struct policy *policy = parse->policy;

	policy->interfaces = xgrow(policy->interfaces, policy->interface_count, &policy->interface_capacity,
				   sizeof(*policy->interfaces));
	policy->interfaces[policy->interface_count++] = (struct interface){
		.name = name,
		.where = where,
		.mode = MODE_NATIVE,
		.fragments = FRAGMENTS_PASS,
		.malformed = VERDICT_DROP,
		.default_verdict = VERDICT_PASS,
	};
	return check_interface_name(name, where, parse->error);
}

struct interface *build_newest(struct parse *parse)
{
	return &parse->policy->interfaces[parse->policy->interface_count - 1];
}

int build_statement(struct parse *parse, struct location *place, struct location where, const char *statement)
{
	int err;

	if (!place->line) {
		*place = where;
		return 0;
	}
	err = error_at(parse->error, where, "interface %s has `%s` twice", build_newest(parse)->name, statement);
	error_hint(parse->error, "the other one is at line %d", place->line);
	return err;
}

void build_block_rule(struct parse *parse, struct location where, enum block_kind kind)
{
	struct block *block = parse->block;

	parse->addresses = NULL;
	block->rules = xgrow(block->rules, block->rule_count, &block->rule_capacity, sizeof(*block->rules));
	block->rules[block->rule_count++] = (struct block_rule){ .where = where, .kind = kind };
}

static struct target *add_target(struct parse *parse)
{
	struct block *block = parse->block;
	struct filter_addresses *addresses = parse->addresses;
	struct block_rule *rule;

	if (addresses) {
		addresses->targets =
			xgrow(addresses->targets, addresses->count, &addresses->capacity, sizeof(*addresses->targets));
		return &addresses->targets[addresses->count++];
	}
	rule = &block->rules[block->rule_count - 1];
	rule->targets = xgrow(rule->targets, rule->target_count, &rule->target_capacity, sizeof(*rule->targets));
	return &rule->targets[rule->target_count++];
}

void build_target(struct parse *parse, struct location where, char *name)
{
	struct target *target = add_target(parse);

	*target = (struct target){ .where = where, .set_name = name };
	parse->list = &target->prefixes;
}

static int add_prefix(struct parse *parse, struct location where, const char *text)
{
	struct prefix prefix;
	int err;

	err = prefix_parse(text, where, &prefix, parse->error);
	if (err)
		return err;
	parse->places = xgrow(parse->places, parse->list->count, &parse->place_capacity, sizeof(*parse->places));
	parse->places[parse->list->count] = where;
	prefixes_add(parse->list, prefix);
	return 0;
}

int build_prefix(struct parse *parse, struct location where, char *text)
{
	CLEANUP_FREE char *owned = text;

	return add_prefix(parse, where, owned);
}

int build_prefix_target(struct parse *parse, struct location where, char *text)
{
	CLEANUP_FREE char *owned = text;
	int err;

	build_target(parse, where, NULL);
	if (parse->addresses && habit_is_all(owned)) {
		err = error_at(parse->error, where, "`%s` is not an address or prefix", owned);
		error_hint(parse->error, "what a rule does not name may be anything: leave it out");
		return err;
	}
	err = add_prefix(parse, where, owned);
	if (err && is_name(owned))
		error_hint(parse->error, "if it is a set: @%s", owned);
	return err;
}

int build_list_end(struct parse *parse)
{
	return check_overlap(parse->list, parse->places, parse->error);
}

int build_later_stage(struct parse *parse, struct location where, const char *stage)
{
	int err = error_at(parse->error, where, "the %s stage is not part of this version of Sluice", stage);
	error_hint(parse->error, "this version has the block, limit, synproxy and filter stages");
	return err;
}

int build_later_established(struct parse *parse, struct location where)
{
	int err = error_at(parse->error, where, "`established` is not part of this version of Sluice");
	error_hint(parse->error, "for answers to TCP connections write: accept tcp flags ack/ack");
	return err;
}

int build_later_service(struct parse *parse, struct location where)
{
	int err = error_at(parse->error, where, "services are not part of this version of Sluice");
	error_hint(parse->error, "this version has sets and interfaces");
	return err;
}

void build_end(struct parse *parse)
{
	for (size_t i = 0; i < parse->pending_count; i++)
		free(parse->pending[i].text);
	free(parse->pending);
	free(parse->places);
	if (parse->macro)
		macro_free(parse->macro);
}

// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datapath/digest.h"
#include "datapath/program.h"

static char *canonical(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	policy_print(out, policy);
	fclose(out);
	return text;
}

/* Of a set's prefixes in the order of the file: a reordered list counts as a changed one. */
static void digest_set(const struct set *set, char *text)
{
	struct digest *digest = digest_start();

	digest_add(digest, set->prefixes.items, set->prefixes.count * sizeof(*set->prefixes.items));
	digest_finish(digest, text);
}

/* Absolute, but with its own name: set files are looked for beside a link, not beside what it leads to. */
static char *absolute(const char *path)
{
	CLEANUP_FREE char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	const char *name = slash ? path + (slash - folder) + 1 : path;
	CLEANUP_FREE char *real = NULL;

	if (slash)
		slash[slash == folder] = '\0';
	real = realpath(slash ? folder : ".", NULL);
	return real ? xasprintf("%s/%s", strcmp(real, "/") ? real : "", name) : xstrdup(path);
}

struct description describe(const struct policy *policy, unsigned generation, int64_t applied)
{
	struct description description = {
		.generation = generation,
		.applied = applied,
		.path = absolute(policy->path),
		.policy = canonical(policy),
		.interfaces = xcalloc(policy->interface_count, sizeof(*description.interfaces)),
		.interface_count = policy->interface_count,
		.sets = xcalloc(policy->set_count, sizeof(*description.sets)),
		.set_count = policy->set_count,
	};

	program_object_digest(description.object);
	for (size_t i = 0; i < policy->set_count; i++) {
		description.sets[i].name = xstrdup(policy->sets[i]->name);
		description.sets[i].file = policy->sets[i]->path ? xstrdup(policy->sets[i]->path) : NULL;
		description.sets[i].prefixes = policy->sets[i]->prefixes.count;
		description.sets[i].size = policy->sets[i]->size;
		description.sets[i].timeout = policy->sets[i]->timeout;
		digest_set(policy->sets[i], description.sets[i].digest);
	}
	return description;
}

void describe_interface(struct description *description, size_t index, const struct compiled *compiled)
{
	struct described_interface *interface = &description->interfaces[index];

	interface->name = xstrdup(compiled->interface->name);
	interface->mode = compiled->interface->mode;
	interface->rules = xcalloc(compiled->rule_count, sizeof(*interface->rules));
	interface->rule_count = compiled->rule_count;
	program_digest(compiled, interface->digest);
	for (size_t i = 0; i < compiled->rule_count; i++) {
		const struct rule *rule = &compiled->rules[i];

		interface->rules[i] = (struct described_rule){
			.text = xstrdup(rule->text),
			.file = xstrdup(rule->where.file),
			.line = rule->where.line,
			.set = rule->set ? xstrdup(rule->set) : NULL,
			.counter = rule->counter ? xstrdup(rule->counter) : NULL,
			.service = rule->service,
		};
	}
	for (size_t i = 0; i < compiled->dynamic_count; i++) {
		const struct dynamic_use *use = &compiled->dynamic[i];

		if (use->index >= DYNAMIC_BAN)
			interface->bans[use->index - DYNAMIC_BAN] = xstrdup(use->set->name);
	}
}

void describe_slots(struct description *description, size_t index, const uint32_t *slots)
{
	struct described_interface *interface = &description->interfaces[index];

	for (size_t i = 0; i < interface->rule_count; i++)
		interface->rules[i].slot = slots[i];
}

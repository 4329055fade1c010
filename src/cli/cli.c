// SPDX-License-Identifier: BSD-2-Clause
#include "cli/cli.h"

static bool names(const struct target *targets, size_t count, const struct set *set)
{
	for (size_t i = 0; i < count; i++) {
		if (targets[i].set == set)
			return true;
	}
	return false;
}

static bool is_used(const struct policy *policy, const struct set *set)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct block *block = &policy->interfaces[i].block;
		const struct synproxy *synproxy = &policy->interfaces[i].synproxy;
		const struct filter *filter = &policy->interfaces[i].filter;

		for (size_t r = 0; r < block->rule_count; r++) {
			if (names(block->rules[r].targets, block->rules[r].target_count, set))
				return true;
		}
		for (size_t r = 0; r < synproxy->rule_count; r++) {
			const struct filter_addresses *to = &synproxy->rules[r].destination;

			if (names(to->targets, to->count, set))
				return true;
		}
		for (size_t r = 0; r < filter->rule_count; r++) {
			const struct filter_rule *rule = &filter->rules[r];

			if (names(rule->source.targets, rule->source.count, set) ||
			    names(rule->destination.targets, rule->destination.count, set))
				return true;
		}
	}
	return false;
}

void cli_warn(const struct policy *policy)
{
	for (size_t i = 0; i < policy->set_count; i++) {
		const struct set *set = policy->sets[i];

		if (!set->size && !set->prefixes.count)
			fprintf(stderr, "%s:%d:%d: warning: set %s is empty\n", set->where.file, set->where.line,
				set->where.column, set->name);
		if (!is_used(policy, set))
			fprintf(stderr, "%s:%d:%d: warning: nothing uses set %s\n", set->where.file, set->where.line,
				set->where.column, set->name);
	}
	settings_warn(policy);
}

void cli_print_line(const json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}

int cli_failed(const struct error *error)
{
	fflush(stdout);
	error_print(stderr, error);
	return STATUS_FAILED;
}

const char *cli_prefixes(size_t count)
{
	return count == 1 ? "prefix" : "prefixes";
}

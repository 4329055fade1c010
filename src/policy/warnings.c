// SPDX-License-Identifier: BSD-2-Clause
#include "policy/warnings.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/memory.h"
#include "policy/limit_units.h"
#include "policy/macro.h"
#include "sluice/limit.h"

/* What a gigabit a second is at most: frames of 64 bytes, with the 20 bytes that are between frames; frames of 1518. */
#define FLOOD_PACKETS 1488095
#define FLOOD_BYTES 123000000

#define STAGES 2

/* The limits and the filter. */
static const struct filter_list *list_of(const struct interface *interface, int stage)
{
	return stage ? &interface->filter : &interface->limit;
}

static bool names(const struct target *targets, size_t count, const struct set *set)
{
	for (size_t i = 0; i < count; i++) {
		if (targets[i].set == set)
			return true;
	}
	return false;
}

static bool rules_use(const struct filter_list *list, const struct set *set)
{
	for (size_t r = 0; r < list->rule_count; r++) {
		const struct filter_rule *rule = &list->rules[r];

		if (names(rule->source.targets, rule->source.count, set) ||
		    names(rule->destination.targets, rule->destination.count, set) ||
		    (rule->limit.ban && rule->limit.ban->set == set))
			return true;
	}
	return false;
}

static bool services_use(const struct synproxy *synproxy, const struct set *set)
{
	for (size_t r = 0; r < synproxy->rule_count; r++) {
		const struct filter_addresses *to = &synproxy->rules[r].destination;

		if (names(to->targets, to->count, set))
			return true;
	}
	return false;
}

static bool is_used(const struct policy *policy, const struct set *set)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct block *block = &policy->interfaces[i].block;

		for (size_t r = 0; r < block->rule_count; r++) {
			if (names(block->rules[r].targets, block->rules[r].target_count, set))
				return true;
		}
		if (services_use(&policy->interfaces[i].synproxy, set))
			return true;
		for (int stage = 0; stage < STAGES; stage++) {
			if (rules_use(list_of(&policy->interfaces[i], stage), set))
				return true;
		}
	}
	return false;
}

static bool drops_from(const struct interface *interface, const struct set *set)
{
	for (size_t r = 0; r < interface->block.rule_count; r++) {
		const struct block_rule *rule = &interface->block.rules[r];

		if (rule->kind == BLOCK_FROM && names(rule->targets, rule->target_count, set))
			return true;
	}
	for (size_t r = 0; r < interface->filter.rule_count; r++) {
		const struct filter_rule *rule = &interface->filter.rules[r];

		if (rule->verb != FILTER_ACCEPT && !rule->source.negated &&
		    names(rule->source.targets, rule->source.count, set))
			return true;
	}
	return false;
}

static bool is_dropped(const struct policy *policy, const struct set *set)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		if (drops_from(&policy->interfaces[i], set))
			return true;
	}
	return false;
}

/* Once for each set: whoever is in it by mistake, or in whose name somebody else has sent, is there until somebody
 * looks. */
static void warn_endless(const struct filter_list *list, bool *told, policy_warning *warning, void *context)
{
	for (size_t r = 0; r < list->rule_count; r++) {
		const struct filter_limit *limit = &list->rules[r].limit;
		CLEANUP_FREE char *text = NULL;

		if (!limit->ban || limit->ban_time || limit->ban->set->timeout || told[limit->ban->set->index])
			continue;
		told[limit->ban->set->index] = true;
		text = xasprintf("bans into @%s have no end; write one: ban @%s 10m", limit->ban->set_name,
				 limit->ban->set_name);
		warning(&limit->ban->where, text, context);
	}
}

static bool has_value(const struct filter_values *values, uint64_t value)
{
	bool found = !values->count;

	for (size_t i = 0; i < values->count && !found; i++)
		found = values->ranges[i].low <= value && value <= values->ranges[i].high;
	return found != (values->count && values->negated);
}

/* Whether a limit is about the SYNs of a service, and of everybody: what is over it comes no further. */
static bool holds_syns_of(const struct filter_rule *rule, const struct synproxy_rule *service)
{
	const struct filter_limit *limit = &rule->limit;

	if (limit_is_in_bytes(limit) || limit->per == FILTER_PER_SOURCE || limit->per == FILTER_PER_SOURCE_DPORT)
		return false;
	if (rule->source.where.line || rule->destination.where.line || rule->fragment_where.line)
		return false;
	if (rule->flags_where.line && (TH_SYN & rule->flags_mask) != rule->flags)
		return false;
	return has_value(&rule->fields[FILTER_FIELD_PROTOCOL], IPPROTO_TCP) && !service->destination.where.line &&
	       service->ports.count && has_value(&rule->fields[FILTER_FIELD_DPORT], service->ports.ranges[0].low);
}

/* The synproxy sees what the limits let through. */
static void warn_unarmed(const struct interface *interface, policy_warning *warning, void *context)
{
	for (size_t s = 0; s < interface->synproxy.rule_count; s++) {
		const struct synproxy_rule *service = &interface->synproxy.rules[s];

		for (size_t r = 0; r < interface->limit.rule_count; r++) {
			const struct filter_rule *rule = &interface->limit.rules[r];
			uint64_t rate = rule->limit.rate / (limit_units[rule->limit.unit].seconds ?: 1);
			CLEANUP_FREE char *text = NULL;

			if (!holds_syns_of(rule, service))
				continue;
			if (rate >= service->above)
				break;
			text = xasprintf("nothing arms this service: the limit of line %d lets %" PRIu64
					 " SYNs a second through",
					 rule->where.line, rate);
			warning(&service->above_where, text, context);
			break;
		}
	}
}

/* Once for each set. */
static void warn_bans(const struct policy *policy, const struct filter_list *list, bool *told, policy_warning *warning,
		      void *context)
{
	for (size_t r = 0; r < list->rule_count; r++) {
		const struct target *ban = list->rules[r].limit.ban;
		CLEANUP_FREE char *text = NULL;

		if (!ban || told[ban->set->index] || is_dropped(policy, ban->set))
			continue;
		told[ban->set->index] = true;
		text = xasprintf("sources are banned into @%s, but nothing drops what is from it; write in a block: "
				 "from @%s",
				 ban->set_name, ban->set_name);
		warning(&ban->where, text, context);
	}
}

static void warn_macros(const struct policy *policy, policy_warning *warning, void *context)
{
	for (size_t i = 0; i < policy->macro_count; i++) {
		const struct macro *macro = policy->macros[i];
		CLEANUP_FREE char *text = xasprintf("nothing uses macro %s", macro->name);

		if (!macro->ready && !macro->used)
			warning(&macro->where, text, context);
	}
}

void policy_warn(const struct policy *policy, policy_warning *warning, void *context)
{
	CLEANUP_FREE bool *told = xcalloc(policy->set_count, sizeof(*told));
	CLEANUP_FREE bool *endless = xcalloc(policy->set_count, sizeof(*endless));

	for (size_t i = 0; i < policy->set_count; i++) {
		const struct set *set = policy->sets[i];
		CLEANUP_FREE char *empty = xasprintf("set %s is empty", set->name);
		CLEANUP_FREE char *unused = xasprintf("nothing uses set %s", set->name);

		if (!set->size && !set->prefixes.count)
			warning(&set->where, empty, context);
		if (!is_used(policy, set))
			warning(&set->where, unused, context);
	}
	warn_macros(policy, warning, context);
	for (size_t i = 0; i < policy->interface_count; i++) {
		for (int stage = 0; stage < STAGES; stage++) {
			const struct filter_list *list = list_of(&policy->interfaces[i], stage);

			warn_bans(policy, list, told, warning, context);
			warn_endless(list, endless, warning, context);
		}
		warn_unarmed(&policy->interfaces[i], warning, context);
	}
}

/* Keys of random sources, or what stands for them: addresses share cells where there are more of them. */
static uint64_t keys_of(const struct filter_rule *rule)
{
	int version = rule->family == FILTER_FAMILY_IPV6 ? 6 : 4;
	uint8_t length = limit_length(rule, version);

	return length < 32 && 1U << length < LIMIT_CELLS ? 1U << length : LIMIT_CELLS;
}

/* Packets or bytes a second that use the limit up for every key. */
static uint64_t flood_of(const struct filter_rule *rule)
{
	const struct limit_unit_row *unit = &limit_units[rule->limit.unit];

	return limit_amount(&rule->limit) * keys_of(rule) / (unit->bytes ? 1 : unit->seconds);
}

/* Who can send from sources that are not his own: not where the rule is about certain ones. */
static bool is_open(const struct filter_rule *rule)
{
	return !rule->source.where.line || rule->source.negated;
}

void policy_warn_slow(const struct interface *interface, policy_warning *warning, void *context)
{
	for (int stage = 0; stage < STAGES; stage++) {
		const struct filter_list *list = list_of(interface, stage);

		for (size_t r = 0; r < list->rule_count; r++) {
			const struct filter_rule *rule = &list->rules[r];
			bool in_bytes = limit_is_in_bytes(&rule->limit);
			CLEANUP_FREE char *text = NULL;

			if (!rule->limit.where.line || !is_open(rule) ||
			    (rule->limit.per != FILTER_PER_SOURCE && rule->limit.per != FILTER_PER_SOURCE_DPORT) ||
			    flood_of(rule) > (in_bytes ? FLOOD_BYTES : FLOOD_PACKETS))
				continue;
			text = xasprintf("so slow a limit per source holds everybody back once a flood from random "
					 "sources brings some %" PRIu64 " %s a second",
					 flood_of(rule), in_bytes ? "bytes" : "packets");
			warning(&rule->limit.per_where, text, context);
		}
	}
}

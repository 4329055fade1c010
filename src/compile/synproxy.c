// SPDX-License-Identifier: BSD-2-Clause
#include "compile/synproxy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/prefixes.h"

#define NANOSECONDS 1000000000ULL

/* Prefixes that cover one another, the widest first; at most one of each length. */
#define NESTING_MAX (128 + 1)

/* A prefix and the services that have it as address, a bit each. */
struct held {
	struct prefix prefix;
	uint64_t services;
};

struct helds {
	struct held *items;
	size_t count, capacity;
};

/* FNV-1a (RFC 9923): nobody gains by two services with one key. */
static uint64_t key_of(const struct synproxy_rule *rule)
{
	CLEANUP_FREE char *text = synproxy_service_text(rule);
	uint64_t key = 0xcbf29ce484222325;

	for (const char *at = text; *at; at++)
		key = (key ^ (uint8_t)*at) * 0x100000001b3;
	return key ? key : 1; /* 0 is nobody's */
}

static void add_rule(struct compiled *out, const struct synproxy_rule *rule)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	synproxy_print_rule(stream, rule);
	fclose(stream);
	out->rules = xgrow(out->rules, out->rule_count, &out->rule_capacity, sizeof(*out->rules));
	out->rules[out->rule_count++] = (struct rule){
		.text = text,
		.where = rule->where,
		.service = key_of(rule),
	};
}

static void add_ports(struct synproxy_services *services, const struct filter_values *ports, uint64_t bit)
{
	for (size_t i = 0; i < ports->count; i++) {
		for (uint32_t port = ports->ranges[i].low; port <= ports->ranges[i].high; port++)
			services->ports[port] |= bit;
	}
}

static void hold(struct helds families[2], const struct filter_addresses *to, uint64_t bit)
{
	for (size_t t = 0; t < to->count; t++) {
		const struct prefixes *prefixes = target_prefixes(&to->targets[t]);

		for (size_t i = 0; i < prefixes->count; i++) {
			struct helds *helds = &families[prefixes->items[i].version == 6];

			helds->items = xgrow(helds->items, helds->count, &helds->capacity, sizeof(*helds->items));
			helds->items[helds->count++] = (struct held){ prefixes->items[i], bit };
		}
	}
}

static int compare(const void *left, const void *right)
{
	const struct held *a = left, *b = right;

	return prefix_compare(&a->prefix, &b->prefix);
}

/* The number of that mask; SYNPROXY_MASKS_MAX when there are so many already. */
static uint32_t mask_number(struct compiled_synproxy *synproxy, uint64_t services)
{
	for (size_t i = 0; i < synproxy->mask_count; i++) {
		if (synproxy->masks[i] == services)
			return i;
	}
	if (synproxy->mask_count == SYNPROXY_MASKS_MAX)
		return SYNPROXY_MASKS_MAX;
	synproxy->masks =
		xgrow(synproxy->masks, synproxy->mask_count, &synproxy->mask_capacity, sizeof(*synproxy->masks));
	synproxy->masks[synproxy->mask_count] = services;
	return synproxy->mask_count++;
}

/* Each prefix gets the services of all prefixes that cover it, as the longest match has to answer for all. */
static int fill_table(struct compiled *out, struct helds *helds, enum table table, struct error *error)
{
	struct held covering[NESTING_MAX];
	size_t depth = 0;

	if (helds->count)
		qsort(helds->items, helds->count, sizeof(*helds->items), compare);
	for (size_t i = 0; i < helds->count;) {
		struct held held = helds->items[i++];
		uint32_t number;

		while (i < helds->count && !prefix_compare(&helds->items[i].prefix, &held.prefix))
			held.services |= helds->items[i++].services;
		while (depth && !prefix_covers(&covering[depth - 1].prefix, &held.prefix))
			depth--;
		if (depth)
			held.services |= covering[depth - 1].services;
		if (depth && held.services == covering[depth - 1].services)
			continue;
		covering[depth++] = held;
		number = mask_number(&out->synproxy, held.services);
		if (number == SYNPROXY_MASKS_MAX)
			return error_at(error, out->interface->synproxy.where,
					"interface \"%s\": the addresses of its services overlap in more than %d ways",
					out->interface->name, SYNPROXY_MASKS_MAX);
		prefix_table_add(&out->tables[table], held.prefix, number);
	}
	return 0;
}

int compile_synproxy(struct compiled *out, struct error *error)
{
	const struct synproxy *synproxy = &out->interface->synproxy;
	struct helds families[2] = { 0 };
	int err;

	out->synproxy.first = out->rule_count;
	out->synproxy.count = synproxy->rule_count;
	if (!synproxy->rule_count)
		return 0;
	out->synproxy.services = xcalloc(1, sizeof(*out->synproxy.services));
	for (size_t i = 0; i < synproxy->rule_count; i++) {
		const struct synproxy_rule *rule = &synproxy->rules[i];
		uint64_t bit = 1ULL << i;

		add_rule(out, rule);
		add_ports(out->synproxy.services, &rule->ports, bit);
		if (rule->destination.where.line)
			hold(families, &rule->destination, bit);
		else
			out->config.synproxy_any |= bit;
		out->synproxy.services->items[i] = (struct synproxy_service){
			.interval = rule->above ? NANOSECONDS / rule->above : 0,
			.gateway = rule->gateway,
		};
		out->config.synproxy |= rule->gateway ? SYNPROXY_GATEWAY : SYNPROXY_HOST;
		out->synproxy.is_ever_disarmed |= rule->above > 0;
	}
	err = fill_table(out, &families[0], TABLE_SYNPROXY_DEST4, error);
	if (!err)
		err = fill_table(out, &families[1], TABLE_SYNPROXY_DEST6, error);
	free(families[0].items);
	free(families[1].items);
	return err;
}

bool synproxy_is_reached(const struct compiled *compiled, size_t number)
{
	uint64_t bit = 1ULL << number;
	uint64_t before = compiled->config.synproxy_any & (bit - 1);

	for (size_t port = 0; port < 65536; port++) {
		uint64_t services = compiled->synproxy.services->ports[port];

		if (services & bit && !(services & before))
			return true;
	}
	return false;
}

void compiled_synproxy_free(struct compiled_synproxy *synproxy)
{
	free(synproxy->services);
	free(synproxy->masks);
}

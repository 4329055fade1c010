// SPDX-License-Identifier: BSD-2-Clause
#include "compile/compile.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/lists.h"
#include "compile/prefixes.h"
#include "compile/synproxy.h"
#include "sluice/counter.h"

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_BLOCK_SOURCE4] = "block_source4",   [TABLE_BLOCK_SOURCE6] = "block_source6",
	[TABLE_BLOCK_DEST4] = "block_dest4",	   [TABLE_BLOCK_DEST6] = "block_dest6",
	[TABLE_FILTER_SOURCE4] = "filter_source4", [TABLE_FILTER_SOURCE6] = "filter_source6",
	[TABLE_FILTER_DEST4] = "filter_dest4",	   [TABLE_FILTER_DEST6] = "filter_dest6",
	[TABLE_SYNPROXY_DEST4] = "synproxy_dest4", [TABLE_SYNPROXY_DEST6] = "synproxy_dest6",
};

const char *table_name(enum table table)
{
	return table_names[table];
}

static char *target_text(enum block_kind kind, const struct target *target)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	policy_print_target(out, kind, target);
	fclose(out);
	return text;
}

static uint32_t add_rule(struct compiled *out, const struct block_rule *statement, const struct target *target)
{
	out->rules = xgrow(out->rules, out->rule_count, &out->rule_capacity, sizeof(*out->rules));
	out->rules[out->rule_count] = (struct rule){
		.text = target_text(statement->kind, target),
		.where = statement->where,
		.set = target->set_name,
	};
	return out->rule_count++;
}

static void add_prefixes(struct compiled *out, const struct prefixes *prefixes, bool source, bool destination,
			 uint32_t value)
{
	for (size_t i = 0; i < prefixes->count; i++) {
		struct prefix prefix = prefixes->items[i];
		bool v4 = prefix.version == 4;

		if (source)
			prefix_table_add(&out->tables[v4 ? TABLE_BLOCK_SOURCE4 : TABLE_BLOCK_SOURCE6], prefix, value);
		if (destination)
			prefix_table_add(&out->tables[v4 ? TABLE_BLOCK_DEST4 : TABLE_BLOCK_DEST6], prefix, value);
	}
}

/* An exception is of use only where something could block: by its source, also before the destination is looked up. */
static void drop_idle(struct compiled *out)
{
	bool blocks[TABLE_COUNT] = {
		[TABLE_BLOCK_SOURCE4] = out->config.from_sets,
		[TABLE_BLOCK_SOURCE6] = out->config.from_sets,
		[TABLE_BLOCK_DEST4] = out->config.to_sets,
		[TABLE_BLOCK_DEST6] = out->config.to_sets,
	};

	for (int t = 0; t < TABLE_COUNT; t++) {
		for (size_t i = 0; i < out->tables[t].count && !blocks[t]; i++)
			blocks[t] = out->tables[t].entries[i].value != PREFIX_EXCEPT;
	}
	if (!out->rule_count) {
		out->config.except_sets = 0;
		out->dynamic_count = 0;
	}
	if (!blocks[TABLE_BLOCK_DEST4])
		prefix_table_free(&out->tables[TABLE_BLOCK_DEST4]);
	if (!blocks[TABLE_BLOCK_DEST6])
		prefix_table_free(&out->tables[TABLE_BLOCK_DEST6]);
	if (!blocks[TABLE_BLOCK_SOURCE4] && !blocks[TABLE_BLOCK_DEST4])
		prefix_table_free(&out->tables[TABLE_BLOCK_SOURCE4]);
	if (!blocks[TABLE_BLOCK_SOURCE6] && !blocks[TABLE_BLOCK_DEST6])
		prefix_table_free(&out->tables[TABLE_BLOCK_SOURCE6]);
}

static void add_static(struct compiled *out, const struct block_rule *statement, const struct target *target)
{
	const struct prefixes *prefixes = target_prefixes(target);

	if (statement->kind == BLOCK_EXCEPT)
		add_prefixes(out, prefixes, true, true, PREFIX_EXCEPT);
	else
		add_prefixes(out, prefixes, statement->kind == BLOCK_FROM, statement->kind == BLOCK_TO,
			     add_rule(out, statement, target));
}

static int too_many_sets(const struct compiled *out, const struct block_rule *statement, const struct target *target,
			 struct error *error)
{
	error_at(error, target->where, "interface %s has more than %d dynamic sets in `%s`", out->interface->name,
		 DYNAMIC_MAX, block_kind_name(statement->kind));
	error_hint(error, "each is looked up for each packet; put what they hold into fewer sets");
	return -EINVAL;
}

static int add_dynamic(struct compiled *out, const struct block_rule *statement, const struct target *target,
		       struct error *error)
{
	const struct {
		uint8_t *count;
		uint32_t *rules; /* NULL: not counted */
		uint32_t first;
	} kinds[] = {
		[BLOCK_EXCEPT] = { &out->config.except_sets, NULL, DYNAMIC_EXCEPT },
		[BLOCK_FROM] = { &out->config.from_sets, out->config.from_rules, DYNAMIC_FROM },
		[BLOCK_TO] = { &out->config.to_sets, out->config.to_rules, DYNAMIC_TO },
	};
	uint8_t *count = kinds[statement->kind].count;

	if (*count == DYNAMIC_MAX)
		return too_many_sets(out, statement, target, error);
	out->dynamic[out->dynamic_count++] = (struct dynamic_use){
		.set = target->set,
		.index = kinds[statement->kind].first + *count,
	};
	if (kinds[statement->kind].rules)
		kinds[statement->kind].rules[*count] = add_rule(out, statement, target);
	(*count)++;
	return 0;
}

static int compile_block(struct compiled *out, const struct block *block, struct error *error)
{
	for (size_t r = 0; r < block->rule_count; r++) {
		const struct block_rule *statement = &block->rules[r];

		for (size_t t = 0; t < statement->target_count; t++) {
			const struct target *target = &statement->targets[t];
			int err = 0;

			if (target->set && target->set->size)
				err = add_dynamic(out, statement, target, error);
			else
				add_static(out, statement, target);
			if (err)
				return err;
		}
	}
	for (int t = 0; t < TABLE_COUNT; t++)
		prefix_table_settle(&out->tables[t]);
	drop_idle(out);
	return 0;
}

/* Of the block, or of whose rules name the sets in a table. */
static struct location where_of_tables(const struct interface *interface, enum table table)
{
	if (table < TABLE_FILTER_SOURCE4)
		return interface->block.where;
	if (table >= TABLE_SYNPROXY_DEST4)
		return interface->synproxy.where;
	return interface->filter.rule_count ? interface->filter.where : interface->limit.where;
}

static int build_images(struct compiled *out, struct error *error)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		bool v4 = t == TABLE_BLOCK_SOURCE4 || t == TABLE_BLOCK_DEST4 || t == TABLE_FILTER_SOURCE4 ||
			  t == TABLE_FILTER_DEST4 || t == TABLE_SYNPROXY_DEST4;
		struct location where = where_of_tables(out->interface, t);
		int err = (v4 ? image_build4 : image_build6)(&out->tables[t], &out->images[t]);

		if (err == -E2BIG)
			return error_at(error, where, "interface \"%s\": %zu prefixes are more than a table can hold",
					out->interface->name, out->tables[t].count);
		if (err)
			return error_at(error, where,
					"interface \"%s\": %zu prefixes cannot be made into a table: too many have the "
					"same hash, whatever its seed",
					out->interface->name, out->tables[t].count);
	}
	return 0;
}

/* The verifier walks what is inline once for each way that leads there, and a box with an extra is a way of its own. */
static bool is_large(const struct classifier_layout *layout)
{
	return layout->group_count * (layout->extras_mask ? 2 : 1) > CLASSIFIER_INLINE;
}

static int build_classifiers(struct compiled *out, struct compiled_list *list, struct location where, unsigned *spare,
			     struct error *error)
{
	int err = classifier_build(&list->matches4, 4, spare, &list->classifier4, error);

	if (!err)
		err = classifier_build(&list->matches6, 6, spare, &list->classifier6, error);
	if (err) {
		const struct error why = *error;

		return error_at(error, where, "interface \"%s\": %s", out->interface->name, why.what);
	}
	return 0;
}

int compile(const struct interface *interface, struct compiled *out, struct error *error)
{
	unsigned spare = CLASSIFIER_SPARE;
	int err;

	*out = (struct compiled){ .interface = interface };
	err = compile_block(out, &interface->block, error);
	if (err)
		return err;
	if (out->rule_count > RULES_MAX) {
		error_at(error, interface->block.where, "interface \"%s\" has %zu block rules; the limit is %d",
			 interface->name, out->rule_count, RULES_MAX);
		error_hint(error, "put the prefixes into a set: a set of any size is one rule");
		return -EINVAL;
	}
	err = compile_synproxy(out, error);
	if (!err)
		err = compile_lists(out, error);
	if (err)
		return err;
	err = build_images(out, error);
	if (!err)
		err = build_classifiers(out, &out->limit, interface->limit.where, &spare, error);
	if (!err)
		err = build_classifiers(out, &out->filter, interface->filter.where, &spare, error);
	if (err)
		return err;
	out->config.limit4 = out->limit.classifier4.layout;
	out->config.limit6 = out->limit.classifier6.layout;
	out->config.classifier4 = out->filter.classifier4.layout;
	out->config.classifier6 = out->filter.classifier6.layout;
	if (is_large(&out->config.classifier4) || is_large(&out->config.classifier6))
		out->config.filter_needs |= FILTER_NEEDS_APART;
	out->config.log_drops = interface->log_drops;
	out->config.default_verdict = interface->default_verdict;
	out->config.malformed_pass = interface->malformed == VERDICT_PASS;
	out->config.fragments_drop = interface->fragments == FRAGMENTS_DROP;
	out->config.fragments_track = interface->fragments == FRAGMENTS_TRACK;
	out->config.block_source4 = out->images[TABLE_BLOCK_SOURCE4].layout;
	out->config.block_source6 = out->images[TABLE_BLOCK_SOURCE6].layout;
	out->config.block_dest4 = out->images[TABLE_BLOCK_DEST4].layout;
	out->config.block_dest6 = out->images[TABLE_BLOCK_DEST6].layout;
	out->config.filter_source4 = out->images[TABLE_FILTER_SOURCE4].layout;
	out->config.filter_source6 = out->images[TABLE_FILTER_SOURCE6].layout;
	out->config.filter_dest4 = out->images[TABLE_FILTER_DEST4].layout;
	out->config.filter_dest6 = out->images[TABLE_FILTER_DEST6].layout;
	out->config.synproxy_dest4 = out->images[TABLE_SYNPROXY_DEST4].layout;
	out->config.synproxy_dest6 = out->images[TABLE_SYNPROXY_DEST6].layout;
	return 0;
}

static void list_free(struct compiled_list *list)
{
	free(list->actions);
	free(list->more);
	free(list->matches4.items);
	free(list->matches6.items);
	classifier_free(&list->classifier4);
	classifier_free(&list->classifier6);
}

void compiled_free(struct compiled *compiled)
{
	for (size_t i = 0; i < compiled->rule_count; i++)
		free(compiled->rules[i].text);
	free(compiled->rules);
	compiled_synproxy_free(&compiled->synproxy);
	list_free(&compiled->limit);
	list_free(&compiled->filter);
	for (int t = 0; t < TABLE_COUNT; t++) {
		prefix_table_free(&compiled->tables[t]);
		image_free(&compiled->images[t]);
	}
	*compiled = (struct compiled){ 0 };
}

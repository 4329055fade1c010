// SPDX-License-Identifier: BSD-2-Clause
#include "compile/compile.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/prefixes.h"
#include "sluice/counter.h"

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_BLOCK_SOURCE4] = "block_source4",
	[TABLE_BLOCK_SOURCE6] = "block_source6",
	[TABLE_BLOCK_DEST4] = "block_dest4",
	[TABLE_BLOCK_DEST6] = "block_dest6",
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
static void drop_idle_tables(struct compiled *out)
{
	bool blocks[TABLE_COUNT] = { false };

	for (int t = 0; t < TABLE_COUNT; t++) {
		for (size_t i = 0; i < out->tables[t].count && !blocks[t]; i++)
			blocks[t] = out->tables[t].entries[i].value != PREFIX_EXCEPT;
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

static void compile_block(struct compiled *out, const struct block *block)
{
	for (size_t r = 0; r < block->rule_count; r++) {
		const struct block_rule *statement = &block->rules[r];

		for (size_t t = 0; t < statement->target_count; t++) {
			const struct target *target = &statement->targets[t];
			const struct prefixes *prefixes = target_prefixes(target);

			if (statement->kind == BLOCK_EXCEPT)
				add_prefixes(out, prefixes, true, true, PREFIX_EXCEPT);
			else
				add_prefixes(out, prefixes, statement->kind == BLOCK_FROM, statement->kind == BLOCK_TO,
					     add_rule(out, statement, target));
		}
	}
	for (int t = 0; t < TABLE_COUNT; t++)
		prefix_table_settle(&out->tables[t]);
	drop_idle_tables(out);
}

static int build_images(struct compiled *out, struct error *error)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		bool v4 = t == TABLE_BLOCK_SOURCE4 || t == TABLE_BLOCK_DEST4;
		int err = (v4 ? image_build4 : image_build6)(&out->tables[t], &out->images[t]);

		if (err)
			return error_at(error, out->interface->block.where,
					"interface \"%s\": %zu prefixes are more than a table can hold",
					out->interface->name, out->tables[t].count);
	}
	return 0;
}

int compile(const struct interface *interface, struct compiled *out, struct error *error)
{
	int err;

	*out = (struct compiled){ .interface = interface };
	compile_block(out, &interface->block);
	if (out->rule_count > RULES_MAX) {
		error_at(error, interface->block.where, "interface \"%s\" has %zu block rules; the limit is %d",
			 interface->name, out->rule_count, RULES_MAX);
		error_hint(error, "put the prefixes into a set: a set of any size is one rule");
		return -EINVAL;
	}
	err = build_images(out, error);
	if (err)
		return err;
	out->config = (struct config){
		.default_verdict = interface->default_verdict,
		.malformed_pass = interface->malformed == VERDICT_PASS,
		.fragments_drop = interface->fragments == VERDICT_DROP,
		.block_source4 = out->images[TABLE_BLOCK_SOURCE4].layout,
		.block_source6 = out->images[TABLE_BLOCK_SOURCE6].layout,
		.block_dest4 = out->images[TABLE_BLOCK_DEST4].layout,
		.block_dest6 = out->images[TABLE_BLOCK_DEST6].layout,
	};
	return 0;
}

void compiled_free(struct compiled *compiled)
{
	for (size_t i = 0; i < compiled->rule_count; i++)
		free(compiled->rules[i].text);
	free(compiled->rules);
	for (int t = 0; t < TABLE_COUNT; t++) {
		prefix_table_free(&compiled->tables[t]);
		image_free(&compiled->images[t]);
	}
	*compiled = (struct compiled){ 0 };
}

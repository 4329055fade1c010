// SPDX-License-Identifier: BSD-2-Clause
/* Macros, defined and used, as the parser reads them. */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "policy/parse.h"

/* Rules go there from now on. */
static void begin_stage(struct parse *parse, enum macro_stage stage, struct location where, struct block *block,
			struct filter_list *rules)
{
	parse->stage = stage;
	parse->stage_where = where;
	parse->block = block;
	parse->rules = rules;
	parse->rule_line = 0;
}

int build_stage(struct parse *parse, enum macro_stage stage, struct location where)
{
	struct interface *interface = build_newest(parse);
	struct filter_list *rules = stage == MACRO_LIMIT ? &interface->limit : &interface->filter;
	struct location *place = stage == MACRO_BLOCK ? &interface->block.where : &rules->where;

	begin_stage(parse, stage, where, &interface->block, rules);
	return build_statement(parse, place, where, macro_stage_name(stage));
}

static int refuse_name(struct parse *parse, const struct macro *macro)
{
	int err = error_at(parse->error, macro->where, "`%.80s` is not a name for a macro", macro->name);

	error_hint(parse->error,
		   "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most %d",
		   SET_NAME_MAX);
	return err;
}

int build_macro(struct parse *parse, struct location where, char *name)
{
	struct macro *macro = xcalloc(1, sizeof(*macro));

	macro->name = name;
	macro->where = where;
	macro->ready = parse->ready;
	parse->macro = macro;
	return is_name(name) ? 0 : refuse_name(parse, macro);
}

static int refuse_second(struct parse *parse, const struct macro *macro, const struct macro *other)
{
	int err;

	if (other->ready && !macro->ready) {
		err = error_at(parse->error, macro->where, "%s is one of the ready macros", macro->name);
		error_hint(parse->error, "`sluice defences %s` prints it; give this one another name, as my-%s",
			   macro->name, macro->name);
		return err;
	}
	err = error_at(parse->error, macro->where, "macro %s is defined twice for %s", macro->name,
		       macro_stage_name(macro->stage));
	error_hint(parse->error, "the other one is at line %d", other->where.line);
	return err;
}

int build_macro_begin(struct parse *parse, enum macro_stage stage)
{
	struct macro *macro = parse->macro;

	macro->stage = stage;
	begin_stage(parse, stage, macro->where, &macro->block, &macro->rules);
	for (int s = 0; s < MACRO_STAGES; s++) {
		const struct macro *other = macro_find(parse->policy, macro->name, (enum macro_stage)s);

		/* The name of a ready one is taken for all stages: who reads it is to know what it does. */
		if (other && (s == (int)stage || (other->ready && !macro->ready)))
			return refuse_second(parse, macro, other);
	}
	return 0;
}

int build_macro_end(struct parse *parse)
{
	struct policy *policy = parse->policy;
	struct macro *macro = parse->macro;
	int err;

	if (!macro->block.rule_count && !macro->rules.rule_count) {
		err = error_at(parse->error, macro->where, "macro %s has no rules", macro->name);
		error_hint(parse->error, "write what it stands for: macro %s { drop tcp flags syn,fin }", macro->name);
		return err;
	}
	policy->macros = xgrow(policy->macros, policy->macro_count, &policy->macro_capacity, sizeof(*policy->macros));
	policy->macros[policy->macro_count++] = macro;
	parse->macro = NULL;
	return 0;
}

static const struct macro *find_for_another(const struct parse *parse, const char *name)
{
	const struct macro *other = NULL;

	for (int s = 0; s < MACRO_STAGES && !other; s++)
		other = macro_find(parse->policy, name, (enum macro_stage)s);
	return other;
}

/* The macro nearest to this name, of those that could stand here. */
static const char *nearest_macro(const struct parse *parse, const char *name)
{
	const struct policy *policy = parse->policy;
	CLEANUP_FREE const char **names = xcalloc(policy->macro_count, sizeof(*names));

	for (size_t i = 0; i < policy->macro_count; i++) {
		if (policy->macros[i]->stage == parse->stage)
			names[i] = policy->macros[i]->name;
	}
	return nearest(name, names, policy->macro_count);
}

static int refuse_use(struct parse *parse, struct location where, const char *name)
{
	const struct macro *other = find_for_another(parse, name);
	const char *stage = macro_stage_name(parse->stage);
	const char *meant;
	int err;

	if (parse->macro && !strcmp(parse->macro->name, name)) {
		err = error_at(parse->error, where, "macro %s uses itself", name);
		error_hint(parse->error, "a macro can use those that are defined above it");
		return err;
	}
	if (other) {
		err = error_at(parse->error, where, "macro %s has rules of `%s`, and this is `%s`", name,
			       macro_stage_name(other->stage), stage);
		error_hint(parse->error, "write: %s { use %s }", macro_stage_name(other->stage), name);
		return err;
	}
	err = error_at(parse->error, where, "unknown macro `%.80s`", name);
	meant = nearest_macro(parse, name);
	if (meant)
		error_hint(parse->error, "did you mean `%s`?", meant);
	else
		error_hint(parse->error,
			   "define it above, outside of the interface; `sluice defences` prints the ready ones");
	return err;
}

static bool is_same_place(struct location left, struct location right)
{
	return left.file == right.file && left.line == right.line && left.column == right.column;
}

static int refuse_again(struct parse *parse, struct location where, const char *name)
{
	int err = error_at(parse->error, where, "this `%s` uses macro %s twice", macro_stage_name(parse->stage), name);

	error_hint(parse->error, "leave it out");
	return err;
}

static int copy_rules(struct parse *parse, struct location where, const struct filter_list *rules)
{
	for (size_t i = 0; i < rules->rule_count; i++) {
		int err = build_rule_room(parse, where);

		if (err)
			return err;
		filter_rule_copy(&parse->rules->rules[parse->rules->rule_count++], &rules->rules[i]);
	}
	return 0;
}

static void copy_block(struct parse *parse, const struct block *from)
{
	struct block *block = parse->block;

	for (size_t i = 0; i < from->rule_count; i++) {
		block->rules = xgrow(block->rules, block->rule_count, &block->rule_capacity, sizeof(*block->rules));
		block_rule_copy(&block->rules[block->rule_count++], &from->rules[i]);
	}
}

int build_use(struct parse *parse, struct location where, char *name)
{
	CLEANUP_FREE char *owned = name;
	struct macro *macro = macro_find(parse->policy, owned, parse->stage);

	if (!macro)
		return refuse_use(parse, where, owned);
	if (macro->used && is_same_place(macro->used_in, parse->stage_where))
		return refuse_again(parse, where, owned);
	parse->rule_line = 0;
	macro->used = true;
	macro->used_in = parse->stage_where;
	if (macro->stage == MACRO_BLOCK) {
		copy_block(parse, &macro->block);
		return 0;
	}
	return copy_rules(parse, where, &macro->rules);
}

// SPDX-License-Identifier: BSD-2-Clause
#include "policy/parse.h"

#include <string.h>

#include "base/duration.h"
#include "policy/policy.h"

/* A longer list has a line for each prefix. */
#define SHORT_LIST 4

static void print_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

/* Bare when that is unmistakable: letters, digits, . - _ and no word of the language. */
static void print_name(FILE *out, const char *name)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";

	if (name[strspn(name, bare)] || is_keyword(name))
		print_string(out, name);
	else
		fputs(name, out);
}

static void print_list(FILE *out, const struct prefixes *list)
{
	char text[PREFIX_TEXT_MAX];

	putc('{', out);
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "%s %s", i ? "," : "", prefix_print(&list->items[i], text));
	fputs(" }", out);
}

static void print_long_list(FILE *out, const struct prefixes *list)
{
	char text[PREFIX_TEXT_MAX];

	fputs("{\n", out);
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "    %s,\n", prefix_print(&list->items[i], text));
	putc('}', out);
}

static void print_set(FILE *out, const struct set *set)
{
	char timeout[DURATION_TEXT_MAX];

	fprintf(out, "set %s ", set->name);
	if (set->size) {
		fprintf(out, "dynamic size %u", set->size);
		if (set->timeout)
			fprintf(out, " timeout %s", duration_text(set->timeout, timeout));
	} else if (set->path) {
		fputs("file ", out);
		print_string(out, set->path);
	} else if (set->prefixes.count > SHORT_LIST) {
		print_long_list(out, &set->prefixes);
	} else {
		print_list(out, &set->prefixes);
	}
	putc('\n', out);
}

void policy_print_address(FILE *out, const struct target *target)
{
	char text[PREFIX_TEXT_MAX];

	if (target->set_name)
		fprintf(out, "@%s", target->set_name);
	else if (target->prefixes.count == 1)
		fputs(prefix_print(&target->prefixes.items[0], text), out);
	else
		print_list(out, &target->prefixes);
}

void policy_print_target(FILE *out, enum block_kind kind, const struct target *target)
{
	fprintf(out, "%s ", block_kind_name(kind));
	policy_print_address(out, target);
}

static void print_block(FILE *out, const struct block *block)
{
	if (!block->rule_count) {
		fputs("    block { }\n", out);
		return;
	}
	fputs("    block {\n", out);
	for (size_t i = 0; i < block->rule_count; i++) {
		const struct block_rule *rule = &block->rules[i];
		fprintf(out, "        %s ", block_kind_name(rule->kind));
		for (size_t j = 0; j < rule->target_count; j++) {
			fputs(j ? ", " : "", out);
			policy_print_address(out, &rule->targets[j]);
		}
		putc('\n', out);
	}
	fputs("    }\n", out);
}

static void print_rules(FILE *out, const char *stage, const struct filter_list *list)
{
	if (!list->where.line)
		return;
	if (!list->rule_count) {
		fprintf(out, "    %s { }\n", stage);
		return;
	}
	fprintf(out, "    %s {\n", stage);
	for (size_t i = 0; i < list->rule_count; i++) {
		fputs("        ", out);
		filter_print_rule(out, &list->rules[i]);
		putc('\n', out);
	}
	fputs("    }\n", out);
}

static void print_synproxy(FILE *out, const struct synproxy *synproxy)
{
	if (!synproxy->rule_count) {
		fputs("    synproxy { }\n", out);
		return;
	}
	fputs("    synproxy {\n", out);
	for (size_t i = 0; i < synproxy->rule_count; i++) {
		fputs("        ", out);
		synproxy_print_rule(out, &synproxy->rules[i]);
		putc('\n', out);
	}
	fputs("    }\n", out);
}

static void print_interface(FILE *out, const struct interface *interface)
{
	fputs("interface ", out);
	print_name(out, interface->name);
	fputs(" {\n", out);
	fprintf(out, "    mode %s\n", mode_name(interface->mode));
	fprintf(out, "    fragments %s\n", fragments_name(interface->fragments));
	fprintf(out, "    malformed %s\n", verdict_name(interface->malformed));
	if (interface->log_drops)
		fputs("    log drops", out);
	if (interface->log_drops > 1)
		fprintf(out, " 1/%u", interface->log_drops);
	if (interface->log_drops)
		putc('\n', out);
	if (interface->block.where.line)
		print_block(out, &interface->block);
	print_rules(out, "limit", &interface->limit);
	if (interface->synproxy.where.line)
		print_synproxy(out, &interface->synproxy);
	print_rules(out, "filter", &interface->filter);
	fprintf(out, "    default %s\n", verdict_name(interface->default_verdict));
	fputs("}\n", out);
}

void policy_print(FILE *out, const struct policy *policy)
{
	for (size_t i = 0; i < policy->set_count; i++) {
		fputs(i ? "\n" : "", out);
		print_set(out, policy->sets[i]);
	}
	for (size_t i = 0; i < policy->interface_count; i++) {
		fputs(i || policy->set_count ? "\n" : "", out);
		print_interface(out, &policy->interfaces[i]);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>

#include "base/plural.h"
#include "cli/cli.h"
#include "compile/compile.h"
#include "compile/synproxy.h"
#include "compile/unreached.h"
#include "datapath/inspect.h"
#include "datapath/set.h"

static void print_sets(const struct policy *policy)
{
	for (size_t i = 0; i < policy->set_count; i++) {
		const struct set *set = policy->sets[i];

		if (set->size) {
			printf("set %s: dynamic, room for %u, about %llu KiB\n", set->name, set->size,
			       (unsigned long long)set_memory(set->size) / 1024);
			continue;
		}
		printf("set %s: %zu %s", set->name, set->prefixes.count, cli_prefixes(set->prefixes.count));
		if (set->path)
			printf(", from %s", set->path);
		printf("\n");
	}
}

static void print_tables(const struct compiled *compiled)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		if (compiled->tables[t].count)
			printf("  table %s: %zu %s\n", table_name(t), compiled->tables[t].count,
			       cli_prefixes(compiled->tables[t].count));
	}
}

/* Of more there is a number. */
#define WARNINGS_MAX 20

static void warn_unreached(const struct compiled *compiled, const struct compiled_list *list)
{
	const struct rule *rules = compiled->rules + list->first;
	struct unreached_rules unreached;

	unreached_find(compiled, list, UNREACHED_STEPS, &unreached);
	for (size_t i = 0; i < unreached.count && i < WARNINGS_MAX; i++) {
		const struct location *where = &rules[unreached.items[i].first].where;
		char *text = unreached_text(compiled, list, &unreached.items[i]);

		fprintf(stderr, "%s:%d:%d: warning: %s\n", where->file, where->line, where->column, text);
		free(text);
	}
	if (unreached.count > WARNINGS_MAX)
		fprintf(stderr, "sluice: warning: %zu more like these on interface %s\n",
			unreached.count - WARNINGS_MAX, compiled->interface->name);
	if (unreached.looked_at < list->count)
		fprintf(stderr,
			"sluice: warning: of the %zu rules of interface %s, the first %u were compared with those "
			"before "
			"them; the others were too many\n",
			list->count, compiled->interface->name, unreached.looked_at);
	unreached_free(&unreached);
}

static const char *boxes(size_t count)
{
	return count == 1 ? "" : "es";
}

/* Rules that the classifier can only compare one after the other: right, and slower the more there are. */
static void warn_linear(const struct compiled *compiled, const struct compiled_list *list,
			const struct classifier *classifier)
{
	const struct classifier_report *report = &classifier->report;

	if (!report->linear_count)
		return;
	fprintf(stderr,
		"sluice: warning: interface %s, IPv%d: %zu rule%s (%zu box%s) %s so much that each packet that no "
		"earlier rule matches is compared with all of them, one after the other\n",
		compiled->interface->name, classifier->version, report->linear_count, plural(report->linear_count),
		report->linear_boxes, boxes(report->linear_boxes), report->linear_count == 1 ? "overlaps" : "overlap");
	for (size_t i = 0; i < report->linear_count && i < WARNINGS_MAX; i++) {
		const struct rule *rule = &compiled->rules[list->first + report->linear[i]];

		fprintf(stderr, "%s:%d: warning: one of them: %s\n", rule->where.file, rule->where.line, rule->text);
	}
}

static void print_classifier(const struct classifier *classifier)
{
	const struct classifier_report *report = &classifier->report;

	if (report->boxes)
		printf("  classifier IPv%d: %zu box%s in %u group%s, leaves of at most %u, %zu KiB\n",
		       classifier->version, report->boxes, boxes(report->boxes), report->groups, plural(report->groups),
		       report->longest_leaf, report->memory / 1024);
}

static void print_list(const struct compiled *compiled, const struct compiled_list *list)
{
	bool limits = list == &compiled->limit;

	if (!list->count)
		return;
	printf("  %s: %zu %s%s, %zu box%s in IPv4, %zu in IPv6\n", limits ? "limit" : "filter", list->count,
	       limits ? "limit" : "rule", plural(list->count), list->matches4.count, boxes(list->matches4.count),
	       list->matches6.count);
	print_classifier(&list->classifier4);
	print_classifier(&list->classifier6);
	fflush(stdout);
	warn_unreached(compiled, list);
	warn_linear(compiled, list, &list->classifier4);
	warn_linear(compiled, list, &list->classifier6);
}

static void print_synproxy(const struct compiled *compiled)
{
	const struct compiled_synproxy *synproxy = &compiled->synproxy;

	if (!synproxy->count)
		return;
	printf("  synproxy: %zu service%s\n", synproxy->count, plural(synproxy->count));
	fflush(stdout);
	for (size_t i = 0; i < synproxy->count; i++) {
		const struct location *where = &compiled->rules[synproxy->first + i].where;

		if (!synproxy_is_reached(compiled, i))
			fprintf(stderr,
				"%s:%d:%d: warning: no packet is for this service: those before it have all its "
				"ports\n",
				where->file, where->line, where->column);
	}
}

/* Loads the program when the caller may, because only the verifier knows what is left of it; else says what is known.
 */
static int print_cost(const struct compiled *compiled, uint32_t instructions, struct error *error)
{
	struct inspection inspection;
	int err = inspect_compiled(compiled, &inspection, error);

	if (err == -EPERM) {
		printf("  program: %u instructions before the verifier (run as root to ask the verifier itself)\n",
		       instructions);
		return 0;
	}
	if (err)
		return err;
	printf("  program: %u instructions, %u after the verifier walked %u; %u bytes of machine code\n", instructions,
	       inspection.translated / 8, inspection.verified, inspection.machine_code);
	printf("  maps: %llu KiB\n", (unsigned long long)inspection.map_bytes / 1024);
	return 0;
}

static int check_interface(const struct interface *interface, uint32_t instructions, struct error *error)
{
	struct compiled compiled;
	int err = compile(interface, &compiled, error);

	if (!err) {
		printf("interface %s: %s, fragments %s, malformed %s, default %s, %zu rule%s\n", interface->name,
		       mode_name(interface->mode), fragments_name(interface->fragments),
		       verdict_name(interface->malformed), verdict_name(interface->default_verdict),
		       compiled.rule_count, plural(compiled.rule_count));
		print_list(&compiled, &compiled.limit);
		print_synproxy(&compiled);
		print_list(&compiled, &compiled.filter);
		cli_warn_slow(interface);
		print_tables(&compiled);
		err = print_cost(&compiled, instructions, error);
	}
	compiled_free(&compiled);
	return err;
}

int cli_check(int argc, char **argv)
{
	struct policy *policy;
	uint32_t instructions;
	struct error error;
	int err;

	if (getopt(argc, argv, "") != -1 || argc - optind != 1)
		return cli_usage(argv[0]);
	if (policy_load(argv[optind], &policy, &error))
		return cli_failed(&error);
	cli_warn(policy);
	print_sets(policy);
	err = inspect_object(&instructions, &error);
	for (size_t i = 0; i < policy->interface_count && !err; i++)
		err = check_interface(&policy->interfaces[i], instructions, &error);
	policy_free(policy);
	if (err)
		return cli_failed(&error);
	printf("%s: ok\n", argv[optind]);
	return STATUS_DONE;
}

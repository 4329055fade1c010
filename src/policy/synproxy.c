// SPDX-License-Identifier: BSD-2-Clause
#include "policy/synproxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "policy/check.h"
#include "policy/policy.h"

static void print_ports(FILE *out, const struct filter_values *ports)
{
	fputs(" dport ", out);
	fputs(ports->count == 1 ? "" : "{ ", out);
	for (size_t i = 0; i < ports->count; i++) {
		const struct filter_range *range = &ports->ranges[i];

		fprintf(out, "%s%u", i ? ", " : "", range->low);
		if (range->low != range->high)
			fprintf(out, "-%u", range->high);
	}
	fputs(ports->count == 1 ? "" : " }", out);
}

void synproxy_print_service(FILE *out, const struct synproxy_rule *rule)
{
	fputs("tcp", out);
	filter_print_addresses(out, "to", &rule->destination);
	print_ports(out, &rule->ports);
	if (rule->gateway)
		fputs(" gateway", out);
}

void synproxy_print_rule(FILE *out, const struct synproxy_rule *rule)
{
	synproxy_print_service(out, rule);
	if (rule->above)
		fprintf(out, " above %u/s", rule->above);
}

char *synproxy_service_text(const struct synproxy_rule *rule)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	synproxy_print_service(out, rule);
	fclose(out);
	return text;
}

static int is_twice(const struct synproxy_rule *before, const struct synproxy_rule *again, struct error *error)
{
	CLEANUP_FREE char *earlier = synproxy_service_text(before);
	CLEANUP_FREE char *text = synproxy_service_text(again);

	if (strcmp(earlier, text))
		return 0;
	error_at(error, again->where, "the synproxy has this service twice");
	error_hint(error, "the other one is at line %d", before->where.line);
	return -EINVAL;
}

int synproxy_check(const struct synproxy *synproxy, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < synproxy->rule_count && !err; i++) {
		for (size_t j = 0; j < i && !err; j++)
			err = is_twice(&synproxy->rules[j], &synproxy->rules[i], error);
	}
	return err;
}

void synproxy_free(struct synproxy *synproxy)
{
	for (size_t i = 0; i < synproxy->rule_count; i++) {
		filter_free_addresses(&synproxy->rules[i].destination);
		free(synproxy->rules[i].ports.ranges);
	}
	free(synproxy->rules);
	*synproxy = (struct synproxy){ 0 };
}

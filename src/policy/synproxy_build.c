// SPDX-License-Identifier: BSD-2-Clause
/* The parts of a service of the synproxy, put into the tree as the parser reads them. */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "policy/check.h"
#include "policy/filter_values.h"
#include "policy/parse.h"
#include "sluice/synproxy.h"

/* As of a limit: a SYN takes at least 100 ns of the rate's time. */
#define ABOVE_MAX 10000000

static struct synproxy_rule *newest(struct parse *parse)
{
	struct synproxy *synproxy = &build_newest(parse)->synproxy;

	return &synproxy->rules[synproxy->rule_count - 1];
}

int build_synproxy_rule(struct parse *parse, struct location where)
{
	struct synproxy *synproxy = &build_newest(parse)->synproxy;
	int err;

	if (synproxy->rule_count == SYNPROXY_SERVICES_MAX) {
		err = error_at(parse->error, where, "interface %s has more than %d services in `synproxy`",
			       build_newest(parse)->name, SYNPROXY_SERVICES_MAX);
		error_hint(
			parse->error,
			"services that are armed together are one: tcp to { 192.0.2.1, 192.0.2.2 } dport { 80, 443 }");
		return err;
	}
	synproxy->rules =
		xgrow(synproxy->rules, synproxy->rule_count, &synproxy->rule_capacity, sizeof(*synproxy->rules));
	synproxy->rules[synproxy->rule_count++] = (struct synproxy_rule){ .where = where };
	return 0;
}

int build_synproxy_to(struct parse *parse, struct location where)
{
	parse->addresses = &newest(parse)->destination;
	return build_once(parse, &parse->addresses->where, where, "to");
}

int build_synproxy_dport(struct parse *parse, struct location where)
{
	parse->field = FILTER_FIELD_DPORT;
	parse->values = &newest(parse)->ports;
	return build_once(parse, &parse->values->where, where, "dport");
}

int build_synproxy_above(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	CLEANUP_FREE char *number = xstrdup(text);
	struct synproxy_rule *rule = newest(parse);
	size_t length = strlen(number);
	int err = build_once(parse, &rule->above_where, where, "above");

	if (err)
		return err;
	if (length > 2 && !strcmp(number + length - 2, "/s")) {
		number[length - 2] = '\0';
		if (filter_number_parse(number, 1, ABOVE_MAX, &rule->above))
			return 0;
	}
	err = error_at(parse->error, text_where, "`%.80s` is not a rate that a service can be armed above", owned);
	error_hint(parse->error, "it is a number of SYNs a second from 1 to %d: above 20000/s", ABOVE_MAX);
	return err;
}

int build_synproxy_gateway(struct parse *parse, struct location where)
{
	struct synproxy_rule *rule = newest(parse);

	rule->gateway = true;
	return build_once(parse, &rule->gateway_where, where, "gateway");
}

int build_synproxy_rule_end(struct parse *parse)
{
	const struct synproxy_rule *rule = newest(parse);
	int err;

	if (rule->ports.where.line)
		return 0;
	err = error_at(parse->error, rule->where, "this service has no port");
	error_hint(parse->error, "write: tcp dport 443 above 20000/s");
	return err;
}

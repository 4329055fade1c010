// SPDX-License-Identifier: BSD-2-Clause
/* The parts of a rule, put into the tree as the parser reads them. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"
#include "policy/check.h"
#include "policy/filter_values.h"
#include "policy/parse.h"

#define LOG_MAX 1000000000

struct filter_rule *build_newest_rule(struct parse *parse)
{
	return &parse->rules->rules[parse->rules->rule_count - 1];
}

int build_once(struct parse *parse, struct location *place, struct location where, const char *part)
{
	int err;

	if (!place->line) {
		*place = where;
		return 0;
	}
	err = error_at(parse->error, where, "this rule has `%s` twice", part);
	if (place->line == where.line)
		error_hint(parse->error, "the other one is at column %d", place->column);
	else
		error_hint(parse->error, "the other one is at line %d", place->line);
	return err;
}

int build_rule_room(struct parse *parse, struct location where)
{
	struct filter_list *list = parse->rules;
	int err;

	if (list->rule_count == FILTER_RULES_MAX) {
		err = error_at(parse->error, where, "%s %s has more than %d rules in `%s`",
			       parse->macro ? "macro" : "interface",
			       parse->macro ? parse->macro->name : build_newest(parse)->name, FILTER_RULES_MAX,
			       macro_stage_name(parse->stage));
		error_hint(parse->error, "rules that differ in an address alone are one rule with a set");
		return err;
	}
	list->rules = xgrow(list->rules, list->rule_count, &list->rule_capacity, sizeof(*list->rules));
	return 0;
}

int build_filter_rule(struct parse *parse, struct location where, enum filter_verb verb)
{
	struct filter_list *list = parse->rules;
	int err = build_rule_room(parse, where);

	if (err)
		return err;
	list->rules[list->rule_count++] = (struct filter_rule){
		.where = where,
		.verb = verb,
		.reject = verb == FILTER_REJECT ? FILTER_REJECT_AUTO : FILTER_REJECT_NONE,
	};
	parse->implied = FILTER_FAMILY_ANY;
	return 0;
}

int build_filter_reject(struct parse *parse, struct location where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int word, err;

	if (rule->verb != FILTER_REJECT) {
		err = error_at(parse->error, where, "`with` belongs to reject");
		error_hint(parse->error, "write: reject with %.80s", owned);
		return err;
	}
	if (rule->reject != FILTER_REJECT_AUTO) {
		err = error_at(parse->error, where, "this rule has `with` twice");
		error_hint(parse->error, "a packet gets one answer");
		return err;
	}
	word = filter_word_parse(owned, where, filter_reject_words, filter_reject_word_count, "an answer",
				 parse->error);
	if (word < 0)
		return word;
	rule->reject = FILTER_REJECT_RESET + (enum filter_reject)word;
	return 0;
}

int build_filter_family(struct parse *parse, struct location where, enum filter_family family)
{
	struct filter_rule *rule = build_newest_rule(parse);
	int err;

	if (!rule->family_where.line) {
		rule->family = family;
		rule->family_where = where;
		return 0;
	}
	err = error_at(parse->error, where,
		       rule->family == family ? "this rule has its family twice"
					      : "this rule is about another family already");
	if (rule->family != family && rule->family != FILTER_FAMILY_ARP && family != FILTER_FAMILY_ARP)
		error_hint(parse->error, "a rule without ipv4 and ipv6 is about both");
	else
		error_hint(parse->error, "the other word is at line %d, column %d", rule->family_where.line,
			   rule->family_where.column);
	return err;
}

static void add_range(struct parse *parse, struct location where, struct filter_values *values,
		      struct filter_range range)
{
	parse->places = xgrow(parse->places, values->count, &parse->place_capacity, sizeof(*parse->places));
	parse->places[values->count] = where;
	values->ranges = xgrow(values->ranges, values->count, &values->capacity, sizeof(*values->ranges));
	values->ranges[values->count++] = range;
}

int build_filter_protocol(struct parse *parse, struct location where, uint32_t protocol)
{
	struct filter_values *values = &build_newest_rule(parse)->fields[FILTER_FIELD_PROTOCOL];
	int err;

	if (values->where.line) {
		err = error_at(parse->error, where, "this rule has a protocol already");
		error_hint(parse->error, "for several protocols write: protocol { tcp, udp }");
		return err;
	}
	values->where = where;
	add_range(parse, where, values, (struct filter_range){ protocol, protocol });
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		parse->implied = protocol == IPPROTO_ICMP ? FILTER_FAMILY_IPV4 : FILTER_FAMILY_IPV6;
		parse->implied_where = where;
	}
	return 0;
}

int build_filter_addresses(struct parse *parse, struct location where, bool source)
{
	struct filter_rule *rule = build_newest_rule(parse);

	parse->addresses = source ? &rule->source : &rule->destination;
	return build_once(parse, &parse->addresses->where, where, source ? "from" : "to");
}

void build_filter_not_addresses(struct parse *parse)
{
	parse->addresses->negated = true;
}

int build_filter_field(struct parse *parse, struct location where, enum filter_field field)
{
	struct filter_values *values = &build_newest_rule(parse)->fields[field];
	int err;

	parse->field = field;
	parse->values = values;
	if (field == FILTER_FIELD_PROTOCOL && values->where.line) {
		err = error_at(parse->error, where, "this rule has a protocol already");
		error_hint(parse->error, "for several protocols write: protocol { tcp, udp }");
		return err;
	}
	return build_once(parse, &values->where, where, filter_field_name(field));
}

void build_filter_not(struct parse *parse)
{
	build_newest_rule(parse)->fields[parse->field].negated = true;
}

int build_filter_value(struct parse *parse, struct location where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_range range;
	int err;

	if (parse->field == FILTER_FIELD_TYPE || parse->field == FILTER_FIELD_CODE) {
		parse->pending =
			xgrow(parse->pending, parse->pending_count, &parse->pending_capacity, sizeof(*parse->pending));
		parse->pending[parse->pending_count++] = (struct pending_value){ parse->field, where, owned };
		owned = NULL;
		return 0;
	}
	err = filter_range_parse(parse->field, owned, where, &range, parse->error);
	if (err)
		return err;
	add_range(parse, where, parse->values, range);
	return 0;
}

int build_filter_values_end(struct parse *parse)
{
	if (parse->field == FILTER_FIELD_TYPE || parse->field == FILTER_FIELD_CODE)
		return 0;
	return check_values(parse->values, parse->places, parse->error);
}

int build_filter_flags(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->flags_where, where, "flags");

	return err ? err : filter_flags_parse(owned, text_where, &rule->flags, &rule->flags_mask, parse->error);
}

int build_filter_fragment(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->fragment_where, where, "fragment");
	int word;

	if (err)
		return err;
	word = filter_word_parse(owned, text_where, filter_fragment_words, FILTER_IS_FRAGMENT + 1, "a kind of fragment",
				 parse->error);
	if (word < 0)
		return word;
	rule->fragment = (enum filter_fragment)word;
	return 0;
}

int build_filter_extension(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->extension_where, where, "extension");
	int word;

	if (err)
		return err;
	word = filter_word_parse(owned, text_where, filter_extension_words, FILTER_EXTENSION_COUNT,
				 "an extension header", parse->error);
	if (word < 0)
		return word;
	rule->extension = (enum filter_extension)word;
	return 0;
}

int build_filter_mac(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->mac_where, where, "mac");

	return err ? err : filter_mac_parse(owned, text_where, &rule->mac, parse->error);
}

/* "1/1000", or NULL for each packet: how many of them one stands for. */
static int parse_part(struct parse *parse, const char *word, struct location where, const char *text, uint32_t *of)
{
	int err;

	if (!text) {
		*of = 1;
		return 0;
	}
	if (!strncmp(text, "1/", 2) && filter_number_parse(text + 2, 1, LOG_MAX, of))
		return 0;
	err = error_at(parse->error, where, "`%.80s` is not a part of the packets", text);
	error_hint(parse->error, "write `%s` for each packet, `%s 1/1000` for one of a thousand (at most 1/%d)", word,
		   word, LOG_MAX);
	return err;
}

int build_filter_log(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->log_where, where, "log");

	return err ? err : parse_part(parse, "log", text_where, owned, &rule->log);
}

int build_log_drops(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct interface *interface = build_newest(parse);
	int err = build_statement(parse, &interface->log_drops_where, where, "log drops");

	return err ? err : parse_part(parse, "log drops", text_where, owned, &interface->log_drops);
}

int build_filter_counter(struct parse *parse, struct location where, struct location text_where, char *text)
{
	CLEANUP_FREE char *owned = text;
	struct filter_rule *rule = build_newest_rule(parse);
	int err = build_once(parse, &rule->counter_where, where, "count");

	if (err)
		return err;
	if (!is_name(owned)) {
		err = error_at(parse->error, text_where, "`%.80s` is not a name for a counter", owned);
		error_hint(parse->error,
			   "it begins with a letter or _, goes on with letters, digits, _ or -, and has at most %d",
			   SET_NAME_MAX);
		return err;
	}
	rule->counter = owned;
	owned = NULL;
	return 0;
}

/* The ICMP that the types and codes of a rule belong to: its version; 0 when there is none. */
static int icmp_version(const struct filter_rule *rule)
{
	if (filter_rule_is_only(rule, IPPROTO_ICMP))
		return 4;
	return filter_rule_is_only(rule, IPPROTO_ICMPV6) ? 6 : 0;
}

static int settle_field(struct parse *parse, enum filter_field field, int version)
{
	struct filter_rule *rule = build_newest_rule(parse);
	struct filter_values *values = &rule->fields[field];
	int err = 0;

	for (size_t i = 0; i < parse->pending_count && !err; i++) {
		const struct pending_value *value = &parse->pending[i];
		struct filter_range range;

		if (value->field != field)
			continue;
		if (field == FILTER_FIELD_TYPE)
			err = filter_type_parse(version, value->text, value->where, &range, parse->error);
		else
			err = filter_code_parse(version, &rule->fields[FILTER_FIELD_TYPE], value->text, value->where,
						&range, parse->error);
		if (!err)
			add_range(parse, value->where, values, range);
	}
	return err ? err : check_values(values, parse->places, parse->error);
}

static int settle_pending(struct parse *parse)
{
	struct filter_rule *rule = build_newest_rule(parse);
	int version = icmp_version(rule);
	int err;

	if (!version) {
		err = error_at(parse->error, rule->fields[parse->pending[0].field].where,
			       "`%s` in a rule that is about neither icmp nor icmpv6",
			       filter_field_name(parse->pending[0].field));
		error_hint(parse->error, "write: icmp type echo-request, or: icmpv6 type echo-request");
		return err;
	}
	/* Types first: a code's name belongs to one of them. */
	err = settle_field(parse, FILTER_FIELD_TYPE, version);
	if (!err)
		err = settle_field(parse, FILTER_FIELD_CODE, version);
	if (err)
		return err;
	for (size_t i = 0; i < parse->pending_count; i++)
		free(parse->pending[i].text);
	parse->pending_count = 0;
	parse->implied = version == 4 ? FILTER_FAMILY_IPV4 : FILTER_FAMILY_IPV6;
	parse->implied_where = rule->fields[FILTER_FIELD_PROTOCOL].where;
	return 0;
}

static int settle_family(struct parse *parse)
{
	struct filter_rule *rule = build_newest_rule(parse);
	int err;

	if (parse->implied == FILTER_FAMILY_ANY || rule->family == parse->implied)
		return 0;
	if (rule->family == FILTER_FAMILY_ANY) {
		rule->family = parse->implied;
		rule->family_where = parse->implied_where;
		return 0;
	}
	err = error_at(parse->error, parse->implied_where, "%s in a rule about %s",
		       parse->implied == FILTER_FAMILY_IPV4 ? "icmp, which is IPv4's," : "icmpv6, which is IPv6's,",
		       filter_family_name(rule->family));
	error_hint(parse->error, rule->family == FILTER_FAMILY_IPV6   ? "IPv6 has icmpv6"
				 : rule->family == FILTER_FAMILY_IPV4 ? "IPv4 has icmp"
								      : "ARP has no protocol of IP");
	return err;
}

int build_filter_rule_end(struct parse *parse)
{
	int err = 0;

	if (parse->pending_count)
		err = settle_pending(parse);
	if (!err)
		err = settle_family(parse);
	return err ? err : check_filter_rule(build_newest_rule(parse), parse->error);
}

// SPDX-License-Identifier: BSD-2-Clause
/* A rule of the filter by itself: parts that contradict each other, or need one another. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"
#include "policy/check.h"
#include "policy/filter_values.h"
#include "policy/policy.h"

/* A range of a list that is sorted, and its place in the list as written. */
struct listed_range {
	struct filter_range range;
	size_t index;
};

static int compare_ranges(const void *left, const void *right)
{
	const struct listed_range *a = left, *b = right;

	if (a->range.low != b->range.low)
		return a->range.low < b->range.low ? -1 : 1;
	if (a->range.high != b->range.high)
		return a->range.high > b->range.high ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int refuse_values(const struct filter_values *values, const struct listed_range *outer,
			 const struct listed_range *inner, const struct location *places, struct error *error)
{
	const struct location *other = &places[outer->index];
	int err;

	if (outer->range.low == inner->range.low && outer->range.high == inner->range.high)
		err = error_at(error, places[inner->index], "this value is in the list already");
	else if (inner->range.high <= outer->range.high)
		err = error_at(error, places[inner->index], "this value is within another one of the list");
	else
		err = error_at(error, places[inner->index], "this value overlaps another one of the list");
	error_hint(error, "the other one is at line %d, column %d", other->line, other->column);
	return err;
}

int check_values(const struct filter_values *values, const struct location *places, struct error *error)
{
	CLEANUP_FREE struct listed_range *sorted = NULL;
	size_t widest = 0;

	if (values->count < 2)
		return 0;
	sorted = xcalloc(values->count, sizeof(*sorted));
	for (size_t i = 0; i < values->count; i++)
		sorted[i] = (struct listed_range){ values->ranges[i], i };
	qsort(sorted, values->count, sizeof(*sorted), compare_ranges);
	for (size_t i = 1; i < values->count; i++) {
		if (sorted[i].range.low <= sorted[widest].range.high)
			return refuse_values(values, &sorted[widest], &sorted[i], places, error);
		widest = i;
	}
	return 0;
}

static bool has(const struct filter_rule *rule, enum filter_field field)
{
	return rule->fields[field].where.line;
}

/* The first thing that a packet which is not IP cannot have, and its name; NULL when there is none. */
static const char *first_of_ip(const struct filter_rule *rule, struct location *where)
{
	static const enum filter_field fields[] = { FILTER_FIELD_PROTOCOL, FILTER_FIELD_SPORT, FILTER_FIELD_DPORT,
						    FILTER_FIELD_DSCP,	   FILTER_FIELD_TTL,   FILTER_FIELD_LENGTH };
	const struct {
		const struct location *where;
		const char *name;
	} others[] = {
		{ &rule->source.where, "from" },	 { &rule->destination.where, "to" },
		{ &rule->flags_where, "flags" },	 { &rule->fragment_where, "fragment" },
		{ &rule->extension_where, "extension" },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*where = rule->fields[fields[i]].where;
		if (where->line)
			return filter_field_name(fields[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		*where = *others[i].where;
		if (where->line)
			return others[i].name;
	}
	return NULL;
}

/* A rule about what is not IP: `what`, which is written like `words`. */
static int check_link(const struct filter_rule *rule, const char *what, const char *words, struct error *error)
{
	struct location where;
	const char *part = first_of_ip(rule, &where);
	int err;

	if (part) {
		err = error_at(error, where, "`%s` in a rule about %s", part, what);
		error_hint(error, "a rule about %s may have vlan and mac", what);
		return err;
	}
	if (rule->verb != FILTER_REJECT)
		return 0;
	err = error_at(error, rule->where, "reject in a rule about %s, which has no answer that refuses", what);
	error_hint(error, "write: drop %s", words);
	return err;
}

static int check_ethertype(const struct filter_rule *rule, struct error *error)
{
	int err;

	if (rule->family == FILTER_FAMILY_ANY)
		return check_link(rule, "an EtherType", "ethertype lldp", error);
	err = error_at(error, rule->fields[FILTER_FIELD_ETHERTYPE].where, "`ethertype` in a rule about %s",
		       filter_family_name(rule->family));
	error_hint(error, "it is for what is neither IP nor ARP");
	return err;
}

static int check_ports(const struct filter_rule *rule, enum filter_field field, struct error *error)
{
	int err;

	if (!has(rule, field) || filter_rule_has_ports(rule))
		return 0;
	err = error_at(error, rule->fields[field].where, "`%s` without a protocol that has ports",
		       filter_field_name(field));
	error_hint(error, "write tcp, udp or sctp, or several of them: protocol { tcp, udp }");
	return err;
}

/* Later fragments have nothing of what stands behind the IP header. */
static int check_later(const struct filter_rule *rule, struct error *error)
{
	static const enum filter_field fields[] = { FILTER_FIELD_SPORT, FILTER_FIELD_DPORT, FILTER_FIELD_TYPE,
						    FILTER_FIELD_CODE };
	const char *part = rule->flags_where.line ? "flags" : NULL;
	int err;

	if (!rule->fragment_where.line || rule->fragment != FILTER_IS_LATER_FRAGMENT)
		return 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && !part; i++) {
		if (has(rule, fields[i]))
			part = filter_field_name(fields[i]);
	}
	if (!part)
		return 0;
	err = error_at(error, rule->fragment_where, "a later fragment has no `%s`", part);
	error_hint(error, "only the first one has; `fragments track` gives the others its verdict");
	return err;
}

static int check_tcp(const struct filter_rule *rule, struct error *error)
{
	int err;

	if (filter_rule_is_only(rule, IPPROTO_TCP))
		return 0;
	if (rule->flags_where.line) {
		err = error_at(error, rule->flags_where, "`flags` in a rule that is not about tcp alone");
		error_hint(error, "write: tcp flags syn");
		return err;
	}
	if (rule->reject != FILTER_REJECT_RESET)
		return 0;
	err = error_at(error, rule->where, "reject with tcp-reset in a rule that is not about tcp alone");
	error_hint(error, "`reject` alone resets TCP, and answers everything else with port-unreachable");
	return err;
}

#define FILTER_HAS_IPV4 1u
#define FILTER_HAS_IPV6 2u

/* Which families the prefixes written in the rule are of, a bit each; both when there is another target, or `not`. */
static unsigned families_of(const struct filter_addresses *addresses)
{
	unsigned families = 0;

	if (!addresses->where.line || addresses->negated)
		return FILTER_HAS_IPV4 | FILTER_HAS_IPV6;
	for (size_t t = 0; t < addresses->count; t++) {
		const struct target *target = &addresses->targets[t];

		if (target->set_name)
			return FILTER_HAS_IPV4 | FILTER_HAS_IPV6;
		for (size_t i = 0; i < target->prefixes.count; i++)
			families |= target->prefixes.items[i].version == 4 ? FILTER_HAS_IPV4 : FILTER_HAS_IPV6;
	}
	return families;
}

/* `family` has its reason at `where`: no prefix of the other one may be written. */
static int check_prefixes(const struct filter_addresses *addresses, enum filter_family family, struct error *error)
{
	int version = family == FILTER_FAMILY_IPV4 ? 4 : 6;
	char text[PREFIX_TEXT_MAX];
	int err;

	for (size_t t = 0; t < addresses->count; t++) {
		const struct target *target = &addresses->targets[t];

		for (size_t i = 0; i < target->prefixes.count; i++) {
			const struct prefix *prefix = &target->prefixes.items[i];

			if (prefix->version == version)
				continue;
			err = error_at(error, target->where, "%s in a rule about %s", prefix_print(prefix, text),
				       filter_family_name(family));
			error_hint(error, "its words allow IPv%d packets alone", version);
			return err;
		}
	}
	return 0;
}

int check_empty(const struct filter_addresses *addresses, struct error *error)
{
	int err;

	for (size_t t = 0; t < addresses->count; t++) {
		const struct target *target = &addresses->targets[t];

		if (target->set_name || target->prefixes.count)
			continue;
		err = error_at(error, target->where, "this list is empty");
		error_hint(error, "write a prefix: { 192.0.2.0/24 }");
		return err;
	}
	return 0;
}

static int check_families(const struct filter_rule *rule, struct error *error)
{
	enum filter_family family = rule->family;
	int err = check_empty(&rule->source, error);

	if (!err)
		err = check_empty(&rule->destination, error);
	if (err)
		return err;
	if (rule->extension_where.line) {
		if (family == FILTER_FAMILY_IPV4) {
			err = error_at(error, rule->extension_where, "`extension` in a rule about ipv4");
			error_hint(error, "only IPv6 has extension headers");
			return err;
		}
		family = FILTER_FAMILY_IPV6;
	}
	if (family != FILTER_FAMILY_ANY) {
		err = check_prefixes(&rule->source, family, error);
		return err ? err : check_prefixes(&rule->destination, family, error);
	}
	if (families_of(&rule->source) & families_of(&rule->destination))
		return 0;
	err = error_at(error, rule->destination.where, "`from` and `to` are of different families");
	error_hint(error, "no packet has addresses of both");
	return err;
}

static int compare_target_names(const void *left, const void *right)
{
	const struct target *const *a = left, *const *b = right;
	int order = strcmp((*a)->set_name, (*b)->set_name);

	return order ? order : (*a > *b) - (*a < *b);
}

static int check_names(const struct filter_addresses *addresses, struct error *error)
{
	CLEANUP_FREE const struct target **sorted = xcalloc(addresses->count, sizeof(*sorted));
	const struct target *again = NULL;
	size_t count = 0;
	int err;

	for (size_t i = 0; i < addresses->count; i++) {
		if (addresses->targets[i].set_name)
			sorted[count++] = &addresses->targets[i];
	}
	qsort(sorted, count, sizeof(*sorted), compare_target_names);
	for (size_t i = 1; i < count; i++) {
		if (!strcmp(sorted[i - 1]->set_name, sorted[i]->set_name) && (!again || sorted[i] < again))
			again = sorted[i];
	}
	if (!again)
		return 0;
	err = error_at(error, again->where, "this rule names @%s twice", again->set_name);
	error_hint(error, "leave it out");
	return err;
}

int check_filter_targets(const struct filter_addresses *addresses, struct error *error)
{
	CLEANUP_FREE struct location *places = NULL;
	struct prefixes all = { 0 };
	size_t capacity = 0;
	int err;

	if (addresses->count < 2)
		return 0;
	err = check_names(addresses, error);
	for (size_t t = 0; t < addresses->count && !err; t++) {
		const struct target *target = &addresses->targets[t];

		for (size_t i = 0; i < target->prefixes.count; i++) {
			places = xgrow(places, all.count, &capacity, sizeof(*places));
			places[all.count] = target->where;
			prefixes_add(&all, target->prefixes.items[i]);
		}
	}
	if (!err && all.count)
		err = check_overlap(&all, places, error);
	prefixes_free(&all);
	return err;
}

int check_filter_rule(const struct filter_rule *rule, struct error *error)
{
	int err = 0;

	if (rule->family == FILTER_FAMILY_ARP)
		err = check_link(rule, "ARP", "arp", error);
	if (!err && has(rule, FILTER_FIELD_ETHERTYPE))
		err = check_ethertype(rule, error);
	if (!err)
		err = check_ports(rule, FILTER_FIELD_SPORT, error);
	if (!err)
		err = check_ports(rule, FILTER_FIELD_DPORT, error);
	if (!err)
		err = check_tcp(rule, error);
	if (!err)
		err = check_later(rule, error);
	if (!err)
		err = check_families(rule, error);
	return err ? err : check_limit(rule, error);
}

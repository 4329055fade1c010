// SPDX-License-Identifier: BSD-2-Clause
/* A limit by itself: what its rule's packets do not have. */
#include "policy/check.h"
#include "policy/limit_units.h"

/* `kind` is what the rule is about: nothing of IP. */
static int check_link(const struct filter_limit *limit, const char *kind, struct error *error)
{
	int err;

	if (limit->ban) {
		err = error_at(error, limit->ban_where,
			       "`ban` in a rule about %s, whose packets have no source address", kind);
		error_hint(error, "a ban is of addresses of IP; leave it out");
		return err;
	}
	if (limit->per == FILTER_PER_RULE)
		return 0;
	err = error_at(error, limit->per_where, "`per %s` in a rule about %s, whose packets have no such address",
		       limit_per_words[limit->per], kind);
	error_hint(error, "leave it out: the limit is that of all packets of the rule");
	return err;
}

/* The key of a port is one only where there is a port. */
static int check_dport(const struct filter_rule *rule, struct error *error)
{
	bool is_later = rule->fragment_where.line && rule->fragment == FILTER_IS_LATER_FRAGMENT;
	int err;

	if (rule->limit.per != FILTER_PER_SOURCE_DPORT || (filter_rule_has_ports(rule) && !is_later))
		return 0;
	err = error_at(error, rule->limit.per_where,
		       is_later ? "`per source+dport` of later fragments, which have no ports"
				: "`per source+dport` without a protocol that has ports");
	if (is_later)
		error_hint(error, "write per source");
	else
		error_hint(error, "write tcp, udp or sctp, or several of them: protocol { tcp, udp }; or per source");
	return err;
}

static int check_lengths(const struct filter_rule *rule, struct error *error)
{
	const struct filter_limit *limit = &rule->limit;
	int err;

	if (rule->family == FILTER_FAMILY_ANY)
		return 0;
	if (limit->length6) {
		err = error_at(error, limit->per_where, "two prefix lengths in a rule about %s alone",
			       filter_family_name(rule->family));
		error_hint(error, "write per %s/%d", limit_per_words[limit->per],
			   rule->family == FILTER_FAMILY_IPV6 ? limit->length6 : limit->length);
		return err;
	}
	if (limit->length <= 32 || rule->family == FILTER_FAMILY_IPV6)
		return 0;
	err = error_at(error, limit->per_where, "%d bits of an IPv4 address", limit->length);
	error_hint(error, "an IPv4 address has 32 bits");
	return err;
}

int check_limit(const struct filter_rule *rule, struct error *error)
{
	const struct filter_limit *limit = &rule->limit;
	int err = 0;

	if (!limit->where.line)
		return 0;
	if (rule->verb == FILTER_DROP) {
		err = error_at(error, limit->where, "a limit in a rule that drops");
		error_hint(error, "what is over the limit is dropped: write accept (or reject) for what is within it");
		return err;
	}
	if (rule->family == FILTER_FAMILY_ARP)
		err = check_link(limit, "ARP", error);
	else if (rule->fields[FILTER_FIELD_ETHERTYPE].where.line)
		err = check_link(limit, "an EtherType", error);
	if (!err)
		err = check_dport(rule, error);
	return err ? err : check_lengths(rule, error);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Ordered lists of rules, as trees: the filter of an interface and its limits, each rule as its author wrote it. */
#ifndef SLUICE_POLICY_FILTER_H
#define SLUICE_POLICY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "policy/limit.h"
#include "sluice/filter.h"

struct target;

enum filter_verb {
	FILTER_ACCEPT,
	FILTER_DROP,
	FILTER_REJECT,
	FILTER_LIMIT, /* a rule of the limit stage: what is within its limit goes on, what is over it is dropped */
};

enum filter_family {
	FILTER_FAMILY_ANY,
	FILTER_FAMILY_IPV4,
	FILTER_FAMILY_IPV6,
	FILTER_FAMILY_ARP,
};

/* What a rule compares with numbers. */
enum filter_field {
	FILTER_FIELD_PROTOCOL,
	FILTER_FIELD_SPORT,
	FILTER_FIELD_DPORT,
	FILTER_FIELD_TYPE,
	FILTER_FIELD_CODE,
	FILTER_FIELD_VLAN, /* FILTER_VLAN_NONE: untagged */
	FILTER_FIELD_DSCP,
	FILTER_FIELD_TTL,
	FILTER_FIELD_LENGTH,
	FILTER_FIELD_ETHERTYPE, /* of what is neither IP nor ARP; below ETHERTYPE_MIN a length: all of these or none */
	FILTER_FIELD_COUNT,
};

enum filter_fragment {
	FILTER_IS_NO_FRAGMENT,
	FILTER_IS_FIRST_FRAGMENT,
	FILTER_IS_LATER_FRAGMENT,
	FILTER_IS_FRAGMENT,
};

struct filter_range {
	uint32_t low, high;
};

/* As written: in that order, none of them within another. `where.line` is 0 while the rule does not have the field. */
struct filter_values {
	struct location where; /* of the field's name */
	bool negated;
	struct filter_range *ranges;
	size_t count, capacity;
};

/* `from` or `to`. */
struct filter_addresses {
	struct location where; /* line 0: the rule does not say */
	bool negated;
	struct target *targets;
	size_t count, capacity;
};

/* Each `where` has line 0 while the rule does not have that part. */
struct filter_rule {
	struct location where; /* of the verb; of a limit: of its first match */
	enum filter_verb verb;
	enum filter_reject reject; /* FILTER_REJECT_NONE with other verbs */
	enum filter_family family; /* `icmp` is IPv4, `icmpv6` is IPv6 */
	struct location family_where;
	struct filter_addresses source, destination;
	struct filter_values fields[FILTER_FIELD_COUNT];
	uint8_t flags, flags_mask; /* of TCP, as in the header */
	struct location flags_where;
	enum filter_fragment fragment;
	struct location fragment_where;
	enum filter_extension extension;
	struct location extension_where;
	uint64_t mac;
	struct location mac_where;
	struct filter_limit limit;
	uint32_t log; /* one of so many packets */
	struct location log_where;
	char *counter;
	struct location counter_where;
};

struct filter_list {
	struct location where; /* line 0: the interface has no such stage */
	struct filter_rule *rules;
	size_t rule_count, rule_capacity;
};

/* Fills `*to` with a copy, which has memory of its own. */
void filter_rule_copy(struct filter_rule *to, const struct filter_rule *from);

/* One rule in canonical form, on one line without its end: rules that say the same have the same text, but for the
 * order inside lists. */
void filter_print_rule(FILE *out, const struct filter_rule *rule);

/* " to not @office, 192.0.2.0/24", behind a word before it; nothing when they are not written. */
void filter_print_addresses(FILE *out, const char *word, const struct filter_addresses *addresses);

/* " flags syn/syn,ack". */
void filter_print_flags(FILE *out, uint8_t flags, uint8_t mask);

/* "ipv4". */
const char *filter_family_name(enum filter_family family);

/* The field's word: "dport". */
const char *filter_field_name(enum filter_field field);

/* The largest value of the field. */
uint32_t filter_field_max(enum filter_field field);

/* True when every packet of the rule has ports, unless it is a later fragment or cut short. */
bool filter_rule_has_ports(const struct filter_rule *rule);

/* True when the rule is about one protocol alone, and it is this one. */
bool filter_rule_is_only(const struct filter_rule *rule, uint32_t protocol);

void filter_free_addresses(struct filter_addresses *addresses);
void filter_free(struct filter_list *list);

#endif

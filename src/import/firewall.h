/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A firewall as iptables or nftables have it: chains of rules that jump to one another. Both readers make this; what
 * comes out of it is import/flatten.h's business.
 *
 * A rule that Sluice's language cannot say is kept with the reason (`unsayable`): it is listed, never left out in
 * silence, and never carried over in part, because a rule without one of its conditions is about more packets.
 */
#ifndef SLUICE_IMPORT_FIREWALL_H
#define SLUICE_IMPORT_FIREWALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "import/terms.h"
#include "sluice/filter.h"

/* Where a rule came from: file and line of iptables; nft has no lines, but a handle in the text. */
struct origin {
	struct location where;
	const char *text;
};

enum rule_verdict {
	RULE_CONTINUE, /* decides nothing */
	RULE_ACCEPT,
	RULE_DROP,
	RULE_REJECT,
	RULE_RETURN,
	RULE_JUMP,
	RULE_GOTO,
};

enum limit_kind {
	LIMIT_NONE,
	LIMIT_UPTO, /* the rule is about packets as long as they are not more than that */
	LIMIT_OVER, /* about those that are too many */
};

struct rule_limit {
	enum limit_kind kind;
	uint64_t rate;
	char unit; /* s, m, h, d */
	uint64_t burst;
	enum filter_per per;
	int length; /* of the prefix that counts as one; 0: the whole address */
};

/* One condition on the interface; all of a rule's have to hold. */
struct interface_condition {
	const char **names; /* a '+' or '*' at the end stands for any rest */
	size_t count;
	bool negated;
	struct interface_condition *next;
};

struct firewall_rule {
	struct origin origin;
	const char *unsayable; /* NULL: all of it can be said */
	const char *note;      /* what is a little different in Sluice, or NULL */
	struct choice choice;
	struct interface_condition *interfaces;
	enum rule_verdict verdict;
	const char *target; /* of JUMP and GOTO: the chain's name */
	enum filter_reject reject;
	struct rule_limit limit;
	bool log;
	const char *count;   /* the name of a counter, or NULL */
	const char *comment; /* what the author wrote, or NULL */
	bool listed;	     /* for the interface that is written: once is enough */
	bool met;	     /* some packet gets there, on some interface */
};

enum hook {
	HOOK_NONE, /* reached by jumps only */
	HOOK_INGRESS,
	HOOK_PREROUTING,
	HOOK_INPUT,
	HOOK_ELSEWHERE, /* forward, output, … : what XDP does not see */
};

struct firewall_chain {
	const char *name, *table; /* a jump stays in its table; `table` has the family in it */
	unsigned families;
	enum hook hook;
	const char *hook_name;
	const char **devices; /* of a netdev chain */
	size_t device_count;  /* 0: any */
	int priority;
	bool drop; /* the policy; else accept */
	struct origin origin;
	struct firewall_rule *rules;
	size_t rule_count, rule_capacity;
	bool walked;
};

/* A set that the policy has to have. */
struct firewall_set {
	const char *name;
	const char *table;	    /* of nft: where it is; NULL: iptables */
	const char *how;	    /* a line that says how it is filled, or NULL: it is written out */
	struct addresses addresses; /* of one that is written out */
	uint64_t size, timeout;	    /* of a dynamic one */
	bool dynamic;
};

struct firewall {
	struct pool pool;
	bool stateless; /* the user wants connection states approximated */
	struct firewall_chain **chains;
	size_t chain_count, chain_capacity;
	struct firewall_set **sets;
	size_t set_count, set_capacity;
	const char **others; /* what is not about what arrives: tables, chains; a line each */
	size_t other_count, other_capacity;
	unsigned families; /* that something was read about */
	bool states;	   /* a rule asks for connection states */
	unsigned tracked;  /* families of which the kernel keeps connections, because of such a rule or of NAT */
};

/* Each adds what it reads to the firewall. They return 0, or a negative errno with `error` set; what was added until
 * then is freed with the rest. `file` is borrowed for as long as the firewall lives. */
int firewall_read_iptables(struct firewall *firewall, const char *text, const char *file, struct error *error);
int firewall_read_nft(struct firewall *firewall, const char *text, size_t length, const char *file,
		      struct error *error);

void firewall_free(struct firewall *firewall);

struct firewall_chain *firewall_add_chain(struct firewall *firewall, const char *table, const char *name);
struct firewall_chain *firewall_chain(const struct firewall *firewall, const char *table, const char *name);
struct firewall_rule *firewall_add_rule(struct firewall_chain *chain);
void firewall_add_other(struct firewall *firewall, const char *line);

/* The set of that name, made when there is none: dynamic, to be filled by the user. */
struct firewall_set *firewall_dynamic_set(struct firewall *firewall, const char *name);
struct firewall_set *firewall_set(const struct firewall *firewall, const char *name);

/* A name that Sluice's language takes for a set, made of one that iptables or nft take. */
const char *firewall_set_name(struct firewall *firewall, const char *name);

/* Adds a condition to a rule: what both can be about. Notes what cannot be said. */
void rule_and(struct firewall *firewall, struct firewall_rule *rule, struct choice choice);
void rule_and_terms(struct firewall *firewall, struct firewall_rule *rule, struct terms terms);

/* The rule cannot be said, for this reason: the first one stays. */
void rule_unsayable(struct firewall *firewall, struct firewall_rule *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void rule_note(struct firewall *firewall, struct firewall_rule *rule, const char *note);

/* Connection states, as iptables and nft both have them. */
enum connection_state {
	STATE_NEW = 1 << 0,
	STATE_ESTABLISHED = 1 << 1,
	STATE_RELATED = 1 << 2,
	STATE_INVALID = 1 << 3,
	STATE_UNTRACKED = 1 << 4,
	STATE_ALL = 31,
};

/* The state of that name in either case, or 0. */
unsigned state_number(const char *name);

/* Adds "in one of these states" to a rule whose other conditions and verdict are there already: approximated when the
 * user wants that, else not to be said. */
void rule_and_states(struct firewall *firewall, struct firewall_rule *rule, unsigned families, unsigned states);

/* Numbers as text, of a field: "22", "1000-2000"; `separator` is '-' or ':'. Names of services and protocols too.
 * False when it is none. */
bool read_range(const char *text, char separator, enum filter_field field, struct range *range);

/* Terms with one field given; for ports, types and what goes with it. */
struct terms terms_number(unsigned families, enum filter_field field, struct ranges ranges);

/* Choices for flags of TCP: (flags & mask) == value, or not so. */
struct choice choice_flags(struct pool *pool, uint8_t value, uint8_t mask, bool negated);

/* The number of a TCP flag, or of a list with commas, "ALL", "NONE"; -1 when it is none. */
int flags_number(const char *names);

#endif

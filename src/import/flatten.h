/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From chains that jump to one another to one list of rules, first match wins, for one interface.
 *
 * A jump's rules stand in its place with its conditions added. What comes back from a chain early (RETURN, or an accept
 * where another base chain follows) has a way of its own to the end: the rules that are left for it are written again
 * with its conditions. So the list decides as the chains did, for every packet that no left-out rule was about.
 */
#ifndef SLUICE_IMPORT_FLATTEN_H
#define SLUICE_IMPORT_FLATTEN_H

#include "import/firewall.h"

enum item_kind {
	ITEM_RULE,
	ITEM_LISTED, /* not carried over: `why` */
};

struct item {
	enum item_kind kind;
	struct terms terms;
	enum rule_verdict verdict;	  /* ACCEPT, DROP or REJECT */
	const struct firewall_rule *rule; /* that it is of; NULL: the policy of `chain` */
	const struct firewall_chain *chain;
	bool limited; /* by rule->limit */
	bool log;
	const char *why;
};

struct flat {
	const char *interface;
	struct item *items; /* to be freed */
	size_t count, capacity;
	bool drop;	       /* the default */
	unsigned whole;	       /* families of which the rules never saw fragments, but what they are put together to */
	bool single;	       /* fragments of another family that they are about they saw one by one */
	unsigned passed;       /* families that pass at the end although the default is drop */
	size_t other_rules;    /* for other interfaces */
	size_t loopback_rules; /* for lo only */
};

/* A rule that writes to the log and the one behind it that decides about the same packets are one rule here. */
void firewall_merge_logs(struct firewall *firewall);

/* The names of interfaces that the rules of the carried chains name, without lo and without patterns. Returns how many;
 * `*names` is the caller's to free, the names are borrowed. */
size_t firewall_interfaces(const struct firewall *firewall, const char ***names);

/* Returns 0 and a list to free with flat_free, or a negative errno with `error` set: chains that jump in a circle, or
 * more rules than a filter can have. */
int flatten(struct firewall *firewall, const char *interface, struct flat *flat, struct error *error);
void flat_free(struct flat *flat);

/* Turns limits into Sluice's, under which what is over is dropped; where that would be something else, or would take
 * too long to tell, lists them. */
void flat_settle_limits(struct flat *flat);

/* Why a limit is none that a policy can have; NULL when it is one. Owned by the firewall. */
const char *limit_unsayable(struct firewall *firewall, const struct rule_limit *limit);

#endif

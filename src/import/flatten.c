// SPDX-License-Identifier: BSD-2-Clause
#include "import/flatten.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

#define DEPTH_MAX 64 /* of jumps; the kernel takes 16 in nftables */
#define ITEMS_MAX FILTER_RULES_MAX
#define WALKED_MAX (8 * ITEMS_MAX) /* chains that jump to one another often double the way with each jump */

/* Where the packet goes on when a chain is at its end. */
struct frame {
	const struct firewall_chain *chain;
	size_t next;
	const struct frame *parent;
	unsigned depth;
};

struct walk {
	struct firewall *firewall;
	struct flat *flat;
	struct firewall_chain **bases; /* in their order */
	size_t base_count;
	size_t walked; /* rules, each as often as packets come there on different ways */
	bool lost;     /* a chain's end could not be said for some packets */
	struct error *error;
};

/* What becomes of the packets that a rule, or a chain, was written for. */
enum fate {
	FATE_GOES_ON, /* some of them meet the next rule */
	FATE_LEAVES,  /* none does, but some meet what follows the jump to this chain */
	FATE_DECIDED, /* all of them have a verdict */
};

static int walk_chain(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
		      enum fate *fate);
static int walk_on(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
		   struct firewall_rule *cause);

static int add_item(struct walk *walk, struct item item)
{
	struct flat *flat = walk->flat;

	if (flat->count == ITEMS_MAX) {
		struct location where = item.rule ? item.rule->origin.where : item.chain->origin.where;

		return error_at(walk->error, where, "written one by one, these are more than %d rules", ITEMS_MAX);
	}
	flat->items = xgrow(flat->items, flat->count, &flat->capacity, sizeof(*flat->items));
	flat->items[flat->count++] = item;
	return 0;
}

/* Once for each rule and interface, wherever it is jumped to from; a map of verdicts is one rule, too. */
static int list(struct walk *walk, struct firewall_rule *rule, const char *why)
{
	const struct item *last = walk->flat->count ? &walk->flat->items[walk->flat->count - 1] : NULL;

	if (rule->listed)
		return 0;
	rule->listed = true;
	if (last && last->kind == ITEM_LISTED && last->rule->origin.text == rule->origin.text &&
	    !strcmp(last->why, why))
		return 0;
	return add_item(walk, (struct item){ .kind = ITEM_LISTED, .rule = rule, .why = why });
}

static bool names_match(const char *pattern, const char *interface)
{
	size_t length = strlen(pattern);

	if (length && (pattern[length - 1] == '+' || pattern[length - 1] == '*'))
		return !strncmp(pattern, interface, length - 1);
	return !strcmp(pattern, interface);
}

static bool rule_is_for(const struct firewall_rule *rule, const char *interface)
{
	for (const struct interface_condition *c = rule->interfaces; c; c = c->next) {
		bool named = false;

		for (size_t i = 0; i < c->count; i++)
			named |= names_match(c->names[i], interface);
		if (named == c->negated)
			return false;
	}
	return true;
}

/* Packets of these terms were accepted by base chain number `base`: those behind it have their say. */
static int accepted(struct walk *walk, size_t base, const struct terms *terms, struct firewall_rule *rule,
		    const struct firewall_chain *chain)
{
	struct item item = { .terms = *terms, .verdict = RULE_ACCEPT, .rule = rule, .chain = chain };

	for (size_t next = base + 1; next < walk->base_count; next++) {
		struct frame frame = { .chain = walk->bases[next] };
		struct terms family = terms_all(frame.chain->families), both;
		const char *why;
		int err;

		if (terms_and(&walk->firewall->pool, &item.terms, &family, &both, &why) != TERMS_OK)
			continue;
		err = walk_on(walk, &frame, next, &both, rule);
		if (err)
			return err;
		family = terms_all(FAMILY_ALL & ~frame.chain->families);
		if (terms_and(&walk->firewall->pool, &item.terms, &family, &both, &why) != TERMS_OK)
			return 0;
		item.terms = both;
	}
	item.log = rule && rule->log;
	item.limited = rule && rule->limit.kind != LIMIT_NONE;
	return add_item(walk, item);
}

/* What the end of a base chain does; `rule`: a RETURN that leads there at once. `cause` is the rule of which these
 * packets are, when they are not all. */
static int policy(struct walk *walk, const struct firewall_chain *chain, size_t base, const struct terms *terms,
		  struct firewall_rule *rule, struct firewall_rule *cause)
{
	const char *why = terms_unsayable(terms);

	if (why && cause) {
		walk->lost = true;
		return list(walk, cause,
			    pool_text(&walk->firewall->pool, "%s, which the policy of chain %s would need", why,
				      chain->name));
	}
	if (chain->drop)
		return add_item(walk,
				(struct item){ .terms = *terms, .verdict = RULE_DROP, .rule = rule, .chain = chain });
	return accepted(walk, base, terms, rule, chain);
}

/* Writes again what is left of the way of packets with these terms, those of the rule `cause`, to its very end. */
static int walk_on(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
		   struct firewall_rule *cause)
{
	enum fate fate;

	for (; frame; frame = frame->parent) {
		int err = walk_chain(walk, frame, base, context, &fate);

		if (err || fate == FATE_DECIDED)
			return err;
	}
	return policy(walk, walk->bases[base], base, context, NULL, cause);
}

static int walk_jump(struct walk *walk, const struct frame *frame, size_t base, struct firewall_rule *rule,
		     const struct terms *terms, bool whole, enum fate *fate)
{
	struct firewall_chain *chain = firewall_chain(walk->firewall, frame->chain->table, rule->target);
	struct frame back = *frame, into = { .chain = chain, .parent = &back, .depth = frame->depth + 1 };
	enum fate inside;
	int err;

	if (!chain)
		return error_at(walk->error, rule->origin.where, "there is no chain %s to jump to", rule->target);
	if (into.depth > DEPTH_MAX)
		return error_at(walk->error, rule->origin.where, "the way through chain %s comes back here in a circle",
				rule->target);
	back.next++;
	if (rule->verdict == RULE_GOTO) {
		into.parent = frame->parent; /* the way back leaves this chain out */
		chain->walked = true;
		if (!whole)
			return walk_on(walk, &into, base, terms, rule);
	}
	err = walk_chain(walk, &into, base, terms, &inside);
	if (whole && inside == FATE_DECIDED)
		*fate = FATE_DECIDED;
	else if (whole && rule->verdict == RULE_GOTO)
		*fate = FATE_LEAVES;
	return err;
}

static int walk_return(struct walk *walk, const struct frame *frame, size_t base, struct firewall_rule *rule,
		       const struct terms *terms)
{
	if (frame->next + 1 == frame->chain->rule_count)
		return 0;
	if (frame->parent)
		return walk_on(walk, frame->parent, base, terms, rule);
	/* A chain that a goto of the base chain leads to has no way back either. */
	return policy(walk, walk->bases[base], base, terms, rule, rule);
}

/* Writes a rule with one of its terms; `whole`: these are all packets that get here. */
static int walk_terms(struct walk *walk, const struct frame *frame, size_t base, struct firewall_rule *rule,
		      const struct terms *terms, bool whole, enum fate *fate)
{
	bool limited = rule->limit.kind != LIMIT_NONE;

	switch (rule->verdict) {
	case RULE_CONTINUE:
		return 0;
	case RULE_ACCEPT:
		if (whole && !limited)
			*fate = FATE_DECIDED;
		return accepted(walk, base, terms, rule, frame->chain);
	case RULE_DROP:
	case RULE_REJECT:
		if (whole && !limited)
			*fate = FATE_DECIDED;
		return add_item(walk, (struct item){ .terms = *terms,
						     .verdict = rule->verdict,
						     .rule = rule,
						     .chain = frame->chain,
						     .limited = limited,
						     .log = rule->log });
	case RULE_RETURN:
		if (whole)
			*fate = FATE_LEAVES;
		return whole ? 0 : walk_return(walk, frame, base, rule, terms);
	case RULE_JUMP:
	case RULE_GOTO:
		return walk_jump(walk, frame, base, rule, terms, whole, fate);
	}
	return 0;
}

/* Why a rule that could be said by itself cannot be said where it stands; NULL when it can. */
static const char *unsayable_here(struct walk *walk, const struct firewall_rule *rule, size_t base)
{
	bool limited = rule->limit.kind != LIMIT_NONE;

	if (rule->unsayable)
		return rule->unsayable;
	if (rule->verdict == RULE_CONTINUE && rule->log)
		return "it only writes to the log: give `log` to the rule that decides";
	if (rule->verdict == RULE_CONTINUE)
		return "it counts and decides nothing";
	if (limited && rule->verdict != RULE_ACCEPT && rule->verdict != RULE_DROP && rule->verdict != RULE_REJECT)
		return "a limit decides between two ways here; in Sluice what is over a limit is dropped";
	if (limited && rule->choice.count > 1)
		return "one limit for what would take several rules";
	if (limited && rule->verdict == RULE_ACCEPT && base + 1 < walk->base_count)
		return "a limit, and other chains have a say after it";
	return limited ? limit_unsayable(walk->firewall, &rule->limit) : NULL;
}

static int list_chain(struct walk *walk, const struct frame *frame, const struct firewall_rule *cause)
{
	int err = 0;

	for (size_t i = frame->next + 1; i < frame->chain->rule_count && !err; i++) {
		frame->chain->rules[i].met = true;
		err = list(walk, &frame->chain->rules[i],
			   pool_text(&walk->firewall->pool, "it is for what the %s before it leaves (%s)",
				     cause->verdict == RULE_GOTO ? "GOTO" : "RETURN", cause->origin.text));
	}
	return err;
}

static void count_other(struct walk *walk, const struct firewall_rule *rule)
{
	if (rule_is_for(rule, "lo") && !rule->interfaces->negated)
		walk->flat->loopback_rules++;
	else
		walk->flat->other_rules++;
}

/* NF_IP_PRI_CONNTRACK_DEFRAG of linux/netfilter_ipv4.h and its like of IPv6: where connections are kept, the kernel
 * puts fragments together at prerouting, with this priority. */
#define PRIORITY_DEFRAG (-400)

/* The families of whose fragments a base chain sees only what they are put together to. Of IPv4 they are before input
 * in any case (net/ipv4/ip_input.c, ip_local_deliver). */
static unsigned sees_whole(const struct firewall *firewall, const struct firewall_chain *base)
{
	unsigned whole = firewall->tracked & FAMILY_IP;

	if (base->hook == HOOK_INPUT)
		return whole | FAMILY_IPV4;
	return base->hook == HOOK_PREROUTING && base->priority > PRIORITY_DEFRAG ? whole : 0;
}

/* What asks for fragments of whole packets is true of all of them or of none. False for the latter. Only IPv4 has such
 * conditions. */
static bool settle_fragments(const struct walk *walk, size_t base, struct terms *terms)
{
	if (!(sees_whole(walk->firewall, walk->bases[base]) & FAMILY_IPV4) || terms->fragments == FRAGMENT_KIND_ALL)
		return true;
	if (!(terms->fragments & FRAGMENT_KIND_NONE))
		return false;
	terms->fragments = FRAGMENT_KIND_ALL;
	return true;
}

static bool never_matches(const struct walk *walk, const struct firewall_rule *rule, size_t base)
{
	for (size_t i = 0; i < rule->choice.count; i++) {
		struct terms terms = rule->choice.items[i];

		if (settle_fragments(walk, base, &terms))
			return false;
	}
	return rule->choice.count && !rule->unsayable;
}

/* Writes a rule for each of its terms that a packet of the context can have; `*why` when one of them cannot be said. */
static int walk_choices(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
			enum fate *fate, const char **why)
{
	struct firewall_rule *rule = &frame->chain->rules[frame->next];
	int err = 0;

	for (size_t i = 0; i < rule->choice.count && !*why && *fate == FATE_GOES_ON && !err; i++) {
		struct terms one = rule->choice.items[i], both;

		if (!settle_fragments(walk, base, &one) ||
		    terms_and(&walk->firewall->pool, context, &one, &both, why) != TERMS_OK)
			continue;
		/* What is jumped to may say more. */
		if (rule->verdict != RULE_JUMP && rule->verdict != RULE_GOTO)
			*why = terms_unsayable(&both);
		if (!*why)
			err = walk_terms(walk, frame, base, rule, &both, terms_equal(&both, context), fate);
	}
	return err;
}

/* A rule that cannot be said, or whose packets' way cannot. What follows in this chain is not for those that would have
 * left it here, and nobody knows which these are. */
static int leave_out(struct walk *walk, const struct frame *frame, const char *why, enum fate *fate)
{
	struct firewall_rule *rule = &frame->chain->rules[frame->next];
	int err = why ? list(walk, rule, why) : 0;

	if (err || (rule->verdict != RULE_RETURN && rule->verdict != RULE_GOTO))
		return err;
	*fate = FATE_LEAVES;
	return list_chain(walk, frame, rule);
}

static int walk_rule(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
		     enum fate *fate)
{
	struct firewall_rule *rule = &frame->chain->rules[frame->next];
	const char *why = unsayable_here(walk, rule, base);
	bool lost = walk->lost;
	int err;

	if (walk->walked++ == WALKED_MAX)
		return error_at(walk->error, rule->origin.where,
				"written one by one, the ways through these chains are more than %d rules", WALKED_MAX);
	rule->met = true;
	if (!rule_is_for(rule, walk->flat->interface)) {
		count_other(walk, rule);
		return 0;
	}
	if (never_matches(walk, rule, base))
		return list(walk, rule, "it never matches: the kernel has put fragments together before");
	walk->lost = false;
	err = walk_choices(walk, frame, base, context, fate, &why);
	if (!err && (why || walk->lost))
		err = leave_out(walk, frame, why, fate);
	walk->lost |= lost;
	return err;
}

/* Writes the rules of a chain from frame->next on, for packets of the context. */
static int walk_chain(struct walk *walk, const struct frame *frame, size_t base, const struct terms *context,
		      enum fate *fate)
{
	struct frame at = *frame;
	int err = 0;

	*fate = FATE_GOES_ON;
	for (; at.next < at.chain->rule_count && *fate == FATE_GOES_ON && !err; at.next++)
		err = walk_rule(walk, &at, base, context, fate);
	return err;
}

static bool comes_before(const struct firewall_chain *a, const struct firewall_chain *b)
{
	return a->hook != b->hook ? a->hook < b->hook : a->priority < b->priority;
}

static bool is_base(const struct firewall_chain *chain, const char *interface)
{
	bool here = !chain->device_count;

	for (size_t i = 0; i < chain->device_count; i++)
		here |= !strcmp(chain->devices[i], interface);
	return here && (chain->hook == HOOK_INGRESS || chain->hook == HOOK_PREROUTING || chain->hook == HOOK_INPUT);
}

/* Policies that drop whatever is left of a family, when no rule for that family comes behind them: they are the
 * default.
 */
static void settle_default(struct flat *flat)
{
	unsigned dropped = 0, behind = 0;

	for (size_t i = flat->count; i-- > 0;) {
		const struct item *item = &flat->items[i];
		struct terms all = terms_all(item->terms.families);

		if (item->kind == ITEM_LISTED)
			continue;
		if (!item->rule && item->verdict == RULE_DROP && !(all.families & behind) &&
		    terms_equal(&item->terms, &all)) {
			dropped |= all.families;
			memmove(flat->items + i, flat->items + i + 1, (--flat->count - i) * sizeof(*flat->items));
		} else {
			behind |= item->terms.families;
		}
	}
	flat->drop = dropped & FAMILY_IP;
	flat->passed = flat->drop ? FAMILY_IP & ~dropped : 0;
}

static int walk_bases(struct walk *walk)
{
	unsigned left = FAMILY_ALL; /* families of which some packets are not decided */
	int err = 0;

	for (size_t i = 0; i < walk->base_count && !err; i++) {
		struct firewall_chain *chain = walk->bases[i];
		struct frame frame = { .chain = chain };
		struct terms context = terms_all(chain->families & left);
		enum fate fate;

		chain->walked = true;
		if (!context.families)
			continue;
		err = walk_chain(walk, &frame, i, &context, &fate);
		/* Also where a rule has decided about everything before: the policy is what the author wants by
		 * default. */
		if (!err && chain->drop)
			err = policy(walk, chain, i, &context, NULL, NULL);
		if (chain->drop || fate == FATE_DECIDED)
			left &= ~context.families;
	}
	return err;
}

static void forget_listed(struct firewall *firewall)
{
	for (size_t c = 0; c < firewall->chain_count; c++) {
		for (size_t i = 0; i < firewall->chains[c]->rule_count; i++)
			firewall->chains[c]->rules[i].listed = false;
	}
}

/* In the order in which packets meet them; chains of the same priority as they were read. */
static void sort_bases(struct walk *walk)
{
	for (size_t i = 1; i < walk->base_count; i++) {
		for (size_t j = i; j > 0 && comes_before(walk->bases[j], walk->bases[j - 1]); j--) {
			struct firewall_chain *swap = walk->bases[j];

			walk->bases[j] = walk->bases[j - 1];
			walk->bases[j - 1] = swap;
		}
	}
}

/* Where a chain judges fragments one by one, so does Sluice; if those of one family only, as the other one wants it:
 * a policy says one thing of both. IPv4, of which there are some, comes first. */
static void settle_whole(const struct walk *walk, struct flat *flat)
{
	unsigned families = 0, single = 0;

	for (size_t i = 0; i < walk->base_count; i++) {
		const struct firewall_chain *base = walk->bases[i];

		families |= base->families & FAMILY_IP;
		single |= base->families & FAMILY_IP & ~sees_whole(walk->firewall, base);
	}
	flat->whole = families & ~single;
	flat->single = single;
	if (single & FAMILY_IPV4)
		flat->whole = 0;
}

int flatten(struct firewall *firewall, const char *interface, struct flat *flat, struct error *error)
{
	CLEANUP_FREE struct firewall_chain **bases = xcalloc(firewall->chain_count, sizeof(struct firewall_chain *));
	struct flat made = { .interface = interface };
	struct walk walk = { .firewall = firewall, .flat = &made, .bases = bases, .error = error };
	int err;

	for (size_t i = 0; i < firewall->chain_count; i++) {
		if (is_base(firewall->chains[i], interface))
			bases[walk.base_count++] = firewall->chains[i];
	}
	sort_bases(&walk);
	settle_whole(&walk, &made);
	forget_listed(firewall);
	err = walk_bases(&walk);
	if (err) {
		flat_free(&made);
		return err;
	}
	settle_default(&made);
	*flat = made;
	return 0;
}

void flat_free(struct flat *flat)
{
	free(flat->items);
	*flat = (struct flat){ 0 };
}

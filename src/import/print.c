// SPDX-License-Identifier: BSD-2-Clause
#include "import/import.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/duration.h"
#include "base/plural.h"
#include "policy/parse.h"
#include "sluice/set.h"

struct used {
	const char *names[FILTER_STATIC_SETS_MAX + DYNAMIC_MAX];
	size_t count[2]; /* static, dynamic */
};

/* True when the set of that name has a place. */
static bool use(struct used *used, const char *name, bool dynamic)
{
	size_t first = dynamic ? FILTER_STATIC_SETS_MAX : 0;
	size_t room = dynamic ? DYNAMIC_MAX : FILTER_STATIC_SETS_MAX;

	for (size_t i = 0; i < used->count[dynamic]; i++) {
		if (!strcmp(used->names[first + i], name))
			return true;
	}
	if (used->count[dynamic] == room)
		return false;
	used->names[first + used->count[dynamic]++] = name;
	return true;
}

static void settle_set(struct item *item, struct addresses *addresses, struct used *used)
{
	if (item->kind != ITEM_RULE || !addresses->set || use(used, addresses->set, addresses->unknown))
		return;
	if (!addresses->unknown) {
		addresses->set = NULL;
		return;
	}
	item->kind = ITEM_LISTED;
	item->why = "an interface can name at most 4 dynamic sets in one direction";
}

void flat_settle_sets(struct firewall *firewall, struct flat *flat)
{
	struct used source = { 0 }, destination = { 0 };

	for (size_t i = 0; i < flat->count; i++) {
		settle_set(&flat->items[i], &flat->items[i].terms.source, &source);
		settle_set(&flat->items[i], &flat->items[i].terms.destination, &destination);
	}
}

/* Text that comes from outside, in a comment: one line of it. */
static void print_plain(FILE *out, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' ? ' ' : *text, out);
}

static void print_place(FILE *out, const struct origin *origin)
{
	fputs(origin->where.file, out);
	if (origin->where.line)
		fprintf(out, ":%d", origin->where.line);
	fputs(": ", out);
}

static void print_listed(FILE *out, const char *before, const struct item *item)
{
	fputs(before, out);
	print_place(out, &item->rule->origin);
	fputs("not carried over: ", out);
	print_plain(out, item->rule->origin.text);
	fputs(": ", out);
	print_plain(out, item->why);
	putc('\n', out);
}

/* The names of the sets that rules name, sorted; a name as often as it is named. */
struct names {
	const char **items; /* to be freed; the names are borrowed */
	size_t count, capacity;
};

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void add_name(struct names *names, const char *name)
{
	if (!name)
		return;
	names->items = xgrow(names->items, names->count, &names->capacity, sizeof(*names->items));
	names->items[names->count++] = name;
}

static struct names find_names(const struct flat *flats, size_t count)
{
	struct names made = { 0 };

	for (size_t f = 0; f < count; f++) {
		for (size_t i = 0; i < flats[f].count; i++) {
			if (flats[f].items[i].kind != ITEM_RULE)
				continue;
			add_name(&made, flats[f].items[i].terms.source.set);
			add_name(&made, flats[f].items[i].terms.destination.set);
		}
	}
	if (made.count)
		qsort(made.items, made.count, sizeof(*made.items), compare_names);
	return made;
}

static bool is_used(const struct names *names, const struct firewall_set *set)
{
	return names->count &&
	       bsearch(&set->name, names->items, names->count, sizeof(*names->items), compare_names) != NULL;
}

static void print_set(FILE *out, const struct firewall_set *set)
{
	char text[PREFIX_TEXT_MAX], timeout[DURATION_TEXT_MAX];

	putc('\n', out);
	if (set->how)
		fprintf(out, "# %s is empty at first. To fill it: %s\n", set->name, set->how);
	fprintf(out, "set %s ", set->name);
	if (set->dynamic) {
		fprintf(out, "dynamic size %llu", (unsigned long long)set->size);
		if (set->timeout)
			fprintf(out, " timeout %s", duration_text(set->timeout, timeout));
		putc('\n', out);
		return;
	}
	fputs("{\n", out);
	for (size_t i = 0; i < set->addresses.count; i++)
		fprintf(out, "    %s,\n", prefix_print(&set->addresses.items[i], text));
	fputs("}\n", out);
}

/* In quotes unless it is a plain word that means nothing else. */
static void print_name(FILE *out, const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";

	if (!name[strspn(name, plain)] && !is_keyword(name)) {
		fputs(name, out);
		return;
	}
	putc('"', out);
	for (; *name; name++)
		fprintf(out, *name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
	putc('"', out);
}

static void print_interface(FILE *out, const struct flat *flat, unsigned families)
{
	fputs("\ninterface ", out);
	print_name(out, flat->interface);
	fputs(" {\n", out);
	if (flat->whole)
		fprintf(out,
			"    fragments track  # its rules see whole packets: later fragments go with their first%s\n",
			flat->single ? "; of IPv6 they see each" : "");
	fputs("    filter {\n", out);
	for (size_t i = 0; i < flat->count; i++) {
		if (flat->items[i].kind == ITEM_LISTED)
			print_listed(out, "        # ", &flat->items[i]);
		else
			item_print(out, &flat->items[i]);
	}
	if (flat->passed & FAMILY_IP)
		fprintf(out, "        accept %s  # %s\n", flat->passed & FAMILY_IPV4 ? "ipv4" : "ipv6",
			flat->passed & families ? "its policy is to accept"
						: "no rules about it were given: it passes as it did");
	fprintf(out, "    }\n    default %s\n}\n", flat->drop ? "drop" : "pass");
}

static const char *const forwarded =
	"XDP sees what arrives, before the kernel knows whether it is for this machine: rules of INPUT decide here\n"
	"# about packets that are forwarded, too, and what is sent is not seen at all.";

static void print_counts(FILE *out, const struct flat *flats, size_t count)
{
	for (size_t f = 0; f < count; f++) {
		if (flats[f].other_rules)
			fprintf(out, "#   %zu rule%s for other interfaces than %s\n", flats[f].other_rules,
				plural(flats[f].other_rules), flats[f].interface);
	}
	if (flats[0].loopback_rules)
		fprintf(out, "#   %zu rule%s for lo: Sluice is not attached there, so it passes\n",
			flats[0].loopback_rules, plural(flats[0].loopback_rules));
}

/* A listed rule and the first interface that it is listed for: one that is for several counts there. */
struct listing {
	const struct firewall_rule *rule;
	size_t flat;
};

struct listings {
	struct listing *items; /* sorted by rule; to be freed */
	size_t count;
};

static int compare_rules(const void *left, const void *right)
{
	const struct listing *a = left, *b = right;

	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static int compare_listings(const void *left, const void *right)
{
	const struct listing *a = left, *b = right;
	int order = compare_rules(left, right);

	return order ? order : a->flat < b->flat ? -1 : a->flat > b->flat;
}

static struct listings find_listings(const struct flat *flats, size_t count)
{
	struct listings made = { 0 };
	size_t all = 0, kept = 0;

	for (size_t f = 0; f < count; f++)
		all += flats[f].count;
	made.items = xcalloc(all + 1, sizeof(*made.items));
	for (size_t f = 0; f < count; f++) {
		for (size_t i = 0; i < flats[f].count; i++) {
			if (flats[f].items[i].kind == ITEM_LISTED)
				made.items[made.count++] = (struct listing){ flats[f].items[i].rule, f };
		}
	}
	qsort(made.items, made.count, sizeof(*made.items), compare_listings);
	for (size_t i = 0; i < made.count; i++) {
		if (!kept || made.items[kept - 1].rule != made.items[i].rule)
			made.items[kept++] = made.items[i];
	}
	made.count = kept;
	return made;
}

/* True when this item is told of; false when it is none, or told of for an interface before. */
static bool is_told(const struct listings *listings, const struct item *item, size_t flat)
{
	const struct listing key = { .rule = item->rule }, *found;

	if (item->kind != ITEM_LISTED)
		return false;
	found = bsearch(&key, listings->items, listings->count, sizeof(key), compare_rules);
	return found && found->flat == flat;
}

static size_t count_listed(const struct listings *listings, const struct flat *flats, size_t count)
{
	size_t listed = 0;

	for (size_t f = 0; f < count; f++) {
		for (size_t i = 0; i < flats[f].count; i++)
			listed += is_told(listings, &flats[f].items[i], f);
	}
	return listed;
}

/* Chains that nothing jumps to, and rules behind one that decides about every packet. */
static void print_unmet(FILE *out, const struct firewall *firewall)
{
	for (size_t c = 0; c < firewall->chain_count; c++) {
		const struct firewall_chain *chain = firewall->chains[c];
		size_t unmet = 0;

		for (size_t i = 0; i < chain->rule_count; i++)
			unmet += !chain->rules[i].met;
		if (chain->hook == HOOK_ELSEWHERE || !unmet)
			continue;
		fprintf(out, "#   %s, chain %s, %zu rule%s: %s\n", chain->table, chain->name, unmet, plural(unmet),
			chain->walked ? "no packet gets that far" : "no rule that is carried over jumps there");
	}
}

static void print_head(FILE *out, const struct firewall *firewall, const char *source, const struct flat *flats,
		       size_t count)
{
	bool drops = false;

	fprintf(out, "# Made by sluice import from %s. Read it before you apply it.\n# %s\n", source, forwarded);
	fputs("# Drop and reject spare ARP, neighbour discovery and path-MTU errors unless a rule names them.\n", out);
	for (size_t f = 0; f < count; f++)
		drops |= flats[f].drop;
	if (drops)
		fputs("# `default drop` also drops what is neither IP nor ARP, which a firewall of IP never saw.\n",
		      out);
	if (firewall->states && firewall->stateless)
		fputs("# Connection states are approximated (--stateless): answers over UDP and ICMP to what this "
		      "machine asks\n"
		      "# need rules of their own, `accept udp sport 53` for instance, and a segment with ACK passes "
		      "whether\n"
		      "# there is such a connection or not.\n",
		      out);
	else if (firewall->states)
		fputs("# Rules about connection states are left out: there is no connection tracking in Sluice. Under\n"
		      "# `default drop` answers to this machine's own connections are dropped then. --stateless puts "
		      "in\n"
		      "# their place what comes near.\n",
		      out);
}

static void print_left_out(FILE *out, const struct firewall *firewall, const struct listings *listings,
			   const struct flat *flats, size_t count)
{
	size_t listed = count_listed(listings, flats, count);

	if (listed)
		fprintf(out,
			"#   %zu rule%s, each with its reason where it stood, below. A rule of which one condition "
			"cannot be\n"
			"#   said is left out whole: without it, it would be about more packets.\n",
			listed, plural(listed));
	print_counts(out, flats, count);
	for (size_t i = 0; i < firewall->other_count; i++) {
		fputs("#   ", out);
		print_plain(out, firewall->others[i]);
		putc('\n', out);
	}
	print_unmet(out, firewall);
}

/* With a heading, when anything was. */
static void print_list(FILE *out, const struct firewall *firewall, const struct listings *listings,
		       const struct flat *flats, size_t count)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	print_left_out(memory, firewall, listings, flats, count);
	fclose(memory);
	if (length)
		fprintf(out, "#\n# Not carried over:\n%s", text);
}

static void print_messages(FILE *messages, const struct firewall *firewall, const struct listings *listings,
			   const struct flat *flats, size_t count)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length); /* standard error writes each character by itself */

	for (size_t f = 0; f < count; f++) {
		for (size_t i = 0; i < flats[f].count; i++) {
			if (is_told(listings, &flats[f].items[i], f))
				print_listed(out, "", &flats[f].items[i]);
		}
	}
	for (size_t i = 0; i < firewall->other_count; i++) {
		fputs("not carried over: ", out);
		print_plain(out, firewall->others[i]);
		putc('\n', out);
	}
	fclose(out);
	fwrite(text, 1, length, messages);
}

int import_print(struct firewall *firewall, const char *source, const char *const *interfaces, size_t count, FILE *out,
		 FILE *messages, struct error *error)
{
	CLEANUP_FREE struct flat *flats = xcalloc(count, sizeof(*flats));
	int err = 0;

	firewall_merge_logs(firewall);
	for (size_t i = 0; i < count && !err; i++) {
		err = flatten(firewall, interfaces[i], &flats[i], error);
		if (err)
			break;
		flat_settle_limits(&flats[i]);
		flat_settle_sets(firewall, &flats[i]);
	}
	if (!err) {
		struct listings listings = find_listings(flats, count);
		struct names names = find_names(flats, count);

		print_head(out, firewall, source, flats, count);
		print_list(out, firewall, &listings, flats, count);
		for (size_t i = 0; i < firewall->set_count; i++) {
			if (is_used(&names, firewall->sets[i]))
				print_set(out, firewall->sets[i]);
		}
		for (size_t i = 0; i < count; i++)
			print_interface(out, &flats[i], firewall->families);
		print_messages(messages, firewall, &listings, flats, count);
		free(listings.items);
		free(names.items);
	}
	for (size_t i = 0; i < count; i++)
		flat_free(&flats[i]);
	return err;
}

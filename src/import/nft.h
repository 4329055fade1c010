/* SPDX-License-Identifier: BSD-2-Clause */
/* What nft.c (objects and statements), nft_match.c (conditions) and nft_value.c (values) share; see
 * libnftables-json(5).
 */
#ifndef SLUICE_IMPORT_NFT_H
#define SLUICE_IMPORT_NFT_H

#include <jansson.h>

#include "import/firewall.h"

/* One ruleset while it is read. */
struct nft {
	struct firewall *firewall;
	const json_t *objects;
	const char *file;
};

/* A rule while it is read. */
struct nft_rule {
	struct nft *nft;
	const char *family, *table; /* where its sets are */
	const char *key;	    /* both: "inet filter", as chains have it */
	struct firewall_rule rule;
	unsigned states;
	bool limited; /* a limit stands before what comes next */
};

/* What a value can be: the lists are the caller's to free with values_free. */
struct values {
	struct range *ranges;
	size_t range_count, range_capacity;
	struct prefixes prefixes;
	const char **words; /* borrowed from the JSON */
	size_t word_count, word_capacity;
};

void values_free(struct values *values);

/* The set or map of that name in the rule's table, or NULL. */
const json_t *nft_find_set(const struct nft_rule *reading, const char *kind, const char *name);

/* Adds one or several numbers of a field: 22, "echo-request", ranges, sets, "@set". False when it is something else. */
bool values_add_numbers(const struct nft_rule *reading, enum filter_field field, int version, const json_t *value,
			struct values *values);
bool values_add_prefixes(const struct nft_rule *reading, const json_t *value, struct values *values);
bool values_add_words(const struct nft_rule *reading, const json_t *value, struct values *values);

/* What EtherTypes stand for: IP and ARP are families, all else goes by its number. False: there are no words for it. */
bool nft_ethertypes(struct nft_rule *reading, const char *op, const json_t *right, struct choice *choice);

/* Flags of TCP in one value, which is a word, a number or several: or -1. */
int nft_flags(const json_t *value);

/* An address, one of a range, or a prefix of either family. */
bool nft_prefix(const char *text, struct prefix *prefix);

/* Adds the condition `left op right` to the rule, or notes why it cannot be said. */
void nft_match(struct nft_rule *reading, const json_t *left, const char *op, const json_t *right);

/* The direction of "ip saddr" and its likes: 's', 'd', or 0 when it is something else. `*family` and `*length` say
 * which, and how many bits of it count (0: all). */
char nft_address_key(const json_t *expression, unsigned *family, int *length);

/* Why there are no words in Sluice for a condition on this expression. */
const char *nft_reason(const json_t *left);

/* As rule_unsayable, with the expression behind the reason. */
void nft_unsayable(struct nft_rule *reading, const char *why, const json_t *expression);

#endif

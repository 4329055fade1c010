/* SPDX-License-Identifier: BSD-2-Clause */
/* The values of a rule: what stands behind its words. */
#ifndef SLUICE_POLICY_FILTER_VALUES_H
#define SLUICE_POLICY_FILTER_VALUES_H

#include "policy/filter.h"

/* All return 0, or -EINVAL with `error` set to what is wrong at `where` and the results untouched. */

/* A value of a field, or low-high. Not for types and codes. */
int filter_range_parse(enum filter_field field, const char *text, struct location where, struct filter_range *range,
		       struct error *error);

/* A type, or a code of `types`, of ICMP (version 4) or ICMPv6 (version 6). */
int filter_type_parse(int version, const char *text, struct location where, struct filter_range *range,
		      struct error *error);
int filter_code_parse(int version, const struct filter_values *types, const char *text, struct location where,
		      struct filter_range *range, struct error *error);

/* "syn/syn,ack". */
int filter_flags_parse(const char *text, struct location where, uint8_t *flags, uint8_t *mask, struct error *error);

/* "02:00:00:00:00:01". */
int filter_mac_parse(const char *text, struct location where, uint64_t *mac, struct error *error);

/* Words of which there are few: the number of the word in `words`, of which there are `count`. `what` is what it is:
 * "a kind of fragment". */
int filter_word_parse(const char *text, struct location where, const char *const *words, size_t count, const char *what,
		      struct error *error);

/* A number of decimal digits from `low` to `high`; false, and `*number` untouched, when the text is another one. */
bool filter_number_parse(const char *text, uint32_t low, uint32_t high, uint32_t *number);

/* The words of each, in the order of its enum. */
extern const char *const filter_fragment_words[];
extern const char *const filter_extension_words[];
extern const char *const filter_reject_words[]; /* from FILTER_REJECT_RESET on */
extern const size_t filter_reject_word_count;

/* The name of a DSCP, or NULL. */
const char *filter_dscp_name(uint32_t dscp);

#endif

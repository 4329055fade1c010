/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classifier as the data path reads it (include/sluice/classifier.h): built from the matches of one family, pure,
 * the same input always gives the same output.
 */
#ifndef SLUICE_COMPILE_CLASSIFIER_H
#define SLUICE_COMPILE_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "compile/match.h"
#include "sluice/classifier.h"

/* What `check` tells of a classifier. */
struct classifier_report {
	size_t boxes;  /* matches that can match: not empty, and not the same as an earlier one */
	size_t stored; /* boxes in leaves: more, where a cut goes through them; fewer, where earlier ones cover them */
	size_t memory; /* bytes that the kernel keeps */
	unsigned groups, windows, longest_leaf;
	size_t lanes, extras; /* combinations */
	/* Rules with boxes in the linear rest, which every packet that no earlier rule matches is compared with, one
	 * after the other: so many overlap there that neither hash nor cut parts them. Ascending, each once; owned. */
	uint32_t *linear;
	size_t linear_count, linear_boxes;
};

struct classifier {
	int version;
	__u64 *words; /* owned; NULL without matches */
	size_t count; /* the map has that many, of which the last are zero */
	struct classifier_layout layout;
	struct classifier_report report;
};

/* What the verifier has left for the classifiers of a program that want more than a few groups, in shares of a group:
 * two classifiers of four, all of IPv4, take all the groups they can have. */
#define CLASSIFIER_SPARE 48

/*
 * `matches` are of family `version` (4 or 6) and in the order of their rules, which are below FILTER_RULES_MAX. Returns
 * 0, or -E2BIG with `error` set and `out` untouched: more than CLASSIFIER_LINEAR_MAX boxes that cannot be parted, too
 * many combinations of ports or of extras, or an image beyond CLASSIFIER_END_MAX. Free with classifier_free.
 * `*spare` begins with CLASSIFIER_SPARE for each program, and is less after a classifier that took of it; one that
 * finds too little has its boxes in the linear rest.
 */
int classifier_build(const struct matches *matches, int version, unsigned *spare, struct classifier *out,
		     struct error *error);
void classifier_free(struct classifier *classifier);

/* The lowest number of a rule that matches, CLASSIFIER_NONE when none does: by the lines that the data path runs. */
uint32_t classifier_lookup(const struct classifier *classifier, const struct filter_key *key);

#endif

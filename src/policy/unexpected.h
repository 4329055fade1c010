/* SPDX-License-Identifier: BSD-2-Clause */
/* What a syntax error says: a word that does not fit, and what would. */
#ifndef SLUICE_POLICY_UNEXPECTED_H
#define SLUICE_POLICY_UNEXPECTED_H

#include "policy/parse.h"

/* Tokens by their names in the grammar, in its order. */
struct unexpected {
	struct location where;
	const char *token, *text;
	const char *const *expected;
	size_t count;
	size_t shown; /* the first so many of `expected` are told: the others are separators and words of later versions
		       */
};

/* Sets parse->error to it. */
void unexpected_report(struct parse *parse, const struct unexpected *unexpected);

#endif

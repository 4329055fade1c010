/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of a list that no packet reaches, because earlier ones have all of it. */
#ifndef SLUICE_COMPILE_UNREACHED_H
#define SLUICE_COMPILE_UNREACHED_H

#include "compile/compile.h"

enum unreached_kind {
	UNREACHED_EMPTY,   /* matches nothing: its sets are empty, or its values leave nothing */
	UNREACHED_SAME,	   /* `by` is the same rule */
	UNREACHED_COVERED, /* `by` has all of it */
	UNREACHED_SEVERAL, /* several earlier rules have all of it, the last of them is `by` */
};

/* Rules next to each other that are unreached for the same reason, by their numbers. */
struct unreached {
	enum unreached_kind kind;
	uint32_t first, last;
	uint32_t by;
};

struct unreached_rules {
	struct unreached *items;
	size_t count, capacity;
	uint32_t looked_at; /* rules; the others were too many to compare */
};

/* Comparisons at most: about a second. */
#define UNREACHED_STEPS 50000000

/* Compares boxes one by one: a box that only several others together cover counts as reached. Takes at most `steps`
 * comparisons. Free with unreached_free. */
void unreached_find(const struct compiled *compiled, const struct compiled_list *list, uint64_t steps,
		    struct unreached_rules *out);
void unreached_free(struct unreached_rules *rules);

/* What is to be said of it: "this rule is never reached: the one at line 3 has all of it". Owned by the caller. */
char *unreached_text(const struct compiled *compiled, const struct compiled_list *list,
		     const struct unreached *unreached);

#endif

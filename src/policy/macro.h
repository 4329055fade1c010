/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Macros: rules that have a name. `macro NAME { RULE... }` defines one, `use NAME` puts a copy of its rules where it
 * stands; a macro is defined above where it is used. Which stage its rules are for is read off them, and a name may
 * stand for rules of several stages, each defined on its own.
 */
#ifndef SLUICE_POLICY_MACRO_H
#define SLUICE_POLICY_MACRO_H

#include "policy/policy.h"

/* The file of locations in ready macros. */
#define DEFENCES_FILE "defences"

enum macro_stage {
	MACRO_BLOCK,
	MACRO_LIMIT,
	MACRO_FILTER,
	MACRO_STAGES,
};

struct macro {
	char *name;
	struct location where;
	enum macro_stage stage;
	bool ready; /* one of the defences */
	bool used;
	struct location used_in; /* the stage where it was used last: its word */
	struct block block;
	struct filter_list rules;
};

/* The macros that every policy finds defined, as the text of a policy: defences.policy, which is built in. Not ended
 * by a NUL. */
const char *defences_text(size_t *length);

/* The word of the stage: "block". */
const char *macro_stage_name(enum macro_stage stage);

/* The macro of that name for that stage, or NULL. */
struct macro *macro_find(const struct policy *policy, const char *name, enum macro_stage stage);

/* The stage of a macro whose rules, and all that comes behind them, stand at `text`: read off the first rule. The first
 * stage when there is none. */
enum macro_stage macro_stage_of(const struct policy *policy, const char *text, const char *end);

void macro_free(struct macro *macro);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What iptables.c, which reads lines, and iptables_options.c, which knows what options mean, share. */
#ifndef SLUICE_IMPORT_IPTABLES_H
#define SLUICE_IMPORT_IPTABLES_H

#include "import/firewall.h"

/* A rule while its words are read. */
struct reading {
	struct firewall *firewall;
	struct firewall_rule *rule;
	char **words;
	size_t count, at;  /* `at`: the next one */
	unsigned families; /* of the file */
	bool negated;	   /* a `!` stands before the option */
	bool skip;	   /* a module that cannot be said: its options have no meaning here, up to the target */
	bool jump_is_goto;
	const char *jump;		       /* the target's name, or NULL */
	unsigned states;		       /* those that the rule allows */
	int source_length, destination_length; /* of the prefix that a limit counts as one; 0: nothing was said */
};

/* The next word, or NULL at the end. */
char *reading_next(struct reading *reading);

/* Reads one option, whose values are the next words. Returns 0, or a negative errno with `error` set when the line is
 * no rule: a value that is missing or senseless. What is only not to be said in Sluice is noted in the rule. */
int iptables_option(struct reading *reading, const char *name, struct error *error);

/* Sets the error "OPTION VALUE makes no sense". */
int iptables_senseless(const struct reading *reading, const char *option, const char *value, struct error *error);

/* Options about limits, as iptables_option reads them. */
int iptables_limit(struct reading *reading, char *value, struct error *error);
int iptables_limit_over(struct reading *reading, char *value, struct error *error);
int iptables_limit_burst(struct reading *reading, char *value, struct error *error);
int iptables_limit_mode(struct reading *reading, char *value, struct error *error);
int iptables_limit_source(struct reading *reading, char *value, struct error *error);
int iptables_limit_destination(struct reading *reading, char *value, struct error *error);

/* What the options that were read mean together, at the end of the rule. */
void iptables_finish(struct reading *reading);

/* True when the options of "-m NAME" can be read; else `*why` says why Sluice has no words for what they ask. */
bool iptables_module(const char *name, const char **why);

/* Reads what the target `reading->jump` does, when that is no chain of the user's. */
void iptables_target(struct reading *reading);

/* Reads an option of the target's own, which stands behind it; `*own` says whether it is one. */
int iptables_target_option(struct reading *reading, const char *name, bool *own, struct error *error);

#endif

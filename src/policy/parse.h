/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lexer, parser and build.c share while one policy is read. The parser knows the grammar and calls build_*, which
 * put things into the policy; whatever is in there when an error ends the parse goes with the policy.
 */
#ifndef SLUICE_POLICY_PARSE_H
#define SLUICE_POLICY_PARSE_H

#include "policy/macro.h"

/* The grammar nests three deep, and a brace too many is a syntax error as soon as it is read. */
#define BRACES_MAX 4

/* A type or code of ICMP whose name means nothing until the rule has said which ICMP it is about. */
struct pending_value {
	enum filter_field field;
	struct location where;
	char *text;
};

struct parse {
	struct policy *policy;
	struct error *error;
	const char *text, *end;		    /* what is being read */
	size_t offset;			    /* of the lexer's next byte, */
	struct location at;		    /* and where that is */
	struct location braces[BRACES_MAX]; /* those that are open, innermost last */
	size_t depth;
	bool ready;	     /* these are the ready macros */
	struct macro *macro; /* that is being read; NULL: none */
	/* The stage that is being read: its word, and where its rules go. */
	enum macro_stage stage;
	struct location stage_where;
	struct block *block;
	struct filter_list *rules;
	int rule_line; /* on which the last limit ended, if no separator came after it */
	/* The list of prefixes that is being read, and where each of them stands. */
	struct prefixes *list;
	struct location *places;
	size_t place_capacity;
	/* The rule that is being read: where its targets go (NULL: to the newest rule of a block), its field, and the
	 * family that its words speak of without naming it. */
	struct filter_addresses *addresses;
	enum filter_field field;
	struct filter_values *values; /* of that field */
	enum filter_family implied;
	struct location implied_where;
	struct pending_value *pending;
	size_t pending_count, pending_capacity;
};

/* Frees what is in `parse` itself. */
void build_end(struct parse *parse);

/* True when the word means something in the language, so that a name has to be quoted. Defined by parser.y. */
bool is_keyword(const char *word);

/* All return 0, or -EINVAL with parse->error set. Texts are owned by the call from then on, also when it fails. */
int build_set(struct parse *parse, struct location where, char *name);
void build_set_file(struct parse *parse, struct location where, char *path);
int build_set_size(struct parse *parse, struct location where, char *text);
int build_set_timeout(struct parse *parse, struct location where, char *text);
int build_interface(struct parse *parse, struct location where, char *name);
/* Notes in `*place`, which belongs to the newest interface, that `statement` stands at `where`; only once. */
int build_statement(struct parse *parse, struct location *place, struct location where, const char *statement);
void build_block_rule(struct parse *parse, struct location where, enum block_kind kind);
/* `name` is that of the set, or NULL for a target whose prefixes follow. */
void build_target(struct parse *parse, struct location where, char *name);
int build_prefix(struct parse *parse, struct location where, char *text);
int build_prefix_target(struct parse *parse, struct location where, char *text);
int build_list_end(struct parse *parse);

/* A stage of the newest interface, whose word stands at `where`: rules go there from then on. */
int build_stage(struct parse *parse, enum macro_stage stage, struct location where);

/* A macro: its name, its stage, and its end. */
int build_macro(struct parse *parse, struct location where, char *name);
int build_macro_begin(struct parse *parse, enum macro_stage stage);
int build_macro_end(struct parse *parse);
int build_use(struct parse *parse, struct location where, char *name);

/* Makes room for one more rule in the stage that is being read. */
int build_rule_room(struct parse *parse, struct location where);

/* The parts of a rule. */
int build_filter_rule(struct parse *parse, struct location where, enum filter_verb verb);
int build_filter_reject(struct parse *parse, struct location where, char *text);
int build_filter_family(struct parse *parse, struct location where, enum filter_family family);
int build_filter_protocol(struct parse *parse, struct location where, uint32_t protocol);
int build_filter_addresses(struct parse *parse, struct location where, bool source);
int build_filter_field(struct parse *parse, struct location where, enum filter_field field);
void build_filter_not(struct parse *parse);
void build_filter_not_addresses(struct parse *parse);
int build_filter_value(struct parse *parse, struct location where, char *text);
int build_filter_values_end(struct parse *parse);
int build_filter_flags(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_fragment(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_extension(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_mac(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_log(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_counter(struct parse *parse, struct location where, struct location text_where, char *text);
int build_filter_rule_end(struct parse *parse);

/* The parts of a limit, which belongs to the newest rule. */
int build_limit_rate(struct parse *parse, struct location where, struct location text_where, char *text);
int build_limit_burst(struct parse *parse, struct location where, struct location text_where, char *text);
int build_limit_per(struct parse *parse, struct location where, struct location text_where, char *text);
int build_limit_ban(struct parse *parse, struct location where, struct location set_where, char *set);
int build_limit_ban_time(struct parse *parse, struct location where, char *text);
int build_limit_else(struct parse *parse, struct location where);
/* A rule of the limit stage begins at `where`: not on the line of another one, or it might look like a part of it. */
int build_limit_begin(struct parse *parse, struct location where);
int build_log_drops(struct parse *parse, struct location where, struct location text_where, char *text);
/* The parts of a service of the synproxy. */
int build_synproxy_rule(struct parse *parse, struct location where);
int build_synproxy_to(struct parse *parse, struct location where);
int build_synproxy_dport(struct parse *parse, struct location where);
int build_synproxy_above(struct parse *parse, struct location where, struct location text_where, char *text);
int build_synproxy_gateway(struct parse *parse, struct location where);
int build_synproxy_rule_end(struct parse *parse);

/* What is of a later version: all return -EINVAL with parse->error set. */
int build_later_stage(struct parse *parse, struct location where, const char *stage);
int build_later_established(struct parse *parse, struct location where);
int build_later_service(struct parse *parse, struct location where);

/* True for what can be the name of a set or of a counter. */
bool is_name(const char *name);

struct interface *build_newest(struct parse *parse);
struct filter_rule *build_newest_rule(struct parse *parse);

/* Notes in `*place` that `part` of the newest rule stands at `where`; only once. */
int build_once(struct parse *parse, struct location *place, struct location where, const char *part);

#endif

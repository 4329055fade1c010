// SPDX-License-Identifier: BSD-2-Clause
#include "policy/unexpected.h"

#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "policy/habits.h"

/* Tokens that are no words of the language. */
#define END "the end of the file"
#define NAME "a name"
#define PREFIX "a prefix"
#define RATE "a rate (100/s, 10mbit/s)"
#define REFERENCE "a set (@name)"
#define STRING "a string in double quotes"
#define MACRO_RULES "{ of a filter"

static bool is(const char *token, const char *name)
{
	return !strcmp(token, name);
}

static bool is_quoted(const char *token)
{
	return is_keyword(token) || is(token, "{") || is(token, ",") || is(token, "}");
}

/* Made of letters: whoever wrote it meant a word of the language, not a prefix. */
static bool looks_like_word(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")] == '\0';
}

/* "expected `from`, `to` or `}`". The end of the file, which is the first token, comes last. */
static void hint_expected(struct error *error, const struct unexpected *unexpected)
{
	size_t total = unexpected->shown;
	bool has_end = total && is(unexpected->expected[0], END);
	char text[512] = "";

	for (size_t i = 0; i < total; i++) {
		const char *token = unexpected->expected[has_end ? (i + 1) % total : i];
		const char *quote = is_quoted(token) ? "`" : "";
		const char *join = i == 0 ? "" : i + 1 == total ? " or " : ", ";
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%s%s%s", join, quote, token, quote);
	}
	error_hint(error, "expected %s", text);
}

static bool is_expected(const char *token, const struct unexpected *unexpected)
{
	for (size_t i = 0; i < unexpected->count; i++) {
		if (is(unexpected->expected[i], token))
			return true;
	}
	return false;
}

/* Where a rule of the filter begins, or goes on until the next one does. */
static bool begins_rule(const struct unexpected *unexpected)
{
	return is_expected("accept", unexpected);
}

/* Words of the middle of a rule: too many to name one by one. */
static bool is_inside_rule(const struct unexpected *unexpected)
{
	return is_expected("sport", unexpected);
}

static void hint_rule(struct error *error, const struct unexpected *unexpected)
{
	if (is(unexpected->token, ","))
		error_hint(error, "several values stand in braces: { 80, 443 }");
	else if (is_expected(RATE, unexpected))
		error_hint(error,
			   "a limit goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
			   "…) or with its rate: 100/s, 10mbit/s");
	else if (is_expected("accept", unexpected))
		error_hint(error,
			   "a rule goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
			   "…), limit, log or count, or the next one begins: accept, drop or reject");
	else if (is_expected("burst", unexpected))
		error_hint(error,
			   "behind its rate a limit has burst, per, ban, else drop, log or count, or the next one "
			   "begins with a match");
	else
		error_hint(error,
			   "a limit begins with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
			   "…), or with `all`: udp sport 53 1000/s per source");
}

static const char *near_word(const struct unexpected *unexpected)
{
	CLEANUP_FREE const char **words = xcalloc(unexpected->shown, sizeof(*words));

	for (size_t i = 0; i < unexpected->shown; i++) {
		if (is_keyword(unexpected->expected[i]))
			words[i] = unexpected->expected[i];
	}
	return nearest(unexpected->text, words, unexpected->shown);
}

static void set_unexpected(struct parse *parse, const struct unexpected *unexpected)
{
	struct location where = unexpected->where;
	const char *token = unexpected->token, *text = unexpected->text;
	const struct location *brace = &parse->braces[parse->depth - (parse->depth > 0)];

	if (is(token, END) && parse->depth)
		error_at(parse->error, where, "unexpected end of the file: the { at line %d, column %d is not closed",
			 brace->line, brace->column);
	else if (is(token, END))
		error_at(parse->error, where, "unexpected end of the file");
	else if (is(token, STRING))
		error_at(parse->error, where, "unexpected string %.80s", text);
	else if (is(token, PREFIX) && looks_like_word(text))
		error_at(parse->error, where, "unknown word `%.80s`", text);
	else
		error_at(parse->error, where, "unexpected `%.80s`", text);
}

/* A number that the lexer did not take for a rate, nor whoever wrote it for an address. */
static bool is_half_a_rate(const char *text)
{
	return *text >= '0' && *text <= '9' && !strpbrk(text, ".:");
}

void unexpected_report(struct parse *parse, const struct unexpected *unexpected)
{
	const char *token = unexpected->token, *text = unexpected->text;
	const char *meant = NULL, *habit = NULL;

	set_unexpected(parse, unexpected);
	if (is(token, PREFIX) || is(token, NAME))
		meant = near_word(unexpected);
	if (is(token, PREFIX) && is_half_a_rate(text) && is_expected(RATE, unexpected))
		return (void)limit_rate_parse(text, unexpected->where, &(struct filter_limit){ 0 }, parse->error);
	if (begins_rule(unexpected))
		habit = habit_in_rule(text);
	else if (is_inside_rule(unexpected))
		habit = habit_in_limit(text);
	if (habit)
		error_hint(parse->error, "%s", habit);
	else if (meant)
		error_hint(parse->error, "did you mean `%s`?", meant);
	else if (is(token, PREFIX) && is_name(text) && is_expected(REFERENCE, unexpected) &&
		 !is_expected(PREFIX, unexpected))
		error_hint(parse->error, "a set has an @ in front of its name: @%.80s", text);
	else if (is_expected(MACRO_RULES, unexpected))
		error_hint(parse->error, "behind its name stand its rules: macro NAME { drop tcp flags syn,fin }");
	else if (is(token, "use"))
		error_hint(parse->error, "`use NAME` stands in block, limit or filter, where a rule could begin");
	else if (is_inside_rule(unexpected))
		hint_rule(parse->error, unexpected);
	else
		hint_expected(parse->error, unexpected);
}

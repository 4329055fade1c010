// SPDX-License-Identifier: BSD-2-Clause
#include "policy/macro.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "policy/parse.h"
#include "defences_source.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define WORD_MAX 80 /* longer ones are no names and no words of the language */

const char *defences_text(size_t *length)
{
	*length = sizeof(defences_source);
	return (const char *)defences_source;
}

const char *macro_stage_name(enum macro_stage stage)
{
	static const char *const names[] = {
		[MACRO_BLOCK] = "block",
		[MACRO_LIMIT] = "limit",
		[MACRO_FILTER] = "filter",
	};
	return names[stage];
}

struct macro *macro_find(const struct policy *policy, const char *name, enum macro_stage stage)
{
	for (size_t i = 0; i < policy->macro_count; i++) {
		if (policy->macros[i]->stage == stage && !strcmp(policy->macros[i]->name, name))
			return policy->macros[i];
	}
	return NULL;
}

static const char *skip_comment(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

/* The next word, or the next other character as one, cut to WORD_MAX; "" at the end. Returns what follows. */
static const char *next_word(const char *at, const char *end, char word[WORD_MAX])
{
	size_t length = 0;

	while (at < end && (isspace((unsigned char)*at) || *at == ';' || *at == '#'))
		at = *at == '#' ? skip_comment(at, end) : at + 1;
	while (at < end && (isalnum((unsigned char)*at) || strchr("_.:/-", *at))) {
		if (length < WORD_MAX - 1)
			word[length++] = *at;
		at++;
	}
	if (!length && at < end)
		word[length++] = *at++;
	word[length] = '\0';
	return at;
}

static unsigned stages_of(const struct policy *policy, const char *name)
{
	unsigned stages = 0;

	for (int stage = 0; stage < MACRO_STAGES; stage++) {
		if (macro_find(policy, name, (enum macro_stage)stage))
			stages |= 1U << stage;
	}
	return stages;
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(words[i], word))
			return true;
	}
	return false;
}

/* "100/s", "10mbit/s". */
static bool is_rate(const char *word)
{
	const char *unit = word + strspn(word, "0123456789");

	return unit > word && strchr(unit, '/') && isalpha((unsigned char)strchr(unit, '/')[1]);
}

/* True when there is a rate before the macro's end. */
static bool has_rate(const char *text, const char *end)
{
	char word[WORD_MAX];
	int depth = 1;

	while (text < end && depth) {
		text = next_word(text, end, word);
		if (is_rate(word))
			return true;
		depth += (*word == '{') - (*word == '}');
	}
	return false;
}

/* The stage of a rule that begins with this word, and goes on at `text`. A block's rules begin like those limits that
 * are about an address. */
static enum macro_stage stage_of_rule(const char *word, const char *text, const char *end)
{
	static const char *const addresses[] = { "from", "to" };
	static const char *const verbs[] = { "accept", "drop", "reject" };

	if (is_one_of(word, addresses, COUNT(addresses)))
		return has_rate(text, end) ? MACRO_LIMIT : MACRO_BLOCK;
	if (!strcmp(word, "except"))
		return MACRO_BLOCK;
	return is_keyword(word) && !is_one_of(word, verbs, COUNT(verbs)) ? MACRO_LIMIT : MACRO_FILTER;
}

enum macro_stage macro_stage_of(const struct policy *policy, const char *text, const char *end)
{
	unsigned stages = (1U << MACRO_STAGES) - 1;
	char word[WORD_MAX];
	int stage = 0;

	for (text = next_word(text, end, word); !strcmp(word, "use"); text = next_word(text, end, word)) {
		text = next_word(text, end, word);
		stages &= stages_of(policy, word);
	}
	if (*word && *word != '}')
		return stage_of_rule(word, text, end);
	/* It has nothing but other macros: one that all of them have. */
	while (stage + 1 < MACRO_STAGES && !(stages & 1U << stage))
		stage++;
	return (enum macro_stage)stage;
}

void macro_free(struct macro *macro)
{
	free(macro->name);
	block_free(&macro->block);
	filter_free(&macro->rules);
	free(macro);
}

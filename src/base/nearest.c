// SPDX-License-Identifier: BSD-2-Clause
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Nobody mistypes a longer word and hopes to be understood. */
#define WORD_MAX 64

static size_t least(size_t left, size_t right)
{
	return left < right ? left : right;
}

static bool same(char left, char right)
{
	return tolower((unsigned char)left) == tolower((unsigned char)right);
}

/* Insertions, deletions, replacements and swaps of neighbours that turn one word into the other: the optimal string
 * alignment distance (Damerau 1964). Both are shorter than WORD_MAX. */
static size_t distance(const char *from, const char *to)
{
	size_t rows[3][WORD_MAX]; /* of the matrix: the one before the last, the last, the one being filled */
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t length = strlen(to);

	for (size_t j = 0; j <= length; j++)
		last[j] = j;
	for (size_t i = 1; from[i - 1]; i++) {
		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			row[j] = least(last[j], row[j - 1]) + 1;
			row[j] = least(row[j], last[j - 1] + !same(from[i - 1], to[j - 1]));
			if (i > 1 && j > 1 && same(from[i - 1], to[j - 2]) && same(from[i - 2], to[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *oldest = before;
		before = last;
		last = row;
		row = oldest;
	}
	return last[length];
}

const char *nearest(const char *word, const char *const *words, size_t count)
{
	size_t length = strlen(word);
	/* One mistake in a word of two to four letters, two in five to seven, and so on. */
	size_t best = (length + 1) / 3 + 1;
	const char *found = NULL;

	if (length >= WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!words[i] || strlen(words[i]) >= WORD_MAX)
			continue;
		size_t steps = distance(word, words[i]);
		if (steps < best) {
			best = steps;
			found = words[i];
		}
	}
	return found;
}

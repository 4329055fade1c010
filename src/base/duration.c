// SPDX-License-Identifier: BSD-2-Clause
#include "base/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
	char letter;
	uint32_t seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

#define UNITS (sizeof(units) / sizeof(units[0]))

/* Seconds in the unit that is all of `text`; none is seconds. 0 when there is no such unit. */
static uint32_t unit_seconds(const char *text)
{
	if (!*text)
		return 1;
	for (size_t i = 0; i < UNITS; i++) {
		if (text[0] == units[i].letter && !text[1])
			return units[i].seconds;
	}
	return 0;
}

int duration_parse(const char *text, uint64_t *seconds)
{
	const char *digit = text;
	uint64_t number = 0;
	bool is_too_large = false;
	uint32_t unit;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		is_too_large |= __builtin_mul_overflow(number, 10, &number);
		is_too_large |= __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number);
	}
	unit = unit_seconds(digit);
	if (digit == text || !unit)
		return -EINVAL;
	if (is_too_large || __builtin_mul_overflow(number, unit, &number))
		return -ERANGE;
	*seconds = number;
	return 0;
}

const char *duration_text(uint64_t seconds, char *text)
{
	size_t unit = 0;

	while (unit < UNITS - 1 && (!seconds || seconds % units[unit].seconds))
		unit++;
	snprintf(text, DURATION_TEXT_MAX, "%llu%c", (unsigned long long)seconds / units[unit].seconds,
		 units[unit].letter);
	return text;
}

// SPDX-License-Identifier: BSD-2-Clause
#include "import/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char rate_unit(const char *name)
{
	static const char *const units[] = { "second", "minute", "hour", "day" };

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]) && *name; i++) {
		if (!strncasecmp(name, units[i], strlen(name)))
			return *units[i];
	}
	return 0;
}

bool rate_read(const char *text, uint64_t *rate, char *unit)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);
	char letter = *end == '/' ? rate_unit(end + 1) : *end ? 0 : 's';

	if (!isdigit((unsigned char)*text) || !number || !letter)
		return false;
	*rate = number;
	*unit = letter;
	return true;
}

/* RFC 2474, RFC 2597, RFC 3246. */
int dscp_number(const char *name)
{
	if (!strcasecmp(name, "ef"))
		return 46;
	if (!strcasecmp(name, "be"))
		return 0;
	if (!strncasecmp(name, "cs", 2) && name[2] >= '0' && name[2] <= '7' && !name[3])
		return (name[2] - '0') * 8;
	if (!strncasecmp(name, "af", 2) && name[2] >= '1' && name[2] <= '4' && name[3] >= '1' && name[3] <= '3' &&
	    !name[4])
		return (name[2] - '0') * 8 + (name[3] - '0') * 2;
	return -1;
}

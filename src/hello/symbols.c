// SPDX-License-Identifier: BSD-2-Clause
#include "hello/symbols.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

/* Each line of kallsyms: address in hex, type, name, and perhaps a module. Looks for the name, or for the address when
 * `*name` is empty, and fills in the other. */
static bool find(uint64_t *address, char name[128])
{
	CLEANUP_FILE FILE *in = fopen("/proc/kallsyms", "re");
	char line[512];

	while (in && fgets(line, sizeof(line), in)) {
		uint64_t its_address;
		char its_name[128];

		if (sscanf(line, "%" SCNx64 " %*c %127s", &its_address, its_name) != 2 || !its_address)
			continue;
		if (*name ? strcmp(its_name, name) : its_address != *address)
			continue;
		*address = its_address;
		strcpy(name, its_name);
		return true;
	}
	return false;
}

uint64_t symbol_address(const char *name)
{
	uint64_t address = 0;
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", name);
	return find(&address, copy) ? address : 0;
}

char *symbol_name(uint64_t address)
{
	char name[128] = "";

	return address && find(&address, name) ? xstrdup(name) : NULL;
}

// SPDX-License-Identifier: BSD-2-Clause
#include "hello/symbols.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

#define NAME_MAX_KERNEL 512 /* KSYM_NAME_LEN of Linux 6.1 */

struct symbol {
	uint64_t address; /* never 0: the kernel shows zeros to those who may not see addresses */
	char name[NAME_MAX_KERNEL];
};

/* Each line of kallsyms has an address in hex, a type, a name, and perhaps a module. */
static bool read_symbol(FILE *in, struct symbol *symbol)
{
	char line[NAME_MAX_KERNEL + 128];

	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%" SCNx64 " %*c %511s", &symbol->address, symbol->name) == 2 && symbol->address)
			return true;
	}
	return false;
}

uint64_t symbol_address(const char *name)
{
	CLEANUP_FILE FILE *in = fopen("/proc/kallsyms", "re");
	struct symbol symbol;

	while (read_symbol(in, &symbol)) {
		if (!strcmp(symbol.name, name))
			return symbol.address;
	}
	return 0;
}

char *symbol_name(uint64_t address)
{
	CLEANUP_FILE FILE *in = fopen("/proc/kallsyms", "re");
	struct symbol symbol;

	while (read_symbol(in, &symbol)) {
		if (symbol.address == address)
			return xstrdup(symbol.name);
	}
	return NULL;
}

// SPDX-License-Identifier: BSD-2-Clause
/* The text of the ready macros: paragraphs, of which each has what belongs to one name. */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "policy/macro.h"

#define DEFINES "\nmacro "

/* Where the paragraph's first macro is defined: at its name. NULL for the one that is about all of them. */
static char *find_name(char *paragraph)
{
	char *at = strstr(paragraph, DEFINES);

	return at ? at + strlen(DEFINES) : NULL;
}

static int unknown_name(const char *name, const char *const *names, size_t count)
{
	const char *meant = nearest(name, names, count);

	fprintf(stderr, "sluice: there is no ready macro \"%s\"\n", name);
	if (meant)
		fprintf(stderr, "did you mean \"%s\"?\n", meant);
	else
		fprintf(stderr, "\"sluice defences\" prints all of them\n");
	return STATUS_FAILED;
}

/* Cuts `text` up, in place. */
static int print_defence(char *text, const char *name)
{
	CLEANUP_FREE const char **names = NULL;
	size_t count = 0, capacity = 0;

	for (char *paragraph = text, *next; paragraph; paragraph = next) {
		char *defined;

		next = strstr(paragraph, "\n\n");
		if (next) {
			*next = '\0';
			next += 2;
		}
		defined = find_name(paragraph);
		if (!defined)
			continue;
		if (!strncmp(defined, name, strlen(name)) && defined[strlen(name)] == ' ') {
			printf("%s%s", paragraph, next ? "\n" : "");
			return STATUS_DONE;
		}
		names = xgrow(names, count, &capacity, sizeof(*names));
		names[count++] = defined;
		defined[strcspn(defined, " ")] = '\0';
	}
	return unknown_name(name, names, count);
}

int cli_defences(int argc, char **argv)
{
	CLEANUP_FREE char *text = NULL;
	const char *all;
	size_t length;

	if (getopt(argc, argv, "") != -1 || argc - optind > 1)
		return cli_usage(argv[0]);
	all = defences_text(&length);
	text = xasprintf("%.*s", (int)length, all);
	if (argc != optind)
		return print_defence(text, argv[optind]);
	fputs(text, stdout);
	return STATUS_DONE;
}

// SPDX-License-Identifier: BSD-2-Clause
#include "hello/screen.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static bool can_erase; /* a terminal that knows the sequences of ECMA-48 */

/* Empty strings where there is no colour. */
static const char *bold = "", *green = "", *dim = "", *plain = "";

void screen_start(void)
{
	const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org: any value but the empty one */
	const char *terminal = getenv("TERM");

	setlinebuf(stdout); /* lines of the trace show when they come, in a pipe too */
	can_erase = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb");
	if (!can_erase || (no_colour && *no_colour))
		return;
	bold = "\033[1m";
	green = "\033[32m";
	dim = "\033[2m";
	plain = "\033[0m";
}

void screen_heading(int number, int count, const char *title)
{
	printf("\n%s%d/%d  %s%s\n", bold, number, count, title, plain);
}

void screen_end(const char *text)
{
	printf("\n%s%s%s\n", bold, text, plain);
}

static void print_indented(const char *text, const char *indent, const char *colour)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		printf("%s%s%.*s%s\n", indent, length ? colour : "", (int)length, text, length && *colour ? plain : "");
		text += length + (text[length] == '\n');
	}
}

static char *text_of(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? xstrdup("") : text;
}

void screen_say(const char *format, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = text_of(format, arguments);
	va_end(arguments);
	print_indented(text, "  ", "");
}

void screen_command(const char *format, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = text_of(format, arguments);
	va_end(arguments);
	printf("  %s$ %s%s\n", green, text, plain);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += text[0] == '\n' || !text[1];
	return lines;
}

void screen_output(const char *text, size_t limit)
{
	const char *end = text;
	size_t lines = count_lines(text);

	if (lines <= limit) {
		print_indented(text, "    ", dim);
		return;
	}
	for (size_t i = 0; i < limit; i++)
		end = strchr(end, '\n') + 1;
	CLEANUP_FREE char *head = strndup(text, end - text);
	print_indented(head ?: "", "    ", dim);
	printf("    … %zu more lines\n", lines - limit);
}

void screen_ask(const char *question)
{
	printf(can_erase ? "\n  %s%s%s" : "\n  %s%s%s\n", dim, question, plain);
	fflush(stdout);
}

void screen_answered(void)
{
	if (can_erase)
		printf("\r\033[K\033[A"); /* clear the line, and go up over the empty one before it */
	fflush(stdout);
}

// SPDX-License-Identifier: BSD-2-Clause
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void set(struct error *error, struct location where, const char *format, va_list arguments)
{
	snprintf(error->file, sizeof(error->file), "%s", where.file ? where.file : "");
	error->line = where.line;
	error->column = where.column;
	error->hint[0] = '\0';
	vsnprintf(error->what, sizeof(error->what), format, arguments);
}

int error_at(struct error *error, struct location where, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set(error, where, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set(error, (struct location){ 0 }, format, arguments);
	va_end(arguments);
	return -code;
}

void error_hint(struct error *error, const char *format, ...)
{
	size_t used = strlen(error->hint);
	va_list arguments;

	if (used && used + 1 < sizeof(error->hint)) {
		error->hint[used++] = '\n';
		error->hint[used] = '\0';
	}
	va_start(arguments, format);
	vsnprintf(error->hint + used, sizeof(error->hint) - used, format, arguments);
	va_end(arguments);
}

/* Text of the user's: control characters could make a terminal do things. */
static void print_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' && *text != '\t' && *text != '\n' ? '?' : *text, out);
}

/* The line, and under it a caret that keeps the line's own tabs, so that it stands where the column is. */
static void print_line(FILE *out, const struct error *error)
{
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FILE FILE *in = fopen(error->file, "re");
	size_t size = 0;
	ssize_t length = -1;

	if (!in)
		return;
	for (int i = 0; i < error->line; i++) {
		length = getline(&line, &size, in);
		if (length < 0)
			break;
	}
	if (length < 0)
		return;
	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
		line[--length] = '\0';
	fprintf(out, "%6d | ", error->line);
	print_text(out, line);
	fputc('\n', out);
	if (error->column < 1 || error->column > length + 1)
		return;
	fprintf(out, "       | ");
	for (int i = 0; i < error->column - 1; i++)
		fputc(line[i] == '\t' ? '\t' : ' ', out);
	fprintf(out, "^\n");
}

void error_print(FILE *out, const struct error *error)
{
	if (!error->file[0])
		fprintf(out, "sluice: ");
	else if (error->line)
		fprintf(out, "%s:%d:%d: error: ", error->file, error->line, error->column);
	else
		fprintf(out, "%s: error: ", error->file);
	print_text(out, error->what);
	fputc('\n', out);
	if (error->file[0] && error->line)
		print_line(out, error);
	if (error->hint[0]) {
		print_text(out, error->hint);
		fputc('\n', out);
	}
}

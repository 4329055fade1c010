// SPDX-License-Identifier: BSD-2-Clause
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#define WINDOW 160 /* bytes of a line that are shown */

char *location_text(struct location where, struct location seen_from)
{
	if (!strcmp(where.file, seen_from.file))
		return xasprintf("line %d", where.line);
	return xasprintf("%s:%d", where.file, where.line);
}

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

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* UTF-8, of a character that began before */
}

/* Bytes of the UTF-8 character at `text`; 0 when that is none, or one of the control characters U+0080 to U+009F. */
static size_t character_length(const char *text)
{
	unsigned char first = *text;
	size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

	if (first >= 0xf8 || (first >= 0x80 && first < 0xc2) || (first == 0xc2 && (unsigned char)text[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (!is_continuation(text[i]))
			return 0;
	}
	return length;
}

void error_print_text(FILE *out, const char *text)
{
	while (*text) {
		size_t length = character_length(text);
		bool is_control = ((unsigned char)*text < ' ' && *text != '\t' && *text != '\n') || *text == 0x7f;

		if (is_control || !length)
			fputc('?', out);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
}

/* A pipe has been read already, and would make us wait. */
static FILE *open_again(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		return fdopen(fd, "r");
	close(fd);
	return NULL;
}

/* The part of the line around the column, and under it a caret; tabs are kept, so that it stands where the column is.
 */
static void print_window(FILE *out, const struct error *error, char *line, int length)
{
	int caret = error->column - 1;
	int start = caret > WINDOW / 2 ? caret - WINDOW / 2 : 0;

	while (start > 0 && is_continuation(line[start]))
		start--;
	if (length - start > WINDOW)
		line[start + WINDOW] = '\0';
	fprintf(out, "%6d | %s", error->line, start ? "…" : "");
	error_print_text(out, line + start);
	fprintf(out, "\n       | %s", start ? " " : "");
	for (int i = start; i < caret; i++) {
		if (!is_continuation(line[i]))
			fputc(line[i] == '\t' ? '\t' : ' ', out);
	}
	fprintf(out, "^\n");
}

static void print_line(FILE *out, const struct error *error)
{
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FILE FILE *in = open_again(error->file);
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
	if (error->column > 0 && error->column <= length + 1)
		print_window(out, error, line, (int)length);
}

void error_print(FILE *out, const struct error *error)
{
	if (!error->file[0])
		fprintf(out, "sluice: ");
	else if (error->line && !error->column)
		fprintf(out, "%s:%d: error: ", error->file, error->line);
	else if (error->line)
		fprintf(out, "%s:%d:%d: error: ", error->file, error->line, error->column);
	else
		fprintf(out, "%s: error: ", error->file);
	error_print_text(out, error->what);
	fputc('\n', out);
	if (error->file[0] && error->line)
		print_line(out, error);
	if (error->hint[0]) {
		error_print_text(out, error->hint);
		fputc('\n', out);
	}
}

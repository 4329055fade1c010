// SPDX-License-Identifier: BSD-2-Clause
/* Lists with columns (RFC 4180): a header has their names, one of which the user names. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "import/blocklist_file.h"
#include "policy/set_file.h"

static const char delimiters[] = { '\t', ',', ';' }; /* a tab first, for names are trimmed of them */

#define COLUMNS_MAX 64 /* names in a hint */

/* The field at `*at`, cut out in place; `*at` moves on, and is NULL behind the last. NULL: a quote that does not end.
 */
static char *next_field(char **at, char delimiter)
{
	char *field = *at + strspn(*at, " ");
	char *from = field, *to = field;

	if (*field == '"') {
		for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
			from += *from == '"';
			*to++ = *from;
		}
		if (!*from)
			return NULL;
		from += strcspn(from, (char[]){ delimiter, '\0' });
	} else {
		from += strcspn(from, (char[]){ delimiter, '\0' });
		to = from;
	}
	*at = *from ? from + 1 : NULL;
	*to = '\0';
	return blocklist_trim(field);
}

static bool find_column(struct blocklist_file *file, const char *line, char delimiter)
{
	CLEANUP_FREE char *copy = xstrdup(line);
	char *at = copy;

	for (size_t column = 0; at; column++) {
		const char *name = next_field(&at, delimiter);

		if (!name)
			return false;
		if (!strcasecmp(name, file->list->column)) {
			file->delimiter = delimiter;
			file->column = column;
			return true;
		}
	}
	return false;
}

bool blocklist_is_header(struct blocklist_file *file, const char *line)
{
	for (size_t i = 0; i < sizeof(delimiters); i++) {
		if (strchr(line, delimiters[i]) && find_column(file, line, delimiters[i]))
			return true;
	}
	return find_column(file, line, ','); /* one name alone */
}

/* The delimiter that there are most of. */
static char guess_delimiter(const char *line)
{
	size_t most = 0;
	char guess = ',';

	for (size_t i = 0; i < sizeof(delimiters); i++) {
		size_t count = 0;

		for (const char *at = line; *at; at++)
			count += *at == delimiters[i];
		if (count > most)
			guess = delimiters[i];
		most = count > most ? count : most;
	}
	return guess;
}

int blocklist_bad_header(const struct blocklist_file *file, const char *line, struct error *error)
{
	CLEANUP_FREE char *copy = xstrdup(line);
	const char *names[COLUMNS_MAX], *near = NULL;
	char delimiter = guess_delimiter(line);
	size_t count = 0;
	int err;

	for (char *at = copy; at && count < COLUMNS_MAX; count++) {
		names[count] = next_field(&at, delimiter);
		if (!names[count])
			break;
	}
	if (!file->list->column) {
		err = error_at(error, file->where, "this is a list with columns");
		error_hint(error, "say with --column NAME which one has the addresses");
	} else {
		err = error_at(error, file->where, "there is no column \"%s\"", file->list->column);
		near = nearest(file->list->column, names, count);
	}
	if (near) {
		error_hint(error, "did you mean \"%s\"?", near);
		return err;
	}
	for (size_t i = 0; i < count; i++)
		error_hint(error, "column %zu: %.60s", i + 1, names[i]);
	return err;
}

void blocklist_read_csv(struct blocklist_file *file, char *line)
{
	char *at = line, *field = NULL;

	if (line[strspn(line, BLANKS)] == '#' || file->where.line == file->header_line)
		return;
	for (size_t column = 0; column <= file->column; column++) {
		if (!at) {
			blocklist_refuse(file, "the line ends before the column \"%s\"", file->list->column);
			return;
		}
		field = next_field(&at, file->delimiter);
		if (!field) {
			blocklist_refuse(file, "a quote does not end on this line");
			return;
		}
	}
	if (*field)
		blocklist_take(file, field);
	else
		blocklist_refuse(file, "the column \"%s\" is empty", file->list->column);
}

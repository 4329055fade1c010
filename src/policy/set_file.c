// SPDX-License-Identifier: BSD-2-Clause
/* A set kept in a file: one prefix a line, '#' or ';' begins a comment, as published lists have them. The file is read
 * whole and cut up in place. */
#include "policy/prefix.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* More than ten million prefixes; a device that never ends is found out before it has eaten the memory. */
#define SET_FILE_MAX (256UL << 20)

#define BLANKS " \t\r\f\v"

/* One line, ended by a NUL instead of its newline; `here` is its beginning. Its only word is cut out in place. */
static int read_line(char *line, size_t length, struct location here, struct prefixes *list, struct error *error)
{
	struct prefix prefix;
	char *word, *rest;
	int err;

	if (strlen(line) != length) {
		here.column = (int)strlen(line) + 1;
		return error_at(error, here, "NUL byte: this is not a text file");
	}
	line[strcspn(line, "#;")] = '\0';
	word = line + strspn(line, BLANKS);
	if (!*word)
		return 0;
	rest = word + strcspn(word, BLANKS);
	if (*rest)
		*rest++ = '\0';

	here.column = (int)(word - line) + 1;
	if (strchr(word, ',')) {
		here.column += (int)strcspn(word, ",");
		err = error_at(error, here, "comma in a set file");
		error_hint(error, "a set file has one prefix a line; # or ; begins a comment");
		return err;
	}
	err = prefix_parse(word, here, &prefix, error);
	if (err)
		return err;
	rest += strspn(rest, BLANKS);
	if (*rest) {
		here.column = (int)(rest - line) + 1;
		err = error_at(error, here, "more than one prefix on a line");
		error_hint(error, "a set file has one prefix a line; # or ; begins a comment");
		return err;
	}
	prefixes_add(list, prefix);
	return 0;
}

int prefixes_read(struct prefixes *list, const char *path, struct location where, struct error *error)
{
	struct location here = { .file = path, .line = 1, .column = 1 };
	CLEANUP_FREE char *text = NULL;
	size_t before = list->count;
	size_t length;
	int err;

	err = text_read(path, SET_FILE_MAX, &text, &length);
	if (err) {
		error_at(error, where, "cannot read the set file %s: %s", path, strerror(-err));
		return err;
	}
	for (char *line = text, *end = text + length; line < end; here.line++) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			newline = end;
		*newline = '\0';
		err = read_line(line, (size_t)(newline - line), here, list, error);
		if (err) {
			list->count = before;
			error_hint(error, "the file is named by the policy at %s:%d", where.file, where.line);
			return err;
		}
		line = newline + 1;
	}
	return 0;
}

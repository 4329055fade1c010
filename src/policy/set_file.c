// SPDX-License-Identifier: BSD-2-Clause
/* A set kept in a file: one prefix a line, '#' or ';' begins a comment, as published lists have them. The file is read
 * whole and cut up in place. */
#include "policy/set_file.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "policy/prefix.h"

/* One line, ended by a NUL instead of its newline; `here` is its beginning. */
static int cut_line(char *text, size_t length, struct location here, struct set_line *line, struct error *error)
{
	*line = (struct set_line){ .where = here, .rest_where = here };
	if (strlen(text) != length) {
		here.column = (int)strlen(text) + 1;
		error_at(error, here, "NUL byte: this is not a text file");
		return -EINVAL;
	}
	text[strcspn(text, "#;")] = '\0';
	line->word = text + strspn(text, BLANKS);
	line->rest = line->word + strcspn(line->word, BLANKS);
	if (*line->rest)
		*line->rest++ = '\0';
	line->rest += strspn(line->rest, BLANKS);
	line->where.column = (int)(line->word - text) + 1;
	line->rest_where.column = (int)(line->rest - text) + 1;
	return 0;
}

int set_lines_read(char *text, size_t length, const char *file, take_line *take, void *context, struct error *error)
{
	struct location here = { .file = file, .line = 1, .column = 1 };

	for (char *at = text, *end = text + length; at < end; here.line++) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		struct set_line line;
		int err;

		if (!newline)
			newline = end;
		*newline = '\0';
		err = cut_line(at, (size_t)(newline - at), here, &line, error);
		if (!err && *line.word)
			err = take(&line, context, error);
		if (err)
			return err;
		at = newline + 1;
	}
	return 0;
}

static int take_prefix(const struct set_line *line, void *context, struct error *error)
{
	struct location where = line->where;
	struct prefix prefix;
	int err;

	if (strchr(line->word, ',')) {
		where.column += (int)strcspn(line->word, ",");
		err = error_at(error, where, "comma in a set file");
		error_hint(error, "a set file has one prefix a line; # or ; begins a comment");
		return err;
	}
	err = prefix_parse(line->word, where, &prefix, error);
	if (err)
		return err;
	if (*line->rest) {
		err = error_at(error, line->rest_where, "more than one prefix on a line");
		error_hint(error, "a set file has one prefix a line; # or ; begins a comment");
		return err;
	}
	prefixes_add(context, prefix);
	return 0;
}

int prefixes_read(struct prefixes *list, const char *path, struct location where, struct error *error)
{
	CLEANUP_FREE char *text = NULL;
	size_t before = list->count;
	size_t length;
	int err;

	err = text_read(path, SET_FILE_MAX, &text, &length);
	if (err) {
		error_at(error, where, "cannot read the set file %s: %s", path, strerror(-err));
		return err;
	}
	err = set_lines_read(text, length, path, take_prefix, list, error);
	if (err) {
		list->count = before;
		error_hint(error, "the file is named by the policy at %s:%d", where.file, where.line);
	}
	return err;
}

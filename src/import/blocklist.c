// SPDX-License-Identifier: BSD-2-Clause
/* Which kind of list a file is, and the kinds whose lines can be read one by one. */
#include "import/blocklist.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/memory.h"
#include "import/blocklist_file.h"
#include "policy/set_file.h"

#define JSON_KEY "cidr" /* of Spamhaus */

typedef void read_line(struct blocklist_file *file, char *line);

/* The line that says what a list is, and the comment before it, which may have the names of columns. Owned. */
struct beginning {
	char *comment, *line;
	int line_number;
};

static bool is_comment(const char *line)
{
	return *line == '#' || *line == ';' || !strncmp(line, "//", 2);
}

/* # ; // begin a comment. */
static void cut_comment(char *line)
{
	char *slashes = strstr(line, "//");

	if (slashes)
		*slashes = '\0';
	line[strcspn(line, "#;")] = '\0';
}

static void read_plain(struct blocklist_file *file, char *line)
{
	cut_comment(line);
	line = blocklist_trim(line);
	if (!*line)
		return;
	if (line[strcspn(line, BLANKS)] && !strchr(line, '-'))
		blocklist_refuse(file, "`%.80s` is more than an address; # or ; or // begins a comment", line);
	else
		blocklist_take(file, line);
}

/* An object on each line, as Spamhaus has them. */
static void read_json(struct blocklist_file *file, char *line)
{
	json_error_t where;
	json_t *object = json_loads(line, 0, &where);
	const json_t *value = NULL;
	const char *type = json_string_value(json_object_get(object, "type"));

	if (file->list->column)
		value = json_object_get(object, file->list->column);
	if (!value)
		value = json_object_get(object, JSON_KEY);
	if (!object)
		blocklist_refuse(file, "this is no JSON: %s", where.text);
	else if (json_is_string(value)) {
		CLEANUP_FREE char *text = xstrdup(json_string_value(value));

		blocklist_take(file, text);
	} else if (!type || strcmp(type, "metadata") != 0) {
		blocklist_refuse(file, "it has no text named \"%s\"",
				 file->list->column ? file->list->column : JSON_KEY);
	}
	json_decref(object);
}

/* The word behind an option, "" for the last; NULL: it is not given. `words`, which are cut up, is what follows the
 * set's name and, of an entry, its address. */
static const char *find_option(char *words, const char *option)
{
	for (char *at = NULL, *word = strtok_r(words, BLANKS, &at); word; word = strtok_r(NULL, BLANKS, &at)) {
		if (!strcmp(word, option)) {
			word = strtok_r(NULL, BLANKS, &at);
			return word ? word : "";
		}
		if (!strcmp(word, "comment")) /* of which the text is last */
			return NULL;
	}
	return NULL;
}

static void add_entry(struct blocklist_file *file, char *entry, char *options)
{
	CLEANUP_FREE char *copy = xstrdup(options);

	if (strchr(entry, ','))
		blocklist_refuse(file, "`%.80s` is about more than an address", entry);
	else if (file->masked)
		blocklist_refuse(file, "`%.80s` is a network, of which the set alone has the mask", entry);
	else if (find_option(copy, "nomatch"))
		blocklist_refuse(file, "`%.80s` is an exception (nomatch): the policy's `except` is for such", entry);
	else {
		const char *timeout = find_option(options, "timeout");

		file->expiring += timeout && strcmp(timeout, "0") != 0;
		blocklist_take(file, entry);
	}
}

/* As `ipset save` prints them. */
static void read_ipset(struct blocklist_file *file, char *line)
{
	char *at = NULL, *verb = strtok_r(line, BLANKS, &at), *name, *word, nothing[] = "";

	if (!verb || is_comment(verb) || !strcmp(verb, "COMMIT"))
		return;
	name = strtok_r(NULL, BLANKS, &at);
	word = name ? strtok_r(NULL, BLANKS, &at) : NULL;
	at = at ? at : nothing; /* some C libraries have NULL at the end */
	if (!word || (strcmp(verb, "create") != 0 && strcmp(verb, "add") != 0)) {
		blocklist_refuse(file, "`%.80s` is not what ipset saves: lines begin with create or add", verb);
	} else if (!strcmp(verb, "add")) {
		add_entry(file, word, at);
	} else {
		CLEANUP_FREE char *copy = xstrdup(at);

		file->masked = find_option(copy, "netmask") || find_option(at, "bitmask");
	}
}

/* The first line that is neither empty nor a comment; NULL without one. */
static void find_beginning(const char *text, const char *end, struct beginning *begin)
{
	for (int number = 1; text < end && !begin->line; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);
		CLEANUP_FREE char *copy = xasprintf("%.*s", (int)length, text);
		const char *line = copy + strspn(copy, BLANKS);

		if (*line && is_comment(line)) {
			free(begin->comment);
			begin->comment = xstrdup(line + strspn(line, "#;/" BLANKS));
		} else if (*line) {
			begin->line = xstrdup(copy);
			begin->line_number = number;
		}
		text += length + 1;
	}
}

static bool begins_with(const char *line, const char *word)
{
	size_t length = strlen(word);

	return !strncmp(line, word, length) && line[length] && strchr(BLANKS, line[length]);
}

static bool is_plain(const char *line, const struct blocklist_file *file)
{
	CLEANUP_FREE char *copy = xstrdup(line);
	struct prefix prefix;
	struct error ignored;
	char *word;

	cut_comment(copy);
	word = blocklist_trim(copy);
	word[strcspn(word, "-/" BLANKS)] = '\0';
	return !prefix_parse(word, file->where, &prefix, &ignored);
}

/* Commas in what is no comment. */
static bool has_columns(const char *line)
{
	CLEANUP_FREE char *copy = xstrdup(line);

	cut_comment(copy);
	return *line == '"' || strchr(copy, ',');
}

static int recognise(struct blocklist_file *file, const struct beginning *begin, read_line **reader,
		     struct error *error)
{
	const char *line = begin->line + strspn(begin->line, BLANKS);
	bool named = file->list->column;

	file->where.line = begin->line_number;
	*reader = read_plain;
	if (*line == '<')
		return error_at(error, file->where, "this is a page of the web, no list");
	if (*line == '[') {
		int err = error_at(error, file->where, "this is JSON, but not an object on each line");

		error_hint(error, "jq -c '.[]' makes lines of a list");
		return err;
	}
	if (*line == '{') {
		*reader = read_json;
	} else if (begins_with(line, "create") || begins_with(line, "add")) {
		*reader = read_ipset;
	} else if (named && blocklist_is_header(file, begin->line)) {
		file->header_line = begin->line_number;
		*reader = blocklist_read_csv;
	} else if (named && begin->comment && blocklist_is_header(file, begin->comment)) {
		*reader = blocklist_read_csv;
	} else if (has_columns(line) || (named && !is_plain(line, file))) {
		return blocklist_bad_header(file, begin->line, error);
	}
	return 0;
}

static void read_lines(struct blocklist_file *file, char *text, char *end, read_line *reader)
{
	for (file->where.line = 1; text < end; file->where.line++) {
		char *newline = memchr(text, '\n', (size_t)(end - text)), *line;

		if (!newline)
			newline = end;
		*newline = '\0';
		/* What is blank in a list with columns may be an empty one. */
		line = reader == blocklist_read_csv ? text : blocklist_trim(text);
		if (line[strspn(line, BLANKS)])
			reader(file, line);
		text = newline + 1;
	}
}

int blocklist_read(struct blocklist *list, char *text, size_t length, const char *file, struct error *error)
{
	struct blocklist_file reading = { .list = list, .where = { .file = file } };
	size_t entries = list->entries, refused = list->refused;
	char *end = text + length;
	struct beginning begin = { 0 };
	read_line *reader = NULL;
	int err = 0;

	find_beginning(text, end, &begin);
	if (begin.line)
		err = recognise(&reading, &begin, &reader, error);
	else if (!begin.comment) /* what is left of a download that failed */
		err = error_at(error, reading.where, "there is nothing in it, not even a comment");
	free(begin.line);
	free(begin.comment);
	if (err || !reader)
		return err;
	read_lines(&reading, text, end, reader);
	reading.where.line = 0;
	if (list->entries == entries && list->refused > refused)
		return error_at(error, reading.where, "no line of it has an address");
	if (reading.expiring)
		blocklist_tell(&reading, 0, "%zu of its entries would expire (timeout): in a set file they do not",
			       reading.expiring);
	blocklist_tell_special(&reading);
	return 0;
}

void blocklist_free(struct blocklist *list)
{
	prefixes_free(&list->prefixes);
}

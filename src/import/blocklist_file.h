/* SPDX-License-Identifier: BSD-2-Clause */
/* One file of a blocklist while it is read: what the readers of the kinds of lists share. */
#ifndef SLUICE_IMPORT_BLOCKLIST_FILE_H
#define SLUICE_IMPORT_BLOCKLIST_FILE_H

#include <stdbool.h>

#include "import/blocklist.h"

#define BLOCKLIST_SPECIAL 17

struct blocklist_file {
	struct blocklist *list;
	struct location where; /* the line that is read */
	/* CSV: the character between columns, the number of the column from 0, the line of the header. */
	char delimiter;
	size_t column;
	int header_line; /* 0: it is a comment */
	/* ipset: entries that would expire, and whether the set was made with a mask for all of them. */
	size_t expiring;
	bool masked;
	/* Entries that overlap addresses with a meaning of their own (blocklist_entry.c): how many, and the first. */
	struct {
		size_t count;
		int line;
		struct prefix prefix;
	} special[BLOCKLIST_SPECIAL];
};

/* Takes an address, a prefix or a range of addresses; or says on list->messages why not. `text` is cut up. */
void blocklist_take(struct blocklist_file *file, char *text);

/* Says that the line is not taken, and why. */
void blocklist_refuse(struct blocklist_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something else about the line, or with line 0 about the file. */
void blocklist_tell(const struct blocklist_file *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Tells of the special addresses that the file had. */
void blocklist_tell_special(const struct blocklist_file *file);

/* Without blanks at both ends; `text` is cut. */
char *blocklist_trim(char *text);

/* True when the line has the names of columns, and one of them is list->column: file->delimiter and file->column are
 * set. */
bool blocklist_is_header(struct blocklist_file *file, const char *line);

/* Why such a line is no header, in `error`. */
int blocklist_bad_header(const struct blocklist_file *file, const char *line, struct error *error);

/* A line of CSV. */
void blocklist_read_csv(struct blocklist_file *file, char *line);

#endif

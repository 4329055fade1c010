/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole text files in memory. */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stddef.h>

/* Reads all of a descriptor's file, from where it stands, as text_read does. */
int text_read_from(int fd, size_t limit, char **text, size_t *length);

/* Reads all of `path`, which may be a pipe, but for a byte order mark, and puts a NUL behind it. Returns 0 with `*text`
 * for the caller to free and its `*length` without that NUL, or a negative errno; -EFBIG when there are more than
 * `limit` bytes. */
int text_read(const char *path, size_t limit, char **text, size_t *length);

#endif

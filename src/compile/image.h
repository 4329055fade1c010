/* SPDX-License-Identifier: BSD-2-Clause */
/* Prefix tables as the data path reads them: built from settled prefixes, pure. */
#ifndef SLUICE_COMPILE_IMAGE_H
#define SLUICE_COMPILE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/prefix.h"

struct prefix_table;

/* Laid out as include/sluice/prefixes4.h or prefixes6.h says; without words for a table without entries. */
struct image {
	__u64 *words; /* owned */
	size_t count;
	size_t values; /* in the dictionary */
	struct prefix_layout layout;
};

/*
 * `table` is settled (prefix_table_settle) and of one family; its values, indices of rules, bits of sets or
 * PREFIX_EXCEPT, are those of the image. Memory is in proportion to the prefixes, and so is time; IPv6 may take several
 * attempts, of which there are at most 32 for each prefix length in use. Returns 0, or with `out` untouched -E2BIG when
 * there are more prefixes than an image can hold, or -ENOSPC when IPv6 prefixes crowd in each attempt. Free with
 * image_free.
 */
int image_build4(const struct prefix_table *table, struct image *out);
int image_build6(const struct prefix_table *table, struct image *out);
void image_free(struct image *image);

/* The dictionary: image->values of them, the first is PREFIX_NONE. Borrowed. */
uint32_t *image_dictionary(const struct image *image);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean …?" */
#ifndef SLUICE_BASE_NEAREST_H
#define SLUICE_BASE_NEAREST_H

#include <stddef.h>

/* The one of `count` words that `word` most likely stands for, the first of equally near ones; NULL when none is near.
 * Upper and lower case are the same. NULL among the words is skipped. The result is borrowed from `words`. */
const char *nearest(const char *word, const char *const *words, size_t count);

#endif

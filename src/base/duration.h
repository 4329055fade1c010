/* SPDX-License-Identifier: BSD-2-Clause */
/* Lengths of time as people write them: 90, 90s, 5m, 1h, 7d. A number without a unit is seconds. */
#ifndef SLUICE_BASE_DURATION_H
#define SLUICE_BASE_DURATION_H

#include <stdint.h>

#define DURATION_TEXT_MAX 24

/* Returns 0, -EINVAL when `text` is no duration, or -ERANGE when its seconds do not fit. Bounds are the caller's. */
int duration_parse(const char *text, uint64_t *seconds);

/* Writes it into DURATION_TEXT_MAX bytes, in the largest unit that says it exactly; returns `text`. */
const char *duration_text(uint64_t seconds, char *text);

#endif

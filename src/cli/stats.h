/* SPDX-License-Identifier: BSD-2-Clause */
/* What `stats -j` prints, for verbs that go on with it. */
#ifndef SLUICE_CLI_STATS_H
#define SLUICE_CLI_STATS_H

#include <jansson.h>

#include "base/error.h"

/* The counters of that interface, with NULL of all together: an object for the caller to release, or NULL with `error`
 * set. */
json_t *stats_collect(const char *only, struct error *error);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which network namespaces there are. The kernel has no list of them: they are found by processes that are in them, and
 * by mounts that keep them, as ip-netns(8) and containers make. */
#ifndef SLUICE_DATAPATH_NAMESPACES_H
#define SLUICE_DATAPATH_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct namespaces {
	uint64_t *cookies;
	size_t count, capacity;
};

/* The cookie of the caller's. Returns 0, or a negative errno with `error` set. */
int namespaces_own(uint64_t *cookie, struct error *error);

/* Enters each that is found for a moment. Returns 0 and a list to free with namespaces_free, or a negative errno when
 * not all could be looked at. */
int namespaces_find(struct namespaces *out);
bool namespaces_have(const struct namespaces *namespaces, uint64_t cookie);
void namespaces_free(struct namespaces *namespaces);

#endif

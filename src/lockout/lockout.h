/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps a change from cutting the session that makes it: the new generation itself is asked about the packets of that
 * session, wherever they arrive on an interface that it is for.
 */
#ifndef SLUICE_LOCKOUT_LOCKOUT_H
#define SLUICE_LOCKOUT_LOCKOUT_H

#include "base/error.h"
#include "datapath/generation.h"

struct passage;

/* What to ask about: each connection of the session on each interface it passes. */
struct lockout {
	struct passage *passages;
	size_t count, capacity;
};

/* Finds the connections of this session and where they arrive; none may be. Returns 0, or a negative errno with `error`
 * set and nothing to close when that cannot be told. */
int lockout_open(struct lockout *lockout, struct error *error);
void lockout_close(struct lockout *lockout);

/* For struct examination (datapath/generation.h), with the lockout as context: -EINVAL with `error` set to the rule or
 * the stage that would drop packets of this session. */
int lockout_examine(const struct made *made, void *lockout, struct error *error);

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Bans: dynamic sets that the data path itself puts sources into. What has expired takes room in a set until someone
 * takes it out; nobody but the data path may be there to do that. So it remembers whom it banned, oldest first, and
 * with each ban takes out the oldest if it has expired, when a set is full some more: not many for each packet, however
 * many there are.
 */
#ifndef SLUICE_BAN_H
#define SLUICE_BAN_H

#include <linux/types.h>

#include "sluice/set.h"

struct ban {
	struct set_key key;
	__u64 seed; /* of the set: it tells one from another, whatever numbers a policy gives them */
};

_Static_assert(sizeof(struct ban) == 32, "no padding that the stack would have to be cleared of");

/* Remembered for each interface: 32 MiB, only where a policy bans. More of them, all in force: the oldest are no longer
 * remembered, and when they have expired keep their room until entries are added by hand. */
#define BANS_MAX (1U << 20)

/* Looked at for one packet: some may be of entries that were taken out by hand. */
#define BANS_TRIES 64

/* Nanoseconds. Where those few were all in force, who comes next waits for so long before it looks again. */
#define BANS_PAUSE 100000000ULL

#endif

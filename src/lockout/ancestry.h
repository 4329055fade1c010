/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOCKOUT_ANCESTRY_H
#define SLUICE_LOCKOUT_ANCESTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inodes {
	uint32_t *list;
	size_t count, capacity;
};

/*
 * Adds the inodes of the sockets that this process and its ancestors have open, of whatever kind: sshd is among them,
 * also behind sudo and su. A terminal that tmux or screen made hangs on no ancestor, so their clients' ancestors come
 * too: if this process has a terminal, the clients are the processes which run the same executable as the nearest
 * ancestor without a terminal, but have one. What may not be read is left out. `inodes` is the caller's to free.
 */
void ancestry_sockets(struct inodes *inodes);

/* True when the parent is in another network namespace, as after `sluice -n`. */
bool ancestry_is_elsewhere(void);

#endif

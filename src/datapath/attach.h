/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP hook of an interface: who is on it, and getting on it ourselves. */
#ifndef SLUICE_DATAPATH_ATTACH_H
#define SLUICE_DATAPATH_ATTACH_H

#include <net/if.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/policy.h"

/* Returns 0 when no program is on the interface; -EBUSY, with `error` naming the program and who holds it, when one is.
 */
int attach_check_free(unsigned ifindex, const char *name, struct error *error);

/* Creates a link; the program stays attached as long as the link is open or pinned. Returns its descriptor, or a
 * negative errno with `error` set to the kernel's own words. */
int attach_create(unsigned ifindex, const char *name, enum mode mode, int program, struct error *error);

/* Replaces the program of a link in one step, if it still is `old` (-1: whatever it is). Returns 0 or a negative errno.
 */
int attach_update(int link, int program, int old);

/* The mode in which a program runs on the interface now. Returns 0, or -ENOENT when none does. */
int attach_mode(unsigned ifindex, enum mode *mode);

#endif

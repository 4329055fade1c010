/* SPDX-License-Identifier: BSD-2-Clause */
/* The heaviest talkers of what runs (include/sluice/top.h): counted while somebody reads, and for a moment after. */
#ifndef SLUICE_DATAPATH_TOP_H
#define SLUICE_DATAPATH_TOP_H

#include "base/error.h"
#include "top/talkers.h"

struct pins;
struct state;
struct sluice_bpf;

/* Gives a program that is about to be loaded the sketch of `state`, or one of its own; none where it counts nothing.
 * Returns 0 or a negative errno. */
int top_prepare(struct sluice_bpf *skeleton, const struct state *state);

/* So long packets are counted after the last reading, nanoseconds. */
#define TOP_STAYS (3 * TOP_WINDOW)

/* A window that ended so long ago is not written to any more: the data path's clock goes in ticks. Nanoseconds. */
#define TOP_SETTLES 20000000ULL

/* Has packets be counted until TOP_STAYS from now (base/clock.h), on that interface or, with NULL, on all; and adds
 * what was counted in a window that is over to `talkers`, where that is not NULL. Returns 0, or a negative errno with
 * `error` set: -ENOENT when nothing runs there, -EOPNOTSUPP when the program that runs cannot count, -EAGAIN when the
 * next window is over, too: then `talkers` may hold anything. */
int top_read(const struct pins *pins, const char *only, uint32_t window, struct talkers *talkers, struct error *error);

#endif

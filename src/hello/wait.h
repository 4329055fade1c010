/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting. From wait_start on, SIGINT, SIGTERM, SIGQUIT and SIGHUP end every wait and nothing else: what is done
 * between two waits is done whole, and cleaning up cannot be cut off.
 */
#ifndef SLUICE_HELLO_WAIT_H
#define SLUICE_HELLO_WAIT_H

#include <stdbool.h>
#include <stdint.h>

void wait_start(void);

/* As before wait_start; the signal that ended the waits is used up. */
void wait_end(void);

/* Name of the signal that came ("SIGINT"), NULL when none did. */
const char *wait_signal(void);

/* Milliseconds of a clock that nobody sets. */
int64_t wait_clock(void);

/* Until `fd` has something to read, or the clock is at `deadline`. `fd` -1: only the clock. Returns 1 when there is
 * something to read, 0 at the deadline, -EINTR after a signal. */
int wait_for(int fd, int64_t deadline);

/* A key, when standard input is a terminal; a line or the end of the input otherwise. Ask for it between the two: from
 * wait_key_start on the terminal does not echo and does not wait for the end of a line, and wait_key puts it back.
 * Returns 0, -EINTR after a signal. */
void wait_key_start(void);
int wait_key(void);

#endif

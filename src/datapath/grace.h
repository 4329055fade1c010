/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits for the packets in flight. */
#ifndef SLUICE_DATAPATH_GRACE_H
#define SLUICE_DATAPATH_GRACE_H

#include "base/error.h"

/* Returns when every packet that was being judged as this was called has been: programs and values
 * replaced before it are in use no more.
 * Returns 0, or a negative errno with `error` set. */
int grace_wait(struct error *error);

#endif

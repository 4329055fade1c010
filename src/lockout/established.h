/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOCKOUT_ESTABLISHED_H
#define SLUICE_LOCKOUT_ESTABLISHED_H

#include <stdint.h>

#include "lockout/connection.h"

/* Hands every established TCP connection of this network namespace, and the inode of its socket, to `found`; those
 * with the given ports only, where these are not 0. Returns 0 or a negative errno. */
int established_each(uint16_t remote_port, uint16_t local_port,
		     void (*found)(const struct connection *connection, uint32_t inode, void *context), void *context);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOCKOUT_ROUTE_H
#define SLUICE_LOCKOUT_ROUTE_H

#include "lockout/connection.h"
#include "lockout/devices.h"

/* All interfaces of this network namespace, for the caller to free, also after an error. Returns 0 or a negative errno.
 */
int route_devices(struct devices *devices);

/* Adds where packets of a connection arrive. The kernel does not say that of a connection, so two interfaces are taken:
 * the one that its answers leave through, and the one that has the local address, which on a machine with several
 * uplinks may be another; then all that these stand on. None for a connection that stays in the machine. `arrivals` is
 * the caller's to free. */
void route_arrivals(const struct connection *connection, const struct devices *devices, struct arrivals *arrivals);

#endif

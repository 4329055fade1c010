/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCP connection of this machine, and the packet that arrives for it. Pure: asks nobody. */
#ifndef SLUICE_LOCKOUT_CONNECTION_H
#define SLUICE_LOCKOUT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "packet/frame.h"

struct connection {
	struct endpoint remote, local; /* of one version, with ports; never IPv4 written as IPv6 */
	unsigned device;	       /* index of the one it is bound to, as link-local ones are; 0: any */
};

struct connections {
	struct connection *list;
	size_t count, capacity;
};

/* `address` in network byte order, of AF_INET or AF_INET6; an IPv4 address written as IPv6 (RFC 4291, section 2.5.5.2:
 * what a server that listens on both families sees) becomes IPv4. */
struct endpoint endpoint_from(int family, const void *address, uint16_t port);

/* Reads what sshd leaves in SSH_CONNECTION: "REMOTE PORT LOCAL PORT", link-local addresses with a zone
 * ("fe80::1%eth0"), which is dropped: `device` is 0. False when the text is anything else. */
bool connection_parse(const char *text, struct connection *connection);

/* True when addresses and ports are the same. */
bool connection_same(const struct connection *a, const struct connection *b);

/* The address, written into `text`, which has INET6_ADDRSTRLEN bytes. */
const char *endpoint_text(const struct endpoint *endpoint, char *text);

/* "192.0.2.7 port 51234 to 198.51.100.1 port 22", for the caller to free. */
char *connection_text(const struct connection *connection);

/* The frame of a packet that arrives for it: TCP with data, acknowledging, under the given VLAN tags (outermost first,
 * at most VLANS_MAX). Returns 0 and bytes for the caller to free, or a negative errno with `error` set. */
int connection_frame(const struct connection *connection, const uint16_t *vlan, unsigned vlans, uint8_t **bytes,
		     size_t *length, struct error *error);

#endif

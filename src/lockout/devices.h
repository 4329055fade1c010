/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a packet for an interface can be seen: on the interface itself, and on those that it stands on. A frame for
 * bond0.7 arrives on eth0, a member of bond0, with VLAN tag 7. Pure: works on what route.c has read.
 */
#ifndef SLUICE_LOCKOUT_DEVICES_H
#define SLUICE_LOCKOUT_DEVICES_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/record.h"

enum device_kind {
	DEVICE_OTHER, /* nothing of ours is below: hardware, veth, tunnels, which wrap the packet in another */
	DEVICE_VLAN,  /* hands frames up from `lower`, without the tag `vlan` */
	DEVICE_CHILD, /* macvlan, ipvlan: hands frames up from `lower` as they are */
	DEVICE_TEAM,  /* bridge, bond, team: hands up what arrives on those whose `master` it is */
};

struct device {
	unsigned index;
	unsigned lower;	 /* index; 0: none, or in another network namespace */
	unsigned master; /* index; 0: none */
	enum device_kind kind;
	uint16_t vlan;
};

struct devices {
	struct device *list;
	size_t count, capacity;
};

/* An interface that the packet passes, and the VLAN tags it has there, outermost first. */
struct arrival {
	unsigned index;
	unsigned vlans;
	uint16_t vlan[VLANS_MAX];
};

struct arrivals {
	struct arrival *list;
	size_t count, capacity;
};

/* What IFLA_INFO_KIND calls it. */
enum device_kind device_kind(const char *name);

/* Adds the interface `index`, then all below it, each interface once. `arrivals` is the caller's to free. More than
 * VLANS_MAX tags deep it looks no further. */
void devices_arrivals(const struct devices *devices, unsigned index, struct arrivals *arrivals);

#endif

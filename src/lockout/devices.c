// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/devices.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum device_kind device_kind(const char *name)
{
	static const struct {
		const char *name;
		enum device_kind kind;
	} kinds[] = {
		{ "vlan", DEVICE_VLAN },    { "macvlan", DEVICE_CHILD }, { "macvtap", DEVICE_CHILD },
		{ "ipvlan", DEVICE_CHILD }, { "ipvtap", DEVICE_CHILD },	 { "bridge", DEVICE_TEAM },
		{ "bond", DEVICE_TEAM },    { "team", DEVICE_TEAM },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(name, kinds[i].name))
			return kinds[i].kind;
	}
	return DEVICE_OTHER;
}

static const struct device *find_device(const struct devices *devices, unsigned index)
{
	for (size_t i = 0; i < devices->count; i++) {
		if (devices->list[i].index == index)
			return &devices->list[i];
	}
	return NULL;
}

static bool has_arrival(const struct arrivals *arrivals, unsigned index)
{
	for (size_t i = 0; i < arrivals->count; i++) {
		if (arrivals->list[i].index == index)
			return true;
	}
	return false;
}

static void add_below(const struct devices *devices, const struct device *device, struct arrival at,
		      struct arrivals *arrivals);

/* Ends where an interface is there already, so a circle, which the kernel does not allow, would do no harm. */
static void add(const struct devices *devices, unsigned index, struct arrival at, struct arrivals *arrivals)
{
	const struct device *device = find_device(devices, index);

	if (!device || has_arrival(arrivals, index))
		return;
	at.index = index;
	arrivals->list = xgrow(arrivals->list, arrivals->count, &arrivals->capacity, sizeof(*arrivals->list));
	arrivals->list[arrivals->count++] = at;
	add_below(devices, device, at, arrivals);
}

static void add_below(const struct devices *devices, const struct device *device, struct arrival at,
		      struct arrivals *arrivals)
{
	if (device->kind == DEVICE_VLAN) {
		if (at.vlans == VLANS_MAX)
			return;
		memmove(at.vlan + 1, at.vlan, at.vlans * sizeof(*at.vlan));
		at.vlan[0] = device->vlan;
		at.vlans++;
	}
	if (device->kind == DEVICE_VLAN || device->kind == DEVICE_CHILD)
		add(devices, device->lower, at, arrivals);
	if (device->kind == DEVICE_TEAM) {
		for (size_t i = 0; i < devices->count; i++) {
			if (devices->list[i].master == device->index)
				add(devices, devices->list[i].index, at, arrivals);
		}
	}
}

void devices_arrivals(const struct devices *devices, unsigned index, struct arrivals *arrivals)
{
	add(devices, index, (struct arrival){ 0 }, arrivals);
}

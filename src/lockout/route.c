// SPDX-License-Identifier: BSD-2-Clause
#include "lockout/route.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "lockout/netlink.h"

#define TRIES 5 /* interfaces may come and go while they are listed */

static void put_address(struct nlmsghdr *request, uint16_t type, const struct endpoint *endpoint)
{
	mnl_attr_put(request, type, endpoint->version == 4 ? 4 : 16, endpoint->address);
}

struct route {
	unsigned char type;
	unsigned device;
};

static int read_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct route *route = context;
	const struct nlattr *attribute;

	route->type = header->rtm_type;
	mnl_attr_for_each (attribute, message, sizeof(*header)) {
		if (mnl_attr_get_type(attribute) == RTA_OIF)
			route->device = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

/* The route to `to`, from `from` when that is given. RTM_F_FIB_MATCH asks for the entry of the table, which for a local
 * address names the interface that has it and not the loopback. */
static int ask_route(const struct endpoint *to, const struct endpoint *from, unsigned device, unsigned flags,
		     struct route *route)
{
	char buffer[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	unsigned char bits = to->version == 4 ? 32 : 128;

	request->nlmsg_type = RTM_GETROUTE;
	header->rtm_family = to->version == 4 ? AF_INET : AF_INET6;
	header->rtm_flags = flags;
	header->rtm_dst_len = bits;
	put_address(request, RTA_DST, to);
	if (from) {
		header->rtm_src_len = bits;
		put_address(request, RTA_SRC, from);
	}
	if (device)
		mnl_attr_put_u32(request, RTA_OIF, device);
	*route = (struct route){ 0 };
	return netlink_ask(NETLINK_ROUTE, request, 0, read_route, route);
}

static void read_vlan(const struct nlattr *data, struct device *device)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested (attribute, data) {
		if (mnl_attr_get_type(attribute) == IFLA_VLAN_ID)
			device->vlan = mnl_attr_get_u16(attribute);
	}
}

static void read_kind(const struct nlattr *information, struct device *device)
{
	const struct nlattr *attribute, *data = NULL;

	mnl_attr_for_each_nested (attribute, information) {
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
			device->kind = device_kind(mnl_attr_get_str(attribute));
		if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA)
			data = attribute;
	}
	if (device->kind == DEVICE_VLAN && data)
		read_vlan(data, device);
}

static int read_device(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct device device = { .index = header->ifi_index };
	struct devices *devices = context;
	const struct nlattr *attribute;
	bool elsewhere = false;

	mnl_attr_for_each (attribute, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_LINK:
			device.lower = mnl_attr_get_u32(attribute);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_MASTER:
			device.master = mnl_attr_get_u32(attribute);
			break;
		case IFLA_LINKINFO:
			read_kind(attribute, &device);
			break;
		default:
			break;
		}
	}
	if (elsewhere)
		device.lower = 0;
	devices->list = xgrow(devices->list, devices->count, &devices->capacity, sizeof(*devices->list));
	devices->list[devices->count++] = device;
	return MNL_CB_OK;
}

int route_devices(struct devices *devices)
{
	int err = -EINTR;

	for (int i = 0; i < TRIES && err == -EINTR; i++) {
		char buffer[512];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

		mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
		request->nlmsg_type = RTM_GETLINK;
		devices->count = 0;
		err = netlink_ask(NETLINK_ROUTE, request, 1, read_device, devices);
	}
	return err;
}

void route_arrivals(const struct connection *connection, const struct devices *devices, struct arrivals *arrivals)
{
	const struct endpoint *remote = &connection->remote, *local = &connection->local;
	struct route back, owner;

	/* Either may be missing: a route that only marked packets take; an address that a proxy answers for. */
	if (ask_route(remote, local, connection->device, 0, &back))
		back = (struct route){ 0 };
	if (ask_route(local, NULL, connection->device, RTM_F_FIB_MATCH, &owner))
		owner = (struct route){ 0 };
	if (back.type == RTN_LOCAL)
		return;
	devices_arrivals(devices, back.device, arrivals);
	devices_arrivals(devices, owner.device, arrivals);
}

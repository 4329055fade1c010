// SPDX-License-Identifier: BSD-2-Clause
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/memory.h"

#define NETNS_PREFIX "sl-"

static int enter(const char *name, struct error *error)
{
	CLEANUP_FREE char *path = xasprintf("/run/netns/%s", name);
	CLEANUP_FD int fd = -1;

	if (strncmp(name, NETNS_PREFIX, strlen(NETNS_PREFIX)) || strchr(name, '/'))
		return error_set(error, EINVAL, "\"%s\": this works only in a namespace named " NETNS_PREFIX "…", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return error_set(error, errno, "cannot enter the network namespace \"%s\": %s", name, strerror(errno));
	return 0;
}

static int find(const char *interface, struct veth *veth, struct error *error)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { 0 };
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	request.ifr_data = (void *)&driver;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		return error_set(error, errno, "%s: %s", interface, strerror(errno));
	if (strcmp(driver.driver, "veth"))
		return error_set(error, EINVAL, "%s is no veth; this works on nothing else", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return error_set(error, errno, "%s: %s", interface, strerror(errno));
	memcpy(veth->mac, request.ifr_hwaddr.sa_data, sizeof(veth->mac));
	veth->ifindex = if_nametoindex(interface);
	return 0;
}

int netns_enter(const char *name, const char *interface, struct veth *veth, struct error *error)
{
	int err = enter(name, error);

	return err ? err : find(interface, veth, error);
}

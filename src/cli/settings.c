// SPDX-License-Identifier: BSD-2-Clause
/* What the kernel's settings in this network namespace, and its interfaces, take from a policy. They are told, never
 * changed. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"

/* -1 when it cannot be read. */
static int read_setting(const char *path)
{
	CLEANUP_FREE char *text = NULL;
	size_t length;

	return text_read(path, 64, &text, &length) ? -1 : atoi(text);
}

/* The first service of this host; NULL when there is none. */
static const struct synproxy_rule *first_service(const struct policy *policy)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct synproxy *synproxy = &policy->interfaces[i].synproxy;

		for (size_t r = 0; r < synproxy->rule_count; r++) {
			if (!synproxy->rules[r].gateway)
				return &synproxy->rules[r];
		}
	}
	return NULL;
}

static void warn(const struct location *where, const char *what)
{
	fprintf(stderr, "%s:%d:%d: warning: %s\n", where->file, where->line, where->column, what);
}

static bool is_veth(const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_data = (void *)&info };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request) && !strcmp(info.driver, "veth");
}

/* drivers/net/veth.c: what a program sends comes to an end that has one, too; and checksums are left half done. */
static void warn_veths(const struct policy *policy)
{
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct interface *interface = &policy->interfaces[i];

		if (interface->mode == MODE_NATIVE && interface->synproxy.rule_count && is_veth(interface->name))
			warn(&interface->synproxy.where,
			     "this is a veth: answers arrive only if its other end has an XDP program, too (an empty "
			     "policy will do), and SYNs are taken only if they have whole checksums: ethtool -K PEER "
			     "tx "
			     "off");
	}
}

void settings_warn(const struct policy *policy)
{
	const struct synproxy_rule *service = first_service(policy);
	int cookies, timestamps;

	warn_veths(policy);

	if (!service)
		return;
	cookies = read_setting("/proc/sys/net/ipv4/tcp_syncookies");
	timestamps = read_setting("/proc/sys/net/ipv4/tcp_timestamps");
	if (cookies == 0)
		warn(&service->where,
		     "with net.ipv4.tcp_syncookies=0 this kernel takes no cookies: SYNs to services of "
		     "this host pass; sysctl net.ipv4.tcp_syncookies=2");
	if (cookies == 1)
		warn(&service->where,
		     "with net.ipv4.tcp_syncookies=1 a service that is armed has its SYNs answered once "
		     "the backlog of its socket is full; at once with sysctl net.ipv4.tcp_syncookies=2");
	if (timestamps == 0 || timestamps == 1)
		warn(&service->where, timestamps
					      ? "with net.ipv4.tcp_timestamps=1 connections to a service that is armed "
						"have no window scaling, SACK and timestamps; they have with sysctl "
						"net.ipv4.tcp_timestamps=2"
					      : "with net.ipv4.tcp_timestamps=0 connections to a service that is armed "
						"have no window scaling and SACK; they have with sysctl "
						"net.ipv4.tcp_timestamps=2");
}

// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "import/iptables.h"

/* What each of these asks is nothing that a single packet says. */
static const struct {
	const char *name, *why;
} modules[] = {
	{ "bpf", "a program of somebody else's" },
	{ "connbytes", "there is no connection tracking in Sluice" },
	{ "connlabel", "there is no connection tracking in Sluice" },
	{ "connlimit", "there is no connection tracking in Sluice: connections cannot be counted" },
	{ "connmark", "there is no connection tracking in Sluice" },
	{ "geoip", "write the addresses of these countries into a set" },
	{ "helper", "there is no connection tracking in Sluice" },
	{ "mark", "before XDP nothing has set a mark" },
	{ "owner", "XDP does not know sockets" },
	{ "physdev", "XDP sees the port of a bridge itself: write an interface block for it" },
	{ "policy", "IPsec comes after XDP" },
	{ "quota", "there are no quotas in Sluice" },
	{ "realm", "routing comes after XDP" },
	{ "recent", "use a limit per source, or a dynamic set with a timeout" },
	{ "rpfilter", "routing comes after XDP: write the addresses that may come from there" },
	{ "socket", "XDP does not know sockets" },
	{ "statistic", "Sluice does not decide by chance" },
	{ "string", "Sluice does not look into what packets carry" },
	{ "time", "rules do not know the time of day: apply another policy then" },
	{ "u32", "there are no words for single bytes in Sluice" },
};

/* Of which the options are read below. */
static const char *const readable[] = { "tcp", "udp",	  "sctp",    "icmp",	 "icmp6", "icmpv6",    "multiport",
					"mac", "ttl",	  "hl",	     "length",	 "dscp",  "limit",     "hashlimit",
					"set", "comment", "iprange", "addrtype", "state", "conntrack", "udplite" };

bool iptables_module(const char *name, const char **why)
{
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++) {
		if (!strcmp(readable[i], name))
			return true;
	}
	*why = "there are no words for that in Sluice";
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		if (!strcmp(modules[i].name, name))
			*why = modules[i].why;
	}
	return false;
}

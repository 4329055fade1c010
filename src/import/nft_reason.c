// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "base/memory.h"
#include "import/nft.h"

/* Why what stands left has no words in Sluice. */
static const struct {
	const char *kind, *key, *why;
} reasons[] = {
	{ "ct", NULL, "there is no connection tracking in Sluice" },
	{ "fib", NULL, "routing comes after XDP: write the addresses themselves" },
	{ "rt", NULL, "routing comes after XDP" },
	{ "socket", NULL, "XDP does not know sockets" },
	{ "osf", NULL, "Sluice does not guess what system a packet is from" },
	{ "numgen", NULL, "Sluice does not decide by chance" },
	{ "jhash", NULL, "Sluice does not decide by a hash" },
	{ "symhash", NULL, "Sluice does not decide by a hash" },
	{ "ipsec", NULL, "IPsec comes after XDP" },
	{ "tcp option", NULL, "Sluice does not read options of TCP" },
	{ "ip option", NULL, "Sluice does not read options of IPv4" },
	{ "sctp chunk", NULL, "Sluice does not look into what packets carry" },
	{ "meta", "mark", "before XDP nothing has set a mark" },
	{ "meta", "oif", "what arrives has no way out yet" },
	{ "meta", "oifname", "what arrives has no way out yet" },
	{ "meta", "skuid", "XDP does not know sockets" },
	{ "meta", "skgid", "XDP does not know sockets" },
	{ "meta", "cgroup", "XDP does not know sockets" },
	{ "meta", "pkttype", "write the addresses: `to 224.0.0.0/4` for multicast" },
	{ "meta", "day", "rules do not know the time of day: apply another policy then" },
	{ "meta", "hour", "rules do not know the time of day: apply another policy then" },
	{ "meta", "time", "rules do not know the time of day: apply another policy then" },
	{ "exthdr", NULL, "of extension headers Sluice only sees that they are there" },
	{ "payload", NULL, "there are no words for this field in Sluice" },
	{ NULL, NULL, "there are no words for that in Sluice" },
};

void nft_unsayable(struct nft_rule *reading, const char *why, const json_t *expression)
{
	CLEANUP_FREE char *text = json_dumps(expression, JSON_COMPACT | JSON_ENCODE_ANY);

	rule_unsayable(reading->nft->firewall, &reading->rule, "%s: %.200s", why, text ? text : "");
}

const char *nft_reason(const json_t *left)
{
	for (size_t i = 0; reasons[i].kind; i++) {
		const json_t *there = json_object_get(left, reasons[i].kind);
		const char *key = json_string_value(json_object_get(there, "key"));

		if (there && (!reasons[i].key || (key && !strcmp(key, reasons[i].key))))
			return reasons[i].why;
	}
	return "there are no words for that in Sluice";
}

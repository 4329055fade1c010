// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "import/iptables.h"

static const struct {
	const char *name;
	enum filter_reject reject;
	const char *note; /* when Sluice's answer is another one */
} rejects[] = {
	{ "icmp-net-unreachable", FILTER_REJECT_NET, NULL },
	{ "icmp-host-unreachable", FILTER_REJECT_HOST, NULL },
	{ "icmp-port-unreachable", FILTER_REJECT_PORT, NULL },
	{ "icmp-proto-unreachable", FILTER_REJECT_PORT, "answers port unreachable, not protocol unreachable" },
	{ "icmp-net-prohibited", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not net prohibited" },
	{ "icmp-host-prohibited", FILTER_REJECT_PROHIBITED, "answers admin prohibited, not host prohibited" },
	{ "icmp-admin-prohibited", FILTER_REJECT_PROHIBITED, NULL },
	{ "tcp-reset", FILTER_REJECT_RESET, NULL },
	{ "icmp6-no-route", FILTER_REJECT_NET, NULL },
	{ "no-route", FILTER_REJECT_NET, NULL },
	{ "icmp6-adm-prohibited", FILTER_REJECT_PROHIBITED, NULL },
	{ "adm-prohibited", FILTER_REJECT_PROHIBITED, NULL },
	{ "icmp6-addr-unreachable", FILTER_REJECT_HOST, NULL },
	{ "addr-unreach", FILTER_REJECT_HOST, NULL },
	{ "icmp6-port-unreachable", FILTER_REJECT_PORT, NULL },
	{ "port-unreach", FILTER_REJECT_PORT, NULL },
};

static int read_reject_with(struct reading *reading, const char *with, struct error *error)
{
	for (size_t i = 0; i < sizeof(rejects) / sizeof(rejects[0]); i++) {
		if (strcmp(rejects[i].name, with) != 0)
			continue;
		reading->rule->reject = rejects[i].reject;
		if (rejects[i].note)
			rule_note(reading->firewall, reading->rule, rejects[i].note);
		return 0;
	}
	return error_at(error, reading->rule->origin.where, "there is no --reject-with \"%s\"", with);
}

/* What they say of the log is the author's taste: Sluice has one form of it. */
static const struct {
	const char *target, *name;
	int values;
	int (*read)(struct reading *reading, const char *value, struct error *error);
} own_options[] = {
	{ "REJECT", "--reject-with", 1, read_reject_with },
	{ "LOG", "--log-prefix", 1, NULL },
	{ "LOG", "--log-level", 1, NULL },
	{ "LOG", "--log-tcp-sequence", 0, NULL },
	{ "LOG", "--log-tcp-options", 0, NULL },
	{ "LOG", "--log-ip-options", 0, NULL },
	{ "LOG", "--log-uid", 0, NULL },
	{ "LOG", "--log-macdecode", 0, NULL },
	{ "NFLOG", "--nflog-group", 1, NULL },
	{ "NFLOG", "--nflog-prefix", 1, NULL },
	{ "NFLOG", "--nflog-range", 1, NULL },
	{ "NFLOG", "--nflog-size", 1, NULL },
	{ "NFLOG", "--nflog-threshold", 1, NULL },
	{ "ULOG", "--ulog-nlgroup", 1, NULL },
	{ "ULOG", "--ulog-prefix", 1, NULL },
	{ "ULOG", "--ulog-cprange", 1, NULL },
	{ "ULOG", "--ulog-qthreshold", 1, NULL },
	{ "AUDIT", "--type", 1, NULL },
};

int iptables_target_option(struct reading *reading, const char *name, bool *own, struct error *error)
{
	*own = false;
	for (size_t i = 0; i < sizeof(own_options) / sizeof(own_options[0]); i++) {
		const char *value = NULL;

		if (strcmp(own_options[i].target, reading->jump) != 0 || strcmp(own_options[i].name, name) != 0)
			continue;
		*own = true;
		if (own_options[i].values)
			value = reading_next(reading);
		if (own_options[i].values && !value)
			return error_at(error, reading->rule->origin.where, "%s lacks its value", name);
		return own_options[i].read ? own_options[i].read(reading, value, error) : 0;
	}
	return 0;
}

static const struct {
	const char *name, *why;
} targets[] = {
	{ "MARK", "marks packets and decides nothing" },
	{ "CONNMARK", "marks connections and decides nothing" },
	{ "NFQUEUE", "asks another program" },
	{ "QUEUE", "asks another program" },
	{ "SET", "fills a set while packets flow: only `sluice set` does that" },
	{ "SYNPROXY", "answers in place of the server" },
	{ "TARPIT", "holds connections open" },
};

static bool only_logs(const char *name)
{
	return !strcmp(name, "LOG") || !strcmp(name, "NFLOG") || !strcmp(name, "ULOG") || !strcmp(name, "AUDIT");
}

void iptables_target(struct reading *reading)
{
	struct firewall_rule *rule = reading->rule;
	const char *name = reading->jump;

	if (!strcmp(name, "ACCEPT")) {
		rule->verdict = RULE_ACCEPT;
	} else if (!strcmp(name, "DROP")) {
		rule->verdict = RULE_DROP;
	} else if (!strcmp(name, "RETURN")) {
		rule->verdict = RULE_RETURN;
	} else if (!strcmp(name, "REJECT")) {
		rule->verdict = RULE_REJECT;
		rule->reject = FILTER_REJECT_PORT;
	} else if (only_logs(name)) {
		rule->log = true;
	} else {
		for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
			if (!strcmp(targets[i].name, name))
				rule_unsayable(reading->firewall, rule, "-j %s: %s", name, targets[i].why);
		}
		rule_unsayable(reading->firewall, rule,
			       "-j %s: there is no such chain in the file, and no word for that in Sluice", name);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
/* Options of -m limit and -m hashlimit. */
#include <string.h>

#include "base/memory.h"
#include "import/iptables.h"
#include "import/units.h"

static int set_limit(struct reading *reading, enum limit_kind kind, const char *value)
{
	struct rule_limit *limit = &reading->rule->limit;

	if (limit->kind != LIMIT_NONE)
		rule_unsayable(reading->firewall, reading->rule, "two limits in one rule");
	if (!rate_read(value, &limit->rate, &limit->unit))
		rule_unsayable(reading->firewall, reading->rule, "a limit of \"%s\", which counts no packets", value);
	if (!limit->burst)
		limit->burst = 5; /* what iptables takes when nothing is said */
	limit->kind = kind;
	return 0;
}

int iptables_limit(struct reading *reading, char *value, struct error *error)
{
	return set_limit(reading, reading->negated ? LIMIT_OVER : LIMIT_UPTO, value);
}

int iptables_limit_over(struct reading *reading, char *value, struct error *error)
{
	return set_limit(reading, reading->negated ? LIMIT_UPTO : LIMIT_OVER, value);
}

int iptables_limit_burst(struct reading *reading, char *value, struct error *error)
{
	char *end;
	unsigned long burst = strtoul(value, &end, 10);

	if (*end || !burst)
		rule_unsayable(reading->firewall, reading->rule, "a burst of \"%s\", which counts no packets", value);
	reading->rule->limit.burst = burst;
	return 0;
}

int iptables_limit_mode(struct reading *reading, char *value, struct error *error)
{
	if (!strcmp(value, "srcip"))
		reading->rule->limit.per = FILTER_PER_SOURCE;
	else if (!strcmp(value, "dstip"))
		reading->rule->limit.per = FILTER_PER_DESTINATION;
	else
		rule_unsayable(reading->firewall, reading->rule,
			       "a limit counts per source or per destination, not per \"%s\"", value);
	return 0;
}

static int read_limit_mask(struct reading *reading, const char *option, const char *value, int *length,
			   struct error *error)
{
	int bits = reading->families == FAMILY_IPV4 ? 32 : 128;
	char *end;
	long number = strtol(value, &end, 10);

	if (end == value || *end || number < 0 || number > bits)
		return iptables_senseless(reading, option, value, error);
	if (!number)
		rule_unsayable(reading->firewall, reading->rule, "%s 0, which counts all addresses as one", option);
	*length = (int)number;
	return 0;
}

int iptables_limit_source(struct reading *reading, char *value, struct error *error)
{
	return read_limit_mask(reading, "--hashlimit-srcmask", value, &reading->source_length, error);
}

int iptables_limit_destination(struct reading *reading, char *value, struct error *error)
{
	return read_limit_mask(reading, "--hashlimit-dstmask", value, &reading->destination_length, error);
}

void iptables_finish(struct reading *reading)
{
	struct rule_limit *limit = &reading->rule->limit;

	if (limit->per == FILTER_PER_RULE)
		return;
	limit->length = limit->per == FILTER_PER_SOURCE ? reading->source_length : reading->destination_length;
	if (!limit->length && reading->families == FAMILY_IPV6)
		limit->length = 128; /* Sluice counts a /64 of IPv6 as one when nothing is said */
}

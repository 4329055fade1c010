// SPDX-License-Identifier: BSD-2-Clause
#include "policy/limit.h"

#include <stdlib.h>

#include "base/duration.h"
#include "base/memory.h"
#include "policy/limit_units.h"
#include "policy/policy.h"

#define NANOSECONDS 1000000000ULL

/* Without `burst`: what a tenth of a second brings, and a few packets. */
#define BURST_PACKETS 5
#define BURSTS_A_SECOND 10

/* Leading bits of an address for which a limit is kept. Who has one address of IPv6 has its /64. */
#define PER_LENGTH4 32
#define PER_LENGTH6 64

const struct limit_unit_row limit_units[LIMIT_UNITS] = {
	[LIMIT_SECOND] = { .name = "s", .seconds = 1 },	       [LIMIT_MINUTE] = { .name = "m", .seconds = 60 },
	[LIMIT_HOUR] = { .name = "h", .seconds = 3600 },       [LIMIT_DAY] = { .name = "d", .seconds = 86400 },
	[LIMIT_KBIT] = { .name = "kbit", .bytes = 125 },       [LIMIT_MBIT] = { .name = "mbit", .bytes = 125000 },
	[LIMIT_GBIT] = { .name = "gbit", .bytes = 125000000 }, [LIMIT_KBYTE] = { .name = "kbyte", .bytes = 1000 },
	[LIMIT_MBYTE] = { .name = "mbyte", .bytes = 1000000 },
};

bool limit_is_in_bytes(const struct filter_limit *limit)
{
	return limit_units[limit->unit].bytes;
}

uint64_t limit_time(enum limit_unit unit)
{
	return limit_units[unit].bytes ? NANOSECONDS << FILTER_BYTE_SHIFT : limit_units[unit].seconds * NANOSECONDS;
}

uint64_t limit_amount(const struct filter_limit *limit)
{
	return limit_is_in_bytes(limit) ? (uint64_t)limit->rate * limit_units[limit->unit].bytes : limit->rate;
}

uint64_t limit_interval(const struct filter_limit *limit)
{
	uint64_t amount = limit_amount(limit);

	return (limit_time(limit->unit) + amount / 2) / amount;
}

uint64_t limit_per_second(const struct filter_limit *limit)
{
	return limit_is_in_bytes(limit) ? limit_amount(limit) : limit->rate / limit_units[limit->unit].seconds;
}

uint64_t limit_burst(const struct filter_limit *limit)
{
	uint64_t least = limit_is_in_bytes(limit) ? BURST_PACKETS * LIMIT_PACKET_BYTES : BURST_PACKETS;
	uint64_t burst = limit_per_second(limit) / BURSTS_A_SECOND;

	if (limit->burst)
		return limit_is_in_bytes(limit) ? (uint64_t)limit->burst * limit->burst_unit : limit->burst;
	return burst < least ? least : burst;
}

uint8_t limit_length(const struct filter_rule *rule, int version)
{
	const struct filter_limit *limit = &rule->limit;
	/* A length that both families can have is IPv4's, unless the rule is about IPv6 alone. */
	bool is_ipv4s = limit->length6 || (limit->length <= 32 && rule->family != FILTER_FAMILY_IPV6);

	if (version == 4)
		return limit->length && is_ipv4s ? limit->length : PER_LENGTH4;
	if (limit->length6)
		return limit->length6;
	return limit->length && !is_ipv4s ? limit->length : PER_LENGTH6;
}

static void print_burst(FILE *out, const struct filter_limit *limit)
{
	if (!limit->burst)
		return;
	fprintf(out, " burst %u", limit->burst);
	if (limit->burst_unit > 1)
		fputs(limit->burst_unit == 1000 ? "kbyte" : "mbyte", out);
}

static void print_per(FILE *out, const struct filter_limit *limit)
{
	if (limit->per == FILTER_PER_RULE)
		return;
	fprintf(out, " per %s", limit_per_words[limit->per]);
	if (limit->length)
		fprintf(out, "/%d", limit->length);
	if (limit->length6)
		fprintf(out, "/%d", limit->length6);
}

void limit_print(FILE *out, const struct filter_limit *limit)
{
	const char *unit = limit_units[limit->unit].name;
	char time[DURATION_TEXT_MAX];

	fprintf(out, limit_is_in_bytes(limit) ? "%u%s/s" : "%u/%s", limit->rate, unit);
	print_burst(out, limit);
	print_per(out, limit);
	if (limit->ban)
		fprintf(out, " ban @%s", limit->ban->set_name);
	if (limit->ban_time)
		fprintf(out, " %s", duration_text(limit->ban_time, time));
}

void limit_copy(struct filter_limit *to, const struct filter_limit *from)
{
	*to = *from;
	if (!from->ban)
		return;
	to->ban = xcalloc(1, sizeof(*to->ban));
	target_copy(to->ban, from->ban);
}

void limit_free(struct filter_limit *limit)
{
	if (limit->ban)
		free(limit->ban->set_name);
	free(limit->ban);
	*limit = (struct filter_limit){ 0 };
}

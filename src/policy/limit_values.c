// SPDX-License-Identifier: BSD-2-Clause
/* What is written of a limit: rates, bursts, keys. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "policy/filter_values.h"
#include "policy/limit_units.h"

#define DIGITS "0123456789"

/* A limit's time is counted in whole nanoseconds, of which a packet takes at least 100, a smallest frame of a limit in
 * bytes 5. */
#define PACKETS_A_SECOND_MAX 10000000ULL
#define BYTES_A_SECOND_MAX 12500000000ULL

#define BURST_PACKETS_MAX 1000000

/* Nobody waits longer for a limit to be as before its burst, and a cell of include/sluice/limit.h can tell it from the
 * past. */
#define BURST_SECONDS_MAX (20 * 86400ULL)

/* A rate is kept to a thousandth. */
#define EXACTNESS 1000

const char *const limit_per_words[LIMIT_PER_WORDS] = {
	[FILTER_PER_RULE] = "rule",
	[FILTER_PER_SOURCE] = "source",
	[FILTER_PER_DESTINATION] = "destination",
	[FILTER_PER_SOURCE_DPORT] = "source+dport",
};

static const struct {
	const char *name;
	uint32_t bytes;
} sizes[] = { { "kbyte", 1000 }, { "mbyte", 1000000 } };

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static int not_a_rate(const char *text, struct location where, struct error *error)
{
	int err = error_at(error, where, "`%.80s` is not a rate", text);

	error_hint(error, "write packets in a time: 10/s, 10/m, 10/h or 10/d; or bits or bytes in a second: 10mbit/s, "
			  "1mbyte/s");
	return err;
}

/* "10mb/s": no unit is called so. */
static int unknown_unit(const char *text, const char *unit, struct location where, struct error *error)
{
	const char *names[LIMIT_UNITS], *meant;
	int err = error_at(error, where, "`%.80s`: there is no unit `%.80s`", text, unit);

	for (int i = 0; i < LIMIT_UNITS; i++)
		names[i] = limit_units[i].bytes ? limit_units[i].name : NULL;
	meant = nearest(unit, names, LIMIT_UNITS);
	if (!strcasecmp(unit, "bit") || !strcasecmp(unit, "byte"))
		error_hint(error, "the smallest unit is k%s: 1k%s/s", unit, unit);
	else if (!strcasecmp(unit, "mb") || !strcasecmp(unit, "kb"))
		error_hint(error, "write %cbit for bits, %cbyte for bytes", unit[0] | 0x20, unit[0] | 0x20);
	else if (meant)
		error_hint(error, "did you mean `%s`?", meant);
	else
		error_hint(error, "a rate is in packets, as 10/s, or in kbit, mbit, gbit, kbyte or mbyte: 10mbit/s");
	return err;
}

/* "10/week": packets are in another time. */
static int unknown_time(const char *text, const char *time, struct location where, struct error *error)
{
	int err = error_at(error, where, "`%.80s`: there is no rate in each `%.80s`", text, time);

	error_hint(error, "write packets in each second, minute, hour or day: 10/s, 10/m, 10/h or 10/d");
	return err;
}

static int find_unit(const char *name, bool in_bytes)
{
	for (int i = 0; i < LIMIT_UNITS; i++) {
		if (!limit_units[i].bytes != in_bytes && !strcmp(limit_units[i].name, name))
			return i;
	}
	return -1;
}

/* The unit of a rate whose number ends at `rest`. */
static int parse_unit(const char *text, const char *rest, struct location where, enum limit_unit *unit,
		      struct error *error)
{
	const char *slash = strchr(rest, '/');
	CLEANUP_FREE char *size = slash ? xasprintf("%.*s", (int)(slash - rest), rest) : NULL;
	int found, err;

	if (!slash || !slash[1])
		return not_a_rate(text, where, error);
	if (!*size) {
		found = find_unit(slash + 1, false);
		if (found < 0)
			return unknown_time(text, slash + 1, where, error);
		*unit = (enum limit_unit)found;
		return 0;
	}
	found = find_unit(size, true);
	if (found < 0)
		return unknown_unit(text, size, where, error);
	if (!strcmp(slash + 1, "s")) {
		*unit = (enum limit_unit)found;
		return 0;
	}
	err = error_at(error, where, "`%.80s`: bits and bytes are in each second", text);
	error_hint(error, "as in: %.*s/s", (int)(slash - text), text);
	return err;
}

static int too_fast(const char *text, const struct filter_limit *limit, struct location where, struct error *error)
{
	int err = error_at(error, where, "%.80s is faster than a limit can count", text);

	if (limit_is_in_bytes(limit))
		error_hint(error, "at most 100gbit/s");
	else
		error_hint(error, "at most %llu packets a second", PACKETS_A_SECOND_MAX);
	return err;
}

/* A packet takes whole nanoseconds: near ten million a second few rates are. */
static int check_exact(const char *text, const struct filter_limit *limit, struct location where, struct error *error)
{
	uint64_t time = limit_time(limit->unit), amount = limit_amount(limit);
	const char *unit = limit_is_in_bytes(limit) ? "s" : limit_units[limit->unit].name;
	uint64_t kept = limit_interval(limit) * amount;
	uint64_t off = kept > time ? kept - time : time - kept;
	int err;

	if (off * EXACTNESS <= time)
		return 0;
	err = error_at(error, where, "%.80s cannot be kept to a thousandth", text);
	error_hint(error, "the nearest that can: %" PRIu64 "/%s and %" PRIu64 "/%s", time / (time / amount + 1), unit,
		   time / (time / amount), unit);
	return err;
}

static int check_rate(const char *text, const struct filter_limit *limit, struct location where, struct error *error)
{
	int err;

	if (!limit->rate) {
		err = error_at(error, where, "%.80s lets nothing through", text);
		error_hint(error, "for that write a rule of the filter: drop …");
		return err;
	}
	if (limit_is_in_bytes(limit) ? limit_amount(limit) > BYTES_A_SECOND_MAX
				     : limit->rate > PACKETS_A_SECOND_MAX * limit_units[limit->unit].seconds)
		return too_fast(text, limit, where, error);
	return check_exact(text, limit, where, error);
}

int limit_rate_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error)
{
	size_t digits = strspn(text, DIGITS);
	CLEANUP_FREE char *number = xasprintf("%.*s", (int)digits, text);
	struct filter_limit parsed = { 0 };
	int err;

	if (!digits)
		return not_a_rate(text, where, error);
	if (text[digits] == '.') {
		err = error_at(error, where, "`%.80s` is not a whole number of its unit", text);
		error_hint(error, "write a smaller unit: 90/m for 1.5/s, 1500kbit/s for 1.5mbit/s");
		return err;
	}
	err = parse_unit(text, text + digits, where, &parsed.unit, error);
	if (err)
		return err;
	if (!filter_number_parse(number, 0, UINT32_MAX, &parsed.rate)) {
		err = error_at(error, where, "%.80s is more than a limit can be written with", text);
		error_hint(error, "at most %u of a unit: write a larger one, or a shorter time", UINT32_MAX);
		return err;
	}
	err = check_rate(text, &parsed, where, error);
	if (err)
		return err;
	limit->rate = parsed.rate;
	limit->unit = parsed.unit;
	return 0;
}

static int not_a_burst(const char *text, const struct filter_limit *limit, struct location where, struct error *error)
{
	int err = error_at(error, where, "`%.80s` is not a burst", text);

	if (limit_is_in_bytes(limit))
		error_hint(error, "for a rate in bits or bytes it is a size: 1514, 64kbyte or 1mbyte");
	else
		error_hint(error, "it is a number of packets from 1 to %d", BURST_PACKETS_MAX);
	return err;
}

static int unknown_size(const char *text, const char *unit, struct location where, struct error *error)
{
	int err = error_at(error, where, "`%.80s`: there is no size in `%.80s`", text, unit);

	error_hint(error, "write bytes, kbyte or mbyte: 1514, 64kbyte or 1mbyte");
	return err;
}

static uint32_t find_size(const char *name)
{
	if (!*name)
		return 1;
	for (size_t i = 0; i < SIZES; i++) {
		if (!strcmp(sizes[i].name, name))
			return sizes[i].bytes;
	}
	return 0;
}

/* Until a key that used up the burst has all of it again. */
static int check_burst_time(const char *text, const struct filter_limit *limit, struct location where,
			    struct error *error)
{
	uint64_t seconds = limit_is_in_bytes(limit) ? 1 : limit_units[limit->unit].seconds;
	uint64_t most = BURST_SECONDS_MAX * limit_amount(limit) / seconds;
	int err;

	if (limit_burst(limit) <= most)
		return 0;
	err = error_at(error, where, "a burst of %.80s takes longer than 20 days to come back at this rate", text);
	error_hint(error, "at most %" PRIu64 "%s", most, limit_is_in_bytes(limit) ? " bytes" : "");
	return err;
}

static int check_burst(const char *text, const struct filter_limit *limit, struct location where, struct error *error)
{
	int err;

	if (!limit_is_in_bytes(limit) && !limit->burst) {
		err = error_at(error, where, "a burst of 0 packets lets nothing through");
		error_hint(error, "it is a number of packets from 1 to %d", BURST_PACKETS_MAX);
		return err;
	}
	if (!limit_is_in_bytes(limit) && limit->burst > BURST_PACKETS_MAX)
		return not_a_burst(text, limit, where, error);
	if (limit_is_in_bytes(limit) && (uint64_t)limit->burst * limit->burst_unit < LIMIT_PACKET_BYTES) {
		err = error_at(error, where, "a burst of %.80s%s is less than a largest packet has", text,
			       limit->burst_unit == 1 ? " bytes" : "");
		error_hint(error, "an Ethernet frame has up to %d bytes: write that, or more", LIMIT_PACKET_BYTES);
		return err;
	}
	return check_burst_time(text, limit, where, error);
}

int limit_burst_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error)
{
	size_t digits = strspn(text, DIGITS);
	CLEANUP_FREE char *number = xasprintf("%.*s", (int)digits, text);
	uint32_t unit = find_size(text + digits);
	struct filter_limit parsed = *limit;
	int err;

	if (!digits)
		return not_a_burst(text, limit, where, error);
	if (!unit)
		return unknown_size(text, text + digits, where, error);
	if (text[digits] && !limit_is_in_bytes(limit)) {
		err = error_at(error, where, "a burst in bytes for a rate in packets");
		error_hint(error, "write how many packets: burst 20");
		return err;
	}
	if (!filter_number_parse(number, 0, UINT32_MAX, &parsed.burst))
		return not_a_burst(text, limit, where, error);
	parsed.burst_unit = limit_is_in_bytes(limit) ? unit : 0;
	err = check_burst(text, &parsed, where, error);
	if (err)
		return err;
	limit->burst = parsed.burst;
	limit->burst_unit = parsed.burst_unit;
	return 0;
}

/* "24" or "24/64"; `text` is cut up. */
static int parse_lengths(char *text, struct location where, struct filter_limit *limit, struct error *error)
{
	uint32_t first, second = 0;
	char *slash = strchr(text, '/');
	const char *wrong = NULL;
	int err;

	if (slash)
		*slash = '\0';
	if (!filter_number_parse(text, 1, slash ? 32 : 128, &first))
		wrong = text;
	else if (slash && !filter_number_parse(slash + 1, 1, 128, &second))
		wrong = slash + 1;
	if (!wrong) {
		limit->length = (uint8_t)first;
		limit->length6 = (uint8_t)second;
		return 0;
	}
	err = error_at(error, where, "`%.80s` is not a prefix length", wrong);
	if (slash)
		error_hint(error, "the first of two is IPv4's, from 1 to 32, the second IPv6's, from 1 to 128");
	else
		error_hint(error, "after the slash stands a number from 1 to 32, or to 128 for IPv6");
	return err;
}

int limit_per_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error)
{
	CLEANUP_FREE char *word = xstrdup(text);
	char *slash = strchr(word, '/');
	int found, err;

	if (slash)
		*slash = '\0';
	found = filter_word_parse(word, where, limit_per_words, LIMIT_PER_WORDS, "what a limit can be kept per", error);
	if (found < 0)
		return found;
	if (slash && found != FILTER_PER_SOURCE && found != FILTER_PER_DESTINATION) {
		err = error_at(error, where, "`%.80s` has no prefix length", limit_per_words[found]);
		error_hint(error, "source and destination may have one: per source/24");
		return err;
	}
	err = slash ? parse_lengths(slash + 1, where, limit, error) : 0;
	if (!err)
		limit->per = (enum filter_per)found;
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A limit, of the limit stage or of a rule of the filter: its rate, what may come at once, whose it is, and who is
 * banned. */
#ifndef SLUICE_POLICY_LIMIT_H
#define SLUICE_POLICY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "sluice/filter.h"

struct filter_rule;
struct target;

/* Of a rate: packets in a time, or bits or bytes of frames in a second. */
enum limit_unit {
	LIMIT_SECOND,
	LIMIT_MINUTE,
	LIMIT_HOUR,
	LIMIT_DAY,
	LIMIT_KBIT, /* from here on in bits and bytes */
	LIMIT_MBIT,
	LIMIT_GBIT,
	LIMIT_KBYTE,
	LIMIT_MBYTE,
	LIMIT_UNITS,
};

/* Bytes of the largest frame that an Ethernet with an MTU of 1500 has. */
#define LIMIT_PACKET_BYTES 1514

struct filter_limit {
	struct location where; /* line 0: there is none */
	uint32_t rate;	       /* so many of the unit */
	enum limit_unit unit;
	uint32_t burst;	     /* packets, or sizes of `burst_unit`; 0: not written */
	uint32_t burst_unit; /* bytes: 1, 1000 or 1000000; 0 of packets */
	enum filter_per per;
	uint8_t length;	 /* leading bits of the address; 0: not written */
	uint8_t length6; /* those of IPv6, where two lengths are written: the first is IPv4's then */
	struct location burst_where, per_where;
	struct target *ban; /* the set that a source over the limit goes into; NULL: none */
	uint32_t ban_time;  /* seconds; 0: the set's own */
	struct location ban_where;
	struct location else_where; /* `else drop`: says what holds without it */
};

bool limit_is_in_bytes(const struct filter_limit *limit);

/* What a packet, or a byte, takes of the limit's time, as in struct filter_more: whole nanoseconds, or 2^-16 of them.
 * The nearest there is. */
uint64_t limit_interval(const struct filter_limit *limit);

/* What may come at once, in packets or bytes; without `burst` what a tenth of a second brings, and a few packets. */
uint64_t limit_burst(const struct filter_limit *limit);

/* Packets or bytes in a second, as far as that is whole; a rate below that is 0. */
uint64_t limit_per_second(const struct filter_limit *limit);

/* Leading bits of an address for which the limit is kept. */
uint8_t limit_length(const struct filter_rule *rule, int version);

/* "100/s burst 200 per source/24 ban @banned 10m". */
void limit_print(FILE *out, const struct filter_limit *limit);

/* All return 0, or -EINVAL with `error` set to what is wrong at `where` and the limit untouched. A rate is "100/s" or
 * "10mbit/s", a burst "200" or "64kbyte", of a limit that has its rate; what it is kept per is "source/24". */
int limit_rate_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error);
int limit_burst_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error);
int limit_per_parse(const char *text, struct location where, struct filter_limit *limit, struct error *error);

/* Fills `*to` with a copy, which has memory of its own. */
void limit_copy(struct filter_limit *to, const struct filter_limit *from);
void limit_free(struct filter_limit *limit);

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Counters: per CPU, in two maps that outlive a generation.
 *
 *   counters[reason * VERDICT_COUNT + verdict]   every packet, exactly once
 *   rules[slot]                                  every packet that a rule decided; user space deals out the slots
 */
#ifndef SLUICE_COUNTER_H
#define SLUICE_COUNTER_H

#include <linux/types.h>

#include "sluice/reason.h"
#include "sluice/verdict.h"

struct counter {
	__u64 packets;
	__u64 bytes; /* from the Ethernet header on, as the driver hands the frame over: no FCS */
};

#define COUNTERS (REASON_LIMIT * VERDICT_COUNT)

/* Rules of one interface that can be counted at once. Slots are dealt out anew for each generation and three
 * generations are alive during a change (running, previous, new), hence four times the limit of one. */
#define RULES_MAX 1024
#define RULE_SLOTS (4 * RULES_MAX)

static inline __u32 counter_index(__u32 reason, __u32 verdict)
{
	return reason * VERDICT_COUNT + verdict;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Counters: those of each CPU are its own, in two maps that outlive a generation.
 *
 *   counters[reason * VERDICT_COUNT + verdict]   every packet, exactly once
 *   rules[cpu * slots + slot]                    every packet that a rule decided; user space deals out the slots
 */
#ifndef SLUICE_COUNTER_H
#define SLUICE_COUNTER_H

#include <linux/types.h>

#include "sluice/filter.h"
#include "sluice/reason.h"
#include "sluice/verdict.h"

struct counter {
	__u64 packets;
	__u64 bytes; /* from the Ethernet header on, as the driver hands the frame over: no FCS */
};

#define COUNTERS (REASONS_MAX * VERDICT_COUNT)

/* Rules of the block stage of one interface. */
#define RULES_MAX 1024

/* Slots for all rules of one interface. A new rule never gets a slot of a generation that is still pinned: during a
 * change that is the new one, the previous, and what runs, which after a change that was cut off may be two. A map has
 * as many for each CPU as were needed when it was made, at least RULE_SLOTS_MIN. */
#define RULE_SLOTS (4 * (RULES_MAX + FILTER_RULES_MAX))
#define RULE_SLOTS_MIN 4096

static inline __u32 counter_index(__u32 reason, __u32 verdict)
{
	return reason * VERDICT_COUNT + verdict;
}

#endif

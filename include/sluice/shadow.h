/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Shadow: a candidate beside the policy that runs. It judges every packet first, and nothing comes of it but a note;
 * then the active program judges as ever, and where the two differ it counts by which rules.
 */
#ifndef SLUICE_SHADOW_H
#define SLUICE_SHADOW_H

#include <linux/types.h>

/* What a program is in this. */
enum shadow_role {
	SHADOW_NONE,
	SHADOW_ACTIVE,	  /* asks the candidate, judges, compares */
	SHADOW_CANDIDATE, /* only notes what it would do */
	SHADOW_ROLES,
};

/* The programs of an interface, by their roles, in the map that each finds the other in. */
#define SHADOW_PROGRAMS SHADOW_ROLES

/* What the candidate would do with the packet that this CPU has at hand. */
struct shadow_note {
	__u32 rule; /* slot, PREFIX_NONE when no rule decided */
	__u8 verdict;
	__u8 reason;
	__u8 noted; /* 1: from the candidate's end to the active program's */
	__u8 reserved;
};

_Static_assert(sizeof(struct shadow_note) == 8, "shared layout");

/* Two verdicts that differ, and who gave them. */
struct shadow_pair {
	__u32 active_rule, candidate_rule; /* slots, PREFIX_NONE when no rule decided */
	__u8 active_verdict, candidate_verdict;
	__u8 active_reason, candidate_reason;
};

_Static_assert(sizeof(struct shadow_pair) == 12, "no hidden padding: the kernel hashes and compares the bytes");

#define SHADOW_PAIRS_MAX 16384

/* Counted per CPU. */
enum shadow_total {
	SHADOW_COMPARED,
	SHADOW_DIFFERENT,
	SHADOW_UNTOLD, /* different, and no room left for their pair */
	SHADOW_TOTALS,
};

#endif

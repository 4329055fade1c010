/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The part of a policy that is constant while its program is loaded. It lives in .rodata, so the verifier knows it and
 * deletes every stage that the policy does not use. User space fills it between open and load.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <linux/types.h>

#include "sluice/classifier.h"
#include "sluice/prefix.h"
#include "sluice/set.h"

struct config {
	__u32 default_verdict; /* enum verdict: PASS or DROP */
	__u8 malformed_pass;   /* 1: go on with what could be parsed; 0: drop */
	__u8 fragments_drop;
	__u8 record;	  /* 1: write struct record for each packet; replay and explain only */
	__u8 except_sets; /* how many dynamic sets each kind of target has */
	__u8 from_sets;
	__u8 to_sets;
	__u8 filter;		 /* 1: there is a filter stage */
	__u8 filter_needs;	 /* enum filter_needs */
	__u8 filter_source_sets; /* dynamic ones that rules of the filter name */
	__u8 filter_destination_sets;
	__u8 fragments_track;
	__u8 shadow;		       /* enum shadow_role */
	__u8 limit;		       /* 1: there is a limit stage */
	__u8 ban_sets;		       /* dynamic ones that limits put sources into */
	__u8 events;		       /* 1: something may become an event */
	__u8 synproxy;		       /* enum synproxy_needs; 0: there is no synproxy stage */
	__u32 log_drops;	       /* one of so many packets that are dropped becomes an event; 0: none does */
	__u32 from_rules[DYNAMIC_MAX]; /* the rule of each: its slot */
	__u32 to_rules[DYNAMIC_MAX];
	struct prefix_layout block_source4, block_source6, block_dest4, block_dest6;
	struct prefix_layout filter_source4, filter_source6, filter_dest4, filter_dest6;
	struct prefix_layout synproxy_dest4, synproxy_dest6;
	__u64 rule_slots;				   /* of each CPU, in the map of counters of rules */
	__u64 synproxy_any;				   /* services of all addresses, a bit each */
	__u64 synproxy_receive;				   /* net.core.rmem_max when the program was loaded */
	struct classifier_layout classifier4, classifier6; /* read before load: they become immediates */
	struct classifier_layout limit4, limit6;
};

_Static_assert(sizeof(struct config) == 24 + 2 * 4 * DYNAMIC_MAX + 10 * sizeof(struct prefix_layout) + 24 +
						4 * sizeof(struct classifier_layout),
	       "no hidden padding: it is compared and hashed as bytes");

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * synproxy: who opens a connection to a service shows first that its address is its own. A service is known to the data
 * path by its number in the policy; its bit, in all masks here, is 1 << number.
 */
#ifndef SLUICE_SYNPROXY_H
#define SLUICE_SYNPROXY_H

#include <linux/types.h>

#include "sluice/set.h"

/* Of one interface: as many as a mask has bits. */
#define SYNPROXY_SERVICES_MAX 64

/* States of an interface: those of its services, and of services that it had. Who needs one takes that which no load
 * has needed for longest, so the generations that are pinned (RULE_SLOTS in counter.h) keep theirs. */
#define SYNPROXY_STATES (4 * SYNPROXY_SERVICES_MAX)

/* A service that is armed stands down when for so long fewer SYNs have come than half the rate that arms it. */
#define SYNPROXY_HOLD 10000000000ULL

/* A SYN beyond the rate by a tenth of a second arms; and so do so many at once, however low the rate. */
#define SYNPROXY_BURSTS_A_SECOND 10
#define SYNPROXY_BURST_LEAST 10

/* A gateway's services have one table of sources that have proved themselves, for so long, and for so many SYNs a
 * second (bpf/question.h). IPv6 by its /64: who has one address of it has all. */
#define SYNPROXY_SOURCES 131072
#define SYNPROXY_ADMITTED 300000000000ULL
#define SYNPROXY_SOURCE_RATE 20
#define SYNPROXY_SOURCE_BURST 50
#define SYNPROXY_LENGTH4 32
#define SYNPROXY_LENGTH6 64

/* What services of an interface ask for: config.synproxy. */
enum synproxy_needs {
	SYNPROXY_HOST = 1 << 0,
	SYNPROXY_GATEWAY = 1 << 1,
};

struct synproxy_service {
	__u64 interval; /* nanoseconds a SYN takes at the rate that arms; 0: always armed */
	__u32 slot;	/* of the rule's counter */
	__u16 state;	/* its number among the states of the interface */
	__u8 gateway;	/* 1: it is behind this box */
	__u8 reserved;
};

_Static_assert(sizeof(struct synproxy_service) == 16, "shared layout");

/* What the data path reads of a policy. */
struct synproxy_services {
	__u64 ports[65536]; /* by destination port: the services that have it */
	struct synproxy_service items[SYNPROXY_SERVICES_MAX];
};

/* Of a service, over all CPUs; it outlives a generation. Times are nanoseconds of CLOCK_MONOTONIC. */
struct synproxy_state {
	__u64 key;   /* user space: a hash of what the service is; 0: nobody's */
	__u64 used;  /* user space: number of the load that needed it last */
	__u64 armed; /* since when; 0: it is not */
	__u64 busy;  /* when SYNs last came faster than half the rate */
	__u64 due;   /* of the rate, as in limit.h */
	__u64 began; /* when SYNs began to come faster than the rate */
	__u64 half;  /* of half the rate */
	__u64 quiet; /* SYNs since it was busy */
};

_Static_assert(sizeof(struct synproxy_state) == 64, "shared layout, and a line of the cache");

/* What is kept of a source that has proved itself. */
struct synproxy_proof {
	__u64 expires; /* nanoseconds of CLOCK_MONOTONIC */
	__u64 due;     /* of its SYNs, as in limit.h */
};

/* What a service counts beside its rule. */
enum synproxy_count {
	SYNPROXY_SYNS,	   /* all that came, while it was armed or not */
	SYNPROXY_ANSWERED, /* with a cookie, or by a gateway with a question */
	SYNPROXY_VALID,	   /* cookies that came back, or answers to that question */
	SYNPROXY_INVALID,  /* ACKs without a cookie of ours */
	SYNPROXY_COUNTS,
};

/* Per CPU, by number of the state. */
struct synproxy_counts {
	__u64 packets[SYNPROXY_COUNTS];
	__u64 second; /* that `now` is about: nanoseconds / 10^9 */
	__u64 now;    /* SYNs in it, and in the one before */
	__u64 before;
};

_Static_assert(sizeof(struct synproxy_counts) == 56, "shared layout");

/* The prefix tables of services answer with the number of a mask. */
#define SYNPROXY_MASKS_MAX 65536

#endif

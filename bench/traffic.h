/* SPDX-License-Identifier: BSD-2-Clause */
/* What the generator sends: minimal UDP packets or TCP SYNs, from random sources or from those of a list; or the frames
 * of a capture. */
#ifndef SLUICE_TRAFFIC_H
#define SLUICE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "netns.h"

struct traffic {
	struct veth from; /* in this thread's network namespace */
	uint8_t to_mac[6];
	uint8_t version; /* of IP: 4 or 6 */
	uint8_t to[16];	 /* IPv4 in the first four */
	bool tcp;
	int port;
	const char *sources; /* file of prefixes, see prefixes_read; NULL: random */
	const char *capture; /* instead of all above but `from`: frames to send in turn, again and again; NULL: none */
	double seconds;	     /* at most; whatever comes first ends it, and so does a signal */
	uint64_t packets;    /* at most */
	double rate;	     /* packets a second; 0: as fast as it goes */

	/* What came of it. */
	uint64_t sent; /* packets handed to the veth */
	uint32_t lost; /* of those: its other end's ring had no room */
	double took; /* seconds from the first packet to one of the last: without what a call takes to begin and end */
};

/* Returns 0, or a negative errno with `error` set. */
int traffic_send(struct traffic *traffic, struct error *error);

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * The traffic generator (bpf/generator.bpf.c): what user space sets before loading it. The kernel hands the program
 * frames that it has sent before; it writes the next one of the map `frames`, and where that is a template, the source
 * and what follows from it.
 */
#ifndef SLUICE_GENERATOR_H
#define SLUICE_GENERATOR_H

#include <linux/types.h>

#define GENERATOR_FRAME_MAX 252 /* bytes of a frame of a capture */
#define GENERATOR_FRAMES 65536	/* at most; 16 MiB */

struct generator_frame {
	__u32 length;
	__u8 bytes[GENERATOR_FRAME_MAX];
};

_Static_assert(sizeof(struct generator_frame) == 256, "shared layout");

#define GENERATOR_SOURCES (1 << 20) /* at most; 16 MiB */

struct generator_source {
	__u8 address[16]; /* network byte order, IPv4 in the first four */
};

struct generator_config {
	__u32 source_count; /* in the map `sources`, used in turn; 0: each packet has a random one */
	__u32 frame_count;  /* in the map `frames`, sent in turn; a template is the only one */
	__u32 version;	    /* of IP, of a template: 4 or 6; 0: frames are sent as they are */
	__u32 tcp;	    /* 1: TCP, 0: UDP */
	/* Sums (RFC 1071) of what the checksums cover in the template, whose source address and port are zero. */
	__u32 ip_sum;
	__u32 transport_sum;
};

_Static_assert(sizeof(struct generator_config) == 24, "shared layout");
_Static_assert(sizeof(struct generator_source) == 16, "shared layout");

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading captures, pcap and pcapng, with libpcap. Only Ethernet: that is what XDP sees. */
#ifndef SLUICE_PACKET_CAPTURE_H
#define SLUICE_PACKET_CAPTURE_H

#include <stdint.h>

#include "base/error.h"

struct capture;

struct captured {
	const uint8_t *bytes; /* from the Ethernet header on; stays until the next call */
	uint32_t size;	      /* of bytes: what the file has of the frame */
	uint64_t time;	      /* nanoseconds since 1970, never 0 */
	uint32_t length;      /* of the frame on the wire; more than size when the capture was cut, never less */
};

/* Opens the file at `path`, "-" is standard input. Returns 0 and a capture for capture_close, or a negative errno,
 * `*capture` untouched and `error` set. */
int capture_open(const char *path, struct capture **capture, struct error *error);

/* Returns 1 and the next packet, 0 at the end, or -EINVAL with `error` set where the file is cut off or corrupt; the
 * packets before that were good. */
int capture_next(struct capture *capture, struct captured *packet, struct error *error);

/* For a progress bar, in bytes; a size of 0 is unknown. */
uint64_t capture_position(const struct capture *capture);
uint64_t capture_size(const struct capture *capture);

void capture_close(struct capture *capture);

#endif

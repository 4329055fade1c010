/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that differ in addresses and ports only, made by the million: one is built, then copied and completed. */
#ifndef SLUICE_BENCH_TEMPLATE_H
#define SLUICE_BENCH_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "packet/frame.h"

#define TEMPLATE_MAX 128

struct template
{
	uint8_t frame[TEMPLATE_MAX]; /* addresses and ports are zero, the checksums right for that */
	size_t length;
	uint8_t version; /* of IP */
	bool tcp;
};

/* A UDP packet or a TCP SYN in a frame of `length` bytes, or more where its headers need more. Returns 0, or -EINVAL
 * with `error` set. */
int template_make(uint8_t version, bool tcp, size_t length, struct template *template, struct error *error);

/* Writes the frame between two endpoints of the template's family, template->length bytes, checksums and all. */
void template_complete(const struct template *template, const struct endpoint *source,
		       const struct endpoint *destination, uint8_t *frame);

/* What the checksums of such a frame are the inverse of: sums in network byte order (RFC 1071) of what they cover; the
 * IP header's (0 for IPv6, which has none) and the transport header's with pseudo header. */
void template_sums(const struct template *template, const uint8_t *frame, uint16_t *ip, uint16_t *transport);

#endif

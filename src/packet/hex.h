/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame as hex digits. */
#ifndef SLUICE_PACKET_HEX_H
#define SLUICE_PACKET_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HEX_BYTES_MAX 65536

/* Reads whole bytes, with blanks, colons and newlines between them as they come, 0x before a byte. Returns 0 and 1 to
 * HEX_BYTES_MAX bytes that the caller frees, or -EINVAL, outputs untouched and `error` set. */
int hex_read(const char *text, uint8_t **bytes, size_t *length, struct error *error);

#endif

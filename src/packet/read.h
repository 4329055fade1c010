/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program recorded of a packet, in words. */
#ifndef SLUICE_PACKET_READ_H
#define SLUICE_PACKET_READ_H

#include <jansson.h>
#include <stdint.h>

#include "sluice/record.h"

/*
 * A new object that the caller owns, with verdict, reason, stage, src, dst, proto, sport, dport, icmp_type, icmp_code,
 * tcp_flags (a list of words), ttl, dscp, vlan, fragment, length; those that the packet does not have are absent.
 * `malformed` names the reason why parse stopped early. `length` is the frame's on the wire, in bytes. The caller adds
 * what the packet does not know: its number and the place of the rule.
 */
json_t *record_json(const struct record *record, uint32_t length);

/*
 * The packet in the grammar of packet/write.h, which reads it back to a packet with the same record; but for one
 * without any TCP flag, and for a malformed packet, of which this is what could be read. The caller frees it.
 */
char *record_text(const struct record *record);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The synproxy of an interface: from services to what the data path asks of a packet (sluice/synproxy.h). */
#ifndef SLUICE_COMPILE_SYNPROXY_H
#define SLUICE_COMPILE_SYNPROXY_H

#include "compile/compile.h"

/* Adds the synproxy of out->interface: rules, services, tables of addresses with their masks, and its part of the
 * configuration. The rules of the block are there already. Returns 0, or -EINVAL with `error` set. */
int compile_synproxy(struct compiled *out, struct error *error);

/* False when services before that one, of all addresses, have all its ports. */
bool synproxy_is_reached(const struct compiled *compiled, size_t number);

void compiled_synproxy_free(struct compiled_synproxy *synproxy);

#endif

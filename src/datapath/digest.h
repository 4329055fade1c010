/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests (XXH3, 128 bits): tell one policy from another, not friend from foe. */
#ifndef SLUICE_DATAPATH_DIGEST_H
#define SLUICE_DATAPATH_DIGEST_H

#include <stddef.h>

#include "datapath/description.h"

struct digest;

struct digest *digest_start(void);
void digest_add(struct digest *digest, const void *bytes, size_t size);

/* Writes it in hex into DIGEST_TEXT_MAX bytes and frees it. */
void digest_finish(struct digest *digest, char *text);

#endif

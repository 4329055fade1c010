// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/memory.h"

struct digest {
	XXH3_state_t *state;
};

struct digest *digest_start(void)
{
	struct digest *digest = xcalloc(1, sizeof(*digest));

	digest->state = XXH3_createState();
	if (!digest->state)
		abort(); /* as xcalloc would stop */
	XXH3_128bits_reset(digest->state);
	return digest;
}

void digest_add(struct digest *digest, const void *bytes, size_t size)
{
	if (size)
		XXH3_128bits_update(digest->state, bytes, size);
}

void digest_finish(struct digest *digest, char *text)
{
	XXH128_hash_t hash = XXH3_128bits_digest(digest->state);

	snprintf(text, DIGEST_TEXT_MAX, "%016llx%016llx", (unsigned long long)hash.high64,
		 (unsigned long long)hash.low64);
	XXH3_freeState(digest->state);
	free(digest);
}

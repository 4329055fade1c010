/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is released all at once: what an import reads and makes lives as long as the import. */
#ifndef SLUICE_IMPORT_POOL_H
#define SLUICE_IMPORT_POOL_H

#include <stddef.h>

/* All zero is an empty one. */
struct pool {
	void **blocks;
	size_t count, capacity;
};

void *pool_alloc(struct pool *pool, size_t size); /* zeros */
void *pool_copy(struct pool *pool, const void *data, size_t size);
char *pool_text(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pool_reset(struct pool *pool); /* as pool_free, but soon to be used again */
void pool_free(struct pool *pool);

#endif

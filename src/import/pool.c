// SPDX-License-Identifier: BSD-2-Clause
#include "import/pool.h"

#include <stdarg.h>
#include <string.h>

#include "base/memory.h"

static void keep(struct pool *pool, void *block)
{
	pool->blocks = xgrow(pool->blocks, pool->count, &pool->capacity, sizeof(*pool->blocks));
	pool->blocks[pool->count++] = block;
}

void *pool_alloc(struct pool *pool, size_t size)
{
	void *block = xcalloc(1, size);

	keep(pool, block);
	return block;
}

void *pool_copy(struct pool *pool, const void *data, size_t size)
{
	void *copy = pool_alloc(pool, size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *pool_text(struct pool *pool, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	keep(pool, text);
	return text;
}

void pool_reset(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		free(pool->blocks[i]);
	pool->count = 0;
}

void pool_free(struct pool *pool)
{
	pool_reset(pool);
	free(pool->blocks);
	*pool = (struct pool){ 0 };
}

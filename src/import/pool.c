// SPDX-License-Identifier: BSD-2-Clause
#include "import/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void *pool_alloc(struct pool *pool, size_t size)
{
	pool->blocks = xgrow(pool->blocks, pool->count, &pool->capacity, sizeof(*pool->blocks));
	return pool->blocks[pool->count++] = xcalloc(1, size);
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
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	text = pool_alloc(pool, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void pool_free(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		free(pool->blocks[i]);
	free(pool->blocks);
	*pool = (struct pool){ 0 };
}

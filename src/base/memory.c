// SPDX-License-Identifier: BSD-2-Clause
#include "base/memory.h"

#include <string.h>

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "sluice: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *xcalloc(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size));
}

void *xrealloc(void *memory, size_t count, size_t size)
{
	return must(reallocarray(memory, count ? count : 1, size));
}

char *xstrdup(const char *text)
{
	return must(strdup(text));
}

void *xcopy(const void *array, size_t count, size_t size)
{
	return count ? memcpy(xcalloc(count, size), array, count * size) : NULL;
}

char *xvasprintf(const char *format, va_list arguments)
{
	char *text;

	return must(vasprintf(&text, format, arguments) < 0 ? NULL : text);
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	return text;
}

void *xgrow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity + *capacity / 2 + 1 : 8;
	return xrealloc(array, *capacity, size);
}

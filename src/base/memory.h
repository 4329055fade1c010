/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and descriptors. The allocators never return NULL: a tool that cannot get a few kilobytes has nothing better
 * to do than stop, and stopping at any moment is safe: see datapath/generation.h.
 */
#ifndef SLUICE_BASE_MEMORY_H
#define SLUICE_BASE_MEMORY_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t count, size_t size);
char *xstrdup(const char *text);
/* A copy of an array of `count` elements, each of `size` bytes; NULL when there are none. */
void *xcopy(const void *array, size_t count, size_t size);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Room for one more element: returns the array, grown by half when `count` has reached `*capacity`. */
void *xgrow(void *array, size_t count, size_t *capacity, size_t size);

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* Released when the variable goes out of scope; initialise to NULL, descriptors to -1. */
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FD __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FILE __attribute__((cleanup(cleanup_fclose)))

#endif

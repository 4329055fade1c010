// SPDX-License-Identifier: BSD-2-Clause
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/memory.h"

#define SECOND 1000000000LL

/* What the caller's time namespace adds, in nanoseconds: see time_namespaces(7). A kernel without them adds nothing. */
static int64_t offset(void)
{
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	long long seconds, nanoseconds;
	int64_t found = 0;
	FILE *file = fopen("/proc/self/timens_offsets", "re");

	while (file && getline(&line, &size, file) > 0) {
		if (sscanf(line, "monotonic %lld %lld", &seconds, &nanoseconds) == 2)
			found = seconds * SECOND + nanoseconds;
	}
	if (file)
		fclose(file);
	return found;
}

uint64_t clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)(time.tv_sec * SECOND + time.tv_nsec - offset());
}

const char *clock_text(uint64_t monotonic, char *text)
{
	struct timespec now;
	struct tm broken;
	int64_t nanoseconds;
	time_t seconds;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	nanoseconds = now.tv_sec * SECOND + now.tv_nsec + (int64_t)(monotonic - clock_now());
	seconds = nanoseconds / SECOND;
	gmtime_r(&seconds, &broken);
	used = strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &broken);
	snprintf(text + used, CLOCK_TEXT_MAX - used, ".%06dZ", (int)(nanoseconds % SECOND / 1000));
	return text;
}

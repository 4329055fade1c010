/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_PLURAL_H
#define SLUICE_BASE_PLURAL_H

/* "1 packet", "2 packets": what stands behind the word. */
static inline const char *plural(unsigned long long count)
{
	return count == 1 ? "" : "s";
}

#endif

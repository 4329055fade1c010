/* SPDX-License-Identifier: BSD-2-Clause */
/* The monotonic clock of the kernel, whatever time namespace the caller is in. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds, as programs in the kernel read them with bpf_ktime_get_ns. */
uint64_t clock_now(void);

#define CLOCK_TEXT_MAX 40

/* When that was, in UTC, to the microsecond: RFC 3339. Returns `text`, of CLOCK_TEXT_MAX bytes. */
const char *clock_text(uint64_t monotonic, char *text);

#endif

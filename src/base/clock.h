/* SPDX-License-Identifier: BSD-2-Clause */
/* The monotonic clock of the kernel, whatever time namespace the caller is in. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds, as programs in the kernel read them with bpf_ktime_get_ns. */
uint64_t clock_now(void);

#endif

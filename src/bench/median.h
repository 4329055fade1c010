/* SPDX-License-Identifier: BSD-2-Clause */
/* Medians, and how far measurements of one thing are apart. All of these sort the values, of which there is one. */
#ifndef SLUICE_BENCH_MEDIAN_H
#define SLUICE_BENCH_MEDIAN_H

#include <stdbool.h>
#include <stddef.h>

double median(double *values, size_t count);

/* From the first quartile to the third. */
double median_spread(double *values, size_t count);

/* True when that is more of the median than it may be where the median is to be relied on. */
bool median_is_noisy(double *values, size_t count);

#endif

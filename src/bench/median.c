// SPDX-License-Identifier: BSD-2-Clause
#include "bench/median.h"

#include <stdlib.h>

#define SPREAD_MAX 0.15 /* of the median */

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double median_spread(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[3 * count / 4] - values[count / 4];
}

bool median_is_noisy(double *values, size_t count)
{
	return median_spread(values, count) > SPREAD_MAX * median(values, count);
}

// SPDX-License-Identifier: BSD-2-Clause
#include "bench/rates.h"

#define BESIDES (4 + 8 + 12)

double rates_packets(double gigabits, double frame_bytes)
{
	return gigabits * 1e9 / (8 * (frame_bytes + BESIDES));
}

double rates_cores(double cost_ns, double packets)
{
	return cost_ns > 0 ? cost_ns * packets / 1e9 : 0;
}

double rates_millions(double cost_ns)
{
	return cost_ns > 0 ? 1000 / cost_ns : 0;
}

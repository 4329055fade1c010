/* SPDX-License-Identifier: BSD-2-Clause */
/* What nanoseconds per packet mean for a link. */
#ifndef SLUICE_BENCH_RATES_H
#define SLUICE_BENCH_RATES_H

/* Bytes of a frame as programs see it, from the Ethernet header on and without the checksum behind it. */
#define RATES_SMALLEST 60.0

/* The mean of a typical mix, "simple IMIX": of twelve IP packets seven have 40 bytes, four 576 and one 1500 (the first
 * are padded to the shortest frame). */
#define RATES_MIX ((7 * 60.0 + 4 * 590.0 + 1514.0) / 12)

/* Packets per second that a full link of so many Gbit/s carries: each frame has 4 bytes of checksum, 8 of preamble and
 * 12 of gap besides (IEEE 802.3). */
double rates_packets(double gigabits, double frame_bytes);

/* CPUs that are busy with this alone; 0 for a cost that is not above 0. */
double rates_cores(double cost_ns, double packets);

/* Millions of packets per second that one CPU could do if nothing else took time; 0 for a cost that is not above 0. */
double rates_millions(double cost_ns);

#endif

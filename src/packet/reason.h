/* SPDX-License-Identifier: BSD-2-Clause */
/* What the table of include/sluice/reason.h says of a reason. */
#ifndef SLUICE_PACKET_REASON_H
#define SLUICE_PACKET_REASON_H

#include "sluice/reason.h"

/* NULL for a number that is no reason of this version of Sluice: counters outlive the program that wrote them. */
const char *reason_name(unsigned reason);
const char *reason_stage(unsigned reason);
const char *reason_explanation(unsigned reason);

#endif

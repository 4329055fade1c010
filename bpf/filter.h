/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/* filter: ordered rules over many fields; the first that matches has the word. */
#ifndef SLUICE_BPF_FILTER_H
#define SLUICE_BPF_FILTER_H

#include "classify.h"
#include "prefixes.h"
#include "sluice/filter.h"

/* Their values are bits: the sets that an address is in. */
PREFIX_TABLE(filter_source4);
PREFIX_TABLE(filter_source6);
PREFIX_TABLE(filter_dest4);
PREFIX_TABLE(filter_dest6);

#endif

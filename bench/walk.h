/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters that Sluice is compared with, of the same rules: one that walks them in turn (bpf/walk.bpf.c), and one that
 * is code for just these (straight.c). Both know IPv4, and addresses, ports and protocols. */
#ifndef SLUICE_BENCH_WALK_H
#define SLUICE_BENCH_WALK_H

#include "base/error.h"
#include "compile/compile.h"

struct walk_bpf;

/* Returns 0, or -EOPNOTSUPP with `error` set when the rules are about more than the peers know. */
int walk_check(const struct compiled *compiled, struct error *error);

/* Loads the program that walks. Returns 0 and a skeleton for walk_bpf__destroy, or a negative errno with `error` set.
 */
int walk_load(const struct compiled *compiled, struct walk_bpf **out, struct error *error);

#endif

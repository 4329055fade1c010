/* SPDX-License-Identifier: BSD-2-Clause */
/* The peers that are XDP programs of ours (bpf/peers.bpf.c). */
#ifndef SLUICE_TRIE_H
#define SLUICE_TRIE_H

#include "base/error.h"
#include "policy/prefix.h"

struct peers_bpf;

/* Loads both programs and fills the tries with the prefixes. Returns 0 and a skeleton for peers_bpf__destroy, or a
 * negative errno with `error` set. */
int trie_load(const struct prefixes *list, struct peers_bpf **out, struct error *error);

#endif

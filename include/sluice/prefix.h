/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Keys and values of the prefix tables. A key is laid out as the kernel's LPM trie wants it (struct bpf_lpm_trie_key):
 * the number of leading bits that count, then the address in network byte order.
 */
#ifndef SLUICE_PREFIX_H
#define SLUICE_PREFIX_H

#include <linux/types.h>

struct prefix_key4 {
	__u32 length;
	__u8 address[4];
};

struct prefix_key6 {
	__u32 length;
	__u8 address[16];
};

_Static_assert(sizeof(struct prefix_key4) == 8, "bpf_lpm_trie_key with 4 bytes of data");
_Static_assert(sizeof(struct prefix_key6) == 20, "bpf_lpm_trie_key with 16 bytes of data");

/* What a prefix table answers: the slot of the rule that matched, or one of these. */
#define PREFIX_NONE 0xffffffffU	  /* no prefix covers the address */
#define PREFIX_EXCEPT 0xfffffffeU /* an `except` covers it */

#endif

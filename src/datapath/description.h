/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a pinned generation says of itself: the policy it was made of, which slot counts which rule, digests that tell
 * whether another policy would make the same. Kept as JSON in a map of one entry, behind a header with a version.
 */
#ifndef SLUICE_DATAPATH_DESCRIPTION_H
#define SLUICE_DATAPATH_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/policy.h"
#include "sluice/set.h"

/* Version of everything under ROOT: names of pins, layouts of maps, fields of the description. */
#define SCHEMA 3

#define DIGEST_TEXT_MAX 33 /* 128 bits in hex */

struct described_rule {
	char *text;
	char *file;
	int line;
	char *set;	  /* of a block: NULL: its prefixes stand in the rule */
	char *counter;	  /* of a filter: `count NAME`; NULL: none */
	uint64_t service; /* of a synproxy: its key; else 0 */
	uint32_t slot;
};

struct described_interface {
	char *name;
	enum mode mode;
	char digest[DIGEST_TEXT_MAX]; /* of configuration, tables and rules */
	struct described_rule *rules;
	size_t rule_count;
	char *bans[DYNAMIC_MAX]; /* sets that its limits put sources into, by number; NULL ends them */
};

struct described_set {
	char *name;
	char *file; /* as written in the policy; NULL: its prefixes stand there, or it is dynamic */
	size_t prefixes;
	char digest[DIGEST_TEXT_MAX];
	uint32_t size; /* of a dynamic set, whose prefixes are not of the policy; 0: it is not dynamic */
	uint64_t timeout;
};

struct description {
	unsigned generation;
	int64_t applied;	      /* seconds since 1970 */
	char *path;		      /* of the policy, absolute */
	char *policy;		      /* in canonical form */
	char object[DIGEST_TEXT_MAX]; /* of the compiled BPF object */
	struct described_interface *interfaces;
	size_t interface_count;
	struct described_set *sets;
	size_t set_count;
};

/* Pins it at `path`. Returns 0, or a negative errno with `error` set. */
int description_pin(const struct description *description, const char *path, struct error *error);

/* Reads what is pinned at `path`. Returns 0 and a description to free with description_free, or a negative errno with
 * `error` set: -ENOENT when there is none, -EPROTO when it is of another schema or not ours. */
int description_read(const char *path, struct description *description, struct error *error);
void description_free(struct description *description);

/* True when both make, to the byte, the same programs of the same policy file. */
bool description_same(const struct description *a, const struct description *b);

const struct described_interface *described_interface(const struct description *description, const char *name);

/* The rule counted in that slot, or NULL. */
const struct described_rule *described_rule(const struct described_interface *interface, uint32_t slot);

#endif

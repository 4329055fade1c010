/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy: what a person wrote, as a tree. Text goes in (parse, check), text comes out (print); nothing here knows the
 * kernel, so all of it is tested without root.
 */
#ifndef SLUICE_POLICY_POLICY_H
#define SLUICE_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "policy/filter.h"
#include "policy/prefix.h"
#include "policy/synproxy.h"
#include "sluice/verdict.h"

/* Bounds of a dynamic set: 16 million entries take 1.6 GB, and nobody waits for a ban of more than ten years to end. */
#define SET_SIZE_MAX (1U << 24)
#define SET_TIMEOUT_MAX (3650 * 86400ULL)

#define SET_NAME_MAX 63 /* bytes: room for a name in the tables and messages of every verb */

/* A named collection of prefixes: written in the policy, kept in a file, or dynamic: filled while the policy runs. */
struct set {
	char *name;
	struct location where;
	size_t index;	  /* in the policy */
	uint32_t size;	  /* of a dynamic set: how many entries it has room for; 0: the set is not dynamic */
	uint64_t timeout; /* of a dynamic set: seconds an entry stays unless it is added with another time; 0: for ever
			   */
	char *path;	  /* NULL: inline. As written; relative to the policy's folder */
	struct location path_where;
	struct prefixes prefixes; /* as written, or as read from the file: unsorted, duplicates and all */
};

/* What a block rule is about: `@name`, one prefix, or `{ prefix, … }`. */
struct target {
	struct location where;
	char *set_name;		  /* NULL: the prefixes stand here */
	const struct set *set;	  /* settled by policy_check (policy/check.h) */
	struct prefixes prefixes; /* as written; one, or several in braces */
};

struct macro;

enum block_kind {
	BLOCK_EXCEPT,
	BLOCK_FROM,
	BLOCK_TO,
};

/* One statement of a block: `from @bogons, 192.0.2.0/24`. */
struct block_rule {
	struct location where;
	enum block_kind kind;
	struct target *targets;
	size_t target_count, target_capacity;
};

struct block {
	struct location where; /* line 0: the interface has no block stage */
	struct block_rule *rules;
	size_t rule_count, rule_capacity;
};

/* What becomes of fragments. */
enum fragments {
	FRAGMENTS_PASS, /* each is judged alone; later ones have no ports */
	FRAGMENTS_DROP,
	FRAGMENTS_TRACK, /* later ones get the verdict of their first */
};

enum mode {
	MODE_NATIVE,
	MODE_GENERIC,
	MODE_OFFLOAD,
};

struct interface {
	char *name;
	struct location where;
	/* Each of these has a `where` with line 0 while the policy does not write it. */
	enum mode mode;
	struct location mode_where;
	enum fragments fragments;
	struct location fragments_where;
	enum verdict malformed; /* PASS or DROP */
	struct location malformed_where;
	enum verdict default_verdict; /* PASS or DROP */
	struct location default_where;
	struct block block;
	uint32_t log_drops; /* one of so many packets that are dropped becomes an event; 0: none does */
	struct location log_drops_where;
	struct filter_list limit, filter;
	struct synproxy synproxy;
};

struct policy {
	char *path;
	struct set **sets; /* pointers, so that targets can point at a set while the list grows */
	size_t set_count, set_capacity;
	struct interface *interfaces;
	size_t interface_count, interface_capacity;
	struct macro **macros; /* policy/macro.h; what uses them has copies of their rules */
	size_t macro_count, macro_capacity;
};

/* Reads, parses and checks the file at `path` and the set files it names. Returns 0 and a policy that the caller frees
 * with policy_free, or a negative errno, `*policy` untouched and `error` set. */
int policy_load(const char *path, struct policy **policy, struct error *error);

/* The same for text in memory; `path` stands in for the file's name in locations and for set files' folder. */
int policy_parse(const char *text, const char *path, struct policy **policy, struct error *error);

void policy_free(struct policy *policy);

/* Both fill `*to` with a copy, which has memory of its own. */
void target_copy(struct target *to, const struct target *from);
void block_rule_copy(struct block_rule *to, const struct block_rule *from);
void block_free(struct block *block);

/* Writes the policy in canonical form: every option, one statement a line. Parses back to the same policy. */
void policy_print(FILE *out, const struct policy *policy);

/* One target as it is written in the policy: "from @bogons". */
void policy_print_target(FILE *out, enum block_kind kind, const struct target *target);

/* One target without its kind: "@bogons". */
void policy_print_address(FILE *out, const struct target *target);

const char *mode_name(enum mode mode);
const char *fragments_name(enum fragments fragments);
const char *verdict_name(enum verdict verdict);
const char *block_kind_name(enum block_kind kind);

/* The interface of that name, or NULL. */
const struct interface *policy_interface(const struct policy *policy, const char *name);

/* The prefixes a target stands for: its own or its set's. */
const struct prefixes *target_prefixes(const struct target *target);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom replay and explain ask: the program of a policy file, or a private copy of what runs on an interface. */
#ifndef SLUICE_CLI_SUBJECT_H
#define SLUICE_CLI_SUBJECT_H

#include <jansson.h>

#include "compile/compile.h"
#include "datapath/judge.h"
#include "datapath/running.h"

struct subject {
	struct judge judge;
	/* Of a policy file. */
	struct policy *policy;
	struct compiled compiled;
	/* Of an interface. */
	struct running running;
	const struct described_interface *described;
};

struct subject_rule {
	const char *text, *file;
	int line;
};

/* `interface` picks one of several in the policy; NULL when there is only one. Each returns 0 and a subject to close,
 * or a negative errno with `error` set. */
int subject_open_policy(const char *path, const char *interface, struct subject *subject, struct error *error);
int subject_open_interface(const char *interface, struct subject *subject, struct error *error);
void subject_close(struct subject *subject);

/* The interface of a policy that `name` picks; NULL picks the only one. NULL, with `error` set, when that does not pick
 * exactly one. */
const struct interface *pick_interface(const struct policy *policy, const char *name, struct error *error);

/* The rule behind record.rule. False when no rule decided. */
bool subject_find_rule(const struct subject *subject, uint32_t slot, struct subject_rule *rule);

/* Judges one frame: the JSON object of the contract in sluice(1), which the caller owns; NULL with `error` set. The
 * record is also returned as it is. */
json_t *subject_judge(struct subject *subject, const void *frame, size_t length, size_t wire_length,
		      struct record *record, struct error *error);

#endif

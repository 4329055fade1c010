/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives a program the constants of its classifiers. */
#ifndef SLUICE_DATAPATH_CLASSIFIER_H
#define SLUICE_DATAPATH_CLASSIFIER_H

#include "sluice/config.h"

struct bpf_object;

/* Once, before the first object with a classifier is opened: asks libbpf to hand over programs before it loads them. */
int classifier_start(void);

/* bpf_object__load with the constants of all classifiers written into its programs. `config` says them: what a program
 * runs with can be read back from its .rodata. */
int classifier_load(struct bpf_object *object, const struct config *config);

#endif

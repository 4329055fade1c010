/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives a program its classifiers: constants before load, images after. */
#ifndef SLUICE_DATAPATH_CLASSIFIER_H
#define SLUICE_DATAPATH_CLASSIFIER_H

#include "base/error.h"
#include "compile/classifier.h"
#include "sluice/config.h"

struct bpf_map;
struct bpf_object;

/* Once, before the first object with a classifier is opened: asks libbpf to hand over programs before it loads them. */
int classifier_start(void);

/* Sets the size of a classifier's map, or that it is not created. For an object that is open, before load. */
int classifier_prepare(struct bpf_map *map, const struct classifier *classifier);

/* bpf_object__load with the constants of both families written into its programs. `config` says them: what a program
 * runs with can be read back from its .rodata. */
int classifier_load(struct bpf_object *object, const struct config *config);

/* Writes the image where the program reads it, and reads it back. Returns 0, or a negative errno: -EIO when it is not
 * what was written. */
int classifier_fill(int map, const struct classifier *classifier);

#endif

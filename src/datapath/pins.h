/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are pinned, so that they live on without a process:
 *
 *   ROOT/NETNS/links/IFACE                            the attachment; its program is what runs
 *   ROOT/NETNS/state/IFACE/{counters,rules,…}         what outlives a generation: see state.h
 *   ROOT/NETNS/sets/NAME/{entries,head}               a dynamic set: see set.h
 *   ROOT/NETNS/generations/N/description              see description.h
 *   ROOT/NETNS/generations/N/interfaces/IFACE         the program
 *   ROOT/NETNS/generations/N/shadow/description       of the candidate beside it: see shadow.h
 *   ROOT/NETNS/generations/N/shadow/interfaces/IFACE/{programs,pairs,totals}
 *   ROOT/NETNS/gate/deadline                          see gate.h
 *   ROOT/NETNS/gate/interfaces/IFACE/program          the gate
 *   ROOT/NETNS/gate/interfaces/IFACE/generations      the programs behind it
 *
 * A generation is called "new" until its change is settled, and then becomes N; gates are there no longer than that.
 * The deadline is pinned before the gates that use it, and unpinned after them.
 *
 * ROOT is /sys/fs/bpf/sluice or $SLUICE_BPFFS. NETNS is the cookie of the network namespace, which the kernel never
 * gives twice. bpffs refuses dots, so IFACE has ':' for each '.': no interface has a ':' in its name.
 */
#ifndef SLUICE_DATAPATH_PINS_H
#define SLUICE_DATAPATH_PINS_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct pins {
	char root[PATH_MAX];
	char netns[PATH_MAX]; /* ROOT/NETNS */
	int lock;	      /* descriptor of ROOT, -1 while nothing is pinned and nothing is to be */
};

enum access {
	UNLOCKED, /* without the lock, for what has one of its own; what is found may come and go */
	READ,	  /* many at a time; finds nothing when nothing is pinned */
	WRITE,	  /* one at a time; mounts bpffs and makes the folders */
};

/* Finds ROOT for the network namespace of the caller and takes the lock, waiting for whoever holds it. Returns 0, or a
 * negative errno with `error` set. Release with pins_close. */
int pins_open(enum access access, struct pins *pins, struct error *error);
void pins_close(struct pins *pins);

/* A path below ROOT/NETNS in a buffer of the caller's, PATH_MAX long; returns it. */
const char *pins_path(const struct pins *pins, char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The file name of an interface and the other way round; `name` and `out` have IF_NAMESIZE bytes. Returns `out`. */
const char *pin_of_interface(const char *name, char *out);
const char *interface_of_pin(const char *pin, char *out);

/* Makes a folder and those above it. Returns 0 or a negative errno. */
int pins_make_folder(const char *path);

/* Removes a pin or a folder with all that is in it; what is not there is removed already. Returns 0, or the first
 * failure's negative errno after removing what could be removed. */
int pins_remove(const char *path);

/* Removes ROOT/NETNS, and ROOT when nothing of another namespace is in it. */
int pins_remove_all(struct pins *pins);

enum pin_kind {
	PIN_MAP,
	PIN_PROGRAM,
	PIN_LINK,
};

/* Opens what is pinned at `path`. Returns a descriptor, or a negative errno with `error` set: -EPROTO when it is of
 * another kind. */
int pin_open(const char *path, enum pin_kind kind, struct error *error);

/* Fills in the struct bpf_*_info, of `size` bytes, of what was opened at `path`. Returns 0, or a negative errno with
 * `error` set. */
int pin_info(const char *path, int fd, void *info, uint32_t size, struct error *error);

/* 1 when the descriptor is of that kind, 0 when it is not, a negative errno when the kernel does not tell. */
int descriptor_is(int fd, enum pin_kind kind);

/* Sets `error` after `err`, a positive errno, from opening a pin or a folder: to what somebody else put in its way, and
 * how to be rid of it, or else to the kernel's words. Returns a negative errno. */
int pins_cannot_open(const char *path, bool is_folder, int err, struct error *error);

/* Names in a folder, sorted; NULL-terminated, none when there is no folder. Free with pins_free_names. NULL, with errno
 * set, when the folder cannot be read. */
char **pins_names(const char *path);

/* The same, with `error` set to what is wrong and what to do about it. */
char **pins_list(const char *path, struct error *error);
void pins_free_names(char **names);

#endif

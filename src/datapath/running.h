/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs in this network namespace, read back from the pins. The links have the last word: the program that a link
 * holds is what judges packets, and the generation that pins this program is the one that runs on the interface. Where
 * a gate stands, the program counts that it hands packets to now.
 */
#ifndef SLUICE_DATAPATH_RUNNING_H
#define SLUICE_DATAPATH_RUNNING_H

#include <net/if.h>

#include "datapath/description.h"
#include "datapath/gate.h"
#include "datapath/pins.h"

/* The name of a generation that is being made. */
#define GENERATION_NEW "new"

struct attachment {
	char interface[IF_NAMESIZE];
	unsigned ifindex; /* 0: the interface is gone, the link holds nothing */
	int link;	  /* descriptor */
	uint32_t link_id;
	uint32_t program_id;	 /* that judges; 0: a gate lets all packets pass */
	unsigned generation;	 /* that pins the program; 0: none does */
	const struct gate *gate; /* that stands on the interface; NULL: none */
};

struct generation {
	unsigned number;
	struct description description;
	uint32_t *program_ids; /* of description.interfaces, one each */
	bool pending;	       /* still called "new": a change was cut off before it was over */
};

struct running {
	struct attachment *attachments;
	size_t attachment_count;
	struct generation *generations; /* ascending numbers, a pending one last */
	size_t generation_count;
	const struct generation *current;  /* of the attachments, the newest if a change was cut off; NULL: none */
	const struct generation *previous; /* what `rollback` goes to; NULL: none */
	struct gates gates;
	const struct generation *behind[GATE_GENERATIONS]; /* the gates; NULL: none */
	bool waiting; /* the current one is to be confirmed, and there is still time */
};

/* Returns 0 and a result to free with running_free, or a negative errno with `error` set. Nothing pinned is no error.
 */
int running_read(const struct pins *pins, struct running *running, struct error *error);
void running_free(struct running *running);

/* The same again, in place of what was read before something changed; nothing, to be freed too, after an error. */
int running_read_again(const struct pins *pins, struct running *running, struct error *error);

/* The attachment of that interface, or NULL. */
const struct attachment *running_attachment(const struct running *running, const char *interface);

/* True when the interface is attached or a generation is for it. */
bool running_knows(const struct running *running, const char *interface);

/* The generation of that number, or NULL. */
const struct generation *running_generation(const struct running *running, unsigned number);

#endif

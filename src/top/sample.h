/* SPDX-License-Identifier: BSD-2-Clause */
/* What `top` shows: rates of one interval, in tables of rows. */
#ifndef SLUICE_TOP_SAMPLE_H
#define SLUICE_TOP_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "top/talkers.h"

/* Of each kind of talkers, so many at most: what follows them is mostly what chance has left. */
#define SAMPLE_TALKERS 100

enum sample_table {
	SAMPLE_VERDICTS,
	SAMPLE_REASONS,
	SAMPLE_RULES,
	SAMPLE_TALKERS_FIRST, /* one for each enum top_kind */
	SAMPLE_TABLES = SAMPLE_TALKERS_FIRST + TOP_KINDS,
};

/* All numbers are a second. */
struct sample_row {
	char *name; /* as in `stats`; an address; a protocol and port, "udp/53" */
	char *text; /* of a rule; else NULL */
	double packets, bytes;
	double dropped, dropped_bytes; /* of these; talkers only */
	double more;		       /* packets that a talker may have had besides */
};

struct sample {
	double seconds; /* that the counters were apart */
	struct sample_row *rows[SAMPLE_TABLES];
	size_t counts[SAMPLE_TABLES];
	bool has_talkers;
	double seen;	/* packets, whatever they were */
	double counted; /* of these, by addresses and ports */
	bool estimated; /* counted is less than seen: talkers are estimates */
	double hidden[TOP_KINDS];
};

/* Makes rates of what `stats -j` said twice, so many seconds apart. What was not there before, or is less now, has no
 * rate. To free with sample_free. */
void sample_counters(struct sample *sample, json_t *earlier, json_t *later, double seconds);

/* Adds the talkers of a window, sorted, to a sample. */
void sample_talkers(struct sample *sample, const struct talkers *talkers);

/* The object of `top -j`. */
json_t *sample_json(const struct sample *sample);

/* "sources", as `top -j` calls the table. */
const char *sample_title(enum sample_table table);

void sample_free(struct sample *sample);

#endif

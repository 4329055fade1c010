/* SPDX-License-Identifier: BSD-2-Clause */
/* What is different between two policies in canonical form, line by line. */
#ifndef SLUICE_CLI_DIFFERENCE_H
#define SLUICE_CLI_DIFFERENCE_H

#include <stdbool.h>

/* Prints the lines that went ("-") and came ("+"), each with what it stands in. A definition that is as it was is not
 * printed. */
void difference_print(const char *before, const char *after);

/* The same; a line that is another place only is printed once, there (">"). With `lines` as JSON, an object a line: the
 * change (gone, new, moved), the line, what it stands in. */
void difference_print_moves(const char *before, const char *after, bool lines);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* `sluice set reload`: sets read anew from their files, into the generation that runs. */
#ifndef SLUICE_CLI_RELOAD_H
#define SLUICE_CLI_RELOAD_H

#include <stdbool.h>

#include "base/error.h"

/* `argv` has the names of the sets; without any, all that are kept in files. */
int reload(int argc, char **argv, bool lines, struct error *error);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a compiled BPF object, for when no tool is there to say it. */
#ifndef SLUICE_HELLO_OBJECT_H
#define SLUICE_HELLO_OBJECT_H

#include <stddef.h>

/* One line on the file and one on each section that matters to the loader. `bytes` is an object that libbpf has opened.
 * Free the result. */
char *object_text(const void *bytes, size_t size);

#endif

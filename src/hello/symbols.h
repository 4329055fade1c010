/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and addresses in the running kernel, from /proc/kallsyms. */
#ifndef SLUICE_HELLO_SYMBOLS_H
#define SLUICE_HELLO_SYMBOLS_H

#include <stdint.h>

/* 0 when the kernel does not say (kernel.kptr_restrict) or has no such name. */
uint64_t symbol_address(const char *name);

/* Name of what begins at that address, NULL when the kernel does not say. Free the result. */
char *symbol_name(uint64_t address);

#endif

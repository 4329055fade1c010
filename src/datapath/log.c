// SPDX-License-Identifier: BSD-2-Clause
#include "datapath/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#define VERIFIER_TAIL 1200 /* bytes: the last instructions and the refusal itself */

static const char NETLINK_WORDS[] = "Kernel error message: ";
static const char VERIFIER_BEGIN[] = "-- BEGIN PROG LOAD LOG --\n";
static const char VERIFIER_END[] = "-- END PROG LOAD LOG --";
static const char VERIFIER_SIZE[] = "BPF program is too large.";

static char kernel_words[4096];

static void keep(const char *words, size_t length)
{
	while (length && words[length - 1] == '\n')
		length--;
	snprintf(kernel_words, sizeof(kernel_words), "%.*s", (int)length, words);
}

/* libbpf hands over a whole message at a time, the verifier's log within one. */
static int listen(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *message = NULL;
	const char *words, *end, *size;

	if (level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&message, format, arguments) < 0)
		return 0;
	words = strstr(message, NETLINK_WORDS);
	if (words) {
		words += sizeof(NETLINK_WORDS) - 1;
		keep(words, strlen(words));
	}
	words = strstr(message, VERIFIER_BEGIN);
	if (words) {
		words += sizeof(VERIFIER_BEGIN) - 1;
		end = strstr(words, VERIFIER_END);
		end = end ? end : words + strlen(words);
		if (end - words > VERIFIER_TAIL)
			words = end - VERIFIER_TAIL;
		/* Where it gave up says nothing then. */
		size = strstr(words, VERIFIER_SIZE);
		words = size ? size : words;
		keep(words, end - words);
	}
	free(message);
	return 0;
}

void log_start(void)
{
	kernel_words[0] = '\0';
	libbpf_set_print(listen);
}

void log_hint(struct error *error)
{
	if (kernel_words[0])
		error_hint(error, "the kernel says: %s", kernel_words);
}

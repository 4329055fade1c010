// SPDX-License-Identifier: BSD-2-Clause
#include "packet/hex.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

/* The next byte or prefix 0x; blanks and colons have been skipped. Returns the characters read, or a negative errno. */
static int read_byte(const char *text, const char *at, int *byte, struct error *error)
{
	int high = digit(at[0]);
	int low = high < 0 ? -1 : digit(at[1]);
	int position = at - text + 1;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		*byte = -1;
		return 2;
	}
	if (high < 0 && isprint((unsigned char)at[0]))
		return error_set(error, EINVAL, "hex: `%c` at position %d is no hex digit", at[0], position);
	if (high < 0)
		return error_set(error, EINVAL, "hex: byte %d at position %d is no hex digit", (unsigned char)at[0],
				 position);
	if (low < 0)
		return error_set(error, EINVAL, "hex: `%c` at position %d is half a byte", at[0], position);
	*byte = high << 4 | low;
	return 2;
}

int hex_read(const char *text, uint8_t **bytes, size_t *length, struct error *error)
{
	CLEANUP_FREE uint8_t *out = xcalloc(HEX_BYTES_MAX, 1);
	size_t count = 0;
	const char *at = text;

	for (;;) {
		int byte = -1, used;

		at += strspn(at, " \t\r\n:");
		if (!*at)
			break;
		used = read_byte(text, at, &byte, error);
		if (used < 0)
			return used;
		at += used;
		if (byte < 0)
			continue;
		if (count == HEX_BYTES_MAX)
			return error_set(error, EINVAL, "hex: more than %d bytes", HEX_BYTES_MAX);
		out[count++] = byte;
	}
	if (!count)
		return error_set(error, EINVAL, "hex: no bytes");
	*bytes = xrealloc(out, count, 1);
	out = NULL;
	*length = count;
	return 0;
}

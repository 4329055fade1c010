// SPDX-License-Identifier: BSD-2-Clause
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* of UTF-8, which editors of other systems begin with */

int text_read_from(int fd, size_t limit, char **text, size_t *length)
{
	CLEANUP_FREE char *buffer = NULL;
	size_t used = 0, size = 4096;
	struct stat file;
	ssize_t got;

	if (fstat(fd, &file))
		return -errno;
	/* Room for the NUL and one byte more, so that the read that finds the end does not make the buffer grow. Files
	 * of /proc say that they have no bytes, and settings there have to be read at once. */
	if (S_ISREG(file.st_mode) && file.st_size > 0 && (size_t)file.st_size <= limit)
		size = (size_t)file.st_size + 2;

	buffer = xrealloc(NULL, size, 1);
	while ((got = read(fd, buffer + used, size - used - 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		used += (size_t)got;
		if (used > limit)
			return -EFBIG;
		if (used + 1 == size) {
			size *= 2;
			buffer = xrealloc(buffer, size, 1);
		}
	}
	buffer[used] = '\0';
	if (!strncmp(buffer, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK))) {
		used -= strlen(BYTE_ORDER_MARK);
		memmove(buffer, buffer + strlen(BYTE_ORDER_MARK), used + 1);
	}
	*length = used;
	*text = buffer;
	buffer = NULL;
	return 0;
}

int text_read(const char *path, size_t limit, char **text, size_t *length)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : text_read_from(fd, limit, text, length);
}

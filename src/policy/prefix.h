/* SPDX-License-Identifier: BSD-2-Clause */
/* An address prefix of either family, and lists of them. */
#ifndef SLUICE_POLICY_PREFIX_H
#define SLUICE_POLICY_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PREFIX_TEXT_MAX 64 /* INET6_ADDRSTRLEN, "/128" and some */

struct prefix {
	uint8_t version;     /* 4 or 6 */
	uint8_t length;	     /* leading bits that count: 0 to 32 or 128 */
	uint8_t address[16]; /* network byte order, IPv4 in the first four, bits past length 0 */
};

struct prefixes {
	struct prefix *items;
	size_t count, capacity;
};

/* Reads "192.0.2.0/24", "2001:db8::/32" or an address without length. Returns 0, or -EINVAL with `error` set to what is
 * wrong at `where` and `*prefix` untouched. */
int prefix_parse(const char *text, struct location where, struct prefix *prefix, struct error *error);

/* Writes the prefix into `text`, which has PREFIX_TEXT_MAX bytes; a host prefix without its length. Returns `text`. */
const char *prefix_print(const struct prefix *prefix, char *text);

/* True when every address of `inner` is in `outer`. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);

/* Orders by family, address, length: a prefix comes before all that it covers, and right before them. For qsort. */
int prefix_compare(const void *left, const void *right);

/* Makes it the prefix of `length` bits that covers it; `length` is at most its own. */
void prefix_shorten(struct prefix *prefix, uint8_t length);

void prefixes_add(struct prefixes *list, struct prefix prefix);
/* Appends the prefixes that together are the addresses from `first` to `last`, of one version, `first` not above. */
void prefixes_add_range(struct prefixes *list, const struct prefix *first, const struct prefix *last);
void prefixes_free(struct prefixes *list);

/* Appends the prefixes of a set file: one a line, '#' or ';' begins a comment. Returns 0, or a negative errno with
 * `error` set to the line of the file that is wrong. `where` is the place in the policy that names the file. */
int prefixes_read(struct prefixes *list, const char *path, struct location where, struct error *error);

#endif

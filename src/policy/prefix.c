// SPDX-License-Identifier: BSD-2-Clause
#include "policy/prefix.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/memory.h"
#include "policy/habits.h"

#define MAPPED_LENGTH 96 /* ::ffff:0:0/96, RFC 4291, section 2.5.5.2 */

static int version_bits(int version)
{
	return version == 4 ? 32 : 128;
}

static int version_family(int version)
{
	return version == 4 ? AF_INET : AF_INET6;
}

static void clear_host_bits(struct prefix *prefix)
{
	int whole = prefix->length / 8;

	if (prefix->length % 8)
		prefix->address[whole++] &= (uint8_t)(0xff << (8 - prefix->length % 8));
	memset(prefix->address + whole, 0, sizeof(prefix->address) - (size_t)whole);
}

static size_t count_dots(const char *address)
{
	size_t dots = 0;

	for (const char *at = address; *at; at++)
		dots += *at == '.';
	return dots;
}

/* "10.1" and "10": what inet_aton(3) reads as 10.0.0.1 and 0.0.0.10, and people mean as 10.1.0.0 and 10.0.0.0. */
static bool is_short_ipv4(const char *address)
{
	size_t length = strlen(address);

	if (length == 0 || strspn(address, "0123456789.") != length)
		return false;
	return count_dots(address) < 3 && address[0] != '.' && address[length - 1] != '.' && !strstr(address, "..");
}

static int bad_address(const char *text, const char *address, struct location where, struct error *error)
{
	static const char *const missing[] = { ".0.0.0", ".0.0", ".0" };
	const char *slash = strchr(text, '/');
	size_t dots = count_dots(address);
	int err;

	if (!is_short_ipv4(address)) {
		err = error_at(error, where, "`%.80s` is not an address or prefix", text);
		if (!habit_hint_address(text, error))
			error_hint(error, "write it as 192.0.2.0/24, 2001:db8::/32 or a single address");
		return err;
	}
	err = error_at(error, where, "%s is a short form of an IPv4 address, which programs read in different ways",
		       text);
	if (slash && dots < sizeof(missing) / sizeof(missing[0]))
		error_hint(error, "write all four parts: %s%s%s", address, missing[dots], slash);
	else
		error_hint(error, "write all four parts");
	return err;
}

/* `digits` is what stands after the slash. */
static int parse_length(const char *text, const char *digits, struct location where, struct prefix *prefix,
			struct error *error)
{
	int bits = version_bits(prefix->version);
	int length = 0, err;

	if (!*digits || digits[strspn(digits, "0123456789")]) {
		err = error_at(error, where, "%.80s has no valid prefix length", text);
		error_hint(error, "after the slash stands a number from 0 to %d", bits);
		return err;
	}
	for (const char *at = digits; *at && length <= bits; at++)
		length = length * 10 + (*at - '0');
	if (length > bits) {
		err = error_at(error, where, "%.80s has a prefix length that is too long", text);
		error_hint(error, "an IPv%d address has %d bits", prefix->version, bits);
		return err;
	}
	prefix->length = (uint8_t)length;
	return 0;
}

static int refuse_host_bits(const char *text, const struct prefix *network, const char *address, struct location where,
			    struct error *error)
{
	char wide[PREFIX_TEXT_MAX];
	int err;

	err = error_at(error, where, "%s has host bits set", text);
	error_hint(error, "write %s for the network or %s/%d for the one address", prefix_print(network, wide), address,
		   version_bits(network->version));
	return err;
}

static bool is_mapped(const struct prefix *prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return prefix->version == 6 && prefix->length > MAPPED_LENGTH &&
	       !memcmp(prefix->address, mapped, sizeof(mapped));
}

/* No packet of an IPv4 host carries a mapped address, so whoever writes one gets a rule that never matches. All of
 * them,
 * ::ffff:0:0/96, is another matter: on the wire they are bogus (RFC 6890, table 20) and lists of bogons name them. */
static int refuse_mapped(const char *text, const struct prefix *prefix, struct location where, struct error *error)
{
	struct prefix inner = { .version = 4, .length = (uint8_t)(prefix->length - MAPPED_LENGTH) };
	char plain[PREFIX_TEXT_MAX];
	int err;

	memcpy(inner.address, prefix->address + 12, 4);
	err = error_at(error, where, "%s is IPv4-mapped: IPv4 packets do not carry such addresses", text);
	error_hint(error, "write %s", prefix_print(&inner, plain));
	return err;
}

int prefix_parse(const char *text, struct location where, struct prefix *prefix, struct error *error)
{
	const char *slash = strchrnul(text, '/');
	size_t length = (size_t)(slash - text);
	char address[INET6_ADDRSTRLEN];
	struct prefix result = { 0 }, network;
	int err;

	if (length >= sizeof(address))
		return bad_address(text, "", where, error);
	memcpy(address, text, length);
	address[length] = '\0';

	result.version = strchr(address, ':') ? 6 : 4;
	if (inet_pton(version_family(result.version), address, result.address) != 1)
		return bad_address(text, address, where, error);
	result.length = (uint8_t)version_bits(result.version);
	if (*slash) {
		err = parse_length(text, slash + 1, where, &result, error);
		if (err)
			return err;
	}

	network = result;
	clear_host_bits(&network);
	if (memcmp(&network, &result, sizeof(result)))
		return refuse_host_bits(text, &network, address, where, error);
	if (is_mapped(&result))
		return refuse_mapped(text, &result, where, error);
	*prefix = result;
	return 0;
}

const char *prefix_print(const struct prefix *prefix, char *text)
{
	inet_ntop(version_family(prefix->version), prefix->address, text, PREFIX_TEXT_MAX);
	if (prefix->length < version_bits(prefix->version)) {
		size_t used = strlen(text);
		snprintf(text + used, PREFIX_TEXT_MAX - used, "/%d", prefix->length);
	}
	return text;
}

void prefix_shorten(struct prefix *prefix, uint8_t length)
{
	prefix->length = length;
	clear_host_bits(prefix);
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	struct prefix cut = *inner;

	if (outer->version != inner->version || outer->length > inner->length)
		return false;
	prefix_shorten(&cut, outer->length);
	return !memcmp(cut.address, outer->address, sizeof(cut.address));
}

int prefix_compare(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int order;

	if (a->version != b->version)
		return a->version - b->version;
	order = memcmp(a->address, b->address, sizeof(a->address));
	return order ? order : a->length - b->length;
}

void prefixes_add(struct prefixes *list, struct prefix prefix)
{
	list->items = xgrow(list->items, list->count, &list->capacity, sizeof(*list->items));
	list->items[list->count++] = prefix;
}

void prefixes_free(struct prefixes *list)
{
	free(list->items);
	*list = (struct prefixes){ 0 };
}

// SPDX-License-Identifier: BSD-2-Clause
/* An address, a prefix or a range out of a list. */
#include <ctype.h>
#include <endian.h>
#include <stdarg.h>
#include <string.h>

#include "import/blocklist_file.h"
#include "policy/set_file.h"

#define MESSAGE_MAX 512

/* Addresses that no packet of a stranger should come from, or that are one's own; RFC 6890 and the registries of IANA.
 * Lists of bogons have them on purpose, others by accident. */
static const struct {
	struct prefix prefix;
	const char *name;
} special[BLOCKLIST_SPECIAL] = {
	{ { .version = 4, .length = 8, .address = { 0 } }, "\"this network\"" },
	{ { .version = 4, .length = 8, .address = { 10 } }, "private" },
	{ { .version = 4, .length = 10, .address = { 100, 64 } }, "shared by the customers of a provider" },
	{ { .version = 4, .length = 8, .address = { 127 } }, "loopback" },
	{ { .version = 4, .length = 16, .address = { 169, 254 } }, "link-local" },
	{ { .version = 4, .length = 12, .address = { 172, 16 } }, "private" },
	{ { .version = 4, .length = 24, .address = { 192, 0, 2 } }, "for documentation" },
	{ { .version = 4, .length = 16, .address = { 192, 168 } }, "private" },
	{ { .version = 4, .length = 15, .address = { 198, 18 } }, "for benchmarks" },
	{ { .version = 4, .length = 4, .address = { 224 } }, "multicast" },
	{ { .version = 4, .length = 4, .address = { 240 } }, "reserved" },
	{ { .version = 6, .length = 128, .address = { 0 } }, "the unspecified address" },
	{ { .version = 6, .length = 128, .address = { [15] = 1 } }, "loopback" },
	{ { .version = 6, .length = 7, .address = { 0xfc } }, "private" },
	{ { .version = 6, .length = 10, .address = { 0xfe, 0x80 } }, "link-local" },
	{ { .version = 6, .length = 8, .address = { 0xff } }, "multicast" },
	{ { .version = 6, .length = 32, .address = { 0x20, 0x01, 0x0d, 0xb8 } }, "for documentation" },
};

static void print_line(const struct blocklist_file *file, int line, const char *before, const char *format,
		       va_list arguments)
{
	FILE *out = file->list->messages;
	char message[MESSAGE_MAX];

	vsnprintf(message, sizeof(message), format, arguments);
	fputs(file->where.file, out);
	if (line)
		fprintf(out, ":%d", line);
	fprintf(out, ": %s", before);
	error_print_text(out, message);
	putc('\n', out);
}

void blocklist_refuse(struct blocklist_file *file, const char *format, ...)
{
	va_list arguments;

	file->list->refused++;
	va_start(arguments, format);
	print_line(file, file->where.line, "not carried over: ", format, arguments);
	va_end(arguments);
}

void blocklist_tell(const struct blocklist_file *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(file, line, "", format, arguments);
	va_end(arguments);
}

char *blocklist_trim(char *text)
{
	char *end;

	text += strspn(text, BLANKS);
	end = text + strlen(text);
	while (end > text && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* A range is several prefixes, but one entry: `noted` says of which kinds it was found to be. Returns that. */
static unsigned note_special(struct blocklist_file *file, const struct prefix *prefix, unsigned noted)
{
	for (int i = 0; i < BLOCKLIST_SPECIAL && prefix->length; i++) {
		if (!prefix_covers(&special[i].prefix, prefix) && !prefix_covers(prefix, &special[i].prefix))
			continue;
		if (noted & 1U << i)
			continue;
		noted |= 1U << i;
		if (!file->special[i].count++) {
			file->special[i].line = file->where.line;
			file->special[i].prefix = *prefix;
		}
	}
	return noted;
}

void blocklist_tell_special(const struct blocklist_file *file)
{
	char text[PREFIX_TEXT_MAX], outer[PREFIX_TEXT_MAX], more[64] = "";

	for (int i = 0; i < BLOCKLIST_SPECIAL; i++) {
		size_t count = file->special[i].count;
		const struct prefix *prefix = &file->special[i].prefix;
		bool inside = prefix_covers(&special[i].prefix, prefix);

		if (!count)
			continue;
		more[0] = '\0';
		if (count > 1)
			snprintf(more, sizeof(more), "; %zu entries of this file %s", count, inside ? "are" : "do");
		blocklist_tell(file, file->special[i].line, "%s %s %s, %s%s", prefix_print(prefix, text),
			       inside ? "is of" : "takes in", prefix_print(&special[i].prefix, outer), special[i].name,
			       more);
	}
}

static void add(struct blocklist_file *file, const struct prefix *first, const struct prefix *last)
{
	struct prefixes *prefixes = &file->list->prefixes;
	size_t before = prefixes->count;
	unsigned noted = 0;

	if (first == last)
		prefixes_add(prefixes, *first);
	else
		prefixes_add_range(prefixes, first, last);
	if (!prefixes->items[before].length) {
		blocklist_refuse(file, "this is every address of IPv%d", prefixes->items[before].version);
		prefixes->count = before;
		return;
	}
	file->list->entries++;
	for (size_t i = before; i < prefixes->count; i++)
		noted = note_special(file, &prefixes->items[i], noted);
}

/* 255.255.255.0: the number of leading ones, or -1. */
static int mask_length(const struct prefix *mask)
{
	uint32_t bits;
	int length;

	memcpy(&bits, mask->address, sizeof(bits));
	bits = be32toh(bits);
	length = bits == UINT32_MAX ? 32 : __builtin_clz(~bits);
	return length == 32 || !(bits << length) ? length : -1;
}

/* A number, or for IPv4 a mask; -1 when it is neither. */
static int length_of(const char *digits, int version, struct location where)
{
	int most = version == 4 ? 32 : 128, length = 0;
	struct prefix mask;
	struct error ignored;

	if (version == 4 && strchr(digits, '.'))
		return prefix_parse(digits, where, &mask, &ignored) ? -1 : mask_length(&mask);
	if (!isdigit((unsigned char)*digits))
		return -1;
	for (; isdigit((unsigned char)*digits) && length <= most; digits++)
		length = length * 10 + (*digits - '0');
	return *digits || length > most ? -1 : length;
}

/* What a policy is not to have, but lists do, and mean one thing by: an address within the network, a mask for its
 * length. False when it is something else. */
static bool take_loose(struct blocklist_file *file, char *text)
{
	char *slash = strchr(text, '/'), whole[PREFIX_TEXT_MAX];
	struct error ignored;
	struct prefix prefix, given;
	int length, err;

	if (!slash)
		return false;
	*slash = '\0';
	err = prefix_parse(text, file->where, &given, &ignored);
	*slash = '/';
	if (err)
		return false;
	length = length_of(slash + 1, given.version, file->where);
	if (length < 0)
		return false;
	prefix = given;
	prefix_shorten(&prefix, (uint8_t)length);
	if (memcmp(prefix.address, given.address, sizeof(prefix.address)))
		blocklist_tell(file, file->where.line, "%.80s has host bits set: taken as %s", text,
			       prefix_print(&prefix, whole));
	add(file, &prefix, &prefix);
	return true;
}

static void take_range(struct blocklist_file *file, char *text, char *dash)
{
	struct prefix first, last;
	struct error error;
	int bits;

	*dash = '\0';
	text = blocklist_trim(text);
	dash = blocklist_trim(dash + 1);
	if (prefix_parse(text, file->where, &first, &error) || prefix_parse(dash, file->where, &last, &error)) {
		blocklist_refuse(file, "%s", error.what);
		return;
	}
	bits = first.version == 4 ? 32 : 128;
	if (first.version != last.version)
		blocklist_refuse(file, "%s-%s begins in one family and ends in the other", text, dash);
	else if (first.length != bits || last.length != bits)
		blocklist_refuse(file, "%s-%s: a range is from one address to another", text, dash);
	else if (memcmp(first.address, last.address, sizeof(first.address)) > 0)
		blocklist_refuse(file, "%s-%s ends before it begins", text, dash);
	else
		add(file, &first, &last);
}

void blocklist_take(struct blocklist_file *file, char *text)
{
	char *dash = strchr(text, '-');
	struct prefix prefix;
	struct error error;

	if (dash)
		take_range(file, text, dash);
	else if (!prefix_parse(text, file->where, &prefix, &error))
		add(file, &prefix, &prefix);
	else if (!take_loose(file, text))
		blocklist_refuse(file, "%s", error.what);
}

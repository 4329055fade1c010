// SPDX-License-Identifier: BSD-2-Clause
#include "packet/write.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/ethernet.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "packet/frame.h"
#include "packet/hex.h"
#include "packet/protocol.h"

#define DEFAULT_SOURCE_PORT 40000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The words of one packet; all point into `text`. */
struct reader {
	char *text;
	char **words; /* ends with NULL */
	size_t next;
};

struct number_word {
	const char *name;
	int max;
	size_t offset; /* of an int in struct draft */
};

static const struct number_word number_words[] = {
	{ "code", 255, offsetof(struct draft, icmp_code) },
	{ "dscp", 63, offsetof(struct draft, dscp) },
	{ "length", 65535, offsetof(struct draft, length) },
	{ "ttl", 255, offsetof(struct draft, ttl) },
};

static const char *const option_words[] = {
	"fin",	"syn",	"rst",	  "psh", "ack",	 "urg",	 "ece",	     "cwr",
	"code", "dscp", "length", "ttl", "type", "vlan", "fragment",
};

/* The words joined by blanks. */
static char *join(const char *const *words, size_t count)
{
	size_t size = 1;
	char *text, *end;

	for (size_t i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = xcalloc(size, 1);
	end = text;
	for (size_t i = 0; i < count; i++) {
		end = stpcpy(end, words[i]);
		*end++ = ' ';
	}
	return text;
}

/* Lower case, and `>` a word of its own whether or not blanks stand around it. */
static char *normalize(const char *text)
{
	char *out = xcalloc(3 * strlen(text) + 1, 1);
	char *end = out;

	for (; *text; text++) {
		if (*text == '>')
			end = stpcpy(end, " > ");
		else
			*end++ = tolower((unsigned char)*text);
	}
	return out;
}

static void reader_split(struct reader *reader, const char *text)
{
	size_t count = 0, capacity = 0;
	char *rest;

	reader->text = normalize(text);
	for (char *word = strtok_r(reader->text, " \t\r\n", &rest); word; word = strtok_r(NULL, " \t\r\n", &rest)) {
		reader->words = xgrow(reader->words, count, &capacity, sizeof(*reader->words));
		reader->words[count++] = word;
	}
	reader->words = xgrow(reader->words, count, &capacity, sizeof(*reader->words));
	reader->words[count] = NULL;
}

static void reader_free(struct reader *reader)
{
	free(reader->words);
	free(reader->text);
}

static const char *peek(const struct reader *reader)
{
	return reader->words[reader->next];
}

static const char *take(struct reader *reader)
{
	const char *word = peek(reader);

	if (word)
		reader->next++;
	return word;
}

static int is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

/* Returns the number, or -EINVAL. `what` says what it is for. */
static int read_number(const char *what, const char *word, int max, struct error *error)
{
	unsigned long value;

	if (!word)
		return error_set(error, EINVAL, "%s has to be followed by a number", what);
	if (!is_number(word))
		return error_set(error, EINVAL, "%s `%.80s` is not a number", what, word);
	value = strtoul(word, NULL, 10);
	if (value > (unsigned long)max)
		return error_set(error, EINVAL, "%s %.80s is out of range: 0 to %d", what, word, max);
	return value;
}

static void give_example(struct error *error)
{
	error_hint(error, "for example: tcp 192.0.2.1:1234 to 198.51.100.7:443 syn");
}

static int unknown(const char *what, const char *word, const char *near, struct error *error)
{
	error_set(error, EINVAL, "unknown %s `%.80s`", what, word);
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	else
		give_example(error);
	return -EINVAL;
}

/* What Sluice looks into is written by its own words, not by its number. */
static int read_ethertype(struct draft *draft, const char *word, int ethertype, struct error *error)
{
	if (ethertype == ETHERTYPE_IP || ethertype == ETHERTYPE_IPV6)
		return error_set(error, EINVAL, "`%.80s` is not enough: write the protocol above IP and the addresses",
				 word);
	if (ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ || ethertype == ETHERTYPE_QINQ_OLD)
		return error_set(error, EINVAL, "`%.80s` does not begin a packet: write `vlan N` at its end", word);
	draft->ethertype = ethertype;
	return 0;
}

static int read_hex_ethertype(struct draft *draft, const char *word, struct error *error)
{
	char *end;
	unsigned long ethertype = strtoul(word + 2, &end, 16);

	if (!isxdigit((unsigned char)word[2]) || *end)
		return error_set(error, EINVAL, "EtherType `%.80s` is not a hex number", word);
	if (ethertype < ETHERTYPE_MIN || ethertype > 0xffff)
		return error_set(error, EINVAL, "EtherType %.80s is out of range: 0x%04x to 0xffff", word,
				 ETHERTYPE_MIN);
	return read_ethertype(draft, word, ethertype, error);
}

/* Either the IP protocol or the EtherType is set; the other one is settled by the addresses. */
static int read_protocol(struct reader *reader, struct draft *draft, struct error *error)
{
	const char *word = take(reader);
	int number;

	if (!word) {
		error_set(error, EINVAL, "no packet");
		give_example(error);
		return -EINVAL;
	}
	if (strncmp(word, "0x", 2) == 0)
		return read_hex_ethertype(draft, word, error);
	if (is_number(word)) {
		number = read_number("protocol", word, 255, error);
		if (number < 0)
			return number;
	} else {
		number = protocol_number(word);
	}
	if (number >= 0) {
		draft->protocol = number;
		draft->ethertype = ETHERTYPE_IP;
		return 0;
	}
	if (strcmp(word, "llc") == 0) {
		draft->ethertype = 0;
		return 0;
	}
	number = ethertype_number(word);
	if (number < 0)
		return unknown("protocol", word, protocol_nearest(word), error);
	return read_ethertype(draft, word, number, error);
}

static int read_address(const char *word, const char *text, struct endpoint *end, struct error *error)
{
	struct endpoint out = { .port = ABSENT };

	if (inet_pton(AF_INET, text, out.address) == 1)
		out.version = 4;
	else if (inet_pton(AF_INET6, text, out.address) == 1)
		out.version = 6;
	if (out.version) {
		*end = out;
		return 0;
	}
	error_set(error, EINVAL, "`%.80s` is not an address", word);
	if (strchr(text, ':') && *word != '[')
		error_hint(error, "an IPv6 address with a port is written [2001:db8::1]:443");
	else
		give_example(error);
	return -EINVAL;
}

static int read_port(const char *text, struct endpoint *end, struct error *error)
{
	int port = read_number("port", text, 65535, error);

	if (port < 0)
		return port;
	end->port = port;
	return 0;
}

/* 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80. */
static int read_endpoint(const char *word, struct endpoint *end, struct error *error)
{
	CLEANUP_FREE char *text = xstrdup(word);
	char *address = text;
	char *port = strchr(text, ':');
	int err;

	if (*text == '[') {
		char *bracket = strchr(text, ']');

		if (!bracket || (bracket[1] && bracket[1] != ':'))
			return error_set(error, EINVAL, "`%.80s` is not [ADDRESS] or [ADDRESS]:PORT", word);
		port = bracket[1] ? bracket + 1 : NULL;
		*bracket = '\0';
		address++;
	} else if (port && strchr(port + 1, ':')) {
		port = NULL; /* IPv6 */
	}
	if (port)
		*port++ = '\0';
	err = read_address(word, address, end, error);
	if (err || !port)
		return err;
	return read_port(port, end, error);
}

static int read_endpoints(struct reader *reader, struct draft *draft, struct error *error)
{
	const char *word = take(reader);
	int err;

	if (!word)
		return error_set(error, EINVAL, "the source address is missing");
	err = read_endpoint(word, &draft->source, error);
	if (err)
		return err;
	word = take(reader);
	if (!word || (strcmp(word, ">") != 0 && strcmp(word, "to") != 0)) {
		error_set(error, EINVAL, "after the source comes `>` or `to`, not %s%.80s%s", word ? "`" : "",
			  word ? word : "the end", word ? "`" : "");
		error_hint(error, "a shell takes > for itself: quote the packet, or write `to`");
		return -EINVAL;
	}
	word = take(reader);
	if (!word)
		return error_set(error, EINVAL, "the destination address is missing");
	err = read_endpoint(word, &draft->destination, error);
	if (err)
		return err;
	if (draft->source.version != draft->destination.version)
		return error_set(error, EINVAL, "the source is IPv%d and the destination IPv%d", draft->source.version,
				 draft->destination.version);
	return 0;
}

static unsigned flag_bit(const char *word)
{
	for (unsigned bit = 0; bit < 8; bit++)
		if (strcmp(tcp_flag_name(bit), word) == 0)
			return 1U << bit;
	return 0;
}

/* One or several joined by commas. An unknown one is reported alone, so that its nearest word is found. */
static int read_flags(const char *word, struct draft *draft, struct error *error)
{
	CLEANUP_FREE char *text = xstrdup(word);
	unsigned bits = 0;
	char *rest;

	for (char *flag = strtok_r(text, ",", &rest); flag; flag = strtok_r(NULL, ",", &rest)) {
		if (!flag_bit(flag))
			return unknown("word", flag, nearest(flag, option_words, COUNT(option_words)), error);
		bits |= flag_bit(flag);
	}
	if (!bits)
		return unknown("word", word, NULL, error);
	if (!draft->version || draft->protocol != IPPROTO_TCP)
		return error_set(error, EINVAL, "`%.80s` goes with tcp", word);
	draft->tcp_flags |= bits;
	return 0;
}

static int read_type(const char *word, struct draft *draft, struct error *error)
{
	int version = draft->protocol == IPPROTO_ICMP ? 4 : 6;
	int type;

	if (draft->icmp_type != ABSENT)
		return error_set(error, EINVAL, "type is there twice");
	if (!word)
		return error_set(error, EINVAL, "type has to be followed by a number or a name");
	if (is_number(word)) {
		type = read_number("type", word, 255, error);
		if (type < 0)
			return type;
	} else {
		type = icmp_type_number(version, word);
		if (type < 0)
			return unknown("type", word, icmp_type_nearest(version, word), error);
	}
	draft->icmp_type = type;
	return 0;
}

static int read_vlan(const char *word, struct draft *draft, struct error *error)
{
	int id = read_number("vlan", word, 4095, error);

	if (id < 0)
		return id;
	if (draft->vlans == VLANS_MAX)
		return error_set(error, EINVAL, "more than %d VLAN tags", VLANS_MAX);
	draft->vlan[draft->vlans++] = id;
	return 0;
}

static int read_fragment(const char *word, struct draft *draft, struct error *error)
{
	if (draft->fragment != FRAGMENT_NONE)
		return error_set(error, EINVAL, "fragment is there twice");
	if (!word || (strcmp(word, "first") != 0 && strcmp(word, "later") != 0))
		return error_set(error, EINVAL, "fragment has to be followed by `first` or `later`");
	draft->fragment = *word == 'f' ? FRAGMENT_FIRST : FRAGMENT_LATER;
	return 0;
}

static const struct number_word *find_number_word(const char *word)
{
	for (size_t i = 0; i < COUNT(number_words); i++)
		if (strcmp(number_words[i].name, word) == 0)
			return &number_words[i];
	return NULL;
}

static int read_number_word(const struct number_word *found, const char *value, struct draft *draft,
			    struct error *error)
{
	int *field = (int *)((char *)draft + found->offset);
	int number = read_number(found->name, value, found->max, error);

	if (number < 0)
		return number;
	if (*field != ABSENT)
		return error_set(error, EINVAL, "%s is there twice", found->name);
	*field = number;
	return 0;
}

/* Whether a packet of this kind has the field at all. */
static int check_word(const char *word, const struct draft *draft, struct error *error)
{
	int icmp = draft->version && (draft->protocol == IPPROTO_ICMP || draft->protocol == IPPROTO_ICMPV6);

	if (strcmp(word, "length") == 0 && draft->ethertype == ETHERTYPE_ARP)
		return error_set(error, EINVAL, "`length` does not go with ARP, which has no payload");
	if ((strcmp(word, "type") == 0 || strcmp(word, "code") == 0) && !icmp)
		return error_set(error, EINVAL, "`%.80s` goes with icmp and icmpv6", word);
	if ((strcmp(word, "ttl") == 0 || strcmp(word, "dscp") == 0 || strcmp(word, "fragment") == 0) && !draft->version)
		return error_set(error, EINVAL, "`%.80s` goes with IP", word);
	return 0;
}

static int read_word(struct reader *reader, struct draft *draft, struct error *error)
{
	const char *word = take(reader);
	const struct number_word *number_word = find_number_word(word);
	int err = check_word(word, draft, error);

	if (err)
		return err;
	if (number_word)
		return read_number_word(number_word, take(reader), draft, error);
	if (strcmp(word, "type") == 0)
		return read_type(take(reader), draft, error);
	if (strcmp(word, "vlan") == 0)
		return read_vlan(take(reader), draft, error);
	if (strcmp(word, "fragment") == 0)
		return read_fragment(take(reader), draft, error);
	return read_flags(word, draft, error);
}

static int is_extension(int protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH;
}

/* What the addresses say of the protocol. */
static int settle_addresses(struct draft *draft, const char *protocol, struct error *error)
{
	int version = draft->source.version;

	if (draft->ethertype == ETHERTYPE_ARP) {
		if (version == 6)
			return error_set(error, EINVAL, "ARP has IPv4 addresses; IPv6 has neighbour discovery");
		return 0;
	}
	if ((version == 4 && draft->protocol == IPPROTO_ICMPV6) || (version == 6 && draft->protocol == IPPROTO_ICMP))
		return error_set(error, EINVAL, "icmp goes with IPv4 addresses, icmpv6 with IPv6 addresses");
	if (version == 6 && is_extension(draft->protocol))
		return error_set(error, EINVAL,
				 "%s is an extension header of IPv6, not a protocol: give such a packet as hex",
				 protocol);
	draft->version = version;
	draft->ethertype = version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
	return 0;
}

static int settle_ports(struct draft *draft, const char *protocol, struct error *error)
{
	if (!draft_has_ports(draft)) {
		if (draft->source.port == ABSENT && draft->destination.port == ABSENT)
			return 0;
		if (draft->fragment == FRAGMENT_LATER)
			return error_set(error, EINVAL, "a later fragment has no ports");
		return error_set(error, EINVAL, "%s has no ports", protocol);
	}
	if (draft->destination.port == ABSENT)
		return error_set(error, EINVAL, "%s needs a destination port", protocol);
	if (draft->source.port == ABSENT)
		draft->source.port = DEFAULT_SOURCE_PORT;
	return 0;
}

static int settle_icmp(struct draft *draft, struct error *error)
{
	if (!draft_has_icmp(draft)) {
		if (draft->icmp_type != ABSENT || draft->icmp_code != ABSENT)
			return error_set(error, EINVAL, "a later fragment has no ICMP type and code");
		return 0;
	}
	if (draft->icmp_type == ABSENT)
		draft->icmp_type = icmp_type_number(draft->version, "echo-request");
	if (draft->icmp_code == ABSENT)
		draft->icmp_code = 0;
	return 0;
}

/* What was not written. */
static int settle(struct draft *draft, const char *protocol, struct error *error)
{
	int err = settle_ports(draft, protocol, error);

	if (err)
		return err;
	err = settle_icmp(draft, error);
	if (err)
		return err;
	if (draft->fragment == FRAGMENT_LATER && draft->tcp_flags)
		return error_set(error, EINVAL, "a later fragment has no TCP flags");
	if (!draft->tcp_flags)
		draft->tcp_flags = flag_bit("syn");
	if (draft->ttl == ABSENT)
		draft->ttl = usual_ttl(draft->version, draft_has_icmp(draft) ? draft->icmp_type : -1);
	if (draft->dscp == ABSENT)
		draft->dscp = 0;
	return 0;
}

/* IP has addresses, ARP may have them. */
static int expects_addresses(const struct reader *reader, const struct draft *draft)
{
	if (draft->ethertype == ETHERTYPE_ARP)
		return peek(reader) && strcmp(peek(reader), "vlan") != 0;
	return draft->ethertype == ETHERTYPE_IP;
}

static int read_draft(struct reader *reader, struct draft *draft, struct error *error)
{
	const char *protocol = peek(reader);
	int err = read_protocol(reader, draft, error);

	if (err)
		return err;
	if (expects_addresses(reader, draft)) {
		err = read_endpoints(reader, draft, error);
		if (err)
			return err;
		err = settle_addresses(draft, protocol, error);
		if (err)
			return err;
	}
	while (peek(reader)) {
		err = read_word(reader, draft, error);
		if (err)
			return err;
	}
	return settle(draft, protocol, error);
}

int packet_write(const char *const *words, size_t count, uint8_t **bytes, size_t *length, struct error *error)
{
	CLEANUP_FREE char *text = join(words, count);
	const char *start = text + strspn(text, " \t\r\n");
	struct reader reader = { 0 };
	struct draft draft = {
		.source.port = ABSENT,
		.destination.port = ABSENT,
		.icmp_type = ABSENT,
		.icmp_code = ABSENT,
		.ttl = ABSENT,
		.dscp = ABSENT,
		.length = ABSENT,
	};
	int err;

	if (strncasecmp(start, "hex", 3) == 0 && isspace((unsigned char)start[3]))
		return hex_read(start + 4, bytes, length, error);
	reader_split(&reader, text);
	err = read_draft(&reader, &draft, error);
	reader_free(&reader);
	return err ? err : frame_build(&draft, bytes, length, error);
}

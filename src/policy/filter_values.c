// SPDX-License-Identifier: BSD-2-Clause
#include "policy/filter_values.h"

#include <ctype.h>
#include <errno.h>
#include <net/ethernet.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "packet/protocol.h"
#include "policy/habits.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FLAG_BITS 8
#define FLAGS_ALL 0xff

const char *const filter_fragment_words[] = {
	[FILTER_IS_NO_FRAGMENT] = "none",
	[FILTER_IS_FIRST_FRAGMENT] = "first",
	[FILTER_IS_LATER_FRAGMENT] = "later",
	[FILTER_IS_FRAGMENT] = "any",
};

const char *const filter_extension_words[FILTER_EXTENSION_COUNT] = {
	[FILTER_EXTENSION_HOP_BY_HOP] = "hop-by-hop",
	[FILTER_EXTENSION_ROUTING] = "routing",
	[FILTER_EXTENSION_FRAGMENT] = "fragment",
	[FILTER_EXTENSION_DESTINATION] = "destination",
	[FILTER_EXTENSION_AUTHENTICATION] = "authentication",
};

const char *const filter_reject_words[] = {
	"tcp-reset", "port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited",
};
const size_t filter_reject_word_count = COUNT(filter_reject_words);

struct named {
	uint8_t number;
	const char *name;
};

/* RFC 2474, RFC 2597, RFC 3246. */
static const struct named dscp_names[] = {
	{ 0, "cs0" },	{ 8, "cs1" },	{ 16, "cs2" },	{ 24, "cs3" },	{ 32, "cs4" },	{ 40, "cs5" },	{ 48, "cs6" },
	{ 56, "cs7" },	{ 10, "af11" }, { 12, "af12" }, { 14, "af13" }, { 18, "af21" }, { 20, "af22" }, { 22, "af23" },
	{ 26, "af31" }, { 28, "af32" }, { 30, "af33" }, { 34, "af41" }, { 36, "af42" }, { 38, "af43" }, { 46, "ef" },
};

/* Of destination-unreachable, by the names that nftables gives them. */
static const struct named codes4[] = {
	{ 0, "net-unreachable" }, { 1, "host-unreachable" }, { 2, "prot-unreachable" }, { 3, "port-unreachable" },
	{ 4, "frag-needed" },	  { 9, "net-prohibited" },   { 10, "host-prohibited" }, { 13, "admin-prohibited" },
};
static const struct named codes6[] = {
	{ 0, "no-route" },	   { 1, "admin-prohibited" }, { 3, "addr-unreachable" },
	{ 4, "port-unreachable" }, { 5, "policy-fail" },      { 6, "reject-route" },
};

#define NAMES_MAX COUNT(dscp_names)

static int named_number(const struct named *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(table[i].name, name))
			return table[i].number;
	}
	return -1;
}

static const char *named_nearest(const struct named *table, size_t count, const char *word)
{
	const char *names[NAMES_MAX];

	for (size_t i = 0; i < count; i++)
		names[i] = table[i].name;
	return nearest(word, names, count);
}

const char *filter_dscp_name(uint32_t dscp)
{
	for (size_t i = 0; i < COUNT(dscp_names); i++) {
		if (dscp_names[i].number == dscp)
			return dscp_names[i].name;
	}
	return NULL;
}

bool filter_number_parse(const char *text, uint32_t low, uint32_t high, uint32_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (const char *digit = text; *digit; digit++) {
		if (!isdigit((unsigned char)*digit))
			return false;
		value = value * 10 + (uint64_t)(*digit - '0');
		if (value > high)
			return false;
	}
	if (value < low)
		return false;
	*number = (uint32_t)value;
	return true;
}

/* What a field's values are called, and how they are written. */
static const struct {
	const char *what, *hint;
} field_texts[FILTER_FIELD_COUNT] = {
	[FILTER_FIELD_PROTOCOL] = { "a protocol", "it is a name, as tcp, or a number from 0 to 255" },
	[FILTER_FIELD_SPORT] = { "a port", "it is a number from 0 to 65535, or two of them: 8000-8080" },
	[FILTER_FIELD_DPORT] = { "a port", "it is a number from 0 to 65535, or two of them: 8000-8080" },
	[FILTER_FIELD_TYPE] = { "a type", "it is a name, as echo-request, or a number from 0 to 255" },
	[FILTER_FIELD_CODE] = { "a code", "it is a number from 0 to 255, or a name, as port-unreachable" },
	[FILTER_FIELD_VLAN] = { "a VLAN", "it is a number from 0 to 4095, or none for packets without a tag" },
	[FILTER_FIELD_DSCP] = { "a DSCP", "it is a name, as cs1, af11 or ef, or a number from 0 to 63" },
	[FILTER_FIELD_TTL] = { "a TTL or hop limit", "it is a number from 0 to 255, or two of them: 0-4" },
	[FILTER_FIELD_ETHERTYPE] = { "an EtherType", "it is a name, as lldp, or a number from 0x0600 to 0xffff, or llc "
						     "for what has none" },
	[FILTER_FIELD_LENGTH] = { "a length", "it is a number of bytes from 0 to 65535, or two of them: 1000-1500" },
};

static int bad_value(enum filter_field field, const char *text, const char *meant, struct location where,
		     struct error *error)
{
	bool is_port = field == FILTER_FIELD_SPORT || field == FILTER_FIELD_DPORT;
	int err = error_at(error, where, "`%.80s` is not %s", text, field_texts[field].what);

	if (meant)
		error_hint(error, "did you mean `%s`?", meant);
	else if (habit_is_all(text))
		error_hint(error, "what a rule does not name may be anything: leave it out");
	else if (!is_port || !habit_hint_port(text, error))
		error_hint(error, "%s", field_texts[field].hint);
	return err;
}

/* Two numbers with a `-` between them. A text of another kind is -ENOENT, and says nothing. */
static int parse_interval(enum filter_field field, const char *text, struct location where, struct filter_range *range,
			  struct error *error)
{
	uint32_t max = filter_field_max(field);
	size_t digits = strspn(text, "0123456789");
	char first[16];
	uint32_t low, high;
	int err;

	if (!digits || text[digits] != '-' || !text[digits + 1] ||
	    text[digits + 1 + strspn(text + digits + 1, "0123456789")])
		return -ENOENT;
	if (digits >= sizeof(first))
		return bad_value(field, text, NULL, where, error);
	memcpy(first, text, digits);
	first[digits] = '\0';
	if (!filter_number_parse(first, 0, max, &low) || !filter_number_parse(text + digits + 1, 0, max, &high))
		return bad_value(field, text, NULL, where, error);
	if (low > high) {
		err = error_at(error, where, "%s ends before it begins", text);
		error_hint(error, "write the lower number first: %u-%u", high, low);
		return err;
	}
	*range = (struct filter_range){ low, high };
	return 0;
}

static int parse_numbers(enum filter_field field, const char *text, struct location where, struct filter_range *range,
			 struct error *error)
{
	uint32_t number;

	if (filter_number_parse(text, 0, filter_field_max(field), &number)) {
		*range = (struct filter_range){ number, number };
		return 0;
	}
	return parse_interval(field, text, where, range, error);
}

static int field_number(enum filter_field field, const char *text)
{
	if (field == FILTER_FIELD_PROTOCOL)
		return protocol_number(text);
	if (field == FILTER_FIELD_DSCP)
		return named_number(dscp_names, COUNT(dscp_names), text);
	if (field == FILTER_FIELD_VLAN && !strcmp(text, "none"))
		return FILTER_VLAN_NONE;
	return -1;
}

static const char *field_nearest(enum filter_field field, const char *text)
{
	const char *meant;

	if (field == FILTER_FIELD_DSCP)
		return named_nearest(dscp_names, COUNT(dscp_names), text);
	if (field != FILTER_FIELD_PROTOCOL)
		return NULL;
	meant = protocol_nearest(text); /* may be an EtherType */
	return meant && protocol_number(meant) >= 0 ? meant : NULL;
}

/* What rules have another word for; NULL: it has none. */
static const char *own_word(uint32_t ethertype)
{
	switch (ethertype) {
	case ETHERTYPE_IP:
		return "ipv4";
	case ETHERTYPE_IPV6:
		return "ipv6";
	case ETHERTYPE_ARP:
		return "arp";
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
	case ETHERTYPE_QINQ_OLD:
		return "vlan not none";
	default:
		return NULL;
	}
}

/* "0x88cc". */
static int hex_ethertype(const char *text)
{
	size_t digits = strlen(text) - 2;

	if (strncmp(text, "0x", 2) != 0 || !digits || digits > 4 ||
	    text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
		return -1;
	return (int)strtol(text, NULL, 16);
}

static int parse_ethertype(const char *text, struct location where, struct filter_range *range, struct error *error)
{
	int number = ethertype_number(text), err;

	if (!strcmp(text, "llc")) {
		*range = (struct filter_range){ 0, ETHERTYPE_MIN - 1 };
		return 0;
	}
	if (number < 0)
		number = hex_ethertype(text);
	if (number < ETHERTYPE_MIN)
		return bad_value(FILTER_FIELD_ETHERTYPE, text, number < 0 ? ethertype_nearest(text) : NULL, where,
				 error);
	if (own_word((uint32_t)number)) {
		err = error_at(error, where, "`%s` in a match about what is neither IP nor ARP", text);
		error_hint(error, "write: %s", own_word((uint32_t)number));
		return err;
	}
	*range = (struct filter_range){ (uint32_t)number, (uint32_t)number };
	return 0;
}

int filter_range_parse(enum filter_field field, const char *text, struct location where, struct filter_range *range,
		       struct error *error)
{
	int number, err;

	if (field == FILTER_FIELD_ETHERTYPE)
		return parse_ethertype(text, where, range, error);
	err = parse_numbers(field, text, where, range, error);
	if (err != -ENOENT)
		return err;
	number = field_number(field, text);
	if (number < 0)
		return bad_value(field, text, field_nearest(field, text), where, error);
	*range = (struct filter_range){ (uint32_t)number, (uint32_t)number };
	return 0;
}

int filter_type_parse(int version, const char *text, struct location where, struct filter_range *range,
		      struct error *error)
{
	int err = parse_numbers(FILTER_FIELD_TYPE, text, where, range, error);
	const char *meant;
	int number;

	if (err != -ENOENT)
		return err;
	number = icmp_type_number(version, text);
	if (number >= 0) {
		*range = (struct filter_range){ (uint32_t)number, (uint32_t)number };
		return 0;
	}
	meant = habit_icmp_type(version, text);
	if (!meant && icmp_type_number(10 - version, text) < 0)
		meant = icmp_type_nearest(version, text);
	if (meant || icmp_type_number(10 - version, text) < 0)
		return bad_value(FILTER_FIELD_TYPE, text, meant, where, error);
	err = error_at(error, where, "`%s` is not a type of %s", text, version == 4 ? "icmp" : "icmpv6");
	error_hint(error, "%s has it", version == 4 ? "icmpv6" : "icmp");
	return err;
}

static bool is_unreachable(int version, const struct filter_values *types)
{
	uint32_t number = (uint32_t)icmp_type_number(version, "destination-unreachable");

	return types->count == 1 && types->ranges[0].low == number && types->ranges[0].high == number;
}

int filter_code_parse(int version, const struct filter_values *types, const char *text, struct location where,
		      struct filter_range *range, struct error *error)
{
	const struct named *table = version == 4 ? codes4 : codes6;
	size_t count = version == 4 ? COUNT(codes4) : COUNT(codes6);
	int err = parse_numbers(FILTER_FIELD_CODE, text, where, range, error);
	int number;

	if (err != -ENOENT)
		return err;
	number = named_number(table, count, text);
	if (number < 0)
		return bad_value(FILTER_FIELD_CODE, text, named_nearest(table, count, text), where, error);
	if (!is_unreachable(version, types)) {
		err = error_at(error, where, "`%s` is a code of destination-unreachable alone", text);
		error_hint(error, "write: type destination-unreachable code %s", text);
		return err;
	}
	*range = (struct filter_range){ (uint32_t)number, (uint32_t)number };
	return 0;
}

int filter_word_parse(const char *text, struct location where, const char *const *words, size_t count, const char *what,
		      struct error *error)
{
	char list[160] = "";
	const char *meant;

	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(list);

		if (!strcmp(words[i], text))
			return (int)i;
		snprintf(list + used, sizeof(list) - used, "%s%s",
			 i == 0		  ? ""
			 : i + 1 == count ? " or "
					  : ", ",
			 words[i]);
	}
	error_at(error, where, "`%.80s` is not %s", text, what);
	meant = nearest(text, words, count);
	if (meant)
		error_hint(error, "did you mean `%s`?", meant);
	else
		error_hint(error, "it is %s", list);
	return -EINVAL;
}

/* The bits of "syn,ack", which ends at `end`; blanks do not count. */
static int parse_bits(const char *text, const char *end, struct location where, uint8_t *bits, struct error *error)
{
	const char *words[FLAG_BITS + 2] = { [FLAG_BITS] = "none", "all" };
	uint8_t result = 0;

	for (unsigned bit = 0; bit < FLAG_BITS; bit++)
		words[bit] = tcp_flag_name(bit);

	for (const char *at = text; at < end;) {
		char word[16];
		size_t length;
		int number;

		at += strspn(at, " \t,");
		length = strcspn(at, " \t,/");
		snprintf(word, sizeof(word), "%.*s", (int)length, at);
		number = filter_word_parse(word, where, words, COUNT(words), "a flag of TCP", error);
		if (number < 0)
			return number;
		result |= number < FLAG_BITS ? 1 << number : number == FLAG_BITS ? 0 : FLAGS_ALL;
		at += length;
		at += strspn(at, " \t");
	}
	*bits = result;
	return 0;
}

int filter_flags_parse(const char *text, struct location where, uint8_t *flags, uint8_t *mask, struct error *error)
{
	const char *slash = strchrnul(text, '/');
	uint8_t value, compared;
	int err;

	err = parse_bits(text, slash, where, &value, error);
	if (err)
		return err;
	compared = value ? value : FLAGS_ALL; /* `none` alone: none of all */
	if (*slash)
		err = parse_bits(slash + 1, slash + strlen(slash), where, &compared, error);
	if (err)
		return err;
	if (*slash && (!slash[1] || strchr(slash + 1, '/') || slash == text || !compared)) {
		err = error_at(error, where, "`%.80s` compares no flags", text);
		error_hint(error, "write those that are set, / and those that are looked at: syn/syn,ack");
		return err;
	}
	if (value & ~compared) {
		err = error_at(error, where, "`%.80s` never matches: it wants flags that it does not look at", text);
		error_hint(error, "behind the / stand all that are looked at: syn/syn,ack");
		return err;
	}
	*flags = value;
	*mask = compared;
	return 0;
}

int filter_mac_parse(const char *text, struct location where, uint64_t *mac, struct error *error)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	uint64_t result = 0;
	bool is_mac = strlen(text) == 17;
	int err;

	for (int i = 0; i < 6 && is_mac; i++) {
		const char *byte = text + i * 3;

		is_mac = strchr(hex, byte[0]) && strchr(hex, byte[1]) && byte[2] == (i < 5 ? ':' : '\0');
		result = result << 8 | (is_mac ? strtoul(byte, NULL, 16) : 0);
	}
	if (is_mac) {
		*mac = result;
		return 0;
	}
	err = error_at(error, where, "`%.80s` is not a MAC address", text);
	error_hint(error, "write all six bytes in hex: 02:00:5e:10:00:01");
	return err;
}

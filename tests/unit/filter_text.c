// SPDX-License-Identifier: BSD-2-Clause
#include "filter_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

void random_address(struct prefix *address, int version)
{
	static const uint8_t bytes[] = { 0, 1, 10, 128, 255 };

	*address = (struct prefix){ .version = (uint8_t)version, .length = version == 4 ? 32 : 128 };
	for (int i = 0; i < address->length / 8; i++)
		address->address[i] = i < 2 || i == 7 || i == address->length / 8 - 1 ? PICK(bytes) : 0;
}

static void write_prefix(FILE *out, int version)
{
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	random_address(&prefix, version);
	prefix.length = (uint8_t)draw(version == 4 ? 33 : 129);
	for (int bit = prefix.length; bit < (version == 4 ? 32 : 128); bit++)
		prefix.address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	fputs(prefix_print(&prefix, text), out);
}

/* One range, or some that do not touch. */
static void write_values(FILE *out, const uint32_t *values, size_t count)
{
	unsigned chosen = 1 + draw((1U << count) - 1);
	size_t low = draw((unsigned)count), high = draw((unsigned)count);

	if (draw(2)) {
		fprintf(out, "%u-%u", values[low < high ? low : high], values[low < high ? high : low]);
		return;
	}
	fputs("{ ", out);
	for (size_t i = 0; i < count; i++) {
		if (chosen >> i & 1)
			fprintf(out, "%u,", values[i]);
	}
	fputs(" }", out);
}

static const char * not(void)
{
	return draw(3) ? "" : "not ";
}

static void write_field(FILE *out, const char *word, const uint32_t *values, size_t count)
{
	fprintf(out, " %s %s", word, not());
	write_values(out, values, count);
}

/* `version` 0: of either family. */
static void write_addresses(FILE *out, const char *word, int version)
{
	static const char *const sets[] = { "@few", "@many4", "@many6", "@both", "@none", "@d0", "@d1", "@d2", "@d3" };

	fprintf(out, " %s %s", word, not());
	if (draw(2)) {
		write_prefix(out, version ? version : draw(2) ? 4 : 6);
		return;
	}
	fputs(sets[draw(5)], out);
	if (draw(3) == 0)
		fprintf(out, ", %s", sets[5 + draw(4)]);
	if (draw(3) == 0) {
		fputs(", ", out);
		write_prefix(out, version ? version : draw(2) ? 4 : 6);
	}
}

static void write_tcp(FILE *out)
{
	static const char *const flags[] = { "syn",	     "syn/syn,ack", "none",   "all",
					     "none/rst,fin", "ack,psh/all", "ack/ack" };

	if (draw(2))
		fprintf(out, " flags %s", PICK(flags));
}

static void write_icmp(FILE *out)
{
	fputs(" type ", out);
	write_values(out, types, COUNT(types));
	if (draw(2)) {
		fputs(" code ", out);
		write_values(out, codes, COUNT(codes));
	}
}

/* What a rule of any kind may have. Returns whether it is about later fragments. */
static void write_rest(FILE *out, int version, bool has_ports)
{
	static const char *const fragments[] = { "none", "first", "any", "later" };
	static const char *const extensions[] = { "hop-by-hop", "routing", "fragment", "destination",
						  "authentication" };

	if (draw(2))
		write_addresses(out, "from", version);
	if (draw(3) == 0)
		write_addresses(out, "to", version);
	if (draw(6) == 0)
		write_field(out, "dscp", dscps, COUNT(dscps));
	if (draw(6) == 0)
		write_field(out, "ttl", ttls, COUNT(ttls));
	if (draw(6) == 0)
		write_field(out, "length", lengths, COUNT(lengths));
	if (draw(6) == 0)
		fprintf(out, " fragment %s", fragments[draw(has_ports ? 3 : 4)]);
	if (version == 6 && draw(3) == 0)
		fprintf(out, " extension %s", PICK(extensions));
}

static void write_link(FILE *out)
{
	if (draw(6) == 0)
		write_field(out, "vlan", vlans, COUNT(vlans));
	else if (draw(6) == 0)
		fprintf(out, " vlan %snone", not());
	if (draw(8) == 0)
		fprintf(out, " mac 02:00:00:00:00:0%u", draw(2));
}

static void write_ports(FILE *out)
{
	if (draw(2))
		write_field(out, "sport", ports, COUNT(ports));
	if (draw(2))
		write_field(out, "dport", ports, COUNT(ports));
}

static void write_ethertype(FILE *out)
{
	static const char *const values[] = { "lldp", "0x8809", "0x600", "llc", "{ slow, 0x88CC }", "{ llc, lldp }" };

	fprintf(out, " ethertype %s%s", not(), PICK(values));
}

/* Matches of each kind; of kind 1 there may be none. */
static void write_matches(FILE *out, unsigned kind, bool ethertype)
{
	static const char *const with_ports[] = { "tcp", "udp", "sctp", "protocol { tcp, udp }",
						  "protocol { sctp, tcp, }" };
	int version = draw(2) ? 4 : 6;
	bool icmp = draw(2);

	write_link(out);
	switch (kind) {
	case 0:
		fputs(" arp", out);
		break;
	case 1:
		if (ethertype)
			write_ethertype(out);
		break;
	case 2:
	case 3:
		fprintf(out, " %s", version == 4 ? "icmp" : "icmpv6");
		if (icmp)
			write_icmp(out);
		write_rest(out, version, icmp);
		break;
	case 4:
		fprintf(out, " ipv%d", version);
		write_rest(out, version, false);
		break;
	case 5:
		write_field(out, "protocol", protocols, COUNT(protocols));
		write_rest(out, 4, false);
		break;
	case 6:
		fputs(" tcp", out);
		write_tcp(out);
		write_ports(out);
		write_rest(out, 4, true);
		break;
	default:
		fprintf(out, " ipv%d %s", version, PICK(with_ports));
		write_ports(out);
		write_rest(out, version, true);
	}
}

static void write_rule(FILE *out)
{
	static const char *const verbs[] = { "accept", "drop", "reject" };
	unsigned kind = draw(9);
	bool ethertype = kind == 1 && draw(2);

	fputs(kind == 0 ? "drop" : ethertype ? verbs[draw(2)] : PICK(verbs), out);
	write_matches(out, kind, ethertype);
	fputs("\n", out);
}

static void write_limit(FILE *out)
{
	static const char *const rates[] = { "1/d", "100/s burst 7", "10mbit/s",
					     "1kbyte/s burst 64kbyte log 1/9 ban @d0" };
	unsigned kind = draw(9);
	long before = ftell(out);

	write_matches(out, kind, draw(2));
	if (ftell(out) == before)
		fputs("all", out);
	fprintf(out, " %s\n", kind < 2 ? "5/s" : PICK(rates));
}

/* Prefixes that lie in each other need not be left out: they are in a file. */
static void write_set_file(const char *path, bool v4, bool v6)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (int i = 0; i < 150; i++) {
		write_prefix(file, v4 && (!v6 || draw(2)) ? 4 : 6);
		fputs("\n", file);
	}
	assert_int_equal(fclose(file), 0);
}

char *random_policy(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	write_set_file("many4.txt", true, false);
	write_set_file("many6.txt", false, true);
	write_set_file("both.txt", true, true);
	fputs("set few { 10.0.0.0/8, 1.128.0.0/16, a01::/16 } set none { } set many4 file \"many4.txt\"\n"
	      "set many6 file \"many6.txt\" set both file \"both.txt\" set d0 dynamic size 9 set d1 dynamic size 9\n"
	      "set d2 dynamic size 9 set d3 dynamic size 9 interface eth0 { limit {\n",
	      out);
	for (unsigned limits = draw(8); limits > 0; limits--)
		write_limit(out);
	fputs("} filter {\n", out);
	/* Many of them want more bits than there are. */
	for (unsigned rules = 1 + draw(draw(8) ? 12 : 50); rules > 0; rules--)
		write_rule(out);
	fputs("} }\n", out);
	assert_int_equal(fclose(out), 0);
	return text;
}

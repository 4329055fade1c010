/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy language. sluice-policy(5) tells what it means. */

%require "3.8"
%define api.pure full
%define api.token.prefix {TOKEN_}
%define api.location.type {struct location}
%define parse.error custom
%define parse.lac full		/* all that could stand there, not only what the tables happen to know */
%locations
%lex-param {void *scanner}
%parse-param {void *scanner} {struct parse *parse}

%code requires {
#include "policy/parse.h"
}

%code provides {
/* The token of a word of the language, or 0. */
int keyword_token(const char *word);
}

%code {
#include <netinet/in.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "lexer.h"
#include "policy/habits.h"

#define YYLLOC_DEFAULT(current, right, count) ((current) = YYRHSLOC(right, (count) ? 1 : 0))

#define TRY(call) \
	do { \
		if (call) \
			YYABORT; \
	} while (0)

static int yyerror(const struct location *where, void *scanner, struct parse *parse, const char *message);
}

%union {
	char *text;
	const char *word;
	enum mode mode;
	enum verdict verdict;
	enum fragments fragments;
	enum filter_field field;
}

%token END 0		"the end of the file"
%token <text> NAME	"a name"
%token <text> WORD	"a prefix"
%token <text> REFERENCE	"a set (@name)"
%token <text> STRING	"a string in double quotes"
%token <text> NUMBER	"a number"
%token <text> VALUE	"a value"
%token <text> DURATION	"a time (90s, 10m, 1h, 7d)"
%token <text> RATE	"a rate (100/s, 10mbit/s)"

/* The words of the language: this is the only list of them, and messages name them in this order. */
%token SET "set" FILE "file" DYNAMIC "dynamic" SIZE "size" TIMEOUT "timeout"
%token MACRO "macro" INTERFACE "interface"
%token MODE "mode" NATIVE "native" GENERIC "generic" OFFLOAD "offload"
%token FRAGMENTS "fragments" MALFORMED "malformed" PASS "pass" DROP "drop" TRACK "track"
%token LOG "log" DROPS "drops"
%token BLOCK "block" EXCEPT "except" FROM "from" TO "to" USE "use"
%token LIMIT "limit" ALL "all"
%token SYNPROXY "synproxy" ABOVE "above" GATEWAY "gateway"
%token FILTER "filter" ACCEPT "accept" REJECT "reject" WITH "with"
%token IPV4 "ipv4" IPV6 "ipv6" ARP "arp" TCP "tcp" UDP "udp" ICMP "icmp" ICMPV6 "icmpv6" SCTP "sctp" PROTOCOL "protocol"
%token NOT "not" SPORT "sport" DPORT "dport" FLAGS "flags" TYPE "type" CODE "code" ETHERTYPE "ethertype" VLAN "vlan" DSCP "dscp" TTL "ttl"
%token LENGTH "length" FRAGMENT "fragment" EXTENSION "extension" MAC "mac"
%token BURST "burst" PER "per" BAN "ban" ELSE "else" COUNT "count"
%token DEFAULT "default"

%token OPEN "{" COMMA "," CLOSE "}" SEMICOLON ";"
%token OPEN_BLOCK "{ of a block" OPEN_LIMIT "{ of a limit" OPEN_FILTER "{ of a filter"

/* Words that belong to later versions: known, never proposed. */
%token ESTABLISHED "established" SERVICE "service"
%token BALANCE "balance" ROUTE "route" CAPTURE "capture"

%destructor { free($$); } <text>

%type <mode> mode
%type <verdict> pass_or_drop
%type <fragments> pass_drop_or_track
%type <field> field
%type <word> later_stage

%%

policy:
  %empty
| policy set
| policy macro
| policy interface
| policy "service"	{ TRY(build_later_service(parse, @2)); }
| policy ";"
;

set:
  set_name "{" prefixes "}"	{ TRY(build_list_end(parse)); }
| set_name "file" STRING	{ build_set_file(parse, @3, $3); }
| set_name "dynamic" "size" set_size set_timeout
;

set_size:
  NUMBER		{ TRY(build_set_size(parse, @1, $1)); }
;

set_timeout:
  %empty
| "timeout" DURATION	{ TRY(build_set_timeout(parse, @2, $2)); }
;

set_name:
  "set" NAME		{ TRY(build_set(parse, @2, $2)); }
;

prefixes:
  %empty
| prefix_list
| prefix_list ","
;

prefix_list:
  prefix
| prefix_list "," prefix
;

prefix:
  WORD			{ TRY(build_prefix(parse, @1, $1)); }
;

macro:
  macro_name "{ of a block" { TRY(build_macro_begin(parse, MACRO_BLOCK)); } block_body macro_end
| macro_name "{ of a limit" { TRY(build_macro_begin(parse, MACRO_LIMIT)); } limits macro_end
| macro_name "{ of a filter" { TRY(build_macro_begin(parse, MACRO_FILTER)); } filter_rules macro_end
;

macro_name:
  "macro" NAME		{ TRY(build_macro(parse, @2, $2)); }
;

macro_end:
  "}"			{ TRY(build_macro_end(parse)); }
;

interface:
  interface_name "{" interface_body "}"
;

interface_name:
  "interface" NAME	{ TRY(build_interface(parse, @2, $2)); }
| "interface" STRING	{ TRY(build_interface(parse, @2, $2)); }
;

interface_body:
  %empty
| interface_body interface_statement
| interface_body ";"
;

interface_statement:
  "mode" mode {
	TRY(build_statement(parse, &build_newest(parse)->mode_where, @1, "mode"));
	build_newest(parse)->mode = $2;
  }
| "fragments" pass_drop_or_track {
	TRY(build_statement(parse, &build_newest(parse)->fragments_where, @1, "fragments"));
	build_newest(parse)->fragments = $2;
  }
| "malformed" pass_or_drop {
	TRY(build_statement(parse, &build_newest(parse)->malformed_where, @1, "malformed"));
	build_newest(parse)->malformed = $2;
  }
| "log" "drops"		{ TRY(build_log_drops(parse, @1, @1, NULL)); }
| "log" "drops" VALUE	{ TRY(build_log_drops(parse, @1, @3, $3)); }
| default
| block
| limit
| synproxy
| filter
| later_stage {
	TRY(build_later_stage(parse, @1, $1));
  }
;

default:
  "default" pass_or_drop {
	TRY(build_statement(parse, &build_newest(parse)->default_where, @1, "default"));
	build_newest(parse)->default_verdict = $2;
  }
;

mode:
  "native"		{ $$ = MODE_NATIVE; }
| "generic"		{ $$ = MODE_GENERIC; }
| "offload"		{ $$ = MODE_OFFLOAD; }
;

pass_or_drop:
  "pass"		{ $$ = VERDICT_PASS; }
| "drop"		{ $$ = VERDICT_DROP; }
;

pass_drop_or_track:
  "pass"		{ $$ = FRAGMENTS_PASS; }
| "drop"		{ $$ = FRAGMENTS_DROP; }
| "track"		{ $$ = FRAGMENTS_TRACK; }
;

later_stage:
  "balance"		{ $$ = "balance"; }
| "route"		{ $$ = "route"; }
| "capture"		{ $$ = "capture"; }
;

block:
  block_word "{" block_body "}"
;

block_word:
  "block"		{ TRY(build_stage(parse, MACRO_BLOCK, @1)); }
;

block_body:
  %empty
| block_body block_kind targets
| block_body "use" NAME	{ TRY(build_use(parse, @3, $3)); }
| block_body ";"
;

block_kind:
  "except"		{ build_block_rule(parse, @1, BLOCK_EXCEPT); }
| "from"		{ build_block_rule(parse, @1, BLOCK_FROM); }
| "to"			{ build_block_rule(parse, @1, BLOCK_TO); }
;

targets:
  target
| targets "," target
;

target:
  REFERENCE			{ build_target(parse, @1, $1); }
| WORD				{ TRY(build_prefix_target(parse, @1, $1)); }
| list_target prefixes "}"	{ TRY(build_list_end(parse)); }
;

list_target:
  "{"			{ build_target(parse, @1, NULL); }
;

limit:
  limit_word "{" limits "}"
;

limit_word:
  "limit"		{ TRY(build_stage(parse, MACRO_LIMIT, @1)); }
;

limits:
  %empty
| limits limit_rule	{ TRY(build_filter_rule_end(parse)); }
| limits "use" NAME	{ TRY(build_use(parse, @3, $3)); }
| limits ";"		{ parse->rule_line = 0; }
;

limit_rule:
  limit_head RATE	{ TRY(build_limit_rate(parse, @2, @2, $2)); parse->rule_line = @2.line; }
| limit_rule modifier	{ parse->rule_line = @2.line; }
;

limit_head:
  "all" {
	TRY(build_limit_begin(parse, @1));
	TRY(build_filter_rule(parse, @1, FILTER_LIMIT));
  }
| limit_matches
;

limit_matches:
  limit_begin match {
	TRY(build_limit_begin(parse, @2));
	build_newest_rule(parse)->where = @2;
  }
| limit_matches match
;

/* What a match belongs to has to be there before it is read. */
limit_begin:
  %empty		{ TRY(build_filter_rule(parse, @$, FILTER_LIMIT)); }
;

synproxy:
  synproxy_word "{" proxies "}"
;

synproxy_word:
  "synproxy"		{ TRY(build_statement(parse, &build_newest(parse)->synproxy.where, @1, "synproxy")); }
;

proxies:
  %empty
| proxies proxy			{ TRY(build_synproxy_rule_end(parse)); }
| proxies ";"
;

proxy:
  "tcp"			{ TRY(build_synproxy_rule(parse, @1)); }
| proxy proxy_part
;

proxy_part:
  proxy_to targets
| proxy_dport values
| "above" VALUE		{ TRY(build_synproxy_above(parse, @1, @2, $2)); }
| "gateway"		{ TRY(build_synproxy_gateway(parse, @1)); }
;

proxy_to:
  "to"			{ TRY(build_synproxy_to(parse, @1)); }
;

proxy_dport:
  "dport"		{ TRY(build_synproxy_dport(parse, @1)); }
;

filter:
  filter_word "{" filter_rules "}"
| filter_word "{" filter_rules default separators "}"
;

filter_word:
  "filter"		{ TRY(build_stage(parse, MACRO_FILTER, @1)); }
;

separators:
  %empty
| separators ";"
;

filter_rules:
  %empty
| filter_rules filter_rule	{ TRY(build_filter_rule_end(parse)); }
| filter_rules "use" NAME	{ TRY(build_use(parse, @3, $3)); }
| filter_rules ";"
;

filter_rule:
  filter_verb
| filter_rule filter_part
;

filter_verb:
  "accept"		{ TRY(build_filter_rule(parse, @1, FILTER_ACCEPT)); }
| "drop"		{ TRY(build_filter_rule(parse, @1, FILTER_DROP)); }
| "reject"		{ TRY(build_filter_rule(parse, @1, FILTER_REJECT)); }
;

filter_part:
  "with" VALUE		{ TRY(build_filter_reject(parse, @2, $2)); }
| "limit" VALUE		{ TRY(build_limit_rate(parse, @1, @2, $2)); }
| match
| modifier
| "established"		{ TRY(build_later_established(parse, @1)); }
;

match:
  "ipv4"		{ TRY(build_filter_family(parse, @1, FILTER_FAMILY_IPV4)); }
| "ipv6"		{ TRY(build_filter_family(parse, @1, FILTER_FAMILY_IPV6)); }
| "arp"			{ TRY(build_filter_family(parse, @1, FILTER_FAMILY_ARP)); }
| "tcp"			{ TRY(build_filter_protocol(parse, @1, IPPROTO_TCP)); }
| "udp"			{ TRY(build_filter_protocol(parse, @1, IPPROTO_UDP)); }
| "icmp"		{ TRY(build_filter_protocol(parse, @1, IPPROTO_ICMP)); }
| "icmpv6"		{ TRY(build_filter_protocol(parse, @1, IPPROTO_ICMPV6)); }
| "sctp"		{ TRY(build_filter_protocol(parse, @1, IPPROTO_SCTP)); }
| addresses not_addresses targets
| field_begin not values
| "type" { TRY(build_filter_field(parse, @1, FILTER_FIELD_TYPE)); } values
| "code" { TRY(build_filter_field(parse, @1, FILTER_FIELD_CODE)); } values
| "flags" VALUE		{ TRY(build_filter_flags(parse, @1, @2, $2)); }
| "fragment" VALUE	{ TRY(build_filter_fragment(parse, @1, @2, $2)); }
| "extension" VALUE	{ TRY(build_filter_extension(parse, @1, @2, $2)); }
| "mac" VALUE		{ TRY(build_filter_mac(parse, @1, @2, $2)); }
;

modifier:
  "burst" VALUE		{ TRY(build_limit_burst(parse, @1, @2, $2)); }
| "per" VALUE		{ TRY(build_limit_per(parse, @1, @2, $2)); }
| "ban" REFERENCE ban_time	{ TRY(build_limit_ban(parse, @1, @2, $2)); }
| "else" "drop"		{ TRY(build_limit_else(parse, @1)); }
| "log"			{ TRY(build_filter_log(parse, @1, @1, NULL)); }
| "log" VALUE		{ TRY(build_filter_log(parse, @1, @2, $2)); }
| "count" NAME		{ TRY(build_filter_counter(parse, @1, @2, $2)); }
;

ban_time:
  %empty
| DURATION		{ TRY(build_limit_ban_time(parse, @1, $1)); }
;

addresses:
  "from"		{ TRY(build_filter_addresses(parse, @1, true)); }
| "to"			{ TRY(build_filter_addresses(parse, @1, false)); }
;

not_addresses:
  %empty
| "not"			{ build_filter_not_addresses(parse); }
;

field_begin:
  field			{ TRY(build_filter_field(parse, @1, $1)); }
;

field:
  "protocol"		{ $$ = FILTER_FIELD_PROTOCOL; }
| "sport"		{ $$ = FILTER_FIELD_SPORT; }
| "dport"		{ $$ = FILTER_FIELD_DPORT; }
| "ethertype"		{ $$ = FILTER_FIELD_ETHERTYPE; }
| "vlan"		{ $$ = FILTER_FIELD_VLAN; }
| "dscp"		{ $$ = FILTER_FIELD_DSCP; }
| "ttl"			{ $$ = FILTER_FIELD_TTL; }
| "length"		{ $$ = FILTER_FIELD_LENGTH; }
;

not:
  %empty
| "not"			{ build_filter_not(parse); }
;

values:
  value
| "{" value_list "}"		{ TRY(build_filter_values_end(parse)); }
| "{" value_list "," "}"	{ TRY(build_filter_values_end(parse)); }
;

value_list:
  value
| value_list "," value
;

value:
  VALUE			{ TRY(build_filter_value(parse, @1, $1)); }
;

%%

int keyword_token(const char *word)
{
	for (int token = TOKEN_SET; token <= TOKEN_CAPTURE; token++) {
		if (!strcmp(word, yysymbol_name(YYTRANSLATE(token))))
			return token;
	}
	return 0;
}

bool is_keyword(const char *word)
{
	return keyword_token(word) != 0;
}

static bool is_word(yysymbol_kind_t symbol)
{
	return symbol >= YYSYMBOL_SET && symbol <= YYSYMBOL_DEFAULT;
}

static bool is_quoted(yysymbol_kind_t symbol)
{
	return is_word(symbol) || symbol == YYSYMBOL_OPEN || symbol == YYSYMBOL_COMMA || symbol == YYSYMBOL_CLOSE;
}

static bool is_shown(yysymbol_kind_t symbol)
{
	/* A separator can nearly always stand there and says nothing. */
	return symbol <= YYSYMBOL_CLOSE;
}

/* Made of letters: whoever wrote it meant a word of the language, not a prefix. */
static bool looks_like_word(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")] == '\0';
}

/* "expected `from`, `to` or `}`". The end of the file, which is symbol 0, comes last. */
static void hint_expected(struct error *error, const yysymbol_kind_t *expected, int count)
{
	char text[512] = "";
	int total = 0;

	while (total < count && is_shown(expected[total]))
		total++;
	for (int i = 0; i < total; i++) {
		yysymbol_kind_t symbol = expected[expected[0] == YYSYMBOL_YYEOF ? (i + 1) % total : i];
		const char *quote = is_quoted(symbol) ? "`" : "";
		const char *join = i == 0 ? "" : i + 1 == total ? " or " : ", ";
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used, "%s%s%s%s", join, quote, yysymbol_name(symbol), quote);
	}
	error_hint(error, "expected %s", text);
}

static bool is_expected(yysymbol_kind_t symbol, const yysymbol_kind_t *expected, int count)
{
	for (int i = 0; i < count; i++) {
		if (expected[i] == symbol)
			return true;
	}
	return false;
}

/* Where a rule of the filter begins, or goes on until the next one does. */
static bool begins_rule(const yysymbol_kind_t *expected, int count)
{
	return is_expected(YYSYMBOL_ACCEPT, expected, count);
}

/* Words of the middle of a rule: too many to name one by one. */
static bool is_inside_rule(const yysymbol_kind_t *expected, int count)
{
	return is_expected(YYSYMBOL_SPORT, expected, count);
}

static void hint_rule(struct error *error, yysymbol_kind_t token, const yysymbol_kind_t *expected, int count)
{
	if (token == YYSYMBOL_COMMA)
		error_hint(error, "several values stand in braces: { 80, 443 }");
	else if (is_expected(YYSYMBOL_RATE, expected, count))
		error_hint(error, "a limit goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
				  "…) or with its rate: 100/s, 10mbit/s");
	else if (is_expected(YYSYMBOL_ACCEPT, expected, count))
		error_hint(error, "a rule goes on with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
				  "…), limit, log or count, or the next one begins: accept, drop or reject");
	else if (is_expected(YYSYMBOL_BURST, expected, count))
		error_hint(error, "behind its rate a limit has burst, per, ban, else drop, log or count, or the next one "
				  "begins with a match");
	else
		error_hint(error, "a limit begins with a match (ipv4, tcp, protocol, from, to, sport, dport, flags, type, "
				  "…), or with `all`: udp sport 53 1000/s per source");
}

static const char *near_word(const char *word, const yysymbol_kind_t *expected, int count)
{
	const char *words[YYNTOKENS] = { NULL };

	for (int i = 0; i < count; i++) {
		if (is_word(expected[i]))
			words[i] = yysymbol_name(expected[i]);
	}
	return nearest(word, words, (size_t)count);
}

static void set_unexpected(struct parse *parse, struct location where, yysymbol_kind_t token, const char *text)
{
	const struct location *brace = &parse->braces[parse->depth - (parse->depth > 0)];

	if (token == YYSYMBOL_YYEOF && parse->depth)
		error_at(parse->error, where, "unexpected end of the file: the { at line %d, column %d is not closed",
			 brace->line, brace->column);
	else if (token == YYSYMBOL_YYEOF)
		error_at(parse->error, where, "unexpected end of the file");
	else if (token == YYSYMBOL_STRING)
		error_at(parse->error, where, "unexpected string %.80s", text);
	else if (token == YYSYMBOL_WORD && looks_like_word(text))
		error_at(parse->error, where, "unknown word `%.80s`", text);
	else
		error_at(parse->error, where, "unexpected `%.80s`", text);
}

/* A number that the lexer did not take for a rate, nor whoever wrote it for an address. */
static bool is_half_a_rate(const char *text)
{
	return *text >= '0' && *text <= '9' && !strpbrk(text, ".:");
}

/* Called by the parser; the lexer's last token is the one that does not fit. */
static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, struct parse *parse)
{
	yysymbol_kind_t expected[YYNTOKENS];
	int count = yypcontext_expected_tokens(context, expected, YYNTOKENS);
	yysymbol_kind_t token = yypcontext_token(context);
	const char *text = yyget_text(scanner);
	const char *meant = NULL, *habit = NULL;

	if (count < 0)
		return count;
	set_unexpected(parse, *yypcontext_location(context), token, text);
	if (token == YYSYMBOL_WORD || token == YYSYMBOL_NAME)
		meant = near_word(text, expected, count);
	if (token == YYSYMBOL_WORD && is_half_a_rate(text) && is_expected(YYSYMBOL_RATE, expected, count))
		return limit_rate_parse(text, *yypcontext_location(context), &(struct filter_limit){ 0 }, parse->error);
	if (begins_rule(expected, count))
		habit = habit_in_rule(text);
	else if (is_inside_rule(expected, count))
		habit = habit_in_limit(text);
	if (habit)
		error_hint(parse->error, "%s", habit);
	else if (meant)
		error_hint(parse->error, "did you mean `%s`?", meant);
	else if (token == YYSYMBOL_WORD && is_name(text) && is_expected(YYSYMBOL_REFERENCE, expected, count) &&
		 !is_expected(YYSYMBOL_WORD, expected, count))
		error_hint(parse->error, "a set has an @ in front of its name: @%.80s", text);
	else if (is_expected(YYSYMBOL_OPEN_FILTER, expected, count))
		error_hint(parse->error, "behind its name stand its rules: macro NAME { drop tcp flags syn,fin }");
	else if (token == YYSYMBOL_USE)
		error_hint(parse->error, "`use NAME` stands in block, limit or filter, where a rule could begin");
	else if (is_inside_rule(expected, count))
		hint_rule(parse->error, token, expected, count);
	else
		hint_expected(parse->error, expected, count);
	return 0;
}

/* Only for a parser that runs out of stack or memory. */
static int yyerror(const struct location *where, void *scanner, struct parse *parse, const char *message)
{
	return error_at(parse->error, *where, "%s", message);
}

# SPDX-License-Identifier: BSD-2-Clause
"""import blocklist: published and saved lists as set files, and what is said of what cannot be taken."""
import ipaddress
import random
import shutil
import time

import pytest

from lab import SLUICE, sh
from test_import import importing


def taking(text, *options):
    """(prefixes, messages before the numbers)"""
    lines, messages = importing("blocklist", text, *options)
    assert lines[0] == f"# from blocklist, standard input: {len(lines) - 1} prefix{'es' * (len(lines) != 2)}"
    return lines[1:], messages[:-1]


PLAIN = ["9.9.9.0/24", "11.2.3.4", "2a00:1::/32"]
SPAMHAUS = '{"cidr":"9.9.9.0/24","sblid":"SBL1","rir":"arin"}\n{"cidr":"11.2.3.4/32"}\n{"cidr":"2a00:1::/32"}\n'
SAVED = ("create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 11.2.3.4\nadd bad 9.9.9.0/24 comment \"a timeout\"\n"
         "create bad6 hash:net family inet6 hashsize 1024 maxelem 65536\nadd bad6 2a00:1::/32\n")


@pytest.mark.parametrize("text, options", [
    ("11.2.3.4\n9.9.9.0/24\n2a00:1::/32\n", ()),
    ("11.2.3.4\r\n9.9.9.0/24\r\n\r\n2a00:1::/32", ()),
    ("\ufeff# a list, with a comment\n11.2.3.4 # one\n; two\n9.9.9.0/24 ; SBL1, SBL2\n// three\n2a00:1::/32 // four\n", ()),
    ("\t11.2.3.4/255.255.255.255\n 9.9.9.0/255.255.255.0 \n2a00:1::/32\n", ()),
    ("11.2.3.4-11.2.3.4\n9.9.9.0 - 9.9.9.255\n2a00:1::-2a00:1:ffff:ffff:ffff:ffff:ffff:ffff\n", ()),
    (SPAMHAUS + '{"type":"metadata","timestamp":1,"size":3}\n', ()),
    ("\ufeff" + SPAMHAUS.replace("\n", "\r\n"), ()),
    (SPAMHAUS.replace("cidr", "net"), ("--column", "net")),
    (SPAMHAUS, ("--column", "net")),
    (SAVED, ()),
    ("# saved\n" + SAVED + "COMMIT\n", ()),
    ("first,address,port\n1,11.2.3.4,80\n2,9.9.9.0/24,\n3,2a00:1::/32\n", ("--column", "address")),
    ('# Feodo\n"first seen";"Address"\n"a; ""b""";"11.2.3.4"\n# note\n"";9.9.9.0-9.9.9.255\n;"2a00:1::/32"\n', ("--column", "address")),
    ("# first\taddress\n1\t11.2.3.4\n2\t9.9.9.0/24\n3\t 2a00:1::/32 \n", ("--column", "address")),
    ("first\taddress\tsecond\n\t11.2.3.4\t8.8.8.8\n\t9.9.9.0/24\t\n1\t2a00:1::/32\t8.8.8.8\n", ("--column", "address")),
    ("\taddress\n1\t11.2.3.4\n2\t9.9.9.0/24\n3\t2a00:1::/32\n", ("--column", "address")),
    ("11.2.3.4 // spam, phishing\n9.9.9.0/24\n2a00:1::/32\n", ()),
    ("address\n11.2.3.4\n9.9.9.0/24\n2a00:1::/32\n", ("--column", "address")),
    ("11.2.3.4 ; SBL1\n9.9.9.0/24\n2a00:1::/32\n", ("--column", "address")),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.split("\n")[0][:30])
def test_each_kind_of_list(text, options):
    assert taking(text, *options) == (PLAIN, [])


def test_several_files_become_one_list_that_a_policy_takes(tmp_path):
    (tmp_path / "plain").write_text("9.9.9.0/24\n11.2.3.4\n")
    (tmp_path / "saved").write_text(SAVED)
    (tmp_path / "csv").write_text("n,ip\n1,9.9.9.9\n")
    result = sh(SLUICE, "import", "blocklist", tmp_path / "plain", tmp_path / "saved", tmp_path / "csv", "--column", "ip", "-",
                input=SPAMHAUS)
    lines = result.stdout.splitlines()
    assert lines == [f"# from blocklist, {tmp_path}/plain, {tmp_path}/saved, {tmp_path}/csv, standard input: 3 prefixes", *PLAIN]
    assert result.stderr == "9 entries, 3 prefixes: 5 were there before, 1 inside of others, 0 joined with a neighbour\n"
    (tmp_path / "bad.set").write_text(result.stdout)
    (tmp_path / "policy").write_text('set bad file "bad.set"\ninterface eth0 { block { from @bad } }\n')
    sh("setpriv", "--bounding-set=-all", SLUICE, "check", tmp_path / "policy")


NOT_TAKEN = "standard input:2: not carried over: "


@pytest.mark.parametrize("line, why", [
    ("example.org", "`example.org` is not an address or prefix"),
    ("http://example.org/", "`http:` is not an address or prefix"),
    ("9.9.9.9 80", "`9.9.9.9 80` is more than an address; # or ; or // begins a comment"),
    ("10.1", "10.1 is a short form of an IPv4 address, which programs read in different ways"),
    ("009.9.9.9", "`009.9.9.9` is not an address or prefix"),
    ("9.9.9.0/33", "9.9.9.0/33 has a prefix length that is too long"),
    ("9.9.9.0/", "9.9.9.0/ has no valid prefix length"),
    ("9.9.9.0/255.0.255.0", "9.9.9.0/255.0.255.0 has no valid prefix length"),
    ("9.9.9.0/4294967297", "9.9.9.0/4294967297 has a prefix length that is too long"),
    ("::ffff:9.9.9.9", "::ffff:9.9.9.9 is IPv4-mapped: IPv4 packets do not carry such addresses"),
    ("9.9.9.9-9.9.9.1", "9.9.9.9-9.9.9.1 ends before it begins"),
    ("9.9.9.0/24-9.9.10.0/24", "9.9.9.0/24-9.9.10.0/24: a range is from one address to another"),
    ("9.9.9.9-2a00::", "9.9.9.9-2a00:: begins in one family and ends in the other"),
    ("9.9.9.9-", "`` is not an address or prefix"),
    ("\x1b[2J", "`?[2J` is not an address or prefix"),
])
def test_what_is_not_carried_over_is_listed(line, why):
    assert taking(f"11.2.3.4\n{line}\n") == (["11.2.3.4"], [NOT_TAKEN + why])


@pytest.mark.parametrize("line, why", [
    ("add bad 9.9.9.9,tcp:80", "`9.9.9.9,tcp:80` is about more than an address"),
    ("add bad 9.9.9.9 nomatch", "`9.9.9.9` is an exception (nomatch): the policy's `except` is for such"),
    ("add bad", "`add` is not what ipset saves: lines begin with create or add"),
    ("flush bad all", "`flush` is not what ipset saves: lines begin with create or add"),
    ("add bad 02:00:00:00:00:01", "`02:00:00:00:00:01` is not an address or prefix"),
])
def test_what_a_set_file_cannot_say_of_ipset(line, why):
    assert taking(f"add bad 11.2.3.4\n{line}\n") == (["11.2.3.4"], [NOT_TAKEN + why])


def test_a_set_whose_mask_is_its_own_and_entries_that_expire():
    text = ("create nets hash:ip family inet netmask 24\nadd nets 9.9.9.0\ncreate bad hash:ip family inet timeout 60\n"
            "add bad 11.2.3.4 timeout 17\nadd bad 11.2.3.5 comment \"no timeout\"\n")
    assert taking(text) == (["11.2.3.4/31"], [
        NOT_TAKEN + "`9.9.9.0` is a network, of which the set alone has the mask",
        "standard input: 1 of its entries would expire (timeout): in a set file they do not"])


def test_what_ipset_itself_saves():
    if not shutil.which("ipset"):
        pytest.skip("no ipset here")
    made = ("create nets hash:net timeout 300 comment; add nets 9.9.9.0/24 comment 'a nomatch'; add nets 9.9.9.7 nomatch;"
            "add nets 12.0.0.0/8 timeout 0; create six hash:net family inet6; add six 2a00:1::/32;"
            "create bits bitmap:ip range 11.2.3.0-11.2.3.255; add bits 11.2.3.4")
    lines = ["set -e"] + [f"ipset {words.strip()}" for words in made.split(";")] + ["ipset save"]
    saved = sh("unshare", "-n", "sh", "-c", "\n".join(lines), check=False)
    if saved.returncode:
        pytest.skip(f"this kernel has no such sets: {saved.stderr.strip()}")
    taken, messages = taking(saved.stdout)
    assert taken == ["9.9.9.0/24", "11.2.3.4", "12.0.0.0/8", "2a00:1::/32"]
    number = next(n for n, line in enumerate(saved.stdout.splitlines(), 1) if line.endswith(" nomatch"))
    assert messages == [
        f"standard input:{number}: not carried over: `9.9.9.7` is an exception (nomatch): the policy's `except` is for such",
        "standard input: 1 of its entries would expire (timeout): in a set file they do not"]


@pytest.mark.parametrize("line, why", [
    ('{"cidr":5}', 'it has no text named "cidr"'), ('{"ip":"9.9.9.9"}', 'it has no text named "cidr"'),
    ('{"cidr":"9.9.9.9"', "this is no JSON: '}' expected near end of file"), ("9.9.9.9", "this is no JSON: '[' or '{' expected near '9.9'"),
])
def test_lines_of_json_without_a_prefix(line, why):
    assert taking('{"cidr":"11.2.3.4"}\n' + line) == (["11.2.3.4"], [NOT_TAKEN + why])


@pytest.mark.parametrize("row, why", [
    ("1", 'the line ends before the column "ip"'), ("1,", 'the column "ip" is empty'), ('1,""', 'the column "ip" is empty'),
    ('"1,9.9.9.9', "a quote does not end on this line"), ("1,9.9.9.9:443", "`9.9.9.9:443` is not an address or prefix"),
])
def test_rows_without_an_address(row, why):
    taken, messages = taking(f"n,ip\n1,11.2.3.4\n{row}\n", "--column", "ip")
    assert taken == ["11.2.3.4"] and messages == [NOT_TAKEN.replace(":2:", ":3:") + why]


@pytest.mark.parametrize("text, options, message", [
    ("n,ip\n1,9.9.9.9\n", (), ["standard input:1: error: this is a list with columns",
                              "say with --column NAME which one has the addresses", "column 1: n", "column 2: ip"]),
    ("# x\nn;ips;c\n", ("--column", "ip"), ['standard input:2: error: there is no column "ip"', 'did you mean "ips"?']),
    ("first\tsecond\n", ("--column", "ip"), ['standard input:1: error: there is no column "ip"', "column 1: first", "column 2: second"]),
    ("\n<!DOCTYPE html>\n", (), ["standard input:2: error: this is a page of the web, no list"]),
    ('[{"cidr":"9.9.9.9"}]\n', (), ["standard input:1: error: this is JSON, but not an object on each line",
                                    "jq -c '.[]' makes lines of a list"]),
    ("service unavailable\n", (), [NOT_TAKEN.replace(":2:", ":1:") + "`service unavailable` is more than an address; # or ; or // begins a comment",
                                   "standard input: error: no line of it has an address"]),
    ("9.9.9.9\n\0\n", (), ["standard input: error: it is no text: there is a zero byte in it"]),
])
def test_what_is_no_list_prints_nothing(text, options, message):
    lines, messages = importing("blocklist", text, *options, status=1)
    assert not lines and messages == message


@pytest.mark.parametrize("text", ["# nothing today\n", "\ufeff; nothing", "\n\n// nothing\n"])
def test_comments_alone_are_an_empty_list(text):
    assert taking(text) == ([], [])


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " \r\n"])
def test_nothing_at_all_is_a_download_that_failed(text):
    lines, messages = importing("blocklist", text, status=1)
    assert not lines and messages == ["standard input: error: there is nothing in it, not even a comment"]


def test_a_bad_file_among_good_ones_prints_nothing(tmp_path):
    (tmp_path / "good").write_text("9.9.9.9\n")
    (tmp_path / "bad").write_text("<html>\n")
    result = sh(SLUICE, "import", "blocklist", tmp_path / "good", tmp_path / "bad", check=False)
    assert (result.returncode, result.stdout) == (1, "") and f"{tmp_path}/bad:1:1" not in result.stderr
    assert f"{tmp_path}/bad:1: error: this is a page of the web" in result.stderr


def test_host_bits_are_told_and_cleared():
    assert taking("9.9.9.77/24\n2a00:1::1/32\n11.1.1.1/255.255.0.0\n") == (["9.9.9.0/24", "11.1.0.0/16", "2a00:1::/32"], [
        "standard input:1: 9.9.9.77/24 has host bits set: taken as 9.9.9.0/24",
        "standard input:2: 2a00:1::1/32 has host bits set: taken as 2a00:1::/32",
        "standard input:3: 11.1.1.1/255.255.0.0 has host bits set: taken as 11.1.0.0/16"])


def test_a_range_is_one_special_entry():
    assert taking("10.0.0.1-10.0.0.254\n")[1] == ["standard input:1: 10.0.0.1 is of 10.0.0.0/8, private"]


def test_special_addresses_are_told():
    _, messages = taking("9.9.9.9\n10.1.0.0/16\n192.168.3.4\n10.2.3.4\n128.0.0.0/2\nfe80::1\n")
    assert messages == [
        "standard input:2: 10.1.0.0/16 is of 10.0.0.0/8, private; 2 entries of this file are",
        "standard input:5: 128.0.0.0/2 takes in 169.254.0.0/16, link-local", "standard input:5: 128.0.0.0/2 takes in 172.16.0.0/12, private",
        "standard input:3: 192.168.3.4 is of 192.168.0.0/16, private", "standard input:6: fe80::1 is of fe80::/10, link-local"]


@pytest.mark.parametrize("text, version", [("0.0.0.0/0", 4), ("0.0.0.0-255.255.255.255", 4), ("::/0", 6)])
def test_every_address_is_left_out(text, version):
    """One such line, and a list that a script renews cuts the machine off."""
    assert taking(f"9.9.9.9\n{text}\n") == (["9.9.9.9"], [
        f"standard input:2: not carried over: this is every address of IPv{version}"])


@pytest.mark.parametrize("family", [4, 6])
def test_the_list_is_what_the_addresses_are_and_as_short_as_can_be(family):
    rng, bits = random.Random(family), 32 if family == 4 else 128
    networks = []
    for _ in range(3000):
        length = rng.randrange(bits - 14, bits + 1)
        address = (0x0909 << bits - 16) | rng.getrandbits(14)
        networks.append(ipaddress.ip_network((address >> bits - length << bits - length, length)))
    taken, messages = taking("".join(f"{network}\n" for network in networks))
    assert not messages
    assert [ipaddress.ip_network(text) for text in taken] == list(ipaddress.collapse_addresses(networks))


def test_a_million_lines_take_seconds(tmp_path):
    rng = random.Random(1)
    (tmp_path / "list").write_text("".join(f"{rng.randrange(11, 90)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}\n"
                                           for _ in range(1000000)))
    start = time.monotonic()
    result = sh(SLUICE, "import", "blocklist", tmp_path / "list")
    assert time.monotonic() - start < 10 and result.stdout.count("\n") > 900000

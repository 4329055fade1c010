# SPDX-License-Identifier: BSD-2-Clause
"""What `check` says of a filter: what it is made into, and what is odd about it, with the place; never an error."""
import re

import pytest

from lab import SLUICE, sh


@pytest.fixture
def check(tmp_path):
    def run(*rules):
        path = tmp_path / "check.policy"
        path.write_text("\n".join(["interface eth0 { filter {", *rules, "} }", ""]))
        result = sh(SLUICE, "check", path)
        return result.stdout, result.stderr.replace(str(path), "P").splitlines()
    return run


def test_what_a_filter_is_made_into(check):
    said, warned = check("accept tcp dport { 80, 443 }", "accept ipv4 udp from 192.0.2.0/24", "drop")
    assert "  filter: 3 rules, 5 boxes in IPv4, 3 in IPv6\n" in said and not warned
    assert re.search(r"^  classifier IPv4: 5 boxes in \d+ groups?, leaves of at most \d+, \d+ KiB$", said, re.M)
    assert re.search(r"^  classifier IPv6: 3 boxes in ", said, re.M)


def test_one_of_each_is_not_several(check):
    said, _ = check("accept ipv4 udp")
    assert "  filter: 1 rule, 1 box in IPv4, 0 in IPv6\n" in said
    assert re.search(r"^  classifier IPv4: 1 box in 1 group, leaves of at most 1, \d+ KiB$", said, re.M)


def test_rules_that_nothing_reaches_are_named(check):
    _, warned = check("drop tcp dport 1-100", "accept tcp dport 22", "drop", "accept udp")
    assert [line.split(": ")[:2] for line in warned] == [["P:3:1", "warning"], ["P:5:1", "warning"]]


def test_rules_that_only_a_walk_tells_apart_are_named(check):
    said, warned = check(*(f"drop mac 02:00:00:00:00:{number:02x}" for number in range(100)))
    assert "overlap so much that each packet" in warned[0]
    named = [re.fullmatch(r"P:(\d+): warning: one of them: drop mac 02:00:00:00:00:(..)", line) for line in warned]
    assert [int(match[1]) - 2 for match in named if match] == [int(match[2], 16) for match in named if match] != []


def test_rules_that_differ_in_addresses_and_ports_need_no_walk(check):
    said, warned = check(*(f"drop tcp from 10.{number}.0.0/16 dport {number + 1}" for number in range(200)))
    assert not warned


def check_text(tmp_path, text):
    path = tmp_path / "check.policy"
    path.write_text(text)
    result = sh(SLUICE, "check", path)
    return result.stdout, result.stderr.replace(str(path), "P").splitlines()


def test_what_limits_are_made_into(tmp_path):
    said, warned = check_text(tmp_path, """interface eth0 {
        limit {
            tcp dport { 80, 443 } 100/s per source
            all 10mbit/s
        }
        filter { accept ipv4 }
    }""")
    assert "default pass, 3 rules\n  limit: 2 limits, 4 boxes in IPv4, 3 in IPv6\n" in said and not warned
    assert "  filter: 1 rule, 1 box in IPv4, 0 in IPv6\n" in said


def test_what_is_odd_about_limits_is_told_where_it_stands(tmp_path):
    _, warned = check_text(tmp_path, """set banned dynamic size 9
    interface eth0 {
        limit {
            tcp 100/s per source ban @banned
            tcp dport 80 100/s
            udp 6/m per source
        }
    }""")
    assert warned == [
        "P:4:38: warning: sources are banned into @banned, but nothing drops what is from it; write in a block: from "
        "@banned",
        "P:4:38: warning: bans into @banned have no end; write one: ban @banned 10m",
        "P:5:13: warning: this limit is never reached: the one at line 4 has all of it",
        "P:6:21: warning: so slow a limit per source holds everybody back once a flood from random sources brings some "
        "209715 packets a second"]


def test_a_byte_order_mark_is_not_of_the_text(tmp_path):
    (tmp_path / "list.txt").write_text("\ufeff192.0.2.1\n")
    said, warned = check_text(tmp_path, "\ufeffset list file \"list.txt\"\ninterface eth0 { block { from @list } }\n")
    assert said.endswith("check.policy: ok\n") and not warned

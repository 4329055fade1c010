# SPDX-License-Identifier: BSD-2-Clause
"""The limit stage: which packets are within a limit, which over it, and who is banned; by the clock of the capture."""
import json
import re

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from judging import (DESTINATION4, DESTINATION6, SOURCE4, SOURCE6, ether, ipv4, judge, policy_text, write_capture,
                     write_files)
from lab import SLUICE, sh

A_SECOND = 1000  # frames of a capture: each a microsecond after the one before, the next thousand a second later
SETS = "set banned dynamic size 1000 timeout 1h"


def udp(source=SOURCE4, target=None, dport=53, length=60):
    version = IPv6 if ":" in source else IP
    head = version(src=source, dst=target or (DESTINATION6 if ":" in source else DESTINATION4)) / UDP(sport=1, dport=dport)
    return ether(head / bytes(max(length - len(ether(head)), 0)))


def passed(body, frames, **options):
    """Numbers of the frames that pass."""
    return [n for n, line in enumerate(judge(body, frames, **options)) if line["verdict"] == "pass"]


def reasons(body, frames, sets=SETS):
    return [line["reason"] for line in judge(body, frames, sets=sets)]


def test_a_burst_passes_and_then_the_rate():
    frames = [udp()] * 6 + [udp("192.0.2.9")] * 6 + [udp()] * (3 * A_SECOND - 12)
    lines = judge("limit { udp dport 53 10/s burst 4 per source }", frames)
    within = [n for n, line in enumerate(lines) if line["verdict"] == "pass"]
    assert within[:8] == [0, 1, 2, 3, 6, 7, 8, 9]
    assert [sum(n // A_SECOND == second for n in within[8:]) for second in range(3)] == [0, 4, 4]
    assert (lines[0]["reason"], lines[0]["stage"], lines[0].get("rule")) == ("default", "default", None)
    assert (lines[4]["reason"], lines[4]["stage"], lines[4]["rule"]) == ("limit", "limit", "test.policy:3")


def test_what_is_within_a_limit_goes_on_to_the_filter():
    lines = judge("limit { udp 1/m burst 2 }\nfilter { drop udp dport 53\naccept udp }",
                  [udp(), udp(dport=54), udp(), udp(dport=54)])
    assert [(line["reason"], line["rule"].split(":")[1]) for line in lines] == [
        ("filter-rule", "4"), ("filter-rule", "5"), ("limit", "3"), ("limit", "3")]


def test_the_first_limit_that_matches_applies():
    body = "limit {\nudp dport 53 1/m burst 1\nudp 1/m burst 3\n}"
    frames = [udp(), udp(), udp(dport=1), udp(dport=2), udp(), udp(dport=3), udp(dport=4), ether(IP() / TCP())]
    lines = judge(body, frames)
    assert [line["verdict"] == "pass" for line in lines] == [True, False, True, True, False, True, False, True]
    assert [line["rule"][-1] for line in lines if "rule" in line] == ["4", "4", "5"]


def test_what_an_earlier_stage_drops_is_not_counted():
    body = "block { to 203.0.113.0/24 }\nfragments drop\nlimit { udp 1/m burst 2 }"
    blocked, fragment = udp(target="203.0.113.1"), ipv4(bytes(16), 17, flags="MF")
    assert passed(body, [blocked, fragment] * 4 + [udp()] * 3) == [8, 9]


def test_matches_are_those_of_the_filter():
    """Sets, flags, lengths: all that the key of a packet has, for the limit and then once more for the filter."""
    sets = "set office { 192.0.2.0/24, 2001:db8::/32 }"
    body = ("limit {\ntcp flags syn from @office 1/m burst 1\nudp length 1000-2000 1/m burst 1\n}\n"
            "filter {\naccept tcp from @office\naccept udp length 1000-2000\ndrop\n}")
    syn, ack = (ether(IP(src="192.0.2.5", dst=DESTINATION4) / TCP(flags=flags)) for flags in "SA")
    syn6 = ether(IPv6(src=SOURCE6, dst=DESTINATION6) / TCP(flags="S"))
    stranger = ether(IP(src="203.0.113.5", dst=DESTINATION4) / TCP(flags="S"))
    lines = judge(body, [syn, syn, ack, syn6, stranger, udp(length=1200), udp(length=1200), udp()], sets=sets)
    assert [line["reason"] for line in lines] == [
        "filter-rule", "limit", "filter-rule", "limit", "filter-rule", "filter-rule", "limit", "filter-rule"]
    assert [line["verdict"] for line in lines] == ["pass", "drop", "pass", "drop", "drop", "pass", "drop", "drop"]


KEYS = [
    # key, sources, destinations, ports, which pass of a limit of two
    ("", "1 2 3", "1 1 1", "5 5 5", [1, 1, 0]),
    ("per rule", "1 2 3", "1 1 1", "5 5 5", [1, 1, 0]),
    ("per source", "1 1 1 2", "1 2 3 1", "5 6 7 5", [1, 1, 0, 1]),
    ("per source/25", "1 2 3 129", "1 1 1 1", "5 5 5 5", [1, 1, 0, 1]),
    ("per destination", "1 2 3 1", "1 1 1 2", "5 6 7 5", [1, 1, 0, 1]),
    ("per destination/25", "1 2 3 1", "1 2 3 129", "5 6 7 5", [1, 1, 0, 1]),
    ("per source+dport", "1 1 1 1 2 1", "1 2 3 1 1 1", "5 5 5 6 5 6", [1, 1, 0, 1, 1, 1]),
]


@pytest.mark.parametrize("key, sources, destinations, ports, expected", KEYS, ids=[row[0] or "none" for row in KEYS])
def test_keys(key, sources, destinations, ports, expected):
    frames = [udp(f"192.0.2.{s}", f"198.51.100.{d}", int(p))
              for s, d, p in zip(sources.split(), destinations.split(), ports.split())]
    lines = judge(f"limit {{ udp 1/m burst 2 {key} }}", frames)
    assert [int(line["verdict"] == "pass") for line in lines] == expected


def test_keys_of_ipv6():
    """Who has one address of IPv6 has its /64."""
    def frames(*sources):
        return [udp(source) for source in sources]

    near, same = frames("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"), frames(*["2001:db8::1"] * 3)
    for key, sent, expected in (("per source", near, [0, 2]), ("per source/128", near, [0, 1, 2]),
                                ("per source/128", same, [0]), ("per source/48", near, [0])):
        assert passed(f"limit {{ udp 1/m burst 1 {key} }}", sent) == expected, key


def test_packets_without_a_port_share_one_of_their_own():
    later = ipv4(bytes(16), 17, frag=5)
    assert passed("limit { udp 1/m burst 1 per source+dport }", [udp(dport=0), later, udp(dport=0), later]) == [0, 1]


def test_bytes_are_those_of_the_frame():
    """10,000 bytes a second, 5,000 at once."""
    body = "limit { udp 80kbit/s burst 5000 per source }"
    within = passed(body, [udp(length=1000)] * (2 * A_SECOND) + [udp(length=100)] * A_SECOND)
    assert [sum(n // A_SECOND == second for n in within) for second in range(3)] == [5, 5, 50]


@pytest.mark.parametrize("rate", ["10kbyte/s", "80kbit/s"])
def test_units_of_bytes(rate):
    """3,000 bytes pass at once; a second later 10,000 more would, but for the burst."""
    within = passed(f"limit {{ udp {rate} burst 3kbyte }}", [udp(length=1000)] * (2 * A_SECOND))
    assert [sum(n // A_SECOND == second for n in within) for second in range(2)] == [3, 3]


def test_a_frame_longer_than_the_burst_passes_alone():
    """2,400 bytes take 2.4 seconds of a thousand bytes a second."""
    frames = [udp(length=2400)] * A_SECOND + [udp()] + [udp(length=2400)] * (2 * A_SECOND)
    assert passed("limit { udp 8kbit/s burst 1514 }", frames) == [0, A_SECOND, 3 * A_SECOND]


def test_a_ban_drops_the_next_packet_and_ends():
    body = "block { from @banned }\nlimit { udp 1/h burst 2 per source ban @banned 2s }"
    frames = [udp()] * 5 + [udp("192.0.2.9")] + [udp(dport=9)] * (A_SECOND - 6) + [udp()] * (2 * A_SECOND)
    found = reasons(body, frames)
    assert found[:6] == ["default", "default", "limit-ban", "block-source", "block-source", "default"]
    assert set(found[6:2 * A_SECOND]) == {"block-source"}
    again = [n for n, reason in enumerate(found) if reason == "limit-ban"]
    assert again == [2, 2 * A_SECOND + 2]  # two seconds after the third packet, to the microsecond


def test_a_ban_lasts_as_long_as_the_set_says():
    body = "block { from @banned }\nlimit { udp 1/h burst 1 per source ban @banned }"
    frames = [udp()] * (3 * A_SECOND)
    for timeout, bans in (("1s", [1, A_SECOND + 1, 2 * A_SECOND + 1]), ("1m", [1]), ("never", [1])):
        words = "" if timeout == "never" else f" timeout {timeout}"
        found = reasons(body, frames, f"set banned dynamic size 10{words}")
        assert [n for n, reason in enumerate(found) if reason == "limit-ban"] == bans, timeout


def test_without_a_block_a_ban_drops_only_what_is_over():
    """The set is there for whoever asks it: here nobody does."""
    found = reasons("limit { udp 1/h burst 1 per source ban @banned\ntcp 1/h burst 9 }",
                    [udp(), udp(), udp(), ether(IP(src=SOURCE4, dst=DESTINATION4) / TCP())])
    assert found == ["default", "limit-ban", "limit-ban", "default"]


def test_who_is_excepted_is_banned_but_not_blocked():
    body = f"block {{ except {SOURCE4}; from @banned }}\nlimit {{ udp 1/h burst 1 per source ban @banned }}"
    tcp = ether(IP(src=SOURCE4, dst=DESTINATION4) / TCP())
    assert reasons(body, [udp(), udp(), tcp]) == ["default", "limit-ban", "default"]


@pytest.mark.parametrize("key, sources, expected", [
    ("per source", "192.0.2.1 192.0.2.2", ["default"]),
    ("per source/24", "192.0.2.1 192.0.2.2", ["block-source"]),
    ("per source/24", "192.0.2.1 192.0.3.2", ["default"]),
    ("per source", "2001:db8::1 2001:db8::2", ["block-source"]),
    ("per source", "2001:db8::1 2001:db8:0:1::1", ["default"]),
    ("per source/128", "2001:db8::1 2001:db8::2", ["default"]),
    ("per rule", "2001:db8::1 2001:db8::2", ["default"]),
    ("per destination/24", "192.0.2.1 192.0.2.2", ["default"]),
    ("per source+dport", "192.0.2.1 192.0.2.2", ["default"]),
])
def test_what_is_banned_is_what_is_limited(key, sources, expected):
    """Or the address, where the limit is not about sources. The second source comes with what the limit is not about."""
    first, second = sources.split()
    body = f"block {{ from @banned }}\nlimit {{ udp dport 53 1/h burst 1 {key} ban @banned }}"
    found = reasons(body, [udp(first)] * 3 + [udp(second, dport=9)])
    assert found == ["default", "limit-ban", "block-source", *expected]


def test_a_set_that_is_full_takes_no_more_until_bans_end():
    body = "block { from @banned }\nlimit { udp 1/h burst 1 per source ban @banned 2s }"
    sources = [f"192.0.2.{n}" for n in range(1, 6)]
    frames = [udp(source) for source in sources for _ in range(2)]
    frames += [udp("203.0.113.1", dport=9)] * (3 * A_SECOND - len(frames)) + [udp(source) for source in sources * 2]
    found = reasons(body, frames, "set banned dynamic size 3")
    assert found[:10] == ["default", "limit-ban"] * 3 + ["default", "limit-full"] * 2
    # All have expired: whoever comes first gets the room again, oldest bans first.
    assert found[3 * A_SECOND:] == ["limit-ban"] * 3 + ["limit-full"] * 2 + ["block-source"] * 3 + ["limit-full"] * 2


def test_two_sets_of_bans():
    sets = "set slow dynamic size 1 timeout 1h\nset fast dynamic size 1 timeout 1h"
    body = "limit {\nudp dport 1 1/h burst 1 per source ban @slow\nudp dport 2 1/h burst 1 per source ban @fast\n}"
    frames = [udp(source, dport=port) for source in ("192.0.2.1", "192.0.2.2") for port in (1, 2) for _ in range(2)]
    assert reasons(body, frames, sets) == ["default", "limit-ban"] * 2 + ["default", "limit-full"] * 2


def test_the_filter_bans_and_counts_bytes_too():
    body = "block { from @banned }\nfilter { accept udp limit 8kbit/s burst 2000 per source ban @banned }"
    found = reasons(body, [udp(length=1000)] * 4 + [udp("192.0.2.9", length=1000)])
    assert found == ["filter-rule", "filter-rule", "filter-limit-ban", "block-source", "filter-rule"]


def test_limits_of_the_stage_and_of_the_filter_count_apart():
    body = "limit { udp 1/h burst 3 per source }\nfilter { accept udp limit 1/h burst 2 per source }"
    assert reasons(body, [udp()] * 4) == ["filter-rule", "filter-rule", "filter-limit", "limit"]


def test_explain_and_replay_name_the_limit(tmp_path):
    write_files(tmp_path, {"test.policy": policy_text("limit { udp dport 53 1/h burst 1 per source }\nfilter { drop tcp }")})
    arguments = [SLUICE, "explain", tmp_path / "test.policy", f"udp {SOURCE4}:1 > {DESTINATION4}:53"]
    lines = sh(*arguments).stdout.splitlines()
    assert re.fullmatch("  limit     goes on, within udp dport 53 1/h burst 1 per source   .*/test.policy:3", lines[2])
    said = json.loads(sh(*arguments, "-j").stdout)
    assert said["limit"].endswith("test.policy:3") and said["limit_text"].startswith("udp dport 53") and "rule" not in said
    first, second, third = judge("limit { udp 1/h burst 1 per source }", [udp(), udp(), ether(IP() / TCP())])
    assert (first["limit"].split("/")[-1], "rule" in first) == ("test.policy:3", False)
    assert ("limit" in second, second["rule"]) == (False, "test.policy:3")
    assert "limit" not in third and "rule" not in third


def test_diff_says_what_another_limit_changes(tmp_path):
    """Each policy judges all of the capture, with limits and sets of its own."""
    limit = "block {{ from @banned }}\nlimit {{ udp dport 53 1/h burst 2 per source{} }}"
    write_files(tmp_path, {"old.policy": policy_text(limit.format(""), SETS),
                           "new.policy": policy_text(limit.format(" ban @banned"), SETS)})
    write_capture(tmp_path / "frames.pcap", [udp()] * 4 + [udp(dport=9), udp("192.0.2.9")])
    said = sh(SLUICE, "diff", *(tmp_path / name for name in ("old.policy", "new.policy", "frames.pcap")), "-j").stdout
    changed = [json.loads(line) for line in said.splitlines() if "packet" in json.loads(line)]
    assert [(line["packet"], line["old"]["reason"], line["new"]["reason"]) for line in changed] == [
        (3, "limit", "limit-ban"), (4, "limit", "block-source"), (5, "default", "block-source")]

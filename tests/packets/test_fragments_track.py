# SPDX-License-Identifier: BSD-2-Clause
"""fragments track: later fragments have no ports, and get the verdict of their first."""
import struct

import pytest
from scapy.layers.inet import TCP, UDP

from judging import FRAGMENT, chain, ether, ipv4, ipv6, judge, tag, write_capture
from judging import policy_text, replay_lines

BODY = "fragments track\nfilter { accept udp dport 53\ndrop udp\nreject tcp\ndefault drop }"
FOUND = ("verdict", "reason", "rule")


def payload(dport):
    return bytes(UDP(sport=1, dport=dport, len=40)) + bytes(8)


def first4(dport=53, **fields):
    return ipv4(payload(dport), 17, **({"flags": "MF", "id": 7} | fields))


def later4(**fields):
    return ipv4(bytes(16), 17, **({"frag": 2, "id": 7} | fields))


def fragment6(data, offset, more, number=7, following=17):
    return ipv6(struct.pack("!BBHI", following, 0, offset * 8 | more, number) + data, FRAGMENT)


def judged(*frames, body=BODY):
    return [tuple(line.get(name) for name in FOUND) for line in judge(body, frames)]


PASSED = ("pass", "filter-rule", "test.policy:4")
DROPPED = ("drop", "filter-rule", "test.policy:5")
UNKNOWN = ("drop", "fragment-unknown", None)


def test_later_fragments_follow_their_first():
    """fragment without ports judged by ports: it is not."""
    assert judged(first4(), later4(), later4(frag=4)) == [PASSED] * 3
    assert judged(first4(54), later4(), later4(frag=4)) == [DROPPED] * 3


def test_the_same_in_ipv6_whatever_the_header_names():
    """RFC 8200, section 4.5: later fragments need not name the same next header."""
    first, later = fragment6(payload(53), 0, 1), fragment6(bytes(16), 2, 0, following=60)
    assert judged(first, later) == [PASSED] * 2
    assert judged(fragment6(payload(54), 0, 1), later) == [DROPPED] * 2


def test_a_fragment_before_its_first_is_dropped():
    assert judged(later4(), first4(), later4()) == [UNKNOWN, PASSED, PASSED]


@pytest.mark.parametrize("name, other", [
    ("identification", later4(id=8)),
    ("protocol", ipv4(bytes(16), 6, frag=3, id=7)),
    ("source", ether(ipv4(bytes(16), 17, frag=2, id=7)[14:], 0x0800).replace(
        bytes([192, 0, 2, 1]), bytes([192, 0, 2, 9]))),
    ("tag", tag(later4(), 5)),
    ("family", fragment6(bytes(16), 2, 0)),
])
def test_another_datagram_is_another(name, other):
    assert judged(first4(), other)[1] == UNKNOWN


def test_tags_are_part_of_a_datagram():
    assert judged(tag(first4(), 5, 6), tag(later4(), 5, 6), tag(later4(), 6, 5)) == [PASSED, PASSED, UNKNOWN]


def test_the_last_first_has_the_word():
    assert judged(first4(), first4(54), later4()) == [PASSED, DROPPED, DROPPED]


def test_what_is_answered_is_dropped_for_the_rest_of_it():
    first = ipv4(bytes(TCP(flags="S")) + bytes(4), 6, flags="MF", id=7)
    assert judged(first, ipv4(bytes(8), 6, frag=3, id=7))[1] == ("drop", "filter-reject", "test.policy:6")


def test_a_block_comes_before():
    body = f"block {{ from 192.0.2.1 }}\n{BODY}"
    assert [line[1] for line in judged(first4(), later4(), body=body)] == ["block-source"] * 2


def test_first_fragments_that_the_default_or_parse_decides_are_remembered():
    body = "malformed drop fragments track default pass"
    cut = ipv4(bytes(TCP())[:8], 6, flags="MF", id=9)
    later = ipv4(bytes(8), 6, frag=3, id=9)
    assert judged(first4(), later4(), cut, later, body=body) == [
        ("pass", "default", None)] * 2 + [("drop", "malformed-tcp", None)] * 2


def test_after_thirty_seconds_the_first_is_forgotten(tmp_path):
    """By the clock of the capture."""
    policy, capture = tmp_path / "test.policy", tmp_path / "test.pcap"
    policy.write_text(policy_text(BODY))
    for seconds, reason in ((29, "filter-rule"), (30, "fragment-unknown")):
        write_capture(capture, [first4(), later4()])
        data = bytearray(capture.read_bytes())
        at = 24 + 16 + len(first4())
        data[at:at + 8] = struct.pack("<II", 1700000000 + seconds, 0)
        capture.write_bytes(data)
        assert [line["reason"] for line in replay_lines(policy, capture)] == ["filter-rule", reason]


def test_a_full_table_never_means_open():
    """More datagrams than are tracked: what is forgotten is dropped, and none of a dropped first passes."""
    count = 20000
    firsts = [first4(53 + (n & 1), id=n) for n in range(count)]
    laters = [later4(id=n) for n in reversed(range(count))]
    verdicts = {0: set(), 1: set()}
    for number, line in zip(reversed(range(count)), judge(BODY, firsts + laters)[count:]):
        verdicts[number & 1].add((line["verdict"], line["reason"]))
    assert verdicts[0] == {("pass", "filter-rule"), ("drop", "fragment-unknown")}
    assert verdicts[1] == {("drop", "filter-rule"), ("drop", "fragment-unknown")}

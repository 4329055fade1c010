# SPDX-License-Identifier: BSD-2-Clause
"""Every reason of include/sluice/reason.h has a packet here that gets it. A reason without a row fails."""
import os
import re
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP

from judging import FRAGMENT, HOPOPT, IP4, OPTIONS, REASONS, ether, ipv4, ipv6, judge, tag, with_extensions

PLAIN = ether(IP4 / TCP(sport=1234, dport=443))
STRANGER = ether(IP(src="203.0.113.9", dst="198.51.100.7") / TCP(sport=1234, dport=443))
SETS = "set banned dynamic size 1 timeout 1h"

# reason: (what the interface says, a packet that gets it (the last of a list), how it is judged, a packet that nearly
# gets it)
PACKETS = {
    "default": ("default drop", PLAIN, "drop", ether(ARP())),
    "failsafe": ("default drop", ether(IP4 / ICMP(type=3, code=4)), "pass", ether(IP4 / ICMP(type=3, code=3))),
    "malformed-ethernet": ("", PLAIN[:13], "drop", ether(b"", 0x88b5)),
    "malformed-vlan": ("", tag(PLAIN, 7)[:17], "drop", tag(ether(b"", 0x88b5), 7)),
    "vlan-depth": ("", tag(PLAIN, 7, 8, 9), "drop", tag(PLAIN, 7, 8)),
    "malformed-arp": ("", ether(bytes(ARP())[:27], 0x0806), "drop", ether(ARP())),
    "malformed-ipv4": ("", PLAIN[:-1], "drop", PLAIN),
    "malformed-ipv6": ("", ipv6(b"", 59)[:-1], "drop", ipv6(b"", 59)),
    "malformed-extension": ("", ipv6(bytes([59, 1]) + bytes(13), HOPOPT), "drop",
                            ipv6(bytes([59, 1]) + bytes(14), HOPOPT)),
    "extension-depth": ("", with_extensions([OPTIONS] * 9, 59, b""), "drop", with_extensions([OPTIONS] * 8, 59, b"")),
    "malformed-fragment": ("", ipv6(struct.pack("!BBHI", 47, 0, 1, 7) + bytes(9), FRAGMENT), "drop",
                           ipv6(struct.pack("!BBHI", 47, 0, 1, 7) + bytes(8), FRAGMENT)),
    "malformed-tcp": ("", ether(IP4 / TCP(dataofs=6)), "drop", ether(IP4 / TCP(dataofs=5))),
    "malformed-udp": ("", ether(IP4 / UDP(len=9)), "drop", ether(IP4 / UDP(len=8))),
    "malformed-icmp": ("", ipv4(bytes([8, 0]) + bytes(5), 1), "drop", ether(IP4 / ICMP())),
    "malformed-sctp": ("", ipv4(bytes(SCTP())[:11], 132), "drop", ether(IP4 / SCTP())),
    "block-source": ("block { from 192.0.2.0/31 }", PLAIN, "drop",
                     ether(IP(src="192.0.2.2", dst="198.51.100.7") / TCP())),
    "block-destination": ("block { to 198.51.100.6/31 }", PLAIN, "drop",
                          ether(IP(src="192.0.2.1", dst="198.51.100.8") / TCP())),
    "fragment-unknown": ("fragments track", ipv4(bytes(8), 47, frag=1), "drop", ipv4(bytes(8), 47, flags="MF")),
    "filter-rule": ("filter { drop tcp dport 443 }", PLAIN, "drop", ether(IP4 / TCP(dport=444))),
    "filter-limit": ("filter { accept tcp dport 443 limit 1/d burst 1\naccept tcp dport 444 }", [PLAIN, PLAIN], "drop",
                     ether(IP4 / TCP(dport=444))),
    "filter-limit-ban": ("filter { accept tcp dport 443 limit 1/d burst 1 per source ban @banned\naccept tcp dport 444 }",
                         [PLAIN, PLAIN], "drop", ether(IP4 / TCP(dport=444))),
    "filter-limit-full": ("filter { accept tcp dport 443 limit 1/d burst 1 per source ban @banned\naccept tcp dport 444 }",
                          [PLAIN, PLAIN, STRANGER, STRANGER], "drop", ether(IP4 / TCP(dport=444))),
    "limit": ("limit { tcp dport 443 1/d burst 1 }", [PLAIN, PLAIN], "drop", ether(IP4 / TCP(dport=444))),
    "limit-ban": ("limit { tcp dport 443 1/d burst 1 per source ban @banned }", [PLAIN, PLAIN], "drop",
                  ether(IP4 / TCP(dport=444))),
    "limit-full": ("limit { tcp dport 443 1/d burst 1 per source ban @banned }", [PLAIN, PLAIN, STRANGER, STRANGER],
                   "drop", ether(IP4 / TCP(dport=444))),
    "filter-reject": ("filter { reject tcp dport 443 }", PLAIN, "tx", ether(IP4 / TCP(dport=444))),
    "synproxy-checksum": ("synproxy { tcp dport 443 gateway }", ether(IP4 / TCP(dport=443, flags="S", chksum=1)), "drop",
                          ether(IP4 / TCP(dport=444, flags="S", chksum=1))),
    "synproxy-question": ("synproxy { tcp dport 443 gateway }", PLAIN, "tx", ether(IP4 / TCP(dport=443, flags="A"))),
    "fragment": ("fragments drop", ipv4(bytes(8), 47, frag=1), "drop", ipv4(bytes(8), 47, flags="DF")),
}


# Those that depend on sockets, or on an earlier answer, have theirs in test_synproxy.py.
ELSEWHERE = {"synproxy-cookie", "synproxy-invalid", "synproxy-admitted"}


def test_the_table_and_the_header_have_the_same_reasons():
    assert set(PACKETS) | ELSEWHERE == set(REASONS) and not set(PACKETS) & ELSEWHERE
    text = open(os.path.join(os.path.dirname(__file__), "test_synproxy.py"), encoding="utf-8").read()
    assert all(f'"{reason}"' in text for reason in ELSEWHERE)
    numbers = [number for number, _ in REASONS.values()]
    assert len(set(numbers)) == len(numbers) and 0 < min(numbers) and max(numbers) < 256


@pytest.mark.parametrize("reason", PACKETS)
def test_reason(reason):
    body, frame, verdict, twin = PACKETS[reason]
    frames = frame if isinstance(frame, list) else [frame]
    *_, found, other = judge(body, [*frames, twin], sets=SETS)
    assert (found["reason"], found["verdict"], found["stage"]) == (reason, verdict, REASONS[reason][1])
    assert other["reason"] != reason
    assert (found.get("malformed") == reason) == (REASONS[reason][1] == "parse")
    assert re.fullmatch("(block|filter|limit|synproxy)-.*", reason) is None or found["rule"] == "test.policy:3"


def test_a_reason_belongs_to_the_stage_that_gives_it():
    """A later stage does not judge what an earlier one decided: the packet has something for each of them."""
    frame = ipv4(bytes(7), 17, flags="MF")  # malformed, blocked, a fragment
    reasons = []
    for body in ("", "malformed pass", "malformed pass fragments drop", "malformed pass"):
        block = "" if len(reasons) > 1 else "block { from 192.0.2.1 }"
        reasons.append(judge(f"default drop {body} {block}", [frame])[0]["reason"])
    assert reasons == ["malformed-fragment", "block-source", "fragment", "default"]

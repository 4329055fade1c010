# SPDX-License-Identifier: BSD-2-Clause
"""Packets of every kind, cut at every byte of their headers: always a verdict, never a wrong address, port or type."""
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP

from judging import (AH, EXTENSIONS, FRAGMENT, HOPOPT, IP4, IP6, OPTIONS, ROUTING, ether, expectation, ipv4, ipv6,
                     judge, tag, with_extensions)

DATA = b"\xfe" * 16  # as ports, 65278
PORTS = {"sport": 1234, "dport": 443}
TAGS = {"": (), "tagged ": (7,), "tagged twice ": ((0x88a8, 7), 8), "0x9100 ": ((0x9100, 9), (0x9100, 10))}
NAMES_ON_THE_WAY = {"ipv4", "ipv6", *EXTENSIONS.values()}


def transports():
    options = [("MSS", 1460), ("SAckOK", ""), ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)]
    return {"TCP": (6, bytes(TCP(**PORTS))), "TCP options": (6, bytes(TCP(**PORTS, options=options))),
            "UDP": (17, bytes(UDP(**PORTS, len=8 + len(DATA)))), "SCTP": (132, bytes(SCTP(**PORTS)))}


def kinds():
    """name → (frame, where its headers end). Without tags."""
    found = {}

    def add(name, frame, headers=None):
        found[name] = (frame, len(frame) - len(DATA) if headers is None else headers)

    for name, (protocol, header) in transports().items():
        add(f"IPv4 {name}", ipv4(header + DATA, protocol))
        add(f"IPv4 options {name}", ipv4(header + DATA, protocol, options=b"\x01" * 12))
        add(f"IPv4 first fragment {name}", ipv4(header + bytes(-len(header) % 8) + DATA, protocol, flags="MF"))
        add(f"IPv4 later fragment {name}", ipv4(header + DATA, protocol, frag=3), 34)
        add(f"IPv6 {name}", ipv6(header + DATA, protocol))
        for kind, extension in EXTENSIONS.items():
            add(f"IPv6 {extension} {name}", with_extensions([kind], protocol, header + DATA))
        add(f"IPv6 later fragment {name}", ipv6(struct.pack("!BBHI", protocol, 0, 24, 7) + header + DATA, FRAGMENT), 62)
    for headers in ([HOPOPT, OPTIONS], [HOPOPT, ROUTING, AH], [HOPOPT, OPTIONS, ROUTING, FRAGMENT, AH, OPTIONS],
                    [(OPTIONS, 64)], [(AH, 28), (OPTIONS, 24)], [OPTIONS] * 8):
        add(f"IPv6 chain {headers}", with_extensions(headers, 6, bytes(TCP(**PORTS)) + DATA))
    for name, protocol in (("GRE", 47), ("ESP", 50), ("IGMP", 2), ("254", 254)):
        add(f"IPv4 {name}", ipv4(DATA, protocol))
        add(f"IPv6 {name}", ipv6(DATA, protocol))
    add("IPv4 in IPv4", ether(IP4 / IP(src="203.0.113.1", dst="203.0.113.2") / UDP(sport=7, dport=9)), 34)
    add("ICMP echo", ipv4(bytes(ICMP()) + DATA, 1))
    add("ICMP unreachable", ether(IP4 / ICMP(type=3, code=4) / IP(src="203.0.113.1", dst="203.0.113.2") / UDP()), 42)
    for name, message in (("echo", ICMPv6EchoRequest()), ("packet too big", ICMPv6PacketTooBig()),
                          ("solicitation", ICMPv6ND_NS())):
        frame = ether(IP6 / message / DATA)
        add(f"ICMPv6 {name}", frame, 62)
    add("ARP", ether(ARP(psrc="192.0.2.1", pdst="192.0.2.2")) + DATA)
    for name, ethertype in (("LLDP", 0x88cc), ("unknown EtherType", 0x88b5), ("MPLS", 0x8847), ("802.3", 16)):
        add(name, ether(DATA, ethertype))
    return found


def corpus():
    """Lists of equal length: names, frames, where the headers end."""
    rows = []
    for tags_name, tags in TAGS.items():
        for name, (frame, end) in kinds().items():
            rows.append((tags_name + name, tag(frame, *tags), end + 4 * len(tags)))
    return zip(*rows)


NAMES, FRAMES, ENDS = corpus()


@pytest.fixture(scope="module")
def whole():
    return judge("default pass", FRAMES)


def test_the_corpus():
    assert len(set(FRAMES)) == len(FRAMES) >= 200


def test_the_corpus_is_good(whole):
    assert [name for name, line in zip(NAMES, whole) if line["verdict"] != "pass" or "malformed" in line] == []


def contradiction(line, full, size):
    """What the line of a packet cut to `size` bytes says that cannot be, or None."""
    if line["verdict"] not in ("pass", "drop") or not line["reason"]:
        return "no verdict"
    for key in ("src", "dst", "sport", "dport", "icmp_type", "icmp_code"):
        if key in line and line[key] != full.get(key):
            return f"{key} {line[key]}, not {full.get(key)}"
    if ("sport" in line) != ("dport" in line) or ("src" in line) != ("dst" in line):
        return "half of a pair"
    if line["vlan"] != full["vlan"][:len(line["vlan"])]:
        return f"vlan {line['vlan']}, not {full['vlan']}"
    if line["fragment"] not in (full["fragment"], "none"):
        return f"fragment {line['fragment']}, not {full['fragment']}"
    if "malformed" not in line and {**line, "length": 0} != {**full, "length": 0}:
        return f"not malformed, and yet other than the whole: {line}"
    if "malformed" in line and (line["verdict"], line["reason"]) != ("drop", line["malformed"]):
        return f"malformed, and yet {line['verdict']}"
    if line.get("proto") not in {None, full["proto"]} | NAMES_ON_THE_WAY:
        return f"proto {line['proto']}, not {full['proto']}"
    if "sport" in line and size < 14 + 20 + 4:
        return "ports of a packet that has not got them"
    return None


def check(whole, cut, frames_and_sizes):
    """Judges cut frames; `cut` gives (the frame for replay, its index in the corpus, its size)."""
    cases = [(cut(index, size), index, size) for index, size in frames_and_sizes]
    cases = [case for case in cases if case[0] is not None]
    lines = judge("default pass", [frame for frame, _, _ in cases])
    wrong = []
    for line, (frame, index, size) in zip(lines, cases):
        what = contradiction(line, whole[index], size)
        if what:
            wrong.append(f"{NAMES[index]} cut to {size} of {len(FRAMES[index])}: {what}")
        assert line["length"] == expectation(frame)["length"]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:20])
    return [(line, index, size) for line, (_, index, size) in zip(lines, cases)]


def every_byte():
    return [(index, size) for index, end in enumerate(ENDS) for size in range(min(end + 4, len(FRAMES[index])) + 1)]


def test_short_frames(whole):
    """As if the sender had stopped: a frame shorter than its own lengths say."""
    judged = check(whole, lambda index, size: FRAMES[index][:size], every_byte())
    assert len(judged) > 10000
    for line, index, size in judged:
        if size < len(FRAMES[index]) and "src" in whole[index]:
            assert "malformed" in line, f"{NAMES[index]} cut to {size}"
            assert "sport" not in line  # IP's length settles it before anyone looks for ports


def fit(frame, size):
    """The frame cut to `size`, with IP's length what is left, so that the headers above are what ends too early. None
    when the cut is in the IP header."""
    at = 14
    while frame[at - 2:at] in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"):
        at += 4
    ethertype = frame[at - 2:at]
    if ethertype == b"\x08\x00" and size >= at + 4 * (frame[at] & 15):
        return frame[:at + 2] + struct.pack("!H", size - at) + frame[at + 4:size]
    if ethertype == b"\x86\xdd" and size >= at + 40:
        return frame[:at + 4] + struct.pack("!H", size - at - 40) + frame[at + 6:size]
    return None


def test_short_packets(whole):
    """As if the sender had meant it so: IP's length says the packet ends in the middle of a header."""
    judged = check(whole, lambda index, size: fit(FRAMES[index], size), every_byte())
    assert len(judged) > 3000
    for line, index, size in judged:
        full = whole[index]
        if size >= ENDS[index] and full["proto"] not in ("udp", "icmpv6") and full["fragment"] != "first":
            assert "malformed" not in line, f"{NAMES[index]} cut to {size}"
        if size < ENDS[index] and "sport" in full:
            assert "malformed" in line, f"{NAMES[index]} cut to {size}"


def test_cut_captures(whole):
    """All of it was on the wire, the capture has the beginning: judged by what is there, like the whole from where the
    headers are there."""
    judged = check(whole, lambda index, size: (FRAMES[index][:size], len(FRAMES[index])), every_byte())
    assert len(judged) > 10000
    for line, index, size in judged:
        if size >= ENDS[index]:
            assert line == whole[index], f"{NAMES[index]} cut to {size}"


def test_cut_captures_beside_a_block(whole):
    """A blocked source is blocked as soon as its address can be read, and dropped as malformed before that."""
    cases = [(index, size) for index, size in every_byte() if "src" in whole[index]]
    lines = judge("block { from 192.0.2.1, 2001:db8::1 }", [(FRAMES[i][:size], len(FRAMES[i])) for i, size in cases])
    passed = [f"{NAMES[i]} cut to {size}" for line, (i, size) in zip(lines, cases) if line["verdict"] != "drop"]
    assert not passed, f"{len(passed)} of {len(cases)}: {passed[:20]}"

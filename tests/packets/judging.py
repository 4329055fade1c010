# SPDX-License-Identifier: BSD-2-Clause
"""Frames in, what Sluice says of each out: through the real program, by `sluice replay`.

A table of packets is judged in one replay:

    TABLE = Table("default pass")
    TABLE.row("udp", ether(IP4 / UDP()), proto="udp", **ADDRESSES4, sport=53, dport=53)
    test_udp = TABLE.test()
"""
import json
import os
import re
import struct
import tempfile

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from lab import SLUICE, sh

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))

ETHERNET = 1  # LINKTYPE_ETHERNET

SOURCE4, DESTINATION4 = "192.0.2.1", "198.51.100.7"
SOURCE6, DESTINATION6 = "2001:db8::1", "2001:db8:ffff::7"
ADDRESSES4 = {"src": SOURCE4, "dst": DESTINATION4}
ADDRESSES6 = {"src": SOURCE6, "dst": DESTINATION6}
IP4 = IP(src=SOURCE4, dst=DESTINATION4)
IP6 = IPv6(src=SOURCE6, dst=DESTINATION6)


def read_reasons():
    """name → (number, stage), from the table that both sides of Sluice share."""
    with open(os.path.join(TOP, "include/sluice/reason.h"), encoding="utf-8") as file:
        text = file.read()
    rows = re.findall(r'X\((\d+), [A-Z0-9_]+, "([a-z]+)", "([a-z0-9-]+)",', text)
    return {name: (int(number), stage) for number, stage, name in rows}


REASONS = read_reasons()


def ether(payload, ethertype=None):
    """The bytes of a frame without VLAN tags. Payload is a scapy packet or bytes; bytes need an EtherType."""
    head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if ethertype is not None:
        head.type = ethertype
    return bytes(head / (payload if isinstance(payload, Packet) else Raw(payload)))


def tag(frame, *tags):
    """The frame with VLAN tags, outermost first: each an id, or (TPID, id), or (TPID, id, upper 4 bits of the TCI)."""
    for one in reversed(tags):
        tpid, vlan, bits = (*((0x8100, one) if isinstance(one, int) else one), 0)[:3]
        frame = frame[:12] + struct.pack("!HH", tpid, bits << 12 | vlan) + frame[12:]
    return frame


def ipv4(payload, protocol, **fields):
    """A frame with an IPv4 header over these bytes; scapy would guess at what they are."""
    return ether(IP(src=SOURCE4, dst=DESTINATION4, proto=protocol, **fields) / Raw(payload))


def ipv6(payload, next_header, **fields):
    return ether(IPv6(src=SOURCE6, dst=DESTINATION6, nh=next_header, **fields) / Raw(payload))


HOPOPT, ROUTING, FRAGMENT, AH, OPTIONS = 0, 43, 44, 51, 60
EXTENSIONS = {HOPOPT: "hopopt", ROUTING: "ipv6-route", FRAGMENT: "ipv6-frag", AH: "ah", OPTIONS: "ipv6-opts"}


def extension(kind, following, size=8):
    """An IPv6 extension header of `size` bytes, zero but for its next header and its length."""
    if kind == FRAGMENT:
        return bytes([following]) + bytes(7)
    units = size // 4 - 2 if kind == AH else size // 8 - 1
    return bytes([following, units]) + bytes(size - 2)


def chain(headers, protocol, payload):
    """(first next-header, bytes) of extension headers, each a kind or (kind, size), over the payload."""
    following, data = protocol, payload
    for header in reversed(headers):
        kind, size = (header, 16 if header == AH else 8) if isinstance(header, int) else header
        data = extension(kind, following, size) + data
        following = kind
    return following, data


def with_extensions(headers, protocol, payload):
    first, data = chain(headers, protocol, payload)
    return ipv6(data, first)


def write_capture(path, frames, link_type=ETHERNET, snap_length=262144):
    """A pcap file. A frame is its bytes, or (bytes, length on the wire) when the capture has only a part of it."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, snap_length, link_type))
        for number, frame in enumerate(frames):
            data, length = frame if isinstance(frame, tuple) else (frame, len(frame))
            out.write(struct.pack("<IIII", 1700000000 + number // 1000, number % 1000, len(data), length))
            out.write(data)


def policy_text(body, sets=""):
    """Sets come first; the interface is not one of this machine."""
    return f"{sets}\ninterface port0 {{\n{body}\n}}\n"


def write_files(folder, files):
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(text)


def replay_lines(policy, capture, *options, host=None):
    """What `replay -j` says of each packet of a capture, on that host of a lab or on this machine."""
    arguments = ["replay", policy, capture, "-j", *options]
    result = host.sluice(*arguments) if host else sh(SLUICE, *arguments, timeout=300)
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


HEADER_FIELDS = ("tcp_flags", "ttl", "dscp")  # said of every packet that has them


def judge(body, frames, sets="", files=None, header_fields=False, host=None):
    """What Sluice says of each frame, without the packet's number, which is checked here; with `header_fields` also of
    those, which are the same whatever the policy (test_filter.py)."""
    with tempfile.TemporaryDirectory(prefix="sluice-packets-") as folder:
        policy, capture = os.path.join(folder, "test.policy"), os.path.join(folder, "test.pcap")
        write_files(folder, {"test.policy": policy_text(body, sets), **(files or {})})
        write_capture(capture, frames)
        lines = replay_lines(policy, capture, host=host)
    assert [line.pop("packet") for line in lines] == list(range(1, len(frames) + 1))
    for line in lines:
        for name in HEADER_FIELDS if not header_fields else ():
            line.pop(name, None)
        if "rule" in line:  # the folder is gone
            line["rule"] = os.path.basename(line["rule"])
    return lines


def expectation(frame, **fields):
    """The whole JSON object. What is not said: passed by default, no tag, no fragment, as long as the frame."""
    length = frame[1] if isinstance(frame, tuple) else len(frame)
    expected = {"verdict": "pass", "reason": "default", "vlan": [], "fragment": "none", "length": length} | fields
    return expected | {"stage": REASONS[expected["reason"]][1]}


def malformed(reason, **fields):
    """The fields of a packet that parse refused."""
    return {"verdict": "drop", "reason": reason, "malformed": reason, **fields}


class Table:
    """Packets and what Sluice has to say of each, field by field, judged in one replay."""

    def __init__(self, body, **options):
        self.body = body
        self.options = options
        self.frames, self.names, self.expected = [], [], []
        self.judged = None

    def row(self, name, frame, **fields):
        assert name not in self.names
        self.frames.append(frame)
        self.names.append(name)
        self.expected.append(expectation(frame, **fields))

    def lines(self):
        if self.judged is None:
            self.judged = judge(self.body, self.frames, **self.options)
        return self.judged

    def test(self):
        """A test function for pytest, with a case for each row."""

        @pytest.mark.parametrize("row", range(len(self.names)), ids=self.names)
        def check(row):
            assert self.lines()[row] == self.expected[row]

        return check

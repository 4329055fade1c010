# SPDX-License-Identifier: BSD-2-Clause
"""reject: the answer, byte for byte, and what is never answered."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6Unknown, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from judging import (DESTINATION4, DESTINATION6, FRAGMENT, IP4, IP6, SOURCE4, SOURCE6, ether, ipv4, ipv6, judge, tag)

REJECT = "filter { reject }"
PROHIBIT = "filter { reject with admin-prohibited }"


def answer(body, frame):
    """(verdict, the answer's bytes) of one frame."""
    line = judge(body, [frame])[0]
    assert line["reason"] == "filter-reject" and line["rule"] == "test.policy:3"
    assert ("output" in line) == (line["verdict"] == "tx")
    return line["verdict"], bytes.fromhex(line.get("output", ""))


def back(payload):
    """A frame of the other direction, all checksums by scapy."""
    return bytes(Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / payload)


BACK4 = IP(src=DESTINATION4, dst=SOURCE4, id=0, flags="DF", ttl=64)
BACK6 = IPv6(src=DESTINATION6, dst=SOURCE6, hlim=64)


def reset_of(segment, version, payload=0):
    flags = segment.flags
    fields = {"sport": segment.dport, "dport": segment.sport, "window": 0}
    if "A" in flags:
        reset = TCP(flags="R", seq=segment.ack, **fields)
    else:
        reset = TCP(flags="RA", seq=0, ack=(segment.seq + payload + ("S" in flags) + ("F" in flags)) & 0xffffffff,
                    **fields)
    return back((BACK4 if version == 4 else BACK6) / reset)


SEGMENTS = {
    "syn": (TCP(sport=1234, dport=443, seq=1000, flags="S"), b""),
    "syn with options": (TCP(sport=1, dport=2, seq=0xffffffff, flags="S", options=[("MSS", 1460), ("SAckOK", b"")]), b""),
    "syn with data": (TCP(sport=1, dport=2, seq=5, flags="S"), b"hello"),
    "fin": (TCP(sport=1, dport=2, seq=5, ack=9, flags="F"), b""),
    "nothing": (TCP(sport=1, dport=2, seq=7, flags=0), b"abc"),
    "ack": (TCP(sport=1, dport=2, seq=5, ack=77, flags="A"), b""),
    "data": (TCP(sport=1, dport=2, seq=5, ack=0xdeadbeef, flags="PA"), bytes(1400)),
    "syn and ack": (TCP(sport=1, dport=2, seq=5, ack=6, flags="SA"), b""),
}


@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("version", [4, 6])
def test_a_segment_is_answered_with_a_reset(name, version):
    """RFC 9293, section 3.5.2."""
    segment, data = SEGMENTS[name]
    frame = ether((IP4 if version == 4 else IP6) / segment / Raw(data))
    assert answer(REJECT, frame) == ("tx", reset_of(segment, version, len(data)))


def test_a_reset_is_right_whatever_is_in_front_of_the_segment():
    segment = TCP(sport=1234, dport=443, seq=1000, flags="S")
    options = bytes([7, 7, 4, 0, 0, 0, 0, 0])  # record route
    frame = ipv4(options + tcp_bytes(segment), 6, ihl=7, len=28 + 20)
    assert answer(REJECT, frame) == ("tx", reset_of(segment, 4))
    frame = ether(IP6 / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / segment)
    assert answer(REJECT, frame) == ("tx", reset_of(segment, 6))


def tcp_bytes(segment):
    return bytes(IP(src=SOURCE4, dst=DESTINATION4) / segment)[20:]


@pytest.mark.parametrize("tags", [(5,), ((0x88a8, 6), 7)])
def test_tags_and_what_pads_a_frame(tags):
    """The tags stay; padding is no part of the segment nor of the answer. The segment's own checksum may be wrong (as
    with partial checksums on a veth): that of the answer is not."""
    segment = TCP(sport=1234, dport=443, seq=1000, flags="S", chksum=0x1234)
    frame = tag(ether(IP4 / segment), *tags) + bytes(6)
    assert answer(REJECT, frame) == ("tx", tag(reset_of(segment, 4), *tags))
    frame = tag(ether(IP6 / UDP(sport=1, dport=2, chksum=1) / b"x"), *tags) + bytes(3)
    assert answer(REJECT, frame) == ("tx", tag(unreachable(frame[14 + 4 * len(tags):-3], 6, 4), *tags))


def unreachable(packet, version, code):
    """The ICMP error about a packet (the bytes of IP)."""
    if version == 4:
        return back(IP(src=DESTINATION4, dst=SOURCE4, id=0, flags="DF", ttl=64, tos=0xc0, proto=1)
                    / ICMP(type=3, code=code) / Raw(packet[:576 - 28]))
    return back(BACK6 / ICMPv6DestUnreach(code=code) / Raw(packet[:1280 - 48]))


KINDS = {"port-unreachable": (3, 4), "host-unreachable": (1, 3), "net-unreachable": (0, 0), "admin-prohibited": (13, 1)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [4, 6])
def test_each_kind_of_icmp_error(kind, version):
    frame = ether((IP4 if version == 4 else IP6) / TCP(sport=5, dport=6, flags="S"))
    body = f"filter {{ reject with {kind} }}"
    assert answer(body, frame) == ("tx", unreachable(frame[14:], version, KINDS[kind][version == 6]))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [*range(10), 519, 520, 521, 547, 548, 549, 1183, 1184, 1185, 1400, 3000])
def test_an_error_quotes_as_much_as_it_may(version, size):
    """576 bytes in all, ICMPv6 1280: RFC 1812, section 4.3.2.3; RFC 4443, section 3.1. Odd lengths too."""
    frame = ether((IP4 if version == 4 else IP6) / UDP(sport=1, dport=2) / Raw(bytes(i % 251 for i in range(size))))
    assert answer(REJECT, frame) == ("tx", unreachable(frame[14:], version, 3 if version == 4 else 4))


@pytest.mark.parametrize("name, frame", [
    ("protocol without ports", ipv4(b"", 250)),
    ("sctp", ether(IP4 / SCTP(sport=1, dport=2))),
    ("echo request", ether(IP4 / ICMP())),
    ("first fragment", ipv4(bytes(UDP(sport=1, dport=2, len=24)) + bytes(8), 17, flags="MF")),
    ("with don't fragment", ether(IP(src=SOURCE4, dst=DESTINATION4, flags="DF") / UDP(sport=1, dport=2))),
])
def test_what_is_not_tcp_is_answered_with_port_unreachable(name, frame):
    assert answer(REJECT, frame) == ("tx", unreachable(frame[14:], 4, 3))


def to_station(frame, destination=None, source=None):
    return bytes.fromhex(destination or frame[:6].hex()) + bytes.fromhex(source or frame[6:12].hex()) + frame[12:]


UDP4 = ether(IP4 / UDP(sport=1, dport=2))
SILENT = {
    "reset": ether(IP4 / TCP(flags="R")),
    "reset and ack": ether(IP6 / TCP(flags="RA")),
    "destination unreachable": ether(IP4 / ICMP(type=3, code=1) / bytes(IP4 / UDP())),
    "redirect": ether(IP4 / ICMP(type=5)),
    "time exceeded": ether(IP4 / ICMP(type=11)),
    "parameter problem": ether(IP4 / ICMP(type=12)),
    "unknown ICMP": ether(IP4 / ICMP(type=200)),
    "ICMPv6 error": ether(IP6 / ICMPv6DestUnreach() / bytes(IP6 / UDP())),
    "unknown ICMPv6 error": ether(IP6 / ICMPv6Unknown(type=100) / bytes(4)),
    "later fragment": ipv4(bytes(8), 17, frag=1),
    "first fragment of TCP": ipv4(bytes(TCP(flags="S")) + bytes(4), 6, flags="MF"),
    "later fragment of IPv6": ipv6(bytes([17, 0, 0, 8, 0, 0, 0, 1]) + bytes(8), FRAGMENT),
    "broadcast of the link": to_station(UDP4, "ffffffffffff"),
    "multicast of the link": to_station(UDP4, "01005e000001"),
    "from a multicast station": to_station(UDP4, source="010000000001"),
    "to multicast": ether(IP(src=SOURCE4, dst="224.0.0.1") / UDP()).replace(bytes.fromhex("01005e000001"), bytes(6)),
    "to broadcast": ether(IP(src=SOURCE4, dst="255.255.255.255") / UDP()),
    "from nowhere": ether(IP(src="0.0.0.0", dst=DESTINATION4) / UDP()),
    "from loopback": ether(IP(src="127.0.0.1", dst=DESTINATION4) / UDP()),
    "from multicast": ether(IP(src="239.1.2.3", dst=DESTINATION4) / UDP()),
    "from broadcast": ether(IP(src="255.255.255.255", dst=DESTINATION4) / UDP()),
    "IPv6 from nowhere": ether(IPv6(src="::", dst=DESTINATION6) / UDP()),
    "IPv6 from loopback": ether(IPv6(src="::1", dst=DESTINATION6) / UDP()),
    "IPv6 from multicast": ether(IPv6(src="ff02::1", dst=DESTINATION6) / UDP()),
    "IPv6 to multicast": ether(IPv6(src=SOURCE6, dst="ff02::1") / UDP()),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_is_never_answered_is_dropped(name):
    """RFC 1122, section 3.2.2; RFC 4443, section 2.4 (e); RFC 9293, section 3.5.2."""
    frame = to_station(SILENT[name], "020000000002") if "multi" in name or "broad" in name else SILENT[name]
    if "of the link" in name:
        frame = SILENT[name]
    assert answer(REJECT, frame) == ("drop", b"")


def test_what_is_malformed_is_not_answered():
    line = judge("malformed pass " + REJECT, [ether(IP4 / UDP(len=7))])[0]
    assert (line["verdict"], line["reason"]) == ("drop", "filter-reject")


def test_answers_are_bounded():
    """A thousand a second, fifty at once: the capture's clock moves by a microsecond a packet."""
    verdicts = [line["verdict"] for line in judge(REJECT, [UDP4] * 60)]
    assert verdicts == ["tx"] * 50 + ["drop"] * 10


def test_a_reset_only_where_the_rule_says_so():
    lines = judge("filter { reject with tcp-reset tcp\nreject with port-unreachable udp }", [
        ether(IP4 / TCP(flags="S")), UDP4])
    assert [line["verdict"] for line in lines] == ["tx", "tx"]
    assert bytes.fromhex(lines[0]["output"])[23] == 6 and bytes.fromhex(lines[1]["output"])[23] == 1

# SPDX-License-Identifier: BSD-2-Clause
"""malformed: each way in which a packet can contradict itself, beside its twin that is nearly so and good."""
import struct

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from judging import (ADDRESSES4, ADDRESSES6, AH, DESTINATION4, DESTINATION6, FRAGMENT, HOPOPT, IP4, IP6, OPTIONS,
                     ROUTING, SOURCE4, SOURCE6, Table, ether, ipv4, ipv6, judge, malformed, tag, with_extensions)

PORTS = {"sport": 1234, "dport": 443}
TCP_BYTES = bytes(TCP(sport=1234, dport=443))
UDP_BYTES = bytes(UDP(sport=1234, dport=443, len=16)) + bytes(8)
SCTP_BYTES = bytes(SCTP(sport=1234, dport=443))
PLAIN = ether(IP4 / TCP(sport=1234, dport=443))


def patch(frame, offset, replacement):
    return frame[:offset] + replacement + frame[offset + len(replacement):]


def link_table():
    table = Table("malformed drop")
    for size in range(14):
        table.row(f"Ethernet {size} bytes", PLAIN[:size], **malformed("malformed-ethernet"))
    table.row("Ethernet 14 bytes", ether(b"", 0x88b5), proto="0x88b5")
    one, two = tag(PLAIN, 7), tag(PLAIN, 7, 8)
    for size in range(14, 18):
        table.row(f"VLAN {size} bytes", one[:size], **malformed("malformed-vlan"))
        table.row(f"second VLAN {size + 4} bytes", two[:size + 4], vlan=[7], **malformed("malformed-vlan"))
    table.row("VLAN 18 bytes", tag(ether(b"", 0x88b5), 7), vlan=[7], proto="0x88b5")
    table.row("second VLAN 22 bytes", tag(ether(b"", 0x88b5), 7, 8), vlan=[7, 8], proto="0x88b5")
    table.row("three VLANs, nothing after", tag(PLAIN, 7, 8, 9)[:22], vlan=[7, 8], proto="vlan",
              **malformed("vlan-depth"))
    arp = ether(ARP(psrc="192.0.2.1", pdst="192.0.2.2"))
    for size in range(14, 42):
        table.row(f"ARP {size} bytes", arp[:size], proto="arp", **malformed("malformed-arp"))
    table.row("ARP 42 bytes", arp, proto="arp")
    table.row("ARP hardware length one more", patch(arp, 18, b"\x07"), proto="arp", **malformed("malformed-arp"))
    table.row("ARP protocol length one more", patch(arp, 19, b"\x05"), proto="arp", **malformed("malformed-arp"))
    table.row("ARP lengths one more, padded", patch(arp, 18, b"\x07\x05") + bytes(4), proto="arp")
    table.row("ARP lengths of 255", patch(arp + bytes(1000), 18, b"\xff\xff"), proto="arp")
    table.row("ARP lengths of 255, one byte short", patch(arp + bytes(8 + 1020 - 28 - 1), 18, b"\xff\xff"), proto="arp",
              **malformed("malformed-arp"))
    return table


def ipv4_table():
    table = Table("malformed drop")
    bad = malformed("malformed-ipv4")
    good = {"proto": "tcp", **ADDRESSES4, **PORTS}
    read = {"proto": "tcp", **ADDRESSES4}
    for size in range(14, 34):
        table.row(f"{size - 14} bytes of IPv4", PLAIN[:size], proto="ipv4", **bad)
    for version in (0, 3, 5, 6, 15):
        table.row(f"version {version}", patch(PLAIN, 14, bytes([version << 4 | 5])), proto="ipv4", **bad)
    for words in range(5):
        table.row(f"header of {words} words", patch(PLAIN, 14, bytes([0x40 | words])), **read, **bad)
    table.row("header of 5 words", PLAIN, **good)
    table.row("header longer than the packet", patch(PLAIN, 14, b"\x4b"), **read, **bad)
    table.row("header as long as the packet", patch(ipv4(bytes(20), 253), 14, b"\x4a"), proto="253", **ADDRESSES4)
    for length in (0, 19, 41, 65535):
        table.row(f"total length {length} of 40", patch(PLAIN, 16, struct.pack("!H", length)), **read, **bad)
    table.row("total length 40 of 40", patch(PLAIN, 16, struct.pack("!H", 40)), **good)
    table.row("total length 41, padded", patch(PLAIN, 16, struct.pack("!H", 41)) + b"\0", **good)
    table.row("total length 20: no header of TCP", patch(PLAIN, 16, struct.pack("!H", 20)), **read,
              **malformed("malformed-tcp"))
    table.row("tagged: total length one more", patch(tag(PLAIN, 5), 20, struct.pack("!H", 41)), vlan=[5], **read, **bad)
    table.row("the whole frame's length is none of IP's", patch(PLAIN, 16, struct.pack("!H", 54)), **read, **bad)
    return table


def ipv6_table():
    table = Table("malformed drop")
    plain = ether(IP6 / TCP(sport=1234, dport=443))
    good = {"proto": "tcp", **ADDRESSES6, **PORTS}
    read = {"proto": "tcp", **ADDRESSES6}
    bad = malformed("malformed-ipv6")
    for size in range(14, 54):
        table.row(f"{size - 14} bytes of IPv6", plain[:size], proto="ipv6", **bad)
    for version in (0, 4, 5, 7, 15):
        table.row(f"version {version}", patch(plain, 14, bytes([version << 4])), proto="ipv6", **bad)
    for length in (21, 60, 65535):
        table.row(f"payload length {length} of 20", patch(plain, 18, struct.pack("!H", length)), **read, **bad)
    table.row("payload length 20 of 20", plain, **good)
    table.row("payload length 21, padded", patch(plain, 18, struct.pack("!H", 21)) + b"\0", **good)
    for length in (0, 19):
        table.row(f"payload length {length}: no header of TCP", patch(plain, 18, struct.pack("!H", length)), **read,
                  **malformed("malformed-tcp"))
    # RFC 2675: the length would be in the option. XDP sees no frame that long.
    jumbogram = ipv6(bytes([59, 0, 0xc2, 4]) + struct.pack("!I", 70000), HOPOPT, plen=0)
    table.row("jumbogram", jumbogram, proto="hopopt", **ADDRESSES6, **malformed("malformed-extension"))
    return table


def extension_table():
    table = Table("malformed drop")
    bad = malformed("malformed-extension")
    for kind, name in ((HOPOPT, "hopopt"), (ROUTING, "ipv6-route"), (FRAGMENT, "ipv6-frag"), (AH, "ah"),
                       (OPTIONS, "ipv6-opts")):
        read = {"proto": name, **ADDRESSES6}
        for size in range(8):
            table.row(f"{name} of {size} bytes", ipv6(bytes([59, 0] + [0] * 6)[:size], kind), **read, **bad)
        table.row(f"{name} after options, cut", with_extensions([OPTIONS], kind, bytes(7)), **read, **bad)
    for kind, name in ((HOPOPT, "hopopt"), (ROUTING, "ipv6-route"), (OPTIONS, "ipv6-opts")):
        table.row(f"{name} 16 bytes of 16", ipv6(bytes([59, 1]) + bytes(14), kind), proto="ipv6-nonxt", **ADDRESSES6)
        table.row(f"{name} 16 bytes of 15", ipv6(bytes([59, 1]) + bytes(13), kind), proto=name, **ADDRESSES6, **bad)
        table.row(f"{name} 16 bytes of 15, padded", ipv6(bytes([59, 1]) + bytes(14), kind, plen=15), proto=name,
                  **ADDRESSES6, **bad)
        table.row(f"{name} 2048 bytes of 2048", ipv6(bytes([59, 255]) + bytes(2046), kind), proto="ipv6-nonxt",
                  **ADDRESSES6)
        table.row(f"{name} 2048 bytes of 2047", ipv6(bytes([59, 255]) + bytes(2045), kind), proto=name, **ADDRESSES6,
                  **bad)
    table.row("ah 12 bytes of 12", ipv6(bytes([59, 1]) + bytes(10), AH), proto="ipv6-nonxt", **ADDRESSES6)
    table.row("ah 12 bytes of 11", ipv6(bytes([59, 1]) + bytes(9), AH), proto="ah", **ADDRESSES6, **bad)
    table.row("ah 1028 bytes of 1028", ipv6(bytes([59, 255]) + bytes(1026), AH), proto="ipv6-nonxt", **ADDRESSES6)
    table.row("ah 1028 bytes of 1027", ipv6(bytes([59, 255]) + bytes(1025), AH), proto="ah", **ADDRESSES6, **bad)
    return table


def fragment_header(offset, more, protocol=17):
    return struct.pack("!BBHI", protocol, 0, offset << 3 | more, 7)


def fragments_table():
    """Offsets count in units of 8 bytes; 65535 is the most that IP's length field holds for the whole: IPv4 counts its header
    in (RFC 791), IPv6 the extension headers before the fragment header (RFC 8200, section 4.5)."""
    table = Table("malformed drop")
    for family, addresses, build in (
            ("IPv4", ADDRESSES4, lambda data, offset, more: ipv4(data, 17, frag=offset, flags="MF" if more else 0)),
            ("IPv6", ADDRESSES6, lambda data, offset, more: ipv6(fragment_header(offset, more) + data, FRAGMENT))):
        first = {"proto": "udp", "fragment": "first", **addresses}
        later = {"proto": "udp", "fragment": "later", **addresses}
        bad = malformed("malformed-fragment")
        for size in (0, 1, 7, 9, 15, 17, 1001):
            table.row(f"{family} first of {size}", build(UDP_BYTES[:size] + bytes(max(0, size - 16)), 0, 1), **first,
                      **bad)
        table.row(f"{family} first of 16", build(UDP_BYTES, 0, 1), **first, **PORTS)
        for size in (0, 4, 12):
            table.row(f"{family} middle of {size}", build(bytes(size), 3, 1), **later, **bad)
        table.row(f"{family} middle of 8", build(bytes(8), 3, 1), **later)
        for size in (0, 1, 7, 9):
            table.row(f"{family} last of {size}", build(bytes(size), 3, 0), **later)
        offset, most = (8188, 11) if family == "IPv4" else (8191, 7)
        table.row(f"{family} whole of 65535", build(bytes(most), offset, 0), **later)
        table.row(f"{family} whole of 65536", build(bytes(most + 1), offset, 0), **later, **bad)
        table.row(f"{family} middle past 65535", build(bytes(16), offset, 1), **later, **bad)
        table.row(f"{family} ping of death", build(bytes(1480), 8189, 0), **later, **bad)
        table.row(f"{family} first of 8: all of UDP's header", build(UDP_BYTES[:8], 0, 1), **first, **PORTS)
    for size, fate in ((7, {}), (8, malformed("malformed-fragment"))):
        hop_by_hop = bytes([FRAGMENT, 0, 1, 4, 0, 0, 0, 0])
        table.row(f"IPv6 whole of {65528 + size} with an extension header",
                  ipv6(hop_by_hop + fragment_header(8190, 0) + bytes(size), 0), proto="udp", fragment="later",
                  **ADDRESSES6, **fate)
    # RFC 1858: a first fragment so small that the TCP header goes on in the next one.
    table.row("tiny first fragment of TCP", ipv4(TCP_BYTES[:8], 6, flags="MF"), proto="tcp", fragment="first",
              **ADDRESSES4, **malformed("malformed-tcp"))
    # The rest of RFC 1858, and RFC 3128: a later one that begins within the header, to write over its flags and ports.
    for offset, fate in ((1, malformed("malformed-fragment")), (2, malformed("malformed-fragment")), (3, {})):
        for more in (0, 1):
            name = f"{'middle' if more else 'last'} fragment of TCP at {offset * 8}"
            table.row(f"IPv4 {name}", ipv4(TCP_BYTES[:16], 6, frag=offset, flags="MF" if more else 0), proto="tcp",
                      fragment="later", **ADDRESSES4, **fate)
            table.row(f"IPv6 {name}", ipv6(fragment_header(offset, more, 6) + TCP_BYTES[:16], FRAGMENT), proto="tcp",
                      fragment="later", **ADDRESSES6, **fate)
    table.row("first fragment with TCP's header", ipv4(TCP_BYTES + bytes(4), 6, flags="MF"), proto="tcp",
              fragment="first", **ADDRESSES4, **PORTS)
    return table


def transport_table():
    table = Table("malformed drop")
    for family, addresses, build in (("IPv4", ADDRESSES4, ipv4), ("IPv6", ADDRESSES6, ipv6)):
        def row(name, payload, protocol, **fields):
            table.row(f"{family} {name}", build(payload, protocol), **addresses, **fields)

        bad = malformed("malformed-tcp")
        for size in range(20):
            row(f"TCP of {size} bytes", TCP_BYTES[:size], 6, proto="tcp", **bad)
        row("TCP of 20 bytes", TCP_BYTES, 6, proto="tcp", **PORTS)
        for words in range(5):
            row(f"TCP data offset {words}", patch(TCP_BYTES, 12, bytes([words << 4])), 6, proto="tcp", **PORTS, **bad)
        for words in range(6, 16):
            header = patch(TCP_BYTES, 12, bytes([words << 4])) + bytes(words * 4 - 20)
            row(f"TCP data offset {words}", header, 6, proto="tcp", **PORTS)
            row(f"TCP data offset {words}, one byte short", header[:-1], 6, proto="tcp", **PORTS, **bad)

        bad = malformed("malformed-udp")
        for size in range(8):
            row(f"UDP of {size} bytes", UDP_BYTES[:size], 17, proto="udp", **bad)
        for length in (0, 1, 7, 17, 65535):
            row(f"UDP length {length} of 16", patch(UDP_BYTES, 4, struct.pack("!H", length)), 17, proto="udp", **PORTS,
                **bad)
        for length in (8, 15, 16):
            row(f"UDP length {length} of 16", patch(UDP_BYTES, 4, struct.pack("!H", length)), 17, proto="udp", **PORTS)

        icmp, protocol, kind = (ICMP(), 1, 8) if family == "IPv4" else (b"\x80" + bytes(7), 58, 128)
        name = "icmp" if family == "IPv4" else "icmpv6"
        for size in range(8):
            row(f"ICMP of {size} bytes", bytes(icmp)[:size], protocol, proto=name, **malformed("malformed-icmp"))
        row("ICMP of 8 bytes", bytes(icmp), protocol, proto=name, icmp_type=kind, icmp_code=0)

        for size in range(12):
            row(f"SCTP of {size} bytes", SCTP_BYTES[:size], 132, proto="sctp", **malformed("malformed-sctp"))
        row("SCTP of 12 bytes", SCTP_BYTES, 132, proto="sctp", **PORTS)
    return table


def padding_table():
    """A header that IP's length leaves out is not there, though the frame's padding has the bytes."""
    table = Table("malformed drop")
    for protocol, name, payload in ((6, "tcp", TCP_BYTES), (17, "udp", UDP_BYTES), (132, "sctp", SCTP_BYTES)):
        bad = malformed(f"malformed-{name}")
        table.row(f"IPv4 {name}", ipv4(payload, protocol, len=20), proto=name, **ADDRESSES4, **bad)
        table.row(f"IPv6 {name}", ipv6(payload, protocol, plen=0), proto=name, **ADDRESSES6, **bad)
        table.row(f"IPv4 {name} half", ipv4(payload, protocol, len=24), proto=name, **ADDRESSES4, **bad)
        table.row(f"IPv6 {name} half", ipv6(payload, protocol, plen=4), proto=name, **ADDRESSES6, **bad)
    return table


def pass_table():
    """`malformed pass`: what could be read is judged by the other stages."""
    rules = "from { 192.0.2.0/24, 2001:db8::/48 }\nto { 198.51.100.7, 2001:db8:ffff::7 }"
    table = Table(f"malformed pass block {{ {rules} }}")
    blocked = {"verdict": "drop", "reason": "block-source", "rule": "test.policy:3",
               "rule_text": "from { 192.0.2.0/24, 2001:db8::/48 }"}
    reached = {"verdict": "drop", "reason": "block-destination", "rule": "test.policy:4",
               "rule_text": "to { 198.51.100.7, 2001:db8:ffff::7 }"}
    for name, source, target, rule in (("source", SOURCE4, "203.0.113.9", blocked),
                                       ("destination", "203.0.113.9", DESTINATION4, reached),
                                       ("neither", "203.0.113.9", "203.0.113.8", {})):
        head = IP(src=source, dst=target)
        read = {"src": source, "dst": target, **rule}
        frame = ether(head / TCP(sport=1234, dport=443))
        table.row(f"{name}: IPv4 header length", patch(frame, 14, b"\x44"), proto="tcp", malformed="malformed-ipv4",
                  **read)
        table.row(f"{name}: IPv4 total length", patch(frame, 16, b"\xff\xff"), proto="tcp", malformed="malformed-ipv4",
                  **read)
        table.row(f"{name}: TCP cut", ether(IP(src=source, dst=target, proto=6) / Raw(TCP_BYTES[:10])), proto="tcp",
                  malformed="malformed-tcp", **read)
        table.row(f"{name}: UDP length", ether(head / UDP(sport=1234, dport=443, len=7)), proto="udp", **PORTS,
                  malformed="malformed-udp", **read)
        table.row(f"{name}: fragment", ether(IP(src=source, dst=target, proto=17, flags="MF") / Raw(bytes(7))),
                  proto="udp", fragment="first", malformed="malformed-fragment", **read)
    for name, source, target, rule in (("source", SOURCE6, "2001:db9::9", blocked),
                                       ("destination", "2001:db9::9", DESTINATION6, reached),
                                       ("neither", "2001:db9::9", "2001:db9::8", {})):
        read = {"src": source, "dst": target, **rule}
        head = IPv6(src=source, dst=target)
        table.row(f"{name}: IPv6 payload length", patch(ether(head / TCP()), 18, b"\xff\xff"), proto="tcp",
                  malformed="malformed-ipv6", **read)
        table.row(f"{name}: extension", ether(IPv6(src=source, dst=target, nh=HOPOPT) / Raw(bytes(7))), proto="hopopt",
                  malformed="malformed-extension", **read)
        table.row(f"{name}: nine extensions", ether(IPv6(src=source, dst=target, nh=OPTIONS) / Raw(
            (bytes([OPTIONS]) + bytes(7)) * 9)), proto="ipv6-opts", malformed="extension-depth", **read)
        table.row(f"{name}: ICMPv6 cut", ether(IPv6(src=source, dst=target, nh=58) / Raw(bytes(7))), proto="icmpv6",
                  malformed="malformed-icmp", **read)
    table.row("no address to judge: IPv4 version", patch(PLAIN, 14, b"\x65"), proto="ipv4", malformed="malformed-ipv4")
    table.row("no address to judge: three tags", tag(PLAIN, 1, 2, 3), vlan=[1, 2], proto="vlan", malformed="vlan-depth")
    table.row("no address to judge: Ethernet", PLAIN[:9], malformed="malformed-ethernet")
    table.row("no address to judge: ARP", ether(bytes(ARP())[:20], 0x0806), proto="arp", malformed="malformed-arp")
    return table


test_link = link_table().test()
test_ipv4 = ipv4_table().test()
test_ipv6 = ipv6_table().test()
test_extension = extension_table().test()
test_fragments = fragments_table().test()
test_transport = transport_table().test()
test_padding = padding_table().test()
test_malformed_pass = pass_table().test()


def test_malformed_is_dropped_unless_the_policy_says_otherwise():
    frames = [patch(PLAIN, 14, b"\x44"), PLAIN]
    for body in ("", "malformed drop", "default pass"):
        assert [line["verdict"] for line in judge(body, frames)] == ["drop", "pass"]
    assert [line["verdict"] for line in judge("malformed pass", frames)] == ["pass", "pass"]


def test_malformed_pass_does_not_pass_what_the_default_drops():
    """Also not as a lifeline: a malformed ARP or neighbour discovery keeps nothing alive."""
    cut_arp = ether(bytes(ARP())[:20], 0x0806)
    cut_solicitation = ipv6(b"\x87" + bytes(6), 58, hlim=255)
    lines = judge("malformed pass default drop", [patch(PLAIN, 14, b"\x44"), cut_arp, cut_solicitation])
    assert [(line["verdict"], line["reason"]) for line in lines] == [("drop", "default")] * 3


def test_malformed_pass_obeys_fragments_drop():
    lines = judge("malformed pass fragments drop", [ipv4(bytes(7), 17, flags="MF"), ipv4(bytes(8), 17, frag=8191)])
    assert [(line["verdict"], line["reason"]) for line in lines] == [("drop", "fragment")] * 2

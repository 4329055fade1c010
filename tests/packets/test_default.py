# SPDX-License-Identifier: BSD-2-Clause
"""default and fragments: what no other stage decided. A default of drop keeps alive what a link cannot live without."""
import struct

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6MLReport, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS, ICMPv6PacketTooBig, ICMPv6ParamProblem,
                                ICMPv6TimeExceeded, IPv6)
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from judging import (ADDRESSES4, ADDRESSES6, DESTINATION6, FRAGMENT, HOPOPT, IP4, IP6, OPTIONS, SOURCE6, Table, ether,
                     ipv4, ipv6, judge, tag, with_extensions)

PORTS = {"sport": 1234, "dport": 443}
DROPPED = {"verdict": "drop"}
KEPT = {"reason": "failsafe"}
NEIGHBOUR = {"router solicitation": (ICMPv6ND_RS(), 133), "router advertisement": (ICMPv6ND_RA(), 134),
             "neighbour solicitation": (ICMPv6ND_NS(tgt="2001:db8::9"), 135),
             "neighbour advertisement": (ICMPv6ND_NA(tgt="2001:db8::9"), 136),
             "redirect": (ICMPv6ND_Redirect(tgt="2001:db8::9", dst="2001:db8::a"), 137)}


def drop_table():
    table = Table("default drop")
    table.row("TCP", ether(IP4 / TCP(sport=1234, dport=443)), proto="tcp", **PORTS, **ADDRESSES4, **DROPPED)
    table.row("UDP over IPv6", ether(IP6 / UDP(sport=1234, dport=443)), proto="udp", **PORTS, **ADDRESSES6, **DROPPED)
    table.row("SCTP", ether(IP4 / SCTP(sport=1234, dport=443)), proto="sctp", **PORTS, **ADDRESSES4, **DROPPED)
    table.row("GRE", ipv4(bytes(4), 47), proto="gre", **ADDRESSES4, **DROPPED)
    table.row("later fragment", ipv4(bytes(8), 17, frag=3), proto="udp", fragment="later", **ADDRESSES4, **DROPPED)
    table.row("unknown EtherType", ether(bytes(46), 0x88b5), proto="0x88b5", **DROPPED)
    table.row("LLDP", ether(bytes(46), 0x88cc), proto="lldp", **DROPPED)
    table.row("802.3", ether(bytes(46), 46), proto="llc", **DROPPED)

    gratuitous = ARP(psrc="192.0.2.1", pdst="192.0.2.1")
    for name, arp in (("request", ARP(op=1)), ("reply", ARP(op=2)), ("gratuitous", gratuitous)):
        table.row(f"ARP {name}", ether(arp), proto="arp", **KEPT)
    table.row("ARP tagged", tag(ether(ARP()), 9), proto="arp", vlan=[9], **KEPT)
    table.row("ARP tagged twice", tag(ether(ARP()), (0x88a8, 9), 10), proto="arp", vlan=[9, 10], **KEPT)
    table.row("RARP", ether(bytes(28), 0x8035), proto="rarp", **DROPPED)

    for kind in range(256):
        for code in (0, 4):
            kept = KEPT if (kind, code) == (3, 4) else DROPPED
            table.row(f"ICMP {kind}/{code}", ether(IP4 / ICMP(type=kind, code=code) / Raw(bytes(28))), proto="icmp",
                      icmp_type=kind, icmp_code=code, **ADDRESSES4, **kept)
    for code in (1, 2, 3, 5, 13):
        table.row(f"ICMP 3/{code}", ether(IP4 / ICMP(type=3, code=code) / Raw(bytes(28))), proto="icmp", icmp_type=3,
                  icmp_code=code, **ADDRESSES4, **DROPPED)
    table.row("fragmentation needed, tagged", tag(ether(IP4 / ICMP(type=3, code=4) / Raw(bytes(28))), 7), proto="icmp",
              vlan=[7], icmp_type=3, icmp_code=4, **ADDRESSES4, **KEPT)
    table.row("3/4 in ICMP's place, but in UDP", ipv4(b"\x03\x04" + struct.pack("!HHH", 443, 8, 0), 17), proto="udp",
              sport=0x0304, dport=443, **ADDRESSES4, **DROPPED)
    table.row("3/4 in a later fragment", ipv4(b"\x03\x04" + bytes(6), 1, frag=3), proto="icmp", fragment="later",
              **ADDRESSES4, **DROPPED)
    table.row("3/4 as ICMPv6", ipv6(b"\x03\x04" + bytes(6), 58), proto="icmpv6", icmp_type=3, icmp_code=4, **ADDRESSES6,
              **DROPPED)
    table.row("ICMP over IPv6", ipv6(b"\x03\x04" + bytes(6), 1), proto="icmp", **ADDRESSES6, **DROPPED)
    table.row("ICMPv6 over IPv4", ipv4(b"\x02\x00" + bytes(6), 58), proto="icmpv6", **ADDRESSES4, **DROPPED)
    return table


def ipv6_table():
    table = Table("default drop")
    for kind in range(256):
        kept = KEPT if kind == 2 or 133 <= kind <= 137 else DROPPED
        fields = {"proto": "icmpv6", "icmp_type": kind, "icmp_code": 0, **ADDRESSES6}
        table.row(f"ICMPv6 {kind}, hop limit 255", ipv6(bytes([kind, 0]) + bytes(6), 58, hlim=255), **fields, **kept)
        kept = KEPT if kind == 2 else DROPPED
        table.row(f"ICMPv6 {kind}, hop limit 64", ipv6(bytes([kind, 0]) + bytes(6), 58, hlim=64), **fields, **kept)

    near = IPv6(src=SOURCE6, dst=DESTINATION6, hlim=255)
    for name, (message, kind) in NEIGHBOUR.items():
        fields = {"proto": "icmpv6", "icmp_type": kind, "icmp_code": 0, **ADDRESSES6}
        table.row(name, ether(near / message), **fields, **KEPT)
        table.row(f"{name}, tagged", tag(ether(near / message), 3), vlan=[3], **fields, **KEPT)
        for hops in (0, 1, 64, 254):
            far = IPv6(src=SOURCE6, dst=DESTINATION6, hlim=hops)
            table.row(f"{name}, forwarded: hop limit {hops}", ether(far / message), **fields, **DROPPED)
    for name, message, kind, kept in (("packet too big", ICMPv6PacketTooBig(mtu=1280), 2, KEPT),
                                      ("unreachable", ICMPv6DestUnreach(), 1, DROPPED),
                                      ("time exceeded", ICMPv6TimeExceeded(), 3, DROPPED),
                                      ("parameter problem", ICMPv6ParamProblem(), 4, DROPPED),
                                      ("echo request", ICMPv6EchoRequest(), 128, DROPPED),
                                      ("multicast listener report", ICMPv6MLReport(), 131, DROPPED)):
        table.row(name, ether(IP6 / message), proto="icmpv6", icmp_type=kind, icmp_code=0, **ADDRESSES6, **kept)
    too_big = {"proto": "icmpv6", "icmp_type": 2, "icmp_code": 0, **ADDRESSES6}
    table.row("packet too big behind options", with_extensions([HOPOPT, OPTIONS], 58, bytes(ICMPv6PacketTooBig())),
              **too_big, **KEPT)
    first, later = (struct.pack("!BBHI", 58, 0, bits, 7) + bytes(ICMPv6PacketTooBig()) for bits in (1, 8))
    table.row("packet too big, first fragment", ipv6(first, FRAGMENT), fragment="first", **too_big, **KEPT)
    table.row("packet too big's bytes in a later fragment", ipv6(later, FRAGMENT), proto="icmpv6", fragment="later",
              **ADDRESSES6, **DROPPED)
    return table


def fragments_table(body, first, later):
    table = Table(body)
    udp = struct.pack("!HHHH", 1234, 443, 16, 0) + bytes(8)
    fields4, fields6 = {"proto": "udp", **ADDRESSES4}, {"proto": "udp", **ADDRESSES6}
    table.row("IPv4 whole", ipv4(udp, 17), **fields4, **PORTS)
    table.row("IPv4 whole, do not fragment", ipv4(udp, 17, flags="DF"), **fields4, **PORTS)
    table.row("IPv4 first", ipv4(udp, 17, flags="MF"), fragment="first", **fields4, **PORTS, **first)
    table.row("IPv4 middle", ipv4(udp, 17, flags="MF", frag=2), fragment="later", **fields4, **later)
    table.row("IPv4 last", ipv4(udp, 17, frag=2), fragment="later", **fields4, **later)
    table.row("IPv4 last, tagged", tag(ipv4(udp, 17, frag=2), 9), vlan=[9], fragment="later", **fields4, **later)
    table.row("IPv6 whole", ipv6(udp, 17), **fields6, **PORTS)
    table.row("IPv6 atomic", with_extensions([FRAGMENT], 17, udp), **fields6, **PORTS)
    for name, bits, kind, ports, verdict in (("first", 1, "first", PORTS, first), ("middle", 17, "later", {}, later),
                                             ("last", 16, "later", {}, later)):
        table.row(f"IPv6 {name}", ipv6(struct.pack("!BBHI", 17, 0, bits, 7) + udp, FRAGMENT), fragment=kind, **fields6,
                  **ports, **verdict)
    return table


REFUSED = {"verdict": "drop", "reason": "fragment"}
test_default_drop = drop_table().test()
test_default_drop_ipv6 = ipv6_table().test()
test_fragments_pass = fragments_table("fragments pass", {}, {}).test()
test_fragments_unsaid = fragments_table("", {}, {}).test()
test_fragments_drop = fragments_table("fragments drop", REFUSED, REFUSED).test()


def test_a_default_of_pass_needs_no_failsafe():
    for body in ("default pass", ""):
        lines = judge(body, [ether(ARP()), ether(IP4 / ICMP(type=3, code=4) / Raw(bytes(28))), ether(IP4 / TCP())])
        assert [(line["verdict"], line["reason"]) for line in lines] == [("pass", "default")] * 3


def test_the_failsafe_is_for_what_no_stage_decided():
    """A blocked source stays blocked, also where it says that a packet was too big; so does a fragment."""
    frames = [ether(IP4 / ICMP(type=3, code=4) / Raw(bytes(28))), ether(IP6 / ICMPv6PacketTooBig()),
              ipv6(struct.pack("!BBHI", 58, 0, 1, 7) + bytes(ICMPv6PacketTooBig()), FRAGMENT)]
    lines = judge("default drop fragments drop block { from { 192.0.2.0/24 } }", frames)
    assert [(line["verdict"], line["reason"]) for line in lines] == [("drop", "block-source"), ("pass", "failsafe"),
                                                                     ("drop", "fragment")]


def test_fragments_drop_comes_after_block():
    lines = judge("fragments drop block { from 192.0.2.0/24 }", [ipv4(bytes(8), 17, frag=3)])
    assert lines[0]["reason"] == "block-source"

# SPDX-License-Identifier: BSD-2-Clause
"""parse: what Sluice reads of every kind of header. The whole JSON object of each packet is compared, so a field that
should not be there fails as well; `output` would be there if the program had changed a byte."""
import struct

from scapy.contrib.igmp import IGMP
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_EOL, IPOption_NOP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig,
                                IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                                PadN, RouterAlert)
from scapy.layers.l2 import ARP, GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from judging import (ADDRESSES4, ADDRESSES6, AH, EXTENSIONS, FRAGMENT, HOPOPT, IP4, IP6, OPTIONS, ROUTING, SOURCE4,
                     SOURCE6, Table, ether, ipv4, ipv6, judge, malformed, tag, with_extensions)

PORTS = {"sport": 1234, "dport": 443}
TCP_SYN = TCP(sport=1234, dport=443, flags="S")
UDP_DATA = UDP(sport=1234, dport=443) / Raw(b"0123456789")
SYN_BYTES = bytes(TCP_SYN)
TCP4 = {"proto": "tcp", **ADDRESSES4, **PORTS}
UDP4 = {"proto": "udp", **ADDRESSES4, **PORTS}
TCP6 = {"proto": "tcp", **ADDRESSES6, **PORTS}
UDP6 = {"proto": "udp", **ADDRESSES6, **PORTS}
TAGS = {0x8100: "vlan", 0x88a8: "qinq", 0x9100: "qinq-old"}  # 802.1Q, 802.1ad, and what came before 802.1ad


def ethernet_table():
    table = Table("default pass")
    table.row("header only", ether(b"", 0x88b5), proto="0x88b5")
    table.row("unknown EtherType", ether(bytes(46), 0x1234), proto="0x1234")
    table.row("lowest EtherType", ether(bytes(46), 0x0600), proto="0x0600")
    table.row("802.3 length", ether(b"\x42\x42\x03" + bytes(35), 38), proto="llc")
    table.row("802.3 length, highest", ether(bytes(1500), 0x05ff), proto="llc")
    for ethertype, name in ((0x88cc, "lldp"), (0x8847, "mpls"), (0x8864, "pppoe-session"), (0x888e, "eapol"),
                            (0x8035, "rarp"), (0x22f3, "trill"), (0x88e5, "macsec"), (0x8809, "slow")):
        table.row(name, ether(bytes(46), ethertype), proto=name)
    return table


def vlan_table():
    table = Table("default pass")
    plain = ether(IP4 / TCP_SYN)
    table.row("untagged", plain, **TCP4)
    table.row("priority tag, VLAN 0", tag(plain, 0), vlan=[0], **TCP4)
    table.row("highest id", tag(plain, 4095), vlan=[4095], **TCP4)
    table.row("priority and DEI bits are not the id", tag(plain, (0x8100, 7, 0xf)), vlan=[7], **TCP4)
    for tpid, name in TAGS.items():
        table.row(name, tag(plain, (tpid, 42)), vlan=[42], **TCP4)
        table.row(f"{name} third", tag(plain, 1, 2, (tpid, 3)), proto=name, vlan=[1, 2], **malformed("vlan-depth"))
        for inner, inner_name in TAGS.items():
            table.row(f"{name} over {inner_name}", tag(plain, (tpid, 100), (inner, 200)), vlan=[100, 200], **TCP4)
    table.row("four tags", tag(plain, 1, 2, 3, 4), proto="vlan", vlan=[1, 2], **malformed("vlan-depth"))
    table.row("0x9200 is no tag", tag(plain, (0x9200, 5)), proto="0x9200")
    table.row("IPv6 tagged", tag(ether(IP6 / TCP_SYN), 5), vlan=[5], **TCP6)
    table.row("IPv6 tagged twice", tag(ether(IP6 / UDP_DATA), (0x88a8, 5), 6), vlan=[5, 6], **UDP6)
    table.row("ARP tagged", tag(ether(ARP(psrc="192.0.2.1", pdst="192.0.2.2")), 9), vlan=[9], proto="arp")
    table.row("ARP tagged twice", tag(ether(ARP(psrc="192.0.2.1", pdst="192.0.2.2")), 9, 10), vlan=[9, 10], proto="arp")
    table.row("unknown EtherType tagged", tag(ether(bytes(46), 0x88b5), 9), vlan=[9], proto="0x88b5")
    table.row("802.3 length tagged", tag(ether(bytes(46), 46), 9), vlan=[9], proto="llc")
    return table


def arp_table():
    table = Table("default pass")
    table.row("request", ether(ARP(op=1, psrc="192.0.2.1", pdst="192.0.2.2")), proto="arp")
    table.row("reply", ether(ARP(op=2, psrc="192.0.2.1", pdst="192.0.2.2")), proto="arp")
    table.row("padded to 60", ether(bytes(ARP(psrc="192.0.2.1", pdst="192.0.2.2")) + bytes(18), 0x0806), proto="arp")
    table.row("other address lengths", ether(struct.pack("!HHBBH", 32, 0x0800, 20, 4, 1) + bytes(48), 0x0806),
              proto="arp")
    table.row("no addresses", ether(struct.pack("!HHBBH", 1, 0x0800, 0, 0, 8), 0x0806), proto="arp")
    return table


def ipv4_table():
    table = Table("default pass")
    table.row("no payload", ipv4(b"", 253), proto="253", **ADDRESSES4)
    options = [IPOption_NOP(), IPOption_Router_Alert(), IPOption_EOL()]
    table.row("options", ether(IP(src=SOURCE4, dst="198.51.100.7", options=options) / TCP_SYN), **TCP4)
    table.row("options over UDP", ether(IP(src=SOURCE4, dst="198.51.100.7", options=options) / UDP_DATA), **UDP4)
    for words in range(6, 16):
        header = IP(src=SOURCE4, dst="198.51.100.7", options=[IPOption_NOP()] * (4 * (words - 5)))
        table.row(f"header of {words} words", ether(header / TCP_SYN), **TCP4)
    route = IP(src=SOURCE4, dst="198.51.100.7", options=[IPOption_RR(length=39, routers=["203.0.113.1"] * 9)])
    table.row("record route", ether(route / UDP_DATA), **UDP4)
    table.row("options without payload", ipv4(b"", 253, options=[IPOption_NOP()] * 8), proto="253", **ADDRESSES4)
    table.row("padded to 60", ether(IP4 / TCP_SYN) + bytes(6), **TCP4)
    table.row("padded UDP without data", ether(IP4 / UDP(sport=1234, dport=443)) + bytes(18), **UDP4)
    table.row("padding that looks like ports", ether(IP4 / ICMP()) + b"\xff" * 18, proto="icmp", icmp_type=8,
              icmp_code=0, **ADDRESSES4)
    for source, destination in (("0.0.0.0", "255.255.255.255"), ("127.0.0.1", "224.0.0.1"), ("1.2.3.4", "10.0.0.1")):
        table.row(f"{source} to {destination}", ether(IP(src=source, dst=destination) / TCP_SYN), proto="tcp",
                  src=source, dst=destination, **PORTS)
    return table


def ipv6_table():
    table = Table("default pass")
    table.row("no next header", ipv6(b"", 59), proto="ipv6-nonxt", **ADDRESSES6)
    table.row("padded", ether(IP6 / UDP(sport=1234, dport=443)) + bytes(9), **UDP6)
    for source, destination in (("::", "ff02::1"), ("fe80::1", "::1"), ("::ffff:192.0.2.1", "64:ff9b::c000:201"),
                                ("2001:db8:0:1:0:1:0:1", "2001:db8:1:2:3:4:5:6")):
        table.row(f"{source} to {destination}", ether(IPv6(src=source, dst=destination) / TCP_SYN), proto="tcp",
                  src=source, dst=destination, **PORTS)
    table.row("hop-by-hop", ether(IP6 / IPv6ExtHdrHopByHop(options=[RouterAlert(), PadN(optdata=b"\0\0")]) / TCP_SYN),
              **TCP6)
    table.row("routing", ether(IP6 / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0) / TCP_SYN), **TCP6)
    table.row("routing with segments left", ether(IPv6(src=SOURCE6, dst="2001:db8::9") / IPv6ExtHdrRouting(
        addresses=["2001:db8::a", "2001:db8::b"], segleft=2) / TCP_SYN), **(TCP6 | {"dst": "2001:db8::9"}))
    table.row("destination", ether(IP6 / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]) / UDP_DATA), **UDP6)
    table.row("atomic fragment", ether(IP6 / IPv6ExtHdrFragment(offset=0, m=0, id=7) / UDP_DATA), **UDP6)
    table.row("all of them", ether(IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(addresses=[
        "2001:db8::9"], segleft=0) / IPv6ExtHdrFragment() / IPv6ExtHdrDestOpt() / TCP_SYN), **TCP6)
    for kind, name in EXTENSIONS.items():
        table.row(f"{name} over TCP", with_extensions([kind], 6, SYN_BYTES), **TCP6)
        table.row(f"{name} over UDP, tagged twice", tag(with_extensions([kind], 17, bytes(UDP_DATA)), (0x88a8, 3), 4),
                  vlan=[3, 4], **UDP6)
        table.row(f"{name} over nothing", with_extensions([kind], 59, b""), proto="ipv6-nonxt", **ADDRESSES6)
        table.row(f"{name} over GRE", with_extensions([kind], 47, bytes(8)), proto="gre", **ADDRESSES6)
        table.row(f"{name} over ICMPv6", with_extensions([kind], 58, bytes([128, 0]) + bytes(6)), proto="icmpv6",
                  icmp_type=128, icmp_code=0, **ADDRESSES6)
        for other in EXTENSIONS:
            table.row(f"{name}, {EXTENSIONS[other]} over TCP", with_extensions([kind, other], 6, SYN_BYTES), **TCP6)
    return table


def extension_length_table():
    """Lengths count in units of 8 bytes after the first 8, in AH in units of 4 after the first 8. The bytes between
    are 0: a header ends where its length says, or the ports would be others."""
    table = Table("default pass")
    for kind in (HOPOPT, ROUTING, OPTIONS):
        for size in (8, 16, 24, 64, 256, 1024, 2048):
            table.row(f"{EXTENSIONS[kind]} of {size} bytes", with_extensions([(kind, size)], 6, SYN_BYTES), **TCP6)
    for size in (8, 12, 16, 20, 24, 28, 64, 512, 1028):
        table.row(f"ah of {size} bytes", with_extensions([(AH, size)], 6, SYN_BYTES), **TCP6)
        table.row(f"ah of {size} bytes between", with_extensions([HOPOPT, (AH, size), OPTIONS], 17, bytes(UDP_DATA)),
                  **UDP6)
    return table


def extension_depth_table():
    table = Table("default pass")
    for kind, name in EXTENSIONS.items():
        for count in range(1, 9):
            table.row(f"{count} {name}", with_extensions([kind] * count, 6, SYN_BYTES), **TCP6)
        for count in (9, 10, 20):
            table.row(f"{count} {name}", with_extensions([kind] * count, 6, SYN_BYTES), proto=name, **ADDRESSES6,
                      **malformed("extension-depth"))
    table.row("8 of 128 bytes", with_extensions([(OPTIONS, 128)] * 8, 6, SYN_BYTES), **TCP6)
    table.row("8 mixed", with_extensions([HOPOPT, OPTIONS, ROUTING, FRAGMENT, AH, OPTIONS, (AH, 20), (OPTIONS, 24)], 6,
                                         SYN_BYTES), **TCP6)
    return table


def fragment_table():
    table = Table("default pass")
    segment = bytes(TCP(sport=1234, dport=443, flags="A")) + bytes(12)
    for name, fields in (("first", {"flags": "MF"}), ("first and last: whole", {}),
                         ("do not fragment", {"flags": "DF"})):
        table.row(f"IPv4 {name}", ipv4(segment, 6, **fields), fragment="first" if "MF" in fields.values() else "none",
                  **TCP4)
    table.row("IPv4 evil bit", ipv4(segment, 6, flags="evil"), **TCP4)
    later = {"proto": "tcp", "fragment": "later"}
    for offset in (3, 4, 185, 8189 - 4):
        table.row(f"IPv4 later at {offset}", ipv4(segment, 6, frag=offset), **later, **ADDRESSES4)
        table.row(f"IPv4 middle at {offset}", ipv4(segment, 6, frag=offset, flags="MF"), **later, **ADDRESSES4)
    table.row("IPv4 later, tagged", tag(ipv4(segment, 6, frag=185), 7), vlan=[7], **later, **ADDRESSES4)
    table.row("IPv4 later of UDP", ipv4(segment, 17, frag=3), proto="udp", fragment="later", **ADDRESSES4)
    table.row("IPv4 later of ICMP", ipv4(segment, 1, frag=3), proto="icmp", fragment="later", **ADDRESSES4)
    table.row("IPv4 later of SCTP", ipv4(segment, 132, frag=3), proto="sctp", fragment="later", **ADDRESSES4)
    table.row("IPv4 later, one byte", ipv4(b"\x00", 17, frag=185), proto="udp", fragment="later", **ADDRESSES4)
    whole = struct.pack("!HHHH", 1234, 443, 4000, 0) + bytes(16)
    table.row("IPv4 first of UDP with the whole's length", ipv4(whole, 17, flags="MF"), fragment="first", **UDP4)
    table.row("IPv4 first of ICMP", ipv4(bytes([8, 0]) + bytes(22), 1, flags="MF"), proto="icmp", icmp_type=8,
              icmp_code=0, fragment="first", **ADDRESSES4)
    table.row("IPv4 first of GRE", ipv4(bytes(24), 47, flags="MF"), proto="gre", fragment="first", **ADDRESSES4)

    def ip6(offset, more, protocol, payload, before=(), after=()):
        first, data = protocol, payload
        for kind in reversed(after):
            data, first = bytes([first, 0]) + bytes(6) + data, kind
        data, first = struct.pack("!BBHI", first, 0, offset << 3 | more, 7) + data, FRAGMENT
        for kind in reversed(before):
            data, first = bytes([first, 0]) + bytes(6) + data, kind
        return ipv6(data, first)

    table.row("IPv6 first", ip6(0, 1, 6, segment), fragment="first", **TCP6)
    table.row("IPv6 atomic", ip6(0, 0, 6, segment), **TCP6)
    table.row("IPv6 first after options", ip6(0, 1, 6, segment, before=[HOPOPT, OPTIONS]), fragment="first", **TCP6)
    table.row("IPv6 first before options", ip6(0, 1, 6, segment, after=[OPTIONS]), fragment="first", **TCP6)
    table.row("IPv6 reserved bits", ipv6(struct.pack("!BBHI", 6, 0xff, 6, 7) + segment, FRAGMENT), **TCP6)
    for offset in (3, 4, 185, 8189 - 4):
        table.row(f"IPv6 later at {offset}", ip6(offset, 0, 6, segment), **later, **ADDRESSES6)
        table.row(f"IPv6 middle at {offset}", ip6(offset, 1, 6, segment), **later, **ADDRESSES6)
    table.row("IPv6 later after options", ip6(9, 0, 6, segment, before=[HOPOPT, OPTIONS]), **later, **ADDRESSES6)
    table.row("IPv6 later names an extension", ip6(9, 0, OPTIONS, segment), proto="ipv6-opts", fragment="later",
              **ADDRESSES6)
    table.row("IPv6 later of ICMPv6", ip6(9, 0, 58, segment), proto="icmpv6", fragment="later", **ADDRESSES6)
    table.row("IPv6 later, tagged", tag(ip6(9, 0, 6, segment), 7, 8), vlan=[7, 8], **later, **ADDRESSES6)
    return table


def transport_table():
    table = Table("default pass")
    for header, addresses, family in ((IP4, ADDRESSES4, "IPv4"), (IP6, ADDRESSES6, "IPv6")):
        for flags in ("", "S", "SA", "A", "FA", "R", "PA", "FPU", "FSRPAUECN"):
            table.row(f"{family} TCP flags {flags or 'none'}", ether(header / TCP(sport=1234, dport=443, flags=flags)),
                      proto="tcp", **PORTS, **addresses)
        for sport, dport in ((0, 0), (1, 256), (255, 65280), (65535, 1), (80, 65535)):
            ports = {"sport": sport, "dport": dport, **addresses}
            table.row(f"{family} TCP {sport} to {dport}", ether(header / TCP(sport=sport, dport=dport)), proto="tcp",
                      **ports)
            table.row(f"{family} UDP {sport} to {dport}", ether(header / UDP(sport=sport, dport=dport) / b"x"),
                      proto="udp", **ports)
            sctp = SCTP(sport=sport, dport=dport) / SCTPChunkInit()
            table.row(f"{family} SCTP {sport} to {dport}", ether(header / sctp), proto="sctp", **ports)
        options = [("MSS", 1460), ("SAckOK", ""), ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)]
        table.row(f"{family} TCP options", ether(header / TCP(sport=1234, dport=443, options=options)), proto="tcp",
                  **PORTS, **addresses)
        longest = TCP(sport=1234, dport=443, options=[("NOP", None)] * 40)
        table.row(f"{family} TCP header of 60", ether(header / longest), proto="tcp", **PORTS, **addresses)
        table.row(f"{family} TCP data", ether(header / TCP_SYN / Raw(bytes(100))), proto="tcp", **PORTS, **addresses)
        table.row(f"{family} UDP without data", ether(header / UDP(sport=1234, dport=443)), proto="udp", **PORTS,
                  **addresses)
        table.row(f"{family} UDP shorter than IP", ether(header / UDP(sport=1234, dport=443, len=9) / b"xyz"),
                  proto="udp", **PORTS, **addresses)
        table.row(f"{family} SCTP without chunks", ether(header / SCTP(sport=1234, dport=443)), proto="sctp", **PORTS,
                  **addresses)
    return table


def icmp_table():
    table = Table("default pass")
    for kind in (0, 3, 4, 5, 8, 11, 12, 13, 254, 255):
        for code in (0, 1, 4, 255):
            table.row(f"ICMP {kind}/{code}", ether(IP4 / ICMP(type=kind, code=code) / Raw(bytes(32))), proto="icmp",
                      icmp_type=kind, icmp_code=code, **ADDRESSES4)
    quoted = IP(src="203.0.113.1", dst="203.0.113.2") / UDP(sport=7, dport=9)
    table.row("ICMP error: the quoted packet is not the packet", ether(IP4 / ICMP(type=3, code=3) / quoted),
              proto="icmp", icmp_type=3, icmp_code=3, **ADDRESSES4)
    messages = {"echo request": (ICMPv6EchoRequest(), 128, 0), "echo reply": (ICMPv6EchoReply(), 129, 0),
                "packet too big": (ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(48)), 2, 0),
                "unreachable": (ICMPv6DestUnreach(code=4) / Raw(bytes(48)), 1, 4),
                "solicitation": (ICMPv6ND_NS(tgt="2001:db8::9"), 135, 0)}
    for name, (message, kind, code) in messages.items():
        table.row(f"ICMPv6 {name}", ether(IP6 / message), proto="icmpv6", icmp_type=kind, icmp_code=code, **ADDRESSES6)
    behind = IP6 / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / ICMPv6EchoRequest()
    table.row("ICMPv6 behind hop-by-hop", ether(behind), proto="icmpv6", icmp_type=128, icmp_code=0, **ADDRESSES6)
    table.row("ICMPv6 over IPv4 has no type", ipv4(bytes([128, 0]) + bytes(6), 58), proto="icmpv6", **ADDRESSES4)
    table.row("ICMP over IPv6 has no type", ipv6(bytes([8, 0]) + bytes(6), 1), proto="icmp", **ADDRESSES6)
    return table


PORTLESS = {2: "igmp", 4: "ipip", 33: "dccp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp", 88: "eigrp", 89: "ospf",
            103: "pim", 108: "ipcomp", 112: "vrrp", 115: "l2tp", 136: "udplite", 143: "ethernet", 99: "99", 253: "253",
            254: "254", 255: "255"}


def portless_table():
    """Their bytes look like ports and are none that Sluice may name. AH over IPv4 is a protocol like others."""
    table = Table("default pass")
    for protocol, name in PORTLESS.items():
        table.row(f"{name} over IPv4", ipv4(b"\x04\xd2\x01\xbb" + bytes(20), protocol), proto=name, **ADDRESSES4)
        table.row(f"{name} over IPv6", ipv6(b"\x04\xd2\x01\xbb" + bytes(20), protocol), proto=name, **ADDRESSES6)
        table.row(f"{name} without payload", ipv4(b"", protocol), proto=name, **ADDRESSES4)
    for protocol, name in ((51, "ah"), (0, "hopopt"), (43, "ipv6-route"), (44, "ipv6-frag"), (60, "ipv6-opts")):
        table.row(f"{name} over IPv4 is no extension", ipv4(b"\x06\x00" + bytes(30), protocol), proto=name,
                  **ADDRESSES4)
    for protocol, name in ((135, "mobility"), (139, "hip"), (140, "shim6")):
        table.row(f"{name} is not followed", ipv6(b"\x06\x00" + bytes(6) + SYN_BYTES, protocol), proto=name,
                  **ADDRESSES6)
    inner = IP(src="203.0.113.1", dst="203.0.113.2") / TCP(sport=7, dport=9)
    table.row("the outer header counts: IP in IP", ether(IP4 / inner), proto="ipip", **ADDRESSES4)
    table.row("the outer header counts: GRE", ether(IP4 / GRE() / inner), proto="gre", **ADDRESSES4)
    table.row("the outer header counts: IPv6 in IPv4", ether(IP4 / IPv6() / TCP()), proto="ipv6", **ADDRESSES4)
    table.row("IGMP by scapy", ether(IP(src=SOURCE4, dst="198.51.100.7", ttl=1) / IGMP()), proto="igmp", **ADDRESSES4)
    return table


def jumbo_table():
    """Longer than a page: several buffers (xdp.frags). The length is the whole frame's."""
    table = Table("default pass")
    for size in (1514, 2048, 3520, 3600, 4096, 9014, 9018, 16000, 60000, 65535):
        table.row(f"IPv4 TCP {size}", ether(IP4 / TCP_SYN / Raw(bytes(size - 54))), **TCP4)
        table.row(f"IPv6 UDP {size}", ether(IP6 / UDP(sport=1234, dport=443) / Raw(b"\xff" * (size - 62))), **UDP6)
    table.row("tagged twice 9022", tag(ether(IP4 / TCP_SYN / Raw(bytes(9000 - 40))), (0x88a8, 2), 3), vlan=[2, 3],
              **TCP4)
    table.row("unknown EtherType 9014", ether(bytes(9000), 0x88b5), proto="0x88b5")
    table.row("ARP with a jumbo's padding", ether(bytes(ARP()) + bytes(8972), 0x0806), proto="arp")
    table.row("first fragment 9010", ipv4(SYN_BYTES + bytes(8976 - 20), 6, flags="MF", id=7), fragment="first", **TCP4)
    behind_options = with_extensions([(OPTIONS, 1024)], 6, SYN_BYTES + bytes(8000))
    table.row("options of 1024 bytes and a jumbo's data", behind_options, **TCP6)
    # Headers are read from the first buffer (a page, less what the driver keeps); extensions from any.
    table.row("TCP header past the first buffer", with_extensions([(OPTIONS, 1024)] * 4, 6, SYN_BYTES), proto="tcp",
              **ADDRESSES6, **malformed("malformed-tcp"))
    table.row("extensions past the first buffer", with_extensions([(OPTIONS, 2048)] * 8, 253, b""), proto="253",
              **ADDRESSES6)
    return table


test_ethernet = ethernet_table().test()
test_vlan = vlan_table().test()
test_arp = arp_table().test()
test_ipv4 = ipv4_table().test()
test_ipv6 = ipv6_table().test()
test_extension_length = extension_length_table().test()
test_extension_depth = extension_depth_table().test()
test_fragment = fragment_table().test()
test_transport = transport_table().test()
test_icmp = icmp_table().test()
test_portless = portless_table().test()
test_jumbo = jumbo_table().test()


def test_only_tcp_udp_and_sctp_show_ports():
    payload = struct.pack("!HHHHIB", 1234, 443, 32, 0, 0, 5 << 4) + bytes(19)  # good as TCP, UDP and SCTP
    protocols = [p for p in range(256) if p not in EXTENSIONS]
    judged = judge("default pass", [build(payload, p) for p in protocols for build in (ipv4, ipv6)])
    shown = {protocols[i // 2] for i, line in enumerate(judged) if "sport" in line or "dport" in line}
    assert shown == {6, 17, 132}
    assert all(line["verdict"] == "pass" for line in judged)
    assert all((line["sport"], line["dport"]) == (1234, 443) for line in judged if "sport" in line)

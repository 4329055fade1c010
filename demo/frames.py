# SPDX-License-Identifier: BSD-2-Clause
"""The attack: each frame with what it is and why Sluice is expected to drop it. Every frame carries its number, so that
whoever sees it can say which one it was."""
from collections import namedtuple

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrHopByHop, Raw, wrpcap)

# `reason` None: the frame passes. `target` is the policy's own text of the rule, None for what no rule decides.
Frame = namedtuple("Frame", "what bytes reason target")

WEB4, WEB6 = "192.0.2.80", "2001:db8:2::80"
MANAGEMENT4, MANAGEMENT6 = "192.0.2.200", "2001:db8:2::200"
ATTACKER4, ATTACKER6 = "198.51.100.66", "2001:db8:1::66"
BOGON4, BOGON6 = "10.66.6.6", "fd66::6"
SCANNER4, SCANNER6 = "203.0.113.99", "2001:db8:bad::99"
FRIEND4, FRIEND6 = "203.0.113.7", "2001:db8:bad::7"
EXPERIMENT = 253  # a protocol number for experiments (RFC 3692): nothing knows it


def mark(number):
    return b"frame-%03d" % number


def blocked():
    """By source and by destination, whatever stands around and above the addresses."""
    scan4, scan6 = IP(src=SCANNER4, dst=WEB4), IPv6(src=SCANNER6, dst=WEB6)
    bogon4, bogon6 = IP(src=BOGON4, dst=WEB4), IPv6(src=BOGON6, dst=WEB6)
    by_source = [
        ("TCP SYN from a private address", bogon4 / TCP(dport=80), "from @bogons"),
        ("UDP from a private address, VLAN 7", Dot1Q(vlan=7) / bogon4 / UDP(dport=53), "from @bogons"),
        ("TCP SYN from a unique-local IPv6 address", bogon6 / TCP(dport=80), "from @bogons"),
        ("TCP SYN from a scanner", scan4 / TCP(dport=80), "from @scanners"),
        ("UDP from a scanner", scan4 / UDP(dport=53), "from @scanners"),
        ("ping from a scanner", scan4 / ICMP(), "from @scanners"),
        (f"protocol {EXPERIMENT} from a scanner", scan4 / Raw(), EXPERIMENT, "from @scanners"),
        ("later fragment, no ports in it", IP(src=SCANNER4, dst=WEB4, proto=6, frag=185) / Raw(), "from @scanners"),
        ("TCP SYN from a scanner, VLAN 7", Dot1Q(vlan=7) / scan4 / TCP(dport=80), "from @scanners"),
        ("UDP from a scanner, VLAN 8 in VLAN 7", Dot1AD(vlan=7) / Dot1Q(vlan=8) / scan4 / UDP(dport=53),
         "from @scanners"),
        ("TCP SYN from an IPv6 scanner", scan6 / TCP(dport=80), "from @scanners"),
        ("UDP from an IPv6 scanner", scan6 / UDP(dport=53), "from @scanners"),
        ("ping from an IPv6 scanner", scan6 / ICMPv6EchoRequest(), "from @scanners"),
        (f"protocol {EXPERIMENT} from an IPv6 scanner", scan6 / Raw(), EXPERIMENT, "from @scanners"),
        ("TCP SYN behind two IPv6 extension headers",
         scan6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / TCP(dport=80), "from @scanners"),
    ]
    by_destination = [
        ("TCP SYN to the management address", IP(src=ATTACKER4, dst=MANAGEMENT4) / TCP(dport=22), "to @internal"),
        ("ping to the management address, IPv6", IPv6(src=ATTACKER6, dst=MANAGEMENT6) / ICMPv6EchoRequest(),
         "to @internal"),
    ]
    for what, packet, *protocol, target in by_source + by_destination:
        if protocol:
            field = "proto" if IP in packet else "nh"
            setattr(packet[0], field, protocol[0])
        yield what, packet, "block-source" if target != "to @internal" else "block-destination", target


def malformed():
    """From the attacker's own address, which no rule blocks: what is wrong with them is their shape alone."""
    ip, ip6 = IP(src=ATTACKER4, dst=WEB4), IPv6(src=ATTACKER6, dst=WEB6)
    yield "IPv4 header of 16 bytes", IP(src=ATTACKER4, dst=WEB4, ihl=4) / UDP(), "malformed-ipv4", None
    yield "IPv4 longer than its frame", IP(src=ATTACKER4, dst=WEB4, len=900) / UDP(), "malformed-ipv4", None
    yield "IPv6 longer than its frame", IPv6(src=ATTACKER6, dst=WEB6, plen=900) / UDP(), "malformed-ipv6", None
    yield "IPv6 extension header past the end", ip6 / Raw(b"\x06\xff" + bytes(6)), "malformed-extension", None
    yield "fragment past 65535: the ping of death", IP(src=ATTACKER4, dst=WEB4, frag=8191) / Raw(), \
        "malformed-fragment", None
    yield "TCP header of 12 bytes", ip / TCP(dport=80, dataofs=3), "malformed-tcp", None
    yield "UDP longer than its packet", ip6 / UDP(dport=53, len=900), "malformed-udp", None
    yield "ICMP cut off after 4 bytes", IP(src=ATTACKER4, dst=WEB4, len=24, proto=1) / Raw(b"\x08\0\0\0"), \
        "malformed-icmp", None
    yield "three VLAN tags", Dot1AD(vlan=7) / Dot1Q(vlan=8) / Dot1Q(vlan=9) / ip / UDP(), "vlan-depth", None
    yield "ARP cut short", Raw(bytes(ARP(pdst="198.51.100.1"))[:8]), "malformed-arp", None


def harmless():
    """The same attacker, doing nothing that the policy forbids; the last one also tells when all have arrived."""
    yield "UDP from the attacker's own address", IP(src=ATTACKER4, dst=WEB4) / UDP(dport=9), None, None
    yield "UDP from a friend in the scanners' IPv4 network", IP(src=FRIEND4, dst=WEB4) / UDP(dport=9), None, None
    yield "UDP from a friend in the scanners' IPv6 network", IPv6(src=FRIEND6, dst=WEB6) / UDP(dport=9), None, None


def ethertype(what, reason):
    """Where scapy cannot tell from the layers."""
    return {"type": 0x0806} if reason == "malformed-arp" else {}


def make(source_mac, destination_mac):
    frames = []
    for number, (what, packet, reason, target) in enumerate([*blocked(), *malformed(), *harmless()], 1):
        if what == "IPv6 extension header past the end":
            packet.nh = 0  # hop-by-hop options
        ethernet = Ether(src=source_mac, dst=destination_mac, **ethertype(what, reason))
        frames.append(Frame(what, bytes(ethernet / packet / Raw(mark(number))), reason, target))
    return frames


def save(frames, path):
    wrpcap(path, [Ether(frame.bytes) for frame in frames])

# SPDX-License-Identifier: BSD-2-Clause
"""The attack: each frame with what it is and why Sluice is expected to drop it. Every frame carries its number, so that
whoever sees it can say which one it was."""
import random
import struct
from collections import namedtuple

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrHopByHop, Raw)

# `reason` None: the frame passes. `target` is the policy's own text of the rule, None where no rule decides.
Frame = namedtuple("Frame", "what bytes reason target")

WEB4, WEB6 = "192.0.2.80", "2001:db8:2::80"
MANAGEMENT4, MANAGEMENT6 = "192.0.2.200", "2001:db8:2::200"
ATTACKER4, ATTACKER6 = "198.51.100.66", "2001:db8:1::66"
BOGON4, BOGON6 = "10.66.6.6", "fd66::6"
SCANNER4, SCANNER6 = "203.0.113.99", "2001:db8:bad::99"
FRIEND4, FRIEND6 = "203.0.113.7", "2001:db8:bad::7"
EXPERIMENT = 253  # kept free for experiments (RFC 3692): no kernel knows it


def mark(number):
    return b"frame-%03d" % number


def forged(source):
    """From an address that no rule would let in, to the web server."""
    return IPv6(src=source, dst=WEB6) if ":" in source else IP(src=source, dst=WEB4)


def blocked_by_source():
    """Whatever stands around the addresses and above them."""
    yield "TCP from a private address", forged(BOGON4) / TCP(dport=80), "from @bogons"
    yield "UDP from a private address, VLAN 7", Dot1Q(vlan=7) / forged(BOGON4) / UDP(dport=53), "from @bogons"
    yield "TCP from a unique-local IPv6 address", forged(BOGON6) / TCP(dport=80), "from @bogons"
    yield "TCP from a scanner", forged(SCANNER4) / TCP(dport=80), "from @scanners"
    yield "UDP from a scanner", forged(SCANNER4) / UDP(dport=53), "from @scanners"
    yield "ping from a scanner", forged(SCANNER4) / ICMP(), "from @scanners"
    yield "unknown protocol from a scanner", IP(src=SCANNER4, dst=WEB4, proto=EXPERIMENT), "from @scanners"
    yield "later fragment, which has no ports", IP(src=SCANNER4, dst=WEB4, proto=6, frag=185), "from @scanners"
    yield "TCP from a scanner, VLAN 7", Dot1Q(vlan=7) / forged(SCANNER4) / TCP(dport=80), "from @scanners"
    yield ("UDP from a scanner, VLAN 8 inside VLAN 7",
           Dot1AD(vlan=7) / Dot1Q(vlan=8) / forged(SCANNER4) / UDP(dport=53), "from @scanners")
    yield "TCP from an IPv6 scanner", forged(SCANNER6) / TCP(dport=80), "from @scanners"
    yield "UDP from an IPv6 scanner", forged(SCANNER6) / UDP(dport=53), "from @scanners"
    yield "ping from an IPv6 scanner", forged(SCANNER6) / ICMPv6EchoRequest(), "from @scanners"
    yield "unknown protocol from an IPv6 scanner", IPv6(src=SCANNER6, dst=WEB6, nh=EXPERIMENT), "from @scanners"
    yield ("TCP behind two IPv6 extension headers",
           forged(SCANNER6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / TCP(dport=80), "from @scanners")
    yield "TCP from an IPv6 scanner, VLAN 7", Dot1Q(vlan=7) / forged(SCANNER6) / TCP(dport=80), "from @scanners"


def blocked_by_destination():
    """From the attacker's own address, which no rule names."""
    yield "TCP to the management address", IP(src=ATTACKER4, dst=MANAGEMENT4) / TCP(dport=22), "to @internal"
    yield ("ping to the management address, IPv6", IPv6(src=ATTACKER6, dst=MANAGEMENT6) / ICMPv6EchoRequest(),
           "to @internal")


def malformed():
    """From the attacker's own address too: what is wrong with them is their shape alone."""
    def ip(**fields):
        return IP(src=ATTACKER4, dst=WEB4, **fields)

    def ip6(**fields):
        return IPv6(src=ATTACKER6, dst=WEB6, **fields)

    yield "IPv4 header of 16 bytes", ip(ihl=4) / UDP(), "malformed-ipv4"
    yield "IPv4 packet longer than its frame", ip(len=900) / UDP(), "malformed-ipv4"
    yield "IPv6 packet longer than its frame", ip6(plen=900) / UDP(), "malformed-ipv6"
    yield "IPv6 options of 2048 bytes in a short packet", ip6(nh=0) / Raw(b"\x06\xff" + bytes(6)), "malformed-extension"
    yield "fragment past 65535, the ping of death", ip(proto=1, frag=8191), "malformed-fragment"
    yield "TCP header of 12 bytes", ip() / TCP(dport=80, dataofs=3), "malformed-tcp"
    yield "UDP longer than its packet", ip6() / UDP(dport=53, len=900), "malformed-udp"
    yield "ICMP cut off after 4 bytes", ip(proto=1, len=24) / Raw(b"\x08\0\0\0"), "malformed-icmp"
    yield "three VLAN tags", Dot1AD(vlan=7) / Dot1Q(vlan=8) / Dot1Q(vlan=9) / ip() / UDP(), "vlan-depth"
    yield "ARP cut short", Ether(type=0x0806) / Raw(bytes(ARP(pdst="198.51.100.1"))[:8]), "malformed-arp"


def harmless():
    """The same sender, doing nothing that the policy forbids."""
    yield "UDP from the attacker's own address", IP(src=ATTACKER4, dst=WEB4) / UDP(dport=9)
    yield "UDP from a friend inside the scanners' network", forged(FRIEND4) / UDP(dport=9)
    yield "UDP from a friend inside the scanners' IPv6 network", forged(FRIEND6) / UDP(dport=9)


def make(source_mac, destination_mac):
    """All of them in the order in which they are sent; the first has number 1."""
    rows = [(what, packet, "block-source", target) for what, packet, target in blocked_by_source()]
    rows += [(what, packet, "block-destination", target) for what, packet, target in blocked_by_destination()]
    rows += [(what, packet, reason, None) for what, packet, reason in malformed()]
    rows += [(what, packet, None, None) for what, packet in harmless()]
    frames = []
    for number, (what, packet, reason, target) in enumerate(rows, 1):
        packet = packet if Ether in packet else Ether() / packet
        packet[Ether].src, packet[Ether].dst = source_mac, destination_mac
        frames.append(Frame(what, bytes(packet / Raw(mark(number))), reason, target))
    return frames


def save_syns(path, sources, source_mac, destination_mac):
    """SYNs to the web server: from the attacker's own address, or from so many that it makes up. Whole checksums."""
    made = random.Random(1)
    frames = []
    for number in range(max(sources, 512)):
        source = ATTACKER4 if sources == 1 else f"45.{made.randrange(256)}.{made.randrange(256)}.{made.randrange(1, 255)}"
        packet = Ether(src=source_mac, dst=destination_mac) / IP(src=source, dst=WEB4) / TCP(
            sport=1024 + number, dport=80, flags="S", seq=made.getrandbits(32), options=[("MSS", 1460)])
        frames.append(Frame("SYN", bytes(packet), None, None))
    save(frames, path)


def save(frames, path):
    """As a capture of Ethernet (pcap, microseconds). Scapy's own writer would read the broken ones again first."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number, frame in enumerate(frames):
            out.write(struct.pack("<IIII", number, 0, len(frame.bytes), len(frame.bytes)) + frame.bytes)

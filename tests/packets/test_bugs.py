# SPDX-License-Identifier: BSD-2-Clause
"""Bugs that other packet filters have shipped; each has a test here by its name."""
import random
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6PacketTooBig, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN)
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from judging import (ADDRESSES4, AH, EXTENSIONS, FRAGMENT, HOPOPT, IP4, IP6, OPTIONS, ROUTING, ether, ipv4, ipv6, judge,
                     tag, with_extensions)

SYN = bytes(TCP(sport=1234, dport=443))


def reasons(body, frames, **options):
    return [line["reason"] for line in judge(body, frames, **options)]


def test_fragment_without_ports_judged_by_ports():
    """What stands where the ports would be is data, and the sender chooses it."""
    looks_like_tcp = SYN + bytes(12)
    frames = [ipv4(looks_like_tcp, protocol, frag=offset, flags=flags)
              for protocol in (6, 17, 132) for offset in (1, 185) for flags in ("", "MF")]
    frames += [ipv6(struct.pack("!BBHI", protocol, 0, offset << 3 | more, 7) + looks_like_tcp, FRAGMENT)
               for protocol in (6, 17, 132) for offset in (1, 185) for more in (0, 1)]
    for line in judge("default pass", frames):
        assert line["fragment"] == "later" and "sport" not in line and "dport" not in line


def test_fragment_of_icmp_judged_by_type():
    later = [ipv4(b"\x03\x04" + bytes(14), 1, frag=185),
             ipv6(struct.pack("!BBHI", 58, 0, 185 << 3, 7) + b"\x02\x00" + bytes(14), FRAGMENT)]
    for line in judge("default drop", later):
        assert line["verdict"] == "drop" and "icmp_type" not in line


def test_ipv6_extension_header_length_read_wrong():
    """In units of 8 without the first for most, in units of 4 without the first two for AH, 8 for a fragment, whatever
    its second byte says. Behind each, the real ports; at each wrong place, other ones."""
    decoy = struct.pack("!HH", 6666, 7777) * 64
    frames = []
    for kind, lengths in ((HOPOPT, range(0, 32)), (OPTIONS, range(0, 32)), (ROUTING, range(0, 32)), (AH, range(1, 62))):
        for length in lengths:
            size = (length + 2) * 4 if kind == AH else (length + 1) * 8
            frames.append(ipv6(bytes([6, length]) + decoy[:size - 2] + SYN + decoy, kind))
    frames += [ipv6(struct.pack("!BBHI", 6, reserved, 0, 7) + SYN + decoy, FRAGMENT) for reserved in (0, 1, 2, 255)]
    ports = {(line["sport"], line["dport"]) for line in judge("default pass", frames)}
    assert ports == {(1234, 443)}


def test_vlan_tagged_frame_skips_the_rules():
    frames = []
    for plain in (ether(IP4 / TCP()), ether(IP6 / UDP()), ipv4(bytes(8), 47), ipv4(bytes(8), 17, frag=3)):
        for outer in (0x8100, 0x88a8, 0x9100):
            frames.append(tag(plain, (outer, 5)))
            frames += [tag(plain, (outer, 5), (inner, 6)) for inner in (0x8100, 0x88a8, 0x9100)]
    found = reasons("block { from 192.0.2.1, 2001:db8::1 }", frames)
    assert set(found) == {"block-source"} and len(found) == 48


def test_too_many_vlan_tags_skip_the_rules():
    frames = [tag(ether(IP4 / TCP()), *range(count)) for count in range(3, 20)]
    assert {line["verdict"] for line in judge("block { from 192.0.2.1 }", frames)} == {"drop"}


def test_too_many_extension_headers_skip_the_rules():
    frames = [with_extensions([OPTIONS] * count, 6, SYN) for count in range(0, 30)]
    found = reasons("block { from 2001:db8::1 }", frames)
    assert found == ["block-source"] * 9 + ["extension-depth"] * 21
    assert set(reasons("malformed pass block { from 2001:db8::1 }", frames)) == {"block-source"}


def test_narrow_allow_beats_broad_deny():
    """Only an `except` opens what `from` and `to` close. A narrower entry of another rule, of the other table or of the
    other family never does, as it would where the longest prefix wins."""
    frames = [ether(IP(src=source, dst="198.51.100.7") / TCP()) for source in ("10.1.2.3", "10.1.2.4", "10.9.9.9")]
    for narrow in ("from 10.1.2.3", "to 10.1.2.3", "from 10.1.2.0/24 to 10.1.0.0/16", "from @small to @small",
                   "except 203.0.113.0/24 from 10.1.2.3", "except ::/0"):
        for body in (f"from 10.0.0.0/8 {narrow}", f"{narrow} from 10.0.0.0/8"):
            found = reasons(f"block {{ {body} }}", frames, sets="set small { 10.1.2.3, 10.1.2.4 }")
            assert found == ["block-source"] * 3, body
    assert reasons("block { except 10.1.2.3 from 10.0.0.0/8 }", frames) == ["default", "block-source", "block-source"]


def test_icmp_error_dropped_path_mtu_broken():
    quoted = bytes(IP(src="198.51.100.7", dst="192.0.2.1") / TCP())
    router = IPv6(src="2001:db8:9::1", dst="2001:db8::7", hlim=58)
    frames = [ether(IP4 / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(quoted)),
              ether(IP6 / ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(48))),
              ether(router / ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(48)))]
    frames += [tag(frame, 7) for frame in frames] + [tag(frame, (0x88a8, 7), 8) for frame in frames]
    assert {line["verdict"] for line in judge("default drop", frames)} == {"pass"}
    assert {line["verdict"] for line in judge("default drop block { from 203.0.113.0/24 }", frames)} == {"pass"}


def test_blocked_source_passes_because_its_protocol_is_not_tcp_or_udp():
    # Good in the eyes of TCP, UDP and SCTP too, each of which has lengths of its own.
    payload = struct.pack("!HHHHIB", 1234, 443, 32, 0, 0, 5 << 4) + bytes(19)
    frames = [ipv4(payload, protocol) for protocol in range(256)]
    frames += [ipv6(payload, protocol) for protocol in range(256) if protocol not in EXTENSIONS]
    frames += [with_extensions([kind], 47, payload) for kind in EXTENSIONS]
    assert set(reasons("block { from 192.0.2.1, 2001:db8::1 }", frames)) == {"block-source"}
    assert set(reasons("block { to 198.51.100.7, 2001:db8:ffff::7 }", frames)) == {"block-destination"}


def test_default_deny_eats_arp_and_ndp():
    near = IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    nobody = IPv6(src="::", dst="ff02::1:ff00:1", hlim=255)
    frames = [ether(ARP(op=1)), ether(ARP(op=2)), ether(near / ICMPv6ND_NS()), ether(near / ICMPv6ND_NA()),
              ether(near / ICMPv6ND_RS()), ether(near / ICMPv6ND_RA()),
              ether(nobody / ICMPv6ND_NS())]
    frames += [tag(frame, 7) for frame in frames]
    assert {line["verdict"] for line in judge("default drop", frames)} == {"pass"}
    assert {line["verdict"] for line in judge("default drop fragments drop malformed drop", frames)} == {"pass"}


def test_forged_ndp_uses_the_lifeline_of_ndp():
    """What came over a router is not from this link (RFC 4861, section 3.1)."""
    frames = [ether(IPv6(src="2001:db8:9::1", dst="2001:db8::7", hlim=hops) / ICMPv6ND_NA())
              for hops in (0, 1, 64, 254)]
    assert {line["verdict"] for line in judge("default drop", frames)} == {"drop"}


@pytest.mark.parametrize("where", ["in the rule", "in a set", "in a file"])
def test_list_loaded_as_hosts_instead_of_prefixes(where):
    prefixes = ["10.0.0.0/8", "192.0.2.128/25", "2001:db8::/32"]
    sets, files, target = "", {}, f"{{ {', '.join(prefixes)} }}"
    if where == "in a set":
        sets, target = f"set listed {target}", "@listed"
    elif where == "in a file":
        sets, target, files = 'set listed file "listed.txt"', "@listed", {"listed.txt": "\n".join(prefixes) + "\n"}
    inside = ["10.0.0.0", "10.0.0.1", "10.255.255.255", "10.128.3.4", "192.0.2.128", "192.0.2.200", "2001:db8::",
              "2001:db8:1234::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"]
    outside = ["9.255.255.255", "11.0.0.0", "192.0.2.127", "192.0.3.128", "2001:db7:ffff::", "2001:db9::"]

    def frame(address):
        six = ":" in address
        return ether((IPv6(src=address, dst="2001:dba::1") if six else IP(src=address, dst="203.0.113.1")) / UDP())

    found = reasons(f"block {{ from {target} }}", [frame(a) for a in inside + outside], sets=sets, files=files)
    assert found == ["block-source"] * len(inside) + ["default"] * len(outside)


def test_port_byte_order():
    ports = [(1, 256), (256, 1), (0x1234, 0x3412), (443, 0xbb01), (65280, 255)]
    frames = [ether(ip / layer(sport=s, dport=d)) for ip in (IP4, IP6) for layer in (TCP, UDP) for s, d in ports]
    assert [(line["sport"], line["dport"]) for line in judge("default pass", frames)] == ports * 4


def test_table_full_means_open():
    """A table is as large as its list: the last prefix blocks like the first, as do those between."""
    hosts = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(0, 200000, 2)]  # no two of them make a prefix
    rng = random.Random(7)
    asked = [hosts[0], hosts[-1]] + rng.sample(hosts, 200)
    found = reasons("block { from @many }", [ether(IP(src=a, dst="203.0.113.1") / UDP()) for a in asked],
                    sets='set many file "many.txt"', files={"many.txt": "\n".join(hosts)})
    assert set(found) == {"block-source"}


def test_padding_judged_as_the_packet():
    """A frame of 60 bytes holds 26 that IP knows nothing of; ports must not be read from there."""
    frames = [ipv4(b"", 17) + bytes(UDP(sport=6666, dport=7777)) + bytes(18), ipv6(b"", 6) + SYN]
    for line in judge("malformed pass", frames):
        assert "sport" not in line and line["malformed"] in ("malformed-udp", "malformed-tcp")


def test_quoted_packet_judged_as_the_packet():
    """The packet that an ICMP error quotes, or that a tunnel carries, is not the one that arrived."""
    inner = IP(src="203.0.113.66", dst="203.0.113.77") / UDP(sport=6666, dport=7777)
    frames = [ether(IP4 / ICMP(type=3, code=3) / inner), ether(IP4 / inner), ipv4(bytes(4) + bytes(inner), 47),
              ether(IP4 / UDP(sport=1234, dport=4789) / Raw(bytes(8)) / inner)]
    for line in judge("block { from 203.0.113.66 to 203.0.113.77 }", frames):
        assert line["reason"] == "default" and line.get("dport") in (None, 4789)
        assert {key: line[key] for key in ("src", "dst")} == ADDRESSES4


def test_options_hide_the_ports():
    """An IPv4 header of more than 20 bytes, or options of IPv6, in front of the ports."""
    frames = [ipv4(SYN, 6, options=b"\x01" * size) for size in range(0, 41, 4)]
    frames += [ether(IP6 / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(size))]) / IPv6ExtHdrDestOpt(nh=6) / Raw(SYN))
               for size in range(0, 100, 4)]
    lines = judge("default pass", frames)
    assert all((line["sport"], line["dport"]) == (1234, 443) for line in lines if line["proto"] == "tcp")
    assert sum(line["proto"] == "tcp" for line in lines) == len(frames)

# SPDX-License-Identifier: BSD-2-Clause
"""The ready macros, each against what it must stop and what it must leave alone: src/policy/defences.policy."""
import functools
import itertools
import os
import re

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA,
                                ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop)
from scapy.layers.l2 import ARP
from scapy.layers.ntp import NTP
from scapy.packet import Raw

from captures import read_capture
from judging import ETHERNET, TOP, ether, judge
from lab import SLUICE, sh

CLIENT4, CLIENT6 = "8.8.4.4", "2a00:1450:4001::1"  # of the Internet: not of documentation, which are martians
HOST4, HOST6 = "9.9.9.9", "2620:fe::9"
FROM4, FROM6 = IP(src=CLIENT4, dst=HOST4), IPv6(src=CLIENT6, dst=HOST6)
QUOTED4 = IP(src=HOST4, dst=CLIENT4) / TCP(sport=443, dport=40000)
QUOTED6 = IPv6(src=HOST6, dst=CLIENT6) / TCP(sport=443, dport=40000)


def text_of(macro):
    """What `sluice defences` prints of it."""
    return sh(SLUICE, "defences", macro).stdout


def macros():
    """name → its stages, from the text that is built in; the words of a block's rules are from, to, except."""
    found = {}
    text = sh(SLUICE, "defences").stdout
    for name, first in re.findall(r"^macro (\S+) \{\n\s*(\S+)", text, re.M):
        stage = "block" if first == "from" else "filter" if first == "drop" else "limit"
        found.setdefault(name, []).append(stage)
    return found


MACROS = macros()


def ordinary():
    """name → frame: what arrives at any machine of the Internet."""
    frames = {"ARP": ether(ARP(psrc=CLIENT4, pdst=HOST4))}
    for family, ip, fragmented in (("IPv4", FROM4, fragments4), ("IPv6", FROM6, fragments6)):
        for name, flags in (("SYN", "S"), ("SYN with ECE and CWR", "SEC"), ("SYN and ACK", "SA"), ("ACK", "A"),
                            ("data", "PA"), ("urgent data", "PAU"), ("FIN and ACK", "FA"), ("last data", "FPA"),
                            ("RST", "R"), ("RST and ACK", "RA"), ("congested", "AE"), ("window reduced", "AC")):
            frames[f"{family} TCP {name}"] = ether(ip / TCP(sport=40000, dport=443, flags=flags))
        frames[f"{family} TCP fast open"] = ether(ip / TCP(sport=40000, dport=443, flags="S") / Raw(bytes(100)))
        for name, upper in (
                ("DNS question", UDP(sport=40000, dport=53) / DNS(qd=DNSQR(qname="example.net"))),
                ("DNS answer", UDP(sport=53, dport=40000) / DNS(qr=1, qd=DNSQR(qname="example.net"))),
                ("DNS between resolvers", UDP(sport=53, dport=53) / DNS(qr=1)),
                ("large DNS answer", UDP(sport=53, dport=40000) / Raw(bytes(1200))),
                ("NTP answer", UDP(sport=123, dport=123) / NTP()),
                ("QUIC", UDP(sport=50000, dport=443) / Raw(bytes(1200))),
                ("QUIC behind NAT from the port of memcached", UDP(sport=11211, dport=443) / Raw(bytes(1200))),
                ("UDP without a port for answers", UDP(sport=0, dport=5000) / b"trap"),
                ("traceroute with UDP", UDP(sport=40000, dport=33434) / Raw(bytes(32))),
                ("IPsec", UDP(sport=500, dport=500) / Raw(bytes(200))),
                ("SIP", UDP(sport=5060, dport=5060) / Raw(bytes(400)))):
            frames[f"{family} {name}"] = ether(ip / upper)
        for number, fragment in enumerate(fragmented()):
            frames[f"{family} fragment {number}"] = fragment
    frames["traceroute that arrives"] = ether(IP(src=CLIENT4, dst=HOST4, ttl=1) / UDP(sport=40000, dport=33434) / b"x")
    for name, icmp in (("ping", ICMP(type=8) / Raw(bytes(56))), ("answer to a ping", ICMP(type=0) / Raw(bytes(56))),
                       ("path MTU", ICMP(type=3, code=4, nexthopmtu=1400) / QUOTED4),
                       ("port unreachable", ICMP(type=3, code=3) / QUOTED4),
                       ("time exceeded: traceroute", ICMP(type=11) / QUOTED4),
                       ("parameter problem", ICMP(type=12) / QUOTED4)):
        frames[f"ICMP {name}"] = ether(FROM4 / icmp)
    for name, icmp in (("ping", ICMPv6EchoRequest(data=bytes(56))), ("answer to a ping", ICMPv6EchoReply()),
                       ("path MTU", ICMPv6PacketTooBig(mtu=1280) / QUOTED6),
                       ("unreachable", ICMPv6DestUnreach() / QUOTED6),
                       ("time exceeded: traceroute", ICMPv6TimeExceeded() / QUOTED6)):
        frames[f"ICMPv6 {name}"] = ether(FROM6 / icmp)
    link = IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    frames["ND router advertisement"] = ether(link / ICMPv6ND_RA())
    frames["ND solicitation"] = ether(link / ICMPv6ND_NS(tgt="fe80::2"))
    frames["ND advertisement"] = ether(link / ICMPv6ND_NA(tgt="fe80::1"))
    frames["ND duplicate address detection"] = ether(IPv6(src="::", dst="ff02::1:ff00:1", hlim=255) /
                                                     ICMPv6ND_NS(tgt="fe80::1"))
    frames["MLD report"] = ether(IPv6(src="fe80::1", dst="ff02::16", hlim=1) / IPv6ExtHdrHopByHop() / ICMPv6MLReport2())
    return frames


def fragments4():
    """A datagram of 3000 bytes over a link with an MTU of 1500, and the parts of one over an old line (576)."""
    whole = bytes(UDP(sport=53, dport=40000, len=3000)) + bytes(2992)
    for size in (1480, 552):
        for at in range(0, len(whole), size):
            yield ether(IP(src=CLIENT4, dst=HOST4, proto=17, id=size, frag=at // 8,
                           flags="MF" if at + size < len(whole) else 0) / Raw(whole[at:at + size]))
    segment = bytes(TCP(sport=40000, dport=443, flags="A")) + bytes(1460)
    yield ether(IP(src=CLIENT4, dst=HOST4, proto=6, id=9, flags="MF") / Raw(segment[:552]))
    yield ether(IP(src=CLIENT4, dst=HOST4, proto=6, id=9, frag=69) / Raw(segment[552:]))


def fragments6():
    """The same over 1500 and 1280, and one cut in equal parts, of 640 bytes; an atomic fragment (RFC 6946)."""
    whole = bytes(UDP(sport=53, dport=40000, len=3000)) + bytes(2992)
    for size in (1448, 1232, 600):
        for at in range(0, len(whole), size):
            header = IPv6ExtHdrFragment(nh=17, id=size, offset=at // 8, m=int(at + size < len(whole)))
            yield ether(FROM6 / header / Raw(whole[at:at + size]))
    yield ether(FROM6 / IPv6ExtHdrFragment(nh=17, id=1) / UDP(sport=53, dport=40000) / b"x")


def names_of_defences():
    return [(name, stage) for name, stages in MACROS.items() for stage in stages]


@functools.lru_cache(maxsize=None)
def judged(stage, name, names):
    """name of a frame → what became of it, under a policy that has this one macro."""
    frames = FRAMES if names is None else {n: FRAMES[n] for n in names}
    return dict(zip(frames, judge(f"{stage} {{ use {name} }}", list(frames.values()))))


FRAMES = ordinary()


@pytest.mark.parametrize("name, stage", names_of_defences())
def test_ordinary_packets_pass(name, stage):
    """Each at its ordinary rate; limits are about more of them."""
    dropped = {frame for frame, line in judged(stage, name, None).items() if line["verdict"] != "pass"}
    assert dropped == set()


def test_all_together_leave_ordinary_packets_alone():
    body = "".join(f"{stage} {{ {' '.join(f'use {n}' for n, stages in MACROS.items() if stage in stages)} }}\n"
                   for stage in ("block", "limit", "filter"))
    lines = judge(body, list(FRAMES.values()))
    assert {name for name, line in zip(FRAMES, lines) if line["verdict"] != "pass"} == set()


def stopped(stage, name, frames):
    """Asserts that the macro drops all of the frames, by rules of its own."""
    for frame, line in zip(frames, judge(f"{stage} {{ use {name} }}", frames)):
        assert (line["verdict"], line.get("rule", "").split(":")[0]) == ("drop", "defences"), (frame.hex(), line)


FLAGS = "FSRPAUEC"
MEANINGFUL = {"S", "SA", "A", "FA", "R", "RA"}


def test_bogus_tcp_knows_every_combination_of_flags():
    """All 256 of them, both families: dropped unless what is left without PSH, URG, ECE and CWR means something."""
    combinations = ["".join(flag for bit, flag in enumerate(FLAGS) if number & 1 << bit) for number in range(256)]
    for ip in (FROM4, FROM6):
        lines = judge("filter { use bogus-tcp }", [ether(ip / TCP(sport=40000, dport=443, flags=flags))
                                                   for flags in combinations])
        passed = {flags for flags, line in zip(combinations, lines) if line["verdict"] == "pass"}
        assert passed == {flags for flags in combinations
                          if "".join(f for f in flags if f in "FSRA") in MEANINGFUL}


def test_bogus_tcp_has_ports():
    stopped("filter", "bogus-tcp", [ether(ip / TCP(sport=sport, dport=dport, flags="S"))
                                    for ip in (FROM4, FROM6) for sport, dport in ((0, 80), (40000, 0), (0, 0))])


MARTIANS = ["0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1",
            "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.255.1", "198.18.0.1",
            "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
            "255.255.255.255", "::1", "::ffff:8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001:2::1",
            "2001:10::1", "2001:1f:ffff::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00::1",
            "fec0::1", "ff02::1"]
NEIGHBOURS = ["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
              "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
              "192.88.98.255", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
              "203.0.114.0", "223.255.255.255", "::", "64:ff9b::808:808", "2001::1", "2001:1::1", "2001:3::1",
              "2001:20::1", "2001:4860::1", "2002:808:808::1", "2400::1", "3ffe::1", "fe80::1"]


def packet_from(address):
    return ether((IPv6(src=address, dst=HOST6) if ":" in address else IP(src=address, dst=HOST4)) /
                 UDP(sport=4000, dport=5000))


@pytest.mark.parametrize("stage", ["block", "filter"])
def test_martians_are_dropped_and_their_neighbours_are_not(stage):
    stopped(stage, "martians", [packet_from(address) for address in MARTIANS])
    lines = judge(f"{stage} {{ use martians }}", [packet_from(address) for address in NEIGHBOURS])
    assert [a for a, line in zip(NEIGHBOURS, lines) if line["verdict"] != "pass"] == []


def test_both_forms_of_martians_have_the_same_prefixes():
    block, *filters = re.split(r"^macro martians", text_of("martians"), flags=re.M)[1:]
    prefix = r"[0-9a-f:.]*[:.][0-9a-f:.]*(?:/\d+)?"

    def prefixes(text):
        text = re.sub(r"#.*", "", text)
        return sorted(re.findall(rf"(?<=[ \t]){prefix}(?=[, ])", text.replace("\n", " ")))

    assert prefixes(block) == prefixes(" ".join(filters)) != []


def test_martians_in_a_filter_leave_path_mtu_errors_alone_and_in_a_block_do_not():
    error = ether(IP(src="10.0.0.1", dst=HOST4) / ICMP(type=3, code=4, nexthopmtu=1400) / QUOTED4)
    assert [judge(f"{stage} {{ use martians }}", [error])[0]["verdict"] for stage in ("filter", "block")] == [
        "pass", "drop"]


def test_bogus_udp():
    services = (7, 13, 17, 19, 37, 69)
    stopped("filter", "bogus-udp", [ether(ip / UDP(sport=sport, dport=dport) / b"x") for ip in (FROM4, FROM6)
                                    for sport, dport in [*itertools.product(services, (*services, 53, 123)), (9, 0)]])


def test_bogus_icmp():
    for kind in (4, 5, 6, 9, 10, 13, 14, 15, 16, 17, 18, 30, 39):
        stopped("filter", "bogus-icmp", [ether(IP(src=CLIENT4, dst=HOST4, proto=1) / Raw(bytes([kind]) + bytes(39)))])


def test_bogus_fragments():
    udp = bytes(UDP(sport=53, dport=4000, len=3000)) + bytes(600)
    frames = [ether(IP(src=CLIENT4, dst=HOST4, proto=proto, flags="MF") / Raw(data[:size]))
              for proto, data in ((17, udp), (6, bytes(TCP(flags="A")) + udp)) for size in (24, 64, 232)]
    frames += [ether(FROM6 / IPv6ExtHdrFragment(nh=17, m=1, id=5) / Raw(udp[:size])) for size in (8, 64, 456)]
    solicitation = bytes(ICMPv6ND_NS(tgt="fe80::1"))
    frames += [ether(IPv6(src="fe80::1", dst="ff02::1", hlim=255) / IPv6ExtHdrFragment(nh=58, m=0, id=5) /
                     Raw(solicitation))]
    stopped("filter", "bogus-fragments", frames)


def test_fragments_that_need_no_rule():
    """What the text of bogus-fragments says parse refuses."""
    tcp = bytes(TCP(sport=1, dport=80, flags="S")) + bytes(12)

    def ip(data, proto=6, **fields):
        return ether(IP(src=CLIENT4, dst=HOST4, proto=proto, **fields) / Raw(data))

    def ip6(data, nh=6, **fields):
        return ether(FROM6 / IPv6ExtHdrFragment(nh=nh, **fields) / Raw(data))

    refused = [ip(tcp[:8], flags="MF"), ip(tcp[:16], flags="MF"), ip(bytes(4), 17, flags="MF"), ip(tcp[:16], frag=1),
               ip(tcp[:16], frag=2), ip(tcp[:12], frag=9, flags="MF"), ip(bytes(1480), 17, frag=8189),
               ip6(tcp[:8], m=1), ip6(tcp[:16], offset=1), ip6(tcp[:12], offset=9, m=1)]
    assert [line["reason"].split("-")[0] for line in judge("default pass", refused)] == ["malformed"] * len(refused)


# macro → frames that all count against one limit of it, how many of them may come at once.
FLOODS = [
    ("amplification", UDP(sport=53, dport=4000) / Raw(bytes(500)), 200),
    ("amplification", UDP(sport=123, dport=4000) / Raw(bytes(440)), 20),
    *(("amplification", UDP(sport=port, dport=443) / Raw(bytes(500)), 100) for port in (
        17, 19, 69, 111, 137, 138, 161, 389, 520, 1434, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810)),
    ("syn-per-service", TCP(sport=40000, dport=22, flags="S"), 50),
    ("syn-per-service", TCP(sport=40000, dport=25, flags="S"), 50),
    ("syn-per-service", TCP(sport=40000, dport=8443, flags="S"), 500),
    ("icmp-flood", ICMP(type=8) / Raw(bytes(56)), 500),
    ("icmp-flood", ICMP(type=11) / QUOTED4, 500),
]


def many(upper, count, source=lambda number: f"8.{number >> 8 & 255}.{number & 255}.7"):
    """Of as many sources: what they have in common is what they are."""
    return [ether(IP(src=source(number), dst=HOST4) / upper) for number in range(count)]


def passed_of(body, frames):
    return sum(line["verdict"] == "pass" for line in judge(body, frames))


@pytest.mark.parametrize("name, upper, burst", FLOODS, ids=lambda value: value if isinstance(value, str) else "")
def test_of_a_flood_no_more_than_the_limit_passes(name, upper, burst):
    """By the clock of the capture, whose packets come a thousand at once, each second."""
    frames = many(upper, 3 * burst + 200)
    assert burst <= passed_of(f"limit {{ use {name} }}", frames) < 2 * burst + 100


def test_web_servers_get_more_connections_than_others():
    assert passed_of("limit { use syn-per-service }", many(TCP(sport=40000, dport=443, flags="S"), 1000)) == 1000


def test_the_rest_of_large_answers_is_limited_too():
    frames = [ether(IP(src=CLIENT4, dst=HOST4, proto=17, id=number, frag=185) / Raw(bytes(1000)))
              for number in range(800)]
    assert 200 <= passed_of("limit { use amplification }", frames) < 500


def test_syn_per_source_is_for_each_source_and_service():
    one, other = (TCP(sport=40000, dport=port, flags="S") for port in (80, 443))
    frames = [frame for pair in zip(many(one, 600, lambda number: CLIENT4), many(other, 600, lambda number: CLIENT4),
                                    many(one, 600)) for frame in pair]
    lines = judge("limit { use syn-per-source }", frames)
    passed = [sum(line["verdict"] == "pass" for line in lines[start::3]) for start in range(3)]
    assert 200 <= passed[0] < 300 and 200 <= passed[1] < 300 and passed[2] == 600


def test_icmp_flood_leaves_path_mtu_errors_alone():
    pings = many(ICMP(type=8) / Raw(bytes(56)), 900)
    errors = many(ICMP(type=3, code=4, nexthopmtu=1400) / QUOTED4, 100)
    lines = judge("limit { use icmp-flood }", pings + errors)
    assert any(line["verdict"] == "drop" for line in lines[800:900])
    assert all(line["verdict"] == "pass" for line in lines[900:])


def test_every_ready_macro_is_tested():
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [name for name in MACROS if f'"{name}"' not in text and f"use {name} " not in text] == []


def test_what_is_printed_is_what_runs():
    with open(os.path.join(TOP, "src/policy/defences.policy"), encoding="utf-8") as file:
        text = file.read()
    assert sh(SLUICE, "defences").stdout == text
    parts = [text_of(name) for name in MACROS]
    assert [part.count("\nmacro ") for part in parts] == [len(stages) for stages in MACROS.values()]
    assert "\n".join(parts).rstrip() == text[text.index("\n\n") + 2:].rstrip()


@pytest.mark.parametrize("name, hint", [("bogus-tpc", 'did you mean "bogus-tcp"?'),
                                        ("martian", 'did you mean "martians"?'),
                                        ("x", '"sluice defences" prints all of them'),
                                        ("", '"sluice defences" prints all of them')])
def test_unknown_name(name, hint):
    result = sh(SLUICE, "defences", name, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f'sluice: there is no ready macro "{name}"\n{hint}\n'


def test_a_printed_macro_under_another_name_is_a_policy(tmp_path):
    """As its text says: to change one, print it and give it a name of your own."""
    for name, stages in MACROS.items():
        policy = tmp_path / f"{name}.policy"
        uses = "".join(f"{stage} {{ use my-{name} }}" for stage in stages)
        policy.write_text(text_of(name).replace(f"macro {name} ", f"macro my-{name} ") + f"interface eth0 {{ {uses} }}")
        assert sh(SLUICE, "check", policy).stderr == ""


def test_places_in_the_ready_macros_are_told_with_their_file(tmp_path):
    twice, unreached = tmp_path / "twice.policy", tmp_path / "unreached.policy"
    twice.write_text("interface eth0 { block { use martians\nfrom { 127.0.0.0/8, ::1 } } }\n")
    unreached.write_text("interface eth0 { filter { use bogus-tcp\ndrop tcp dport 0\n} }\n")
    said = sh(SLUICE, "check", twice, check=False).stderr
    assert ":2:6: error: the block has the same `from` target twice\n" in said
    assert re.search(r"\nthe other one is at defences:\d+\n", said), said
    said = sh(SLUICE, "check", unreached).stderr
    assert re.search(r":2:1: warning: this rule is never reached: the one at defences:\d+ has all of it\n", said), said


def test_stats_and_rules_name_the_text_that_defences_prints():
    """defences:LINE is that line of what `sluice defences` prints."""
    line, = judge("filter { use bogus-tcp }", [ether(FROM4 / TCP(flags="SF"))])
    number = int(line["rule"].removeprefix("defences:"))
    assert sh(SLUICE, "defences").stdout.splitlines()[number - 1].split()[:4] == [
        "drop", "tcp", "flags", "fin/fin,ack"]


FOLDER = os.path.join(TOP, "../shared/data/captures")
# Captures made to harm a dissector: three whose TCP has no flags at all, one that has all of them.
BOGUS = {"bgp_mp_reach_nlri-oobr.pcap", "bgp_mvpn_6_and_7_oobr.pcap", "bgp_vpn_rt-oobr.pcap",
         "tcp_eight_lowest_weight_flags_set.pcap"}


@pytest.mark.skipif(not os.path.isdir(FOLDER), reason=f"no captures in {os.path.normpath(FOLDER)}")
def test_captured_traffic_is_left_alone():
    """Of hundreds of captures of real protocols the filter's defences drop what was forged to harm."""
    frames, names = [], []
    for folder, _, files in os.walk(FOLDER):
        for name in sorted(files):
            if not name.endswith((".pcap", ".pcapng")):
                continue
            link_type, packets = read_capture(os.path.join(folder, name))
            if link_type == ETHERNET:
                frames += packets
                names += [name] * len(packets)
    lines = judge("filter { use bogus-tcp use bogus-udp use bogus-icmp use bogus-fragments }", frames)
    assert sum(line.get("proto") == "tcp" for line in lines) > 500
    assert {name for name, line in zip(names, lines) if line.get("rule")} == BOGUS

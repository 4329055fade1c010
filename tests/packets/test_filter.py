# SPDX-License-Identifier: BSD-2-Clause
"""The filter: which rule of a policy has a packet, whatever the rule asks for, and bugs that others shipped."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)
from scapy.layers.l2 import ARP
from scapy.layers.sctp import SCTP
from scapy.packet import Raw, raw

from judging import (AH, DESTINATION4, FRAGMENT, HEADER_FIELDS, HOPOPT, IP4, IP6, OPTIONS, ROUTING, SOURCE4, ether,
                     extension, ipv4, ipv6, judge, tag, with_extensions)

LLDP = ether(b"", 0x88cc)
LACP = ether(b"\1" + bytes(109), 0x8809)
STP = ether(b"\x42\x42\3" + bytes(35), 38)  # IEEE 802.3: a length in the place of the EtherType
SYN = ether(IP4 / TCP(sport=1234, dport=443, flags="S"))
SYN6 = ether(IP6 / TCP(sport=1234, dport=443, flags="S"))
DNS = ether(IP4 / UDP(sport=53, dport=5353))
ECHO, ECHO6 = ether(IP4 / ICMP()), ether(IP6 / ICMPv6EchoRequest())


def matches(rule, *frames, sets=""):
    """Which of these the rule takes: it drops them, all else passes."""
    lines = judge(f"filter {{ drop {rule} }}", frames, sets=sets)
    assert all(line["reason"] == ("filter-rule" if line["verdict"] == "drop" else "default") for line in lines)
    return [line["verdict"] == "drop" for line in lines]


YES, NO = True, False

CASES = {
    # rule: ((frame, taken), …)
    "tcp": ((SYN, YES), (SYN6, YES), (DNS, NO), (LLDP, NO)),
    "ipv4": ((SYN, YES), (SYN6, NO)),
    "ipv6": ((SYN, NO), (SYN6, YES)),
    "tcp dport 443": ((SYN, YES), (SYN6, YES), (ether(IP4 / UDP(dport=443)), NO)),
    # port-range byte order: 0x00ff and 0xff00 are far apart
    "tcp dport 255-256": ((ether(IP4 / TCP(dport=255)), YES), (ether(IP4 / TCP(dport=256)), YES),
                          (ether(IP4 / TCP(dport=254)), NO), (ether(IP4 / TCP(dport=257)), NO),
                          (ether(IP4 / TCP(dport=0xff00)), NO), (ether(IP4 / TCP(dport=1)), NO)),
    "udp sport 53": ((DNS, YES), (ether(IP4 / UDP(sport=5353, dport=53)), NO)),
    "tcp dport not { 80, 443 }": ((SYN, NO), (ether(IP4 / TCP(dport=81)), YES), (ether(IP4 / TCP(dport=80)), NO)),
    "tcp dport 0-65535": ((SYN, YES), (ipv4(bytes(8), 6, frag=3), NO)),
    "sctp dport 7": ((ether(IP4 / SCTP(sport=1, dport=7)), YES), (ether(IP4 / SCTP(sport=7, dport=1)), NO)),
    "protocol 47": ((ipv4(b"", 47), YES), (ipv6(b"", 47), YES), (SYN, NO)),
    "from 192.0.2.0/24": ((SYN, YES), (ether(IP(src="192.0.3.1", dst=DESTINATION4) / TCP()), NO), (SYN6, NO)),
    "to 2001:db8:ffff::/48": ((SYN6, YES), (SYN, NO)),
    "from not 192.0.2.0/24": ((SYN, NO), (ether(IP(src="192.0.3.1", dst=DESTINATION4) / TCP()), YES)),
    "tcp flags syn/syn,ack": ((SYN, YES), (ether(IP4 / TCP(flags="SA")), NO), (ether(IP4 / TCP(flags="SE")), YES),
                              (ipv4(bytes(8), 6, frag=3), NO)),
    "tcp flags none/all": ((ether(IP4 / TCP(flags=0)), YES), (SYN, NO), (ipv4(bytes(8), 6, frag=3), NO)),
    "icmp type echo-request": ((ECHO, YES), (ether(IP4 / ICMP(type=0)), NO), (ECHO6, NO)),
    "icmpv6 type 1 code 4": ((ether(IP6 / ICMPv6DestUnreach(code=4)), YES),
                             (ether(IP6 / ICMPv6DestUnreach(code=3)), NO)),
    "vlan 5": ((tag(SYN, 5), YES), (tag(SYN, 5, 6), YES), (tag(SYN, 6, 5), NO), (SYN, NO), (tag(LLDP, 5), YES)),
    "vlan none": ((SYN, YES), (tag(SYN, 5), NO), (LLDP, YES)),
    "dscp ef": ((ether(IP(src=SOURCE4, dst=DESTINATION4, tos=46 << 2 | 3) / TCP()), YES), (SYN, NO),
                (ether(IPv6(src="::2", dst="::3", tc=46 << 2) / TCP()), YES), (LLDP, NO)),
    "dscp 0": ((SYN, YES), (SYN6, YES), (LLDP, NO)),
    "ttl 0-10": ((ether(IP(src=SOURCE4, dst=DESTINATION4, ttl=10) / TCP()), YES), (SYN, NO),
                 (ether(IPv6(src="::2", dst="::3", hlim=11) / TCP()), NO), (LLDP, NO)),
    "length 40": ((SYN, YES), (SYN + bytes(6), YES), (SYN6, NO), (ether(IP4 / TCP() / b"x"), NO)),
    "length 60-61": ((SYN6, YES), (ether(IP6 / TCP() / b"x"), YES), (ether(IP6 / TCP() / b"xy"), NO)),
    "fragment none": ((SYN, YES), (ipv4(bytes(8), 17, frag=3), NO)),
    "fragment first": ((ipv4(bytes(8), 47, flags="MF"), YES), (ipv4(bytes(8), 47, frag=3), NO), (SYN, NO)),
    "fragment later": ((ipv4(bytes(8), 47, flags="MF"), NO), (ipv4(bytes(8), 47, frag=3), YES)),
    "fragment any": ((ipv4(bytes(8), 47, flags="MF"), YES), (ipv4(bytes(8), 47, frag=3), YES), (SYN, NO)),
    "extension hop-by-hop": ((with_extensions([HOPOPT], 59, b""), YES), (with_extensions([OPTIONS], 59, b""), NO),
                             (SYN6, NO), (SYN, NO)),
    "extension routing": ((with_extensions([HOPOPT, ROUTING], 59, b""), YES), (SYN6, NO)),
    "extension fragment": ((with_extensions([FRAGMENT], 59, b""), YES), (SYN6, NO)),
    "extension destination": ((with_extensions([OPTIONS], 59, b""), YES), (SYN6, NO)),
    "extension authentication": ((with_extensions([AH], 59, b""), YES), (SYN6, NO)),
    "mac 02:00:00:00:00:01": ((SYN, YES), (SYN6, YES), (LLDP, YES), (SYN[:11] + b"\2" + SYN[12:], NO)),
    # blocked source passes because its protocol is not TCP or UDP
    "from 192.0.2.1": ((SYN, YES), (ipv4(b"", 250), YES), (ECHO, YES), (ipv4(bytes(8), 17, frag=3), YES)),
    # VLAN-tagged frame skips the rules
    "udp dport 5353": ((DNS, YES), (tag(DNS, 7), YES), (tag(DNS, (0x88a8, 7), 8), YES)),
    # ICMP error dropped, path-MTU broken; default-deny eats ARP and NDP
    "": ((SYN, YES), (LLDP, YES), (ether(ARP()), NO), (ether(IP6 / ICMPv6PacketTooBig()), NO),
         (ether(IP4 / ICMP(type=3, code=4)), NO), (ether(IP4 / ICMP(type=3, code=3)), YES),
         (ether(IPv6(src="fe80::1", dst="fe80::2", hlim=255) / ICMPv6ND_NS(tgt="fe80::2")), NO),
         (ether(IPv6(src="fe80::1", dst="fe80::2", hlim=254) / ICMPv6ND_NS(tgt="fe80::2")), YES)),
    "icmp": ((ECHO, YES), (ether(IP4 / ICMP(type=3, code=4)), NO)),
    "icmp type destination-unreachable": ((ether(IP4 / ICMP(type=3, code=4)), YES),),
    "icmpv6 type packet-too-big": ((ether(IP6 / ICMPv6PacketTooBig()), YES),),
    "arp": ((ether(ARP()), YES), (SYN, NO), (LLDP, NO)),
    "ethertype lldp": ((LLDP, YES), (LACP, NO), (tag(LLDP, 5), YES), (STP, NO), (ether(ARP()), NO), (SYN, NO),
                       (ether(IP4 / UDP(dport=0x88cc)), NO), (ether(IP6 / UDP(dport=0x88cc)), NO)),
    "ethertype { 0x8809, llc }": ((LACP, YES), (STP, YES), (LLDP, NO)),
    "ethertype not { slow, llc }": ((LACP, NO), (STP, NO), (LLDP, YES), (ether(ARP()), NO), (SYN, NO), (SYN6, NO)),
    "ethertype slow vlan 5": ((tag(LACP, 5), YES), (LACP, NO)),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_takes_what_it_says(rule):
    frames, taken = zip(*CASES[rule])
    assert matches(rule, *frames) == list(taken)


def test_the_first_rule_that_matches_has_the_word():
    """narrow allow beats broad deny, and the other way round, by order alone."""
    narrow, broad = "accept tcp from 192.0.2.1 dport 443", "drop tcp"
    for rules, verdict in ((f"{narrow}\n{broad}", "pass"), (f"{broad}\n{narrow}", "drop")):
        line = judge(f"filter {{\n{rules}\n}}", [SYN])[0]
        assert (line["verdict"], line["rule"]) == (verdict, "test.policy:4")


def test_what_no_rule_matches_goes_on_to_the_default():
    lines = judge("filter { accept udp\ndefault drop }", [SYN, DNS, ether(ARP()), LLDP])
    assert [(line["verdict"], line["reason"]) for line in lines] == [
        ("drop", "default"), ("pass", "filter-rule"), ("pass", "failsafe"), ("drop", "default")]


def test_a_rule_spares_what_is_not_ip():
    """default-deny eats LACP, and with it the link."""
    lines = judge("filter { accept ethertype slow\ndefault drop }", [LACP, LLDP, ether(ARP()), SYN])
    assert [(line["verdict"], line["reason"]) for line in lines] == [
        ("pass", "filter-rule"), ("drop", "default"), ("pass", "failsafe"), ("drop", "default")]


SETS = "set good { 192.0.2.0/24, 2001:db8::/32 }\nset bad { 198.51.100.0/24 }\n"


@pytest.mark.parametrize("rule, taken", [
    ("tcp from @good", [YES, YES, NO]), ("tcp to @bad", [YES, NO, NO]), ("tcp from @bad", [NO, NO, NO]),
    ("tcp from @good to @bad", [YES, NO, NO]), ("tcp from not @good", [NO, NO, YES]),
])
def test_sets_of_a_rule(rule, taken):
    stranger = ether(IP(src="203.0.113.1", dst="203.0.113.2") / TCP())
    assert matches(rule, SYN, SYN6, stranger, sets=SETS) == taken


def test_a_later_fragment_has_neither_ports_nor_type():
    """fragment without ports judged by ports: bytes that look like ports are none."""
    looks_like_dns = ipv4(bytes(UDP(sport=53, dport=53)), 17, frag=5)
    lines = judge("filter { accept udp dport 53\ndrop udp }", [looks_like_dns, ether(IP4 / UDP(dport=53))])
    assert [line["verdict"] for line in lines] == ["drop", "pass"]


def test_a_blocked_source_is_blocked_before_the_filter():
    line = judge("block { from 192.0.2.1 }\nfilter { accept }", [SYN])[0]
    assert line["reason"] == "block-source"


def test_a_limit_lets_a_burst_through_and_then_its_rate():
    """By the clock of the capture: a packet each microsecond, a thousand of them a second."""
    body = "filter { accept udp dport 5353 limit 10/s burst 4 per source\ndrop }"
    other = ether(IP(src="192.0.2.9", dst=DESTINATION4) / UDP(sport=53, dport=5353))
    lines = judge(body, [DNS] * 6 + [other] * 5 + [DNS] * 2989)
    passed = [number for number, line in enumerate(lines) if line["verdict"] == "pass"]
    assert {line["reason"] for line in lines} == {"filter-rule", "filter-limit"}
    assert passed[:8] == [0, 1, 2, 3, 6, 7, 8, 9]
    # 1,000 packets within a millisecond of each second: the burst, once more each second
    assert [sum(start <= number < start + 1000 for number in passed[8:]) for start in (0, 1000, 2000)] == [0, 4, 4]


def test_limits_of_a_rule_and_of_networks():
    def frame(last):
        return ether(IP(src=f"192.0.2.{last}", dst=DESTINATION4) / UDP(sport=53, dport=5353))

    frames = [frame(n) for n in (1, 2, 3, 130, 131, 132)]
    for per, passed in (("", [1, 1, 0, 0, 0, 0]), (" per source", [1] * 6), (" per source/25", [1, 1, 0, 1, 1, 0]),
                        (" per destination", [1, 1, 0, 0, 0, 0])):
        lines = judge(f"filter {{ accept udp limit 1/m burst 2{per} }}", frames)
        assert [int(line["verdict"] == "pass") for line in lines] == passed, per


def test_a_flood_against_a_slow_limit_leaves_the_others_open():
    """All limits share cells. Each frame of the flood puts two of them an hour ahead: here, nearly half of them."""
    def frame(number, protocol):
        return ether(IP(src=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", dst=DESTINATION4) / protocol)

    udp, tcp = raw(frame(0, UDP(sport=1, dport=53))), [frame(number, TCP(sport=1, dport=443)) for number in range(300)]
    flood = [udp[:26] + bytes([10 + (n >> 16), n >> 8 & 255, n & 255, 1]) + udp[30:] for n in range(300000)]
    lines = judge("filter { accept udp limit 1/h per source\naccept tcp limit 1000/s per source\ndrop }", flood + tcp)
    assert all(line["verdict"] == "pass" for line in lines[-300:])


def test_header_fields_are_told():
    frame = ether(IP(src=SOURCE4, dst=DESTINATION4, ttl=9, tos=0xb8) / TCP(flags="SA"))
    lines = judge("", [frame, SYN6, DNS, LLDP], header_fields=True)
    told = [{name: line[name] for name in HEADER_FIELDS if name in line} for line in lines]
    assert told == [{"tcp_flags": ["syn", "ack"], "ttl": 9, "dscp": 46},
                    {"tcp_flags": ["syn"], "ttl": 64, "dscp": 0}, {"ttl": 64, "dscp": 0}, {}]


def test_lists_of_more_groups_than_the_verifier_looks_at_are_judged():
    """Rules that differ only in TTL and length: neither hash nor cut parts them, in two lists of both families."""
    def asked(network):
        return [f"tcp from {network} flags syn/syn ttl {n % 200} length {100 + n}" for n in range(860)]

    def frames(number):
        length = 100 + number
        return [ether(IP(src="10.0.0.1", dst=DESTINATION4, ttl=number % 200) / TCP(flags="S") / bytes(length - 40)),
                ether(IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=number % 200) / TCP(flags="S") / bytes(length - 60))]

    rules = asked("10.0.0.0/8") + asked("2001:db8::/32")
    numbers = (1, 47, 48, 500, 859)
    lines = judge("\n".join(["limit {", *(f"{rule} 1/m burst 1" for rule in rules), "}",
                             "filter {", *(f"accept {rule}" for rule in rules), "drop tcp", "}"]),
                  [frame for number in numbers for frame in frames(number) * 2] + frames(2000))
    verdicts = [(line["verdict"], line["reason"]) for line in lines]
    assert verdicts == [
        ("pass", "filter-rule"), ("pass", "filter-rule"), ("drop", "limit"), ("drop", "limit")] * len(numbers) + [
        ("drop", "filter-rule")] * 2

# SPDX-License-Identifier: BSD-2-Clause
"""block: by source, by destination, for every protocol; who wins where prefixes overlap; which rule is named."""
import ipaddress
import random
import struct

import pytest

from judging import (AH, DESTINATION4, DESTINATION6, FRAGMENT, HOPOPT, OPTIONS, SOURCE4, SOURCE6, Table, chain, ether,
                     judge, malformed, tag)

PORTS = {"sport": 1234, "dport": 443}
TCP_BYTES = struct.pack("!HHIIBBHHH", 1234, 443, 0, 0, 5 << 4, 2, 0, 0, 0)
UDP_BYTES = struct.pack("!HHHH", 1234, 443, 8, 0)


def packet(source, destination, protocol=253, payload=b"", fragment=0):
    """A frame made without scapy, because some tests want thousands. `fragment` is IPv4's field of that place."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    ethertype = 0x0800 if source.version == 4 else 0x86dd
    if source.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 64, protocol, 0)
    else:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    return bytes(12) + struct.pack("!H", ethertype) + header + source.packed + destination.packed + payload


def decisions(body, pairs, **options):
    """(reason, line of the rule or None) for each pair of addresses."""
    lines = judge(body, [packet(*pair) for pair in pairs], **options)
    return [(line["reason"], int(line["rule"].split(":")[1]) if "rule" in line else None) for line in lines]


PASSED = ("default", None)


def protocol_table():
    """A blocked address is blocked whatever it carries."""
    table = Table("block { from { 192.0.2.0/24, 2001:db8::/48 } }")
    blocked = {"verdict": "drop", "reason": "block-source", "rule": "test.policy:3",
               "rule_text": "from { 192.0.2.0/24, 2001:db8::/48 }"}
    payloads = {"tcp": (6, TCP_BYTES, PORTS), "udp": (17, UDP_BYTES, PORTS), "sctp": (132, bytes(4) + bytes(8), {
        "sport": 0, "dport": 0}), "gre": (47, bytes(4), {}), "esp": (50, bytes(8), {}), "igmp": (2, bytes(8), {}),
                "ospf": (89, bytes(24), {}), "ipip": (4, packet("203.0.113.1", "203.0.113.2")[14:], {}),
                "ipv6": (41, packet("2001:db8:1::1", "2001:db8:1::2")[14:], {}), "99": (99, b"", {}),
                "255": (255, bytes(1), {})}
    for source, destination, family in ((SOURCE4, DESTINATION4, "IPv4"), (SOURCE6, DESTINATION6, "IPv6")):
        addresses = {"src": source, "dst": destination}
        icmp = (1, "icmp", 8) if family == "IPv4" else (58, "icmpv6", 128)
        for name, (protocol, payload, ports) in payloads.items():
            frame = packet(source, destination, protocol, payload)
            table.row(f"{family} {name}", frame, proto=name, **addresses, **ports, **blocked)
            table.row(f"{family} {name} tagged", tag(frame, 9), proto=name, vlan=[9], **addresses, **ports, **blocked)
            table.row(f"{family} {name} tagged twice", tag(frame, (0x88a8, 9), 10), proto=name, vlan=[9, 10],
                      **addresses, **ports, **blocked)
        table.row(f"{family} ICMP", packet(source, destination, icmp[0], bytes([icmp[2], 0]) + bytes(6)), proto=icmp[1],
                  icmp_type=icmp[2], icmp_code=0, **addresses, **blocked)
        table.row(f"{family} malformed TCP is malformed first", packet(source, destination, 6, bytes(3)), proto="tcp",
                  **addresses, **malformed("malformed-tcp"))
    addresses = {"src": SOURCE4, "dst": DESTINATION4}
    table.row("IPv4 first fragment", packet(SOURCE4, DESTINATION4, 17, UDP_BYTES, 0x2000), proto="udp",
              fragment="first", **PORTS, **addresses, **blocked)
    for name, bits in (("later", 185), ("middle", 0x2000 | 185)):
        table.row(f"IPv4 {name} fragment", packet(SOURCE4, DESTINATION4, 17, UDP_BYTES, bits), proto="udp",
                  fragment="later", **addresses, **blocked)
    addresses = {"src": SOURCE6, "dst": DESTINATION6}
    for name, bits, kind, ports in (("first", 1, "first", PORTS), ("later", 185 << 3, "later", {}),
                                    ("atomic", 0, "none", PORTS)):
        fragment = struct.pack("!BBHI", 17, 0, bits, 7) + UDP_BYTES
        table.row(f"IPv6 {name} fragment", packet(SOURCE6, DESTINATION6, FRAGMENT, fragment), proto="udp",
                  fragment=kind, **ports, **addresses, **blocked)
    following, data = chain([HOPOPT, OPTIONS, AH], 47, bytes(4))
    table.row("IPv6 GRE behind extensions", packet(SOURCE6, DESTINATION6, following, data), proto="gre", **addresses,
              **blocked)
    table.row("ARP has no address to block", ether(struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, bytes(6), bytes(
        [192, 0, 2, 1]), bytes(6), bytes([192, 0, 2, 2])), 0x0806), proto="arp")
    return table


test_every_protocol = protocol_table().test()


def test_the_other_direction_passes():
    body = "block {\nfrom 192.0.2.0/24, 2001:db8:1::/48\nto 198.51.100.0/24, 2001:db8:2::/48\n}"
    assert decisions(body, [
        ("192.0.2.1", "203.0.113.1"), ("203.0.113.1", "192.0.2.1"), ("203.0.113.1", "198.51.100.1"),
        ("198.51.100.1", "203.0.113.1"), ("2001:db8:1::1", "2001:db8:3::1"), ("2001:db8:3::1", "2001:db8:1::1"),
        ("2001:db8:3::1", "2001:db8:2::1"), ("2001:db8:2::1", "2001:db8:3::1"), ("192.0.2.1", "198.51.100.1"),
    ]) == [("block-source", 4), PASSED, ("block-destination", 5), PASSED, ("block-source", 4), PASSED,
           ("block-destination", 5), PASSED, ("block-source", 4)]


@pytest.mark.parametrize("prefix, inside, outside", [
    ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.1.255", "192.0.3.0"]),
    ("192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
    ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
    ("192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]),
    ("128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255", "0.0.0.0"]),
    ("0.0.0.0/1", ["0.0.0.0", "127.255.255.255"], ["128.0.0.0"]),
    ("0.0.0.0/0", ["0.0.0.0", "192.0.2.1", "255.255.255.255"], ["::", "2001:db8::1"]),
    ("255.255.255.255", ["255.255.255.255"], ["255.255.255.254"]),
    ("0.0.0.0", ["0.0.0.0"], ["0.0.0.1"]),
    ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"], ["2001:db7::", "2001:db9::"]),
    ("2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]),
    ("2001:db8::/63", ["2001:db8:0:1:ffff::"], ["2001:db8:0:2::"]),
    ("2001:db8::/65", ["2001:db8::7fff:ffff:ffff:ffff"], ["2001:db8::8000:0:0:0"]),
    ("2001:db8::/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2"]),
    ("2001:db8::7", ["2001:db8::7"], ["2001:db8::6", "2001:db8::8"]),
    ("2001:db8::7/128", ["2001:db8::7"], ["2001:db8::6", "2001:db8::8"]),
    ("::/0", ["::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["0.0.0.0", "192.0.2.1"]),
    ("::/128", ["::"], ["::1", "0.0.0.0"]),
    ("::ffff:0:0/96", ["::ffff:192.0.2.1"], ["192.0.2.1", "::fffe:192.0.2.1"]),
])
@pytest.mark.parametrize("kind", ["from", "to"])
def test_edges_of_a_prefix(kind, prefix, inside, outside):
    def pair(address):
        other = "203.0.113.9" if "." in address and ":" not in address else "2001:db9::9"
        return (address, other) if kind == "from" else (other, address)

    reason = {"from": "block-source", "to": "block-destination"}[kind]
    found = decisions(f"block {{ {kind} {prefix} }}", [pair(address) for address in inside + outside])
    assert found == [(reason, 3)] * len(inside) + [PASSED] * len(outside)


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("wide, narrow, in_narrow, in_wide, outside", [
    ("192.0.2.0/24", "192.0.2.64/26", "192.0.2.70", "192.0.2.7", "192.0.3.1"),
    ("0.0.0.0/0", "192.0.2.7", "192.0.2.7", "192.0.2.8", None),
    ("2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::5", "2001:db8:2::5", "2001:db9::1"),
    ("::/0", "2001:db8::7/128", "2001:db8::7", "2001:db8::8", None),
])
class TestExceptBeatsFromAndTo:
    """However wide or narrow either is, wherever it stands."""

    @staticmethod
    def block(kind, blocked, spared, order):
        rules = [f"except {spared}", f"{kind} {blocked}"]
        return f"block {{ {' '.join(rules if order == 'first' else reversed(rules))} }}"

    @staticmethod
    def reasons(kind, body, addresses):
        addresses = [a for a in addresses if a]
        other = "203.0.113.9" if "." in addresses[0] else "2001:db9::9"
        pairs = [(a, other) if kind == "from" else (other, a) for a in addresses]
        return [reason for reason, _ in decisions(body, pairs)]

    def test_narrow_exception_opens_only_itself(self, wide, narrow, in_narrow, in_wide, outside, order):
        for kind, reason in (("from", "block-source"), ("to", "block-destination")):
            body = self.block(kind, wide, narrow, order)
            found = self.reasons(kind, body, [in_narrow, in_wide, outside])
            assert found == ["default", reason, "default"][:len(found)]

    def test_wide_exception_opens_the_narrow_block(self, wide, narrow, in_narrow, in_wide, outside, order):
        for kind in ("from", "to"):
            found = self.reasons(kind, self.block(kind, narrow, wide, order), [in_narrow, in_wide, outside])
            assert set(found) == {"default"}

    def test_the_same_prefix(self, wide, narrow, in_narrow, in_wide, outside, order):
        for kind in ("from", "to"):
            found = self.reasons(kind, self.block(kind, wide, wide, order), [in_narrow, in_wide, outside])
            assert set(found) == {"default"}


def test_narrow_entries_never_open_a_broad_one():
    """Nested from and to of every width, no exception: all of it stays blocked, and the first one written is named."""
    broad_first = "block {\nfrom 10.0.0.0/8\nfrom 10.1.0.0/16\nfrom 10.1.1.0/24\nfrom 10.1.1.1\n}"
    narrow_first = "block {\nfrom 10.1.1.1\nfrom 10.1.1.0/24\nfrom 10.1.0.0/16\nfrom 10.0.0.0/8\n}"
    pairs = [(source, "203.0.113.9") for source in ("10.9.9.9", "10.1.9.9", "10.1.1.9", "10.1.1.1", "11.0.0.1")]
    assert decisions(broad_first, pairs) == [("block-source", 4)] * 4 + [PASSED]
    assert decisions(narrow_first, pairs) == [("block-source", line) for line in (7, 6, 5, 4)] + [PASSED]


def test_exception_inside_a_block_inside_an_exception():
    body = "block {\nexcept 10.0.0.0/8\nfrom 10.1.0.0/16\nexcept 10.1.1.0/24\nfrom 10.1.1.7\nfrom 0.0.0.0/0\n}"
    sources = ("10.9.9.9", "10.1.9.9", "10.1.1.9", "10.1.1.7", "11.0.0.1")
    assert decisions(body, [(s, "203.0.113.9") for s in sources]) == [PASSED] * 4 + [("block-source", 8)]


def test_excepted_source_is_not_blocked_by_its_destination():
    body = "block {\nexcept 10.0.0.1\nto 198.51.100.0/24\n}"
    assert decisions(body, [("10.0.0.1", "198.51.100.9"), ("10.0.0.2", "198.51.100.9")]) == [
        PASSED, ("block-destination", 5)]


def test_excepted_destination_does_not_save_a_blocked_source():
    body = "block {\nexcept 198.51.100.9\nfrom 10.0.0.0/8\nto 198.51.100.0/24\n}"
    found = decisions(body, [("10.0.0.1", "198.51.100.9"), ("11.0.0.1", "198.51.100.9"), ("11.0.0.1", "198.51.100.8")])
    assert found == [("block-source", 5), PASSED, ("block-destination", 6)]


def test_an_exception_of_one_family_is_none_of_the_other():
    body = "block {\nexcept 0.0.0.0/0\nfrom ::/0\nfrom 192.0.2.0/24\n}"
    found = decisions(body, [("192.0.2.1", "203.0.113.9"), ("2001:db8::1", "2001:db9::1")])
    assert found == [PASSED, ("block-source", 5)]


def test_exceptions_alone_block_nothing():
    pairs = [("192.0.2.1", "203.0.113.9"), ("10.0.0.1", "192.0.2.1")]
    assert decisions("block { except 192.0.2.0/24 }", pairs) == [PASSED] * 2


def test_an_empty_block_blocks_nothing():
    pairs = [("192.0.2.1", "203.0.113.9"), ("2001:db8::1", "2001:db9::1")]
    for body in ("block { }", "block { from { } to { } }", "block { from @none }"):
        assert decisions(body, pairs, sets="set none { }") == [PASSED] * 2


def test_default_drop_beside_a_block():
    body = "default drop\nblock {\nfrom 192.0.2.0/24\n}"
    assert decisions(body, [("192.0.2.1", "203.0.113.9"), ("10.0.0.1", "203.0.113.9")]) == [("block-source", 5), PASSED]
    assert [line["verdict"] for line in judge(body, [packet("10.0.0.1", "203.0.113.9")])] == ["drop"]


def test_the_rule_that_decided_is_named():
    """A rule is one target: targets of one statement share its line and differ in their text."""
    sets = 'set inline { 10.1.0.0/16 }\nset listed file "list.txt"'
    body = "block {\nfrom @inline, @listed,\n 10.3.0.0/16, { 10.4.0.0/16, 10.5.0.0/16 }\nto @inline\n}"
    frames = [packet(f"10.{n}.0.1", "203.0.113.9") for n in range(1, 6)] + [packet("203.0.113.9", "10.1.0.1")]
    lines = judge(body, frames, sets=sets, files={"list.txt": "10.2.0.0/16\n"})
    assert [(line["rule"], line["rule_text"]) for line in lines] == [
        ("test.policy:5", "from @inline"), ("test.policy:5", "from @listed"), ("test.policy:5", "from 10.3.0.0/16"),
        ("test.policy:5", "from { 10.4.0.0/16, 10.5.0.0/16 }"), ("test.policy:5", "from { 10.4.0.0/16, 10.5.0.0/16 }"),
        ("test.policy:7", "to @inline")]


def test_a_set_file_may_overlap_repeat_and_comment():
    text = "# a list\n\n10.0.0.0/8   # broad\n10.1.0.0/16\n10.1.0.0/16\n  2001:db8::/32\t# both families\r\n192.0.2.7"
    body = "block {\nexcept @spared\nfrom @listed\n}"
    pairs = [(source, other) for source, other in (
        ("10.9.9.9", "203.0.113.9"), ("10.1.9.9", "203.0.113.9"), ("10.1.1.1", "203.0.113.9"),
        ("192.0.2.7", "203.0.113.9"), ("192.0.2.8", "203.0.113.9"), ("2001:db8:9::1", "2001:db9::1"),
        ("2001:db7::1", "2001:db9::1"))]
    found = decisions(body, pairs, sets='set spared { 10.1.1.0/24 }\nset listed file "list.txt"',
                      files={"list.txt": text})
    blocked = ("block-source", 6)
    assert found == [blocked, blocked, PASSED, blocked, PASSED, blocked, PASSED]


class Naive:
    """What the manual says, prefix by prefix; shares nothing with the tables of the program."""

    def __init__(self, rules):
        self.rules = [(kind, line, [ipaddress.ip_network(p) for p in prefixes]) for kind, line, prefixes in rules]

    def covers(self, kinds, address):
        """The line of the first rule of these kinds that covers the address, or None."""
        address = ipaddress.ip_address(address)
        for kind, line, networks in self.rules:
            if kind in kinds and any(address.version == n.version and address in n for n in networks):
                return line
        return None

    def decide(self, source, destination):
        if self.covers(["except"], source) is None:
            line = self.covers(["from"], source)
            if line is not None:
                return "block-source", line
            if self.covers(["except"], destination) is None:
                line = self.covers(["to"], destination)
                if line is not None:
                    return "block-destination", line
        return PASSED


def random_networks(rng, version, count):
    """Nested often: half of them lie within, around or beside an earlier one."""
    bits = 32 if version == 4 else 128
    networks = []
    for _ in range(count):
        length = min(bits, max(0, int(rng.gauss(bits / 2, bits / 5))))
        if rng.random() < 0.1:
            length = rng.choice([0, 1, bits])
        value = rng.getrandbits(bits)
        if networks and rng.random() < 0.6:
            value = int(rng.choice(networks).network_address) ^ (rng.getrandbits(bits) >> rng.randrange(bits))
        kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
        networks.append(kind((value >> (bits - length) << (bits - length), length)))
    return networks


def random_address(rng, networks):
    """At, just outside or somewhere inside of one of the networks, or anywhere."""
    network = rng.choice(networks)
    bits = network.max_prefixlen
    first = int(network.network_address)
    size = network.num_addresses
    value = rng.choice([first, first - 1, first + size - 1, first + size, first + rng.randrange(size),
                        first + rng.randrange(size), rng.getrandbits(bits)]) % (1 << bits)
    return str((ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address)(value))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [12, 40, 120])
def test_random_lists_against_a_naive_look_up(seed, count):
    rng = random.Random(f"{seed} {count}")
    networks = {version: random_networks(rng, version, count) for version in (4, 6)}
    rules, text, files, sets = [], [], {}, []
    remaining = networks[4] + networks[6]
    rng.shuffle(remaining)
    while remaining:
        taken = [remaining.pop() for _ in range(min(len(remaining), rng.randrange(1, 9)))]
        kind = rng.choice(["except", "from", "from", "to", "to", "to"])
        if kind == "except":  # few wide ones, or nothing is left to block
            taken = [n for n in taken if n.prefixlen > n.max_prefixlen / 3]
        name = f"s{len(rules)}"
        files[name] = "".join(f"{n}\n" for n in taken)
        sets.append(f'set {name} file "{name}"')
        rules.append((kind, taken))
        text.append(f"{kind} @{name}")
    first = len(sets) + 3  # the line after `block {`
    naive = Naive([(kind, first + i, taken) for i, (kind, taken) in enumerate(rules)])
    pairs = []
    for _ in range(1000):
        version = rng.choice([4, 6])
        pairs.append((random_address(rng, networks[version]), random_address(rng, networks[version])))
    body = "block {\n" + "\n".join(text) + "\n}"
    found = decisions(body, pairs, sets="\n".join(sets), files=files)
    wrong = [(pair, got, naive.decide(*pair)) for pair, got in zip(pairs, found) if got != naive.decide(*pair)]
    assert not wrong, f"{len(wrong)} of {len(pairs)}, the first: {wrong[0]}\n{body}\n{files}"
    assert len({reason for reason, _ in found}) > 1  # the lists decide something


def test_a_large_list():
    """Every /24 of 10.0.0.0/8 with an even third number, 32,768 of them; the odd ones pass."""
    text = "".join(f"10.{a}.{b}.0/24\n" for a in range(256) for b in range(0, 256, 2))
    rng = random.Random(1)
    addresses = [(rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(3000)]
    found = decisions("block {\nfrom @many\n}", [(f"10.{a}.{b}.{c}", "203.0.113.9") for a, b, c in addresses],
                      sets='set many file "many.txt"', files={"many.txt": text})
    assert found == [PASSED if b % 2 else ("block-source", 4) for _, b, _ in addresses]

# SPDX-License-Identifier: BSD-2-Clause
"""What dynamic sets do to packets: which are blocked, by which rule, and until when."""
import ipaddress
import json
import random
import time

import pytest
from scapy.all import IP, UDP, IPv6

from scene import Scene, policy

NETWORK = {32: ipaddress.IPv4Network, 128: ipaddress.IPv6Network}
HERE4, HERE6 = "198.51.100.1", "2001:db8::1"


def frame(scene, source, destination=None):
    version = ipaddress.ip_address(source).version
    destination = destination or (HERE4 if version == 4 else HERE6)
    layer = IP if version == 4 else IPv6
    return bytes(scene.ethernet() / layer(src=source, dst=destination) / UDP(sport=1, dport=2))


def passing(scene, pairs):
    """Which of these (source, destination) the box's kernel gets to see."""
    frames = {frame(scene, *pair): pair for pair in pairs}
    return {frames[arrived] for arrived in scene.send(*frames)}


def sources(*addresses):
    return [(address, None) for address in addresses]


def rule(scene, source, destination):
    """(reason, line of the policy) of one packet, by `explain` on the running interface."""
    words = f"253 {source} to {destination}"
    said = json.loads(scene.box.sluice("explain", "eth0", words, "-j").stdout)
    return said["reason"], int(said["rule"].split(":")[1]) if "rule" in said else None


def blocking(*statements, sets="set banned dynamic size 1000 timeout 1h\n"):
    """The block begins at the line after the sets' and three more."""
    return sets + policy("block {", *statements, "}")


def inside_and_outside(network, generator):
    """The first, the last and some address of a network, and the nearest ones on both sides of it."""
    whole = ipaddress.ip_network("0.0.0.0/0" if network.version == 4 else "::/0")
    first, last = int(network[0]), int(network[-1])
    inside = {first, last, generator.randint(first, last)}
    outside = {n for n in (first - 1, last + 1) if int(whole[0]) <= n <= int(whole[-1])}
    address = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    return [str(address(n)) for n in inside], [str(address(n)) for n in outside]


@pytest.mark.parametrize("version, bits", [(4, 32), (6, 128)])
def test_every_length_of_both_families(quiet, version, bits):
    """Eight lengths at a time are what a set holds."""
    quiet.box.apply(blocking("from @banned"))
    generator = random.Random(version)
    for start in (0, *range(1, bits + 1, 8)):  # 0 alone, for it covers all others
        networks = []
        for length in range(start, start + 8) if start else (0,):
            number = generator.getrandbits(bits) >> (bits - length) << (bits - length) if length else 0
            networks.append(NETWORK[bits]((number, length)))
        pairs = []
        for network in networks:
            inside, outside = inside_and_outside(network, generator)
            pairs += sources(*inside, *outside)
        expected = {pair for pair in pairs
                    if not any(ipaddress.ip_address(pair[0]) in network for network in networks)}
        quiet.box.sluice("set", "add", "banned", *map(str, networks))
        assert passing(quiet, pairs) == expected
        quiet.box.sluice("set", "flush", "banned")
        assert passing(quiet, pairs) == set(pairs)


def random_network(generator, bits, lengths):
    """Few bits vary, so that networks nest and addresses hit."""
    length = generator.choice(lengths)
    number = generator.getrandbits(bits) & (0x0f0f0f0f if bits == 32 else 0x030003000000000000000000f0000003)
    return NETWORK[bits]((number >> (bits - length) << (bits - length), length))


@pytest.mark.parametrize("seed", range(3))
def test_random_contents_say_what_a_walk_over_them_says(quiet, seed):
    """Added, taken out, made larger and smaller: an address is blocked if an entry covers it."""
    generator = random.Random(seed)
    quiet.box.apply(blocking("from @banned"))
    entries = set()
    lengths = {32: generator.sample(range(9, 33), 8), 128: generator.sample(range(9, 129), 8)}
    addresses = [random_network(generator, bits, [bits])[0] for bits in (32, 128) for _ in range(300)]
    addresses = [address for address in addresses if int(address)]
    for step in range(6):
        added = {random_network(generator, bits, lengths[bits]) for bits in (32, 128) for _ in range(10)}
        removed = set(generator.sample(sorted(entries, key=str), len(entries) // 3))
        if removed:
            quiet.box.sluice("set", "del", "banned", *map(str, removed))
        for some in ([network] for network in added) if step % 2 else [added]:  # one at a time, or all at once
            quiet.box.sluice("set", "add", "banned", *map(str, some))
        entries = entries - removed | added
        if step == 2:
            quiet.box.apply(blocking("from @banned", sets="set banned dynamic size 100000 timeout 1h\n"))
        if step == 4:
            quiet.box.apply(blocking("from @banned", sets="set banned dynamic size 200 timeout 1h\n"))
        expected = {str(a) for a in addresses if not any(a.version == e.version and a in e for e in entries)}
        assert 0 < len(expected) < len(addresses)
        assert {source for source, _ in passing(quiet, sources(*map(str, addresses)))} == expected


def test_source_and_destination_are_counted_under_their_rules(quiet):
    quiet.box.apply(blocking("from @banned", "to @banned"))
    quiet.box.sluice("set", "add", "banned", "192.0.2.0/24", "2001:db8:bad::/48")
    before = quiet.count()
    pairs = [("192.0.2.7", "10.0.0.1"), ("10.0.0.1", "192.0.2.7"), ("192.0.2.1", "192.0.2.2"), ("10.0.0.1", "10.0.0.2"),
             ("2001:db8:bad::1", "::2"), ("::2", "2001:db8:bad::1"), ("::1", "::2")]
    assert passing(quiet, pairs) == {("10.0.0.1", "10.0.0.2"), ("::1", "::2")}
    counts = {name: packets for name, (packets, _) in quiet.count(before).items()}
    assert {name: counts[name] for name in ("test.policy:5", "test.policy:6", "block-source", "block-destination",
                                            "banned")} == {
        "test.policy:5": 3, "test.policy:6": 2, "block-source": 3, "block-destination": 2, "banned": 5}


def test_except_a_dynamic_set(quiet):
    quiet.box.apply(blocking("from 192.0.2.0/24, 2001:db8:bad::/48", "to 203.0.113.0/24", "except @friends",
                             sets="set friends dynamic size 10\n"))
    quiet.box.sluice("set", "add", "friends", "192.0.2.7", "203.0.113.64/26", "2001:db8:bad::/64")
    cases = {
        ("192.0.2.8", "10.0.0.1"): False,
        ("192.0.2.7", "10.0.0.1"): True,
        ("192.0.2.7", "203.0.113.1"): True,  # a source is exempt from all
        ("10.0.0.1", "203.0.113.1"): False,
        ("10.0.0.1", "203.0.113.65"): True,
        ("192.0.2.8", "203.0.113.65"): False,  # a destination only from `to`
        ("2001:db8:bad::5", "::1"): True,
        ("2001:db8:bad:1::5", "::1"): False,
    }
    assert passing(quiet, cases) == {pair for pair, passes in cases.items() if passes}


def test_dynamic_except_holds_for_all_that_block(quiet):
    """Source and destination, each blocked by nothing, a prefix or a set, each exempt or not, of both families."""
    quiet.box.apply(blocking("from 192.0.2.0/24, 2001:db8:1::/48, @banned", "to 203.0.113.0/24, 2001:db8:2::/48, @closed",
                             "except @friends", sets="".join(f"set {name} dynamic size 99\n"
                                                             for name in ("banned", "closed", "friends"))))
    froms = {"10.0.0.{}": False, "192.0.2.{}": True, "198.18.0.{}": True,
             "2001:db8:0::{}": False, "2001:db8:1::{}": True, "2001:db8:3::{}": True}
    tos = {"10.1.0.{}": False, "203.0.113.{}": True, "198.19.0.{}": True,
           "2001:db8:a::{}": False, "2001:db8:2::{}": True, "2001:db8:4::{}": True}
    quiet.box.sluice("set", "add", "banned", "198.18.0.0/24", "2001:db8:3::/64")
    quiet.box.sluice("set", "add", "closed", "198.19.0.0/24", "2001:db8:4::/64")
    quiet.box.sluice("set", "add", "friends", *(form.format(7) for form in (*froms, *tos)))
    expected = {}
    for source, is_from in froms.items():
        for destination, is_to in tos.items():
            for from_host in (7, 8) if (":" in source) == (":" in destination) else ():
                for to_host in (7, 8):
                    passes = from_host == 7 or (not is_from and (not is_to or to_host == 7))
                    expected[source.format(from_host), destination.format(to_host)] = passes
    assert len(expected) == 72
    assert passing(quiet, expected) == {pair for pair, passes in expected.items() if passes}


def test_static_except_holds_for_dynamic_sets(quiet):
    quiet.box.apply(blocking("from @banned", "to @banned", "except 192.0.2.7, 2001:db8:bad::/64"))
    quiet.box.sluice("set", "add", "banned", "192.0.2.0/24", "2001:db8:bad::/48", "10.0.0.1")
    cases = {
        ("192.0.2.7", "10.0.0.1"): True,
        ("192.0.2.8", "10.0.0.2"): False,
        ("10.0.0.2", "192.0.2.7"): True,
        ("10.0.0.1", "192.0.2.7"): False,
        ("2001:db8:bad::1", "::1"): True,
        ("2001:db8:bad:1::1", "::1"): False,
    }
    assert passing(quiet, cases) == {pair for pair, passes in cases.items() if passes}


def test_who_counts_where_several_cover_an_address(quiet):
    """Static prefixes before dynamic sets, those in the order of the policy, and sources before destinations."""
    quiet.box.apply(blocking("from @second, @first", "from @first2", "from 192.0.2.128/25", "to @second",
                             "to 192.0.2.128/25",
                             sets="set first dynamic size 9\nset second dynamic size 9\nset first2 dynamic size 9\n"))
    quiet.box.sluice("set", "add", "first", "192.0.2.0/24", "10.0.0.0/8")
    quiet.box.sluice("set", "add", "first2", "192.0.2.0/24", "11.0.0.0/8")
    quiet.box.sluice("set", "add", "second", "192.0.2.1", "192.0.2.2")
    assert rule(quiet, "192.0.2.1", "1.1.1.1") == ("block-source", 7)
    assert rule(quiet, "10.2.3.4", "192.0.2.1") == ("block-source", 7)
    assert rule(quiet, "11.2.3.4", "192.0.2.1") == ("block-source", 8)
    assert rule(quiet, "192.0.2.200", "192.0.2.1") == ("block-source", 9)
    assert rule(quiet, "1.1.1.1", "192.0.2.1") == ("block-destination", 10)
    assert rule(quiet, "1.1.1.1", "192.0.2.200") == ("block-destination", 11)
    assert rule(quiet, "1.1.1.1", "192.0.2.3") == ("default", None)


def test_all_dynamic_sets_that_fit(quiet):
    """The most that an interface can name load, and the last of them works."""
    names = [f"s{i}" for i in range(4)]
    listed = ", ".join(f"@{name}" for name in names)
    quiet.box.apply(blocking(f"from {listed}", f"to {listed}", f"except {listed}", "from 10.0.0.0/8",
                             sets="".join(f"set {name} dynamic size 10\n" for name in names)))
    assert passing(quiet, sources("10.0.0.1", "11.0.0.1")) == set(sources("11.0.0.1"))
    quiet.box.sluice("set", "add", "s3", "10.0.0.0/24", "11.0.0.1")
    assert passing(quiet, sources("10.0.0.1", "10.0.1.1", "11.0.0.1")) == set(sources("10.0.0.1", "11.0.0.1"))


def test_entry_expires_to_the_tick_without_any_process(quiet):
    quiet.box.apply(blocking("from @banned"))
    out, seen = quiet.client.wire("eth0"), quiet.box.wire("eth0", timeout=0.01)
    for_ever, for_a_while = frame(quiet, "192.0.2.1"), frame(quiet, "192.0.2.2")
    quiet.box.sluice("set", "add", "banned", "192.0.2.1", "timeout", "never")
    before = time.monotonic()
    quiet.box.sluice("set", "add", "banned", "192.0.2.2", "timeout", "2s")
    after = time.monotonic()
    arrived = []
    while time.monotonic() < after + 2.5:
        sent = time.monotonic()
        out.send(for_ever)
        out.send(for_a_while)
        try:
            while True:
                got, address = seen.recvfrom(2048)
                if address[2] != 4:
                    arrived.append((sent, got))
        except TimeoutError:
            pass
    assert {got for _, got in arrived} == {for_a_while}
    assert before + 1.99 <= arrived[0][0] + 0.02 and arrived[0][0] <= after + 2.1
    assert len(arrived) > 10


def test_renewed_entry_stays_longer(quiet):
    quiet.box.apply(blocking("from @banned", sets="set banned dynamic size 10 timeout 1s\n"))
    quiet.box.sluice("set", "add", "banned", "192.0.2.1", "192.0.2.2")
    quiet.box.sluice("set", "add", "banned", "192.0.2.2", "timeout", "1h")
    time.sleep(1.1)
    assert passing(quiet, sources("192.0.2.1", "192.0.2.2")) == set(sources("192.0.2.1"))


def test_interfaces_share_a_set(lab):
    scene = Scene(lab, ipv6=False)
    lab.cable(scene.box, "eth1", scene.client, "eth1")
    scene.box.apply("set banned dynamic size 10\n" + policy("block { from @banned }") +
                    policy("block { to @banned }", interface="eth1"))
    scene.box.sluice("set", "add", "banned", "192.0.2.1")
    for interface, words, reason in (("eth0", "253 192.0.2.1 to 10.0.0.1", "block-source"),
                                     ("eth0", "253 10.0.0.1 to 192.0.2.1", "default"),
                                     ("eth1", "253 192.0.2.1 to 10.0.0.1", "default"),
                                     ("eth1", "253 10.0.0.1 to 192.0.2.1", "block-destination")):
        said = json.loads(scene.box.sluice("explain", interface, words, "-j").stdout)
        assert said["reason"] == reason, (interface, words)

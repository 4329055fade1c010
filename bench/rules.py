#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sets of filter rules, as policies of Sluice and as rulesets of nftables: the same on every machine.

    rules.py acl|fw|ipc SIZE [4|6] [--nft|--map]     makes a set of SIZE rules: 10, 1000, 100000
    rules.py FILE [--nft|--map]                      reads a set in ClassBench's format, packed with xz or not

It prints the set as a policy, as rules of nftables one by one (--nft), or as one map of verdicts by all fields (--map),
which nftables may refuse where rules overlap: a map has no order.

The kinds are those of ClassBench (Taylor, Turner: "ClassBench: A Packet Classification Benchmark", 2007), with what its
seed files have in common rather than their numbers:
  acl  access lists: long prefixes on both sides, any source port, one of some tens of destination ports, TCP mostly
  fw   firewalls: wildcards on one side often, ranges of ports, any protocol now and then
  ipc  chains of Linux: in between, both ports given now and then
Addresses come out of a tree: few networks, some subnets in each, hosts in these, so that prefixes nest, and more specific
rules stand in front of wider ones, as people write them. IPv6 has the same trees with longer prefixes. A third of the
rules drops. Whatever no rule is about is dropped, so that a ruleset also ends what passes it by.

A line of ClassBench: @SRC/LEN DST/LEN SPORT : SPORT DPORT : DPORT PROTOCOL/MASK FLAGS/MASK, fields divided by tabs, first
line wins. The flags of TCP are left out: both programs would have to look at the same one more field. There the first of
three rules drops, because ClassBench has no verdicts."""
import lzma
import random
import sys
from typing import NamedTuple

import lists

SEED = 1
TCP, UDP, ANY = 6, 17, 0
NAMES = {TCP: "tcp", UDP: "udp", 1: "icmp", 47: "gre", 50: "esp", 58: "icmpv6"}
SERVICES = (22, 25, 53, 80, 110, 123, 143, 161, 389, 443, 445, 514, 993, 995, 1433, 1521, 1723, 3306, 3389, 5060, 5432, 8080)
HIGH, EVERY = (1024, 65535), (0, 65535)

# For each kind: (weight, length of source, of destination), IPv4; what IPv6 has for each length.
PAIRS = {
    "acl": ((40, 32, 32), (15, 24, 32), (15, 0, 32), (10, 28, 28), (8, 24, 24), (7, 16, 32), (5, 0, 24)),
    "fw": ((25, 0, 32), (20, 32, 0), (15, 24, 0), (12, 0, 24), (12, 32, 32), (8, 16, 24), (6, 28, 30), (2, 0, 0)),
    "ipc": ((30, 32, 32), (20, 24, 24), (15, 16, 24), (12, 0, 32), (10, 24, 32), (8, 27, 27), (5, 32, 0)),
}
LONGER = {0: 0, 16: 32, 24: 48, 27: 56, 28: 60, 30: 64, 32: 128}

# (weight, source ports, destination ports): a port, or a range; None: a service.
PORTS = {
    "acl": ((75, EVERY, None), (15, EVERY, EVERY), (10, EVERY, HIGH)),
    "fw": ((35, EVERY, None), (20, EVERY, EVERY), (15, HIGH, None), (15, None, HIGH), (15, HIGH, HIGH)),
    "ipc": ((40, EVERY, None), (25, None, None), (20, EVERY, EVERY), (15, HIGH, None)),
}
PROTOCOLS = {"acl": ((80, TCP), (15, UDP), (5, ANY)), "fw": ((60, TCP), (25, UDP), (15, ANY)),
             "ipc": ((55, TCP), (35, UDP), (10, ANY))}


class Rule(NamedTuple):
    """Prefixes as in lists.py, None: any; ports as (first, last); protocol 0: any."""
    family: int
    source: tuple
    destination: tuple
    sport: tuple
    dport: tuple
    protocol: int
    accept: bool


def weighted(rng, rows):
    """The rest of one row, whose first column is its weight."""
    return rng.choices(rows, [row[0] for row in rows])[0][1:]


class Tree:
    """Where the prefixes of one side come from."""

    def __init__(self, rng, family, count):
        self.rng, self.bits = rng, 32 if family == 4 else 128
        self.levels = (16, 24) if family == 4 else (32, 48)
        first = (lambda: rng.randrange(11, 223)) if family == 4 else (lambda: 0x20)
        networks = {first() << self.bits - 8 | rng.getrandbits(self.levels[0] - 8) << self.bits - self.levels[0]
                    for _ in range(max(4, count // 200))}
        self.networks = sorted(networks)
        self.subnets = [network | rng.getrandbits(self.levels[1] - self.levels[0]) << self.bits - self.levels[1]
                        for network in self.networks for _ in range(16)]

    def prefix(self, length):
        if length == 0:
            return None
        base = self.rng.choice(self.networks if length <= self.levels[0] else self.subnets)
        known = self.levels[0] if length <= self.levels[0] else self.levels[1]
        if length > known:
            base |= self.rng.getrandbits(length - known) << self.bits - length
        return base >> self.bits - length << self.bits - length, length


def ports(rng, kind, protocol):
    if protocol == ANY:
        return EVERY, EVERY
    made = weighted(rng, PORTS[kind])
    return tuple((rng.choice(SERVICES),) * 2 if part is None else part for part in made)


def specific(rule):
    """Longer prefixes and fewer ports first, as first match wins."""
    lengths = sum(prefix[1] if prefix else 0 for prefix in (rule.source, rule.destination))
    return -lengths, rule.sport[1] - rule.sport[0] + rule.dport[1] - rule.dport[0]


def generate(kind, count, family=4, seed=SEED):
    """A list of `count` rules, none twice."""
    rng = random.Random(f"{kind} {count} {family} {seed}")
    sources, destinations = Tree(rng, family, count), Tree(rng, family, count)
    found = {}
    while len(found) < count:
        lengths = weighted(rng, PAIRS[kind])
        if family == 6:
            lengths = [LONGER[length] for length in lengths]
        protocol, = weighted(rng, PROTOCOLS[kind])
        sport, dport = ports(rng, kind, protocol)
        rule = Rule(family, sources.prefix(lengths[0]), destinations.prefix(lengths[1]), sport, dport, protocol, True)
        if rule[1:6] == (None, None, EVERY, EVERY, ANY):  # nothing would get past it
            continue
        found.setdefault(rule, rng.random() < 0.67)
    return sorted((rule._replace(accept=accept) for rule, accept in found.items()), key=specific)


def read_prefix(text):
    address, length = text.split("/")
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return (number, int(length)) if int(length) else None


def read_range(text):
    low, high = text.split(":")
    return int(low), int(high)


def read(path):
    """The rules of a file in ClassBench's format."""
    with (lzma.open(path, "rt") if str(path).endswith(".xz") else open(path)) as file:
        lines = [line.split("\t") for line in file if line.startswith("@")]
    found = []
    for number, (source, destination, sport, dport, protocol, *_) in enumerate(lines):
        value, mask = (int(part, 16) for part in protocol.split("/"))
        protocol = value if mask else ANY
        sport, dport = read_range(sport), read_range(dport)
        if protocol not in (TCP, UDP):
            sport = dport = EVERY
        found.append(Rule(4, read_prefix(source[1:]), read_prefix(destination), sport, dport, protocol, number % 3 != 0))
    return found


def span(low, high):
    return str(low) if low == high else f"{low}-{high}"


def sluice_words(rule):
    words = ["accept" if rule.accept else "drop"]
    if not rule.source and not rule.destination:
        words.append(f"ipv{rule.family}")
    if rule.protocol in (TCP, UDP):
        words.append(NAMES[rule.protocol])
    elif rule.protocol != ANY:
        words.append(f"protocol {rule.protocol}")
    for word, prefix in (("from", rule.source), ("to", rule.destination)):
        if prefix:
            words.append(f"{word} {lists.text(prefix, rule.family)}")
    for word, numbers in (("sport", rule.sport), ("dport", rule.dport)):
        if numbers != EVERY:
            words.append(f"{word} {span(*numbers)}")
    return " ".join(words)


def policy(rules, interface="eth0"):
    return (f"interface {interface} {{\n    filter {{\n" + "".join(f"        {sluice_words(rule)}\n" for rule in rules) +
            "    }\n    default drop\n}\n")


def nft_words(rule):
    words, ip = [], "ip" if rule.family == 4 else "ip6"
    for word, prefix in (("saddr", rule.source), ("daddr", rule.destination)):
        if prefix:
            words.append(f"{ip} {word} {lists.text(prefix, rule.family)}")
    ported = rule.protocol in (TCP, UDP) and (rule.sport, rule.dport) != (EVERY, EVERY)
    if rule.protocol != ANY and not ported:
        words.append(f"meta l4proto {rule.protocol}")
    for word, numbers in (("sport", rule.sport), ("dport", rule.dport)):
        if numbers != EVERY:
            words.append(f"{NAMES[rule.protocol]} {word} {span(*numbers)}")
    if not words:
        words.append(f"meta nfproto ipv{rule.family}")
    return " ".join(words + ["accept" if rule.accept else "drop"])


def nft_table(body, device, sets=""):
    """At the netdev hook of a device, or at input."""
    family, hook = ("netdev", f'ingress device "{device}"') if device else ("inet", "input")
    return (f"table {family} bench {{\n{sets}\tchain judge {{\n\t\ttype filter hook {hook} priority 0; policy drop;\n{body}\t}}\n}}\n")


def nft(rules, device=None):
    return nft_table("".join(f"\t\t{nft_words(rule)}\n" for rule in rules), device)


def whole(prefix, family):
    return lists.text(prefix or (0, 0), family) if prefix else ("0.0.0.0/0" if family == 4 else "::/0")


def nft_map(rules, device=None):
    """One map of verdicts by all five fields."""
    family = rules[0].family
    elements = ",\n".join(
        f"\t\t\t{whole(r.source, family)} . {whole(r.destination, family)} . {span(*((0, 255) if not r.protocol else (r.protocol,) * 2))}"
        f" . {span(*r.sport)} . {span(*r.dport)} : {'accept' if r.accept else 'drop'}" for r in rules)
    ip = "ip" if family == 4 else "ip6"
    sets = (f"\tmap rules {{\n\t\ttypeof {ip} saddr . {ip} daddr . meta l4proto . th sport . th dport : verdict\n"
            f"\t\tflags interval\n\t\telements = {{\n{elements}\n\t\t}}\n\t}}\n")
    return nft_table(f"\t\t{ip} saddr . {ip} daddr . meta l4proto . th sport . th dport vmap @rules\n", device, sets)


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if words and words[0] in PAIRS and 2 <= len(words) <= 3 and all(w.isdigit() for w in words[1:]):
        rules = generate(words[0], int(words[1]), int(words[2]) if len(words) == 3 else 4)
    elif len(words) == 1 and words[0] not in PAIRS:
        rules = read(words[0])
    else:
        sys.exit("usage: rules.py acl|fw|ipc SIZE [4|6] [--nft|--map], or rules.py FILE [--nft|--map]")
    write = nft_map if "--map" in sys.argv else nft if "--nft" in sys.argv else policy
    sys.stdout.write(write(rules))


if __name__ == "__main__":
    main()

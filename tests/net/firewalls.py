# SPDX-License-Identifier: BSD-2-Clause
"""Real firewalls beside Sluice: a box with rules of nftables or iptables says of each frame whether it let it through, and
random rules that Sluice can say all of."""
import json
import random
import re

from scapy.all import Ether, IP, IPv6, Raw, TCP, UDP
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.sctp import SCTP

from lab import wait_until

BOX4, BOX6 = "198.51.100.1", "2001:db8::1"
SOURCES4 = ("192.0.2.1", "192.0.2.77", "192.0.3.5", "203.0.113.9", "198.51.100.2")
SOURCES6 = ("2001:db8::2", "2001:db8:bad::66", "2001:db8:bad:1::1", "fe80::1")
PREFIXES4 = ("192.0.2.0/24", "192.0.2.64/26", "192.0.2.1", "203.0.113.0/24", "198.51.100.0/24", "192.0.2.5-192.0.3.9")
PREFIXES6 = ("2001:db8:bad::/48", "2001:db8::/32", "2001:db8::2", "fe80::/10")
PORTS = (22, 53, 80, 443, 1024, 65535)

# Later fragments here are of a protocol without ports: nftables takes whatever stands at that place in a later fragment
# for its ports, seen with Linux 6.18, and Sluice does not. That difference is meant.
GRE = 47

# Every packet has a number that no rule asks for: the identification of IPv4, the flow label of IPv6.
PROBE = """
    set {name}4 {{ typeof ip id; flags dynamic; size 65535; }}
    set {name}6 {{ typeof ip6 flowlabel; flags dynamic; size 65535; }}
    chain {name} {{
        type filter hook {hook} priority {priority};
        meta nfproto ipv4 add @{name}4 {{ ip id }}
        meta nfproto ipv6 add @{name}6 {{ ip6 flowlabel }}
    }}
"""


class Firewall:
    """A box whose netfilter judges what a client sends."""

    def __init__(self, lab):
        self.lab = lab
        self.box, self.client = lab.host("box"), lab.host("client", ipv6=False)
        lab.cable(self.box, "eth0", self.client, "eth0")
        self.box.run("ethtool", "-K", "eth0", "gro", "off")
        self.box.address("eth0", f"{BOX4}/24", f"{BOX6}/64")
        for setting in ("all.rp_filter=0", "eth0.rp_filter=0"):
            self.box.run("sysctl", "-qw", f"net.ipv4.conf.{setting}")
        self.box.ip("route", "add", "default", "dev", "eth0")
        self.box.ip("-6", "route", "add", "default", "dev", "eth0")
        self.ethernet = Ether(src=self.client.mac("eth0"), dst=self.box.mac("eth0"))

    def nft(self, text):
        self.box.run("nft", "-f", self.lab.file("rules.nft", text))

    def probe(self, hook):
        """Chains before and behind all others."""
        self.nft("table inet probe {" + PROBE.format(name="arrived", hook="prerouting", priority=-1000) +
                 PROBE.format(name="passed", hook=hook, priority=1000) + "}\n")

    def passed(self, packets):
        """The numbers of those that all chains let through."""
        out = self.client.wire("eth0")
        for packet in packets:
            out.send(bytes(packet))
        out.close()
        wanted = {number(packet) for packet in packets}
        assert wait_until(lambda: self._seen("arrived") >= wanted)
        return self._seen("passed") & wanted

    def _seen(self, name):
        seen = set()
        for family in (4, 6):
            said = json.loads(self.box.run("nft", "-j", "list", "set", "inet", "probe", f"{name}{family}").stdout)
            found = next(o["set"] for o in said["nftables"] if "set" in o).get("elem", [])
            seen |= {(family, e if isinstance(e, int) else e["elem"]["val"]) for e in found}
        return seen


def number(packet):
    return (4, packet[IP].id) if IP in packet else (6, packet[IPv6].fl)


def numbered(ethernet, payloads):
    """The frames of these IP packets, each with a number of its own."""
    frames = []
    for count, payload in enumerate(payloads, 1):
        payload = payload.copy()
        if IP in payload:
            payload[IP].id = count
        else:
            payload[IPv6].fl = count
        frames.append(ethernet / payload)
    return frames


def packets4(rng, count, fragments):
    for _ in range(count):
        head = IP(src=rng.choice(SOURCES4), dst=BOX4, ttl=rng.choice((1, 5, 64, 255)), tos=rng.choice((0, 0x20, 0xb8)))
        kind = rng.random()
        if fragments and kind < 0.12:
            head.flags, head.frag, head.proto = rng.choice((("MF", 0, 6), ("MF", 0, 17), ("MF", 100, GRE), (0, 100, GRE)))
            yield head / (Raw(bytes(64)) if head.frag else transport(rng, head.proto))
        else:
            yield head / payload(rng, 4)


def packets6(rng, count, fragments):
    for _ in range(count):
        head = IPv6(src=rng.choice(SOURCES6), dst=BOX6, hlim=rng.choice((1, 5, 64, 255)), tc=rng.choice((0, 0x20, 0xb8)))
        kind = rng.random()
        if fragments and kind < 0.1:
            more, offset, protocol = rng.choice(((1, 0, 6), (1, 0, 17), (1, 100, GRE), (0, 100, GRE)))
            yield (head / IPv6ExtHdrFragment(id=rng.getrandbits(32), m=more, offset=offset, nh=protocol) /
                   (Raw(bytes(64)) if offset else transport(rng, protocol)))
        elif kind < 0.2:
            yield head / rng.choice((IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt))() / payload(rng, 6)
        else:
            yield head / payload(rng, 6)


def transport(rng, protocol):
    """What a first fragment has: the whole header."""
    kind = TCP if protocol == 6 else UDP
    return kind(sport=rng.choice(PORTS), dport=rng.choice(PORTS)) / Raw(bytes(44 if protocol == 6 else 56))


def payload(rng, version):
    sport, dport = rng.choice(PORTS), rng.choice(PORTS + (23, 2000))
    filling = Raw(bytes(rng.choice((0, 10, 500))))
    kind = rng.randrange(8)
    if kind < 4:
        return TCP(sport=sport, dport=dport, flags=rng.choice(("S", "SA", "A", "F", "R", "RA", "PA", "", "SEC", "FPU"))) / filling
    if kind < 6:
        return UDP(sport=sport, dport=dport) / filling
    if kind < 7:
        if version == 4:
            return ICMP(type=rng.choice((0, 3, 8, 11, 13)), code=rng.choice((0, 1, 3, 4))) / Raw(bytes(40))
        return rng.choice((ICMPv6EchoRequest(), ICMPv6ND_NS(tgt=BOX6)))
    return SCTP(sport=sport, dport=dport) / filling


def about(match):
    """(is about a protocol, families)"""
    protocol = re.match(r"(tcp|udp|sctp|icmp|icmpv6|meta l4proto|ip protocol)\b", match) or " . tcp" in match
    families = {6 if word in ("ip6", "icmpv6", "exthdr", "ipv6") else 4
                for word in re.findall(r"\b(ip|ip6|icmp|icmpv6|exthdr|ipv6) ", match + " ")}
    return bool(protocol), families


def apart(left, right):
    (protocol, families), (other_protocol, other_families) = about(left), about(right)
    return not (protocol and other_protocol) and len(families | other_families) <= 1


class Rules:
    """Random rules of nftables: chains that jump to those behind them, of matches that Sluice can say."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def pick(self, values, most=3):
        return "{ " + ", ".join(map(str, self.rng.sample(values, self.rng.randint(1, most)))) + " }"

    def address(self):
        family, prefixes = self.rng.choice((("ip", PREFIXES4[:5]), ("ip6", PREFIXES6[:3])))
        word = f"{family} {self.rng.choice(('saddr', 'saddr', 'daddr'))} {self.rng.choice(('', '', '!= '))}"
        if self.rng.random() < 0.3:
            apart = ("192.0.2.1", "203.0.113.0/24", "192.0.3.0-192.0.3.99") if family == "ip" else ("2001:db8::2", "fe80::/10")
            return word + self.pick(apart, 2)
        if self.rng.random() < 0.2:
            return word + ("@set4" if family == "ip" else "@set6")
        return word + self.rng.choice(prefixes)

    def ports(self):
        word = f"{self.rng.choice(('tcp', 'udp', 'tcp', 'sctp'))} {self.rng.choice(('dport', 'dport', 'sport'))} "
        word += self.rng.choice(("", "", "!= "))
        return word + self.rng.choice((str(self.rng.choice(PORTS)), self.pick(PORTS), "0-1023", "@ports"))

    def other(self):
        return self.rng.choice((
            "meta l4proto tcp", "meta l4proto { tcp, udp }", "meta l4proto != sctp", "ip protocol icmp", "meta nfproto ipv6",
            "tcp flags & (syn|ack) == syn", "tcp flags syn", "tcp flags ! ack", "tcp flags == ack", "tcp flags & (fin|rst) != 0",
            "tcp flags { syn, ack }", "icmp type echo-request", "icmp type { echo-reply, 13, 11 }", "icmp type != 8",
            "icmp type 3 icmp code 1", "icmpv6 type echo-request", "ip ttl < 6", "ip6 hoplimit 255", "ip dscp ef",
            "ip6 dscp { cs1, ef }", "meta length > 100", "ip length 40-100", "ip6 length < 100", "ip frag-off & 0x1fff != 0",
            "ip frag-off & 0x3fff == 0", "exthdr hbh exists", "exthdr frag exists", "exthdr dst exists",
            "ip saddr . tcp dport { 192.0.2.1 . 22, 203.0.113.9 . 80 }", "ether saddr 02:00:00:00:00:99",
            "meta l4proto { tcp, udp } th dport 53"))

    def matches(self):
        """Those that nft takes together: about one protocol and one family."""
        made = []
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            match = self.rng.choice((self.address, self.ports, self.other))()
            if all(apart(match, other) for other in made):
                made.append(match)
        return " ".join(made)

    def verdict(self, later):
        words = ["accept", "drop", "drop", "accept", "return"]
        if later:
            words += [f"jump {self.rng.choice(later)}", f"jump {self.rng.choice(later)}", f"goto {self.rng.choice(later)}"]
        return self.rng.choice(words)

    def vmap(self, later):
        kind = self.rng.randrange(3)
        if kind == 0:
            return f"tcp dport vmap {{ 22 : {self.verdict(later)}, 80-443 : {self.verdict(later)} }}"
        if kind == 1:
            return f"ip saddr vmap {{ 192.0.2.0/24 : {self.verdict(later)}, 203.0.113.9 : {self.verdict(later)} }}"
        return f"meta l4proto vmap {{ udp : {self.verdict(later)}, sctp : {self.verdict(later)} }}"

    def chain(self, name, count, later, head=""):
        lines = []
        for _ in range(count):
            matches = self.matches()
            if self.rng.random() < 0.1:
                lines.append(self.vmap(later))
            elif matches or self.rng.random() < 0.1:
                verdict = self.rng.choice((self.verdict(later), self.verdict(later), "reject"))
                lines.append(f"{matches} {self.rng.choice(('', 'counter '))}{verdict}")
        return f"chain {name} {{\n{head}" + "\n".join(lines) + "\n}\n"

    def table(self):
        """The chains first that others jump to, because nft reads in order."""
        names, text = [], ""
        for name in ("low", "mid", "top"):
            text += self.chain(name, 6, list(names) if names else [])
            names.append(name)
        policy = self.rng.choice(("accept", "drop"))
        early = self.rng.choice(("", "", self.chain("early", 4, [], "type filter hook prerouting priority -50;\n")))
        main = self.chain("main", 20, names, f"type filter hook prerouting priority 0; policy {policy};\n")
        return ("table inet t {\nset set4 { type ipv4_addr; flags interval; elements = { 192.0.2.0/25, 198.51.100.2 } }\n"
                "set set6 { type ipv6_addr; elements = { 2001:db8::2, fe80::1 } }\n"
                "set ports { type inet_service; flags interval; elements = { 53, 440-450 } }\n" + text + early + main + "}\n")

# SPDX-License-Identifier: BSD-2-Clause
"""Captures of every kind of protocol, many malformed on purpose: what Sluice reads of each packet is what tshark reads.

Where the two differ, the bytes themselves have to show why (DISAGREEMENTS); what no class explains fails. tshark shows
what it can where lengths contradict each other; Sluice stops there, as it must not trust what follows.
"""
import collections
import concurrent.futures
import json
import os
import re
import struct
import subprocess

import pytest

from captures import read_capture
from judging import ETHERNET, TOP, policy_text, write_capture
from lab import SLUICE, sh

FOLDER = os.path.join(TOP, "../shared/data/captures")
PATHS = sorted(os.path.join(folder, name) for folder, _, names in os.walk(FOLDER) for name in names
               if name.endswith((".pcap", ".pcapng")))
IDS = [os.path.relpath(path, FOLDER) for path in PATHS]

pytestmark = [pytest.mark.skipif(not PATHS, reason=f"no captures in {os.path.normpath(FOLDER)}"),
              pytest.mark.xdist_group("captures")]  # one worker replays them, once

# tshark's layers: Ethernet and its tags, and IPv6's extensions by their numbers.
LINK_LAYERS = ("eth", "ethertype", "vlan", "ieee8021ad")
EXTENSION_LAYERS = {0: "ipv6.hopopts", 43: "ipv6.routing", 44: "ipv6.fraghdr", 51: "ah", 60: "ipv6.dstopts"}
NEXT_FIELDS = {0: "ipv6.hopopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt", 51: "ah.next_header",
               60: "ipv6.dstopts.nxt"}
FOLLOWING = {"vlan": 0x8100, "arp": 0x0806, "ip": 0x0800, "ipv6": 0x86dd}
DISSECTORS = {"frame", *LINK_LAYERS, "llc", "arp", "ip", "ipv6", *EXTENSION_LAYERS.values(), "tcp", "udp", "sctp",
              "icmp", "icmpv6", "data"}
FIELDS = ["frame.protocols", "eth.type", "vlan.id", "vlan.etype", "ieee8021ad.id", "ip.src", "ip.dst", "ip.proto",
          "ip.flags.mf", "ip.frag_offset", "ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.fraghdr.offset",
          "ipv6.fraghdr.more", *NEXT_FIELDS.values(), "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
          "sctp.srcport", "sctp.dstport"]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("captures") / "test.policy"
    path.write_text(policy_text(""))
    return path


@pytest.fixture(scope="module")
def replayed(policy):
    """What `replay -j` did with each capture. A replay waits for the kernel more than it works: two at once."""
    def replay(path):
        return sh(SLUICE, "replay", policy, path, "-j", check=False)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(PATHS, pool.map(replay, PATHS)))


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_capture_replays_or_says_why_not(path, replayed):
    link_type, packets = read_capture(path)
    result = replayed[path]
    if link_type != ETHERNET:
        assert (result.returncode, result.stdout) == (1, "")
        assert re.match(re.escape(path) + r": error: link type is .+, not Ethernet\n.*Ethernet", result.stderr)
        return
    assert (result.returncode, result.stderr) == (0, "")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["packet"] for line in lines] == list(range(1, len(packets) + 1))
    assert [line["length"] for line in lines] == [length for _, length in packets]
    assert {line["verdict"] for line in lines} <= {"pass", "drop"}


def names_of(table):
    """Sluice's names of numbers, out of the table that it writes them from."""
    with open(os.path.join(TOP, "src/packet/protocol.c"), encoding="utf-8") as file:
        text = re.search(rf"{table}\[\] = \{{\n(.*?)\n\}};", file.read(), re.S).group(1)
    return {name: int(number, 0) for number, name in re.findall(r'\{ (\w+), "([^"]+)" \}', text)}


def run_tshark(folder, frames):
    """A dictionary of lists for each frame. All dissectors but those for headers are off, and so is reassembly."""
    capture = os.path.join(folder, "all.pcap")
    write_capture(capture, frames)
    environment = dict(os.environ, WIRESHARK_CONFIG_DIR=str(folder))  # nobody's preferences
    listed = subprocess.run(["tshark", "-G", "protocols"], capture_output=True, text=True, check=True, env=environment)
    others = {line.split("\t")[2] for line in listed.stdout.splitlines()} - DISSECTORS
    command = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "occurrence=a"]
    for preference in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams"):
        command += ["-o", f"{preference}:FALSE"]
    for name in sorted(others):
        command += ["--disable-protocol", name]
    for field in FIELDS:
        command += ["-e", field]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    rows = result.stdout.split("\n")[:-1]
    assert len(rows) == len(frames)
    return [{field: value.split(",") if value else [] for field, value in zip(FIELDS, row.split("\t"))} for row in rows]


def true(text):
    return text in ("1", "True")


def read_link(row, layers):
    """VLAN ids in their order, and the EtherType behind them; None for a length. Takes the layers it reads."""
    ids = {"vlan": iter(row["vlan.id"]), "ieee8021ad": iter(row["ieee8021ad.id"])}
    types = {"eth": iter(row["eth.type"]), "vlan": iter(row["vlan.etype"])}
    vlans, ethertype, layer = [], None, None
    while layers and layers[0] in LINK_LAYERS:
        layer = layers.pop(0)
        if layer in ids:
            vlans.append(int(next(ids[layer])))
        if layer in types:
            found = next(types[layer], None)
            ethertype = int(found, 16) if found else None
        elif layer == "ieee8021ad":  # has no field for what follows
            ethertype = FOLLOWING[layers[1]]
    return vlans, ethertype


def read_extensions(row, layers, seen):
    """Follows next-header fields as far as tshark got. Returns the protocol."""
    following = {number: iter(row[field]) for number, field in NEXT_FIELDS.items()}
    protocol = int(row["ipv6.nxt"][0])
    while layers and layers[0] == EXTENSION_LAYERS.get(protocol):
        layers.pop(0)
        here, protocol = protocol, next(following[protocol], None)
        if protocol is None or here == 44 and not row["ipv6.fraghdr.more"]:
            return here  # it is cut off
        protocol = int(protocol)
        if here == 44 and int(row["ipv6.fraghdr.offset"][0]):
            seen["fragment"] = "later"
            layers.clear()
        elif here == 44 and true(row["ipv6.fraghdr.more"][0]):
            seen["fragment"] = "first"
    return protocol


def tshark_sees(row):
    """The outermost headers, in Sluice's words but for numbers of protocols."""
    layers = row["frame.protocols"][0].split(":")
    vlans, ethertype = read_link(row, layers)
    seen = {"vlan": vlans, "fragment": "none"}
    ip = layers.pop(0) if layers and layers[0] in ("ip", "ipv6") else None
    if not ip or not row[f"{ip}.src"] or not row[f"{ip}.dst"]:
        return seen | ({"ethertype": ethertype} if ethertype else {})
    seen.update(src=row[f"{ip}.src"][0], dst=row[f"{ip}.dst"][0])
    if ip == "ip":
        seen["proto"] = int(row["ip.proto"][0])
        if int(row["ip.frag_offset"][0]):
            seen["fragment"] = "later"
        elif true(row["ip.flags.mf"][0]):
            seen["fragment"] = "first"
    else:
        seen["proto"] = read_extensions(row, layers, seen)
    if layers and layers[0] in ("tcp", "udp", "sctp") and row[f"{layers[0]}.srcport"]:
        seen.update(sport=int(row[f"{layers[0]}.srcport"][0]), dport=int(row[f"{layers[0]}.dstport"][0]))
    return seen


PROTOCOLS, ETHERTYPES = names_of("protocols"), names_of("ethertypes")


def sluice_sees(line):
    seen = {key: line[key] for key in ("src", "dst", "sport", "dport", "vlan", "fragment") if key in line}
    name = line.get("proto")
    if "src" in line:
        seen["proto"] = PROTOCOLS[name] if name in PROTOCOLS else int(name)
    elif name and name != "llc":
        seen["ethertype"] = ETHERTYPES[name] if name in ETHERTYPES else int(name, 16)
    return seen


class Bytes:
    """The headers of a frame that both read as far as IP: what is there, read without either of them."""

    def __init__(self, frame, length, vlans):
        self.ip = frame[14 + 4 * len(vlans):]
        self.left = length - 14 - 4 * len(vlans)  # of the frame on the wire

    def header_length(self):
        return 4 * (self.ip[0] & 15)

    def total_length(self):
        return struct.unpack_from("!H", self.ip, 2)[0]

    def fragment(self):
        """(more to come, where it begins, how long it is)"""
        bits, = struct.unpack_from("!H", self.ip, 6)
        return bits >> 13 & 1, (bits & 0x1fff) * 8, self.total_length() - self.header_length()

    def payload_length(self):
        return struct.unpack_from("!H", self.ip, 4)[0]

    def captured(self):
        """Bytes of an IPv4 packet's payload that are in the capture and in the packet."""
        return min(self.total_length(), len(self.ip)) - self.header_length()


def fragment_contradicts(packet):
    more, offset, length = packet.fragment()
    return more and (length == 0 or length % 8) or offset + length > 65535


# (Sluice's reason, what may differ, why, and what the bytes have to show)
PORTS = {"sport", "dport"}
DISAGREEMENTS = [
    ("malformed-fragment", PORTS, "more fragments follow, and the length is no multiple of 8 (RFC 791, section 3.2)",
     fragment_contradicts),
    ("malformed-ipv4", PORTS | {"fragment"}, "total length is more than the frame has",
     lambda p: p.total_length() > p.left and p.header_length() >= 20),
    ("malformed-ipv4", PORTS | {"fragment"}, "total length is 0: recorded before the sender's card cut it up (TSO)",
     lambda p: p.total_length() == 0 and p.header_length() >= 20),
    ("malformed-ipv4", {"src", "dst", "proto", "ethertype"},
     "header length below 20: tshark shows no address, Sluice does", lambda p: p.header_length() < 20),
    ("malformed-ipv4", {"src", "dst", "proto", "ethertype"}, "total length below the header's: tshark shows no address",
     lambda p: 0 < p.total_length() < p.header_length()),
    ("malformed-ipv6", PORTS, "payload length is more than the frame has", lambda p: p.payload_length() > p.left - 40),
    ("malformed-extension", PORTS | {"proto"}, "a jumbogram (RFC 2675), which no XDP frame can hold",
     lambda p: p.payload_length() == 0 and p.ip[6] == 0),
    ("malformed-tcp", PORTS, "the capture ends inside the TCP header", lambda p: 4 <= p.captured() < 20),
    ("malformed-udp", PORTS, "the capture ends inside the UDP header", lambda p: 4 <= p.captured() < 8),
]


def explain(line, tshark, sluice, frame, length):
    """The reasons of the classes that explain the difference."""
    differ = {key for key in tshark.keys() | sluice.keys() if tshark.get(key) != sluice.get(key)}
    found = []
    for reason, may_differ, why, shows in DISAGREEMENTS:
        if line.get("malformed") == reason and differ <= may_differ and shows(Bytes(frame, length, line["vlan"])):
            found.append(f"{reason}: {why}")
    return found


def test_sluice_reads_what_tshark_reads(replayed, tmp_path):
    places, frames, lines = [], [], []
    for path, name in zip(PATHS, IDS):
        link_type, packets = read_capture(path)
        if link_type == ETHERNET:
            places += [f"{name} {number}" for number in range(1, len(packets) + 1)]
            frames += packets
            lines += [json.loads(line) for line in replayed[path].stdout.splitlines()]
    assert len(frames) == len(lines) > 0
    explained, unexplained, equal = collections.defaultdict(list), [], 0
    for place, (frame, length), line, row in zip(places, frames, lines, run_tshark(tmp_path, frames)):
        tshark, sluice = tshark_sees(row), sluice_sees(line)
        if tshark == sluice:
            equal += 1
            continue
        classes = explain(line, tshark, sluice, frame, length)
        if len(classes) == 1:
            explained[classes[0]].append(place)
        else:
            unexplained.append(f"{place}: tshark {tshark}, Sluice {sluice}, {line.get('malformed')}, {classes}")
    print(f"{equal} of {len(frames)} packets read alike")
    for why, where in sorted(explained.items()):
        print(f"{len(where):4} {why}\n     {', '.join(where)}")
    assert not unexplained, f"{len(unexplained)} unexplained:\n" + "\n".join(unexplained[:50])
    assert len(explained) == len(DISAGREEMENTS)  # a class that explains nothing is no class

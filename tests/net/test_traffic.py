# SPDX-License-Identifier: BSD-2-Clause
"""Real packets between two hosts: what the policy refuses stays out, what it allows arrives, the counters say which."""
import os
import socket
import threading

import pytest
from scapy.all import (AH, ARP, GRE, ICMP, IP, SCTP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NS,
                       IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, Raw, fragment, fragment6)

from lab import wait_until
from scene import BLOCK, BLOCKED4, BLOCKED6, BOX4, BOX6, CLIENT4, CLIENT6, Scene, policy

both_modes = pytest.mark.parametrize("mode", ["native", "generic"])
LAST = (1, 42)  # what Scene.last() adds to the counters


def ethernet(ethertype=None):
    """Addresses of nobody: scapy does not have to ask for them, and the box's kernel sees them all the same."""
    header = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if ethertype is not None:
        header.type = ethertype
    return header


class Echo:
    """A TCP and a UDP server on port 7 of the box; sends back what it gets."""

    def __init__(self, host, family):
        any_address = "" if family == socket.AF_INET else "::"
        self.tcp, self.udp = host.socket(family, socket.SOCK_STREAM), host.socket(family, socket.SOCK_DGRAM)
        for made in (self.tcp, self.udp):
            made.bind((any_address, 7))
        self.tcp.listen()
        for run in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=run, daemon=True).start()

    def serve_tcp(self):
        try:
            while True:
                connection, _ = self.tcp.accept()
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(data)
        except OSError:  # closed with the lab, or nobody came
            pass

    def serve_udp(self):
        try:
            while True:
                data, address = self.udp.recvfrom(65536)
                self.udp.sendto(data, address)
        except OSError:
            pass


def talk(host, kind, source, target, message):
    """Sends the message to port 7; returns what comes back, None when nothing does."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    made = host.socket(family, kind, timeout=0.3)
    made.bind((source, 0))
    try:
        made.connect((target, 7))
        made.sendall(message)
        answer = b""
        while len(answer) < len(message):
            answer += made.recv(65536)
        return answer
    except (TimeoutError, socket.timeout):
        return None
    finally:
        made.close()


@both_modes
@pytest.mark.parametrize("allowed, blocked, target", [(CLIENT4, BLOCKED4, BOX4), (CLIENT6, BLOCKED6, BOX6)],
                         ids=["ipv4", "ipv6"])
def test_ping_of_a_blocked_source_stays_out(scene, mode, allowed, blocked, target):
    scene.box.apply(policy(BLOCK, mode=mode))
    before = scene.count()
    assert scene.ping(allowed, target, count=3)
    assert not scene.ping(blocked, target)
    counts = scene.count(before)
    frame = 98 if "." in target else 118  # 56 bytes of data, ICMP 8, IP 20 or 40, Ethernet 14
    assert counts["block-source"] == counts["drop"] == counts["test.policy:3"] == (1, frame)
    assert counts["pass"] == counts["default"] == (3, 3 * frame)


@both_modes
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize("allowed, blocked, target", [(CLIENT4, BLOCKED4, BOX4), (CLIENT6, BLOCKED6, BOX6)],
                         ids=["ipv4", "ipv6"])
def test_server_answers_allowed_and_never_hears_blocked(scene, mode, kind, allowed, blocked, target):
    scene.box.apply(policy(BLOCK, mode=mode))
    Echo(scene.box, socket.AF_INET6 if ":" in target else socket.AF_INET)
    before = scene.count()
    message = os.urandom(200_000 if kind == socket.SOCK_STREAM else 1000)
    assert talk(scene.client, kind, allowed, target, message) == message
    assert "drop" not in scene.count(before)
    assert talk(scene.client, kind, blocked, target, b"let me in") is None
    counts = scene.count(before)
    assert counts["block-source"][0] >= 1
    assert counts["block-source"] == counts["drop"] == counts["test.policy:3"]


@both_modes
def test_destination_is_blocked_and_its_neighbour_is_not(scene, mode):
    scene.box.address("eth0", "198.51.100.9/24", "2001:db8::9/64")
    scene.box.apply(policy("block { to 198.51.100.9, 2001:db8::9 }", mode=mode))
    for address in ("198.51.100.9", "2001:db8::9"):
        scene.client.ip("neigh", "replace", address, "lladdr", scene.box_mac, "dev", "eth0", "nud", "permanent")
    before = scene.count()
    assert scene.ping(CLIENT4, BOX4) and scene.ping(CLIENT6, BOX6)
    assert not scene.ping(CLIENT4, "198.51.100.9")
    assert not scene.ping(CLIENT6, "2001:db8::9")
    counts = scene.count(before)
    assert counts["block-destination"] == counts["drop"] == (2, 98 + 118)
    assert counts["pass"] == (2, 98 + 118)


@both_modes
def test_except_beats_from_however_narrow(scene, mode):
    scene.box.apply(policy(f"block {{ except 192.0.2.64/26, 2001:db8:bad::/64; from 192.0.2.0/24, {BLOCKED4}, "
                           f"2001:db8:bad::/48, {BLOCKED6} }}", mode=mode))
    assert scene.ping(BLOCKED4, BOX4) and scene.ping(BLOCKED6, BOX6)
    scene.client.address("eth0", "192.0.2.1/24", "2001:db8:bad:1::1/64")
    assert not scene.ping("192.0.2.1", BOX4)
    assert not scene.ping("2001:db8:bad:1::1", BOX6)


MALFORMED = {  # what is wrong → the reason, the part behind the Ethernet addresses
    "vlan tag cut off": ("malformed-vlan", ethernet(0x8100) / b"\0\1"),
    "three vlan tags": ("vlan-depth", ethernet() / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / IP() / UDP()),
    "arp cut off": ("malformed-arp", ethernet(0x0806) / bytes(ARP())[:20]),
    "ipv4 version": ("malformed-ipv4", ethernet(0x0800) / IP(version=5) / UDP()),
    "ipv4 header length": ("malformed-ipv4", ethernet() / IP(ihl=4) / UDP()),
    "ipv4 total length": ("malformed-ipv4", ethernet() / IP(len=100) / UDP()),
    "ipv4 cut off": ("malformed-ipv4", ethernet(0x0800) / bytes(IP())[:12]),
    "ipv6 version": ("malformed-ipv6", ethernet(0x86dd) / IPv6(version=4) / UDP()),
    "ipv6 payload length": ("malformed-ipv6", ethernet() / IPv6(plen=100) / UDP()),
    "extension header too long": ("malformed-extension", ethernet() / IPv6() / IPv6ExtHdrHopByHop(len=9) / UDP()),
    "nine extension headers": ("extension-depth", ethernet() / IPv6() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() /
                               IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() /
                               IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / UDP()),
    "fragment of 7 bytes": ("malformed-fragment", ethernet() / IP(flags="MF", proto=17) / b"1234567"),
    "fragment past the end": ("malformed-fragment", ethernet() / IP(frag=8191, proto=17) / bytes(16)),
    "tcp data offset": ("malformed-tcp", ethernet() / IP() / TCP(dataofs=4)),
    "tcp cut off": ("malformed-tcp", ethernet() / IP(proto=6) / bytes(19)),
    "udp length": ("malformed-udp", ethernet() / IP() / UDP(len=7)),
    "icmp cut off": ("malformed-icmp", ethernet() / IP(proto=1) / bytes(7)),
    "sctp cut off": ("malformed-sctp", ethernet() / IP(proto=132) / bytes(11)),
}


@both_modes
def test_malformed_frames_stay_out_each_with_its_reason(quiet, mode):
    quiet.box.apply(policy(mode=mode))
    expected = {}
    for reason, frame in MALFORMED.values():
        packets, length = expected.get(reason, (0, 0))
        expected[reason] = packets + 1, length + len(frame)
    assert quiet.send(*(frame for _, frame in MALFORMED.values())) == []
    counts = quiet.count()
    assert {name: entry for name, entry in counts.items() if name in expected} == expected
    assert counts["drop"] == (len(MALFORMED), sum(len(frame) for _, frame in MALFORMED.values()))
    assert counts["pass"] == counts["default"] == LAST


@both_modes
def test_malformed_frames_pass_when_the_policy_says_so(quiet, mode):
    quiet.box.apply(policy("malformed pass", mode=mode))
    quiet.send(*(frame for _, frame in MALFORMED.values()))
    counts = quiet.count()
    length = sum(len(frame) for _, frame in MALFORMED.values())
    assert counts == {"pass": (len(MALFORMED) + 1, length + 42), "default": (len(MALFORMED) + 1, length + 42)}


def from_blocked_source():
    """One packet of each kind that has got past somebody's filter."""
    v4, v6 = IP(src=BLOCKED4, dst=BOX4), IPv6(src=BLOCKED6, dst=BOX6)
    data = bytes(3000)
    return {
        "one vlan tag": [ethernet() / Dot1Q(vlan=5) / v4 / UDP(), ethernet() / Dot1Q(vlan=5) / v6 / UDP()],
        "priority tag": [ethernet() / Dot1Q(vlan=0, prio=7) / v4 / UDP()],
        "two vlan tags": [ethernet() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / v4 / TCP(),
                          ethernet() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / v6 / TCP()],
        "fragments": [ethernet() / f for f in fragment(v4 / UDP(dport=53) / data, 1000)],
        "ipv6 fragments": [ethernet() / f for f in fragment6(v6 / IPv6ExtHdrFragment() / UDP(dport=53) / data, 1000)],
        "later fragment only": [ethernet() / IP(src=BLOCKED4, dst=BOX4, frag=100, proto=6) / bytes(64)],
        "gre": [ethernet() / v4 / GRE() / IP() / UDP()],
        "esp": [ethernet() / IP(src=BLOCKED4, dst=BOX4, proto=50) / bytes(40)],
        "ah": [ethernet() / v4 / AH(nh=17, payloadlen=4, icv=bytes(12)) / UDP(),
               ethernet() / v6 / AH(nh=17, payloadlen=4, icv=bytes(12)) / UDP()],
        "sctp": [ethernet() / v4 / SCTP(), ethernet() / v6 / SCTP()],
        "ospf": [ethernet() / IP(src=BLOCKED4, dst="224.0.0.5", proto=89) / bytes(24)],
        "igmp with options": [
            ethernet() / IP(src=BLOCKED4, dst="224.0.0.1", proto=2, options=b"\x94\x04\0\0") / bytes(8)],
        "unknown protocol": [ethernet() / IP(src=BLOCKED4, dst=BOX4, proto=253) / b"?"],
        "no next header": [ethernet() / IPv6(src=BLOCKED6, dst=BOX6, nh=59)],
        "icmp": [ethernet() / v4 / ICMP(), ethernet() / v6 / ICMPv6EchoRequest()],
        "icmp error": [ethernet() / v4 / ICMP(type=3, code=4) / IP() / UDP()],
        "neighbour solicitation": [ethernet() / IPv6(src=BLOCKED6, dst=BOX6, hlim=255) / ICMPv6ND_NS(tgt=BOX6)],
        "extension headers": [
            ethernet() / v6 / IPv6ExtHdrHopByHop(options=PadN(optdata=bytes(20))) / IPv6ExtHdrDestOpt() / UDP()],
        "tail of zeros": [ethernet() / v4 / UDP() / Raw(b"") / bytes(18)],
    }


@both_modes
def test_blocked_source_stays_out_whatever_it_sends(quiet, mode):
    quiet.box.apply(policy(BLOCK, mode=mode))
    frames = [frame for frames in from_blocked_source().values() for frame in frames]
    assert len(frames) > 25
    assert quiet.send(*frames) == []
    length = sum(len(frame) for frame in frames)
    assert quiet.count() == {"drop": (len(frames), length), "block-source": (len(frames), length),
                             "test.policy:3": (len(frames), length), "pass": LAST, "default": LAST}


@both_modes
def test_the_same_frames_pass_without_the_block(quiet, mode):
    quiet.box.apply(policy(mode=mode))
    frames = [frame for frames in from_blocked_source().values() for frame in frames]
    assert len(quiet.send(*frames)) == len(frames)
    length = sum(len(frame) for frame in frames) + 42
    assert quiet.count() == {"pass": (len(frames) + 1, length), "default": (len(frames) + 1, length)}


@both_modes
def test_fragments_drop(scene, mode):
    scene.box.apply(policy("fragments drop", mode=mode))
    before = scene.count()
    assert scene.ping(CLIENT4, BOX4, "-s1000") and scene.ping(CLIENT6, BOX6, "-s1000")
    assert "drop" not in scene.count(before)
    assert not scene.ping(CLIENT4, BOX4, "-s4000")
    assert not scene.ping(CLIENT6, BOX6, "-s4000")
    counts = scene.count(before)
    # 4008 bytes of ICMP in three fragments each
    assert counts["fragment"] == counts["drop"] == (6, 2 * 4008 + 3 * (14 + 20) + 3 * (14 + 40 + 8))


@both_modes
def test_fragments_pass_by_default(scene, mode):
    scene.box.apply(policy(BLOCK, mode=mode))
    assert scene.ping(CLIENT4, BOX4, "-s4000") and scene.ping(CLIENT6, BOX6, "-s4000")
    assert not scene.ping(BLOCKED4, BOX4, "-s4000")
    assert not scene.ping(BLOCKED6, BOX6, "-s4000")
    assert scene.count()["block-source"][0] == 6


@both_modes
def test_default_drop_keeps_arp_and_neighbour_discovery(scene, mode):
    scene.box.apply(policy("default drop", mode=mode))
    for host in (scene.box, scene.client):
        host.ip("neigh", "flush", "dev", "eth0", "nud", "permanent")
        host.ip("neigh", "flush", "dev", "eth0")
    before = scene.count()
    assert not scene.ping(CLIENT4, BOX4)
    assert not scene.ping(CLIENT6, BOX6)
    for address in (BOX4, BOX6):  # the echo was dropped, but the box was found: it heard the question
        assert scene.box_mac in scene.client.ip("neigh", "show", address, "dev", "eth0").stdout
    counts = scene.count(before)
    assert counts["failsafe"][0] >= 2
    assert counts["pass"] == counts["failsafe"]
    assert counts["drop"] == counts["default"]
    assert counts["default"][0] >= 2


@both_modes
def test_forwarded_neighbour_discovery_is_no_failsafe(quiet, mode):
    """RFC 4861, section 3.1: a hop limit below 255 means that a router forwarded it."""
    quiet.box.apply(policy("default drop", mode=mode))
    near = quiet.ethernet() / IPv6(src="fe80::2", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt="fe80::1")
    far = quiet.ethernet() / IPv6(src="2001:db8:f::2", dst="ff02::1", hlim=254) / ICMPv6ND_NS(tgt="fe80::1")
    assert quiet.send(near, far) == [bytes(near)]
    assert quiet.count() == {"failsafe": (2, len(near) + 42), "pass": (2, len(near) + 42),
                             "default": (1, len(far)), "drop": (1, len(far))}


@both_modes
def test_default_drop_keeps_path_mtu_errors(lab, mode):
    """box — router — far, where the second cable takes 1300 bytes: the box learns it only from the router's errors."""
    scene = Scene(lab)
    box, router, far = scene.box, scene.client, lab.host("far")
    lab.cable(router, "eth1", far, "eth0", mtu=1300)
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    scene.settle()
    router.address("eth1", "203.0.113.1/24", "2001:db8:f::1/64")
    far.address("eth0", "203.0.113.9/24", "2001:db8:f::9/64")
    box.ip("route", "add", "203.0.113.0/24", "via", CLIENT4)
    box.ip("route", "add", "2001:db8:f::/64", "via", CLIENT6)
    box.apply(policy("default drop", mode=mode))
    assert "1300" not in box.ip("route", "get", "203.0.113.9").stdout + box.ip("route", "get", "2001:db8:f::9").stdout
    before = scene.count()
    box.run("ping", "-c1", "-W0.3", "-Mdo", "-s1400", "203.0.113.9", check=False)
    box.run("ping", "-c1", "-W0.3", "-Mdo", "-s1400", "2001:db8:f::9", check=False)
    assert wait_until(lambda: scene.count(before).get("failsafe", (0, 0))[0] >= 2, seconds=1)
    assert "mtu 1300" in box.ip("route", "get", "203.0.113.9").stdout
    assert "mtu 1300" in box.ip("route", "get", "2001:db8:f::9").stdout


@pytest.fixture
def jumbo(lab):
    made = Scene(lab, ipv6=False, mtu=9000)
    made.box.address("eth0", f"{BOX4}/24")
    return made


@both_modes
def test_large_frames_of_many_buffers_are_counted_whole(jumbo, mode):
    jumbo.box.apply(policy(BLOCK, mode=mode))
    allowed = jumbo.ethernet() / IP(src=CLIENT4, dst=BOX4) / UDP(sport=1, dport=9) / os.urandom(9000 - 28)
    blocked = jumbo.ethernet() / IP(src=BLOCKED4, dst=BOX4) / UDP(sport=1, dport=9) / os.urandom(9000 - 28)
    assert len(allowed) == 9014
    assert jumbo.send(allowed, blocked, allowed) == [bytes(allowed), bytes(allowed)]
    assert jumbo.count() == {"pass": (3, 2 * 9014 + 42), "default": (3, 2 * 9014 + 42), "drop": (1, 9014),
                             "block-source": (1, 9014), "test.policy:3": (1, 9014)}


@both_modes
def test_large_frame_with_a_wrong_length_is_malformed(jumbo, mode):
    """The length that counts is that of all buffers, not of the first."""
    jumbo.box.apply(policy(mode=mode))
    data = bytes(9000 - 28)
    right = jumbo.ethernet() / IP(src=CLIENT4, dst=BOX4, len=9000) / UDP(sport=1, dport=9) / data
    wrong = jumbo.ethernet() / IP(src=CLIENT4, dst=BOX4, len=9001) / UDP(sport=1, dport=9) / data
    assert jumbo.send(wrong, right) == [bytes(right)]
    assert jumbo.count()["malformed-ipv4"] == (1, 9014)


@both_modes
def test_tcp_over_large_frames(jumbo, mode):
    jumbo.client.address("eth0", f"{CLIENT4}/24")
    jumbo.box.apply(policy(BLOCK, mode=mode))
    Echo(jumbo.box, socket.AF_INET)
    message = os.urandom(2_000_000)
    assert talk(jumbo.client, socket.SOCK_STREAM, CLIENT4, BOX4, message) == message


@both_modes
def test_frames_that_are_not_ip_follow_the_default(quiet, mode):
    frames = [quiet.ethernet(type=0x88cc) / bytes(50), quiet.ethernet(type=0x0042) / bytes(66),  # LLDP, 802.3 length
              quiet.ethernet(type=0x8863) / bytes(20)]
    length = sum(len(frame) for frame in frames)
    quiet.box.apply(policy(BLOCK, mode=mode))
    assert quiet.send(*frames) == [bytes(frame) for frame in frames]
    quiet.box.apply(policy(BLOCK, "default drop", mode=mode))
    before = quiet.count()
    assert quiet.send(*frames) == []
    assert quiet.count(before) == {"drop": (3, length), "default": (3, length), "pass": LAST, "failsafe": LAST}

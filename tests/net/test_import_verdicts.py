# SPDX-License-Identifier: BSD-2-Clause
"""import: the policy judges every packet as the firewall does that it was made from: the kernel's own, on a veth."""
import json
import os
import random
import shutil
import sys

import pytest

from scapy.all import IP, IPv6, IPv6ExtHdrFragment, Raw, UDP, fragment, fragment6

from firewalls import BOX4, BOX6, Firewall, Rules, number, numbered, packets4, packets6
from lab import SLUICE, sh

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../packets"))
from judging import write_capture  # noqa: E402

PACKETS = 300  # of each family

pytestmark = pytest.mark.skipif(not shutil.which("nft"), reason="no nft here")


@pytest.fixture
def firewall(lab):
    return Firewall(lab)


def judge_policy(firewall, policy, frames):
    path = firewall.lab.file("imported.policy", policy)
    capture = os.path.join(firewall.lab.folder.name, "frames.pcap")
    write_capture(capture, [bytes(f) for f in frames])
    return [json.loads(line) for line in sh(SLUICE, "replay", path, capture, "-j").stdout.splitlines()]


def differences(firewall, frames, passed, kind, *files, text=""):
    """Frames that the two judge otherwise. Drop spares neighbour discovery and path-MTU errors: that is meant."""
    imported = sh(SLUICE, "import", kind, "--interface", "port0", *files, input=text)
    assert imported.stderr == ""
    judged = judge_policy(firewall, imported.stdout, frames)
    wrong = []
    for frame, line in zip(frames, judged):
        theirs, ours = number(frame) in passed, line["verdict"] == "pass"
        if theirs != ours and not (ours and is_failsafe(line)):
            wrong.append((frame.summary(), number(frame), "firewall passes" if theirs else "firewall drops", line))
    return wrong


def is_failsafe(line):
    return (line.get("proto"), line.get("icmp_type"), line.get("icmp_code")) in (("icmp", 3, 4), ("icmpv6", 135, 0))


def frames_for(firewall, seed, fragments=True):
    rng = random.Random(seed)
    return numbered(firewall.ethernet, [*packets4(rng, PACKETS, fragments), *packets6(rng, PACKETS, fragments)])


@pytest.mark.parametrize("seed", [*range(14), 20, 51])
def test_random_rules_of_nft(firewall, seed):
    firewall.nft(Rules(seed).table())
    said = firewall.box.run("nft", "-j", "list", "ruleset").stdout
    firewall.probe("prerouting")
    frames = frames_for(firewall, seed)
    passed = firewall.passed(frames)
    assert differences(firewall, frames, passed, "nft", text=said) == []


IPTABLES = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:guard - [0:0]
:web - [0:0]
:scans - [0:0]
-A INPUT -m ttl --ttl-lt 2 -j DROP
-A INPUT -j guard
-A INPUT -p tcp -j scans
-A INPUT -s 192.0.2.0/26 -p tcp -m multiport --dports 22,80:443 -j ACCEPT
-A INPUT -p tcp -g web
-A INPUT ! -s 192.0.2.0/24 -p udp -m udp --dport 53 -j ACCEPT
-A INPUT -p udp -m udp ! --sport 1024:65535 -j ACCEPT
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A INPUT -p icmp -m icmp --icmp-type 3/1 -j ACCEPT
-A INPUT -p icmp -m icmp ! --icmp-type 13 -j REJECT --reject-with icmp-admin-prohibited
-A INPUT -p sctp -m sctp --dport 443 -j ACCEPT
-A INPUT -m length --length 500:600 -m dscp --dscp 0x2e -j ACCEPT
-A guard -s 203.0.113.0/24 -j RETURN
-A guard -m iprange --src-range 192.0.2.70-192.0.2.80 -p tcp -j DROP
-A guard -m dscp --dscp-class CS1 -j DROP
-A scans -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP
-A scans -p tcp -m tcp ! --tcp-flags SYN,RST SYN -s 192.0.3.0/24 -j DROP
-A web -p tcp -m tcp --syn --dport 80 -j ACCEPT
-A web -p tcp -m multiport --ports 53,65535 -j ACCEPT
-A web -m mac --mac-source 02:00:00:00:00:99 -j ACCEPT
COMMIT
"""
IP6TABLES = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:inner - [0:0]
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT
-A INPUT -s 2001:db8:bad::/48 -j inner
-A INPUT -s fe80::/10 -p udp -j ACCEPT
-A INPUT -p tcp -m tcp --tcp-flags SYN,ACK ACK -j ACCEPT
-A INPUT -p tcp -m multiport ! --dports 22,53 -j REJECT --reject-with tcp-reset
-A INPUT -m hl --hl-gt 200 -j ACCEPT
-A inner -s 2001:db8:bad:1::/64 -j RETURN
-A inner -p udp -m udp --sport 53 -j ACCEPT
-A inner -j DROP
COMMIT
"""


@pytest.mark.skipif(not shutil.which("iptables-restore"), reason="no iptables here")
@pytest.mark.parametrize("seed", range(2))
def test_iptables(firewall, seed):
    """What iptables-save prints of it, for both families together. The kernel joins fragments before INPUT: see below."""
    firewall.box.run("iptables-restore", input=IPTABLES)
    firewall.box.run("ip6tables-restore", input=IP6TABLES)
    four, six = (firewall.lab.file(f"{name}.rules", firewall.box.run(f"{name}-save").stdout) for name in ("iptables", "ip6tables"))
    firewall.probe("input")
    frames = frames_for(firewall, seed, fragments=False)
    passed = firewall.passed(frames)
    assert 50 < len(passed) < len(frames)
    assert differences(firewall, frames, passed, "iptables", four, six) == []


def test_fragments_behind_connection_tracking(firewall):
    """Prerouting sees a datagram whole, too, once a rule asks for connections: of both families."""
    firewall.nft("table inet t {\nchain c {\ntype filter hook prerouting priority 0; policy drop;\nct state invalid drop\n"
                 "udp dport 53 accept\n}\n}\n")
    saved = firewall.lab.file("ruleset.json", firewall.box.run("nft", "-j", "list", "ruleset").stdout)
    firewall.probe("prerouting")
    frames = []
    for identification, port in ((1, 53), (2, 80)):
        data = UDP(sport=1000, dport=port) / Raw(bytes(2000))
        frames += [firewall.ethernet / part for part in
                   (*fragment(IP(src="192.0.2.1", dst=BOX4, id=identification) / data, fragsize=1024),
                    *fragment6(IPv6(src="2001:db8::9", dst=BOX6, fl=identification) / IPv6ExtHdrFragment(id=identification) / data, 1100))]
    passed = firewall.passed(frames)
    assert len(frames) == 8 and passed == {number(frames[0]), number(frames[2])}
    judged = judge_policy(firewall, sh(SLUICE, "import", "nft", "--interface", "port0", saved).stdout, frames)
    assert [line["verdict"] for line in judged] == ["pass"] * 4 + ["drop"] * 4


def test_fragments_at_input(firewall):
    """INPUT sees a datagram whole, and says yes or no to all of it: so does the policy to each of its fragments."""
    firewall.box.run("iptables-restore", input="*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                     "-A INPUT -f -j DROP\n-A INPUT -p udp -m udp --dport 53 -j ACCEPT\nCOMMIT\n")
    saved = firewall.lab.file("iptables.rules", firewall.box.run("iptables-save").stdout)
    firewall.probe("input")
    frames = []
    for identification, port in ((1, 53), (2, 80)):
        datagram = IP(src="192.0.2.1", dst=BOX4, id=identification) / UDP(sport=1000, dport=port) / Raw(bytes(2000))
        frames += [firewall.ethernet / part for part in fragment(datagram, fragsize=1024)]
    passed = firewall.passed(frames)
    assert len(frames) == 4 and passed == {number(frames[0])}
    imported = sh(SLUICE, "import", "iptables", "--interface", "port0", saved)
    assert "-A INPUT -f -j DROP: it never matches" in imported.stderr
    judged = judge_policy(firewall, imported.stdout, frames)
    assert [line["verdict"] for line in judged] == ["pass", "pass", "drop", "drop"]

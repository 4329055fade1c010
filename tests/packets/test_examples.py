# SPDX-License-Identifier: BSD-2-Clause
"""Every policy in examples/ is sound, and judges packets as its own comments say."""
import json
import os
import re

import pytest

from lab import SLUICE, Lab, sh

EXAMPLES = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../examples"))

# policy, interface, packet, reason, and the policy's text of the rule (None: no rule decided).
JUDGEMENTS = [
    ("bans", "eth0", "tcp 203.0.113.9 to 192.0.2.80:80", "default", None),  # nobody is banned yet

    ("blocklist", "eth0", "udp 198.51.100.200:53 to 192.0.2.7:53", "block-source", "from @listed"),
    ("blocklist", "eth0", "sctp 203.0.113.9:1 to 198.51.100.1:2", "block-source", "from @listed"),
    ("blocklist", "eth0", "tcp 2001:db8:1::1 to [2001:db8:dead::1]:80", "block-destination", "to @listed"),
    ("blocklist", "eth0", "udp 192.0.2.53:53 to 198.51.100.1:40000", "default", None),
    ("blocklist", "eth0", "udp 198.51.100.1:40000 to 192.0.2.53:53", "default", None),
    ("blocklist", "eth0", "udp [2001:db8:53::53]:53 to [2001:db8:1::1]:40000", "default", None),
    ("blocklist", "eth0", "udp [2001:db8:53::54]:53 to [2001:db8:1::1]:40000", "block-source", "from @listed"),
    ("blocklist", "eth0", "tcp 198.51.100.127 to 198.51.100.1:80", "default", None),

    ("defences", "eth0", "tcp 198.51.100.9 to 9.9.9.9:22 syn", "default", None),
    ("defences", "eth0", "tcp 203.0.113.9 to 9.9.9.9:22 syn", "block-source",
     "from { 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 }"),
    ("defences", "eth0", "udp [fd00::1]:53 to [2620:fe::9]:4000", "block-source", "from { fc00::/7, fec0::/10 }"),
    ("defences", "eth0", "tcp 8.8.4.4 to 9.9.9.9:80 syn fin", "filter-rule",
     "drop tcp flags fin/fin,ack count bogus-tcp"),
    ("defences", "eth0", "tcp 8.8.4.4 to 9.9.9.9:80 syn rst", "filter-rule",
     "drop tcp flags syn,rst count bogus-tcp"),
    ("defences", "eth0", "udp 8.8.4.4:9 to 9.9.9.9:0", "filter-rule", "drop udp dport 0 count bogus-udp"),
    ("defences", "eth0", "icmp 8.8.4.4 to 9.9.9.9 type redirect", "filter-rule",
     "drop icmp type { source-quench, redirect, 6, router-advertisement, router-solicitation } count bogus-icmp"),
    ("defences", "eth0", "tcp 8.8.4.4 to 9.9.9.9:80 fragment first", "filter-rule",
     "drop ipv4 length 0-255 fragment first count bogus-fragments"),
    ("defences", "eth0", "udp 8.8.4.4:11211 to 9.9.9.9:443", "default", None),  # within its limit
    ("defences", "eth0", "icmp 8.8.4.4 to 9.9.9.9 type echo-request", "default", None),

    ("demo", "outside", "tcp 10.1.2.3 to 192.0.2.80:80", "block-source", "from @bogons"),
    ("demo", "outside", "icmp 203.0.113.8 to 192.0.2.80", "block-source", "from @scanners"),
    ("demo", "outside", "253 203.0.113.8 to 192.0.2.80 vlan 7 vlan 8", "block-source", "from @scanners"),
    ("demo", "outside", "tcp 203.0.113.8 to 192.0.2.80 fragment later", "block-source", "from @scanners"),
    ("demo", "outside", "tcp 203.0.113.7 to 192.0.2.80:80", "default", None),
    ("demo", "outside", "tcp 203.0.113.7 to 192.0.2.200:22", "default", None),  # an exception beats every `to` as well
    ("demo", "outside", "icmpv6 2001:db8:bad::7 to 2001:db8:2::80", "default", None),
    ("demo", "outside", "tcp 198.51.100.10 to 192.0.2.200:22", "block-destination", "to @internal"),
    ("demo", "outside", "tcp 2001:db8:1::10 to [2001:db8:2::200]:22", "block-destination", "to @internal"),
    ("demo", "outside", "tcp 198.51.100.10 to 192.0.2.80 fragment later", "default", None),
    ("demo", "outside", "arp", "default", None),
    ("demo", "outside", "hex 020000000002 020000000001 0800 45", "malformed-ipv4", None),

    ("firewall", "eth0", "tcp 198.51.100.9 to 192.0.2.80:22 syn", "filter-rule",
     "accept tcp from @office dport 22 flags syn/syn,ack count ssh"),
    ("firewall", "eth0", "tcp 2001:db8:a:1::1 to [2001:db8:2::80]:22 syn", "filter-rule",
     "accept tcp from @office dport 22 flags syn/syn,ack count ssh"),
    ("firewall", "eth0", "tcp 203.0.113.5 to 192.0.2.80:22 syn", "filter-reject",
     "reject tcp flags syn/syn,ack limit 50/s"),
    ("firewall", "eth0", "tcp 203.0.113.5 to 192.0.2.80:443 syn", "filter-rule",
     "accept tcp dport { 80, 443 } flags syn/syn,ack count web"),
    ("firewall", "eth0", "tcp 203.0.113.5:443 to 192.0.2.80:40000 ack", "filter-rule", "accept tcp flags ack"),
    ("firewall", "eth0", "tcp 203.0.113.5 to 192.0.2.80:80 syn fin", "filter-rule", "drop tcp flags fin,syn log 1/100"),
    ("firewall", "eth0", "udp 192.0.2.53:53 to 192.0.2.80:40000", "filter-rule",
     "accept udp from @resolvers sport 53"),
    ("firewall", "eth0", "udp 203.0.113.5:53 to 192.0.2.80:40000", "default", None),
    ("firewall", "eth0", "udp [2001:db8:1::1]:5000 to [2001:db8:2::80]:443", "filter-rule",
     "accept udp dport 443 count web"),
    ("firewall", "eth0", "icmp 203.0.113.5 to 192.0.2.80 type echo-request", "filter-rule",
     "accept icmp type echo-request limit 10/s per source"),
    ("firewall", "eth0", "icmp 203.0.113.5 to 192.0.2.80 type redirect", "default", None),
    ("firewall", "eth0", "icmpv6 fe80::1 to ff02::1 type nd-neighbor-solicit", "failsafe", None),
    ("firewall", "eth0", "arp 203.0.113.5 to 192.0.2.80", "failsafe", None),

    ("under-attack", "eth0", "tcp 203.0.113.5 to 192.0.2.80:443 syn", "filter-rule", "accept tcp dport { 80, 443 }"),
    ("under-attack", "eth0", "udp 203.0.113.5:53 to 192.0.2.80:40000", "filter-rule", "accept udp sport { 53, 123 }"),
    ("under-attack", "eth0", "udp 203.0.113.5:19 to 192.0.2.80:40000", "default", None),
    ("under-attack", "eth0", "udp [2001:db8:1::1]:5000 to [2001:db8:2::80]:443", "filter-rule",
     "accept udp dport 443"),
    ("under-attack", "eth0", "tcp 198.51.100.9 to 192.0.2.80:22 syn", "filter-rule",
     "accept tcp from @friends dport 22 flags syn/syn,ack limit 10/m per source"),
    ("under-attack", "eth0", "tcp 203.0.113.9 to 192.0.2.80:22 syn", "default", None),
    ("under-attack", "eth0", "arp 203.0.113.5 to 192.0.2.80", "failsafe", None),

    ("gateway", "wan0", "tcp 192.168.1.1 to 198.51.100.7:80", "block-source", "from @bogons"),
    ("gateway", "wan0", "tcp 198.51.100.9 to 198.51.100.7:80", "block-source", "from @inside"),
    ("gateway", "wan0", "udp [2001:db8:100::1]:9 to [2001:db8:100::2]:9", "block-source", "from @inside"),
    ("gateway", "wan0", "tcp 203.0.113.5 to 198.51.100.241:9100", "block-destination", "to @printers"),
    ("gateway", "wan0", "tcp 203.0.113.5 to 198.51.100.7:80 fragment first", "default", None),
    ("gateway", "lan0", "tcp 198.51.100.9 to 203.0.113.5:80", "default", None),
    ("gateway", "lan0", "tcp 198.51.100.9 to 10.0.0.1:80", "block-destination", "to @bogons"),
    ("gateway", "lan0", "tcp 2001:db8:100::1 to [fd00::1]:80", "block-destination", "to @bogons"),
    ("gateway", "lan0", "udp 198.51.100.9:5353 to 224.0.0.251:5353", "default", None),
    ("gateway", "lan0", "udp 0.0.0.0:68 to 255.255.255.255:67", "default", None),
    ("gateway", "lan0", "icmpv6 fe80::1 to ff02::1 type nd-neighbor-solicit", "default", None),
    ("gateway", "lan0", "udp 198.51.100.9:9 to 203.0.113.5:9 fragment first", "fragment", None),

    ("lockdown", "eth0", "tcp 198.51.100.1 to 192.0.2.80:22", "default", None),
    ("lockdown", "eth0", "icmp 198.51.100.1 to 192.0.2.80", "default", None),
    ("lockdown", "eth0", "arp 198.51.100.1 to 192.0.2.80", "failsafe", None),
    ("lockdown", "eth0", "icmpv6 fe80::1 to ff02::1 type nd-neighbor-solicit", "failsafe", None),
    ("lockdown", "eth0", "icmpv6 2001:db8:1::1 to 2001:db8:2::80 type packet-too-big", "failsafe", None),
    ("lockdown", "eth0", "icmpv6 2001:db8:bad::1 to 2001:db8:2::80 type packet-too-big", "block-source",
     "from @intruders"),
    ("lockdown", "eth0", "udp 198.51.100.1 to 192.0.2.80 fragment later", "fragment", None),

    # Nobody listens where the examples are explained, and no single packet arms a service.
    ("synproxy", "eth0", "tcp 203.0.113.5 to 192.0.2.80:443 syn", "default", None),
    ("synproxy", "eth0", "tcp 203.0.113.5 to 192.0.2.80:443 ack", "default", None),

    ("synproxy-gateway", "wan0", "tcp 203.0.113.5 to 198.51.100.80:443 syn", "default", None),
    ("synproxy-gateway", "wan0", "tcp 203.0.113.5 to 198.51.100.80:443 rst", "default", None),

    ("server", "eth0", "tcp 172.16.5.4 to 192.0.2.80:80", "block-source", "from @bogons"),
    ("server", "eth0", "tcp 203.0.113.1 to 192.0.2.80:80", "block-source", "from 203.0.113.0/24"),
    ("server", "eth0", "tcp 198.51.100.17 to 192.0.2.80:22", "default", None),
    ("server", "eth0", "tcp 2001:db8:a:1::1 to [2001:db8:2::80]:22", "default", None),
    ("server", "eth0", "icmpv6 fe80::1 to ff02::1 type nd-neighbor-solicit", "default", None),
    ("server", "eth0", "udp 0.0.0.0:68 to 255.255.255.255:67", "default", None),
]


@pytest.fixture(scope="module")
def host():
    """Where the kernel is set as the examples ask for."""
    with Lab() as lab:
        made = lab.host("examples")
        made.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2")
        yield made


def path(name):
    return os.path.join(EXAMPLES, f"{name}.policy")


def policies():
    return sorted(name[:-len(".policy")] for name in os.listdir(EXAMPLES) if name.endswith(".policy"))


def line_of(text, interface, policy):
    """Where the rule stands in the file: the first such line in the interface's block."""
    with open(path(policy)) as file:
        lines = file.read().split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(f"interface {interface} "))
    return next(i + 1 for i in range(start, len(lines)) if re.search(rf"\b{re.escape(text)}(\s|$)", lines[i]))


def place_of(text, interface, policy, said):
    """In the file, or, of a rule of a ready macro, in what `sluice defences` prints."""
    if not said.startswith("defences:"):
        return f"{path(policy)}:{line_of(text, interface, policy)}"
    lines = sh(SLUICE, "defences").stdout.splitlines()
    return "defences:%d" % next(i + 1 for i, line in enumerate(lines) if re.search(rf"\b{re.escape(text)}(\s|$)", line))


@pytest.mark.parametrize("policy", policies())
def test_example_checks_cleanly(host, policy):
    result = host.sluice("check", path(policy))
    assert result.stdout.endswith(": ok\n")
    assert result.stderr == ""


@pytest.mark.parametrize("policy, interface, packet, reason, rule", JUDGEMENTS)
def test_example_judges_as_its_comments_say(policy, interface, packet, reason, rule):
    said = json.loads(sh(SLUICE, "explain", "-j", path(policy), "--interface", interface, packet).stdout)
    assert said["reason"] == reason
    assert said.get("rule_text") == rule
    assert said.get("rule") == (rule and place_of(rule, interface, policy, said["rule"]))
    passes = reason == "failsafe" or (reason == "default" and policy not in ("lockdown", "firewall", "under-attack"))
    passes = passes or (reason == "filter-rule" and rule.startswith("accept"))
    assert said["verdict"] == ("pass" if passes else "tx" if reason == "filter-reject" else "drop")


def test_every_interface_of_every_example_is_judged():
    judged = {(policy, interface) for policy, interface, *_ in JUDGEMENTS}
    written = set()
    for policy in policies():
        with open(path(policy)) as file:
            written |= {(policy, name) for name in re.findall(r"^interface (\S+)", file.read(), re.M)}
    assert judged == written


def test_every_set_file_is_used():
    used = set()
    for policy in policies():
        with open(path(policy)) as file:
            used |= set(re.findall(r'^set \S+\s+file "([^"]+)"', file.read(), re.M))
    assert used == {name for name in os.listdir(EXAMPLES) if name.endswith(".txt")}

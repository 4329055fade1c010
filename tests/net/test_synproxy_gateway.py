# SPDX-License-Identifier: BSD-2-Clause
"""The synproxy of a gateway: services behind the box, reached by who answered its question."""
import json
import re
import subprocess

import pytest
from scapy.all import IP, TCP

from lab import SLUICE, wait_until
from scene import Scene, policy
from test_synproxy_traffic import Server, both_ends_have_programs, connected, download, services, settings

SERVER4, SERVER6 = "203.0.113.2", "2001:db8:5::2"
SERVICE = "synproxy { tcp to 203.0.113.0/24, 2001:db8:5::/64 dport 80 gateway }"


@pytest.fixture
def scene(lab):
    """client eth0 - eth0 box eth1 - eth0 server; the box forwards, and Sluice is on its side to the client."""
    made = Scene(lab)
    made.settle()
    made.server = lab.host("server")
    lab.cable(made.box, "eth1", made.server, "eth0")
    made.box.address("eth1", "203.0.113.1/24", "2001:db8:5::1/64")
    made.server.address("eth0", f"{SERVER4}/24", f"{SERVER6}/64")
    made.box.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    made.client.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
    made.client.ip("-6", "route", "add", "2001:db8:5::/64", "via", "2001:db8::1")
    made.server.ip("route", "add", "default", "via", "203.0.113.1")
    made.server.ip("-6", "route", "add", "default", "via", "2001:db8:5::1")
    both_ends_have_programs(made)
    return made


def syn(scene, number, target=SERVER4):
    made = scene.ethernet() / IP(src=f"192.0.2.{number % 250}", dst=target)
    return bytes(made / TCP(sport=1024 + number, dport=80, flags="S", seq=number, options=[("MSS", 1460)]))


def opened(host):
    """Connections that the host's kernel has begun or refused to begin: SYNs that reached it."""
    return len(host.run("ss", "-tnH", "state", "syn-recv").stdout.splitlines())


def reasons(host):
    return {name: entry["packets"] for name, entry in host.stats()["reasons"].items() if entry["packets"]}


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_a_client_proves_itself_once_and_is_let_through(scene, address):
    Server(scene.server)
    scene.box.apply(policy(SERVICE))
    download(connected(scene.client, address))
    service = services(scene.box)
    assert service["answered"] == service["valid"] == 1 and service["syns"] == 2
    assert reasons(scene.box)["synproxy-question"] == reasons(scene.box)["synproxy-admitted"] == 1
    download(connected(scene.client, address))
    assert services(scene.box)["answered"] == 1 and services(scene.box)["syns"] == 3
    # All that TCP negotiates is between the two ends.
    said = scene.server.run("ss", "-tionH", "state", "established").stdout
    assert re.search(r"\bts\b", said) and re.search(r"\bsack\b", said) and "wscale:" in said


def test_who_does_not_answer_never_reaches_the_server(scene):
    Server(scene.server, backlog=512)
    scene.box.apply(policy(SERVICE))
    scene.send(*[syn(scene, n) for n in range(240)])
    assert services(scene.box)["answered"] == 240 and opened(scene.server) == 0
    assert reasons(scene.box)["synproxy-question"] == 240


def test_a_reset_with_a_made_up_number_admits_nobody(scene):
    """Resets of connections that are none of ours pass."""
    Server(scene.server)
    scene.box.apply(policy(SERVICE))
    source = "192.0.2.66"  # of the client, too: it would answer for itself
    for number in (0, 1, 0xdeadbeef):
        scene.send(bytes(scene.ethernet() / IP(src=source, dst=SERVER4) /
                         TCP(sport=5000, dport=80, flags="R", seq=number)))
    assert services(scene.box)["valid"] == 0 and "synproxy-admitted" not in reasons(scene.box)


def test_connections_from_before_go_on_and_survive_a_change(scene):
    Server(scene.server)
    old = connected(scene.client, SERVER4)
    scene.box.apply(policy(SERVICE))
    download(old)
    download(connected(scene.client, SERVER4))
    asked = services(scene.box)["answered"]
    scene.box.apply(policy(SERVICE, "filter { accept tcp }"))
    download(connected(scene.client, SERVER4))
    assert services(scene.box)["answered"] == asked == 1


def test_a_gateway_is_armed_by_a_flood(scene):
    Server(scene.server, backlog=4096)
    scene.box.apply(policy(SERVICE.replace("gateway", "above 500/s gateway")))
    events = scene.box.start(SLUICE, "events", "-j", "--count", "1", stdout=subprocess.PIPE,
                             env=scene.lab.environment)
    download(connected(scene.client, SERVER4))
    assert services(scene.box)["answered"] == 0
    flood = scene.flood(*[syn(scene, n) for n in range(101)])
    assert wait_until(lambda: services(scene.box)["armed"])
    before = opened(scene.server)
    download(connected(scene.client, SERVER4, timeout=10))
    flood.stop()
    assert opened(scene.server) <= before + 1
    assert services(scene.box)["valid"] >= 1
    assert json.loads(events.communicate(timeout=5)[0])["event"] == "armed"


def test_a_host_and_a_gateway_side_by_side(scene):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    Server(scene.server)
    Server(scene.box)
    scene.box.apply(policy("synproxy {", "tcp to 203.0.113.0/24 dport 80 gateway", "tcp dport 80", "}"))
    download(connected(scene.client, SERVER4))
    download(connected(scene.client, "198.51.100.1"))
    gateway, host = scene.box.stats()["services"].values()
    assert gateway["answered"] == host["answered"] == 1 and gateway["valid"] == host["valid"] == 1


def test_a_candidate_asks_for_the_same_sources_and_answers_nobody(scene):
    Server(scene.server)
    scene.box.apply(policy(SERVICE))
    download(connected(scene.client, SERVER4))
    scene.box.sluice("shadow", scene.lab.file("candidate.policy", policy(SERVICE, "filter { drop udp dport 9 }")))
    download(connected(scene.client, SERVER4))
    download(connected(scene.client, SERVER6))
    asked = services(scene.box)
    assert asked["answered"] == asked["valid"] == 2
    assert " 0 judged otherwise" in scene.box.sluice("shadow").stdout

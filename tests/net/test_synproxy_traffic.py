# SPDX-License-Identifier: BSD-2-Clause
"""The synproxy on a real cable: connections made through cookies, downloads, services that are armed and stand down."""
import json
import re
import socket
import subprocess
import threading
import time

import pytest
from scapy.all import IP, TCP

from lab import SLUICE, wait_until
from scene import BOX4, BOX6, CLIENT4, policy

SERVICE = "synproxy { tcp dport 80 }"
SIZE = 4_000_000


def settings(host, **values):
    host.run("sysctl", "-qw", *(f"net.ipv4.{name}={value}" for name, value in values.items()))


class Server:
    """Sends SIZE bytes to whoever connects, then waits for the other end to go."""

    def __init__(self, host, port=80, backlog=64, **options):
        self.socket = host.socket(socket.AF_INET6, socket.SOCK_STREAM, timeout=20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, value in options.items():
            self.socket.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        self.socket.bind(("::", port))
        self.socket.listen(backlog)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection):
        try:
            connection.settimeout(20)
            connection.sendall(bytes(SIZE))
            connection.recv(1)
        except OSError:
            pass
        connection.close()


def connected(host, address, port=80, timeout=3):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = host.socket(family, socket.SOCK_STREAM, timeout=timeout)
    made.connect((address, port))
    return made


def download(made):
    got = 0
    while got < SIZE:
        part = made.recv(1 << 20)
        assert part
        got += len(part)
    return got


def ss(host, *filters):
    """What `ss -tio` says of the one connection."""
    lines = [line for line in host.run("ss", "-tionH", *filters).stdout.splitlines() if line.startswith((" ", "\t"))]
    assert len(lines) == 1, lines
    return lines[0]


def services(host):
    """The one service of a policy that has one."""
    table = host.stats()["services"]
    assert len(table) == 1
    return next(iter(table.values()))


def both_ends_have_programs(scene):
    """drivers/net/veth.c, veth_xdp_flush: what XDP sends is only delivered at once to an end that has a program too."""
    scene.client.apply(policy())


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.parametrize("address", [BOX4, BOX6])
def test_a_connection_and_a_download_through_a_cookie(scene, address, mode):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    plain = connected(scene.client, address)
    download(plain)
    before = ss(scene.box, "state", "established", "sport", "80")
    plain.close()
    scene.box.apply(policy(SERVICE, mode=mode))
    made = connected(scene.client, address)
    download(made)
    after = ss(scene.box, "state", "established", "sport", "80")
    for word in (r"\bts\b", r"\bsack\b", r"wscale:\d+,\d+"):
        assert re.search(word, before).group() == re.search(word, after).group()
    reasons = scene.box.stats()["reasons"]
    assert reasons["synproxy-cookie"]["packets"] == 1


def syn(scene, number=0, dport=80, target=BOX4, **fields):
    """A SYN of nobody: whoever answers it hears nothing again."""
    made = scene.ethernet() / IP(src=f"192.0.2.{100 + number % 100}", dst=target)
    return bytes(made / TCP(sport=1024 + number, dport=dport, flags="S", seq=1000 + number,
                            options=[("MSS", 1460)], **fields))


def ack(scene, number=0, dport=80, **fields):
    made = scene.ethernet() / IP(src=f"192.0.2.{100 + number % 100}", dst=BOX4)
    return bytes(made / TCP(sport=1024 + number, dport=dport, flags="A", seq=1001, ack=77, **fields))


@pytest.mark.parametrize("address", [BOX4, BOX6])
def test_with_offsets_of_timestamps_options_are_left_out(scene, address):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=1)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(SERVICE))
    download(connected(scene.client, address))
    said = ss(scene.box, "state", "established", "sport", "80")
    assert not re.search(r"\bts\b|\bsack\b|wscale", said)
    assert services(scene.box)["answered"] == services(scene.box)["valid"] == 1


def test_what_the_client_or_the_host_does_not_want_is_left_out(scene):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(SERVICE))
    for host in (scene.client, scene.box):
        for name, word in (("tcp_sack", r"\bsack\b"), ("tcp_window_scaling", "wscale"), ("tcp_timestamps", r"\bts\b")):
            was = host.run("sysctl", "-n", f"net.ipv4.{name}").stdout.strip()
            settings(host, **{name: 0})
            made = connected(scene.client, BOX4)
            download(made)
            assert not re.search(word, ss(scene.box, "state", "established", "sport", "80")), (host.name, name)
            made.close()
            settings(host, **{name: was})
            assert wait_until(lambda: not scene.box.run("ss", "-tnH", "state", "established").stdout)


@pytest.mark.parametrize("buffer", [None, 20_000, 200_000, 3_000_000])
@pytest.mark.parametrize("most", [200_000, 33_000_000])
def test_the_window_scale_is_the_one_that_the_kernel_goes_on_with(scene, buffer, most):
    """Also where the socket has a buffer of its own: else the client would take our windows for others."""
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    # Below net.core.rmem_max, which counts then, and which only the first network namespace can change.
    settings(scene.box, tcp_rmem=f"4096 131072 {most}")
    both_ends_have_programs(scene)
    Server(scene.box, **({"SO_RCVBUF": buffer} if buffer else {}))
    scales = []
    for body in ("", SERVICE):
        scene.box.apply(policy(body))
        made = connected(scene.client, BOX4)
        download(made)
        here = re.search(r"wscale:(\d+),(\d+)", ss(scene.box, "state", "established", "sport", "80")).groups()
        there = re.search(r"wscale:(\d+),(\d+)", ss(scene.client, "state", "established", "dport", "80")).groups()
        assert here == there[::-1]
        scales.append(here)
        made.close()
        assert wait_until(lambda: not scene.box.run("ss", "-tnH", "state", "established").stdout)
    assert scales[0] == scales[1]


def test_syncookies_1_answers_when_the_backlog_is_full(scene):
    """Before, the kernel has the SYN; and connections that it makes itself are not in the way of the synproxy."""
    settings(scene.box, tcp_syncookies=1, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box, backlog=16)
    scene.box.apply(policy(SERVICE))
    made = connected(scene.client, BOX4)
    download(made)
    made.close()
    assert services(scene.box)["answered"] == 0 and services(scene.box)["invalid"] == 0
    scene.send(*[syn(scene, n) for n in range(200)])
    assert 100 < services(scene.box)["answered"] < 200
    before = services(scene.box)
    download(connected(scene.client, BOX4))
    after = services(scene.box)
    assert after["answered"] == before["answered"] + 1 and after["valid"] == 1


def test_without_cookies_of_the_kernel_everything_passes(scene):
    settings(scene.box, tcp_syncookies=0)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(SERVICE))
    download(connected(scene.client, BOX4))
    assert services(scene.box)["answered"] == 0


def test_acks_of_nobody_are_dropped_and_connections_are_not_touched(scene):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    old = connected(scene.client, BOX4)
    scene.box.apply(policy(SERVICE))
    scene.send(*[ack(scene, n) for n in range(50)])
    assert services(scene.box)["invalid"] == 50
    assert scene.box.stats()["reasons"]["synproxy-invalid"]["packets"] == 50
    download(old)
    old.close()
    # TIME_WAIT is at the end that closed first; segments to it pass, and so do resets and ports that nobody listens at.
    assert services(scene.box)["invalid"] == 50
    closed = scene.client.socket()
    with pytest.raises(ConnectionRefusedError):
        closed.connect((BOX4, 81))
    scene.box.apply(policy("synproxy { tcp dport 1-65535 }"))
    with pytest.raises(ConnectionRefusedError):
        scene.client.socket().connect((BOX4, 81))


def test_an_address_of_somebody_else_is_not_answered_for(scene):
    """A socket that listens on all addresses is found for packets that are only passing through."""
    settings(scene.box, tcp_syncookies=2, ip_forward=1)
    scene.box.ip("route", "add", "default", "via", CLIENT4)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(SERVICE))
    scene.send(*[syn(scene, n, target="203.0.113.9") for n in range(5)], *[syn(scene, n) for n in range(3)])
    assert services(scene.box)["answered"] == 3
    frames = [bytes(scene.ethernet() / IP(src="192.0.2.9", dst="203.0.113.9") / TCP(dport=80, flags="A", ack=5))]
    scene.send(*frames)
    assert services(scene.box)["invalid"] == 0


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_what_is_for_another_station_is_left_alone(scene, mode):
    """On a port of a bridge, frames of virtual machines: a socket of the host is found for their packets, too."""
    settings(scene.box, tcp_syncookies=2, ip_forward=0)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(SERVICE, mode=mode))
    own, other = scene.box_mac, "02:00:00:00:99:99"

    def to(station):
        return [bytes.fromhex(station.replace(":", "")) + frame[6:]
                for frame in [syn(scene, n) for n in range(3)] + [ack(scene, n) for n in range(2)]]

    def told():
        return services(scene.box)["answered"], services(scene.box)["invalid"]

    scene.send(*to(other))
    assert told() == (0, 0)
    scene.send(*to(own))
    assert told() == (3, 2)
    scene.box.ip("link", "set", "eth0", "address", other)
    scene.send(*to(other))
    assert told() == (6, 4)


ABOVE = "synproxy { tcp dport 80 above 1000/s }"


def test_a_flood_arms_and_its_end_stands_down(scene):
    """Decided by packets alone; said by stats and events; a new policy changes nothing about it."""
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(ABOVE))
    events = scene.box.start(SLUICE, "events", "-j", "--count", "2", stdout=subprocess.PIPE,
                             env=scene.lab.environment)
    download(connected(scene.client, BOX4))
    calm = services(scene.box)
    assert calm["armed"] is False and "armed_since" not in calm and calm["answered"] == 0 and calm["syns"] == 1
    flood = scene.flood(*[syn(scene, n) for n in range(97)])
    assert wait_until(lambda: services(scene.box)["armed"])
    assert re.search(r"^service  .*test.policy:3 .*  armed since \d{4}-\S+Z, \d+ SYNs/s; \d+ SYNs, \d+ answered, 0 valid, "
                     r"0 invalid  tcp dport 80 above 1000/s$", scene.box.sluice("stats").stdout, re.M)
    since = services(scene.box)["armed_since"]
    made = connected(scene.client, BOX4)
    made.sendall(b"?")  # sent again until it is there: the cookie alone is not, should the flood swallow it
    download(made)
    assert wait_until(lambda: services(scene.box)["rate"] > 1000, seconds=3)
    scene.box.apply(policy(ABOVE, "default pass", "filter { accept tcp dport 81 }"))
    assert services(scene.box)["armed_since"] == since
    scene.box.sluice("rollback")
    assert services(scene.box)["armed_since"] == since
    flood.stop()
    stopped = time.monotonic()
    assert services(scene.box)["armed"] and services(scene.box)["valid"] == 1
    assert wait_until(lambda: not services(scene.box)["armed"], seconds=15, step=0.2)
    assert 9 < time.monotonic() - stopped < 12
    answered = services(scene.box)["answered"]
    download(connected(scene.client, BOX4))
    assert services(scene.box)["answered"] == answered
    said = [json.loads(line) for line in events.communicate(timeout=5)[0].splitlines()]
    assert [line["event"] for line in said] == ["armed", "stood-down"]
    assert said[0]["rate"] > 1000 and said[0]["rule"].endswith("test.policy:3") and said[1]["rate"] < 500


def test_a_rate_below_the_threshold_never_arms(scene):
    settings(scene.box, tcp_syncookies=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    scene.box.apply(policy(ABOVE))
    out = scene.client.wire("eth0")
    end = time.monotonic() + 2
    sent = 0
    while time.monotonic() < end:
        out.send(syn(scene, sent % 90))
        sent += 1
        time.sleep(0.0015)
    assert sent > 500
    assert services(scene.box)["armed"] is False
    assert services(scene.box)["syns"] == sent

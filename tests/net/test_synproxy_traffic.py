# SPDX-License-Identifier: BSD-2-Clause
"""The synproxy on a real cable: connections made through cookies, downloads, services that are armed and stand down."""
import json
import re
import socket
import threading
import time

import pytest
from scapy.all import IP, TCP, IPv6

from lab import wait_until
from scene import BOX4, BOX6, CLIENT4, CLIENT6, policy

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


@pytest.mark.parametrize("address", [BOX4, BOX6])
def test_a_connection_and_a_download_through_a_cookie(scene, address):
    settings(scene.box, tcp_syncookies=2, tcp_timestamps=2)
    both_ends_have_programs(scene)
    Server(scene.box)
    plain = connected(scene.client, address)
    download(plain)
    before = ss(scene.box, "state", "established", "sport", "80")
    plain.close()
    scene.box.apply(policy(SERVICE))
    made = connected(scene.client, address)
    download(made)
    after = ss(scene.box, "state", "established", "sport", "80")
    for word in (r"\bts\b", r"\bsack\b", r"wscale:\d+,\d+"):
        assert re.search(word, before).group() == re.search(word, after).group()
    reasons = scene.box.stats()["reasons"]
    assert reasons["synproxy-cookie"]["packets"] == 1

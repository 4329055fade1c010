# SPDX-License-Identifier: BSD-2-Clause
"""What `check` says of a synproxy: its services, those that nothing reaches, settings of the kernel that are in its way."""
import pytest

from lab import Lab


@pytest.fixture(scope="module")
def host():
    with Lab() as lab:
        yield lab.host("check")


def check(host, *services, **settings):
    if settings:
        host.run("sysctl", "-qw", *(f"net.ipv4.{name}={value}" for name, value in settings.items()))
    path = host.lab.file("check.policy", "\n".join(["interface eth0 { synproxy {", *services, "} }", ""]))
    result = host.sluice("check", path)
    return result.stdout, result.stderr.replace(path, "P").splitlines()


def test_what_a_synproxy_is_made_into(host):
    said, warned = check(host, "tcp to 192.0.2.0/24, 2001:db8::1 dport { 80, 443 } above 20000/s", "tcp dport 22",
                         tcp_syncookies=2, tcp_timestamps=2)
    assert "  synproxy: 2 services\n" in said and "  table synproxy_dest4: 1 prefix\n" in said and not warned


def test_services_that_nothing_reaches_are_named(host):
    _, warned = check(host, "tcp dport { 80, 443 }", "tcp to 192.0.2.1 dport 80 gateway", "tcp to ::1 dport 80-81",
                      tcp_syncookies=2, tcp_timestamps=2)
    assert warned == ["P:3:1: warning: no packet is for this service: those before it have all its ports"]


@pytest.mark.parametrize("cookies, timestamps, lost", [
    (2, 2, []), (1, 2, ["backlog"]), (0, 2, ["takes no cookies"]), (2, 1, ["window scaling, SACK and timestamps"]),
    (2, 0, ["window scaling and SACK"]), (1, 1, ["backlog", "window scaling"])])
def test_settings_of_the_kernel_that_are_in_the_way_are_told(host, cookies, timestamps, lost):
    """Of services of this host alone: those behind it have settings of their own."""
    settings = {"tcp_syncookies": cookies, "tcp_timestamps": timestamps}
    _, warned = check(host, "tcp dport 81 gateway", "tcp dport 80", **settings)
    assert len(warned) == len(lost)
    for line, words in zip(warned, lost):
        assert line.startswith("P:3:1: warning: with net.ipv4.tcp_") and words in line
        assert line.endswith(("net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2"))
    assert check(host, "tcp dport 80 gateway")[1] == []
    for name, value in settings.items():  # nothing is changed
        assert host.run("sysctl", "-n", f"net.ipv4.{name}").stdout.strip() == str(value)

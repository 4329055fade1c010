# SPDX-License-Identifier: BSD-2-Clause
"""The generator that floods: it sends what it says, packets are whole, and it works nowhere but in a lab."""
import json
import os
import time

import pytest
from scapy.all import IP, TCP, UDP, Ether, IPv6, PcapWriter, wrpcap

from lab import SLUICE, sh
from scene import BOX4, BOX6

GENERATOR = os.path.join(os.path.dirname(SLUICE), "bench/generator")


def generate(scene, to, *arguments, check=True):
    result = sh(GENERATOR, scene.client.netns, "eth0", "--to", to, "--mac", scene.box_mac, *arguments, check=check)
    return json.loads(result.stdout) if check else result


def dropped(scene):
    return scene.box.stats()["verdicts"]["drop"]["packets"]


@pytest.mark.parametrize("to", [BOX4, BOX6])
@pytest.mark.parametrize("packets", [1, 1000, 250000])
def test_exactly_as_many_arrive_as_were_asked_for(quiet, to, packets):
    quiet.box.apply("interface eth0 { default drop }")
    said = generate(quiet, to, "--packets", packets, "--cpu", 0)
    assert (said["sent"], said["lost"]) == (packets, 0)
    assert dropped(quiet) == packets


def test_sources_are_those_of_the_list(quiet):
    path = quiet.lab.file("list", "192.0.2.0/24\n203.0.113.7\n2001:db8:bad::/48\n")
    quiet.box.apply("set listed { 192.0.2.0/24, 203.0.113.7, 2001:db8:bad::/48 }\n"
                    "interface eth0 { block { from @listed } }")
    for to in (BOX4, BOX6):
        generate(quiet, to, "--packets", 20000, "--sources", path, "--cpu", 0)
    assert quiet.box.stats()["sets"]["listed"]["packets"] == 40000


def test_random_sources_are_all_over(quiet):
    quiet.box.apply("interface eth0 { block { from 0.0.0.0/1, 2000::/4 } default drop }")
    for to in (BOX4, BOX6):
        generate(quiet, to, "--packets", 20000, "--cpu", 0)
    reasons = quiet.box.stats()["reasons"]
    assert sum(r["packets"] for r in reasons.values()) == 40000
    # Of 223 first bytes 127 are in the lower half, of 32 IPv6 ones 16.
    assert reasons["block-source"]["packets"] == pytest.approx(20000 * 126 / 222 + 10000, rel=0.03)


@pytest.mark.parametrize("to, kind", [(BOX4, IP), (BOX6, IPv6)])
@pytest.mark.parametrize("tcp", [False, True])
def test_packets_are_whole(quiet, to, kind, tcp):
    """Scapy, made to compute the checksums again, makes the same frame; no two frames are the same."""
    seen = quiet.box.wire("eth0")
    generate(quiet, to, "--packets", 200, "--port", 4711, *["--tcp"] * tcp, "--cpu", 0)
    frames = {seen.recv(2048) for _ in range(200)}
    assert len(frames) == 200
    for frame in frames:
        packet = Ether(frame)
        transport = packet[TCP if tcp else UDP]
        assert (packet.dst, packet.src) == (quiet.box_mac, quiet.client_mac)
        assert transport.sport >= 1024
        assert packet[kind].dst == to and transport.dport == 4711 and len(frame) >= 60
        assert not tcp or transport.flags == "S"
        again = packet.copy()
        del again[TCP if tcp else UDP].chksum
        if kind is IP:
            del again[IP].chksum
        assert bytes(again) == frame


def replay(scene, path, *arguments, check=True):
    result = sh(GENERATOR, scene.client.netns, "eth0", "--capture", path, *arguments, check=check)
    return json.loads(result.stdout) if check else result


def test_frames_of_a_capture_are_sent_as_they_are(quiet):
    """Of any length that fits, in turn, however broken they are."""
    frames = [bytes(quiet.ethernet(type=0x88b5)) + bytes([number]) * size
              for number, size in enumerate((0, 238, 1, 46, 200, 100))]
    path = os.path.join(quiet.lab.folder.name, "frames.pcap")
    wrpcap(path, frames, linktype=1)
    seen = quiet.box.wire("eth0")
    assert replay(quiet, path, "--packets", 20, "--cpu", 0)["sent"] == 20
    assert [seen.recv(2048) for _ in range(20)] == (frames * 4)[:20]


def test_a_capture_that_cannot_be_sent_is_refused(quiet):
    path = os.path.join(quiet.lab.folder.name, "frames.pcap")
    for frames, said in (([bytes(13)], "frame 1 has 13 bytes: 14 to 252 can be sent"), ([bytes(60), bytes(253)], "frame 2 has 253 bytes"),
                         ([], "has no frame")):
        writer = PcapWriter(path, linktype=1)
        writer.write_header(None)
        for frame in frames:
            writer.write(frame)
        writer.close()
        failed = replay(quiet, path, check=False)
        assert failed.returncode == 1 and said in failed.stderr
    both = replay(quiet, path, "--to", BOX4, "--mac", quiet.box_mac, check=False)
    assert both.returncode == 2 and both.stderr.startswith("usage:")


def test_a_rate_is_kept(quiet):
    quiet.box.apply("interface eth0 { default drop }")
    said = generate(quiet, BOX4, "--rate", 20000, "--seconds", 1)
    assert said["sent"] == pytest.approx(20000, rel=0.1)
    assert dropped(quiet) == said["sent"] - said["lost"]


def test_time_is_up_when_it_is(quiet):
    quiet.box.apply("interface eth0 { default drop }")
    start = time.monotonic()
    said = generate(quiet, BOX4, "--seconds", 0.2, "--cpu", 0)
    assert time.monotonic() - start < 5
    assert said["sent"] > 10000 and dropped(quiet) == said["sent"]


def test_it_works_only_in_a_lab_and_on_a_veth(quiet):
    def refused(netns, interface):
        failed = sh(GENERATOR, netns, interface, "--to", BOX4, "--mac", quiet.box_mac, check=False)
        assert failed.returncode == 1 and failed.stdout == ""
        return failed.stderr

    assert "only in a namespace named sl-" in refused("somewhere", "eth0")
    assert "only in a namespace named sl-" in refused("../sl-x", "eth0")
    assert "only in a namespace named sl-" in refused("sl-/../../../proc/1/ns/net", "eth0")
    assert "cannot enter" in refused("sl-absent", "eth0")
    assert "lo is no veth" in refused(quiet.client.netns, "lo") or "lo: " in refused(quiet.client.netns, "lo")
    assert "No such device" in refused(quiet.client.netns, "eth7")


@pytest.mark.parametrize("arguments", [["--seconds", "3600"], ["--seconds", "-1"], ["--packets", "many"],
                                       ["--rate", "0"], ["--port", "70000"], ["--cpu", "4096"]])
def test_numbers_are_bounded(quiet, arguments):
    failed = generate(quiet, BOX4, *arguments, check=False)
    assert failed.returncode == 1 and "is wanted" in failed.stderr


def test_a_list_without_the_family_is_refused(quiet):
    path = quiet.lab.file("list", "192.0.2.0/24\n")
    failed = generate(quiet, BOX6, "--sources", path, "--packets", 1, check=False)
    assert failed.returncode == 1 and "has no IPv6 prefix" in failed.stderr

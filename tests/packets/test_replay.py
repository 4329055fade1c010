# SPDX-License-Identifier: BSD-2-Clause
"""replay: captures of either format, whole, cut, empty and corrupt; lines and the summary; which interface."""
import gzip
import json
import os
import pty
import re
import struct
import subprocess

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP

from captures import write_pcapng
from judging import IP4, IP6, ether, policy_text, replay_lines, tag, write_capture
from lab import SLUICE, sh

TCP4 = ether(IP4 / TCP(sport=1234, dport=443) / bytes(10))
FRAMES = [TCP4, ether(IP6 / UDP(sport=1234, dport=53)), ether(ARP()), tag(TCP4, 7), TCP4[:50],
          ether(IP(src="203.0.113.9", dst="198.51.100.7") / TCP(sport=1, dport=2))]
BLOCK = policy_text("block {\nfrom @bogons\nto 198.51.100.7\n}", sets="set bogons { 192.0.2.0/24 }")
REASONS = ["block-source", "default", "default", "block-source", "malformed-ipv4", "block-destination"]
TWO = """set bogons { 192.0.2.0/24 }
interface wan0 {
	block { from @bogons }
}
interface lan0 {
	default drop
}
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with block.policy, two.policy and frames.pcap, where the tests run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "block.policy").write_text(BLOCK)
    (tmp_path / "two.policy").write_text(TWO)
    write_capture(tmp_path / "frames.pcap", FRAMES)
    return tmp_path


def replay(*arguments, **options):
    return sh(SLUICE, "replay", *arguments, check=False, **options)


def refused(result, *words, status=1):
    """Failed with these words and printed nothing else."""
    assert (result.returncode, result.stdout) == (status, "")
    for word in words:
        assert word in result.stderr


def test_lines(files):
    result = replay("block.policy", "frames.pcap", "-j")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("\n") and result.stdout.count("\n") == len(FRAMES)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["packet"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["reason"] for line in lines] == REASONS
    assert lines[0] == {"packet": 1, "verdict": "drop", "reason": "block-source", "stage": "block", "src": "192.0.2.1",
                        "dst": "198.51.100.7", "proto": "tcp", "sport": 1234, "dport": 443, "vlan": [],
                        "fragment": "none", "length": 64, "ttl": 64, "dscp": 0, "tcp_flags": ["syn"],
                        "rule": "block.policy:4", "rule_text": "from @bogons"}


def test_summary(files):
    result = replay("block.policy", "frames.pcap")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"""6 packets, {sum(map(len, FRAMES))} bytes
  verdict           4  drop
  verdict           2  pass
  reason            2  default
  reason            1  malformed-ipv4
  reason            2  block-source
  reason            1  block-destination
  rule              2  block.policy:4  from @bogons
  rule              1  block.policy:5  to 198.51.100.7
"""


def test_one_of_each_is_not_several_in_the_summary(files):
    write_capture("one.pcap", [(TCP4[:54], len(TCP4))], snap_length=len(TCP4))
    assert replay("block.policy", "one.pcap").stdout.splitlines()[:2] == [
        f"1 packet, {len(TCP4)} bytes", "1 of them was cut by the capture and judged by the bytes there are"]


def test_a_cut_capture_is_said_in_the_summary(files):
    frames = [(TCP4[:54], len(TCP4)), (TCP4[:40], len(TCP4)), TCP4]
    write_capture("cut.pcap", frames, snap_length=len(TCP4))
    result = replay("block.policy", "cut.pcap")
    assert result.stdout.splitlines()[:2] == [f"3 packets, {3 * len(TCP4)} bytes",
                                              "2 of them were cut by the capture and judged by the bytes there are"]
    assert [(line["reason"], line["length"]) for line in replay_lines("block.policy", "cut.pcap")] == [
        ("block-source", len(TCP4)), ("malformed-tcp", len(TCP4)), ("block-source", len(TCP4))]
    assert "cut by the capture" not in replay("block.policy", "frames.pcap").stdout


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(files, order):
    write_pcapng("frames.pcapng", FRAMES + [(TCP4[:54], len(TCP4))], order)
    lines = replay_lines("block.policy", "frames.pcapng")
    assert lines[:-1] == replay_lines("block.policy", "frames.pcap")
    assert lines[-1] == lines[0] | {"packet": len(FRAMES) + 1}


@pytest.mark.parametrize("magic, order", [(0xa1b2c3d4, ">"), (0xa1b23c4d, "<"), (0xa1b23c4d, ">")])
def test_pcap_of_other_byte_order_and_with_nanoseconds(files, magic, order):
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for frame in FRAMES:
        data += struct.pack(order + "IIII", 1, 2, len(frame), len(frame)) + frame
    (files / "other.pcap").write_bytes(data)
    assert replay_lines("block.policy", "other.pcap") == replay_lines("block.policy", "frames.pcap")


def test_standard_input(files):
    with open("frames.pcap", "rb") as capture:
        result = replay("block.policy", "-", "-j", stdin=capture)
    assert result.returncode == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == replay_lines("block.policy", "frames.pcap")


@pytest.mark.parametrize("write", [write_capture, write_pcapng])
def test_an_empty_capture(files, write):
    write("empty", [])
    assert replay("block.policy", "empty").stdout == "0 packets, 0 bytes\n"
    result = replay("block.policy", "empty", "-j")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_file_that_is_no_capture(files):
    for name, data in (("nothing", b""), ("text", b"not a capture at all\n" * 9), ("zeros", bytes(1000)),
                       ("packed.gz", gzip.compress((files / "frames.pcap").read_bytes()))):
        (files / name).write_bytes(data)
        refused(replay("block.policy", name, "-j"), f"{name}: error: ", "Sluice reads pcap and pcapng")


@pytest.mark.parametrize("kept", [1, 15, 17, 60])
def test_a_corrupt_capture_is_judged_up_to_where_it_breaks(files, kept):
    """Cut off in the header or in the bytes of packet 3."""
    at = 24 + sum(16 + len(frame) for frame in FRAMES[:2])
    data = (files / "frames.pcap").read_bytes()[:at + min(kept, 15 + len(FRAMES[2]))]
    (files / "broken.pcap").write_bytes(data)
    for options in ([], ["-j"]):
        result = replay("block.policy", "broken.pcap", *options)
        assert result.returncode == 1
        assert result.stderr.startswith("broken.pcap: error: after packet 2: truncated dump file")
    assert [json.loads(line)["packet"] for line in result.stdout.splitlines()] == [1, 2]
    assert replay("block.policy", "broken.pcap").stdout.startswith("2 packets, ")


def test_a_capture_with_a_mad_length(files):
    data = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 1, 2, 1 << 31, 1 << 31)
    (files / "mad.pcap").write_bytes(data + bytes(100))
    refused(replay("block.policy", "mad.pcap", "-j"), "mad.pcap: error: after packet 0: ")


@pytest.mark.parametrize("link_type, name", [(113, "LINUX_SLL"), (101, "RAW"), (127, "IEEE802_11_RADIO"),
                                             (9999, "9999")])
def test_another_link_type(files, link_type, name):
    write_capture("other.pcap", FRAMES, link_type=link_type)
    refused(replay("block.policy", "other.pcap"), f"other.pcap: error: link type is {name}", "not Ethernet",
            "capture on one Ethernet interface")


def test_pcapng_of_another_link_type(files):
    write_pcapng("other.pcapng", FRAMES)
    data = bytearray((files / "other.pcapng").read_bytes())
    data[28 + 8] = 113
    (files / "other.pcapng").write_bytes(data)
    refused(replay("block.policy", "other.pcapng"), "other.pcapng: error: link type is LINUX_SLL", "not Ethernet")


def test_files_that_are_not_there(files):
    refused(replay("block.policy", "gone.pcap"), "gone.pcap: No such file or directory")
    refused(replay("gone.policy", "frames.pcap"), "gone.policy: error: ", "No such file or directory")
    refused(replay("block.policy", "."), "error: ")


def test_a_policy_that_is_wrong(files):
    (files / "wrong.policy").write_text("interface port0 {\n\tblock { form 192.0.2.0/24 }\n}\n")
    refused(replay("wrong.policy", "frames.pcap"), "wrong.policy:2:10: error: ", "did you mean `from`?")


def test_usage(files):
    for arguments in ([], ["block.policy"], ["block.policy", "frames.pcap", "more"],
                      ["-x", "block.policy", "frames.pcap"], ["block.policy", "frames.pcap", "--interface"]):
        refused(replay(*arguments), "usage: sluice replay POLICY PCAP [-j] [--interface NAME]", status=2)


def test_two_interfaces(files):
    refused(replay("two.policy", "frames.pcap"), "two.policy has 2 interfaces", "--interface: wan0 lan0")
    refused(replay("two.policy", "frames.pcap", "--interface", "eth9"), 'two.policy has no interface "eth9"',
            "wan0 lan0")
    wan = replay_lines("two.policy", "frames.pcap", "--interface", "wan0")
    lan = replay_lines("two.policy", "frames.pcap", "--interface=lan0")
    assert [line["reason"] for line in wan] == ["block-source", "default", "default", "block-source", "malformed-ipv4",
                                                "default"]
    assert [line["verdict"] for line in lan] == ["drop", "drop", "pass", "drop", "drop", "drop"]


def test_one_interface_may_be_named(files):
    named = replay_lines("block.policy", "frames.pcap", "--interface", "port0")
    assert named == replay_lines("block.policy", "frames.pcap")
    refused(replay("block.policy", "frames.pcap", "--interface", "lo"), 'block.policy has no interface "lo"')


def test_it_pins_nothing(files):
    pins = f"/sys/fs/bpf/sluice-packets-{os.getpid()}"
    result = replay("block.policy", "frames.pcap", env=dict(os.environ, SLUICE_BPFFS=pins))
    assert result.returncode == 0 and not os.path.exists(pins)


def test_a_frame_of_no_bytes_and_the_longest(files):
    longest = ether(IP4 / UDP(sport=1234, dport=53) / bytes(65535 - 28))
    write_capture("sizes.pcap", [b"", longest])
    lines = replay_lines("block.policy", "sizes.pcap")
    found = [(line["reason"], line["length"]) for line in lines]
    assert found == [("malformed-ethernet", 0), ("block-source", 14 + 65535)]
    assert lines[1]["dport"] == 53


def test_a_frame_longer_than_the_kernel_takes(files):
    """A capture of an offloading sender has such; the headers are judged."""
    write_capture("huge.pcap", [TCP4, ether(IPv6(src="2001:db8::1", dst="2001:db8::2", plen=65535) / UDP(
        sport=1234, dport=53, len=65535) / bytes(65535 - 8)) + bytes(100000)])
    lines = replay_lines("block.policy", "huge.pcap")
    assert [(line["reason"], line["length"]) for line in lines] == [("block-source", len(TCP4)), ("default", 165589)]
    assert lines[1]["sport"] == 1234


@pytest.mark.parametrize("options", [[], ["-j"]])
def test_progress_is_for_a_terminal_only(files, options):
    """A bar on standard error, wiped when done; nothing of it on standard output or in a pipe."""
    write_capture("many.pcap", FRAMES * 20000)
    ours, theirs = pty.openpty()
    process = subprocess.Popen([SLUICE, "replay", "block.policy", "many.pcap", *options], stdout=subprocess.PIPE,
                               stderr=theirs)
    os.close(theirs)
    out, _ = process.communicate(timeout=60)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)
    assert process.returncode == 0
    assert re.match(rb"\r\[#* *\] +\d+ %", shown) and re.search(rb"\r *\r$", shown)
    percentages = [int(p) for p in re.findall(rb"(\d+) %", shown)]
    assert percentages == sorted(percentages) and percentages[-1] <= 100
    assert b"%" not in out and out == replay("block.policy", "many.pcap", *options).stdout.encode()


def test_a_length_below_the_captured_bytes_is_not_believed(files):
    """Some writers put 0 there. The bytes are there, so the frame was at least as long."""
    write_capture("odd.pcap", [(TCP4, 0), (TCP4, 20)])
    assert [(line["reason"], line["length"]) for line in replay_lines("block.policy", "odd.pcap")] == [
        ("block-source", len(TCP4))] * 2

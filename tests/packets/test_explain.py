# SPDX-License-Identifier: BSD-2-Clause
"""explain: one packet, in words, in hex or out of a capture, and its way through the stages."""
import json
import os

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6PacketTooBig

from captures import write_pcapng
from judging import IP4, IP6, ether, ipv4, replay_lines, tag, write_capture
from lab import SLUICE, sh

POLICY = """set bogons { 192.0.2.0/24, 2001:db8::/48 }
interface port0 {
	fragments drop
	default drop
	block {
		except 192.0.2.128/25
		from @bogons
		to 198.51.100.0/24
	}
}
"""
TWO = """interface wan0 { block { from 192.0.2.0/24 } }
interface lan0 { default drop }
"""
SYN = ["tcp", "192.0.2.1:1234", ">", "198.51.100.7:443", "syn"]
FRAMES = [ether(IP4 / TCP(sport=1234, dport=443)), ether(IP6 / UDP(sport=1, dport=53)),
          tag(ether(IP4 / UDP(sport=5, dport=6)), 7, 8), ether(IP4 / TCP(sport=1234, dport=443))[:30]]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.policy").write_text(POLICY)
    (tmp_path / "two.policy").write_text(TWO)
    write_capture(tmp_path / "frames.pcap", FRAMES)
    return tmp_path


def explain(*arguments, **options):
    return sh(SLUICE, "explain", *arguments, check=False, **options)


def explained(*arguments):
    """The one JSON object of -j."""
    result = explain(*arguments, "-j")
    assert (result.returncode, result.stderr) == (0, "") and result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def refused(result, *words, status=1):
    assert (result.returncode, result.stdout) == (status, "")
    for word in words:
        assert word in result.stderr


def test_the_way_of_a_blocked_packet(files):
    result = explain("test.policy", *SYN)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == """packet 1: tcp 192.0.2.1:1234 > 198.51.100.7:443 syn, 54 bytes
  parse     goes on
  block     from @bogons   test.policy:7
  verdict   drop
  reason    block-source: source address is in a `from` of the block stage
"""


@pytest.mark.parametrize("words, way", [
    ("udp 10.0.0.1:53 > 198.51.100.7:4000", ["parse     goes on", "block     to 198.51.100.0/24   test.policy:8"]),
    ("udp 192.0.2.200:53 > 198.51.100.7:4000",
     ["parse     goes on", "block     goes on", "fragments goes on", "default   decides"]),
    ("udp 10.0.0.1 > 10.0.0.2 fragment later", ["parse     goes on", "block     goes on", "fragments decides"]),
    ("arp", ["parse     goes on", "block     goes on", "fragments goes on", "default   decides"]),
    ("hex 00 11 22", ["parse     malformed-ethernet: frame shorter than an Ethernet header"]),
])
def test_stages_up_to_the_one_that_decides(files, words, way):
    lines = explain("test.policy", words).stdout.splitlines()
    assert lines[1:-2] == [f"  {step}" for step in way]


def test_stages_that_the_policy_does_not_use_are_not_shown(files):
    (files / "plain.policy").write_text("interface port0 { }\n")
    assert explain("plain.policy", *SYN).stdout == """packet 1: tcp 192.0.2.1:1234 > 198.51.100.7:443 syn, 54 bytes
  parse     goes on
  default   decides
  verdict   pass
  reason    default: no stage decided: the default of the interface
"""


def test_malformed_pass_says_what_was_wrong_and_goes_on(files):
    (files / "pass.policy").write_text("interface port0 {\n\tmalformed pass\n\tblock { from 192.0.2.0/24 }\n}\n")
    frame = ipv4(b"\x04\xd2\x01\xbb", 6)
    assert explain("pass.policy", "hex", frame.hex()).stdout == """packet 1: tcp 192.0.2.1 > 198.51.100.7, 38 bytes
  parse     malformed-tcp: TCP header is cut off or its data offset is wrong
  block     from 192.0.2.0/24   pass.policy:3
  verdict   drop
  reason    block-source: source address is in a `from` of the block stage
"""


@pytest.mark.parametrize("words, expected", [
    ("tcp 192.0.2.1:1234 > 198.51.100.7:443 syn", {
        "src": "192.0.2.1", "dst": "198.51.100.7", "proto": "tcp", "sport": 1234, "dport": 443, "length": 54}),
    ("TCP 192.0.2.1:1234 to 198.51.100.7:443 SYN,ACK", {"proto": "tcp", "sport": 1234, "dport": 443}),
    ("udp [2001:db8::1]:53 > [2001:db8::2]:40000", {"src": "2001:db8::1", "proto": "udp", "sport": 53, "dport": 40000}),
    ("sctp 10.0.0.1:1 > 10.0.0.2:2 vlan 7 vlan 8", {"proto": "sctp", "sport": 1, "dport": 2, "vlan": [7, 8]}),
    ("icmpv6 2001:db8:1::1 > 2001:db8::2 type packet-too-big", {
        "proto": "icmpv6", "icmp_type": 2, "icmp_code": 0, "verdict": "pass", "reason": "failsafe"}),
    ("icmp 10.0.0.1 > 10.0.0.2 type destination-unreachable code 4", {
        "proto": "icmp", "icmp_type": 3, "icmp_code": 4, "verdict": "pass", "reason": "failsafe"}),
    ("gre 10.0.0.1 > 10.0.0.2", {"proto": "gre"}),
    ("99 10.0.0.1 > 10.0.0.2", {"proto": "99"}),
    ("udp 10.0.0.1 > 10.0.0.2 fragment later", {"proto": "udp", "fragment": "later", "reason": "fragment"}),
    ("udp 10.0.0.1:1 > 10.0.0.2:2 fragment first", {"fragment": "first", "sport": 1, "reason": "fragment"}),
    ("arp 192.0.2.1 > 192.0.2.2", {"proto": "arp", "verdict": "pass", "reason": "failsafe"}),
    ("lldp", {"proto": "lldp", "verdict": "drop"}),
])
def test_words(files, words, expected):
    whole, split = explained("test.policy", words), explained("test.policy", *words.split())
    assert whole == split
    assert {key: whole.get(key) for key in expected} == expected
    assert "malformed" not in whole


def test_words_and_bytes_are_the_same_packet(files):
    assert explained("test.policy", *SYN) == explained("test.policy", "hex", FRAMES[0].hex())


@pytest.mark.parametrize("write", [
    lambda text: text, lambda text: text.upper(), lambda text: " ".join(text[i:i + 2] for i in range(0, len(text), 2)),
    lambda text: ":".join(text[i:i + 2] for i in range(0, len(text), 2)), lambda text: "0x" + text,
    lambda text: "\n".join(text[i:i + 32] for i in range(0, len(text), 32))])
def test_hex(files, write):
    for number, frame in enumerate(FRAMES, 1):
        found = explained("test.policy", "hex", write(frame.hex()))
        assert found == explained("test.policy", "frames.pcap", str(number)) | {"packet": 1}


def test_hex_in_many_words(files):
    words = [FRAMES[0].hex()[i:i + 2] for i in range(0, 2 * len(FRAMES[0]), 2)]
    assert explained("test.policy", "hex", *words) == explained("test.policy", *SYN)


def test_a_packet_of_a_capture(files):
    lines = replay_lines("test.policy", "frames.pcap")
    assert [explained("test.policy", "frames.pcap", str(number)) for number in range(1, 5)] == lines
    assert explained("test.policy", "frames.pcap") == lines[0]
    assert explain("test.policy", "frames.pcap", "3").stdout.startswith(
        "packet 3: udp 192.0.2.1:5 > 198.51.100.7:6 vlan 7 vlan 8, 50 bytes\n")


def test_a_packet_of_a_pcapng(files):
    write_pcapng("frames.pcapng", FRAMES)
    assert explained("test.policy", "./frames.pcapng", "2") == explained("test.policy", "frames.pcap", "2")


def test_a_packet_that_the_capture_cut(files):
    write_capture("cut.pcap", [(FRAMES[0][:40], 1514)])
    lines = explain("test.policy", "cut.pcap", "1").stdout.splitlines()
    assert lines[0].endswith(", 1514 bytes") and lines[1] == "  the capture holds 40 of them"
    assert explained("test.policy", "cut.pcap", "1")["length"] == 1514


def test_no_such_packet(files):
    refused(explain("test.policy", "frames.pcap", "5"), "frames.pcap has no packet number 5")
    for number in ("0", "x", "1x"):
        refused(explain("test.policy", "frames.pcap", number), f'"{number}" is no packet number: they count from 1')
    refused(explain("test.policy", "gone/frames.pcap", "1"), "gone/frames.pcap: No such file or directory")
    write_capture("other.pcap", FRAMES, link_type=113)
    refused(explain("test.policy", "other.pcap", "1"), "link type is LINUX_SLL", "not Ethernet")


@pytest.mark.parametrize("words, message", [
    ("tpc 10.0.0.1:1 > 10.0.0.2:2", "did you mean `tcp`?"),
    ("dport 80", "unknown protocol `dport`\nfor example: tcp 192.0.2.1:1234 to 198.51.100.7:443 syn"),
    ("tcp from 10.0.0.1", "`from` is not an address\nfor example: tcp 192.0.2.1:1234 to 198.51.100.7:443 syn"),
    ("tcp 10.0.0.1:1 > 10.0.0.2:2 dport 80", "unknown word `dport`\nfor example: tcp 192.0.2.1:1234 to"),
    ("tcp 10.0.0.1:1", "after the source comes `>` or `to`"),
    ("tcp 10.0.0.1:1 > 10.0.0.2", "tcp needs a destination port"),
    ("tcp 10.0.0.1:70000 > 10.0.0.2:1", "port 70000 is out of range: 0 to 65535"),
    ("tcp 10.0.0.300:1 > 10.0.0.2:1", "`10.0.0.300:1` is not an address"),
    ("gre 10.0.0.1:1 > 10.0.0.2", "gre has no ports"),
    ("tcp 10.0.0.1:1 > [2001:db8::1]:2", "the source is IPv4 and the destination IPv6"),
    ("udp 10.0.0.1:1 > 10.0.0.2:2 fragment later", "a later fragment has no ports"),
    ("tcp 10.0.0.1:1 > 10.0.0.2:2 sny", "did you mean `syn`?"),
    ("hex", "hex: no bytes"), ("hex 0", "`0` at position 1 is half a byte"),
    ("hex 00 zz", "`z` at position 4 is no hex digit"), ("", "no packet"),
])
def test_words_that_are_no_packet(files, words, message):
    refused(explain("test.policy", words), message)


def test_neither_policy_nor_interface(files):
    refused(explain("gone.policy", *SYN), "gone.policy is neither a policy file nor an interface here")


def test_an_interface_where_nothing_of_sluice_runs(files):
    pins = f"/sys/fs/bpf/sluice-packets-{os.getpid()}"
    refused(explain("lo", *SYN, env=dict(os.environ, SLUICE_BPFFS=pins)), "nothing of Sluice runs on lo")
    assert not os.path.exists(pins)


def test_two_interfaces(files):
    refused(explain("two.policy", *SYN), "two.policy has 2 interfaces", "--interface: wan0 lan0")
    refused(explain("two.policy", "--interface", "eth9", *SYN), 'two.policy has no interface "eth9"', "wan0 lan0")
    wan, lan = (explained("two.policy", "--interface", name, *SYN) for name in ("wan0", "lan0"))
    assert (wan["reason"], wan["rule"]) == ("block-source", "two.policy:1")
    assert (lan["verdict"], lan["reason"], lan.get("rule")) == ("drop", "default", None)


def test_usage(files):
    for arguments in ([], ["test.policy"], ["-x", "test.policy", *SYN]):
        refused(explain(*arguments), "usage: sluice explain POLICY|IFACE PACKET… [-j] [--interface NAME]", status=2)


def test_explain_says_what_replay_says(files):
    """The same program, the same words: whatever the packet is."""
    frames = FRAMES + [ether(IP6 / ICMPv6PacketTooBig()), ipv4(bytes(8), 17, frag=3), ether(bytes(46), 0x88b5), b"\0"]
    write_capture("all.pcap", frames)
    for number, line in enumerate(replay_lines("test.policy", "all.pcap"), 1):
        assert explained("test.policy", "all.pcap", str(number)) == line


@pytest.mark.parametrize("above, packet, line", [
    (" above 100/s", "tcp 10.0.0.1:1 > 10.0.0.2:80 syn", "goes on, unless its service is armed by now"),
    (" above 100/s", "udp 10.0.0.1:1 > 10.0.0.2:80", "goes on"),
    ("", "tcp 10.0.0.1:1 > 10.0.0.2:80 syn", "tcp dport 80 gateway   synproxy.policy:1")])
def test_a_service_that_may_be_armed(files, above, packet, line):
    with open("synproxy.policy", "w") as policy:
        policy.write(f"interface eth0 {{ synproxy {{ tcp dport 80 gateway{above} }} }}")
    assert f"  synproxy  {line}\n" in explain("synproxy.policy", packet).stdout

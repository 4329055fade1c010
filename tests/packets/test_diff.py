# SPDX-License-Identifier: BSD-2-Clause
"""diff: which rules came, went and moved; which packets of a capture are judged otherwise, and by what."""
import json

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from judging import IP4, IP6, ether, write_capture
from lab import SLUICE, sh

OLD = """set bogons { 192.0.2.0/24 }
interface port0 {
    block {
        from @bogons
        to 203.0.113.0/24
        from 2001:db8:bad::/48
    }
}
"""
NEW = """set bogons { 192.0.2.0/24 }
interface port0 {
    fragments drop
    block {
        to 203.0.113.0/24
        from @bogons
        to 198.51.100.7
    }
}
"""
FRAMES = [ether(IP4 / UDP(sport=1, dport=53)),  # block-source both times
          ether(IP(src="198.18.0.1", dst="198.51.100.7") / TCP(sport=1, dport=2)),
          ether(IP(src="198.18.0.2", dst="198.51.100.7") / TCP(sport=1, dport=2)),
          ether(IP6 / UDP(sport=1234, dport=53)), ether(IP(src="198.18.0.1", dst="203.0.113.1") / UDP()),
          ether(IP(src="198.18.0.1", dst="198.18.0.2", flags="MF") / UDP())]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with old.policy, new.policy and frames.pcap, where the tests run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.policy").write_text(OLD)
    (tmp_path / "new.policy").write_text(NEW)
    write_capture(tmp_path / "frames.pcap", FRAMES)
    return tmp_path


def diff(*arguments):
    result = sh(SLUICE, "diff", *arguments, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def objects(*arguments):
    return [json.loads(line) for line in diff(*arguments, "-j").splitlines()]


def test_rules(files):
    assert diff("old.policy", "new.policy") == """    interface port0 {
  -     fragments pass
  +     fragments drop
        block {
  -         from 2001:db8:bad::/48
  >         from @bogons
  +         to 198.51.100.7
"""


def test_the_same(files):
    assert diff("old.policy", "old.policy") == "the same rules\n"
    assert diff("old.policy", "old.policy", "-j") == ""
    assert diff("old.policy", "old.policy", "frames.pcap") == (
        "the same rules\n6 packets: 0 with another verdict, 0 by another rule\n")
    assert objects("old.policy", "old.policy", "frames.pcap") == []


def test_rules_as_json(files):
    block = ["interface port0", "block"]
    assert objects("old.policy", "new.policy") == [
        {"change": "gone", "line": "fragments pass", "within": ["interface port0"]},
        {"change": "new", "line": "fragments drop", "within": ["interface port0"]},
        {"change": "gone", "line": "from 2001:db8:bad::/48", "within": block},
        {"change": "moved", "line": "from @bogons", "within": block},
        {"change": "new", "line": "to 198.51.100.7", "within": block}]


def test_definitions_that_come_and_go(files):
    (files / "other.policy").write_text("interface port1 { }\n")
    lines = diff("old.policy", "other.policy").splitlines()
    assert "  - set bogons { 192.0.2.0/24 }" in lines and "  - interface port0 {" in lines and "  + interface port1 {" in lines


def test_packets(files):
    assert diff("old.policy", "new.policy", "frames.pcap").splitlines()[7:] == [
        "6 packets: 3 with another verdict, 0 by another rule",
        "         2  pass  default  ->  drop  new.policy:7  to 198.51.100.7", "            packets 2, 3",
        "         1  pass  default  ->  drop  fragment", "            packet 6"]


def test_packets_as_json(files):
    packets = [o for o in objects("old.policy", "new.policy", "frames.pcap") if "packet" in o]
    assert [p["packet"] for p in packets] == [2, 3, 6]
    replayed = json.loads(sh(SLUICE, "replay", "new.policy", "frames.pcap", "-j").stdout.splitlines()[1])
    decided = {key: replayed.pop(key) for key in ("verdict", "reason", "stage", "rule", "rule_text")}
    assert packets[0] == replayed | {"old": {"verdict": "pass", "reason": "default", "stage": "default"},
                                     "new": decided}
    assert decided["rule"] == "new.policy:7"


def test_another_rule_with_the_same_verdict(files):
    (files / "late.policy").write_text(OLD.replace("from @bogons", "to 198.51.100.0/24"))
    summary = diff("old.policy", "late.policy", "frames.pcap").splitlines()
    assert "6 packets: 2 with another verdict, 1 by another rule" in summary
    assert "         1  drop  old.policy:4  from @bogons  ->  drop  late.policy:4  to 198.51.100.0/24" in summary


def test_where_a_rule_stands_is_no_difference(files):
    (files / "moved.policy").write_text("\n\n" + OLD)
    assert diff("old.policy", "moved.policy", "frames.pcap").endswith("0 with another verdict, 0 by another rule\n")


def test_a_set_file_with_another_content(files):
    for name in ("a", "b"):
        (files / name).mkdir()
        (files / name / "list.txt").write_text("192.0.2.0/24\n" + ("198.51.100.0/24\n" if name == "b" else ""))
        (files / name / "policy").write_text('set list file "list.txt"\ninterface port0 { block { from @list } }\n')
    assert diff("a/policy", "b/policy") == "  ~ set list: 2 prefixes, was 1\nthe same rules\n"
    assert objects("a/policy", "b/policy") == [{"change": "content", "set": "list", "old": 1, "new": 2}]


def test_which_interface(files):
    (files / "two.policy").write_text(OLD + "interface port1 { }\n")
    result = sh(SLUICE, "diff", "old.policy", "two.policy", "frames.pcap", check=False)
    assert (result.returncode, result.stdout) == (1, "") and "--interface: port0 port1" in result.stderr
    assert "0 with another verdict" in diff("old.policy", "two.policy", "frames.pcap", "--interface", "port0")


@pytest.mark.parametrize("arguments", [["none", "new.policy"], ["old.policy", "none"], ["old.policy", "new.policy", "none"]])
def test_files_that_are_not_there(files, arguments):
    result = sh(SLUICE, "diff", *arguments, check=False)
    assert (result.returncode, result.stdout) == (1, "") and "No such file or directory" in result.stderr


def test_a_capture_that_breaks_off(files):
    data = (files / "frames.pcap").read_bytes()
    (files / "broken.pcap").write_bytes(data[:-10])
    result = sh(SLUICE, "diff", "old.policy", "new.policy", "broken.pcap", check=False)
    assert result.returncode == 1 and "after packet 5" in result.stderr and "5 packets: 2 with another" in result.stdout


def test_a_limit_goes_by_the_clock_of_the_capture(files):
    """The same packets, two seconds apart, are within the limit of the one and of the other."""
    for name, rate in (("old", "1/s"), ("new", "2/s")):
        (files / f"{name}.policy").write_text(
            f"interface port0 {{ filter {{ accept udp limit {rate} burst 1\ndrop }} }}\n")
    frames = [Ether(ether(IP4 / UDP(sport=1, dport=53))) for _ in range(10)]
    for number, frame in enumerate(frames):
        frame.time = 1000 + 2 * number
    wrpcap(str(files / "frames.pcap"), frames)
    assert "10 packets: 0 with another verdict, 10 by another rule" in diff("old.policy", "new.policy", "frames.pcap")


def test_limits_are_told_in_the_words_of_the_policy(files):
    (files / "old.policy").write_text("""set banned dynamic size 9
interface port0 { block { from @banned } log drops 1/10
    limit { udp 100/s per source ban @banned; tcp 5mbit/s } }""")
    (files / "new.policy").write_text("""set banned dynamic size 9
interface port0 { block { from @banned } log drops 1/100
    limit { tcp 5mbit/s; dport 53 udp 200/s else drop per source ban @banned 120s } filter { } }""")
    assert [(line["change"], line["within"][1:], line["line"]) for line in objects("old.policy", "new.policy")] == [
        ("gone", [], "log drops 1/10"), ("new", [], "log drops 1/100"),
        ("gone", ["limit"], "udp 100/s per source ban @banned"),
        ("new", ["limit"], "udp dport 53 200/s per source ban @banned 2m"), ("new", [], "filter { }")]

# SPDX-License-Identifier: BSD-2-Clause
"""make bench: its lists, its tables, its JSON, its plots. --quick goes through all of it; the numbers are the machine's
affair."""
import ipaddress
import json
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

import pytest

from judging import write_capture
from lab import SLUICE, sh, wait_until

BENCH = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../bench"))
BUILD = os.path.dirname(SLUICE)
sys.path.insert(0, BENCH)

import claims  # noqa: E402
import filter_rules  # noqa: E402
import lists  # noqa: E402
import plot  # noqa: E402
import rules  # noqa: E402
from screen import count, spread  # noqa: E402

LISTS = [(lists.blocklist4, 4), (lists.lengths4, 4), (lists.blocklist6, 6)]


@pytest.mark.parametrize("make, family", LISTS)
def test_a_list_has_no_prefix_twice_and_each_is_one(make, family):
    texts = [lists.text(p, family) for p in make(20000)]
    networks = {ipaddress.ip_network(text) for text in texts}  # strict: no bit set behind the length
    assert len(networks) == len(texts)
    assert {n.version for n in networks} == {family}
    assert make(20000) == make(20000)


def test_blocklists_are_as_published_ones():
    lengths = [length for _, length in lists.blocklist4(100000)]
    assert len(lengths) == 100000 and set(lengths) == set(range(16, 33))
    assert lengths.count(32) / 1e5 == pytest.approx(0.85, abs=0.01)
    assert lengths.count(24) / 1e5 == pytest.approx(0.12, abs=0.01)
    assert {length for _, length in lists.blocklist6(1000)} == {32, 40, 48, 56, 64, 128}


def test_the_other_list_has_every_length_alike():
    lengths = [length for _, length in lists.lengths4(100000)]
    assert set(lengths) == set(range(8, 33))
    assert lengths.count(32) == pytest.approx(lengths.count(24), rel=0.01)


def test_a_million_are_made_in_seconds(tmp_path):
    start = time.process_time()  # of this process: the machine may have other things to do
    prefixes = lists.blocklist4(1000000)
    lists.write(tmp_path / "list", prefixes, 4)
    assert time.process_time() - start < 15
    assert len(set((tmp_path / "list").read_text().split())) == 1000000


def test_what_lies_inside_another_is_left_out_for_nftables():
    prefixes = sorted(lists.lengths4(5000))
    kept = [ipaddress.ip_network(lists.text(p, 4)) for p in lists.apart(prefixes, 4)]
    assert all(not a.overlaps(b) for a, b in zip(kept, kept[1:]))
    everything = [ipaddress.ip_network(lists.text(p, 4)) for p in prefixes]
    assert list(ipaddress.collapse_addresses(kept)) == list(ipaddress.collapse_addresses(everything))


def test_words_for_numbers():
    assert [count(n) for n in (1, 1000, 4096, 65536, 100000, 1000000, 1048576)] == [
        "1", "1k", "4k", "64k", "100k", "1M", "1M"]
    assert spread([5]) == 0 and spread([90, 100, 110]) == pytest.approx(0.05)


def cost_row(policy, family, cost, trie):
    return {"policy": policy, "family": family, "sources": "listed", "flows": 65536, "cost_ns": cost,
            "trie_cost_ns": trie, "noisy": False}


def test_claims_follow_from_the_rows():
    judged = claims.judge([cost_row("block-1k", 4, 20.0, 60.0), cost_row("block-1M", 4, 28.0, 700.0),
                           cost_row("block-1M", 6, 84.0, 630.0)], [])
    value = {c["claim"]: (c["value"], c["met"]) for c in judged}
    assert value["a million prefixes cost, times a thousand (IPv4)"] == (pytest.approx(1.4), True)
    assert value["the kernel's LPM trie costs, times Sluice (IPv4, a million)"] == (pytest.approx(25), True)
    assert value["IPv6 costs, times IPv4 (a million)"] == (pytest.approx(3), False)
    assert value["apply of a million takes (IPv4)"] == (None, None)


def test_a_claim_on_a_noisy_row_is_not_decided():
    rows = [cost_row("block-1k", 4, 20.0, 60.0), dict(cost_row("block-1M", 4, 28.0, 700.0), noisy=True)]
    claim = {c["claim"]: c for c in claims.judge(rows, [])}["a million prefixes cost, times a thousand (IPv4)"]
    assert (claim["value"], claim["met"], claim["doubt"]) == (pytest.approx(1.4), None, "noisy")


def block_row(who, pps, busy):
    return {"family": 4, "prefixes": 1000000, "who": who, "load_s": 1, "kernel_mib": 4, "process_mib": 90,
            "shared": {"pps": pps, "noisy": False},
            "own": {"pps": pps, "noisy": False, "cpu_ns": 100, "busy": busy, "sender_limited": busy < 0.9}}


@pytest.mark.parametrize("busy, met, doubt", [(0.99, False, ""), (0.6, None, "sender-limited")])
def test_a_rate_counts_only_when_the_receiver_was_busy(busy, met, doubt):
    judged = {c["claim"]: c for c in claims.judge([], [block_row("bare", 3e6, busy), block_row("sluice", 2e6, 0.99)])}
    claim = judged["rate of bare XDP_DROP that is kept, sender on another CPU (a million)"]
    assert (claim["met"], claim["doubt"]) == (met, doubt)
    assert judged["rate of bare XDP_DROP that is kept, sender on the same CPU (a million)"]["met"] is False


def test_a_plot_is_svg_with_axes_and_every_line():
    rows = [dict(cost_row(policy, 4, 10.0, 100.0), flows=n) for policy in ("block-1k", "block-1M") for n in (1, 4096)]
    root = xml.fromstring(plot.cost(rows))
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"flows", "nanoseconds", "1", "4k", "10", "100", "Sluice, block-1k", "LPM trie, block-1M"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 8
    assert "prefers-color-scheme: dark" in plot.cost(rows)


SETS = [(kind, family) for kind in ("acl", "fw", "ipc") for family in (4, 6)]


@pytest.mark.parametrize("kind, family", SETS)
def test_a_set_of_rules_is_the_same_each_time_and_has_no_rule_twice(kind, family):
    made = rules.generate(kind, 2000, family)
    assert len(made) == 2000 == len({rule[:6] for rule in made}) and made == rules.generate(kind, 2000, family)
    assert made != rules.generate(kind, 2000, family, seed=2)
    assert 0.2 < sum(not rule.accept for rule in made) / 2000 < 0.45


def frame(rng, rule):
    """A packet of 64 bytes that the rule is about."""
    protocol = rule.protocol or rules.TCP
    source, destination = filter_rules.address(rng, rule.source, rule.family), filter_rules.address(rng, rule.destination, rule.family)
    ports = struct.pack("!HH", rng.randint(*rule.sport), rng.randint(*rule.dport))
    if protocol == rules.TCP:
        payload = ports + struct.pack("!IIBBHHH", 0, 0, 5 << 4, 2, 1024, 0, 0)
    elif protocol == rules.UDP:
        payload = ports + struct.pack("!HH", 20, 0) + bytes(12)
    else:
        payload = bytes(20)
    if rule.family == 4:
        head = struct.pack("!BBHHHBBHII", 0x45, 0, 40, 0, 0, 64, protocol, 0, source, destination)
        ethertype = 0x0800
    else:
        head = struct.pack("!IHBB", 6 << 28, 20, protocol, 64) + source.to_bytes(16, "big") + destination.to_bytes(16, "big")
        ethertype = 0x86dd
    return bytes.fromhex("020000000001020000000002") + struct.pack("!H", ethertype) + head + payload


def traffic(found, flows):
    """A frame for each flow, each for a rule drawn from all."""
    rng = random.Random(rules.SEED)
    return [frame(rng, rng.choice(found)) for _ in range(flows)]


@pytest.mark.parametrize("kind, family", SETS)
def test_the_first_rule_that_matches_has_the_word(kind, family, tmp_path):
    """Packets made for rules, judged by the program, and in the plainest way there is."""
    made = rules.generate(kind, 500, family)
    frames = traffic(made, 400)
    (tmp_path / "policy").write_text(rules.policy(made, "port0"))
    write_capture(tmp_path / "pcap", frames)
    lines = [json.loads(line) for line in sh(SLUICE, "replay", tmp_path / "policy", tmp_path / "pcap", "-j").stdout.splitlines()]
    assert len(lines) == len(frames)
    for line in lines:
        first = next(number for number, rule in enumerate(made) if matches(rule, line))
        assert line["rule"].endswith(f":{first + 3}")  # the filter's first rule is line 3
        assert line["verdict"] == ("pass" if made[first].accept else "drop")


def matches(rule, line):
    def inside(prefix, address):
        return not prefix or ipaddress.ip_address(address) in ipaddress.ip_network(lists.text(prefix, rule.family))

    protocol = {"tcp": 6, "udp": 17}[line["proto"]]
    return (rule.protocol in (0, protocol) and inside(rule.source, line["src"]) and inside(rule.destination, line["dst"]) and
            rule.sport[0] <= line["sport"] <= rule.sport[1] and rule.dport[0] <= line["dport"] <= rule.dport[1])


CLASSBENCH = ("@102.70.227.19/32\t1.28.11.0/24\t0 : 65535\t1712 : 1712\t0x06/0xFF\t0x1000/0x1000\t\n"
              "@0.0.0.0/0\t227.92.161.59/32\t53 : 53\t1024 : 65535\t0x11/0xFF\t0x0000/0x0000\t\n"
              "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000\t\n"
              "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x2F/0xFF\t0x0000/0x0000\t\n")


def test_a_set_in_the_format_of_classbench(tmp_path):
    (tmp_path / "plain").write_text(CLASSBENCH)
    with lzma.open(tmp_path / "packed.xz", "wt") as packed:
        packed.write(CLASSBENCH)
    assert rules.read(tmp_path / "plain") == rules.read(tmp_path / "packed.xz")
    printed = sh("/usr/bin/python3", "-B", os.path.join(BENCH, "rules.py"), tmp_path / "plain").stdout
    assert printed.splitlines()[2:-3] == [
        "        drop tcp from 102.70.227.19/32 to 1.28.11.0/24 dport 1712",
        "        accept udp to 227.92.161.59/32 sport 53 dport 1024-65535", "        accept from 10.0.0.0/8",
        "        drop protocol 47 from 10.0.0.0/8"]
    said = sh("/usr/bin/python3", "-B", os.path.join(BENCH, "rules.py"), tmp_path / "plain", "--nft").stdout
    assert "ip saddr 102.70.227.19/32 ip daddr 1.28.11.0/24 tcp dport 1712 drop" in said
    assert "ip saddr 10.0.0.0/8 meta l4proto 47 drop" in said


@pytest.mark.parametrize("how", ["--nft", "--map"])
def test_nft_takes_what_is_made_for_it(how, tmp_path):
    if not shutil.which("nft"):
        pytest.skip("no nft here")
    for kind, family in SETS:
        text = sh("/usr/bin/python3", "-B", os.path.join(BENCH, "rules.py"), kind, 10, family, how).stdout
        (tmp_path / "rules").write_text(text)
        sh("unshare", "-n", "nft", "-f", tmp_path / "rules")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The whole script, writing beside links to what was built."""
    build = tmp_path_factory.mktemp("build")
    for name in ("sluice", "bench"):
        os.symlink(os.path.join(BUILD, name), build / name)
    printed = sh("/usr/bin/python3", os.path.join(BENCH, "run"), "--quick", build, timeout=300).stdout
    return printed, json.loads((build / "bench.json").read_text()), build


@pytest.mark.xdist_group("bench")  # one worker makes it, once
def test_everything_is_measured_and_written(quick):
    printed, written, build = quick
    assert {"kernel", "cpu", "vulnerabilities"} <= written["machine"].keys() and written["quick"]
    costs = [(r["policy"], r["family"], r["flows"]) for r in written["cost"]]
    assert costs == [(p, f, n) for p in ("empty", "block-100", "except-100") for f in (4, 6) for n in (1, 4096)]
    for row in written["cost"]:
        assert row["dropped"] == {"empty": 0, "block-100": 1}.get(row["policy"], row["dropped"])
        if row["policy"] == "except-100" and row["flows"] > 1:
            assert 0 < row["dropped"] < 1
        assert row["policy_ns"] > row["bare_ns"] > 1
    for name in ("bench-cost.svg", "bench-block.svg"):
        assert xml.fromstring((build / name).read_text()).tag.endswith("svg")


@pytest.mark.xdist_group("bench")  # one worker makes it, once
def test_everyone_drops_everything_or_says_why_not(quick):
    printed, written, _ = quick
    for family in (4, 6):
        rows = {r["who"]: r for r in written["block"] if r["family"] == family}
        assert {"bare", "sluice", "trie", "xdp-filter", "nft-netdev", "nft-input"} <= rows.keys()
        for who in ("bare", "sluice", "trie"):
            assert "skipped" not in rows[who]
        for row in rows.values():
            if "skipped" in row:
                assert row["skipped"] in printed
            else:
                assert row["shared"]["passed"] == row["own"]["passed"] == 0
                assert row["shared"]["pps"] > 10000 and row["own"]["cpu_ns"] > 10
                assert 0 < row["own"]["busy"] <= 1.1
        assert rows["sluice-dynamic"]["kernel_mib"] > 50  # room for a million: maps in maps are counted
        assert rows["sluice"]["kernel_mib"] > 0 and rows["sluice"]["load_s"] > 0


@pytest.mark.xdist_group("bench")  # one worker makes it, once
def test_filter_rules_are_measured_beside_nftables(quick):
    printed, written, _ = quick
    costs = written["filter"]["cost"]
    assert [(r["kind"], r["rules"], r["family"], r["flows"]) for r in costs] == [
        ("acl", 100, 4, flows) for flows in (1, 4096, 65536)]
    assert all(r["policy_ns"] > 0 and 0 <= r["dropped"] <= 1 for r in costs)
    assert all(r["walk_ns"] > r["straight_ns"] / 10 and r["straight_ns"] > -10 for r in costs)
    road = {(r["rules"], r["who"]): r for r in written["filter"]["road"]}
    assert set(road) == {(100, who) for who in ("bare", "sluice", "nft-linear", "nft-map")}
    for row in road.values():
        if "skipped" in row:
            assert row["who"].startswith("nft") and row["skipped"] in printed
        else:
            assert row["load_s"] > 0 and row["cpu_ns"] > 10 and row["pps"] > 1000 and row["passed"] < 1


@pytest.mark.xdist_group("bench")  # one worker makes it, once
def test_limits_answers_and_bans_are_measured(quick):
    _, written, _ = quick
    costs = written["limit"]["cost"]
    assert [(r["limit"], r["flows"]) for r in costs] == [
        (name, flows) for name in ("packets", "bytes") for flows in (1, 4096)]
    assert all(r["cost_ns"] > 0 and r["bucket_ns"] > 0 for r in costs)
    syns = {r["who"]: r["pps"] for r in written["limit"]["syns"]}
    assert set(syns) == {"kernel", "nftables", "host", "gateway"} and min(syns.values()) > 1000
    bans = {r["who"]: r for r in written["limit"]["bans"]}
    assert bans["limit"]["packets"] == 2  # the one within the limit, and the one that is too many
    assert bans["watcher"]["packets"] > 2


@pytest.mark.xdist_group("bench")  # one worker makes it, once
def test_a_server_is_attacked_in_each_defence(quick):
    _, written, _ = quick
    rows = {(r["flood"], r["who"]): r for r in written["attack"]}
    assert set(rows) == {("quiet", "none")} | {("syn", who) for who in ("none", "cookies", "nftables", "sluice")}
    assert all(0 <= r["least"] <= r["answered"] <= 1 for r in rows.values())
    assert rows["quiet", "none"]["answered"] == 1
    assert all(r["pps"] > 1000 for (flood, _), r in rows.items() if flood != "quiet")


def namespaces():
    return {name for name in os.listdir("/run/netns") if name.startswith("sl-bench")}


def test_interrupted_it_leaves_no_namespace():
    os.makedirs("/run/netns", exist_ok=True)
    before = namespaces()
    process = subprocess.Popen(["/usr/bin/python3", os.path.join(BENCH, "run"), "--quick", BUILD, "block"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: len(namespaces() - before) > 2, seconds=30)
        process.terminate()
        assert process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert not namespaces() - before
    assert not os.path.exists("/sys/fs/bpf/sluice-bench")


@pytest.mark.parametrize("arguments", [[], [BUILD, "everything"]])
def test_wrong_usage_is_said(arguments):
    failed = sh("/usr/bin/python3", os.path.join(BENCH, "run"), *arguments, check=False)
    assert failed.returncode and "usage: bench/run" in failed.stderr


def test_the_ninth_different_number_of_flows_is_refused(tmp_path):
    (tmp_path / "policy").write_text("interface eth0 { }\n")
    failed = sh(os.path.join(BUILD, "bench/cost"), tmp_path / "policy", *"1 2 3 4 5 6 7 8 1 9".split(), check=False)
    assert failed.returncode == 1 and '"9": one run takes at most 8 different numbers of flows' in failed.stderr
    assert not failed.stdout

# SPDX-License-Identifier: BSD-2-Clause
"""The limit stage on a real cable: what passes of a flood, who is banned and for how long, what outlives an apply."""
import contextlib
import json
import os
import subprocess
import time

import pytest
from scapy.all import IP, UDP

from lab import SLUICE, reads_events, wait_until
from scene import BOX4, Flood, policy

ATTACKER, OTHER = "198.51.100.66", "198.51.100.77"
SETS = "set banned dynamic size 1000 timeout 1h\n"


def frame(scene, source=ATTACKER, dport=9, length=60):
    made = scene.ethernet() / IP(src=source, dst=BOX4) / UDP(sport=1, dport=dport)
    return bytes(made / bytes(length - len(made)))


def banned(scene):
    """Prefixes of the set: seconds left."""
    lines = scene.box.sluice("set", "list", "banned", "-j").stdout.splitlines()
    return {entry["prefix"]: entry.get("seconds") for entry in map(json.loads, lines)}


def packets(scene, *reasons):
    stats = scene.box.stats()["reasons"]
    return [stats.get(reason, {"packets": 0})["packets"] for reason in reasons]


@contextlib.contextmanager
def events(scene):
    """The list that it hands over has all events once the block is left."""
    path, told = scene.lab.file("events", ""), []  # no pipe, which would be full
    with open(path, "w", encoding="utf-8") as out:
        reader = scene.lab.keep(subprocess.Popen(
            [SLUICE, "-n", scene.box.netns, "events", "eth0", "-j"], stdout=out, env=scene.lab.environment,
            start_new_session=True))
    assert wait_until(lambda: reads_events(reader, "eth0"))
    yield told
    time.sleep(0.3)
    os.kill(reader.pid, 2)
    assert reader.wait(timeout=5) == 0
    with open(path, encoding="utf-8") as lines:
        told += map(json.loads, lines)


def flood_on(scene, cpu, *frames):
    with_affinity = Flood(scene.client, "eth0", frames)
    os.sched_setaffinity(with_affinity.process.pid, {cpu})
    return with_affinity


def test_limits_are_accurate_over_all_cpus(quiet):
    """Within 5 % over ten seconds: packets, bytes and both again for each of two sources, from two CPUs at a time. Bursts
    are of a fifth of a second: for so long may the machine have no time for the senders."""
    quiet.box.apply(policy(
        "limit {", "udp dport 9 5000/s burst 1000", "udp dport 10 8mbit/s burst 200kbyte",
        "udp dport 11 2000/s burst 400 per source", "udp dport 12 4mbit/s burst 100kbyte per source", "}",
        "filter {", *(f"drop udp dport {port} count port{port}" for port in (9, 10, 11, 12)), "}"))
    frames = [frame(quiet, dport=9), frame(quiet, dport=10, length=60), frame(quiet, dport=10, length=1400)]
    for source in (ATTACKER, OTHER):
        frames += [frame(quiet, source, 11), frame(quiet, source, 12, 200), frame(quiet, source, 12, 900)]
    cpus = sorted(os.sched_getaffinity(0))
    floods = [flood_on(quiet, cpu, *frames) for cpu in (cpus[0], cpus[-1])]
    time.sleep(1)
    before, began = quiet.box.stats()["counters"], time.monotonic()
    time.sleep(10)
    after, seconds = quiet.box.stats()["counters"], time.monotonic() - began
    turns = [flood.stop() for flood in floods]
    wanted = {"port9": ("packets", 5000), "port10": ("bytes", 1e6), "port11": ("packets", 4000), "port12": ("bytes", 1e6)}
    found = {name: (after[name][unit] - before[name][unit]) / seconds / rate for name, (unit, rate) in wanted.items()}
    print(f"{turns} turns;", ", ".join(f"{name}: {share:.4f} of its limit" for name, share in found.items()))
    assert min(turns) > 1000 and packets(quiet, "limit")[0] > 0
    assert all(0.95 < share < 1.05 for share in found.values()), found


def test_a_ban_drops_the_next_packet_until_it_is_taken_back(quiet):
    quiet.box.apply(SETS + policy("block { from @banned }", "limit {", "udp 100/s burst 2 per source ban @banned 10m", "}"))
    with events(quiet) as told:
        assert len(quiet.send(*[frame(quiet)] * 5, frame(quiet, OTHER))) == 3
        assert packets(quiet, "limit-ban", "block-source") == [1, 2]
        (left,) = banned(quiet).values()
        assert set(banned(quiet)) == {ATTACKER} and 590 < left <= 600
        quiet.box.sluice("set", "del", "banned", ATTACKER)
        time.sleep(0.1)
        assert len(quiet.send(*[frame(quiet)] * 5)) == 2 and len(banned(quiet)) == 1
    bans = [event for event in told if event["event"] == "ban"]
    assert len(bans) == 2 == len(told)
    for event in bans:
        assert (event["set"], event["banned"], event["src"], event["reason"]) == ("banned", True, ATTACKER, "limit-ban")
        assert event["rule"].endswith("test.policy:6") and event["time"] < event["until"]


def test_a_ban_ends_by_itself_and_can_begin_again(quiet):
    quiet.box.apply(SETS + policy("block { from @banned }", "limit {", "udp 10/s burst 2 per source ban @banned 1s", "}"))
    for turn in range(1, 3):
        assert len(quiet.send(*[frame(quiet)] * 5)) == 2
        assert packets(quiet, "limit-ban", "block-source") == [turn, 2 * turn]
        time.sleep(1.1)
        assert banned(quiet) == {}


def test_nothing_about_limits_is_lost_on_apply(quiet):
    """Neither how far a source is, nor who is banned."""
    limits = ["limit {", "udp dport 9 5/d burst 5 per source ban @banned", "udp dport 10 5/d burst 5", "}"]
    quiet.box.apply(SETS + policy(*limits))
    assert len(quiet.send(*[frame(quiet)] * 3, *[frame(quiet, dport=10)] * 4)) == 7
    quiet.box.apply(SETS + policy("block { from 203.0.113.1 }", *limits, "filter { drop tcp }"))
    assert len(quiet.send(*[frame(quiet)] * 3, *[frame(quiet, dport=10)] * 4)) == 3
    assert set(banned(quiet)) == {ATTACKER}
    quiet.box.apply(SETS + policy("block { from @banned }", *limits))
    assert len(quiet.send(frame(quiet), frame(quiet, dport=11), frame(quiet, OTHER))) == 1
    quiet.box.sluice("rollback")
    assert len(quiet.send(frame(quiet), frame(quiet, dport=11), *[frame(quiet, OTHER)] * 6)) == 1 + 4


def test_a_ban_is_told_once_and_a_full_set_now_and_then(quiet):
    quiet.box.apply("set banned dynamic size 2 timeout 1h\n" +
                    policy("limit {", "udp 10/s burst 1 per source ban @banned", "}"))
    frames = [frame(quiet, f"198.51.100.{n}") for n in range(100, 105)]
    with events(quiet) as told:
        flood = quiet.flood(*frames)
        time.sleep(2)
        assert flood.stop() > 500
    over, full = packets(quiet, "limit-ban", "limit-full")
    assert over > 500 and full > 500
    assert len([event for event in told if event["banned"]]) == 2 == len(banned(quiet))
    refused = [event for event in told if not event["banned"]]
    assert 1 <= len(refused) <= 10 * 2.5 + 1  # ten a second
    assert all(event["reason"] == "limit-full" and "until" not in event for event in refused)
    text = quiet.box.sluice("stats").stdout
    assert "limit-full" in text


def test_room_of_bans_that_have_ended_is_used_again(quiet):
    """Nobody sweeps: the data path does it itself."""
    quiet.box.apply("set banned dynamic size 3\n" + policy("limit {", "udp 1/d burst 1 per source ban @banned 1s", "}"))
    for turn in range(3):
        frames = [frame(quiet, f"198.51.100.{100 + 10 * turn + n}") for n in range(4)]
        assert len(quiet.send(*frames * 2)) == 4
        assert set(banned(quiet)) == {f"198.51.100.{100 + 10 * turn + n}" for n in range(3)}
        time.sleep(1.2)


def test_bans_survive_what_user_space_does_to_the_set(quiet):
    """It sweeps and writes lengths and filter meanwhile: whoever slips through is banned again."""
    quiet.box.apply("set banned dynamic size 60 timeout 1h\n" +
                    policy("block { from @banned }", "limit {", "udp 1/d burst 1 per source ban @banned", "}"))
    sources = [f"198.51.100.{n}" for n in range(50, 100)]
    flood = quiet.flood(*(frame(quiet, source) for source in sources))
    for turn in range(10):
        quiet.box.sluice("set", "add", "banned", f"203.0.{turn}.0/24", f"203.0.{turn}.64/{26 + turn % 4}", "timeout", "1s")
        quiet.box.sluice("set", "del", "banned", *sources, check=False)
        if turn % 3 == 0:
            quiet.box.sluice("set", "flush", "banned")
    assert wait_until(lambda: set(sources) <= set(banned(quiet)))
    flood.stop()
    assert quiet.send(*(frame(quiet, source) for source in sources)) == []
    assert packets(quiet, "limit-full") == [0]


def test_dropped_packets_are_sampled(quiet):
    """By whatever stage; a packet that is logged is told as that."""
    quiet.box.apply(policy("log drops 1/1", "block { from 203.0.113.1 }", "limit {", "udp dport 9 1/d burst 1", "}",
                           "filter {", "drop udp dport 10", "drop udp dport 11 log", "}"))
    with events(quiet) as told:
        quiet.send(frame(quiet, "203.0.113.1"), frame(quiet), frame(quiet), frame(quiet, dport=10), frame(quiet, dport=11),
                   frame(quiet, dport=12), bytes(quiet.ethernet(type=0x0800)) + b"\x45")
    assert [(event["event"], event["reason"]) for event in told] == [
        ("drop", "block-source"), ("drop", "limit"), ("drop", "filter-rule"), ("log", "filter-rule"),
        ("drop", "malformed-ipv4")]


def test_one_of_so_many_drops_is_told(quiet):
    quiet.box.apply(policy("log drops 1/100", "filter {", "drop udp", "}"))
    with events(quiet) as told:
        flood = quiet.flood(frame(quiet))
        assert wait_until(lambda: packets(quiet, "filter-rule")[0] > 20000, 20)
        flood.stop()
    dropped = packets(quiet, "filter-rule")[0]
    assert 0.7 * dropped / 100 < len(told) < 1.3 * dropped / 100


def test_a_limit_that_logs_tells_of_what_is_over_it(quiet):
    quiet.box.apply(policy("limit {", "udp dport 9 1/d burst 2 log count over", "}"))
    with events(quiet) as told:
        assert len(quiet.send(*[frame(quiet)] * 5)) == 2
    assert [(event["event"], event["reason"]) for event in told] == [("log", "limit")] * 3
    assert quiet.box.stats()["counters"]["over"]["packets"] == 3


def test_a_candidate_neither_counts_nor_bans(quiet):
    limit = ["limit {", "udp dport 9 1/d burst 5 per source", "}"]
    quiet.box.apply(SETS + policy("block { from @banned }", *limit))
    bans = quiet.lab.file("bans.policy", SETS + policy(
        "block { from @banned }", "limit {", "udp dport 9 1/d burst 2 per source ban @banned", "}"))
    quiet.box.sluice("shadow", bans)
    assert len(quiet.send(*[frame(quiet)] * 8)) == 5
    assert banned(quiet) == {}
    (seen,) = [json.loads(line) for line in quiet.box.sluice("shadow", "-j").stdout.splitlines()]
    (pair,) = seen["pairs"]
    assert pair["packets"] == 3 and pair["candidate"]["reason"] == "limit-ban" and pair["active"]["verdict"] == "pass"
    # What runs is loaded anew when the candidate comes and when it goes: its limits go on.
    quiet.box.sluice("shadow", "--stop")
    assert len(quiet.send(*[frame(quiet)] * 8)) == 0


def test_what_bans_is_pinned_while_a_policy_needs_it(quiet):
    def pins():
        every = {"counters", "rules", "top", "talkers"}  # what each interface has
        found = {os.path.basename(pin) for pin in quiet.lab.pinned() if "state/eth0/" in pin}
        assert every <= found
        return found - every

    quiet.box.apply(SETS + policy("limit {", "udp 1/s ban @banned", "}"))
    assert pins() == {"limits", "bans", "events", "events_lost"}
    for rule in ("drop tcp", "drop sctp"):
        quiet.box.apply(policy("filter {", rule, "}"))
    assert not pins() and not quiet.box.show()["remains"]


@pytest.mark.parametrize("per", ["", " per source"])
def test_a_limit_knows_nothing_of_one_that_had_its_slot(quiet, per):
    """Slots of rules that no generation has any more are dealt out again."""
    for rule in ("udp", "tcp", "icmp", "udp dport 9"):
        quiet.box.apply(policy("limit {", f"{rule} 1/h burst 5{per}", "}"))
        assert len(quiet.send(*[frame(quiet)] * 9)) == (5 if rule.startswith("udp") else 9)


def test_bans_go_into_a_set_of_another_size(quiet):
    text = "set banned dynamic size SIZE timeout 1h\n" + policy(
        "block { from @banned }", "limit {", "udp 1/d burst 1 per source ban @banned", "}")
    sources = [f"198.51.100.{n}" for n in range(100, 106)]
    quiet.box.apply(text.replace("SIZE", "2"))
    assert len(quiet.send(*[frame(quiet, source) for source in sources[:4]] * 2)) == 4
    assert set(banned(quiet)) == set(sources[:2]) and packets(quiet, "limit-full") == [2]
    quiet.box.apply(text.replace("SIZE", "10"))
    time.sleep(0.2)
    assert len(quiet.send(*[frame(quiet, source) for source in sources] * 2)) == 2
    assert set(banned(quiet)) == set(sources)


def test_explain_asks_about_what_runs_and_counts_nothing(quiet):
    quiet.box.apply(SETS + policy("limit {", "udp dport 9 1/d burst 1 per source ban @banned", "}"))
    for _ in range(3):
        said = json.loads(quiet.box.sluice("explain", "eth0", f"udp {ATTACKER}:1 > {BOX4}:9", "-j").stdout)
        assert said["verdict"] == "pass" and said["limit"].endswith("test.policy:5")
    assert len(quiet.send(*[frame(quiet)] * 3)) == 1 and set(banned(quiet)) == {ATTACKER}


def test_a_set_of_eight_lengths_has_no_room_for_addresses(quiet):
    quiet.box.apply(SETS + policy("block { from @banned }", "limit {", "udp 1/d burst 1 per source ban @banned", "}"))
    quiet.box.sluice("set", "add", "banned", *(f"203.0.{length}.0/{length}" for length in range(24, 32)))
    with events(quiet) as told:
        assert len(quiet.send(*[frame(quiet)] * 3)) == 1
    assert packets(quiet, "limit-full", "limit-ban", "block-source") == [2, 0, 0]
    assert [event["banned"] for event in told] == [False]
    quiet.box.sluice("set", "flush", "banned")
    assert quiet.send(*[frame(quiet)] * 3) == []
    assert packets(quiet, "limit-full", "limit-ban", "block-source") == [2, 1, 2]


def test_user_space_and_data_path_take_out_what_has_expired_side_by_side(quiet):
    """A command that finds the set full says so, and fails in no other way."""
    quiet.box.apply("set banned dynamic size 20\n" + policy("limit {", "udp 1/d burst 1 per source ban @banned 1s", "}"))
    flood = quiet.flood(*(frame(quiet, f"198.51.100.{n}") for n in range(40, 240)))
    added = 0
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for name in ("203.0.113.1", "203.0.113.2"):
            said = quiet.box.sluice("set", "add", "banned", name, "timeout", "1s", check=False)
            assert said.returncode == 0 or "room" in said.stderr, said.stderr
            added += said.returncode == 0
        assert quiet.box.sluice("set", "flush", "banned").returncode == 0
    flood.stop()
    assert added > 0
    time.sleep(1.2)
    assert len(quiet.send(frame(quiet, "203.0.113.9"), frame(quiet, "203.0.113.9"))) == 1
    assert set(banned(quiet)) == {"203.0.113.9"}

# SPDX-License-Identifier: BSD-2-Clause
"""A candidate beside what runs: it enforces nothing, and every difference is counted under both rules."""
import json
import os

import pytest
from lab import SLUICE, wait_until

ACTIVE = "interface eth0 { mode MODE block { from 203.0.113.1, 203.0.113.2 } }"
CANDIDATE = "interface eth0 { mode MODE block { from 203.0.113.2, 203.0.113.3 } }"


def frame(box, last):
    from scapy.all import IP, UDP, Ether, raw
    return raw(Ether(dst=box.mac("eth0"), src="02:00:00:00:00:01") / IP(src=f"203.0.113.{last}", dst="198.51.100.1")
               / UDP(sport=1, dport=2))


class Beside:
    def __init__(self, quiet, mode):
        self.quiet, self.box, self.client = quiet, quiet.box, quiet.client
        self.active = quiet.lab.file("active.policy", ACTIVE.replace("MODE", mode))
        self.candidate = quiet.lab.file("candidate.policy", CANDIDATE.replace("MODE", mode))
        self.box.sluice("apply", self.active)
        self.box.sluice("shadow", self.candidate)
        self.seen = self.box.wire("eth0")
        self.out = self.client.wire("eth0")

    def send(self, last, count=1):
        for _ in range(count):
            self.out.send(frame(self.box, last))

    def passed(self):
        """Last bytes of the sources that came through, until the one with 99."""
        self.send(99)
        found = []
        while not found or found[-1] != 99:
            packet = self.seen.recv(2000)
            if packet[12:14] == b"\x08\x00" and packet[26:29] == bytes([203, 0, 113]):
                found.append(packet[29])
        return found[:-1]

    def shadow(self):
        (seen,) = [json.loads(line) for line in self.box.sluice("shadow", "-j").stdout.splitlines()]
        return seen


@pytest.fixture(params=["native", "generic"])
def beside(quiet, request):
    return Beside(quiet, request.param)


def test_a_candidate_enforces_nothing_and_its_differences_are_counted_by_rule(beside):
    for last, count in ((1, 3), (2, 5), (3, 7), (4, 11)):
        beside.send(last, count)
    assert beside.passed() == [3] * 7 + [4] * 11
    seen = beside.shadow()
    assert (seen["compared"], seen["different"], seen["untold"]) == (3 + 5 + 7 + 11 + 1, 10, 0)
    assert seen["pairs"] == [
        {"packets": 7, "bytes": 7 * 42, "active": {"verdict": "pass", "reason": "default"},
         "candidate": {"verdict": "drop", "reason": "block-source", "rule": f"{beside.candidate}:1",
                       "rule_text": "from 203.0.113.3"}},
        {"packets": 3, "bytes": 3 * 42, "active": {"verdict": "drop", "reason": "block-source",
                                                   "rule": f"{beside.active}:1", "rule_text": "from 203.0.113.1"},
         "candidate": {"verdict": "pass", "reason": "default"}},
    ]
    words = beside.box.sluice("shadow").stdout
    assert "27 packets compared, 10 judged otherwise" in words and f"{beside.candidate}:1  from 203.0.113.3" in words


def test_counters_of_the_active_policy_go_on_and_the_candidate_counts_nothing(beside):
    beside.send(1, 4)
    beside.send(3, 4)
    beside.passed()
    assert {name: count["packets"] for name, count in beside.box.stats()["verdicts"].items() if count["packets"]} == {
        "drop": 4, "pass": 5}
    beside.box.sluice("shadow", "--stop")
    beside.send(1, 2)
    beside.passed()
    assert beside.box.stats()["verdicts"]["drop"]["packets"] == 6


def test_stop_leaves_the_same_generation_and_the_same_way_back(quiet):
    quiet.box.apply("interface eth0 { }", "first.policy")
    beside = Beside(quiet, "native")
    assert quiet.box.show()["current"]["number"] == 2
    pins = quiet.lab.pinned()
    assert any("/shadow/" in pin for pin in pins)
    quiet.box.sluice("shadow", "--stop")
    assert not any("/shadow" in pin for pin in quiet.lab.pinned())
    assert quiet.box.show()["current"]["number"] == 2 and quiet.box.show()["previous"]["number"] == 1
    beside.send(1)
    assert beside.passed() == []
    quiet.box.sluice("rollback")
    beside.send(1)
    assert beside.passed() == [1]


def test_promote_makes_the_candidate_run(beside):
    assert "generation 2, was 1" in beside.box.sluice("shadow", "--promote").stdout
    beside.send(1)
    beside.send(3)
    assert beside.passed() == [1]
    refused = beside.box.sluice("shadow", check=False)
    assert (refused.returncode, refused.stderr) == (
        1, "sluice: generation 2 has no shadow\nput a candidate beside it: sluice shadow POLICY\n")


def test_promote_refuses_what_was_not_watched(beside):
    with open(beside.candidate, "a") as policy:
        policy.write("set more { 192.0.2.1 }\n")
    refused = beside.box.sluice("shadow", "--promote", check=False)
    assert refused.returncode == 1 and "is not what was watched" in refused.stderr
    beside.send(1)
    assert beside.passed() == [] and beside.shadow()["compared"] == 2


def test_promoting_what_runs_already_ends_the_watching(beside):
    beside.box.sluice("shadow", beside.active)
    said = beside.box.sluice("shadow", "--promote").stdout
    assert said == "nothing to change: generation 1 runs\nthe candidate is gone\n"
    assert "shadow" not in beside.box.show()["current"]


def test_a_reject_is_one_whether_it_is_answered_or_not(quiet):
    """A multicast source is never answered: the active reject drops it, and a candidate that drops says something else."""
    quiet.box.apply("interface eth0 { filter { reject udp } }")
    candidate = quiet.lab.file("candidate.policy", "interface eth0 { filter { drop udp } }")
    for policy, different in ((quiet.box.show()["current"]["path"], 0), (candidate, 1)):
        quiet.box.sluice("shadow", policy)
        quiet.client.wire("eth0").send(frame(quiet.box, 4).replace(bytes([203, 0, 113, 4]), bytes([224, 0, 0, 9])))
        wait_until(lambda: json.loads(quiet.box.sluice("shadow", "-j").stdout)["compared"] == 1)
        assert json.loads(quiet.box.sluice("shadow", "-j").stdout)["different"] == different


def test_another_candidate_takes_its_place_and_counts_from_nothing(beside):
    beside.send(3)
    beside.passed()
    beside.box.sluice("shadow", beside.active)
    beside.send(3)
    assert beside.passed() == [3]
    assert (beside.shadow()["compared"], beside.shadow()["different"]) == (2, 0)


def test_whatever_changes_what_runs_ends_the_shadow(beside):
    beside.box.apply("interface eth0 { mode native }" if "native" in open(beside.active).read()
                     else "interface eth0 { mode generic }", "third.policy")
    assert beside.box.sluice("shadow", check=False).returncode == 1
    assert not any("generations/2/shadow" in pin for pin in beside.quiet.lab.pinned())
    beside.box.sluice("down")
    assert beside.quiet.lab.pinned() == []


def test_a_dynamic_set_is_the_same_for_both(quiet):
    text = "set banned dynamic size 10\ninterface eth0 { block { %s } }"
    active = quiet.lab.file("active.policy", text % "from @banned")
    quiet.box.sluice("apply", active)
    candidate = quiet.lab.file("candidate.policy", text % "except 203.0.113.7; from @banned")
    quiet.box.sluice("shadow", candidate)
    quiet.box.sluice("set", "add", "banned", "203.0.113.7", "203.0.113.8")
    out, = [quiet.client.wire("eth0")]
    for last in (7, 8, 9):
        out.send(frame(quiet.box, last))
    wait_until(lambda: json.loads(quiet.box.sluice("shadow", "-j").stdout)["compared"] == 3)
    seen = json.loads(quiet.box.sluice("shadow", "-j").stdout)
    assert [(pair["active"]["verdict"], pair["candidate"]["verdict"]) for pair in seen["pairs"]] == [("drop", "pass")]


def test_nothing_is_lost_while_shadows_come_and_go(quiet):
    """A train of packets that both let pass, while a shadow begins and ends."""
    active = quiet.lab.file("active.policy", "interface eth0 { block { from 203.0.113.1 } }")
    quiet.box.sluice("apply", active)
    before = quiet.box.stats()["verdicts"].get("pass", {}).get("packets", 0)
    out = quiet.client.wire("eth0")
    sent = 0
    for turn in range(10):
        process = quiet.box.start(SLUICE, "shadow", *([active] if turn % 2 == 0 else ["--stop"]),
                                  env=quiet.lab.environment)
        while process.poll() is None:
            for _ in range(100):
                out.send(frame(quiet.box, 4))
            sent += 100
        assert process.returncode == 0
    wait_until(lambda: quiet.box.stats()["verdicts"]["pass"]["packets"] - before >= sent)
    assert quiet.box.stats()["verdicts"]["pass"]["packets"] - before == sent
    assert "aborted" not in {name for name, count in quiet.box.stats()["verdicts"].items() if count["packets"]}


def test_bad_input(quiet):
    def says(*arguments):
        result = quiet.box.sluice("shadow", *arguments, check=False)
        return result.returncode, result.stderr

    other = quiet.lab.file("other.policy", "interface eth9 { }")
    assert says() == (1, "sluice: nothing is applied\n")
    assert says(other) == (1, "sluice: nothing is applied, so there is nothing to shadow\n")
    assert quiet.lab.pinned() == []
    quiet.box.apply("interface eth0 { }")
    assert says(other) == (1, f"sluice: generation 1 runs on none of the interfaces of {other}\n")
    assert says("--stop")[0] == 1 and says("--promote")[0] == 1
    usage = says("--stop", "--promote")
    assert usage[0] == 2 and usage[1].startswith("usage: sluice shadow ")
    assert says("--force")[0] == 2 and says(other, "-j")[0] == 2
    assert not os.path.exists(f"{quiet.lab.pins}/new")

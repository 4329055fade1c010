# SPDX-License-Identifier: BSD-2-Clause
"""The verb `set`, and what becomes of dynamic sets over changes, kills and refusals."""
import fcntl
import json
import os
import subprocess
import time

import pytest
from scapy.all import IP, UDP

from lab import SLUICE, WHOLE, sh, wait_until
from scene import policy


def with_sets(*sets, block="block { from @banned }"):
    return "".join(f"set {one}\n" for one in sets) + policy(block)


BANNED = with_sets("banned dynamic size 1000 timeout 1h")


def change(scene, action, name, *words, check=True, **options):
    return scene.box.sluice("set", action, name, *words, check=check, **options)


def listed(scene, name="banned"):
    lines = change(scene, "list", name, "-j").stdout.splitlines()
    return {entry["prefix"]: entry.get("seconds") for entry in map(json.loads, lines)}


def sets(scene):
    lines = scene.box.sluice("set", "list", "-j").stdout.splitlines()
    return {entry.pop("set"): entry for entry in map(json.loads, lines)}


def refused(scene, *arguments, status=1, **options):
    """What it says on stderr; and nothing on stdout."""
    result = scene.box.sluice("set", *arguments, check=False, **options)
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    return result.stderr


def blocked(scene, address):
    words = f"253 {address} to 10.255.255.255" if ":" not in address else f"253 {address} to ::1"
    return json.loads(scene.box.sluice("explain", "eth0", words, "-j").stdout)["reason"] == "block-source"


def addresses(count, first=0x0a000000):
    """IPv4 addresses from 10.0.0.0 on, in text."""
    return [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(first, first + count)]


def pin(scene, ending):
    return os.path.join(scene.lab.pins, next(p for p in scene.lab.pinned() if p.endswith(ending)))


def test_add_list_del_flush(quiet):
    quiet.box.apply(BANNED)
    assert listed(quiet) == {}
    assert change(quiet, "add", "banned", "192.0.2.1", "2001:db8::/64").stdout == "set banned: 2 added, 0 renewed\n"
    assert change(quiet, "add", "banned", "192.0.2.1", "10.0.0.0/8", "timeout", "10s").stdout == \
        "set banned: 1 added, 1 renewed\n"
    change(quiet, "add", "banned", "192.0.2.2", "192.0.2.2", "timeout", "never")
    entries = listed(quiet)
    assert list(entries) == ["10.0.0.0/8", "192.0.2.1", "192.0.2.2", "2001:db8::/64"]
    assert entries["192.0.2.1"] in (9, 10) and entries["2001:db8::/64"] in (3599, 3600)
    assert entries["192.0.2.2"] is None
    assert change(quiet, "del", "banned", "10.0.0.0/8", "192.0.2.1").stdout == "set banned: 2 deleted\n"
    assert list(listed(quiet)) == ["192.0.2.2", "2001:db8::/64"]
    assert change(quiet, "flush", "banned").stdout == "set banned: 2 deleted\n"
    assert listed(quiet) == {}


def test_list_reads_back_as_it_is(quiet):
    quiet.box.apply(with_sets("banned dynamic size 9 timeout 1h", "other dynamic size 9"))
    change(quiet, "add", "banned", "192.0.2.1", "2001:db8::/64")
    change(quiet, "add", "banned", "::1", "timeout", "never")
    text = change(quiet, "list", "banned").stdout
    assert change(quiet, "add", "other", "-", input=text).stdout == "set other: 3 added, 0 renewed\n"
    copied = listed(quiet, "other")
    assert copied["::1"] is None and 3595 <= copied["192.0.2.1"] <= 3600


def test_sets_are_listed_shown_and_in_stats(quiet):
    quiet.lab.file("bogons.txt", "10.0.0.0/8\n172.16.0.0/12\n")
    quiet.box.apply(with_sets("banned dynamic size 1000 timeout 10m", "friends dynamic size 5", "office { ::1 }",
                              'bogons file "bogons.txt"',
                              block="block { from @banned, @bogons; except @friends, @office }"))
    change(quiet, "add", "banned", "192.0.2.1", "192.0.2.2")
    change(quiet, "add", "banned", "192.0.2.3", "timeout", "1s")
    time.sleep(1.1)
    assert sets(quiet) == {
        "banned": {"kind": "dynamic", "size": 1000, "used": 2, "timeout": 600},
        "friends": {"kind": "dynamic", "size": 5, "used": 0},
        "office": {"kind": "static", "prefixes": 1},
        "bogons": {"kind": "static", "prefixes": 2, "file": "bogons.txt"},
    }
    text = quiet.box.sluice("set", "list").stdout.splitlines()
    assert [line.split() for line in text] == [
        "banned dynamic 2 of 1000, timeout 10m".split(), "friends dynamic 0 of 5, timeout never".split(),
        "office static 1 prefix".split(), "bogons static 2 prefixes from bogons.txt".split()]
    assert quiet.box.show()["current"]["dynamic_sets"] == {
        "banned": {"size": 1000, "used": 2, "timeout": 600}, "friends": {"size": 5, "used": 0}}
    assert "set banned  dynamic, 2 of 1000, timeout 10m\n" in quiet.box.sluice("show").stdout
    assert quiet.box.stats()["sets"]["banned"] == {"packets": 0, "bytes": 0, "size": 1000, "used": 2}
    assert "2 of 1000 entries" in quiet.box.sluice("stats").stdout


ERRORS = {
    "unknown": (["add", "bannd", "::1"], 'there is no set "bannd" in the policy that runs', 'did you mean "banned"?'),
    "far": (["list", "elsewhere"], 'there is no set "elsewhere" in the policy that runs',
            "define it in the policy: set elsewhere dynamic size 10000 timeout 10m"),
    "no name of a set": (["add", "../../x", "::1"], 'there is no set "../../x" in the policy that runs',
                         "define it in the policy"),
    "inline": (["add", "office", "::1"], "office is a static set: 1 prefix from the policy",
               "change the policy and apply it again"),
    "file": (["flush", "bogons"], "bogons is a static set: 1 prefix from bogons.txt",
             "change the file, then: sluice set reload bogons"),
    "list of an inline one": (["list", "office"], "office is a static set: 1 prefix from the policy",
                              "its prefixes stand there: sluice show -j has it"),
    "list of a file": (["list", "bogons"], "bogons is a static set: 1 prefix from bogons.txt",
                       "its prefixes stand there, unless the file was changed since it was read"),
    "prefix": (["add", "banned", "192.0.2.1", "192.0.2"], "192.0.2 is a short form", ""),
    "host bits": (["add", "banned", "192.0.2.1/24"], "192.0.2.1/24 has host bits set", ""),
    "dash among prefixes": (["add", "banned", "::1", "-"], "`-` is not an address or prefix", ""),
    "time": (["add", "banned", "::1", "timeout", "soon"], "`soon` is not a time", "write it as 90s, 10m, 1h or 7d"),
    "no time": (["add", "banned", "::1", "timeout", "0"], "0 is no time at all", ""),
    "missing": (["del", "banned", "192.0.2.7", "192.0.2.9"], "192.0.2.9 is not in set banned; nothing was taken out",
                "an entry is taken out as it was put in"),
    "time of what goes": (["del", "banned", "192.0.2.7", "timeout", "10m"],
                          "192.0.2.7 is to be taken out, and has a timeout", "write the prefix alone"),
}


def test_errors_say_what_would_be_right_and_change_nothing(quiet):
    quiet.lab.file("bogons.txt", "10.0.0.0/8\n")
    quiet.box.apply(with_sets("banned dynamic size 9", "office { ::1 }", 'bogons file "bogons.txt"',
                              block="block { from @banned; from @bogons; except @office }"))
    change(quiet, "add", "banned", "192.0.2.7")
    for name, (arguments, what, hint) in ERRORS.items():
        said = refused(quiet, *arguments)
        assert said.startswith(f"sluice: {what}") and hint in said, name
    assert listed(quiet) == {"192.0.2.7": None}


@pytest.mark.parametrize("arguments", [[], ["add"], ["add", "banned"], ["del", "banned"], ["flush"], ["list", "a", "b"],
                                       ["flush", "a", "b"], ["frob", "banned"], ["add", "-j", "banned", "::1"],
                                       ["list", "-x"]])
def test_wrong_usage(quiet, arguments):
    quiet.box.apply(BANNED)
    assert refused(quiet, *arguments, status=2).splitlines()[-1].startswith("usage: sluice set ")


def test_nothing_runs(quiet):
    for arguments in (["list"], ["list", "banned"], ["add", "banned", "::1"], ["del", "banned", "-"]):
        assert refused(quiet, *arguments, input="") == "sluice: nothing of Sluice runs here\n"


def test_ordinary_user_is_told_what_it_takes(quiet):
    quiet.box.apply(BANNED)
    sh("cp", SLUICE, quiet.lab.folder.name)
    sh("chmod", "-R", "a+rx", quiet.lab.folder.name)
    for arguments in (["add", "banned", "::1"], ["list", "banned"], ["flush", "banned"]):
        result = quiet.box.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               os.path.join(quiet.lab.folder.name, "sluice"), "set", *arguments, check=False,
                               env=quiet.lab.environment)
        assert result.returncode == 1 and result.stderr.endswith("Permission denied\nthis needs root\n")


def test_bulk_is_read_whole_before_anything_is_done(quiet):
    quiet.box.apply(BANNED)
    text = "# one\n192.0.2.1\n\n; two\n192.0.2.2 timeout 5m # why\n2001:db8::/64 timeout never\n192.0.2.1\n"
    assert change(quiet, "add", "banned", "-", "timeout", "2h", input=text).stdout == "set banned: 3 added, 0 renewed\n"
    entries = listed(quiet)
    assert 7195 <= entries["192.0.2.1"] <= 7200 and 295 <= entries["192.0.2.2"] <= 300
    assert entries["2001:db8::/64"] is None
    said = refused(quiet, "add", "banned", "-", input="10.0.0.1\n10.0.0.2\n10.0.0.3 4h\n")
    assert said.startswith("stdin:3:10: error: a line has one prefix, and may say how long it stays\n")
    assert "10.0.0.1" not in listed(quiet)
    assert change(quiet, "del", "banned", "-", input="192.0.2.1\n10.0.0.1\n192.0.2.2\n").stdout == \
        "set banned: 2 deleted, 1 were not in it\n"
    assert refused(quiet, "del", "banned", "-", input="2001:db8::/64 timeout 5m\n").startswith(
        "sluice: 2001:db8::/64 is to be taken out, and has a timeout\n")
    assert refused(quiet, "del", "banned", "-", "timeout", "5m", input="2001:db8::/64\n")
    assert "2001:db8::/64" in listed(quiet)
    assert change(quiet, "add", "banned", "-", input="").stdout == "set banned: 0 added, 0 renewed\n"


def test_bulk_of_two_hundred_thousand(quiet):
    quiet.box.apply(with_sets("banned dynamic size 200000 timeout 1h"))
    text = "\n".join(addresses(200000))
    started = time.monotonic()
    assert change(quiet, "add", "banned", "-", input=text).stdout == "set banned: 200000 added, 0 renewed\n"
    assert time.monotonic() - started < 10  # 0.3 on a quiet machine
    assert blocked(quiet, "10.0.0.0") and blocked(quiet, "10.3.13.63") and not blocked(quiet, "10.3.13.64")
    assert change(quiet, "add", "banned", "-", input=text).stdout == "set banned: 0 added, 200000 renewed\n"
    assert sets(quiet)["banned"]["used"] == 200000
    assert change(quiet, "del", "banned", "-", input=text).stdout == "set banned: 200000 deleted\n"


def test_full_set_says_so_and_takes_all_or_nothing(quiet):
    quiet.box.apply(with_sets("banned dynamic size 100"))
    change(quiet, "add", "banned", *addresses(98))
    said = refused(quiet, "add", "banned", "-", input="\n".join(addresses(101)))
    assert said.splitlines() == [
        "sluice: set banned has room for 2 of 3 new entries: it holds 98 of 100; nothing was added",
        "make it larger in the policy and apply that: its entries stay"]
    assert sets(quiet)["banned"]["used"] == 98
    change(quiet, "add", "banned", *addresses(100))
    assert "set banned has room for 0 of 1 new entry: it holds 100 of 100" in refused(quiet, "add", "banned", "::1")
    change(quiet, "add", "banned", "10.0.0.5", "timeout", "1s")  # one that is there needs no room
    time.sleep(1.1)
    change(quiet, "add", "banned", "::1")  # what has expired is swept out
    assert listed(quiet).keys() == set(addresses(100)) - {"10.0.0.5"} | {"::1"}


def test_nine_prefix_lengths_are_one_too_many(quiet):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", *(f"10.0.0.0/{length}" for length in range(8, 16)))
    change(quiet, "add", "banned", *(f"2001:db8::/{length}" for length in range(32, 40)))  # a family of its own
    said = refused(quiet, "add", "banned", "10.0.0.0/9", "192.0.2.0/24", "192.0.2.1")
    assert said.splitlines() == [
        "sluice: set banned cannot take 192.0.2.0/24: with it there would be IPv4 prefixes of 9 different lengths",
        "a set holds 8 of each family at a time, for each is looked up for each packet; here: /8 /9 /10 /11 /12 /13 "
        "/14 /15"]
    assert not blocked(quiet, "192.0.2.1")
    change(quiet, "del", "banned", "10.0.0.0/12")
    change(quiet, "add", "banned", "192.0.2.0/24")  # the length that is no longer used does not count
    assert blocked(quiet, "192.0.2.1")
    assert "/128 /" not in refused(quiet, "add", "banned", "::1")
    change(quiet, "flush", "banned")
    change(quiet, "add", "banned", "::1", "192.0.2.1")
    assert blocked(quiet, "::1") and blocked(quiet, "192.0.2.1") and not blocked(quiet, "10.0.0.1")


def test_contents_outlive_apply_and_rollback(quiet):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", "192.0.2.1")
    quiet.box.apply(with_sets("banned dynamic size 1000 timeout 5m", block="block { from @banned; to @banned }"))
    assert blocked(quiet, "192.0.2.1") and listed(quiet)["192.0.2.1"] > 3000
    change(quiet, "add", "banned", "192.0.2.2")
    assert 290 <= listed(quiet)["192.0.2.2"] <= 300
    quiet.box.sluice("rollback")
    assert blocked(quiet, "192.0.2.1") and blocked(quiet, "192.0.2.2")
    change(quiet, "add", "banned", "192.0.2.3")
    assert listed(quiet)["192.0.2.3"] > 3590  # the timeout is that of the generation that runs
    quiet.box.sluice("rollback")
    assert blocked(quiet, "192.0.2.3") and sets(quiet)["banned"]["timeout"] == 300


def test_set_that_nothing_names_any_more_goes_with_the_last_generation(quiet):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", "192.0.2.1")
    quiet.box.apply(policy("block { from 10.0.0.0/8 }"))
    assert any(pin.endswith("sets/banned/entries") for pin in quiet.lab.pinned())
    quiet.box.sluice("rollback")
    assert blocked(quiet, "192.0.2.1")
    quiet.box.apply(policy("block { from 10.0.0.0/8 }"))
    quiet.box.apply(policy("block { from 11.0.0.0/8 }"))
    assert not any("banned" in pin for pin in quiet.lab.pinned())
    quiet.box.apply(BANNED)
    assert listed(quiet) == {}
    quiet.box.sluice("down")
    assert quiet.lab.pinned() == []


def test_unconfirmed_change_of_size_goes_back_to_the_same_contents(quiet):
    """The data path goes back by itself, to a program of another size of the set: it is the same set."""
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", "10.0.0.1")
    path = quiet.lab.file("larger.policy", with_sets("banned dynamic size 5000 timeout 5m",
                                                     block="block { from @banned; to @banned }"))
    quiet.box.sluice("apply", path, "--confirm", "2s")
    change(quiet, "add", "banned", "10.0.0.2")
    change(quiet, "del", "banned", "10.0.0.1")
    time.sleep(2.2)
    out = [quiet.ethernet() / IP(src=source, dst=destination) / UDP()
           for source, destination in (("10.0.0.1", "10.0.0.9"), ("10.0.0.2", "10.0.0.9"), ("10.0.0.9", "10.0.0.2"))]
    assert quiet.send(*out) == [bytes(out[0]), bytes(out[2])]  # `to` is of the policy that went
    quiet.box.sluice("apply", path)
    assert list(listed(quiet)) == ["10.0.0.2"] and quiet.send(*out) == [bytes(out[0])]


def test_change_of_size_keeps_what_is_in(quiet):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", *addresses(500))
    quiet.box.apply(with_sets("banned dynamic size 100000 timeout 1h"))
    assert sets(quiet)["banned"] == {"kind": "dynamic", "size": 100000, "used": 500, "timeout": 3600}
    change(quiet, "add", "banned", "-", input="\n".join(addresses(2000)))
    assert blocked(quiet, "10.0.7.0")
    quiet.box.sluice("rollback")  # the entries would not fit into the size that it had
    assert sets(quiet)["banned"]["size"] == 100000 and blocked(quiet, "10.0.7.0")
    change(quiet, "del", "banned", "10.0.7.0")
    assert not blocked(quiet, "10.0.7.0")
    change(quiet, "del", "banned", "-", input="\n".join(addresses(1990)))
    quiet.box.apply(with_sets("banned dynamic size 10 timeout 1h"))
    assert sets(quiet)["banned"]["size"] == 10 and sets(quiet)["banned"]["used"] == 10


def test_size_of_the_policy_is_made_true_after_a_rollback(quiet):
    quiet.box.apply(BANNED)
    quiet.box.apply(with_sets("banned dynamic size 50 timeout 1h"))
    quiet.box.sluice("rollback")
    assert sets(quiet)["banned"]["size"] == 50
    quiet.box.apply(BANNED)
    assert sets(quiet)["banned"]["size"] == 1000
    assert "nothing to change" in quiet.box.apply(BANNED).stdout


def test_size_too_small_for_what_is_in_is_refused(quiet):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", *addresses(20))
    program, pins = quiet.box.program("eth0"), quiet.lab.pinned()
    result = quiet.box.apply(with_sets("other dynamic size 10", "banned dynamic size 19 timeout 1h",
                                       block="block { from @banned, @other }"), check=False)
    assert result.returncode == 1
    assert "set banned holds 20 entries; they do not fit into the size of 19 that the policy gives it" in result.stderr
    assert (quiet.box.program("eth0"), quiet.lab.pinned()) == (program, pins)
    assert sets(quiet)["banned"]["size"] == 1000
    change(quiet, "add", "banned", "192.0.2.1")
    assert blocked(quiet, "192.0.2.1") and blocked(quiet, "10.0.0.1")


def traced(scene, *options, arguments, **more):
    """Runs sluice under strace; returns the result and what strace wrote."""
    path = os.path.join(scene.lab.folder.name, "trace")
    result = sh("strace", "-f", "-o", path, *options, SLUICE, "-n", scene.box.netns, *arguments, check=False,
                env=scene.lab.environment, **more)
    with open(path) as file:
        return result, file.read().splitlines()


def test_failure_after_a_change_of_size_takes_it_back(quiet):
    path = quiet.lab.file("larger.policy", with_sets("banned dynamic size 5000 timeout 1h"))
    for inject in (False, True):
        quiet.box.apply(BANNED)
        change(quiet, "add", "banned", "10.0.0.1")
        if not inject:
            _, calls = traced(quiet, "-e", "trace=bpf", arguments=["apply", path])
            ordinal = 1 + next(i for i, call in enumerate(calls) if "BPF_LINK_UPDATE" in call)
            assert sets(quiet)["banned"]["size"] == 5000
            quiet.box.sluice("down")
    program, pins = quiet.box.program("eth0"), quiet.lab.pinned()
    result, calls = traced(quiet, "-e", "trace=bpf", "-e", f"inject=bpf:error=ENOMEM:when={ordinal}",
                           arguments=["apply", path])
    assert result.returncode == 1 and "the kernel refused to swap the program of eth0" in result.stderr
    assert any("BPF_LINK_UPDATE" in call and "INJECTED" in call for call in calls)
    assert (quiet.box.program("eth0"), quiet.lab.pinned()) == (program, pins)
    assert sets(quiet)["banned"]["size"] == 1000
    change(quiet, "add", "banned", "10.0.0.2")
    assert blocked(quiet, "10.0.0.1") and blocked(quiet, "10.0.0.2")


def test_no_program_is_left_with_the_old_map_whatever_call_fails(quiet):
    """What is added after a change of size that failed is blocked, and after a rollback too."""
    larger = quiet.lab.file("larger.policy", with_sets("banned dynamic size 2000 timeout 1h",
                                                       block="block { from @banned; from ::9 }"))
    quiet.box.apply(BANNED)
    quiet.box.apply(with_sets("banned dynamic size 1000 timeout 1h", block="block { from @banned; to @banned }"))
    _, calls = traced(quiet, "-e", "trace=bpf", arguments=["apply", larger])
    first = next(i for i, call in enumerate(calls) if "BPF_MAP_CREATE" in call and "max_entries=2000," in call)
    last = next(i for i, call in enumerate(calls) if "BPF_LINK_UPDATE" in call)
    assert last - first > 20
    quiet.box.sluice("down")
    quiet.box.apply(BANNED)
    quiet.box.apply(with_sets("banned dynamic size 1000 timeout 1h", block="block { from @banned; to @banned }"))
    ordinals = range(first + 1, last + 2)
    for n, ordinal in enumerate(ordinals if WHOLE else [*ordinals[:-6:5], *ordinals[-6:]]):
        result, again = traced(quiet, "-e", "trace=bpf", "-e", f"inject=bpf:error=ENOMEM:when={ordinal}",
                               arguments=["apply", larger])
        call = again[ordinal - 1]
        assert call.endswith("(INJECTED)") and result.returncode == 1, call
        assert sets(quiet)["banned"]["size"] == 1000, call
        change(quiet, "add", "banned", f"10.0.{n}.1")
        assert blocked(quiet, f"10.0.{n}.1"), call
        quiet.box.sluice("rollback")
        assert blocked(quiet, f"10.0.{n}.1"), call
        change(quiet, "add", "banned", f"10.0.{n}.2")
        assert blocked(quiet, f"10.0.{n}.2"), call


def seed(scene, name):
    """Of the hash of a set's filter: bytes 32 to 39 of its head."""
    shown = json.loads(sh("bpftool", "-j", "map", "lookup", "pinned", pin(scene, f"sets/{name}/head"), "key", "0", "0",
                          "0", "0").stdout)
    return [int(byte, 16) for byte in shown["value"][32:40]]


def test_each_set_has_a_seed_of_its_own_for_good(quiet):
    """Nobody can work out addresses that pass the filter of someone else's set."""
    two = "banned dynamic size 1000", "other dynamic size 1000"
    quiet.box.apply(with_sets(*two, block="block { from @banned, @other }"))
    seeds = seed(quiet, "banned"), seed(quiet, "other")
    assert seeds[0] != seeds[1] and [0] * 8 not in seeds
    change(quiet, "add", "banned", "10.0.0.1", "2001:db8::1")
    quiet.box.apply(with_sets(two[0] + "00", two[1], block="block { from @banned, @other }"))
    assert (seed(quiet, "banned"), seed(quiet, "other")) == seeds
    change(quiet, "add", "banned", "10.0.0.2")
    assert all(blocked(quiet, address) for address in ("10.0.0.1", "10.0.0.2", "2001:db8::1"))
    change(quiet, "flush", "banned")
    assert seed(quiet, "banned") == seeds[0]


@pytest.mark.parametrize("action", ["add", "del"])
def test_look_up_that_fails_is_not_taken_for_an_answer(quiet, action):
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", "10.0.0.1")
    _, calls = traced(quiet, "-e", "trace=bpf", arguments=["set", action, "banned", "10.0.0.1"])
    ordinal = 1 + next(i for i, call in enumerate(calls) if "BPF_MAP_LOOKUP_ELEM" in call)
    change(quiet, "add", "banned", "10.0.0.1")
    result, _ = traced(quiet, "-e", "trace=bpf", "-e", f"inject=bpf:error=ENOMEM:when={ordinal}",
                       arguments=["set", action, "banned", "10.0.0.1"])
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "sluice: cannot read set banned: Cannot allocate memory\n"
    assert list(listed(quiet)) == ["10.0.0.1"]


def test_filter_that_cannot_wait_for_packets_in_flight_stays_off(quiet):
    """The first entry gives the set its filter. Without the wait the change fails, and what is added next is blocked."""
    waiting = ["-e", "trace=bpf,membarrier"]
    quiet.box.apply(BANNED)
    _, calls = traced(quiet, *waiting, arguments=["set", "add", "banned", "10.0.0.1"])
    assert not any("membarrier" in call for call in calls)  # refused where CPUs run without ticks
    ordinal = 1 + next(i for i, call in enumerate(calls) if "BPF_MAP_UPDATE_ELEM" in call)
    quiet.box.sluice("down")
    quiet.box.apply(BANNED)
    result, calls = traced(quiet, *waiting, "-e", f"inject=bpf:error=ENOMEM:when={ordinal}",
                       arguments=["set", "add", "banned", "10.0.0.1"])
    assert calls[ordinal - 1].endswith("(INJECTED)")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "sluice: cannot wait for the packets in flight: Cannot allocate memory\n"
    assert listed(quiet) == {} and not blocked(quiet, "10.0.0.1")
    change(quiet, "add", "banned", "10.0.0.2")
    assert blocked(quiet, "10.0.0.2") and not blocked(quiet, "10.0.0.1")


@pytest.mark.parametrize("finish", [["set", "add", "banned", "192.0.2.1"], ["apply"]])
def test_change_of_size_that_was_cut_off_is_finished(quiet, finish):
    """Killed when the running program looks into the new map already, but the pin is still the old one."""
    quiet.box.apply(BANNED)
    change(quiet, "add", "banned", "10.0.0.1")
    path = quiet.lab.file("larger.policy", with_sets("banned dynamic size 5000 timeout 1h"))
    result, _ = traced(quiet, "-e", "trace=rename", "-e", "inject=rename:error=EIO:signal=KILL:when=1",
                       arguments=["apply", path])
    assert result.returncode != 0
    assert any(pin.endswith("sets/banned/next") for pin in quiet.lab.pinned())
    assert blocked(quiet, "10.0.0.1") and list(listed(quiet)) == ["10.0.0.1"]
    quiet.box.sluice(*finish, *([path] if finish == ["apply"] else []))
    assert not any(pin.endswith("sets/banned/next") for pin in quiet.lab.pinned())
    assert sets(quiet)["banned"]["size"] == 5000
    change(quiet, "add", "banned", "192.0.2.1", "192.0.2.2")
    assert all(blocked(quiet, address) for address in ("10.0.0.1", "192.0.2.1", "192.0.2.2"))
    quiet.box.apply(BANNED)
    assert sets(quiet)["banned"]["size"] == 1000 and blocked(quiet, "192.0.2.2")


def test_kill_in_the_middle_of_a_bulk(quiet):
    """What is in is in, and nothing is broken."""
    quiet.box.apply(with_sets("banned dynamic size 50000 timeout 1h"))
    text = "\n".join(addresses(40000))
    add = ["set", "add", "banned", "-"]
    change(quiet, "flush", "banned")  # makes the filter, so that all runs make the same calls
    _, calls = traced(quiet, "-e", "trace=bpf", arguments=add, input=text)
    batches = [i + 1 for i, call in enumerate(calls) if "BPF_MAP_UPDATE_BATCH" in call]
    assert len(batches) > 5
    for when in batches[1::3]:
        change(quiet, "flush", "banned")
        traced(quiet, "-e", "trace=bpf", "-e", f"inject=bpf:error=EIO:signal=KILL:when={when}", arguments=add,
               input=text)
        there = listed(quiet)
        assert 0 < len(there) < 40000
        assert blocked(quiet, next(iter(there)))
        assert change(quiet, "add", "banned", "-", input=text).stdout == \
            f"set banned: {40000 - len(there)} added, {len(there)} renewed\n"


def test_adding_at_the_same_time(quiet):
    quiet.box.apply(BANNED)
    jobs = [subprocess.Popen([SLUICE, "-n", quiet.box.netns, "set", "add", "banned", *addresses(20, 0x0a000000 + n * 20)],
                             env=quiet.lab.environment, stdout=subprocess.PIPE, text=True) for n in range(10)]
    assert [job.communicate(timeout=30)[0] for job in jobs] == ["set banned: 20 added, 0 renewed\n"] * 10
    assert list(listed(quiet)) == addresses(200)


def test_adding_does_not_wait_for_an_apply(quiet):
    quiet.box.apply(BANNED)
    folder = os.open(quiet.lab.pins, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as an apply does while it loads a program
    change(quiet, "add", "banned", "192.0.2.1", timeout=5)
    change(quiet, "del", "banned", "192.0.2.1", timeout=5)
    change(quiet, "list", "banned", timeout=5)
    os.close(folder)


def test_nothing_added_during_changes_is_lost(quiet):
    quiet.box.apply(with_sets("banned dynamic size 3000"))
    paths = [quiet.lab.file(f"{size}.policy", with_sets(f"banned dynamic size {size}")) for size in (4000, 5000, 6000)]
    loop = f"for n in $(seq 0 249); do {SLUICE} -n {quiet.box.netns} set add banned 10.1.0.$n || exit 1; done"
    adding = subprocess.Popen(["sh", "-c", loop], env=quiet.lab.environment, stdout=subprocess.DEVNULL)
    changes = 0
    while adding.poll() is None:
        quiet.box.sluice("apply", paths[changes % 3])
        changes += 1
    assert adding.returncode == 0 and changes > 1
    assert list(listed(quiet)) == [f"10.1.0.{n}" for n in range(250)]
    assert blocked(quiet, "10.1.0.249") and blocked(quiet, "10.1.0.0")


def test_flush_under_traffic(quiet):
    quiet.box.apply(with_sets("banned dynamic size 200000"))
    change(quiet, "add", "banned", "-", input="\n".join(addresses(100000)))
    frames = [quiet.ethernet() / IP(src=f"10.0.0.{n}", dst="198.51.100.1") / UDP() for n in range(50)]
    flood = quiet.flood(*frames)
    assert wait_until(lambda: quiet.count().get("block-source", (0,))[0] > 1000)
    assert change(quiet, "flush", "banned").stdout == "set banned: 100000 deleted\n"
    before = quiet.count()
    assert wait_until(lambda: quiet.count(before).get("default", (0,))[0] > 1000)
    assert "block-source" not in quiet.count(before)
    flood.stop()


@pytest.mark.parametrize("offset", [-1, 100000])
def test_time_namespace_of_the_caller_does_not_matter(quiet, offset):
    """Where the clock of the caller is another, entries stay as long as they should."""
    offset = offset if offset > 0 else -int(time.monotonic()) + 5
    shifted = ["unshare", "--time", "--monotonic", offset, "--fork", SLUICE, "-n", quiet.box.netns, "set"]
    quiet.box.apply(BANNED)
    assert sh(*shifted, "add", "banned", "10.0.0.1", "timeout", "60s", env=quiet.lab.environment).stdout == \
        "set banned: 1 added, 0 renewed\n"
    assert blocked(quiet, "10.0.0.1") and 50 < listed(quiet)["10.0.0.1"] <= 60
    inside = sh(*shifted, "list", "banned", "-j", env=quiet.lab.environment).stdout
    assert 50 < json.loads(inside)["seconds"] <= 60


@pytest.mark.parametrize("lost", ["entries", "head", ""])
def test_set_whose_pins_are_gone_is_made_again_by_an_apply(quiet, lost):
    quiet.box.apply(BANNED)
    path = quiet.box.show()["current"]["path"]
    folder = os.path.dirname(pin(quiet, "sets/banned/entries"))
    sh("rm", "-r", os.path.join(folder, lost))
    for arguments in (["add", "banned", "::1"], ["del", "banned", "::1"], ["list", "banned"], ["flush", "banned"]):
        assert refused(quiet, *arguments) == ("sluice: set banned is in the policy, but its maps are gone\n"
                                              f"apply again: sluice apply {path}\n")
    quiet.box.sluice("apply", path)
    change(quiet, "add", "banned", "::1")
    assert blocked(quiet, "::1")


STRANGE = {
    "entries of another size": ("entries", ["type", "hash", "key", 20, "value", 8, "entries", 10]),
    "entries of another kind": ("entries", ["type", "lru_hash", "key", 24, "value", 8, "entries", 10]),
    "head of another size": ("head", ["type", "array", "key", 4, "value", 8, "entries", 1, "flags", 0x400]),
    "head that cannot be mapped": ("head", ["type", "array", "key", 4, "value", 40 + (1 << 21), "entries", 1]),
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_pin_is_refused_with_a_way_out(quiet, what):
    name, kind = STRANGE[what]
    quiet.box.apply(BANNED)
    path, program = pin(quiet, f"sets/banned/{name}"), quiet.box.program("eth0")
    os.unlink(path)
    sh("bpftool", "map", "create", path, *kind, "name", "odd")
    larger = quiet.lab.file("larger.policy", with_sets("banned dynamic size 5000 timeout 1h"))
    for arguments in (["set", "add", "banned", "::1"], ["set", "list", "banned"], ["set", "list"], ["apply", larger]):
        result = quiet.box.sluice(*arguments, check=False)
        assert result.returncode == 1 and quiet.box.program("eth0") == program, arguments
        assert result.stderr.startswith(f"sluice: {path}: not a set of this version of Sluice\n"), arguments
        way_out = result.stderr.splitlines()[1].split("apply again: ")[1]
    assert way_out == f"rm -r {os.path.dirname(path)}"
    sh(*way_out.split())
    quiet.box.sluice("apply", larger)
    change(quiet, "add", "banned", "::1")
    assert blocked(quiet, "::1")


def test_policy_without_dynamic_sets_pays_nothing(quiet):
    quiet.box.apply(policy("block { from 192.0.2.0/24 }"))
    ids = json.loads(sh("bpftool", "-j", "prog", "show", "id", quiet.box.program("eth0")).stdout)["map_ids"]
    names = {json.loads(sh("bpftool", "-j", "map", "show", "id", number).stdout)["name"] for number in ids}
    assert not any(name.startswith(("dynamic", "set_")) for name in names)
    assert not any("/sets" in pin for pin in quiet.lab.pinned())


@pytest.mark.parametrize("arguments", [["check"], ["explain", "253 10.0.0.1 to 10.0.0.2"]])
def test_policy_file_alone_takes_no_memory_for_its_sets(quiet, arguments):
    path = quiet.lab.file("large.policy", with_sets("banned dynamic size 16777216"))
    result, calls = traced(quiet, "-e", "trace=bpf", arguments=[arguments[0], path, *arguments[1:]])
    assert result.returncode == 0
    assert any("BPF_MAP_CREATE" in call for call in calls) and not any("16777216" in call for call in calls)

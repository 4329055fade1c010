# SPDX-License-Identifier: BSD-2-Clause
"""apply, rollback and down: what they change, what they say, and what they leave as it was."""
import pytest

import foreign
from scene import BLOCK, BLOCKED4, BOX4, CLIENT4, policy


@pytest.fixture
def two(lab):
    """A box with eth0 and eth1."""
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    lab.cable(box, "eth0", client, "eth0")
    lab.cable(box, "eth1", client, "eth1")
    return box


def snapshot(host, *interfaces):
    """Everything that a change which did not happen leaves as it was."""
    return host.show(), host.stats(), host.lab.pinned(), [host.program(name) for name in interfaces]


def test_first_apply_says_all_that_is_new(quiet):
    result = quiet.box.apply("set office { 192.0.2.0/24 }\n\ninterface eth0 { block { from @office } default drop }\n")
    assert (result.stderr, result.stdout) == ("", (
        "generation 1\n"
        "  + set office { 192.0.2.0/24 }\n"
        "  + interface eth0 {\n"
        "  +     mode native\n"
        "  +     fragments pass\n"
        "  +     malformed drop\n"
        "  +     block {\n"
        "  +         from @office\n"
        "  +     }\n"
        "  +     default drop\n"
        "  + }\n"))


def test_second_apply_says_only_what_changed(quiet):
    quiet.box.apply(policy("block { from 192.0.2.0/24; to 198.51.100.9 }"))
    result = quiet.box.apply(policy("block { from 192.0.2.0/24; to 198.51.100.10 }", "default drop"))
    assert result.stdout == ("generation 2, was 1\n"
                             "    interface eth0 {\n"
                             "        block {\n"
                             "  -         to 198.51.100.9\n"
                             "  +         to 198.51.100.10\n"
                             "  -     default pass\n"
                             "  +     default drop\n")


def test_change_of_two_interfaces_says_what_changed_on_which(two):
    two.apply(policy() + policy("default drop", interface="eth1"))
    result = two.apply(policy("default drop") + policy(interface="eth1"))
    assert result.stdout == ("generation 2, was 1\n"
                             "    interface eth0 {\n  -     default pass\n  +     default drop\n"
                             "    interface eth1 {\n  -     default drop\n  +     default pass\n")


def test_another_interface_is_shown_whole(two):
    two.apply(policy("default drop"))
    out, into = policy("default drop"), policy(interface="eth1")
    result = two.apply(into)
    lines = result.stdout.splitlines()
    assert lines[:3] == ["generation 2, was 1", "  ~ attached to 1 interface that had no program of Sluice",
                         "  - interface eth0 {"]
    assert [line[:3] for line in lines[2:]] == ["  -"] * 6 + ["  +"] * 6
    assert out != into


@pytest.mark.parametrize("verb", ["check", "apply"])
def test_set_that_is_empty_or_unused_is_warned_of(quiet, verb):
    quiet.lab.file("list.txt", "# nothing arrived\n")
    path = quiet.lab.file("warn.policy", 'set list file "list.txt"\nset spare { 192.0.2.0/24 }\n' +
                          policy("block { from @list }"))
    result = quiet.box.sluice(verb, path)
    assert result.stderr == (f"{path}:1:5: warning: set list is empty\n"
                             f"{path}:2:5: warning: nothing uses set spare\n")


def test_apply_twice_changes_nothing_the_second_time(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.send(quiet.ethernet(type=0x88cc) / bytes(50))
    before = snapshot(quiet.box, "eth0")
    result = quiet.box.apply(policy(BLOCK))
    assert (result.stdout, result.stderr) == ("nothing to change: generation 1 runs\n", "")
    assert snapshot(quiet.box, "eth0") == before


def test_reformatted_policy_changes_lines_not_rules(quiet):
    """Its rules have moved to other lines, which counters and explanations name: that is a change, and a quiet one."""
    quiet.box.apply(policy(BLOCK))
    result = quiet.box.apply("# a comment\n\n" + policy(BLOCK))
    assert result.stdout == "generation 2, was 1\n  ~ only where rules stand: their lines, or the name of the file\n"
    assert list(quiet.box.stats()["rules"])[0].endswith("test.policy:5")


def test_changed_set_file_is_noticed(scene):
    prefixes = scene.lab.file("bogons.txt", "203.0.113.0/24\n")
    text = 'set bogons file "bogons.txt"\n' + policy("block { from @bogons }")
    scene.box.apply(text)
    assert scene.ping(BLOCKED4, BOX4)
    with open(prefixes, "a") as file:
        file.write("192.0.2.0/24  # more of them\n")
    result = scene.box.apply(text)
    assert result.stdout == "generation 2, was 1\n  ~ set bogons: 2 prefixes, was 1\n"
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.box.apply(text).stdout == "nothing to change: generation 2 runs\n"
    with open(prefixes, "w") as file:
        file.write("203.0.113.0/24\n198.18.0.0/15\n")
    assert scene.box.apply(text).stdout == "generation 3, was 2\n  ~ set bogons: 2 prefixes, was 2\n"
    assert scene.ping(BLOCKED4, BOX4)


def test_rewritten_but_equal_set_file_is_no_change(quiet):
    quiet.lab.file("bogons.txt", "203.0.113.0/24\n")
    text = 'set bogons file "bogons.txt"\n' + policy("block { from @bogons }")
    quiet.box.apply(text)
    quiet.lab.file("bogons.txt", "# the same\n  203.0.113.0/24\n\n")
    assert quiet.box.apply(text).stdout == "nothing to change: generation 1 runs\n"


def test_same_policy_from_another_file_is_a_change_of_its_path(quiet):
    quiet.box.apply(policy(BLOCK))
    result = quiet.box.apply(policy(BLOCK), name="other.policy")
    assert result.stdout == "generation 2, was 1\n  ~ only where rules stand: their lines, or the name of the file\n"
    assert quiet.box.show()["current"]["path"].endswith("/other.policy")


def test_two_interfaces_have_programs_of_their_own(two):
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    assert two.program("eth0") and two.program("eth1") and two.program("eth0") != two.program("eth1")
    assert [(i["interface"], i["generation"]) for i in two.show()["interfaces"]] == [("eth0", 1), ("eth1", 1)]


def test_interface_that_the_policy_drops_is_let_go(two):
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    link = two.show()["interfaces"][0]["link"]
    result = two.apply(policy(BLOCK))
    assert two.program("eth1") is None and two.program("eth0") is not None
    assert "  - interface eth1 {\n" in result.stdout
    assert [(i["interface"], i["generation"], i["link"]) for i in two.show()["interfaces"]] == [("eth0", 2, link)]


def test_interface_that_the_policy_adds_joins(two):
    two.apply(policy(BLOCK))
    link = two.show()["interfaces"][0]["link"]
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    shown = two.show()["interfaces"]
    assert [(i["interface"], i["generation"]) for i in shown] == [("eth0", 2), ("eth1", 2)]
    assert shown[0]["link"] == link  # swapped, not attached anew


def test_second_interface_missing_leaves_the_first_as_it_was(two):
    two.apply(policy(BLOCK))
    before = snapshot(two, "eth0")
    result = two.apply(policy() + policy(interface="eth7"), check=False)
    path = f"{two.lab.folder.name}/test.policy"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", (
        f'{path}:4:11: error: there is no interface "eth7" here\n'
        "     4 | interface eth7 {\n"
        "       |           ^\n"
        'did you mean "eth0"?\n'))
    assert snapshot(two, "eth0") == before


def test_second_interface_with_a_foreign_program_leaves_the_first_as_it_was(two, foreign_object):
    two.apply(policy(BLOCK))
    foreign.by_ip(two, "eth1", foreign_object)
    before = snapshot(two, "eth0", "eth1")
    result = two.apply(policy() + policy(interface="eth1"), check=False)
    assert result.returncode == 1 and "eth1 already has an XDP program" in result.stderr
    assert snapshot(two, "eth0", "eth1") == before


def test_second_interface_refused_by_the_kernel_leaves_the_first_as_it_was(two):
    """The refusal comes only when the first one has been swapped already: it is swapped back."""
    two.ip("link", "add", "odd0", "type", "bridge")
    two.apply(policy(BLOCK))
    before = snapshot(two, "eth0", "odd0")
    result = two.apply(policy("default drop") + policy(interface="odd0"), check=False)
    assert result.returncode == 1 and "Underlying driver does not support XDP" in result.stderr
    assert snapshot(two, "eth0", "odd0") == before


def test_first_apply_with_a_refused_interface_attaches_none(two):
    two.ip("link", "add", "odd0", "type", "bridge")
    result = two.apply(policy(BLOCK) + policy(interface="eth1") + policy(interface="odd0"), check=False)
    assert result.returncode == 1
    assert [two.program(name) for name in ("eth0", "eth1", "odd0")] == [None, None, None]
    assert two.lab.pinned() == []


def test_policy_with_an_error_changes_nothing(quiet):
    quiet.box.apply(policy(BLOCK))
    before = snapshot(quiet.box, "eth0")
    result = quiet.box.apply(policy("block { from @nobody }"), check=False)
    assert result.returncode == 1 and "unknown set @nobody" in result.stderr
    assert snapshot(quiet.box, "eth0") == before


def test_rollback_there_and_back(scene):
    scene.box.apply(policy(BLOCK))
    first = scene.box.program("eth0")
    scene.box.apply(policy())
    second = scene.box.program("eth0")
    assert scene.ping(BLOCKED4, BOX4)

    result = scene.box.sluice("rollback")
    assert result.stdout == ("generation 1, was 2\n    interface eth0 {\n  +     block {\n"
                             "  +         from 192.0.2.0/24, 2001:db8:bad::/48\n  +     }\n")
    assert scene.box.program("eth0") == first
    assert not scene.ping(BLOCKED4, BOX4) and scene.ping(CLIENT4, BOX4)
    shown = scene.box.show()
    assert (shown["current"]["number"], shown["previous"]["number"]) == (1, 2)

    assert scene.box.sluice("rollback").stdout.startswith(
        "generation 2, was 1\n    interface eth0 {\n  -     block {\n")
    assert scene.box.program("eth0") == second
    assert scene.ping(BLOCKED4, BOX4)
    shown = scene.box.show()
    assert (shown["current"]["number"], shown["previous"]["number"]) == (2, 1)


def test_apply_after_rollback_goes_on_from_there(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.apply(policy())
    quiet.box.sluice("rollback")
    assert quiet.box.apply(policy(BLOCK)).stdout == "nothing to change: generation 1 runs\n"
    assert quiet.box.apply(policy("default drop")).stdout.startswith("generation 3, was 1\n")
    shown = quiet.box.show()
    assert (shown["current"]["number"], shown["previous"]["number"]) == (3, 1)
    assert quiet.box.sluice("rollback").stdout.startswith("generation 1, was 3\n")


def test_rollback_brings_back_and_lets_go_of_interfaces(two):
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    programs = two.program("eth0"), two.program("eth1")
    two.apply(policy())
    assert two.program("eth1") is None
    two.sluice("rollback")
    assert (two.program("eth0"), two.program("eth1")) == programs
    two.sluice("rollback")
    assert two.program("eth1") is None


def test_rollback_restores_set_files_as_they_were(scene):
    scene.lab.file("bogons.txt", "192.0.2.0/24\n")
    text = 'set bogons file "bogons.txt"\n' + policy("block { from @bogons }")
    scene.box.apply(text)
    scene.lab.file("bogons.txt", "203.0.113.0/24\n")
    scene.box.apply(text)
    assert scene.ping(BLOCKED4, BOX4)
    assert scene.box.sluice("rollback").stdout == "generation 1, was 2\n  ~ set bogons: 1 prefix, was 1\n"
    assert not scene.ping(BLOCKED4, BOX4)


def test_only_two_generations_stay(quiet):
    for i in range(5):
        quiet.box.apply(policy(f"block {{ from 192.0.2.{i} }}"))
    assert {pin.split("/")[2] for pin in quiet.lab.pinned() if "/generations/" in pin} == {"4", "5"}


def test_old_generations_are_freed(quiet):
    quiet.box.apply(policy(BLOCK))
    oldest = quiet.box.program("eth0")
    quiet.box.apply(policy("default drop"))
    assert quiet.box.run("bpftool", "prog", "show", "id", oldest, check=False).returncode == 0
    quiet.box.apply(policy())
    assert quiet.box.run("bpftool", "prog", "show", "id", oldest, check=False).returncode != 0


def test_down_of_one_interface_leaves_the_other(two):
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    program = two.program("eth0")
    assert two.sluice("down", "eth1").stdout == "detached from 1 interface\n"
    assert (two.program("eth0"), two.program("eth1")) == (program, None)
    assert [i["interface"] for i in two.show()["interfaces"]] == ["eth0"]
    assert two.sluice("down", "eth1", check=False).stderr == "sluice: nothing of Sluice runs on eth1\n"
    assert two.sluice("down", "eth0").stdout == "detached from 1 interface\n"
    assert two.lab.pinned() == []


def test_apply_after_down_of_one_interface_attaches_it_again(two):
    text = policy(BLOCK) + policy("default drop", interface="eth1")
    two.apply(text)
    two.sluice("down", "eth1")
    assert two.apply(text).stdout == (
        "generation 2, was 1\n  ~ attached to 1 interface that had no program of Sluice\n")
    assert two.program("eth0") and two.program("eth1")


def test_down_of_all_leaves_nothing(two):
    two.apply(policy(BLOCK) + policy("default drop", interface="eth1"))
    two.apply(policy() + policy(BLOCK, interface="eth1"))
    programs = [i["program"]["id"] for i in two.show()["interfaces"]]
    assert two.sluice("down").stdout == "detached from 2 interfaces\n"
    assert (two.program("eth0"), two.program("eth1")) == (None, None)
    assert two.lab.pinned() == []
    for program in programs:
        assert two.run("bpftool", "prog", "show", "id", program, check=False).returncode != 0


def test_down_with_nothing(quiet):
    for arguments, message in ((["down"], "sluice: nothing of Sluice runs here\n"),
                               (["down", "eth0"], "sluice: nothing of Sluice runs on eth0\n"),
                               (["down", "eth9"], "sluice: nothing of Sluice runs on eth9\n")):
        result = quiet.box.sluice(*arguments, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (1, "", message)
    assert quiet.lab.pinned() == []


def test_down_of_a_wrong_name_touches_nothing(quiet):
    quiet.box.apply(policy(BLOCK))
    before = snapshot(quiet.box, "eth0")
    assert quiet.box.sluice("down", "eth9", check=False).returncode == 1
    assert snapshot(quiet.box, "eth0") == before


def test_rollback_with_nothing(quiet):
    result = quiet.box.sluice("rollback", check=False)
    assert (result.returncode, result.stderr) == (
        1, "sluice: there is no previous generation to go back to\nnothing is applied\n")
    assert quiet.lab.pinned() == []
    quiet.box.apply(policy(BLOCK))
    before = snapshot(quiet.box, "eth0")
    result = quiet.box.sluice("rollback", check=False)
    assert (result.returncode, result.stderr) == (
        1, "sluice: there is no previous generation to go back to\ngeneration 1 is the only one\n")
    assert snapshot(quiet.box, "eth0") == before


def test_counters_outlive_apply_and_rollback(scene):
    scene.box.apply(policy(BLOCK))
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.ping(CLIENT4, BOX4)
    counts = scene.count()
    assert counts["drop"] == counts["block-source"] == (1, 98)
    scene.box.apply(policy(BLOCK, "fragments drop"))
    assert scene.count() == counts
    scene.box.sluice("rollback")
    assert scene.count() == counts
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.count()["block-source"] == scene.count()["test.policy:3"] == (2, 196)


def test_counters_begin_at_zero_after_down(scene):
    scene.box.apply(policy(BLOCK))
    assert not scene.ping(BLOCKED4, BOX4)
    scene.box.sluice("down")
    scene.box.apply(policy(BLOCK))
    assert "drop" not in scene.count()


def test_rule_with_the_same_text_keeps_its_count_and_a_new_one_starts_at_zero(scene):
    scene.box.apply(policy("block {", "from 192.0.2.0/24", "}"))
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.count()["test.policy:4"] == (1, 98)
    # the old rule moves down a line, a new one takes its place and more of its packets
    scene.box.apply(policy("block {", f"from {BLOCKED4}", "from 192.0.2.0/24", "to 203.0.113.1", "}"))
    counts = scene.count()
    assert counts["test.policy:5"] == (1, 98)
    assert "test.policy:4" not in counts and "test.policy:6" not in counts
    assert not scene.ping(BLOCKED4, BOX4)
    counts = scene.count()
    assert (counts["test.policy:4"], counts["test.policy:5"]) == ((1, 98), (1, 98))


def test_slot_of_a_removed_rule_is_kept_while_rollback_could_bring_it_back(scene):
    scene.box.apply(policy("block { from 192.0.2.0/24 }"))
    assert not scene.ping(BLOCKED4, BOX4)
    scene.box.apply(policy("block { from 192.0.2.64/26 }"))  # a new rule: a slot of its own
    assert "test.policy:3" not in scene.count()
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.count()["test.policy:3"] == (1, 98)
    scene.box.sluice("rollback")
    assert scene.count()["test.policy:3"] == (1, 98)  # what it had counted itself
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.count()["test.policy:3"] == (2, 196)
    scene.box.sluice("rollback")
    assert scene.count()["test.policy:3"] == (1, 98)


def test_slot_that_nobody_remembers_is_cleared_before_it_is_used_again(scene):
    scene.box.apply(policy("block { from 192.0.2.0/24 }"))
    assert not scene.ping(BLOCKED4, BOX4)
    for i in range(3):
        scene.box.apply(policy(f"block {{ to 203.0.113.{i} }}"))
        assert "test.policy:3" not in scene.count()
    scene.box.apply(policy("block { from 192.0.2.0/24 }"))  # forgotten since: begins anew
    assert "test.policy:3" not in scene.count()


def test_set_counters_follow_the_set_not_the_line(scene):
    scene.box.apply("set bad { 192.0.2.0/24 }\n" + policy("block { from @bad }"))
    assert not scene.ping(BLOCKED4, BOX4)
    assert scene.count()["bad"] == (1, 98)
    scene.box.apply("set other { 203.0.113.0/24 }\nset bad { 192.0.2.0/25 }\n" + policy("block { from @other, @bad }"))
    assert scene.count()["bad"] == (1, 98)
    assert "other" not in scene.count()


def test_interface_back_after_being_dropped_counts_on_while_rollback_could_bring_it_back(two):
    both = policy(BLOCK) + policy("default drop", interface="eth1")
    two.apply(both)
    client = two.lab.hosts[1].wire("eth1")
    client.send(bytes(12) + b"\x88\xcc" + bytes(50))
    assert two.stats("eth1")["verdicts"]["drop"]["packets"] == 1
    two.apply(policy(BLOCK))
    two.sluice("rollback")
    assert two.stats("eth1")["verdicts"]["drop"]["packets"] == 1


def test_policy_of_one_interface_may_be_as_long_as_the_limit_says(quiet):
    """1024 rules, twice over, so that running, previous and new need slots of their own."""
    def rules(network):
        return policy("block {", *(f"from 10.{network}.{i // 256}.{i % 256}" for i in range(1024)), "}")
    for network in (1, 2, 3, 4):
        quiet.box.apply(rules(network))
    frame = quiet.ethernet(type=0x0800) / bytes.fromhex("4500001400000000" "40fd" "0000" "0a0403ff" "0a000001")
    assert quiet.send(frame) == []
    assert list(quiet.count())[-1] == "test.policy:1027"
    too_many = policy("block {", *(f"from 10.5.{i // 256}.{i % 256}" for i in range(1025)), "}")
    result = quiet.box.apply(too_many, check=False)
    path = f"{quiet.lab.folder.name}/test.policy"
    assert (result.returncode, result.stderr) == (1, (
        f'{path}:3:5: error: interface "eth0" has 1025 block rules; the limit is 1024\n'
        "     3 |     block {\n"
        "       |     ^\n"
        "put the prefixes into a set: a set of any size is one rule\n"))

# SPDX-License-Identifier: BSD-2-Clause
"""`set reload`: what changed in the files of static sets is judged by at once, and nothing else changes."""
import os

import pytest

from scene import BLOCKED4, BOX4, policy
from twins import Twins

LIST = 'set banned file "banned.txt"\nset others file "others.txt"\nset fast dynamic size 10\nset few { 203.0.113.0/24 }\n'
TEXT = LIST + policy("block { from @banned, @others, @fast, @few }")


@pytest.fixture
def listed(scene):
    """A generation 2 whose set `banned` does not have the client's second address, and does after `reload`."""
    scene.lab.file("banned.txt", "203.0.113.1\n")
    scene.lab.file("others.txt", "203.0.113.2\n")
    scene.box.apply(policy())
    scene.path = scene.lab.file("listed.policy", TEXT)
    scene.box.sluice("apply", scene.path)
    return scene


def reload(scene, *names):
    return scene.box.sluice("set", "reload", *names, check=False)


def refused(scene, result, *words):
    assert result.returncode == 1 and result.stdout == "", result
    assert all(word in result.stderr for word in words), result.stderr
    assert scene.ping(BLOCKED4, BOX4)


@pytest.mark.parametrize("names", [("banned",), ()])
def test_reload_blocks_and_allows_what_the_file_says(listed, names):
    before = listed.box.show()
    assert listed.ping(BLOCKED4, BOX4)
    listed.lab.file("banned.txt", "203.0.113.1\n192.0.2.0/24\n")
    result = reload(listed, *names)
    assert (result.returncode, result.stdout) == (0, "set banned: 2 prefixes, 1 before\n"), result.stderr
    assert not listed.ping(BLOCKED4, BOX4)
    after = listed.box.show()
    assert after["current"]["number"] == before["current"]["number"] == 2
    assert after["previous"] == before["previous"]
    assert after["current"]["sets"]["banned"] == 2
    assert after["interfaces"][0]["link"] == before["interfaces"][0]["link"]
    listed.lab.file("banned.txt", "")
    assert "0 prefixes, 2 before" in reload(listed, *names).stdout
    assert listed.ping(BLOCKED4, BOX4)


def test_counters_and_dynamic_entries_survive_and_rollback_leads_where_it_led(listed):
    listed.box.sluice("set", "add", "fast", "192.0.2.0/24")
    assert not listed.ping(BLOCKED4, BOX4)
    count = listed.box.stats()["reasons"]["block-source"]["packets"]
    assert count > 0
    listed.lab.file("banned.txt", "203.0.113.7\n")
    assert reload(listed).returncode == 0
    assert listed.box.stats()["reasons"]["block-source"]["packets"] == count
    assert not listed.ping(BLOCKED4, BOX4)
    listed.box.sluice("rollback")
    assert listed.box.show()["current"]["number"] == 1
    assert listed.ping(BLOCKED4, BOX4)
    listed.box.sluice("rollback")
    assert listed.box.show()["current"]["sets"]["banned"] == 1


def test_nothing_changed_says_so(listed):
    before = listed.box.show()
    assert reload(listed).stdout == "unchanged\n"
    assert listed.box.show() == before


def test_another_file_that_changed_is_not_taken_along(listed):
    before = listed.box.show()
    listed.lab.file("banned.txt", "203.0.113.7\n")
    listed.lab.file("others.txt", "192.0.2.0/24\n")
    refused(listed, reload(listed, "banned"), 'the file of set "others" has changed too', "name it as well")
    assert listed.box.show() == before
    assert reload(listed, "banned", "others").returncode == 0
    assert not listed.ping(BLOCKED4, BOX4)


def test_a_policy_that_changed_has_to_be_applied(listed):
    listed.lab.file("banned.txt", "192.0.2.0/24\n")
    listed.lab.file("listed.policy", TEXT.replace("mode", "fragments drop\nmode"))
    refused(listed, reload(listed), "listed.policy has changed since generation 2", "sluice apply ")


def test_sets_without_a_file_are_refused(listed):
    refused(listed, reload(listed, "fast"), 'set "fast" is not kept in a file')
    refused(listed, reload(listed, "few"), 'set "few" is not kept in a file')
    refused(listed, reload(listed, "fasst"), 'there is no set "fasst"')


def test_a_file_that_is_wrong_or_gone_changes_nothing(listed):
    before = listed.box.show()
    listed.lab.file("banned.txt", "192.0.2.0/24\nnonsense\n")
    refused(listed, reload(listed, "banned"), "banned.txt:2:1")
    assert listed.box.show() == before


def test_where_nothing_runs_nothing_is_reloaded(scene):
    result = reload(scene)
    assert result.returncode == 1 and "nothing of Sluice runs here" in result.stderr


def test_an_interface_that_was_let_go_stays_so(lab):
    twins = Twins(lab)
    lab.file("banned.txt", "203.0.113.1\n")
    block = "block { from @banned }"
    path = lab.file("two.policy", 'set banned file "banned.txt"\n' + policy(block) + policy(block, interface="eth1"))
    twins.apply(path)
    twins.box.sluice("down", "eth1")
    before = twins.programs()
    lab.file("banned.txt", "203.0.113.2\n")
    result = twins.box.sluice("set", "reload", check=False)
    assert result.returncode == 1 and "does not run on all its interfaces" in result.stderr
    assert twins.programs() == before and before[1] is None


def test_files_are_looked_for_where_apply_looked(scene):
    """A policy behind a symbolic link has its set files beside the link."""
    scene.lab.file("banned.txt", "203.0.113.1\n")
    folder = os.path.join(scene.lab.folder.name, "elsewhere")
    os.mkdir(folder)
    for name, text in (("linked.policy", 'set banned file "banned.txt"\n' + policy("block { from @banned }")),
                       ("banned.txt", "192.0.2.0/24\n")):
        with open(os.path.join(folder, name), "w") as out:
            out.write(text)
    link = os.path.join(scene.lab.folder.name, "link.policy")
    os.symlink(os.path.join(folder, "linked.policy"), link)
    scene.box.sluice("apply", link)
    assert scene.box.sluice("set", "reload").stdout == "unchanged\n"
    scene.lab.file("banned.txt", "203.0.113.1\n203.0.113.2\n")
    assert scene.box.sluice("set", "reload").stdout == "set banned: 2 prefixes, 1 before\n"

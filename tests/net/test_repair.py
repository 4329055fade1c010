# SPDX-License-Identifier: BSD-2-Clause
"""Pins that somebody took away, changes that were cut off, interfaces that changed their name: what runs goes on, and the
next command copes."""
import os
import shutil
import subprocess

import pytest

from lab import SLUICE, sh, wait_until
from scene import BLOCK, Scene, policy

OTHER = "block { from 198.18.0.0/15 }"


def folder(lab, ending):
    return next(os.path.join(root, name) for root, names, _ in os.walk(lab.pins) for name in names
                if os.path.join(root, name).endswith(ending))


def refused(scene, text):
    result = scene.box.apply(text, name="refused.policy", check=False)
    assert result.returncode == 1
    return result.stderr


def test_failing_apply_leaves_a_program_that_no_generation_knows(quiet):
    quiet.box.apply(policy(BLOCK))
    running = quiet.box.program("eth0")
    shutil.rmtree(folder(quiet.lab, "/generations/1"))
    refused(quiet, policy(BLOCK) + policy(interface="nowhere0"))
    assert quiet.box.program("eth0") == running
    assert quiet.box.sluice("rollback", check=False).returncode == 1
    assert quiet.box.program("eth0") == running
    quiet.box.apply(policy(OTHER))
    assert quiet.box.show()["current"]["number"] == 1


def test_going_back_needs_no_pin_of_the_old_program(quiet):
    quiet.box.ip("link", "add", "bridge0", "type", "bridge")
    quiet.box.apply(policy(BLOCK))
    running = quiet.box.program("eth0")
    os.unlink(folder(quiet.lab, "/generations/1") + "/description")
    assert "bridge0" in refused(quiet, policy(OTHER) + policy(interface="bridge0"))  # eth0 has been swapped by then
    assert quiet.box.program("eth0") == running


def test_applying_once_more_to_repair_keeps_the_way_back(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.apply(policy(OTHER))
    shutil.rmtree(folder(quiet.lab, "/state/eth0"))
    quiet.box.apply(policy(OTHER))
    assert quiet.box.show()["previous"]["number"] == 1
    quiet.box.sluice("rollback")
    assert "from 192.0.2.0/24" in quiet.box.show()["current"]["policy"]


def test_another_spelling_of_the_path_is_the_same_policy(quiet):
    path = quiet.lab.file("test.policy", policy(BLOCK))
    quiet.box.sluice("apply", path)
    running = quiet.box.program("eth0")
    result = quiet.box.sluice("apply", os.path.join(os.path.dirname(path), ".", "test.policy"))
    assert result.stdout == "nothing to change: generation 1 runs\n"
    assert quiet.box.program("eth0") == running


def test_link_pinned_under_another_name_is_no_crash(quiet):
    quiet.box.apply(policy(BLOCK))
    links = folder(quiet.lab, "/links")
    os.rename(f"{links}/eth0", f"{links}/z")
    for verb in ("show", "stats"):
        assert quiet.box.sluice(verb, check=False).returncode in (0, 1), verb
    quiet.box.sluice("down")
    assert quiet.box.program("eth0") is None


def test_renamed_interface_is_named_by_both_names(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.ip("link", "set", "eth0", "down")
    quiet.box.ip("link", "set", "eth0", "name", "lan0")
    assert refused(quiet, policy(BLOCK, interface="lan0")) == (
        "sluice: Sluice runs on lan0 already, under the name eth0 that it had\nsluice down eth0, then apply\n")
    quiet.box.sluice("down", "eth0")
    quiet.box.apply(policy(BLOCK, interface="lan0"))
    assert quiet.box.program("lan0")


def test_pins_of_a_namespace_that_is_gone_are_removed_by_the_next_change(lab):
    gone = Scene(lab, ipv6=False)
    gone.box.apply(policy(BLOCK))
    before = set(os.listdir(lab.pins))
    sh("ip", "netns", "del", gone.box.netns)
    lab.hosts.remove(gone.box)
    # The kernel takes a namespace down in its own time, and the other end of its cable with it.
    assert wait_until(lambda: gone.client.ip("link", "show", "dev", "eth0", check=False).returncode, seconds=30)
    stranger = lab.host("stranger", ipv6=False)
    lab.cable(stranger, "eth0", lab.host("peer", ipv6=False), "eth0")
    stranger.apply(policy(BLOCK))
    assert len(before) == 1 and len(os.listdir(lab.pins)) == 1
    assert not before & set(os.listdir(lab.pins))


@pytest.mark.parametrize("process", [False, True])
def test_a_namespace_without_interfaces_keeps_its_sets(lab, process):
    """Its only interface was deleted, and will come back. The namespace is known by its mount, or by who is in it."""
    lonely, stranger = Scene(lab, ipv6=False), lab.host("stranger", ipv6=False)
    lab.cable(stranger, "eth0", lab.host("peer", ipv6=False), "eth0")
    lonely.box.apply("set banned dynamic size 10 timeout never\n" + policy("block { from @banned }"))
    lonely.box.sluice("set", "add", "banned", "192.0.2.1")
    inside = lab.keep(lonely.box.start("sleep", "60"))
    lonely.box.ip("link", "del", "eth0")
    if process:
        os.symlink(f"/proc/{inside.pid}/ns/net", f"{lab.folder.name}/net")
        sh("ip", "netns", "del", lonely.box.netns)
    else:
        inside.kill()
        inside.wait()
    stranger.apply(policy(BLOCK))
    stranger.apply(policy("block { from 192.0.2.7 }"))
    assert len(os.listdir(lab.pins)) == 2
    listed = sh("nsenter", f"--net={lab.folder.name}/net" if process else f"--net=/run/netns/{lonely.box.netns}",
                SLUICE, "set", "list", "banned", env=lab.environment)
    assert listed.stdout == "192.0.2.1 timeout never\n"
    if process:
        lab.hosts.remove(lonely.box)
        inside.kill()
        inside.wait()

        def removed():
            stranger.apply(policy(BLOCK))
            stranger.apply(policy("block { from 192.0.2.7 }"))
            return len(os.listdir(lab.pins)) == 1
        assert wait_until(removed)


def test_folder_named_like_the_interface_is_no_policy(quiet):
    quiet.box.apply(policy(BLOCK))
    os.mkdir(os.path.join(quiet.lab.folder.name, "eth0"))
    result = quiet.box.sluice("explain", "eth0", "udp 192.0.2.1:1 > 192.0.2.2:2", cwd=quiet.lab.folder.name)
    assert "verdict   drop" in result.stdout


def test_rules_on_one_line_keep_all_their_texts(quiet):
    quiet.box.apply(policy("block { from 10.0.0.10, 10.0.0.1 }"))
    rule = quiet.box.stats()["rules"]
    assert [entry["text"] for entry in rule.values()] == ["from 10.0.0.10; from 10.0.0.1"]


def test_policy_from_a_pipe_is_reported_without_waiting(quiet):
    path = os.path.join(quiet.lab.folder.name, "pipe.policy")
    os.mkfifo(path)
    writer = subprocess.Popen(["sh", "-c", f"echo 'interface a {{ blok }}' > {path}"])
    result = sh(SLUICE, "check", path, check=False, timeout=10)
    writer.wait(timeout=10)
    assert (result.returncode, result.stderr) == (
        1, f"{path}:1:15: error: unknown word `blok`\ndid you mean `block`?\n")


def test_error_in_a_long_line_shows_the_part_around_it(quiet):
    prefixes = ", ".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(20000))
    path = quiet.lab.file("long.policy", f"interface a {{ block {{ from {{ {prefixes}, 10.0.0.1/24 }} }} }}")
    result = sh(SLUICE, "check", path, check=False)
    message, line, caret, *hint = result.stderr.splitlines()
    assert "10.0.0.1/24 has host bits set" in message
    assert len(line) < 200
    assert line[caret.index("^"):].startswith("10.0.0.1/24")


def test_policy_name_that_no_json_can_hold_is_refused(quiet):
    path = os.fsencode(quiet.lab.folder.name) + b"/p\xff.policy"
    with open(path, "w") as out:
        out.write(policy(BLOCK))
    result = subprocess.run([SLUICE, "check", path], capture_output=True, timeout=10)
    assert (result.returncode, result.stderr) == (1, b"sluice: the name of the policy file is not UTF-8\n")


def test_small_change_of_a_long_list_is_a_small_difference(quiet):
    prefixes = [f"10.{i // 256}.{i % 256}.0/24" for i in range(20000)]
    quiet.box.apply("set long { " + ", ".join(prefixes) + " }\n" + policy("block { from @long }"))
    command = ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", SLUICE, "-n", quiet.box.netns, "apply",
               quiet.lab.file("test.policy", "set long { " + ", ".join(prefixes[:9000] + prefixes[9001:]) + " }\n" +
                              policy("block { from @long }"))]
    result = sh(*command, env=quiet.lab.environment)
    assert result.stdout.startswith("generation 2, was 1\n")
    assert len(result.stdout.splitlines()) < 10


def test_lost_output_is_no_success(quiet):
    quiet.box.apply(policy(BLOCK))
    for verb in (["show"], ["show", "-j"], ["stats"], ["stats", "-j"], ["stats", "--watch", "0.1"]):
        with open("/dev/full", "w") as full:
            result = subprocess.run([SLUICE, "-n", quiet.box.netns, *verb], env=quiet.lab.environment, stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=10)
        assert (result.returncode, result.stderr) == (1, "sluice: cannot write all of the output\n"), verb


def test_names_in_a_policy_are_utf8(quiet):
    path = os.path.join(quiet.lab.folder.name, "latin.policy")
    with open(path, "wb") as out:
        out.write(b'# caf\xe9\nset x file "caf\xe9.txt"\ninterface a { }\n')
    result = sh(SLUICE, "check", path, check=False)
    assert result.returncode == 1 and result.stderr.startswith(f"{path}:2:"), result.stderr
    assert "UTF-8" in result.stderr


def test_a_lock_that_is_not_given_back_is_told_with_who_holds_it(scene):
    scene.box.apply(policy(BLOCK))
    holder = scene.lab.keep(subprocess.Popen(["flock", "--no-fork", scene.lab.pins, "sleep", "120"],
                                             start_new_session=True))
    wait_until(lambda: sh("flock", "-n", scene.lab.pins, "true", check=False).returncode)
    waiting = [subprocess.Popen([SLUICE, "-n", scene.box.netns, verb], env=scene.lab.environment,
                                stderr=subprocess.PIPE, text=True) for verb in ("show", "rollback")]
    for process in waiting:
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (
            1, f"sluice: {scene.lab.pins} is locked for 30 seconds by now\n"
            f"process {holder.pid} does not give it back; when it is stopped: kill -CONT {holder.pid}\n")

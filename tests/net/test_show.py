# SPDX-License-Identifier: BSD-2-Clause
"""show: what runs, since when, made from what; as text and as JSON, and as the kernel says it too."""
import json
import re
import time

import pytest

from scene import BLOCK, policy


def test_nothing(quiet):
    result = quiet.box.sluice("show")
    assert (result.stdout, result.stderr) == ("nothing of Sluice runs here\n", "")
    assert json.loads(quiet.box.sluice("show", "-j").stdout) == {"interfaces": [], "remains": False}
    assert quiet.lab.pinned() == []


def kernel_says(host, program):
    return json.loads(host.run("bpftool", "-j", "prog", "show", "id", program).stdout)


def test_json_is_what_the_kernel_says(quiet):
    quiet.box.apply(policy(BLOCK))
    shown = quiet.box.show()
    assert list(shown) == ["interfaces", "current", "remains"]
    interface, = shown["interfaces"]
    program = kernel_says(quiet.box, quiet.box.program("eth0"))
    link = json.loads(quiet.box.run("bpftool", "-j", "link", "show", "id", interface["link"]).stdout)
    assert (link["type"], link["prog_id"]) == ("xdp", program["id"])
    assert interface.pop("map_bytes") == pytest.approx(sum(
        json.loads(quiet.box.run("bpftool", "-j", "map", "show", "id", i).stdout)["bytes_memlock"]
        for i in program["map_ids"]), rel=0.05)
    verified = interface["program"].pop("verified_instructions")
    assert 100 < verified < 1_000_000
    assert interface == {
        "interface": "eth0", "ifindex": quiet.box.link("eth0")["ifindex"], "link": link["id"], "generation": 1,
        "mode": "native", "program": {"id": program["id"], "name": "sluice", "tag": program["tag"],
                                      "translated_bytes": program["bytes_xlated"],
                                      "machine_code_bytes": program["bytes_jited"]}}


def test_json_of_the_generations(quiet):
    started = time.time()
    quiet.box.apply("set office { 192.0.2.1, 192.0.2.2 }\n" + policy("block { from @office }"), name="one.policy")
    quiet.lab.file("bogons.txt", "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n")
    quiet.box.apply('set bogons file "bogons.txt"\n' + policy("block { from @bogons }"), name="two.policy")
    shown = quiet.box.show()
    assert list(shown) == ["interfaces", "current", "previous", "remains"]
    for title, number, name, sets in (("current", 2, "two", {"bogons": 3}), ("previous", 1, "one", {"office": 2})):
        generation = shown[title]
        applied = time.strptime(generation["applied"], "%Y-%m-%dT%H:%M:%SZ")
        offset = time.mktime(time.gmtime(started)) - started
        assert started - 2 < time.mktime(applied) - offset < time.time() + 2
        assert (generation["number"], generation["sets"]) == (number, sets)
        assert generation["path"] == f"{quiet.lab.folder.name}/{name}.policy"
        assert list(generation) == ["number", "path", "applied", "sets", "dynamic_sets", "policy"]


def test_policy_in_json_is_whole_and_can_be_applied(quiet):
    quiet.box.apply("set office { 192.0.2.1 }\n" + policy("fragments drop", "block { from @office; to 10.0.0.1 }"))
    policy_shown = quiet.box.show()["current"]["policy"]
    result = quiet.box.apply(policy_shown, name="shown.policy")
    # Another path, not a line of difference.
    assert result.stdout == (
        "generation 2, was 1\n  ~ only where rules stand: their lines, or the name of the file\n")


def test_text(quiet):
    quiet.lab.file("bogons.txt", "10.0.0.0/8\n172.16.0.0/12\n")
    quiet.box.apply('set bogons file "bogons.txt"\n' + policy("block { from @bogons }"))
    quiet.box.apply(policy(BLOCK))
    interface = quiet.box.show()["interfaces"][0]
    program = interface["program"]
    path = f"{quiet.lab.folder.name}/test.policy"
    text = quiet.box.sluice("show").stdout
    assert re.sub(r"applied \S+Z", "applied TIME", text) == (
        "eth0  native  generation 2\n"
        f"  program id {program['id']}  name sluice  tag {program['tag']}  link id {interface['link']}\n"
        f"  {program['verified_instructions']} instructions verified, "
        f"{program['machine_code_bytes']} bytes of machine code, "
        f"{interface['map_bytes'] // 1024} KiB of maps\n"
        f"current  generation 2  {path}  applied TIME\n"
        f"previous generation 1  {path}  applied TIME\n"
        "  set bogons  2 prefixes\n")


def test_interfaces_are_in_order_of_their_names(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    names = ["eth10", "eth2", "wan"]
    for name in names:
        lab.cable(box, name, client, name)
    box.apply("".join(policy(interface=name) for name in names))
    assert [i["interface"] for i in box.show()["interfaces"]] == ["eth2", "eth10", "wan"]


def test_after_rollback_the_one_that_ran_is_the_previous(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.apply(policy())
    quiet.box.sluice("rollback")
    shown = quiet.box.show()
    assert (shown["current"]["number"], shown["previous"]["number"]) == (1, 2)
    assert shown["interfaces"][0]["generation"] == 1


def test_show_and_stats_change_nothing(quiet):
    quiet.box.apply(policy(BLOCK))
    before = quiet.lab.pinned(), quiet.box.program("eth0"), quiet.box.stats()
    quiet.box.sluice("show")
    quiet.box.sluice("stats")
    assert (quiet.lab.pinned(), quiet.box.program("eth0"), quiet.box.stats()) == before


def test_explain_of_the_interface_is_not_counted(quiet):
    quiet.box.apply(policy(BLOCK))
    before = quiet.box.stats()
    result = quiet.box.sluice("explain", "eth0", "-j", "udp 192.0.2.66:1 > 198.51.100.1:53")
    explained = json.loads(result.stdout)
    assert (explained["verdict"], explained["reason"]) == ("drop", "block-source")
    assert explained["rule"] == f"{quiet.lab.folder.name}/test.policy:3"
    assert quiet.box.stats() == before
    assert quiet.box.program("eth0") == quiet.box.show()["interfaces"][0]["program"]["id"]

# SPDX-License-Identifier: BSD-2-Clause
"""Getting onto an interface: the mode that was asked for or none, and never in somebody else's place."""
import pytest

import foreign
from lab import SLUICE, sh
from scene import BLOCK, BOX4, CLIENT4, policy

XDP_MODES = {1: "native", 2: "generic", 3: "offload"}  # IFLA_XDP_ATTACHED


def mode_of(host, interface):
    """As ip says it, not as Sluice does."""
    return XDP_MODES[host.link(interface)["xdp"]["mode"]]


def refused_foreign(interface, program, mode, holders=""):
    return (f"sluice: interface {interface} already has an XDP program: "
            f"id {program}, name foreign{holders}, mode {mode}\n"
            f"Sluice never replaces it; detach it first (ip link set dev {interface} xdp off, "
            "or the program that holds its link)\n")


def test_native_is_what_nobody_has_to_ask_for(quiet):
    quiet.box.apply("interface eth0 { }\n")
    assert mode_of(quiet.box, "eth0") == "native"
    assert quiet.box.show()["interfaces"][0]["mode"] == "native"


def test_generic_when_asked_for(quiet):
    quiet.box.apply(policy(mode="generic"))
    assert mode_of(quiet.box, "eth0") == "generic"
    assert quiet.box.show()["interfaces"][0]["mode"] == "generic"


def test_offload_is_refused_on_a_card_that_cannot(quiet):
    result = quiet.box.apply(policy(mode="offload"), check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "Invalid argument" in result.stderr  # all that the kernel says of such a card
    assert "eth0" in result.stderr and "offload" in result.stderr
    assert "few network cards run BPF themselves; write `mode native`\n" in result.stderr
    assert quiet.box.program("eth0") is None
    assert quiet.lab.pinned() == []


@pytest.mark.parametrize("kind", ["bridge", "vxlan", "macvlan"])
def test_native_is_refused_where_the_driver_has_none(quiet, kind):
    options = {"bridge": [], "vxlan": ["id", "5", "dstport", "4789"], "macvlan": ["mode", "bridge"]}[kind]
    parent = ["link", "eth0"] if kind == "macvlan" else []
    quiet.box.ip("link", "add", *parent, "name", "odd0", "type", kind, *options)
    result = quiet.box.apply(policy(interface="odd0"), check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == (
        "sluice: the kernel refused to attach to odd0 in native mode: Operation not supported\n"
        "the kernel says: Underlying driver does not support XDP in native mode\n"
        "when the driver has no native XDP, write `mode generic` (works everywhere, slower)\n")
    assert quiet.box.program("odd0") is None  # no silent fallback
    assert quiet.lab.pinned() == []
    quiet.box.apply(policy(interface="odd0", mode="generic"))
    assert mode_of(quiet.box, "odd0") == "generic"


def test_the_drivers_own_words_are_passed_on(lab):
    """veth wants a receive queue for each transmit queue of its peer."""
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    sh("ip", "link", "add", "eth0", "netns", box.netns, "numrxqueues", 1, "type", "veth",
       "peer", "name", "eth0", "numtxqueues", 4, "netns", client.netns)
    client.run("ethtool", "-L", "eth0", "tx", 4)
    result = box.apply(policy(), check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "sluice: the kernel refused to attach to eth0 in native mode: No space left on device\n"
        "the kernel says: veth: XDP expects number of rx queues not less than peer tx queues\n"
        "when the driver has no native XDP, write `mode generic` (works everywhere, slower)\n")
    assert box.program("eth0") is None


def all_refuse(scene, program, message):
    """No verb touches the program, and apply says whose it is."""
    result = scene.box.apply(policy(BLOCK), check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)
    assert scene.box.sluice("show").stdout == "nothing of Sluice runs here\n"
    for verb in (["stats"], ["rollback"], ["down"], ["down", "eth0"]):
        assert scene.box.sluice(*verb, check=False).returncode == 1, verb
    assert scene.box.apply(policy(BLOCK, mode="generic"), check=False).stderr == message
    assert scene.box.program("eth0") == program
    assert not [pin for pin in scene.lab.pinned() if "eth0" in pin]


@pytest.mark.parametrize("kind, mode", [("xdpdrv", "native"), ("xdpgeneric", "generic")])
def test_program_attached_by_ip_is_left_alone(quiet, foreign_object, kind, mode):
    foreign.by_ip(quiet.box, "eth0", foreign_object, kind)
    program = quiet.box.program("eth0")
    all_refuse(quiet, program, refused_foreign("eth0", program, mode))


def test_program_attached_by_bpftool_is_left_alone(quiet, foreign_object, foreign_pin):
    foreign.by_bpftool(quiet.box, "eth0", foreign_object, foreign_pin)
    program = quiet.box.program("eth0")
    all_refuse(quiet, program, refused_foreign("eth0", program, "native", f", pinned at {foreign_pin}"))


def test_program_attached_by_xdp_loader_is_left_alone(quiet, foreign_object):
    foreign.by_xdp_loader(quiet.box, "eth0", foreign_object)
    program = quiet.box.program("eth0")
    all_refuse(quiet, program, refused_foreign("eth0", program, "native"))


def test_program_held_by_a_process_is_left_alone(quiet, foreign_object, foreign_pin):
    holder = foreign.by_process(quiet.box, "eth0", foreign_object, foreign_pin)
    program = quiet.box.program("eth0")
    all_refuse(quiet, program, refused_foreign(
        "eth0", program, "native", f", pinned at {foreign_pin}, held by process {holder.pid} (python3)"))


def test_program_of_a_link_pinned_elsewhere_is_left_alone(quiet):
    """The link of another Sluice, which keeps its pins in another folder."""
    elsewhere = dict(quiet.lab.environment, SLUICE_BPFFS=quiet.lab.pins + "-elsewhere")
    path = quiet.lab.file("elsewhere.policy", policy(BLOCK))
    quiet.box.sluice("apply", path, env=elsewhere)
    try:
        program = quiet.box.program("eth0")
        result = quiet.box.apply(policy(), check=False)
        assert result.returncode == 1
        assert f"already has an XDP program: id {program}, name sluice, pinned at {elsewhere['SLUICE_BPFFS']}/" in result.stderr
        assert "/links/eth0, pinned at " in result.stderr
        assert quiet.box.program("eth0") == program
        assert quiet.box.sluice("down", check=False).returncode == 1
        assert quiet.box.program("eth0") == program
    finally:
        quiet.box.sluice("down", env=elsewhere)


def test_others_cannot_replace_or_detach_ours(quiet, foreign_object):
    quiet.box.apply(policy(BLOCK))
    program = quiet.box.program("eth0")
    for arguments in (["xdp", "off"], ["xdpdrv", "off"], ["xdpdrv", "obj", foreign_object, "sec", "xdp"],
                      ["xdpgeneric", "obj", foreign_object, "sec", "xdp"]):
        assert quiet.box.ip("link", "set", "dev", "eth0", *arguments, check=False).returncode != 0
    assert quiet.box.program("eth0") == program


def test_the_interface_is_free_again_after_down(quiet, foreign_object):
    quiet.box.apply(policy(BLOCK))
    quiet.box.sluice("down")
    foreign.by_ip(quiet.box, "eth0", foreign_object)
    quiet.box.ip("link", "set", "dev", "eth0", "xdpdrv", "off")
    quiet.box.apply(policy(BLOCK))


def test_change_of_mode_is_refused_with_the_way_to_do_it(quiet):
    quiet.box.apply(policy(mode="native"))
    program, pins = quiet.box.program("eth0"), quiet.lab.pinned()
    result = quiet.box.apply(policy(mode="generic"), check=False)
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "sluice: eth0 runs in native mode; the policy says generic\n"
        "changing the mode means a moment without a program, so Sluice does not do it by itself: "
        "sluice down eth0, then apply\n")
    assert (quiet.box.program("eth0"), quiet.lab.pinned(), mode_of(quiet.box, "eth0")) == (program, pins, "native")
    quiet.box.sluice("down", "eth0")
    quiet.box.apply(policy(mode="generic"))
    assert mode_of(quiet.box, "eth0") == "generic"


@pytest.mark.parametrize("name", ["eth0.100", "a.b.c.d.e.f.g.h", "mode", "x@y", "br-lan_0"])
def test_names_that_an_interface_may_have(lab, name):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    lab.cable(box, name, client, "eth0")
    box.apply(policy(BLOCK, interface=f'"{name}"'))
    assert box.program(name) == box.show()["interfaces"][0]["program"]["id"]
    assert box.show()["interfaces"][0]["interface"] == name
    assert box.apply(policy(BLOCK, interface=f'"{name}"')).stdout == "nothing to change: generation 1 runs\n"
    box.apply(policy(interface=f'"{name}"'))
    box.sluice("rollback")
    assert box.stats(name)["verdicts"]["drop"] == {"packets": 0, "bytes": 0}
    assert box.sluice("down", name).stdout == "detached from 1 interface\n"
    assert box.program(name) is None
    assert lab.pinned() == []


def test_dotted_names_do_not_meet(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    names = ["eth0", "eth0.1", "eth0.10", "eth01"]
    for name in names:
        lab.cable(box, name, client, name)
    box.apply("".join(policy(interface=name) for name in names))
    assert sorted(i["interface"] for i in box.show()["interfaces"]) == sorted(names)
    box.sluice("down", "eth0.1")
    assert [box.program(name) is None for name in names] == [False, True, False, False]


def test_same_name_in_two_namespaces_is_two_interfaces(lab):
    first, second, client = (lab.host(name, ipv6=False) for name in ("first", "second", "client"))
    lab.cable(first, "eth0", client, "eth1")
    lab.cable(second, "eth0", client, "eth2")
    first.apply(policy(BLOCK))
    assert second.sluice("show").stdout == "nothing of Sluice runs here\n"
    second.apply(policy("default drop"))
    second.apply(policy())
    assert [i["generation"] for i in first.show()["interfaces"]] == [1]
    assert [i["generation"] for i in second.show()["interfaces"]] == [2]
    programs = first.program("eth0"), second.program("eth0")
    assert None not in programs and programs[0] != programs[1]
    second.sluice("down")
    assert first.program("eth0") == programs[0] and second.program("eth0") is None
    first.sluice("down")
    assert lab.pinned() == []


def test_deleted_interface_is_said_to_be_gone_and_cleaned_up(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.ip("link", "del", "eth0")
    shown = quiet.box.sluice("show").stdout.splitlines()
    assert shown[0] == "eth0  detached: the interface is gone, or someone detached the link; apply or down cleans up"
    assert quiet.box.show()["interfaces"][0]["ifindex"] == 0
    assert quiet.box.sluice("down").stdout == "detached from 1 interface\n"
    assert quiet.lab.pinned() == []


def test_recreated_interface_gets_its_program_again(scene):
    scene.box.apply(policy(BLOCK))
    scene.ping("192.0.2.66", BOX4)
    assert scene.count()["drop"][0] == 1
    scene.box.ip("link", "del", "eth0")
    scene.lab.cable(scene.box, "eth0", scene.client, "eth0")
    scene.box_mac, scene.client_mac = scene.box.mac("eth0"), scene.client.mac("eth0")
    scene.settle()
    assert scene.box.program("eth0") is None
    result = scene.box.apply(policy(BLOCK))
    assert not result.stdout.startswith("nothing to change")
    before = scene.count()
    assert scene.ping(CLIENT4, BOX4)
    assert not scene.ping("192.0.2.66", BOX4)
    assert scene.count(before)["block-source"] == (1, 98)
    assert scene.box.apply(policy(BLOCK)).stdout.startswith("nothing to change")


def test_rollback_goes_back_on_the_interfaces_that_are_there(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    lab.cable(box, "eth0", client, "eth0")
    lab.cable(box, "eth1", client, "eth1")
    box.apply(policy() + policy(interface="eth1"))
    box.apply(policy(BLOCK))
    assert "unguarded" not in box.show()
    box.ip("link", "del", "eth1")
    result = box.sluice("rollback")
    assert result.stderr == 'sluice: warning: there is no interface "eth1" here, and nothing guards it\n'
    assert box.show()["current"]["number"] == 1 and box.show()["interfaces"][0]["generation"] == 1
    assert box.show()["unguarded"] == ["eth1"]
    assert "eth1  nothing guards it: there is no such interface" in box.sluice("show").stdout
    lab.cable(box, "eth1", client, "eth1")
    assert "eth1  nothing guards it: apply the policy again" in box.sluice("show").stdout
    box.sluice("apply", lab.file("again.policy", box.show()["current"]["policy"]))
    assert "unguarded" not in box.show() and box.program("eth1")


def test_rollback_onto_nothing_but_deleted_interfaces_changes_nothing(lab):
    box, client = lab.host("box", ipv6=False), lab.host("client", ipv6=False)
    lab.cable(box, "eth0", client, "eth0")
    lab.cable(box, "eth1", client, "eth1")
    box.apply(policy(interface="eth1"))
    box.apply(policy(BLOCK))
    box.ip("link", "del", "eth1")
    program, pins = box.program("eth0"), lab.pinned()
    result = box.sluice("rollback", check=False)
    assert (result.returncode, result.stderr) == (
        1, 'sluice: there is no interface "eth1" here\ndid you mean "eth0"?\n')
    assert (box.program("eth0"), lab.pinned()) == (program, pins)


def test_renamed_interface_can_be_let_go(quiet):
    quiet.box.apply(policy(BLOCK))
    quiet.box.ip("link", "set", "dev", "eth0", "down")
    quiet.box.ip("link", "set", "dev", "eth0", "name", "lan0")
    assert quiet.box.program("lan0")
    quiet.box.sluice("down")
    assert quiet.box.program("lan0") is None
    assert quiet.lab.pinned() == []


HIDDEN = ('sluice: no BPF file system at /sys/fs/bpf in this mount namespace\n'
          '"ip netns exec" makes such a one, and what is pinned there is lost with it; use: sluice -n NETNS …\n')


@pytest.mark.parametrize("verb", [["apply", "POLICY"], ["rollback"], ["down"], ["show"], ["stats"]], ids=lambda v: v[0])
def test_ip_netns_exec_is_refused_because_pins_would_be_lost(quiet, verb):
    path = quiet.lab.file("test.policy", policy(BLOCK))
    quiet.box.sluice("apply", path)
    program, pins = quiet.box.program("eth0"), quiet.lab.pinned()
    command = [path if word == "POLICY" else word for word in verb]
    result = sh("ip", "netns", "exec", quiet.box.netns, SLUICE, *command, env=quiet.lab.environment, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", HIDDEN)
    assert (quiet.box.program("eth0"), quiet.lab.pinned()) == (program, pins)


def test_nothing_stays_pinned_after_a_first_apply_that_failed(quiet, foreign_object):
    foreign.by_ip(quiet.box, "eth0", foreign_object)
    assert quiet.box.apply(policy(), check=False).returncode == 1
    assert quiet.lab.pinned() == []

# SPDX-License-Identifier: BSD-2-Clause
"""apply refuses a policy that would cut the session which applies it. Each session here is a real TCP connection from the
client to a process in the box, which runs sluice as sshd would (shell.py)."""
import json
import os
import socket
import subprocess

import pytest

from lab import SLUICE, sh, wait_until
from scene import BLOCK, BLOCKED4, BLOCKED6, BOX4, BOX6, CLIENT4, policy

NOTHING = "nothing of Sluice runs here"
CUT = "this policy would cut the connection you apply it through, {} on {}: {}"


class Session:
    """From an address of the client to one of the box; `listen` is what the server listens on, if not that."""

    def __init__(self, scene, source, target, listen=None):
        self.lab, self.scene = scene.lab, scene
        self.process = scene.box.start("/usr/bin/python3", os.path.join(os.path.dirname(__file__), "shell.py"),
                                       listen or target, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        self.client = scene.client.socket(family, socket.SOCK_STREAM)
        with scene.client.inside():
            self.client.bind(socket.getaddrinfo(source, 0)[0][4])
            self.client.connect(socket.getaddrinfo(target, 22)[0][4])
        self.ssh_connection = self.process.stdout.readline().strip()
        self.port = self.client.getsockname()[1]

    def run(self, *command, **environment):
        """With no other environment than this; SLUICE_BPFFS has to be there."""
        environment["SLUICE_BPFFS"] = self.lab.pins
        self.process.stdin.write(json.dumps([command, environment]) + "\n")
        self.process.stdin.flush()
        return subprocess.CompletedProcess(command, *json.loads(self.process.stdout.readline()))

    def apply(self, text, *options, through=(), **environment):
        """`through`: words before sluice."""
        path = self.lab.file("test.policy", text)
        through = [self.lab.pins if word == "PINS" else word for word in through]
        return self.run(*through, SLUICE, "apply", *options, path, **environment)

    def close(self):
        """As when the network has gone: the server's end is gone too, but the process lives on."""
        self.client.close()
        assert wait_until(lambda: not self.scene.box.run("ss", "-Htn", "state", "established").stdout)


@pytest.fixture
def session(scene):
    """From an address that BLOCK blocks."""
    return Session(scene, BLOCKED4, BOX4)


def connection(session, source=BLOCKED4, target=BOX4):
    return f"{source} port {session.port} to {target} port 22"


def assert_refused(result, line, what, interface="eth0", said=None):
    lines = result.stderr.splitlines()
    assert result.returncode == 1, result.stdout
    assert result.stdout == ""
    assert f"/test.policy:{line}:" in lines[0]
    assert lines[0].endswith("error: " + CUT.format(said, interface, what))
    if what.startswith("block"):
        assert lines[-2] == f"`except {said.split()[0]}` in this block would spare it"
    assert "sluice apply --force" in lines[-1]


def assert_applied(result):
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("generation ")


def test_policy_that_blocks_the_session_is_refused_and_changes_nothing(session):
    result = session.apply(policy("block { from 192.0.2.0/24 }"), SSH_CONNECTION=session.ssh_connection)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))
    assert session.scene.box.program("eth0") is None
    assert session.lab.pinned() == []
    assert NOTHING in session.run(SLUICE, "down").stderr


def test_refused_change_leaves_what_runs(session):
    box = session.scene.box
    box.apply(policy())
    before = box.program("eth0"), box.show(), session.lab.pinned()
    result = session.apply(policy("fragments drop", BLOCK), SSH_CONNECTION=session.ssh_connection)
    assert_refused(result, 4, "block-source, `from 192.0.2.0/24`", said=connection(session))
    assert (box.program("eth0"), box.show(), session.lab.pinned()) == before
    assert session.scene.ping(BLOCKED4, BOX4)


def test_force_applies_it_all_the_same(session):
    assert_applied(session.apply(policy(BLOCK), "--force", SSH_CONNECTION=session.ssh_connection))
    assert not session.scene.ping(BLOCKED4, BOX4)


def test_rule_is_named_by_its_own_text_also_after_other_changes(session):
    """Slots are not in the order of rules then."""
    box = session.scene.box
    box.apply(policy("block {", "from 203.0.113.0/24", "to 203.0.113.1", "}"))
    text = policy("block {", "to 203.0.113.9", "from 203.0.113.0/24, 192.0.2.64/26", "}")
    assert_refused(session.apply(text), 5, "block-source, `from 192.0.2.64/26`", said=connection(session))
    text = policy("block {", "from 203.0.113.0/24", "to { 198.51.100.0/25, 203.0.113.8 }", "}")
    assert_refused(session.apply(text), 5, "block-destination, `to { 198.51.100.0/25, 203.0.113.8 }`",
                   said=connection(session))


def test_set_is_named(session):
    text = "set scanners { 192.0.2.0/24 }\n" + policy("block { from @scanners }")
    assert_refused(session.apply(text), 4, "block-source, `from @scanners`", said=connection(session))


def test_default_drop_is_named_by_its_line(session):
    text = policy("fragments drop", "default drop")
    assert_refused(session.apply(text), 4, "default", said=connection(session))


@pytest.mark.parametrize("text", [
    policy(BLOCK.replace("{", "{ except 192.0.2.66;")),
    policy("block {", "except 192.0.2.66", "to 198.51.100.1", "}"),
    policy("block { from 192.0.2.0/26, 192.0.2.67, 2001:db8::/32 }"),
    policy("fragments drop", "malformed drop"),
    policy("block { to 192.0.2.66 }"),  # the answers' destination: they leave, and XDP sees what arrives
], ids=["except", "except of to", "neighbours", "stages", "answers"])
def test_policy_that_spares_the_session_is_applied(session, text):
    assert_applied(session.apply(text, SSH_CONNECTION=session.ssh_connection))


def test_policy_that_lets_the_interface_go_is_applied(session):
    session.lab.cable(session.scene.box, "eth1", session.scene.client, "eth1")
    session.scene.box.apply(policy())
    assert_applied(session.apply(policy("default drop", interface="eth1"), SSH_CONNECTION=session.ssh_connection))
    assert session.scene.box.program("eth0") is None


def test_other_interface_may_block_it(session):
    session.lab.cable(session.scene.box, "eth1", session.scene.client, "eth1")
    assert_applied(session.apply(policy() + policy("default drop", interface="eth1")))
    text = policy("default drop") + policy("default drop", interface="eth1")
    assert_refused(session.apply(text), 3, "default", said=connection(session))


def test_policy_that_runs_already_is_not_asked(session):
    session.apply(policy(BLOCK), "--force")
    assert session.apply(policy(BLOCK)).stdout == "nothing to change: generation 1 runs\n"


# Which session


@pytest.mark.parametrize("through", [
    (), ("setsid", "-w"), ("sh", "-c", '"$@"; exit $?', "sh"),
    ("env", "-i", "sh", "-c", 'setsid -w sh -c \'SLUICE_BPFFS=$1; export SLUICE_BPFFS; shift; "$@"; exit $?\' sh "$@"; exit $?',
     "sh", "PINS"),
], ids=["child", "setsid", "grandchild", "sudo"])
def test_without_the_variable_the_ancestors_connection_is_asked_about(session, through):
    """sudo takes SSH_CONNECTION away, and makes a session of its own."""
    result = session.apply(policy(BLOCK), through=through)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))


MULTIPLEXER = os.path.join(os.path.dirname(__file__), "multiplexer.py")


def test_connection_of_the_client_of_a_terminal_multiplexer(session):
    """Whoever came back to tmux has a new connection, and the shells in it the old variable."""
    text = policy(BLOCK)
    old = f"{BLOCKED4} 1 {BOX4} 22"
    result = session.apply(text, through=("/usr/bin/python3", MULTIPLEXER, "attach"), SSH_CONNECTION=old)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))
    result = session.apply(text, through=("/usr/bin/python3", MULTIPLEXER, "detach"), SSH_CONNECTION=old)
    assert result.returncode == 0
    assert result.stderr.startswith("sluice: warning: not checked whether this policy cuts your session: ")


def test_every_connection_that_an_ancestor_holds_is_asked_about(scene):
    """The allowed one is nearer."""
    outer = Session(scene, BLOCKED4, BOX4)
    inner = ("/usr/bin/python3", "-c", """
import socket, subprocess, sys
held = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sys.exit(subprocess.run(sys.argv[3:]).returncode)
""")
    other = scene.client.socket()
    with scene.client.inside():
        other.bind((CLIENT4, 0))
        other.listen()
    result = outer.apply(policy(BLOCK), through=(*inner, CLIENT4, str(other.getsockname()[1])))
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(outer))
    assert_applied(outer.apply(policy(), through=(*inner, CLIENT4, str(other.getsockname()[1]))))


def test_connection_the_variable_names_goes_before_the_ancestors(scene):
    """sshd holds those of tunnels too."""
    held, named = Session(scene, BLOCKED4, BOX4), Session(scene, CLIENT4, BOX4)
    assert_refused(held.apply(policy(BLOCK)), 3, "block-source, `from 192.0.2.0/24`", said=connection(held))
    assert_applied(held.apply(policy(BLOCK), SSH_CONNECTION=named.ssh_connection))
    assert_refused(held.apply(policy("default drop"), SSH_CONNECTION=named.ssh_connection), 3, "default",
                   said=connection(named, CLIENT4))


@pytest.mark.parametrize("text", ["", "garbage", f"{BLOCKED4} 22 {BOX4}", f"{BLOCKED4} 0 {BOX4} 22",
                                  f"{BLOCKED4} 1 {BOX4} 22", f"{BLOCKED4} 1 {BOX6} 22", "1 2 3 4", "\n" * 5000])
def test_variable_that_names_no_open_connection_is_ignored_for_the_ancestors(session, text):
    result = session.apply(policy(BLOCK), SSH_CONNECTION=text)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))


def test_variable_older_than_the_session_is_warned_of(session):
    """As in tmux, which lives on when the connection is gone."""
    session.close()
    result = session.apply(policy(BLOCK), SSH_CONNECTION=session.ssh_connection)
    assert result.returncode == 0 and result.stdout.startswith("generation 1\n")
    assert result.stderr == ("sluice: warning: not checked whether this policy cuts your session: SSH_CONNECTION names no "
                             "connection that is open here, and no other was found\n")


def test_without_any_session_nothing_is_said(session):
    """At boot, or at the console."""
    session.close()
    assert_applied(session.apply(policy(BLOCK)))


def test_connection_of_another_network_namespace_is_no_matter(session):
    """`-n` leaves the one that the session comes through."""
    scene = session.scene
    other = session.lab.host("other", ipv6=False)
    session.lab.cable(other, "eth0", scene.client, "eth9")
    other.address("eth0", f"{BOX4}/24")
    path = session.lab.file("test.policy", policy(BLOCK, "default drop"))
    for environment in ({}, {"SSH_CONNECTION": session.ssh_connection}):
        result = session.run(SLUICE, "-n", other.netns, "apply", "--", path, **environment)
        assert (result.returncode, result.stderr) == (0, "")
    assert other.program("eth0") is not None and scene.box.program("eth0") is None
    result = session.run(SLUICE, "-n", scene.box.netns, "apply", path)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))


def test_connection_within_the_machine_is_no_matter(scene):
    """Also one from an own address to itself, which eth0 never sees."""
    inside = scene.box.socket()
    for address in ("127.0.0.1", BOX4):
        with scene.box.inside():
            listener = socket.create_server((address, 0))
            inside = socket.create_connection(listener.getsockname())
        accepted, client = listener.accept()
        text = f"{client[0]} {client[1]} {accepted.getsockname()[0]} {accepted.getsockname()[1]}"
        environment = dict(scene.lab.environment, SSH_CONNECTION=text)
        assert_applied(scene.box.sluice("apply", scene.lab.file("test.policy", policy("default drop")), env=environment))
        scene.box.sluice("down")
        for made in (listener, inside, accepted):
            made.close()


# Which packets


@pytest.mark.parametrize("variable", [True, False])
def test_ipv6(scene, variable):
    session = Session(scene, BLOCKED6, BOX6)
    environment = {"SSH_CONNECTION": session.ssh_connection} if variable else {}
    result = session.apply(policy(BLOCK), **environment)
    assert_refused(result, 3, "block-source, `from 2001:db8:bad::/48`", said=connection(session, BLOCKED6, BOX6))
    assert_applied(session.apply(policy("block { from 192.0.2.0/24, 2001:db8:bad::/65 }"[:-1] +
                                        "; except 2001:db8:bad::66 }"), **environment))


@pytest.mark.parametrize("variable", [True, False])
def test_ipv4_on_a_socket_of_both_families(scene, variable):
    session = Session(scene, BLOCKED4, BOX4, listen="::")
    assert session.ssh_connection == f"::ffff:{BLOCKED4} {session.port} ::ffff:{BOX4} 22"
    environment = {"SSH_CONNECTION": session.ssh_connection} if variable else {}
    result = session.apply(policy(BLOCK), **environment)
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", said=connection(session))


@pytest.mark.parametrize("variable", [True, False])
def test_link_local_with_a_zone(scene, variable):
    def link_local(host):
        return next(a["local"] for a in json.loads(host.ip("-j", "addr", "show", "dev", "eth0").stdout)[0]["addr_info"]
                    if a["local"].startswith("fe80"))
    scene.lab.cable(scene.box, "eth1", scene.client, "eth1")
    source, target = link_local(scene.client), link_local(scene.box)
    with scene.client.inside():
        session = Session(scene, f"{source}%eth0", f"{target}%eth0")
    words = session.ssh_connection.split(" ")
    variables = {"SSH_CONNECTION": f"{source}%eth0 {words[1]} {target}%eth0 22"} if variable else {}
    text = policy("default drop", interface="eth1") + policy("block { from fe80::/10 }")
    result = session.apply(text, **variables)
    assert_refused(result, 7, "block-source, `from fe80::/10`", said=connection(session, source, target))
    assert_applied(session.apply(policy("default drop", interface="eth1") + policy(), **variables))


# Which interface


def test_port_of_the_bridge_that_has_the_address(scene):
    box = scene.box
    box.ip("addr", "flush", "dev", "eth0")
    box.ip("link", "add", "br0", "type", "bridge")
    box.ip("link", "set", "eth0", "master", "br0")
    box.ip("link", "set", "br0", "up")
    box.address("br0", f"{BOX4}/24")
    box.ip("route", "add", "192.0.2.0/24", "dev", "br0")
    scene.client.ip("neigh", "flush", "all", "nud", "permanent")
    session = Session(scene, BLOCKED4, BOX4)
    assert_refused(session.apply(policy(BLOCK)), 3, "block-source, `from 192.0.2.0/24`", said=connection(session))
    result = session.apply(policy(BLOCK, interface="br0", mode="generic"))
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", "br0", connection(session))


def test_interface_under_the_macvlan_that_has_the_address(scene):
    box = scene.box
    box.ip("addr", "flush", "dev", "eth0")
    box.ip("link", "add", "mac0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    box.ip("link", "set", "mac0", "up")
    box.address("mac0", f"{BOX4}/24")
    box.ip("route", "add", "192.0.2.0/24", "dev", "mac0")
    scene.client.ip("neigh", "flush", "all", "nud", "permanent")
    session = Session(scene, BLOCKED4, BOX4)
    assert_refused(session.apply(policy(BLOCK)), 3, "block-source, `from 192.0.2.0/24`", said=connection(session))


@pytest.fixture
def two_ways(scene):
    """The box's answers leave through eth1, while the client's packets arrive on eth0, whose address it has."""
    scene.lab.cable(scene.box, "eth1", scene.client, "eth1")
    scene.box.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
    scene.client.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth1.rp_filter=0")
    scene.box.address("eth1", "203.0.113.1/24")
    scene.box.ip("route", "replace", "192.0.2.0/24", "dev", "eth1")
    scene.box.ip("neigh", "replace", BLOCKED4, "lladdr", scene.client.mac("eth1"), "dev", "eth1", "nud", "permanent")
    return scene


@pytest.mark.parametrize("interface", ["eth0", "eth1"])
def test_answers_that_leave_through_another_interface(two_ways, interface):
    session = Session(two_ways, BLOCKED4, BOX4)
    result = session.apply(policy(BLOCK, interface=interface))
    assert_refused(result, 3, "block-source, `from 192.0.2.0/24`", interface, connection(session))


def test_several_options_and_policies_are_wrong_usage(scene):
    for words in (("--forced",), ("--force",), ("a", "b"), ("--force=1", "a")):
        result = scene.box.sluice("apply", *words, check=False)
        assert result.returncode == 2 and "usage: sluice apply POLICY [--confirm TIME] [--force]" in result.stderr
    assert sh(SLUICE, "apply", "-h").stdout.startswith("sluice apply POLICY [--confirm TIME] [--force]")

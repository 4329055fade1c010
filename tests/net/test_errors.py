# SPDX-License-Identifier: BSD-2-Clause
"""What a user is told when something is wrong: the whole text, the stream, the exit status (1: failed, 2: usage)."""
import json
import os
import re
import shutil

import pytest

from lab import SLUICE, sh
from scene import BLOCK, policy

HELP = """usage: sluice [-n NETNS] VERB …

  hello     IFACE [--step] [--seconds N] [--generic]
              the eBPF Hello World, step by step
  check     POLICY
              parse, check, say what the policy costs
  apply     POLICY [--confirm TIME] [--force]
              make what runs match the policy
  confirm
              keep what `apply --confirm` brought
  rollback
              go back to the previous generation
  shadow    [POLICY|-j|--stop|--promote [--confirm TIME] [--force]]
              watch another policy
  down      [IFACE]
              detach from one interface, or from all
  show      [-j]
              what runs
  stats     [IFACE] [-j] [--watch SECONDS]
              counters by verdict, reason, rule and set
  top       [IFACE] [-j [--once]]
              live: rates, and who sends and receives most
  events    [IFACE…] [-j] [--count N]
              packets that rules with `log` tell of, as they come
  set       add|del|list|flush|reload NAME [PREFIX…|-] [timeout TIME] [-j]
              what is in a set
  explain   POLICY|IFACE PACKET… [-j] [--interface NAME]
              the way of one packet, and why
  replay    POLICY PCAP [-j] [--interface NAME]
              judge every packet of a capture
  diff      OLD NEW [PCAP] [-j] [--interface NAME]
              what another policy would change
  defences  [NAME]
              the ready macros, as they are written
  import    KIND [FILE…|-] [--interface|--column NAME] [--stateless]
              iptables, nft, lists
  bench     POLICY [PCAP] [-j] [--interface NAME] [--sources WORD]
              what a packet costs

  -n NETNS   work in this network namespace (as ip -n)
  -h         this help          -V   version

manual: sluice(1), sluice-policy(5)
"""

USAGE = {
    "check": "usage: sluice check POLICY\n",
    "apply": "usage: sluice apply POLICY [--confirm TIME] [--force]\n",
    "confirm": "usage: sluice confirm\n",
    "rollback": "usage: sluice rollback\n",
    "shadow": "usage: sluice shadow [POLICY|-j|--stop|--promote [--confirm TIME] [--force]]\n",
    "down": "usage: sluice down [IFACE]\n",
    "show": "usage: sluice show [-j]\n",
    "stats": "usage: sluice stats [IFACE] [-j] [--watch SECONDS]\n",
    "top": "usage: sluice top [IFACE] [-j [--once]]\n",
    "events": "usage: sluice events [IFACE…] [-j] [--count N]\n",
    "explain": "usage: sluice explain POLICY|IFACE PACKET… [-j] [--interface NAME]\n",
    "replay": "usage: sluice replay POLICY PCAP [-j] [--interface NAME]\n",
    "diff": "usage: sluice diff OLD NEW [PCAP] [-j] [--interface NAME]\n",
    "defences": "usage: sluice defences [NAME]\n",
    "import": "usage: sluice import KIND [FILE…|-] [--interface|--column NAME] [--stateless]\n"
              "KIND is iptables, nft or blocklist\n",
}


def says(result, status, error, output=""):
    assert (result.returncode, result.stderr, result.stdout) == (status, error, output)


def run(*arguments, **options):
    return sh(SLUICE, *arguments, check=False, **options)


def test_help():
    for word in ("-h", "--help", "help"):
        says(run(word), 0, "", HELP)
    for word in ("-h", "--help"):
        says(run("check", word), 0, "", "sluice check POLICY\n  parse, check, say what the policy costs\n"
             "manual: sluice(1), sluice-policy(5)\n")
    says(run(), 2, HELP)


def test_version():
    result = run("-V")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"sluice \S+\n", result.stdout)


def test_unknown_global_option():
    says(run("-x"), 2, f"{SLUICE}: invalid option -- 'x'\n" + HELP)


@pytest.mark.parametrize("word, near", [("aply", "apply"), ("shwo", "show"), ("stat", "stats"), ("rolback", "rollback"),
                                        ("Check", "check")])
def test_near_miss_of_a_verb(word, near):
    says(run(word), 2, f'sluice: there is no verb "{word}"\ndid you mean "{near}"?\n')


def test_unknown_verb():
    says(run("xyzzy-plugh"), 2, 'sluice: there is no verb "xyzzy-plugh"\n"sluice -h" lists the verbs\n')


def test_missing_namespace():
    says(run("-n", "sl-nowhere", "show"), 1,
         'sluice: cannot enter the network namespace "sl-nowhere": No such file or directory\n'
         '"ip netns list" has the names of those that there are\n')
    says(run("-n", "/etc/hostname", "show"), 1,
         'sluice: cannot enter the network namespace "/etc/hostname": Invalid argument\n')


@pytest.mark.parametrize("verb, arguments", [
    ("check", []), ("check", ["a", "b"]), ("apply", []), ("apply", ["a", "b"]), ("confirm", ["a"]), ("rollback", ["a"]),
    ("down", ["a", "b"]),
    ("show", ["a"]), ("stats", ["a", "b"]), ("top", ["a", "b"]), ("top", ["--once"]), ("explain", []), ("explain", ["a"]), ("replay", []), ("replay", ["a"]),
    ("replay", ["a", "b", "c"]), ("defences", ["a", "b"]), ("diff", ["a"]), ("diff", ["a", "b", "c", "d"]), ("import", []), ("import", ["ipchains"]),
    ("import", ["nft", "--column", "a"]), ("import", ["blocklist", "--stateless"]), ("import", ["blocklist", "--interface", "a"])], ids=lambda value: " ".join(value) if isinstance(value, list) else value)
def test_wrong_number_of_arguments(verb, arguments):
    says(run(verb, *arguments), 2, USAGE[verb])


@pytest.mark.parametrize("verb", USAGE)
def test_unknown_option_of_a_verb(verb):
    says(run(verb, "-x"), 2, f"{verb}: invalid option -- 'x'\n{USAGE[verb]}")


@pytest.mark.parametrize("verb, option", [
    ("apply", "--confirm"), ("stats", "--watch"), ("explain", "--interface"), ("replay", "--interface"),
    ("diff", "--interface"), ("import", "--interface"), ("import", "--column")])
def test_option_without_its_value(verb, option):
    says(run(verb, option), 2, f"{verb}: option '{option}' requires an argument\n{USAGE[verb]}")


@pytest.mark.parametrize("verb", [["check"], ["apply"], ["replay"]], ids=lambda v: v[0])
def test_missing_policy(lab, verb):
    capture = []
    if verb == ["replay"]:
        capture = [lab.file("empty.pcap", "")]
        with open(capture[0], "wb") as file:
            file.write(bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000"))
    says(run(*verb, "/nowhere/web.policy", *capture, env=lab.environment), 1,
         "/nowhere/web.policy: error: cannot read the policy: No such file or directory\n")


def test_policy_that_is_a_folder(lab):
    says(run("check", lab.folder.name), 1, f"{lab.folder.name}: error: cannot read the policy: Is a directory\n")


def test_missing_set_file(quiet):
    result = quiet.box.apply('set bogons file "bogons.txt"\n' + policy("block { from @bogons }"), check=False)
    folder = quiet.lab.folder.name
    says(result, 1,
         f"{folder}/test.policy:1:17: error: cannot read the set file {folder}/bogons.txt: No such file or directory\n"
         '     1 | set bogons file "bogons.txt"\n'
         "       |                 ^\n")
    assert quiet.lab.pinned() == []


def test_bad_line_in_a_set_file(quiet):
    path = quiet.lab.file("bogons.txt", "# first\n192.0.2.0/24\n\n  192.0.2.300\n")
    result = quiet.box.apply('set bogons file "bogons.txt"\n' + policy("block { from @bogons }"), check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{path}:4:3: error: ")
    assert "     4 |   192.0.2.300\n       |   ^\n" in result.stderr
    assert result.stderr.endswith(f"the file is named by the policy at {quiet.lab.folder.name}/test.policy:1\n")


@pytest.mark.parametrize("name, hint", [("eth", 'did you mean "eth0"?'), ("et0", 'did you mean "eth0"?'),
                                        ("wireless", '"ip link" lists the interfaces')])
def test_unknown_interface(quiet, name, hint):
    result = quiet.box.apply(policy(interface=name), check=False)
    says(result, 1, f'{quiet.lab.folder.name}/test.policy:1:11: error: there is no interface "{name}" here\n'
         f"     1 | interface {name} {{\n"
         "       |           ^\n"
         f"{hint}\n")
    assert [pin for pin in quiet.lab.pinned() if pin != "."] == []


NOTHING = "sluice: nothing of Sluice runs here\n"


@pytest.mark.parametrize("arguments, message", [
    (["stats"], NOTHING), (["stats", "-j"], NOTHING), (["stats", "--watch", "1"], NOTHING),
    (["stats", "eth0"], "sluice: nothing of Sluice runs on eth0\n"),
    (["stats", "nosuch"], "sluice: nothing of Sluice runs on nosuch\n"),
    (["explain", "eth0", "tcp 192.0.2.1:1 > 192.0.2.2:2"], "sluice: nothing of Sluice runs on eth0\n"),
    (["explain", "nosuch", "tcp 192.0.2.1:1 > 192.0.2.2:2"],
     "sluice: nosuch is neither a policy file nor an interface here\n"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_asking_about_what_does_not_run(quiet, arguments, message):
    says(quiet.box.sluice(*arguments, check=False), 1, message)
    assert quiet.lab.pinned() == []


def test_stats_of_another_interface_than_the_one_that_runs(quiet):
    quiet.box.apply(policy())
    says(quiet.box.sluice("stats", "lo", check=False), 1, "sluice: nothing of Sluice runs on lo\n")


@pytest.fixture
def capture(lab):
    """Two packets."""
    from scapy.all import IP, UDP, Ether, wrpcap
    path = os.path.join(lab.folder.name, "two.pcap")
    ethernet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    wrpcap(path, [ethernet / IP(src="192.0.2.1", dst="192.0.2.2") / UDP()] * 2)
    return path


@pytest.mark.parametrize("words, message", [
    (["CAPTURE", "3"], "sluice: CAPTURE has no packet number 3, only 2\n"),
    (["CAPTURE", "0"], 'sluice: "0" is no packet number: they count from 1\n'),
    (["CAPTURE", "two"], 'sluice: "two" is no packet number: they count from 1\n'),
    (["/nowhere.pcap"], "sluice: /nowhere.pcap: No such file or directory\n"),
    (["/nowhere.pcap", "1"], "sluice: /nowhere.pcap: No such file or directory\n"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_explain_of_a_packet_that_is_not_there(lab, capture, words, message):
    words = [capture if word == "CAPTURE" else word for word in words]
    says(run("explain", lab.file("test.policy", policy()), *words), 1, message.replace("CAPTURE", capture))


@pytest.mark.parametrize("verb", [["explain", "tcp 192.0.2.1:1 > 192.0.2.2:2"], ["replay", "CAPTURE"]],
                         ids=lambda verb: verb[0])
def test_policy_of_several_interfaces_needs_one_picked(lab, capture, verb):
    path = lab.file("test.policy", policy(interface="wan0") + policy(interface="lan0"))
    rest = [capture if word == "CAPTURE" else word for word in verb[1:]]
    says(run(verb[0], path, *rest), 1, f"sluice: {path} has 2 interfaces\npick one with --interface: wan0 lan0\n")
    says(run(verb[0], path, *rest, "--interface", "dmz0"), 1,
         f'sluice: {path} has no interface "dmz0"\npick one with --interface: wan0 lan0\n')
    assert run(verb[0], path, *rest, "--interface", "lan0").returncode == 0


def test_replay_of_what_is_no_capture(lab):
    path = lab.file("test.policy", policy())
    says(run("replay", path, "/nowhere.pcap"), 1, "sluice: /nowhere.pcap: No such file or directory\n")
    result = run("replay", path, path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{path}: error: ")
    assert result.stderr.endswith("\nSluice reads pcap and pcapng; unpack a compressed capture first\n")


def test_place_of_the_pins(lab, tmp_path):
    path = lab.file("test.policy", policy())
    for root, parent in ((f"{tmp_path}/pins", tmp_path), ("/sys/fs/bpf/sl-nowhere/pins", "/sys/fs/bpf/sl-nowhere")):
        says(run("apply", path, env=dict(lab.environment, SLUICE_BPFFS=root)), 1,
             f"sluice: {root}: {parent} is no BPF file system\nSLUICE_BPFFS has to name a folder right below one\n")
    says(run("show", env=dict(lab.environment, SLUICE_BPFFS="/sys/fs/bpf/" + "x" * 5000)), 1,
         "sluice: SLUICE_BPFFS is too long\n")


@pytest.fixture
def nobody(quiet):
    """Runs sluice on the box without any right."""
    os.chmod(quiet.lab.folder.name, 0o755)
    copy = shutil.copy(SLUICE, quiet.lab.folder.name)

    def run_as_nobody(*arguments):
        return quiet.box.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, *arguments,
                             env=quiet.lab.environment, check=False)
    return run_as_nobody


@pytest.mark.parametrize("verb", ["apply", "rollback", "down"])
def test_changing_without_root(quiet, nobody, verb):
    path = quiet.lab.file("test.policy", policy(BLOCK))
    quiet.box.sluice("apply", path)
    before = quiet.box.program("eth0"), quiet.lab.pinned()
    says(nobody(verb, *([path] if verb == "apply" else [])), 1, "sluice: changing the data path needs root\n")
    assert (quiet.box.program("eth0"), quiet.lab.pinned()) == before


@pytest.mark.parametrize("verb", [["show"], ["stats"], ["explain", "eth0", "tcp 192.0.2.1:1 > 192.0.2.2:2"]],
                         ids=lambda verb: verb[0])
@pytest.mark.parametrize("runs", [True, False], ids=["running", "nothing"])
def test_reading_without_root(quiet, nobody, verb, runs):
    """What one may not see is not said to be nothing."""
    if runs:
        quiet.box.apply(policy(BLOCK))
    result = nobody(*verb)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"sluice: cannot open {quiet.lab.pins}: Permission denied\n")
    assert "root" in result.stderr  # what to do


def test_judging_without_root(quiet, nobody, capture):
    path = quiet.lab.file("test.policy", policy(BLOCK))
    message = "sluice: the kernel refused the program: Operation not permitted\n" \
        "this needs root (CAP_BPF and CAP_NET_ADMIN)\n"
    says(nobody("explain", path, "tcp 192.0.2.1:1 > 192.0.2.2:2"), 1, message)
    says(nobody("replay", path, capture), 1, message)


def test_checking_without_root(quiet, nobody):
    quiet.lab.file("bogons.txt", "10.0.0.0/8\n2001:db8::/32\n")
    path = quiet.lab.file("test.policy", 'set bogons file "bogons.txt"\nset few { 192.0.2.1 }\n' +
                          policy("block { from @bogons, @few; to 192.0.2.2 }", "default drop", interface="nowhere0"))
    result = nobody("check", path)
    instructions = re.search(r"(\d+) instructions before", result.stdout)[1]
    says(result, 0, "", (
        "set bogons: 2 prefixes, from bogons.txt\n"
        "set few: 1 prefix\n"
        "interface nowhere0: native, fragments pass, malformed drop, default drop, 3 rules\n"
        "  table block_source4: 2 prefixes\n"
        "  table block_source6: 1 prefix\n"
        "  table block_dest4: 1 prefix\n"
        f"  program: {instructions} instructions before the verifier (run as root to ask the verifier itself)\n"
        f"{path}: ok\n"))


def test_entering_a_namespace_without_root(quiet, nobody):
    says(nobody("-n", quiet.box.netns, "show"), 1,
         f'sluice: cannot enter the network namespace "{quiet.box.netns}": Operation not permitted\n')


def test_program_of_another_version(quiet):
    """Its description says which object it was loaded from."""
    quiet.box.apply(policy(BLOCK))
    pin = os.path.join(quiet.lab.pins, next(p for p in quiet.lab.pinned() if p.endswith("/description")))
    value = bytes(int(b, 16) for b in json.loads(sh("bpftool", "-j", "map", "dump", "pinned", pin).stdout)[0]["value"])
    digest = re.search(rb'"object":"([0-9a-f]{32})"', value)[1]
    value = value.replace(digest, b"0" * 32)
    sh("bpftool", "map", "update", "pinned", pin, "key", 0, 0, 0, 0, "value", *value)
    says(quiet.box.sluice("explain", "eth0", "tcp 192.0.2.1:1 > 192.0.2.2:2", check=False), 1,
         "sluice: the running program was made by another version of Sluice\n"
         "apply its policy again with this one, or ask with the one that made it\n")
    assert quiet.box.sluice("stats").returncode == 0
    assert quiet.box.apply(policy(BLOCK)).stdout == ("generation 2, was 1\n"
                                                     "  ~ the program itself: another version of Sluice\n")
    assert quiet.box.sluice("explain", "eth0", "tcp 192.0.2.1:1 > 192.0.2.2:2").returncode == 0


NOT_UTF8 = ("{}:1:14: error: this string is not UTF-8\n     1 | set bad file \"b?d.txt\"\n       |              ^\n"
            "names of files and interfaces in a policy are UTF-8\n")


def test_name_that_is_not_utf8(quiet):
    """The description is JSON. Refused, not half done."""
    path = os.path.join(quiet.lab.folder.name, "test.policy")
    for name in ("first.txt", b"b\xe4d.txt"):
        with open(os.path.join(os.fsencode(quiet.lab.folder.name), os.fsencode(name)), "w") as file:
            file.write("192.0.2.0/24\n")
    with open(path, "wb") as file:
        file.write(b'set bad file "b\xe4d.txt"\ninterface eth0 { block { from @bad } }\n')
    says(quiet.box.sluice("apply", path, check=False), 1, NOT_UTF8.format(path))
    assert quiet.box.program("eth0") is None
    quiet.box.apply(policy(BLOCK))
    before = quiet.box.show(), quiet.lab.pinned()
    with open(path, "wb") as file:
        file.write(b'set bad file "b\xe4d.txt"\ninterface eth0 { block { from @bad } }\n')
    says(quiet.box.sluice("apply", path, check=False), 1, NOT_UTF8.format(path))
    assert (quiet.box.show(), quiet.lab.pinned()) == before


# What the kernel refuses: (what strace shows of the call, the error, what is said).
REFUSALS = {
    "lock": ("flock(", "ENOLCK", "sluice: cannot lock ROOT: No locks available\n"),
    "link pin": ("/links/eth0", "EACCES", "sluice: cannot open NETNS/links/eth0: Permission denied\n"),
    "description pin": ("/generations/1/description", "EIO",
                        "sluice: cannot open NETNS/generations/1/description: Input/output error\n"),
    "description": ("BPF_MAP_LOOKUP_ELEM", "EIO",
                    "sluice: cannot read NETNS/generations/1/description: Input/output error\n"),
    "program pin": ("/generations/1/interfaces/eth0", "EIO",
                    "sluice: cannot open NETNS/generations/1/interfaces/eth0: Input/output error\n"),
    "counters": ("/state/eth0/counters", "EIO", "sluice: cannot open NETNS/state/eth0/counters: Input/output error\n"),
    "program": ("prog_type=BPF_PROG_TYPE_XDP", "E2BIG",
                "sluice: the kernel refused the program: Argument list too long\n"
                "its verifier looks at a million instructions (`sluice check` says at how many for a policy that is loaded)\n"
                "they are fewer with fewer groups of rules: one set in place of prefixes of many lengths, fewer rules about "
                "MAC, VLAN, TTL, flags and the like\n"),
    "table": ("MAP_SHARED, ", "ENOMEM", "sluice: cannot fill a prefix table: Cannot allocate memory\n"),
    "new folder": ('/generations/new"', "ENOSPC",
                   "sluice: cannot make NETNS/generations/new/interfaces: No space left on device\n"),
    "new program pin": ("/generations/new/interfaces/eth0", "ENOSPC",
                        "sluice: cannot pin NETNS/generations/new/interfaces/eth0: No space left on device\n"),
    "new description": ("sluice_policy", "ENOMEM",
                        "sluice: cannot keep the description of the policy: Cannot allocate memory\n"),
    "new description pin": ("/generations/new/description", "ENOSPC",
                            "sluice: cannot pin NETNS/generations/new/description: No space left on device\n"),
    "swap": ("BPF_LINK_UPDATE", "EPERM",
             "sluice: the kernel refused to swap the program of eth0: Operation not permitted\n"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusal_of_the_kernel_is_passed_on(quiet, what):
    shows, error, message = REFUSALS[what]
    quiet.box.apply(policy(BLOCK))
    netns = os.path.join(quiet.lab.pins, next(p for p in quiet.lab.pinned() if "/" not in p and p != "."))
    second = quiet.lab.file("second.policy", policy(BLOCK, "default drop"))
    log = os.path.join(quiet.lab.folder.name, "strace.log")

    def traced(*options):
        # Calls are counted: malloc is not to make some of its own, now more and now fewer.
        return sh("strace", "-s", "200", "-o", log, *options, SLUICE, "-n", quiet.box.netns, "apply", second,
                  env=dict(quiet.lab.environment, MALLOC_MMAP_MAX_="0"), check=False)

    assert traced("-e", "trace=bpf,mkdir,flock,mmap").returncode == 0
    with open(log) as file:
        lines = file.read().splitlines()
    quiet.box.sluice("down")
    quiet.box.apply(policy(BLOCK))
    before = quiet.box.show(), quiet.box.stats(), quiet.lab.pinned()
    at = next(i for i, line in enumerate(lines) if shows in line)
    call = lines[at].split("(")[0]
    nth = sum(line.startswith(call + "(") for line in lines[:at + 1])
    again = nth + (what == "program")  # libbpf asks a second time, for the verifier's log
    result = traced("-e", "trace=bpf,mkdir,flock,mmap", "-e", f"inject={call}:error={error}:when={nth}..{again}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message.replace("ROOT", quiet.lab.pins).replace("NETNS", netns)
    assert (quiet.box.show(), quiet.box.stats(), quiet.lab.pinned()) == before

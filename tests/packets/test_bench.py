# SPDX-License-Identifier: BSD-2-Clause
"""bench: what it says of the packets it sends. Times are the machine's affair; here they only have to make sense."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
from scapy.all import IP, TCP, UDP, Ether, IPv6, PcapWriter, Raw, wrpcap

from lab import SLUICE, sh, wait_until

FLOWS = [1, 4096, 65536, 1048576]
pytestmark = pytest.mark.xdist_group("meter")  # meters beside one another measure one another
MANY = 4096  # from here on, shares are no accident of a few flows

BLOCKING = """
interface eth0 { block { from 192.0.2.0/24; to 198.51.100.0/24 } }
interface eth1 { default drop }
"""


def policy(folder, text):
    path = folder / "test.policy"
    path.write_text(text)
    return path


def bench(*arguments):
    return [json.loads(line) for line in sh(SLUICE, "bench", "-j", *arguments).stdout.splitlines()]


def loaded_meters():
    """Ids of the programs in the kernel that bench brings along."""
    programs = json.loads(sh("bpftool", "-j", "prog", "show").stdout)
    return {p["id"] for p in programs if p.get("name") in ("meter", "bare")}


@pytest.fixture(scope="module")
def blocking(tmp_path_factory):
    return bench(policy(tmp_path_factory.mktemp("blocking"), BLOCKING), "--interface", "eth0")


def test_a_row_for_each_family_and_number_of_flows(blocking):
    assert [(r["family"], r["flows"]) for r in blocking] == [(f, n) for f in (4, 6) for n in FLOWS]
    assert {r["interface"] for r in blocking} == {"eth0"}


def test_the_cost_is_what_the_policy_takes_beyond_the_bare_program(blocking):
    for row in blocking:
        assert row["bare_ns"] > 1  # a run writes a frame; it cannot take less
        assert row["policy_ns"] > row["bare_ns"]
        # The median of differences, not the difference of medians: these are as far apart as rounds are.
        assert row["cost_ns"] == pytest.approx(row["policy_ns"] - row["bare_ns"], abs=2 + 2 * row["spread_ns"])


def test_half_of_the_flows_are_inside_the_prefixes_of_the_policy(blocking):
    """Each run is another flow: a frame that was never written anew would be all passed or all dropped."""
    for row in blocking:
        assert row["passed"] + row["dropped"] == pytest.approx(1, abs=1e-4)
        if row["family"] == 4 and row["flows"] >= MANY:
            assert row["dropped"] == pytest.approx(0.5, abs=0.03)
        if row["flows"] == 1:
            assert row["dropped"] in (0, 1)


def test_a_family_without_prefixes_gets_random_addresses(blocking):
    assert [r["passed"] for r in blocking if r["family"] == 6] == [1] * len(FLOWS)


def test_sources_can_be_listed(tmp_path):
    path = policy(tmp_path, "interface eth0 { block { from 192.0.2.0/24, 2001:db8::/32 } }")
    for row in bench(path, "--sources", "listed"):
        assert (row["sources"], row["dropped"]) == ("listed", 1)


def test_sources_can_be_those_of_a_set(tmp_path):
    """A family that the set has none of has no rows."""
    path = policy(tmp_path, """
        set here { 192.0.2.0/25, 203.0.113.0/24 }
        interface eth0 { block { from 192.0.2.0/24, 198.51.100.0/24, 2001:db8::/32 } }""")
    rows = bench(path, "--sources", "@here")
    assert [(r["sources"], r["family"], r["flows"]) for r in rows] == [("@here", 4, n) for n in FLOWS]
    for row in rows[1:]:
        assert row["dropped"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("word, what, hint", [
    ("@hare", 'has no set "hare"', 'did you mean "@here"?'),
    ("@", 'has no set ""', ""),
    ("lister", 'unknown sources "lister"', "mixed, listed, random or @NAME"),
])
def test_sources_that_are_not_there_are_refused(tmp_path, word, what, hint):
    path = policy(tmp_path, "set here { 192.0.2.0/25 }\ninterface eth0 { block { from @here } }")
    failed = sh(SLUICE, "bench", path, "--sources", word, check=False)
    assert failed.returncode == 1 and failed.stdout == ""
    assert what in failed.stderr and hint in failed.stderr


def test_an_empty_set_has_no_sources(tmp_path):
    (tmp_path / "none.txt").write_text("# nothing\n")
    path = policy(tmp_path, 'set none file "none.txt"\ninterface eth0 { block { from @none } }')
    failed = sh(SLUICE, "bench", path, "--sources", "@none", check=False)
    assert failed.returncode == 1 and 'the set "none" is empty' in failed.stderr
    path = policy(tmp_path, "set banned dynamic size 100\ninterface eth0 { block { from @banned } }")
    failed = sh(SLUICE, "bench", path, "--sources", "@banned", check=False)
    assert failed.returncode == 1 and 'the set "banned" is dynamic, and empty here' in failed.stderr


def capture(folder, packets):
    path = folder / "test.pcap"
    wrpcap(str(path), packets)
    return path


def of_all_lengths():
    """Most blocked; one with less in it than its header says, which only its length shows; one that XDP never gets."""
    blocked = [Ether() / IP(src="192.0.2.7", dst="10.0.0.1") / UDP() / Raw(b"x" * (11 * i)) for i in range(120)]
    passed = [Ether() / IP(src="10.0.0.2", dst="10.0.0.1") / TCP() / Raw(b"x" * (17 * i)) for i in range(70)]
    return [*blocked, *passed, Ether() / IP(src="10.0.0.2", len=900) / UDP(), Ether() / IPv6() / UDP()]


def test_packets_of_a_capture_get_the_verdicts_of_replay(tmp_path):
    """So each is as long as it was, and whole as far as the program looks."""
    path, pcap = policy(tmp_path, BLOCKING), capture(tmp_path, of_all_lengths())
    row, = bench(path, pcap, "--interface", "eth0")
    replayed = [json.loads(line) for line in sh(SLUICE, "replay", "-j", path, pcap, "--interface", "eth0")
                .stdout.splitlines()]
    dropped = sum(r["verdict"] == "drop" for r in replayed) / len(replayed)
    assert 0.6 < dropped < 0.7
    assert (row["sources"], row["flows"]) == ("capture", len(replayed)) and "family" not in row
    assert row["dropped"] == pytest.approx(dropped, abs=0.002)
    assert row["policy_ns"] > row["bare_ns"] > 1


def test_what_of_a_capture_is_not_used_is_said(tmp_path):
    long, cut = Ether() / IP() / UDP() / Raw(b"x" * 4000), Ether() / IP(src="192.0.2.7") / UDP() / Raw(b"x" * 500)
    cut.wirelen = 542
    pcap = tmp_path / "test.pcap"
    with PcapWriter(str(pcap), linktype=1) as out:
        out.write([long, long, Raw(b"short")])
        out.write_packet(bytes(cut)[:96], wirelen=len(cut))
    text = sh(SLUICE, "bench", policy(tmp_path, BLOCKING), pcap, "--interface", "eth0").stdout
    assert "1 packet of the capture, 1 of them cut short by it" in text
    assert "left out: 2 longer than 3520 bytes, 1 shorter than 14 bytes" in text
    assert re.search(r"^all +1 .* 0\.0% +100\.0%", text, re.M)


def test_the_capture_can_come_from_standard_input(tmp_path):
    pcap = capture(tmp_path, of_all_lengths())
    with open(pcap) as stdin:
        text = sh(SLUICE, "bench", policy(tmp_path, BLOCKING), "-", "--interface", "eth0", "-j", stdin=stdin).stdout
    assert json.loads(text)["flows"] == len(of_all_lengths())


def test_a_capture_of_nothing_or_of_no_capture_is_refused(tmp_path):
    path = policy(tmp_path, "interface eth0 { }")
    empty, text = capture(tmp_path, [Raw(b"short")]), tmp_path / "text"
    text.write_text("not a capture at all, but long enough to be one\n")
    for pcap, what in ((empty, "no packet to measure with"), (text, "unknown file format"),
                       (tmp_path / "absent", "No such file")):
        failed = sh(SLUICE, "bench", path, pcap, check=False)
        assert failed.returncode == 1 and failed.stdout == "" and what in failed.stderr


def test_the_table_says_what_the_cost_means_for_links(tmp_path):
    text = sh(SLUICE, "bench", policy(tmp_path, BLOCKING), "--interface", "eth0", "--sources", "random").stdout
    assert "sources: random" in text and all(r == "0.0" for r in re.findall(r"([\d.]+)%(?:  noisy)?$", text, re.M))
    cost, rate = map(float, re.search(r"costs most, .*: ([\d.]+) ns a packet, ([\d.]+) million", text).groups())
    rows = re.findall(r"^IPv[46] +(\d+) .* ([\d.]+) +[\d.]+ +[\d.]+% +[\d.]+%", text, re.M)
    assert max(float(row) for flows, row in rows if flows != "1") == cost  # with one flow everything is in the cache
    assert rate == pytest.approx(1000 / cost, rel=0.02)
    for gigabits, smallest, mix in ((10, 14.88, 3.27), (25, 37.20, 8.18), (100, 148.81, 32.74)):
        row = re.search(rf"^ *{gigabits} Gbit/s +([\d.]+) Mpps +([\d.]+) cores +([\d.]+) Mpps +([\d.]+) cores", text, re.M)
        numbers = list(map(float, row.groups()))
        assert numbers[::2] == [smallest, mix]
        assert numbers[1::2] == pytest.approx([smallest * cost / 1000, mix * cost / 1000], abs=0.02, rel=0.02)
    assert "driver" in text and "memory" in text


def test_the_interface_has_to_be_picked_among_several(tmp_path):
    failed = sh(SLUICE, "bench", policy(tmp_path, BLOCKING), check=False)
    assert failed.returncode == 1 and "--interface" in failed.stderr and "eth1" in failed.stderr
    assert failed.stdout == ""


def test_interrupted_it_leaves_nothing_in_the_kernel(tmp_path):
    before = loaded_meters()
    process = subprocess.Popen([SLUICE, "bench", policy(tmp_path, BLOCKING), "--interface", "eth1"],
                               stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: loaded_meters() - before, seconds=20)
        ours = loaded_meters() - before
    finally:
        process.kill()
        process.wait()
    assert wait_until(lambda: not ours & loaded_meters())


def test_without_root_it_says_so_once():
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all"]
    with tempfile.TemporaryDirectory() as name:  # which, unlike tmp_path, can be opened to nobody
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        program = shutil.copy(SLUICE, folder)
        failed = sh(*nobody, program, "bench", "--interface", "eth0", policy(folder, BLOCKING), check=False)
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr.count("this needs root") == 1
    assert failed.stderr.count("sluice:") == 1


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"], ["--nonsense", "a"], ["a", "b", "--sources", "random"]])
def test_wrong_usage_is_two(arguments):
    failed = sh(SLUICE, "bench", *arguments, check=False)
    assert failed.returncode == 2 and "usage: sluice bench" in failed.stderr

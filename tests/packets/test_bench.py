# SPDX-License-Identifier: BSD-2-Clause
"""bench: what it says of the packets it sends. Times are the machine's affair; here they only have to make sense."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from lab import SLUICE, sh, wait_until

TESTS = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
FLOWS = [1, 4096, 65536, 1048576]
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
        assert row["cost_ns"] == pytest.approx(row["policy_ns"] - row["bare_ns"], abs=0.01)


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


def test_the_table_of_make_bench_and_its_json(tmp_path):
    """The whole script, writing beside a link to the program."""
    os.symlink(SLUICE, tmp_path / "sluice")
    script = os.path.join(TESTS, "../bench/run")
    printed = sh("/usr/bin/python3", script, tmp_path / "sluice", timeout=300).stdout
    written = json.loads((tmp_path / "bench.json").read_text())
    assert {"kernel", "cpu", "vulnerabilities"} <= written["machine"].keys()
    for name in ("empty", "thousand-blocked"):
        rows = [r for r in written["rows"] if r["policy"] == name]
        assert [(r["family"], r["flows"]) for r in rows] == [(f, n) for f in (4, 6) for n in FLOWS]
        assert sum(line.startswith(name) for line in printed.splitlines()) == len(rows)
        for row in rows:
            if name == "empty":
                assert (row["passed"], row["dropped"]) == (1, 0)
            elif row["flows"] >= MANY:
                assert row["dropped"] == pytest.approx(0.5, abs=0.03)


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


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--nonsense", "a"]])
def test_wrong_usage_is_two(arguments):
    failed = sh(SLUICE, "bench", *arguments, check=False)
    assert failed.returncode == 2 and "usage: sluice bench" in failed.stderr

# SPDX-License-Identifier: BSD-2-Clause
"""What the manual, the completion and the help say is what the program has."""
import os
import re
import subprocess

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SLUICE = os.environ.get("SLUICE", os.path.join(TOP, "build/sluice"))


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def table_of_verbs():
    rows = re.findall(r'^\t\{ "(\w+)", "([^"]*)", "[^"]*", cli_(\w+) \}', read("src/cli/main.c"), re.M)
    assert len(rows) >= 10
    return rows


VERBS = table_of_verbs()
REASONS = re.findall(r'X\((\d+), (\w+), "(\w+)", "([\w-]+)",\s*(?:\\\s*)?"([^"]+)"\)', read("include/sluice/reason.h"))


def section(manual, title):
    return manual.split(f".Ss {title}\n", 1)[1].split("\n.Ss ", 1)[0].split("\n.Sh ", 1)[0]


@pytest.mark.parametrize("name, arguments, function", VERBS)
def test_verb_has_a_manual_section_with_its_options(name, arguments, function):
    text = section(read("man/sluice.1"), name)
    assert name == function
    for option in re.findall(r"--?([a-z]+)", arguments):
        assert re.search(rf"\bFl -?{option}\b", text), option


@pytest.mark.parametrize("name, arguments, function", VERBS)
def test_verb_is_completed_and_has_a_file_of_its_own(name, arguments, function):
    completion = read("completion/sluice")
    verbs = re.search(r'verbs="([^"]+)"', completion).group(1).split()
    assert name in verbs and len(verbs) == len(VERBS)
    for option in re.findall(r"--?[a-z]+", arguments):
        assert re.search(rf"{name}[|)].*{option}|[|]{name}[|)].*{option}", completion), option
    assert os.path.exists(os.path.join(TOP, f"src/cli/{name}.c"))


def test_help_prints_every_verb():
    text = subprocess.run([SLUICE, "-h"], capture_output=True, text=True, check=True).stdout
    for name, arguments, _ in VERBS:
        assert re.search(rf"^  {name}\b", text, re.M)
        assert arguments in text


def test_reason_numbers_and_names_are_used_once():
    numbers = [int(row[0]) for row in REASONS]
    names = [row[3] for row in REASONS]
    assert len(REASONS) == read("include/sluice/reason.h").count("\tX(")
    assert len(set(numbers)) == len(numbers) and len(set(names)) == len(names)
    assert all(0 < number < 256 for number in numbers)


@pytest.mark.parametrize("number, symbol, stage, name, explanation", REASONS)
def test_reason_stands_in_the_manual_with_its_explanation(number, symbol, stage, name, explanation):
    text = read("man/sluice.1").split(".Sh REASONS", 1)[1].split(".Sh ", 1)[0]
    entry = re.search(rf"\.It Cm {name}\n(.*?)(?=\n\.It|\n\.El)", text, re.S)
    assert entry, name
    words = re.sub(r"[`]|^\.Cm ", "", re.sub(r"\n\.?(Cm )?", " ", entry.group(1)), flags=re.M)
    assert words.startswith(explanation.replace("`", "").rstrip("."))


@pytest.mark.parametrize("page", ["man/sluice.1", "man/sluice-policy.5"])
def test_manual_page_is_well_formed(page):
    result = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], cwd=TOP, capture_output=True, text=True)
    assert result.stdout == "" and result.returncode == 0


def test_policy_of_the_manual_is_a_policy(tmp_path):
    text = read("man/sluice-policy.5").split(".Bd -literal -offset indent\n", 1)[1].split(".Ed", 1)[0]
    (tmp_path / "manual.policy").write_text(text)
    (tmp_path / "bogons.txt").write_text("10.0.0.0/8\n")
    result = subprocess.run([SLUICE, "check", tmp_path / "manual.policy"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

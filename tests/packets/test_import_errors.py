# SPDX-License-Identifier: BSD-2-Clause
"""import: text that is none of another firewall's."""
import json

import pytest

from lab import SLUICE, sh
from test_import import importing


@pytest.mark.parametrize("text, message", [
    ("", "standard input:1:"),
    ("{\n\"nftables\": [\n{]}", "standard input:3:2: error: this is no JSON"),
    ("{}", 'standard input:1: error: it has no list "nftables"'),
    ("[1]", 'standard input:1: error: it has no list "nftables"'),
    (json.dumps({"nftables": [{"rule": {"family": "ip", "table": "t", "chain": "c", "expr": []}}]}),
     "standard input: error: there is no chain c for a rule"),
    (json.dumps({"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c"}},
                              {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": 5}}]}),
     "standard input: error: a rule of chain c has no list of expressions"),
])
def test_bad_input_of_nft(text, message):
    lines, messages = importing("nft", text, status=1)
    assert not lines and messages[0].startswith(message)


@pytest.mark.parametrize("expression", [5, "x", None, [], {"match": 5}, {"match": {"left": {}, "right": {}}}, {"vmap": 5},
                                        {"limit": []}, {"jump": {}}, {"reject": 3}, {"set": {"elem": []}},
                                        {"match": {"op": "==", "left": {"concat": [1]}, "right": {"set": [{"concat": [2]}]}}}])
def test_senseless_expressions_do_no_harm(expression):
    chain = {"family": "ip", "table": "t", "name": "c", "hook": "input", "type": "filter", "prio": 0, "policy": "drop"}
    rule = {"family": "ip", "table": "t", "chain": "c", "handle": 1, "expr": [expression, {"accept": None}]}
    text = json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})
    result = sh(SLUICE, "import", "nft", input=text, check=False)
    assert result.returncode in (0, 1) and ("not carried over" in result.stderr or "error" in result.stderr or expression == {"vmap": 5})


@pytest.mark.parametrize("text, message", [
    ("", "standard input: error: there is no table in it"),
    ("hello world\n", "standard input:1: error: this is not what iptables-save prints: a table begins with *NAME"),
    ("*filter\nhello\nCOMMIT\n", 'standard input:2: error: cannot read "hello"'),
    ("*filter\n:INPUT MAYBE\nCOMMIT\n", "standard input:2: error: the policy of chain INPUT is ACCEPT or DROP, or - for a chain of one's own"),
    ("*filter\n-A WEB -j DROP\nCOMMIT\n", "standard input:2: error: there is no chain WEB in this table"),
    ("*filter\n-A INPUT -p tcp --dport 99999 -j DROP\nCOMMIT\n", 'standard input:2: error: dport "99999" makes no sense'),
    ("*filter\n-A INPUT -s 192.0.2.256 -j DROP\nCOMMIT\n", 'standard input:2: error: source "192.0.2.256" makes no sense'),
    ("*filter\n-A INPUT -m iprange --src-range ::1-192.0.2.9 -j DROP\nCOMMIT\n", 'standard input:2: error: --src-range "::1" makes no sense'),
    ("*filter\n-A INPUT -p tcp --dport\nCOMMIT\n", "standard input:2: error: --dport lacks its value"),
    ("*filter\n[1:2]\nCOMMIT\n", "standard input:2: error: counters without a rule"),
    ("*filter\n-A INPUT tcp\nCOMMIT\n", 'standard input:2: error: an option is wanted, not "tcp"'),
    ("*filter\n-A INPUT -j DROP -j ACCEPT\nCOMMIT\n", "standard input:2: error: a rule has one target"),
    ("*filter\n-A INPUT ! -j DROP\nCOMMIT\n", "standard input:2: error: `!` before -j"),
    ("*filter\n-A INPUT -j DROP tcp\nCOMMIT\n", 'standard input:2: error: an option is wanted, not "tcp"'),
    ("*filter\n-A INPUT -j REJECT --reject-with\nCOMMIT\n", "standard input:2: error: --reject-with lacks its value"),
    *[(f"*filter\n-A INPUT --hashlimit-srcmask {mask} -j DROP\nCOMMIT\n",
       f'standard input:2: error: --hashlimit-srcmask "{mask}" makes no sense') for mask in ("200", "33", "-1", "x", "24x")],
    ("*filter\n-A INPUT -j DROP\n", "standard input:3: error: the file ends before COMMIT"),
])
def test_bad_input_of_iptables(text, message):
    lines, messages = importing("iptables", text, status=1)
    assert not lines and messages[0] == message


def test_files_that_are_not_there(tmp_path):
    result = sh(SLUICE, "import", "iptables", tmp_path / "none", check=False)
    assert (result.returncode, result.stdout) == (1, "") and "none: cannot read it: No such file" in result.stderr
    (tmp_path / "zero").write_bytes(b"*filter\0")
    result = sh(SLUICE, "import", "iptables", tmp_path / "zero", check=False)
    assert result.returncode == 1 and "it is no text" in result.stderr

# SPDX-License-Identifier: BSD-2-Clause
"""The main job: `make demo` checks itself; here, that it ends well and leaves nothing."""
import os
import re
import signal
import subprocess
import time

import pytest
from lab import SLUICE, sh

pytestmark = pytest.mark.xdist_group("demo")  # each looks for namespaces that any demo left

DEMO = os.path.join(os.path.dirname(__file__), "../../demo/run")


def namespaces():
    return {line.split()[0] for line in sh("ip", "netns", "list").stdout.splitlines() if line.startswith("sl-demo")}


def test_demo_keeps_its_promises_and_cleans_up():
    result = sh("/usr/bin/python3", DEMO, SLUICE, timeout=180)
    passed, failed = map(int, re.search(r"^demo: (\d+) checks passed, (\d+) failed$", result.stdout, re.M).groups())
    assert passed > 50 and failed == 0
    assert "FAILED" not in result.stdout
    assert not namespaces()


def test_interrupted_demo_cleans_up():
    process = subprocess.Popen(["/usr/bin/python3", DEMO, SLUICE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(2)
    assert namespaces()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not namespaces()

# SPDX-License-Identifier: BSD-2-Clause
"""timed.py LIMIT COMMAND…: runs a command for at most LIMIT seconds and prints, as JSON, how it ended, what it said, how
long it took, and the MiB of memory that it had at most. A process of its own, and a small one: the kernel counts what a
process had before it became the command, too."""
import json
import resource
import subprocess
import sys
import time

start = time.monotonic()
try:
    result = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=float(sys.argv[1]))
    ended = {"status": result.returncode, "said": result.stdout}
except subprocess.TimeoutExpired:
    ended = {"status": None, "said": ""}
ended["seconds"] = time.monotonic() - start
ended["mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps(ended))

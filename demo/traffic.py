# SPDX-License-Identifier: BSD-2-Clause
"""What goes on while the story is told: a client that asks again and again, a download, a flood."""
import os
import subprocess

from world import ENVIRONMENT, TOP, wait_until


class Requests:
    """A client that asks for the page again and again, each time over a new connection."""

    LOOP = 'while [ ! -e stop ]; do curl -s -o /dev/null -m 3 -w "%{http_code}\\n" http://192.0.2.80/; done > codes'

    def __init__(self, world):
        self.codes, self.stopper = (os.path.join(world.folder.name, name) for name in ("codes", "stop"))
        open(self.codes, "w").close()
        self.loop = world.client.start("sh", "-c", self.LOOP, cwd=world.folder.name, env=ENVIRONMENT)
        wait_until(lambda: os.path.getsize(self.codes) > 0)

    def stop(self):
        """How many were made, and how many of them failed."""
        open(self.stopper, "w").close()
        self.loop.wait(timeout=10)
        os.remove(self.stopper)
        with open(self.codes) as codes:
            codes = codes.read().split()
        return len(codes), sum(code != "200" for code in codes)


class Download:
    """A large file, slow enough to last while the policy changes."""

    def __init__(self, world):
        self.copy, self.large = (os.path.join(world.folder.name, name) for name in ("copy", "www/large"))
        self.curl = world.client.start("curl", "-s", "-m", "30", "--limit-rate", "6M", "-o", self.copy,
                                       "http://192.0.2.80/large", env=ENVIRONMENT)

    def is_whole(self):
        if self.curl.wait(timeout=40) != 0:
            return False
        with open(self.copy, "rb") as copy, open(self.large, "rb") as large:
            return copy.read() == large.read()


class Flood:
    """Frames of a capture on the wire, as long as it lasts."""

    def __init__(self, world, capture, rate, seconds):
        self.world, self.arguments = world, (capture, str(rate), str(seconds))

    def __enter__(self):
        self.sender = self.world.attacker.start(os.path.join(TOP, "demo/send"), "eth0", *self.arguments,
                                                cwd=self.world.folder.name, stdout=subprocess.DEVNULL)

    def __exit__(self, *unused):
        self.sender.terminate()
        self.sender.wait(timeout=10)

# SPDX-License-Identifier: BSD-2-Clause
"""train.py: sends trains of packets, turn after turn, and watches which of them arrive, until its standard input ends;
then prints what it saw, as JSON. Its only argument is JSON:

    wires     one [out, seen, frames] for each interface: descriptors of packet sockets at both ends, frames in hex
    policies  how many; frame number n, for each of these, passes policy n and no other
    never     the frames behind them that no policy lets pass; all after these pass every policy
    together  whether all interfaces go from policy to policy in one step
    turns     a file in which the number of finished turns is kept, 8 bytes

A turn on one interface is over when its last frame, which everyone lets pass, has arrived: nothing is ever lost for want
of room, and the order of arrival is the order of judgement. Each frame carries its number as source port, and its turn."""
import json
import mmap
import os
import select
import socket
import struct
import sys

PAYLOAD = 42  # Ethernet, IPv4, UDP
LOOK = 64  # turns between two looks at standard input
PATIENCE = 2  # seconds until a frame counts as lost


class Track:
    """Which policy judges, told by the frames that only one of them lets pass."""

    def __init__(self):
        self.sequence = []  # of policies, as they took over
        self.current = None

    def saw(self, number, passed):
        if passed and self.current != number:
            self.sequence.append(number)
            self.current = number
        elif not passed and self.current == number:
            self.current = None  # its successor shows when it lets something pass


class Train:
    def __init__(self, out, seen, frames, policies, never, track):
        self.out, self.seen = (socket.socket(fileno=descriptor) for descriptor in (out, seen))
        self.seen.settimeout(PATIENCE)
        self.frames = [bytearray.fromhex(frame) for frame in frames]
        self.policies, self.never, self.track = policies, never, track
        self.arrivals = [0] * len(frames)
        self.mixed = self.lost = self.disorder = 0

    def arrived(self, turn):
        found = []
        try:
            while not found or found[-1] != len(self.frames) - 1:
                frame = self.seen.recv(256)
                if frame[PAYLOAD:PAYLOAD + 8] == turn:
                    found.append(frame[34] << 8 | frame[35])
        except TimeoutError:
            pass
        return found

    def turn(self, number):
        label = struct.pack("!Q", number)
        for frame in self.frames:
            frame[PAYLOAD:PAYLOAD + 8] = label
            self.out.send(frame)
        found = self.arrived(label)
        self.disorder += found != sorted(set(found))
        for index in found:
            self.arrivals[index] += 1
        for index in range(self.policies):
            self.track.saw(index, index in found)
        end = self.policies + self.never
        self.mixed += sum(index in found for index in range(self.policies, end))
        self.lost += sum(index not in found for index in range(end, len(self.frames)))


def main():
    asked = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    tracks = [Track() for _ in asked["wires"]]
    if asked["together"]:
        tracks = tracks[:1] * len(tracks)
    trains = [Train(*wire, asked["policies"], asked["never"], track) for wire, track in zip(asked["wires"], tracks)]
    turn = 0
    with open(asked["turns"], "r+b") as file, mmap.mmap(file.fileno(), 8) as turns:
        while turn % LOOK or not select.select([sys.stdin], [], [], 0)[0]:
            turn += 1
            for train in trains:
                train.turn(turn)
            turns[:] = struct.pack("=Q", turn)
    print(json.dumps({"turns": turn, "interfaces": [{
        "sequence": train.track.sequence, "arrivals": train.arrivals, "lost": train.lost, "mixed": train.mixed,
        "disorder": train.disorder} for train in trains]}))


main()

# SPDX-License-Identifier: BSD-2-Clause
"""flood.py INTERFACE HEX…: sends these frames in turn, as fast as it can, until its standard input ends; then prints
how many turns it has made. A frame that the driver had no room for is sent again."""
import select
import socket
import sys

TURNS = 64  # between two looks at standard input


def main():
    interface, frames = sys.argv[1], [bytes.fromhex(text) for text in sys.argv[2:]]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind((interface, 0))
    sent = 0
    print("sending", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(TURNS):
            for frame in frames:
                while True:
                    try:
                        wire.send(frame)
                        break
                    except OSError as error:
                        if error.errno != 105:  # ENOBUFS
                            raise
        sent += TURNS
    print(sent, flush=True)


main()

# SPDX-License-Identifier: BSD-2-Clause
"""What tmux and screen are to a session: runs a command in a terminal that a daemon has made, which hangs on no session.
With `attach` as first word a client of the daemon is in a terminal of this session meanwhile, with `detach` there is none."""
import os
import pty
import signal
import sys


def read_all(descriptor):
    said = b""
    try:
        while part := os.read(descriptor, 4096):
            said += part
    except OSError:  # how Linux says that the last user of a terminal is gone
        pass
    return said


def serve(command, output):
    """The daemon: it has no terminal of its own, and its parent is gone."""
    os.setsid()
    if os.fork():
        os._exit(0)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    said = read_all(terminal)
    _, status = os.waitpid(pid, 0)
    os.write(output, bytes([os.waitstatus_to_exitcode(status)]) + said.replace(b"\r\n", b"\n"))
    os._exit(0)


def main():
    mode, *command = sys.argv[1:]
    signal.alarm(30)
    answer, output = os.pipe()
    if mode == "attach":
        pid, _ = pty.fork()
        if pid == 0:
            os.close(output)
            signal.pause()  # until the terminal closes with us
    pid = os.fork()
    if pid == 0:
        serve(command, output)
    os.waitpid(pid, 0)
    os.close(output)
    status, *said = read_all(answer)
    sys.stderr.write(bytes(said).decode())
    sys.exit(status)


main()

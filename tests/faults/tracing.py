# SPDX-License-Identifier: BSD-2-Clause
"""A command under strace: which system calls it makes, and the same again with one of them killed or failing."""
import collections
import re
import signal
import subprocess

# Calls that change something or can be refused by the kernel or its file systems. Each is counted by its own name.
TRACED = ("bpf", "mkdir", "rename", "unlink", "rmdir", "flock", "openat", "getdents64", "readlink", "statfs", "getsockopt",
          "socket", "setsockopt", "bind", "getsockname", "sendto", "sendmsg", "recvmsg", "recvfrom", "mmap", "munmap",
          "close", "write", "exit_group")
READING = re.compile(r"BPF_(OBJ_GET|OBJ_GET_INFO_BY_FD|MAP_LOOKUP_\w+|MAP_GET_NEXT_KEY|\w+_GET_NEXT_ID|"
                     r"\w+_GET_FD_BY_ID)$")

PROBING = re.compile(r"BPF_BTF_LOAD|BPF_PROG_TYPE_SOCKET_FILTER| libbpf_")  # what can this kernel do, asks libbpf

Call = collections.namedtuple("Call", "name nth what text result last")  # last: lets go of what this run has made


class Moved(Exception):
    """The run did not come by the call that was meant."""


class Tracer:
    def __init__(self, program, environment, log, root):
        self.program, self.environment, self.log, self.root = program, environment, log, root

    def run(self, arguments, *injections):
        # Whatever goes wrong, the machine's own BPF file system is not mounted over.
        command = ["strace", "-y", "-s", "256", "-o", self.log, "-e", "trace=mount," + ",".join(TRACED),
                   "-e", "inject=mount:error=EPERM"]
        for injection in injections:
            command += ["-e", f"inject={injection}"]
        # A signal that is ignored stays so in a child: in a job of a shell, SIGINT; under nohup, SIGHUP.
        command[:0] = ["env", "--default-signal"]
        result = subprocess.run([*command, *self.program, *arguments], env=self.environment, capture_output=True,
                                text=True, timeout=60)
        with open(self.log, errors="replace") as file:
            return result, file.read().splitlines()

    def calls(self, arguments):
        """Every call of an undisturbed run, in order, from the first that has to do with Sluice's pins."""
        result, lines = self.run(arguments)
        counts, found, made = collections.Counter(), [], set()
        for line in lines:
            match = re.match(r"(\w+)\((.*)", line)
            if not match:
                continue
            name, text = match.groups()
            counts[name] += 1
            last = name == "close" and text.split("<")[0] in made
            found.append(Call(name, counts[name], what(name, text), line, line.rpartition(" = ")[2], last))
            if last:
                made.remove(text.split("<")[0])
            elif re.search(r"_CREATE|PROG_LOAD", found[-1].what) and not PROBING.search(found[-1].what):
                made.add(found[-1].result.split("<")[0])
        start = next(i for i, call in enumerate(found) if call.what == "getsockopt SO_NETNS_COOKIE")
        return result, found[start:]

    def killed(self, arguments, call):
        return self.signalled(arguments, call, "KILL")

    def signalled(self, arguments, call, name):
        """Only SIGKILL keeps the call from being made; any other ends the process right after it."""
        result, lines = self.run(arguments, f"{call.name}:signal={name}:when={call.nth}")
        number = getattr(signal, f"SIG{name}")
        if result.returncode not in (-number, 128 + number):
            raise Moved(f"not killed at {call.text}")
        if name == "KILL":
            self.expect(call, lines[-2])
        return result

    def failing(self, arguments, call, error):
        result, lines = self.run(arguments, f"{call.name}:error={error}:when={call.nth}")
        injected = [line for line in lines if line.endswith("(INJECTED)")]
        if len(injected) != 1:
            raise Moved(f"not injected once: {call.text}: {injected}")
        self.expect(call, injected[0])
        return result

    @staticmethod
    def expect(call, line):
        """The run went the same way as the listed one until here."""
        match = re.match(r"(\w+)\((.*)", line)
        if not match or what(*match.groups()) != call.what:
            raise Moved(f"{line}\nis not the call that was meant:\n{call.text}")

    def changes(self, call):
        """Whether the kernel, or what is pinned, may be another after this call than before it."""
        if call.name == "bpf":
            return not self.only_reads(call) and not call.result.startswith("-1")
        if call.name in ("mkdir", "rename", "unlink", "rmdir"):
            return not call.result.startswith("-1")
        if call.name == "close":
            return call.last
        if call.name == "mmap":
            return "MAP_SHARED" in call.text
        if call.name in ("sendto", "sendmsg"):
            return "NETLINK" in call.text
        if call.name == "write":
            return call.text.startswith("write(1")
        return call.name in ("flock", "exit_group")

    @staticmethod
    def only_reads(call):
        return call.name in ("openat", "getdents64", "readlink", "statfs", "getsockopt") or (
            call.name == "bpf" and (READING.search(call.what) or PROBING.search(call.what)))

    def can_fail(self, call):
        if call.name in ("bpf", "mkdir", "rename", "unlink", "rmdir", "flock", "statfs", "getsockopt", "getdents64"):
            return True
        if call.name in ("openat", "readlink"):
            return self.root in call.text or "anon_inode:bpf" in call.text
        if call.name == "mmap":
            return "MAP_SHARED" in call.text
        return "NETLINK" in call.text and call.name != "close"


def what(name, text):
    """A call in one or two words, without numbers that differ from run to run."""
    if name == "bpf":
        command = text.split(",")[0]
        kind = re.search(r"map_name=\"(\w*)|prog_type=(\w+)", text)
        return f"{command} {kind[1] or kind[2]}" if kind else command
    if name == "getsockopt":
        return f"getsockopt {text.split(', ')[2]}"
    path = re.search(r'"(/[^"]*)"', text)
    if path and name in ("mkdir", "rename"):  # a folder is emptied in any order
        return f"{name} {re.sub(r'/[0-9]+(?=/|$)', '/N', path[1])}"
    return name

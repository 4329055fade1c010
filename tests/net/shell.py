# SPDX-License-Identifier: BSD-2-Clause
"""What sshd is to a session: accepts one connection on ADDRESS (which may have a zone), says so, and runs the commands that
come on its standard input, as [WORDS, ENVIRONMENT] in JSON, a line each. Its children do not inherit the connection."""
import json
import socket
import subprocess
import sys

*_, address = socket.getaddrinfo(sys.argv[1], 22, type=socket.SOCK_STREAM)[0]
family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
with socket.create_server(address, family=family, dualstack_ipv6=sys.argv[1] == "::") as listener:
    print("listening", flush=True)
    connection, client = listener.accept()
server = connection.getsockname()
print(f"{client[0]} {client[1]} {server[0]} {server[1]}", flush=True)
for line in sys.stdin:
    command, environment = json.loads(line)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                            check=False)
    print(json.dumps([result.returncode, result.stdout, result.stderr]), flush=True)

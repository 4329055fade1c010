# SPDX-License-Identifier: BSD-2-Clause
"""web.py FOLDER: a web server on port 80, with room for as many connections as the kernel gives (net.core.somaxconn)."""
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 4096
    daemon_threads = True


Server(("0.0.0.0", 80), partial(Handler, directory=sys.argv[1])).serve_forever()

#!/usr/bin/env python3
"""A small application behind nginx: answers every request with who it was told is calling.

    upstream.py PORT

Listens on 127.0.0.1. It trusts the headers that Janua sets, as real applications do, so nobody but nginx may reach it.
Python 3, standard library only.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

IDENTITY = {"x-user", "x-user-id", "x-roles", "x-tenant", "x-session-ref"}


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        told = {name: value for name, value in self.headers.items() if name.lower() in IDENTITY or name.lower().startswith("x-extra-")}
        seen = {"method": self.command, "path": target.path, "query": target.query, "told": told}
        if not target.query:
            del seen["query"]
        body = (json.dumps(seen, separators=(",", ":")) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

    def log_message(self, *_):
        """Says nothing: nginx keeps the log."""


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: upstream.py PORT")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Application).serve_forever()

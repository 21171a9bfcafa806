"""The application behind nginx in the tests: it tells what reached it, and misbehaves when it is asked to.

Called by the harness (as a thread) and by the scenario door (as a process). It must never decide anything: what it prints is
what came over the wire. Python 3.11, standard library only.

Answers with the members of the C host's application (`method`, `path`, `query`, `told`); unless `plain`, also with the raw
`target`, all `headers` in order, the `body`'s length and its SHA-256. The query asks for more:

    do=stall&seconds=N   answer late           do=accel&to=/x     X-Accel-Redirect
    do=cookie            a Set-Cookie          do=status&code=N   another status
    do=die               close unanswered      do=304             not modified, no body
"""

import hashlib
import json
import re
import socket
import threading
import time
import urllib.parse

IDENTITY = {"x_user", "x_user_id", "x_roles", "x_tenant", "x_session_ref"}


def folded(name):
    """A header's name as a CGI gateway folds it."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


class Upstream:
    """A threaded HTTP/1.1 server with keep-alive on a port of its own."""

    def __init__(self, plain=False):
        self.plain = plain
        self.seen = []
        self.door = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Takes connections until the process ends or `close` is called."""
        while True:
            try:
                wire, _ = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(wire,), daemon=True).start()

    def close(self):
        """Takes no more connections."""
        self.door.close()

    def serve(self, wire):
        """One connection, request after request."""
        data = b""
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with wire:
            while True:
                while b"\r\n\r\n" not in data:
                    part = self.read(wire)
                    if not part:
                        return
                    data += part
                head, _, data = data.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:]]
                length = sum(int(v) for k, v in headers if k.lower() == "content-length" and v.isdigit())
                while len(data) < length:
                    part = self.read(wire)
                    if not part:
                        return
                    data += part
                body, data = data[:length], data[length:]
                if not self.answer(wire, lines[0], headers, body):
                    return

    @staticmethod
    def read(wire):
        """Some bytes, or none when the other side is gone."""
        try:
            return wire.recv(65536)
        except OSError:
            return b""

    def answer(self, wire, line, headers, body):
        """Tells one request back; false when the connection is to be closed."""
        method, target, _ = line.split(" ", 2)
        path, _, query = target.partition("?")
        told = [(k, v) for k, v in headers if folded(k) in IDENTITY or folded(k).startswith("x_extra_")]
        asked = dict(urllib.parse.parse_qsl(query))
        whole = {"method": method, "path": urllib.parse.unquote(path), "told": Pairs(told)}
        if query:
            whole["query"] = query
        if not self.plain:
            whole |= {"target": target, "headers": headers, "body": len(body), "sha": hashlib.sha256(body).hexdigest()}
        self.seen.append((method, target, headers, body))
        status, extra = "200 OK", []
        match asked.get("do"):
            case "stall":
                time.sleep(float(asked["seconds"]))
            case "accel":
                extra = [("X-Accel-Redirect", asked["to"])]
            case "cookie":
                extra = [("Set-Cookie", "application=1; Path=/")]
            case "status":
                status = f"{asked['code']} Asked"
            case "304":
                status = "304 Not Modified"
            case "die":
                return False
        text = b"" if status.startswith("304") else dump(whole)
        head = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Cache-Control: no-store"]
        head += [f"{k}: {v}" for k, v in extra] + ([] if status.startswith("304") else [f"Content-Length: {len(text)}"])
        try:
            wire.sendall("\r\n".join(head + ["", ""]).encode("latin-1") + (b"" if method == "HEAD" else text))
        except OSError:
            return False
        return not any(k.lower() == "connection" and v.lower() == "close" for k, v in headers)


class Pairs(list):
    """Members of a JSON object in which a name may stand twice."""


def dump(value):
    """JSON, with `Pairs` as objects: a header that came twice stands twice."""
    members = value.items() if isinstance(value, dict) else value
    if not isinstance(value, (dict, Pairs)):
        return json.dumps(value).encode()
    return b"{" + b",".join(json.dumps(k).encode() + b":" + dump(v) for k, v in members) + b"}"

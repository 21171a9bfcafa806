"""HTTP as bytes: a client that keeps its connection, and HTTP/2.

Called by the tests. It must never repair what it is given: a request goes out as written, an answer is read as it came.
"""

import json
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from http2 import Http2  # noqa: E402

PATIENCE = 30


class Answer:
    """One answer as it came."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        """Every value of a header."""
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def one(self, name):
        """The only value of a header, or nothing."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def cookie(self, name="sid"):
        """The value of a cookie that the answer sets, or nothing."""
        for value in self.all("Set-Cookie"):
            if value.startswith(name + "="):
                return value[len(name) + 1 :].split(";")[0]
        return None

    def json(self):
        """The body as JSON; an object with repeated names keeps the last."""
        return json.loads(self.body)

    def told(self):
        """What the upstream was told, or nothing when this is not its answer."""
        try:
            return self.json()["told"]
        except (ValueError, KeyError, TypeError):
            return None

    def names(self):
        """The names of the headers that the upstream saw, in lower case."""
        return [k.lower() for k, _ in self.json()["headers"]]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


class Wire:
    """An HTTP/1.1 connection that is used again and again."""

    def __init__(self, port, client=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (client, 0) if client else None)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Bytes as they are."""
        self.socket.sendall(data)

    def more(self):
        """Reads on; an end where there should be none is an error."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError(f"closed after {self.data[:200]!r}")
        self.data += part

    def read(self, head_only=False):
        """The next final answer."""
        while True:
            while b"\r\n\r\n" not in self.data:
                self.more()
            head, _, self.data = self.data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            if not lines[0].startswith("HTTP/1.1 "):
                raise ConnectionError(f"no answer: {lines[0]!r}")
            status = int(lines[0].split(" ")[1])
            if status >= 200:
                break
        headers = [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:]]
        return Answer(status, headers, self.body(status, headers, head_only))

    def body(self, status, headers, head_only):
        """The body that belongs to a head."""
        low = {k.lower(): v for k, v in headers}
        if head_only or status in (204, 304):
            return b""
        if low.get("transfer-encoding") == "chunked":
            return self.chunks()
        if "content-length" not in low:
            while True:
                try:
                    self.more()
                except ConnectionError:
                    body, self.data = self.data, b""
                    return body
        return self.exactly(int(low["content-length"]))

    def exactly(self, count):
        """So many bytes."""
        while len(self.data) < count:
            self.more()
        part, self.data = self.data[:count], self.data[count:]
        return part

    def chunks(self):
        """A chunked body without trailers."""
        body = b""
        while True:
            while b"\r\n" not in self.data:
                self.more()
            size, _, self.data = self.data.partition(b"\r\n")
            part = self.exactly(int(size, 16))
            self.exactly(2)
            if not part:
                return body
            body += part

    def ask(self, method, target, *headers, body=None):
        """A request and its answer; `Host` and `Content-Length` are added when not written."""
        self.send(request(method, target, *headers, body=body))
        return self.read(method == "HEAD")

    def silent(self, seconds=0.3):
        """Whether nothing more comes for a while, and the connection stays."""
        self.socket.settimeout(seconds)
        try:
            self.more()
            return False
        except TimeoutError:
            return not self.data
        finally:
            self.socket.settimeout(PATIENCE)


def request(method, target, *headers, body=None):
    """A request's bytes."""
    lines = list(headers)
    names = {line.split(":")[0].lower() for line in lines}
    if "host" not in names:
        lines.insert(0, "Host: door.test")
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return f"{method} {target} HTTP/1.1\r\n".encode("latin-1") + "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def ask(port, method, target, *headers, body=None):
    """One request on a connection of its own."""
    with Wire(port) as wire:
        return wire.ask(method, target, *headers, body=body)


def ask2(port, method, target, *headers, body=None):
    """One request over HTTP/2 on a connection of its own."""
    lines = [tuple(line.split(":", 1)) for line in headers]
    with Http2(("127.0.0.1", port), seconds=PATIENCE) as connection:
        return Answer(*connection.ask(method, target, [("Host", "door.test"), *lines], body))

"""HTTP as bytes: a client that keeps its connection, curl for HTTP/2, and the few frames that curl will not send.

Called by the tests. It must never repair what it is given: a request goes out as written, an answer is read as it came.
"""

import json
import socket
import struct
import subprocess

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


# ---------------------------------------------------------------- HTTP/2


def curl(method, target, headers, body):
    """curl's arguments for one request, without the address's front."""
    args = ["--path-as-is", "-X", method] if method != "HEAD" else ["--path-as-is", "-I"]
    names = {line.split(":")[0].lower() for line in headers}
    for quiet in ("User-Agent", "Accept", "Content-Type", "Expect"):
        if quiet.lower() not in names:
            args += ["-H", f"{quiet}:"]
    for line in headers:
        name, _, value = line.partition(":")
        args += ["-H", f"{name};" if not value.strip() else line]
    return args + (["--data-binary", "@-"] if body is not None else []) + ["--", target]


def ask2(port, method, target, *headers, body=None):
    """One request over HTTP/2, by curl."""
    args = ["curl", "-sS", "-i", "--http2-prior-knowledge", "--max-time", str(PATIENCE)]
    args += curl(method, f"http://127.0.0.1:{port}{target}", headers, body)
    done = subprocess.run([a.encode("latin-1") for a in args], input=body, capture_output=True, check=False)
    if done.returncode:
        raise ConnectionError(f"curl: {done.returncode} {done.stderr.decode()}")
    return parse2(done.stdout)


def parse2(data):
    """curl's -i output of one transfer."""
    while True:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status >= 200:
            return Answer(status, [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:]], data)


class Frames:
    """An HTTP/2 connection by hand: enough to mix streams and to abort in mid-hop. Of an answer's head it reads the status alone."""

    STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))

    @staticmethod
    def frame(kind, flags, stream, payload):
        """One frame."""
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    @staticmethod
    def literal(name, value):
        """A header, literal and never indexed, without Huffman coding; both shorter than 127 bytes."""
        name, value = name.encode(), value.encode()
        return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value

    def ask(self, stream, method, path, headers, body=None, whole=True):
        """HEADERS and maybe DATA; `whole` false leaves the stream open."""
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "door.test"), *headers]
        block = b"".join(self.literal(k, v) for k, v in fields)
        end = 0 if body is not None or not whole else 1
        data = self.frame(1, 4 | end, stream, block)
        if body is not None:
            data += self.frame(0, 1 if whole else 0, stream, body)
        self.socket.sendall(data)

    def exactly(self, count):
        """So many bytes."""
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def read(self, streams):
        """The answers of these streams, in their order: statuses and bodies."""
        found = {stream: Answer(0, [], b"") for stream in streams}
        open_streams = set(streams)
        while open_streams:
            head = self.exactly(9)
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = self.exactly(struct.unpack(">I", b"\0" + head[:3])[0])
            if kind == 0:
                found[stream].body += payload
            elif kind == 1:
                found[stream].status = self.status(payload)
            elif kind in (3, 7):
                raise ConnectionError(f"reset of stream {stream}: {payload!r}")
            if kind in (0, 1) and flags & 1:
                open_streams.discard(stream)
        return [found[stream] for stream in streams]

    def status(self, block):
        """The status, which nginx writes first: an index of the static table, or three digits."""
        while block[0] & 0xE0 == 0x20:
            block = block[1:]
        return self.STATUS[block[0] & 0x7F] if block[0] & 0x80 else int(block[2:5])

    def reset(self, stream):
        """RST_STREAM with CANCEL."""
        self.socket.sendall(self.frame(3, 0, stream, struct.pack(">I", 8)))

    def close(self):
        """Gone without a word."""
        self.socket.close()

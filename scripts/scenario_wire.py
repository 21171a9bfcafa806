"""The wire of the scenario runner: requests as bytes over HTTP/1.1, or over HTTP/2, and answers as they came.

Called by scripts/scenarios.py. It must never repair a request, nor forgive an answer that HTTP does not allow.
"""

import json
import re
import socket

from http2 import ONLY_HTTP1, Gone, Http2

SECONDS_FOR_AN_ANSWER = 20
TOLD = {"x_user": "user", "x_user_id": "id", "x_roles": "roles", "x_tenant": "tenant", "x_session_ref": "session"}


class Wrong(Exception):
    """What a step expected and did not get."""


class Answer:
    """An answer as it came over the wire; status 0 when there was none."""

    def __init__(self, data, head_only):
        self.status, self.headers, self.body = 0, [], b""
        while True:
            head, _, rest = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            if not lines[0].startswith("HTTP/"):
                return
            self.status = int(lines[0].split(" ")[1])
            if self.status != 100:
                break
            data = rest
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        if head_only or self.status in (204, 304):
            if rest and not head_only:
                raise Wrong(f"a {self.status} with a body")
            return
        self.body = rest
        if any(v.lower() == "chunked" for v in self.all("Transfer-Encoding")):
            self.body = unchunk(rest)
        elif self.all("Content-Length"):
            length = int(self.all("Content-Length")[0])
            if len(rest) != length:
                raise Wrong(f"Content-Length {length}, and {len(rest)} bytes came")

    def all(self, name):
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def text(self):
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Wrong(f"not JSON: {self.text()[:300]!r}") from error

    def told(self):
        """What the upstream was told, when this is its answer: identity headers folded as a gateway folds them."""
        pairs = []

        def collect(members):
            pairs.append(members)
            return dict(members)

        try:
            whole = json.loads(self.body, object_pairs_hook=collect)
        except ValueError:
            return None
        if self.status != 200 or not isinstance(whole, dict) or set(whole) - {"query"} != {"method", "path", "told"}:
            return None
        headers = {}
        for name, value in pairs[0]:
            headers.setdefault(re.sub(r"[^a-z0-9]", "_", name.lower()), []).append(value)
        told = {member: ",".join(headers.get(name, [])) for name, member in TOLD.items()}
        told["roles"] = [role for role in told["roles"].split(",") if role]
        told["extra"] = {n[8:]: ",".join(values) for n, values in headers.items() if n.startswith("x_extra_")}
        return {**told, "method": whole["method"], "path": whole["path"]}


def unchunk(data):
    """Takes chunked coding off."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        if count == 0:
            break
        body, data = body + data[:count], data[count + 2 :]
    return body


def encode(text, latin1):
    """The bytes of a text of a step."""
    return text.encode("latin-1" if latin1 else "utf-8")


def request_bytes(step, folder, host):
    """The bytes of a step's request."""
    latin1 = step.get("latin1", False)
    if "raw" in step:
        return encode(step["raw"], latin1)
    body = encode(step.get("body", ""), latin1)
    if "body_file" in step:
        body = (folder / step["body_file"]).read_bytes()
    lines = list(step.get("headers", []))
    names = {line.split(":", 1)[0].lower() for line in lines}
    method, target = step["send"].split(" ", 1)
    added = []
    if "host" not in names:
        added.append(f"Host: {host}")
    if "connection" not in names:
        added.append("Connection: close")
    carries = "body" in step or "body_file" in step or method in ("POST", "PUT", "PATCH")
    if carries and not names & {"content-length", "transfer-encoding"}:
        added.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([f"{method} {target} HTTP/1.1"] + added + lines) + "\r\n\r\n"
    return encode(head, latin1) + body


def exchange(address, data, client, cut):
    """Sends bytes, reads until the other side closes. `cut`: nothing more will come, and the other side is told."""
    got = b""
    source = (client, 0) if client else None
    with socket.create_connection(address, SECONDS_FOR_AN_ANSWER, source_address=source) as wire:
        wire.settimeout(SECONDS_FOR_AN_ANSWER)
        try:
            wire.sendall(data)
            if cut:
                wire.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before the end: the answer says why
        while True:
            try:
                part = wire.recv(65536)
            except TimeoutError as error:
                raise Wrong(f"no end of the answer within {SECONDS_FOR_AN_ANSWER} s; so far {got[:200]!r}") from error
            except OSError:
                break
            if not part:
                break
            got += part
    return got


def http1_only(step):
    """Whether a step says what HTTP/2 has no words for."""
    names = [line.split(":", 1)[0].lower() for line in step.get("headers", [])]
    return "raw" in step or names.count("host") > 1 or bool(ONLY_HTTP1 & set(names))


def exchange2(address, step, folder, host):
    """The same step over HTTP/2; no answer is status 0, as a closed connection is over HTTP/1.1."""
    method, target = step["send"].split(" ", 1)
    latin1 = step.get("latin1", False)
    lines = [line.split(":", 1) for line in step.get("headers", [])]
    if not any(name.lower() == "host" for name, _ in lines):
        lines.insert(0, ["Host", host])
    body = encode(step.get("body", ""), latin1)
    if "body_file" in step:
        body = (folder / step["body_file"]).read_bytes()
    carries = "body" in step or "body_file" in step or method in ("POST", "PUT", "PATCH")
    bytes_as_text = [(name, encode(value, latin1).decode("latin-1")) for name, value in lines]
    answer = Answer(b"", False)
    try:
        with Http2(address, step.get("client"), SECONDS_FOR_AN_ANSWER) as connection:
            found = connection.ask(method, encode(target, latin1).decode("latin-1"), bytes_as_text, body if carries else None)
            answer.status, answer.headers, answer.body = found
    except (Gone, BrokenPipeError, ConnectionResetError):
        pass  # refused without an answer
    return answer

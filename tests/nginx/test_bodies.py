"""Facts 4 and 7: bodies that the module reads, and bodies that it leaves alone; never one answer too many or too few."""

import hashlib
import json

from promises import let_in, promise, refused, same
from wire import Answer, Http2, request

JSON = "Content-Type: application/json"
LOGIN = b'{"user":"Aladdin","password":"OpenSesame"}'
SMUGGLED = b"GET /off/smuggled HTTP/1.1\r\nHost: door.test\r\n\r\n"


def chunked(*parts):
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def padded(length):
    """A log-in whose body has this length."""
    text = json.dumps({"user": "Aladdin", "password": "OpenSesame", "pad": ""}).encode()
    return text[:-2] + b"x" * (length - len(text)) + text[-2:]


@promise("fact 4: a refused POST whose body holds a request gets exactly one answer, and the connection goes on")
def smuggling(nginx):
    cookie = nginx.login()
    for target, expected in (("/a", 401), ("/login", 400), ("/whoami", 401), ("/static/page.txt", 401)):
        before = len(nginx.upstream.seen)
        with nginx.wire() as wire:
            same(target, wire.ask("POST", target, JSON, body=SMUGGLED).status, expected)
            assert wire.silent(), f"{target}: the body was answered too: {wire.data[:200]!r}"
            same("after it", let_in(wire.ask("GET", "/next", cookie), "Aladdin").json()["path"], "/next")
        assert "/off/smuggled" not in [t for _, t, _, _ in nginx.upstream.seen[before:]], "the smuggled request went upstream"


@promise("fact 4: the same with the body in chunks, and with a body that comes after the answer")
def smuggling_late(nginx):
    cookie = nginx.login()
    with nginx.wire() as wire:
        answer = wire.ask("POST", "/a", "Transfer-Encoding: chunked", body=chunked(SMUGGLED[:20], SMUGGLED[20:]))
        refused(answer)
        assert wire.silent(), "the body was answered too"
        let_in(wire.ask("GET", "/next", cookie), "Aladdin")
        wire.send(request("POST", "/a", f"Content-Length: {len(SMUGGLED)}"))
        refused(wire.read())
        wire.send(SMUGGLED)
        assert wire.silent(), "the late body was answered too"
        let_in(wire.ask("GET", "/next", cookie), "Aladdin")


@promise("an ANSWER with a body that was not asked for discards it: log-out by POST with a body")
def answer_discards(nginx):
    with nginx.wire() as wire:
        same("log-out", wire.ask("POST", "/logout", nginx.login(), body=SMUGGLED).status, 204)
        assert wire.silent(), "the body was answered too"
        assert wire.ask("POST", "/login", JSON, body=LOGIN).cookie(), "no log-in after it"


@promise("fact 7: a log-in's body is read from memory, from several buffers, from a temporary file, from chunks, from HTTP/2")
def forms(nginx):
    from wire import ask, ask2

    for length in (len(padded(0)), 63, 64, 65, 1000, 9000, 20000, 60000):
        body = padded(length)
        for port in (nginx.port, nginx.other):
            answer = ask(port, "POST", "/login", JSON, body=body)
            assert answer.status == 200 and answer.cookie(), f"{length} bytes at {port}: {answer}"
            pieces = [body[n : n + 777] for n in range(0, len(body), 777)]
            answer = ask(port, "POST", "/login", JSON, "Transfer-Encoding: chunked", body=chunked(*pieces))
            assert answer.status == 200 and answer.cookie(), f"{length} bytes in chunks at {port}: {answer}"
        answer = ask2(nginx.h2, "POST", "/login", JSON, body=body)
        assert answer.status == 200 and answer.cookie(), f"{length} bytes over HTTP/2: {answer}"


@promise("fact 7: a log-in's body that comes byte by byte, or long after its head, is read all the same")
def slow_body(nginx):
    import time

    for port_wire in (nginx.wire(),):
        with port_wire as wire:
            wire.send(request("POST", "/login", JSON, f"Content-Length: {len(LOGIN)}"))
            for byte in LOGIN:
                time.sleep(0.002)
                wire.send(bytes([byte]))
            assert wire.read().cookie(), "no session"


@promise("fact 7: an empty body is asked for once and refused as the profile says, however emptiness is written")
def empty(nginx):
    for lines, body in (([JSON], b""), ([], b""), ([], None), ([JSON, "Transfer-Encoding: chunked"], b"0\r\n\r\n")):
        with nginx.wire() as wire:
            answer = wire.ask("POST", "/login", *lines, body=body)
            assert answer.status in (400, 401), f"{lines} {body}: {answer}"
            assert b"error" in answer.body, f"not the profile's answer: {answer}"
            assert wire.silent(), "answered twice"
    assert nginx.ask2("POST", "/login", body=b"").status in (400, 401), "HTTP/2"
    assert nginx.ask2("POST", "/login").status in (400, 401), "HTTP/2 without a body"


@promise("fact 7: a body over the engine's limit is refused without being read; over client_max_body_size nginx says 413")
def too_large(nginx):
    for port in (nginx.port, nginx.other):
        from wire import Wire

        with Wire(port) as wire:
            answer = wire.ask("POST", "/login", JSON, body=padded(70000))
            same("over the engine's limit", answer.status, 400)
            assert wire.ask("POST", "/login", JSON, body=LOGIN).cookie(), "the connection did not go on"
        with Wire(port) as wire:
            answer = wire.ask("POST", "/login", JSON, "Transfer-Encoding: chunked", body=chunked(padded(70000)))
            same("in chunks", answer.status, 400)
        with Wire(port) as wire:
            wire.send(request("POST", "/login", JSON, "Content-Length: 70000", "Connection: close"))
            same("its head alone", wire.read().status, 400)
        answer = nginx.ask("POST", "/login", JSON, "Content-Length: 300000", body=b"")
        same("over nginx's", answer.status, 413)


@promise("fact 7: a body without a length that grows over the limit is stopped: one answer at once, and nothing of the rest is a request")
def overflow(nginx):
    with nginx.wire() as wire:
        wire.send(request("POST", "/login", JSON, "Transfer-Encoding: chunked") + chunked(padded(70000))[:-5])
        same("without an end", wire.read().status, 400)
    with nginx.wire() as wire:
        try:
            wire.send(request("POST", "/login", JSON, "Transfer-Encoding: chunked") + chunked(padded(70000), SMUGGLED * 3))
            wire.send(SMUGGLED * 3)
        except OSError:
            pass  # closed already: nothing more can be a request
        same("one answer", wire.read().status, 400)
        try:
            wire.more()
            assert not wire.data, f"another answer: {wire.data[:200]!r}"
        except OSError:
            pass


@promise("fact 7: over HTTP/2 a body without a length is read, in frames of any size, and stopped when it grows over the limit")
def http2_lengthless(nginx):
    lines = [("Host", "door.test"), ("Content-Type", "application/json")]
    with Http2(("127.0.0.1", nginx.h2)) as connection:
        for size in (1, 7, 100):
            stream = connection.send("POST", "/login", lines, whole=False)
            for at in range(0, len(LOGIN), size):
                connection.frame(0, 1 if at + size >= len(LOGIN) else 0, stream, LOGIN[at : at + size])
            assert Answer(*connection.read(stream)).cookie(), f"frames of {size}: no session"
        stream = connection.send("POST", "/login", lines, whole=False)
        connection.send_body(stream, padded(70000), whole=False)
        same("over the limit, without an end", Answer(*connection.read(stream)).status, 400)
        same("the next stream", Answer(*connection.ask("GET", "/whoami", lines)).status, 401)
        stream = connection.send("POST", "/call/a", lines, whole=False)
        connection.reset(stream)
        assert Answer(*connection.ask("POST", "/login", lines, LOGIN)).cookie(), "after a reset"


@promise("a log-in without Content-Type is read by its first byte")
def untyped(nginx):
    assert nginx.ask("POST", "/login", body=LOGIN).cookie(), "no session"
    assert nginx.ask2("POST", "/login", body=LOGIN).cookie(), "no session over HTTP/2"


@promise("Expect: 100-continue is answered when the body is wanted")
def expect(nginx):
    with nginx.wire() as wire:
        wire.send(request("POST", "/login", JSON, "Expect: 100-continue", f"Content-Length: {len(LOGIN)}"))
        while b"\r\n\r\n" not in wire.data:
            wire.more()
        assert wire.data.startswith(b"HTTP/1.1 100"), wire.data
        wire.send(LOGIN)
        assert wire.read().cookie(), "no session"
    with nginx.wire() as wire:
        wire.send(request("POST", "/a", "Expect: 100-continue", "Content-Length: 5", "Connection: close"))
        refused(wire.read())


@promise("the body of a request that is let in reaches the upstream byte for byte, read by the module or not")
def through(nginx):
    from wire import ask, ask2

    cookie = nginx.login()
    for length in (0, 1, 63, 64, 65, 5000, 40000, 150000):
        body = hashlib.sha256(b"%d" % length).digest() * (length // 32 + 1)
        body = body[:length]
        expected = (length, hashlib.sha256(body).hexdigest())
        for port in (nginx.port, nginx.other):
            for lines, sent in (([], body), (["Transfer-Encoding: chunked"], chunked(body) if body else b"0\r\n\r\n")):
                answer = let_in(ask(port, "PUT", "/files", cookie, *lines, body=sent), "Aladdin").json()
                same(f"{length} bytes at {port} {lines}", (answer["body"], answer["sha"]), expected)
        answer = let_in(ask2(nginx.h2, "PUT", "/files", cookie, body=body), "Aladdin").json()
        same(f"{length} bytes over HTTP/2", (answer["body"], answer["sha"]), expected)


@promise("fact 7: a body that was judged and let in reaches the upstream byte for byte, from memory and from a file")
def judged(nginx):
    from wire import ask, ask2

    sid = nginx.login()[12:].encode()
    for length in (0, 63, 64, 65, 1000, 30000, 60000):
        text = b'{"session":"%s","pad":""}' % sid
        body = text[:-2] + b"x" * max(0, length - len(text)) + text[-2:]
        expected = (len(body), hashlib.sha256(body).hexdigest())
        for target in ("/call/a", "/unbuffered/a"):
            sent = [ask(nginx.port, "POST", target, JSON, body=body), ask2(nginx.h2, "POST", target, JSON, body=body),
                    ask(nginx.other, "POST", target, JSON, body=body),
                    ask(nginx.port, "POST", target, JSON, "Transfer-Encoding: chunked", body=chunked(body[:30], body[30:]))]
            for answer in sent:
                found = let_in(answer, "Aladdin").json()
                same(f"{length} bytes", (found["body"], found["sha"]), expected)
            refused(ask(nginx.port, "POST", target, JSON, body=body.replace(sid, b"A" * 22)))
    same("no body", ask(nginx.port, "POST", "/call/a", JSON, body=b"").status, 401)
    same("unreadable", ask(nginx.port, "POST", "/call/a", JSON, body=b"{").status, 400)


@promise("log-ins one after the other on one connection, body in a file and in memory by turns")
def turns(nginx):
    from wire import Wire

    with Wire(nginx.other) as wire:
        ids = set()
        for length in (0, 5000, 0, 65, 30000, 63):
            answer = wire.ask("POST", "/login", JSON, body=padded(length))
            assert answer.cookie(), answer
            ids.add(answer.cookie())
            refused(wire.ask("POST", "/login", JSON, body=padded(length).replace(b"OpenSesame", b"opensesame")))
    same("sessions", len(ids), 6)
    files = list((nginx.folder / "temp" / "client_body").iterdir())
    same("temporary files left", files, [])

"""The module beside other modules of nginx, and against clients that do not play by the rules."""

import socket

from harness import Nginx, wait_until
from promises import let_in, promise, refused, same
from upstream import Upstream
from wire import Answer, Http2, Wire, request

KEEP = ("X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")


@promise("a cached answer is behind the door, and holds nobody's cookie")
def cached(nginx):
    first = nginx.ask("GET", "/cached/a", *KEEP)
    same("first", (first.status, len(first.all("Set-Cookie"))), (200, 1))
    seen = len(nginx.upstream.seen)
    refused(nginx.ask("GET", "/cached/a"))
    second = nginx.ask("GET", "/cached/a", nginx.login("joe.bloggs@test.com", "pa55w0rd"))
    same("second", (second.status, second.all("Set-Cookie"), second.body == first.body), (200, [], True))
    third = nginx.ask("GET", "/cached/a", *KEEP)
    same("third", (third.status, len(third.all("Set-Cookie"))), (200, 1))
    assert third.cookie() != first.cookie(), "the cookie was cached"
    same("requests upstream", len(nginx.upstream.seen), seen)


@promise("a mirrored request is judged once: a refused one is not mirrored, an allowed one is told alike")
def mirrored(nginx):
    before = len(nginx.upstream.seen)
    refused(nginx.ask("GET", "/mirrored/a", "X-User: forged"))
    same("upstream", nginx.upstream.seen[before:], [])
    let_in(nginx.ask("GET", "/mirrored/a", nginx.login(), "X-User: forged"), "Aladdin")
    wait_until("the copy", lambda: len(nginx.upstream.seen) >= before + 2)
    for _, target, headers, _ in nginx.upstream.seen[before:]:
        same(target, [v for k, v in headers if k.lower() == "x-user"], ["Aladdin"])


@promise("the variables serve other directives: a header to the upstream, a header of the answer")
def variables(nginx):
    answer = let_in(nginx.ask("GET", "/naming/a", nginx.login()), "Aladdin")
    named = dict(answer.json()["headers"])["X-Naming"]
    assert named.startswith("aladdin|reader") and named.endswith("|proven"), named
    same("answer", answer.one("X-Named"), "aladdin")
    same("refused", refused(nginx.ask("GET", "/naming/a")).all("X-Named"), [])


@promise("HTTP/1.0 and HTTP/0.9 are judged as well")
def old(nginx):
    before = len(nginx.upstream.seen)
    for data in (b"GET /a HTTP/1.0\r\n\r\n", b"GET /a\r\n", b"GET /a HTTP/1.0\r\nX-User: admin@test.com\r\n\r\n", b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"):
        with nginx.wire() as wire:
            wire.send(data)
            while True:
                try:
                    wire.more()
                except ConnectionError:
                    break
            assert b"told" not in wire.data and (b" 401 " in wire.data or wire.data.startswith(b"no\n")), wire.data[:300]
    same("upstream", nginx.upstream.seen[before:], [])
    with nginx.wire() as wire:
        wire.send(f"GET /a HTTP/1.0\r\n{nginx.login()}\r\n\r\n".encode())
        same("with a session", wire.read().told()["X-User"], "Aladdin")


@promise("more header lines than the core looks at are refused, and the connection goes on or ends cleanly")
def many_headers(nginx):
    before = len(nginx.upstream.seen)
    lines = [f"a{n}: b" for n in range(1500)]
    answer = nginx.ask("GET", "/a", *lines, nginx.login())
    same("status", (answer.status, answer.told()), (400, None))
    let_in(nginx.ask("GET", "/a", *lines[:500], nginx.login()), "Aladdin")
    same("upstream", len(nginx.upstream.seen), before + 1)


@promise("a megabyte in a header, a cookie or the query ends in a refusal, not in trouble")
def huge(nginx):
    before = len(nginx.upstream.seen)
    for lines, target in ((["Authorization: Bearer " + "." * 1000000], "/a"), (["Cookie: sid=" + "A" * 1000000], "/a"), ([], "/a?auth=" + "A" * 1000000)):
        try:
            answer = nginx.ask("GET", target, *lines)
            assert 400 <= answer.status < 500, answer
        except OSError:
            continue
    for lines in (["Authorization: Bearer " + "." * 7000], ["Cookie: " + "; ".join(["sid=" + "A" * 22] * 200)], ["Cookie: sid=;;=;sid=&=;,"], ["Cookie: ="]):
        answer = nginx.ask("GET", "/a", *lines)
        assert 400 <= answer.status < 500, answer
    same("upstream", nginx.upstream.seen[before:], [])


@promise("ambiguous framing is refused before anybody is asked: two lengths, a length and chunks, odd chunks")
def framing(nginx):
    cookie = nginx.login()
    before = len(nginx.upstream.seen)
    for lines in (["Content-Length: 3", "Content-Length: 4"], ["Content-Length: 3", "Transfer-Encoding: chunked"], ["Transfer-Encoding: gzip, chunked"],
                  ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], ["Content-Length: +3"], ["Content-Length: 0x3"], ["Transfer-Encoding: xchunked"]):
        with nginx.wire() as wire:
            wire.send(request("POST", "/a", cookie, *lines) + b"0\r\n\r\nGET /off/smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = wire.read()
            assert answer.status >= 400, f"{lines}: {answer}"
    targets = [t for _, t, _, _ in nginx.upstream.seen[before:]]
    same("upstream", targets, [])


@promise("what HTTP/2 has no words for is refused or means nothing: Connection, Transfer-Encoding, a wrong length, a bare path")
def http2_odd(nginx):
    token = nginx.token()
    before = len(nginx.upstream.seen)
    for more, body in (([("connection", "x-authentication"), ("x-authentication", token)], None), ([("transfer-encoding", "chunked")], b"0\r\n\r\n"),
                       ([("content-length", "3")], b"abcdef"), ([("content-length", "9")], b"abc"), ([("host", "other.test")], None)):
        with Http2(("127.0.0.1", nginx.h2)) as connection:
            try:
                answer = Answer(*connection.ask("POST", "/a", [("Host", "door.test"), *more], body))
            except OSError:
                continue
            assert 400 <= answer.status < 500, f"{more}: {answer}"
    for target in ("", "a", "*", "http://door.test/admin/a", "/../a", "//"):
        with Http2(("127.0.0.1", nginx.h2)) as connection:
            try:
                answer = Answer(*connection.ask("GET", target, [("Host", "door.test")]))
            except OSError:
                continue
            assert 400 <= answer.status < 500, f"{target}: {answer}"
    same("upstream", nginx.upstream.seen[before:], [])


@promise("a client of a local socket has no address, and is served like any other", shared=False)
def local_socket():
    http = """
    janua_config {janua}; janua on;
    server { listen 127.0.0.1:{port}; listen unix:{folder}/socket; location / { proxy_pass http://{upstream}; } }"""
    with Nginx("local-socket", http, upstream=Upstream()) as nginx:
        def ask(*what, body=None):
            wire = Wire.__new__(Wire)
            wire.socket, wire.data = socket.socket(socket.AF_UNIX), b""
            wire.socket.settimeout(30)
            wire.socket.connect(str(nginx.folder / "socket"))
            with wire:
                return wire.ask(*what, body=body)

        def there():
            try:
                return ask("GET", "/a")
            except OSError:
                return None

        refused(wait_until("the socket is served", there))
        answer = ask("POST", "/login", body=b'{"user":"Aladdin","password":"OpenSesame"}')
        same("log-in", answer.status, 200)
        let_in(ask("GET", "/a", f"Cookie: sid={answer.cookie()}"), "Aladdin")
        refused(ask("POST", "/login", body=b'{"user":"Aladdin","password":"opensesame"}'))


@promise("the realip module beside us: guesses are counted, and events written, by the address that it found", shared=False)
def realip():
    http = """
    janua_config {janua}; janua on; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;
    server { listen 127.0.0.1:{port}; location / { proxy_pass http://{upstream}; } }"""
    with Nginx("realip", http, upstream=Upstream()) as nginx:
        wrong = b'{"user":"Aladdin","password":"guess"}'
        for _ in range(8):
            refused(nginx.ask("POST", "/login", "X-Real-IP: 192.0.2.7", body=wrong))
        right = wrong.replace(b"guess", b"OpenSesame")
        refused(nginx.ask("POST", "/login", "X-Real-IP: 192.0.2.7", body=right))
        same("from elsewhere", nginx.ask("POST", "/login", "X-Real-IP: 198.51.100.9", body=right).status, 200)
        assert 'client="192.0.2.7"' in nginx.log() and 'client="198.51.100.9"' in nginx.log(), nginx.log()[-1500:]


@promise("a body that never comes ends with nginx's own time-out and leaves nothing", shared=False)
def no_body():
    http = """
    janua_config {janua}; janua on; client_body_timeout 1s;
    server { listen 127.0.0.1:{port}; location / { proxy_pass http://{upstream}; } location = /status { janua off; stub_status; } }"""
    with Nginx("no-body", http, upstream=Upstream()) as nginx:
        with nginx.wire() as wire:
            wire.send(request("POST", "/login", "Content-Length: 30") + b"{")
            try:
                same("time-out", wire.read().status, 408)
            except ConnectionError:
                pass  # nginx closes without a word
        wait_until("nobody is left", lambda: "Active connections: 1 " in nginx.ask("GET", "/status").body.decode())
        nginx.login()

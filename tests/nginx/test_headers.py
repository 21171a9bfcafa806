"""Fact 5 and fact 12: what nobody may bring in from outside, what is set inward, and which cookies go out."""

from harness import Nginx
from promises import let_in, promise, refused, same
from upstream import Upstream
from wire import Http2, Wire

SPELLINGS = [
    "X-User", "x-user", "X_User", "x_user", "X.User", "X~User", "X-USER", "X_USER", "X!User", "X+User", "X'User", "X-User-Id", "X.User_Id",
    "X-Roles", "x_roles", "X.ROLES", "X-Tenant", "X~Tenant", "X-Session-Ref", "X.Session~Ref", "x_session_ref",
]
FORGED = [f"{name}: admin@test.com" for name in SPELLINGS]


def lacks(answer, whose):
    """No forged value is among what the upstream saw."""
    seen = [pair for pair in answer.json()["headers"] if pair[1] == "admin@test.com"]
    assert not seen, f"{whose}: {seen}"


@promise("fact 5: an identity header in any spelling is stripped, on `off`, `optional` and `on` locations")
def spellings(nginx):
    cookie = nginx.login()
    for target, line, user in (("/off/a", "A: b", None), ("/maybe/a", "A: b", None), ("/a", cookie, "Aladdin"), ("/maybe/a", cookie, "Aladdin")):
        answer = let_in(nginx.ask("GET", target, line, *FORGED), user)
        lacks(answer, target)
        for one in FORGED:
            lacks(nginx.ask("GET", target, line, one, "X-Kept: yes"), f"{target} {one}")
        lacks(nginx.ask2("GET", target, line, *(f for f in FORGED if "'" not in f)), f"{target} over HTTP/2")


@promise("fact 5: what stands between stripped headers stays, in order, more of it than fits into nginx's first list part")
def kept_between(nginx):
    lines = []
    for number in range(60):
        lines += [f"X-Kept-{number}: {number}", FORGED[number % len(FORGED)]]
    answer = let_in(nginx.ask("GET", "/off/a", *lines), None)
    lacks(answer, "mixed")
    kept = [k for k, _ in answer.json()["headers"] if k.startswith("X-Kept-")]
    same("kept", kept, [f"X-Kept-{n}" for n in range(60)])
    kept = [k for k, _ in let_in(nginx.ask("GET", "/a", nginx.login(), *lines), "Aladdin").json()["headers"] if k.startswith("X-Kept-")]
    same("kept", kept, [f"X-Kept-{n}" for n in range(60)])


@promise("fact 5: the typed pointers of headers that stay are right after stripping (Host, Range, If-Modified-Since, Content-Type)")
def typed(nginx):
    cookie = nginx.login()
    answer = nginx.ask("GET", "/static/page.txt", FORGED[0], "Range: bytes=2-5", FORGED[1], cookie, FORGED[2])
    same("range", (answer.status, answer.body), (206, b"page"))
    modified = nginx.ask("GET", "/static/page.txt", cookie).one("Last-Modified")
    same("304", nginx.ask("GET", "/static/page.txt", *FORGED, f"If-Modified-Since: {modified}", cookie).status, 304)
    answer = nginx.ask("POST", "/a", *FORGED[:3], "Content-Type: text/x", cookie, *FORGED[3:], "Host: other.test", body=b"abc")
    headers = let_in(answer, "Aladdin").json()["headers"]
    assert ["Content-Type", "text/x"] in headers and ["Host", "other.test"] in headers, headers
    same("body", answer.json()["body"], 3)
    answer = nginx.ask("GET", "/any/a", *FORGED, "X-Forwarded-For: 192.0.2.7", cookie, "User-Agent: probe/1", "Referer: http://door.test/")
    headers = {k: v for k, v in let_in(answer, "Aladdin").json()["headers"]}
    same("agent", (headers.get("User-Agent"), headers.get("Referer")), ("probe/1", "http://door.test/"))


@promise("fact 5: nor by any method, nor in the trailer of a body in chunks")
def methods(nginx):
    cookie = nginx.login()
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"):
        for target, line in (("/off/a", "A: b"), ("/maybe/a", "A: b"), ("/a", cookie)):
            answer = nginx.ask(method, target, line, *FORGED, body=b"")
            assert answer.status == 200, f"{method} {target}: {answer}"
            lacks(answer, f"{method} {target}")
    body = b"3\r\nabc\r\n0\r\nX-User: admin@test.com\r\nX_Roles: admin@test.com\r\n\r\n"
    with nginx.wire() as wire:
        answer = wire.ask("POST", "/off/a", "Transfer-Encoding: chunked", "Trailer: X-User", body=body)
        lacks(answer, "trailer")
        same("after it", wire.ask("GET", "/off/b").json()["path"], "/off/b")


@promise("identity headers do not reach the upstream by an error page or a subrequest")
def roundabout(nginx):
    cookie = nginx.login()
    answer = nginx.ask("GET", "/failing/a?do=status&code=404", cookie, *FORGED)
    assert answer.status == 404 and answer.told(), answer
    lacks(answer, "error page")
    same("told", answer.told()["X-User"], "Aladdin")
    answer = nginx.ask("GET", "/pages-off/api.html", *FORGED)
    part = answer.body.decode()
    assert answer.status == 200 and '"told"' in part and "admin@test.com" not in part, part
    before = len(nginx.upstream.seen)
    nginx.ask("GET", "/checked/a", cookie, *FORGED)
    for _, _, headers, _ in nginx.upstream.seen[before:]:
        assert not [h for h in headers if h[1] == "admin@test.com"], headers


@promise("a Connection header that names a header of ours is a refusal, not a way to lose it")
def connection(nginx):
    cookie = nginx.login()
    for value in ("close, Cookie", "X-User", "keep-alive, x_roles"):
        answer = nginx.ask("GET", "/a", f"Connection: {value}", cookie)
        assert answer.status == 400 or answer.status == 401, answer
        assert answer.told() is None, answer
    answer = nginx.ask("GET", "/maybe/a", "Connection: close, X-Authentication", "X-Authentication: x")
    assert answer.status in (400, 401) and answer.told() is None, answer


@promise("two Authorization headers, two session cookies of different users, two tokens: refused")
def doubled(nginx):
    from test_proofs import basic

    joe, ala = nginx.login("joe.bloggs@test.com", "pa55w0rd"), nginx.login()
    for lines in ([basic(), basic("someName", "pw")], [joe, ala], [joe + "; " + ala[8:]], ["X-Authentication: a", "X-Authentication: b"]):
        answer = nginx.ask("GET", "/a", *lines)
        assert 400 <= answer.status < 500 and answer.told() is None, f"{lines}: {answer}"


@promise("fact 12: our Set-Cookie goes out with 200, 304, 4xx and 502, after the upstream's own")
def cookies_out(nginx):
    keep = ("X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")
    for ask in (nginx.ask, nginx.ask2):
        answer = let_in(ask("GET", "/a", *keep), "Aladdin")
        assert answer.cookie() and len(answer.all("Set-Cookie")) == 1, answer
        let_in(nginx.ask("GET", "/a", f"Cookie: sid={answer.cookie()}"), "Aladdin")
        answer = ask("GET", "/a?do=cookie", *keep)
        same("cookies", [v.split("=")[0] for v in answer.all("Set-Cookie")], ["application", "sid"])
        for query, status in (("do=304", 304), ("do=status&code=404", 404), ("do=status&code=410", 410), ("do=die", 502)):
            answer = ask("GET", f"/a?{query}", *keep)
            same(query, (answer.status, len(answer.all("Set-Cookie"))), (status, 1))
        answer = ask("GET", "/static/page.txt", *keep)
        same("a file", (answer.status, len(answer.all("Set-Cookie"))), (200, 1))
        modified = answer.one("Last-Modified")
        answer = ask("GET", "/static/page.txt", *keep, f"If-Modified-Since: {modified}")
        same("not modified", (answer.status, len(answer.all("Set-Cookie"))), (304, 1))
        answer = ask("GET", "/static/none.txt", *keep)
        same("no such file", (answer.status, len(answer.all("Set-Cookie"))), (404, 1))
        answer = ask("HEAD", "/static/page.txt", *keep)
        same("HEAD", (answer.status, len(answer.all("Set-Cookie"))), (200, 1))


@promise("the headers that made a kept session do not go upstream")
def kept_spent(nginx):
    answer = let_in(nginx.ask("GET", "/a", "X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame"), "Aladdin")
    assert b"OpenSesame" not in answer.body, answer
    refused(nginx.ask("GET", "/a", "X-Keep-User: Aladdin", "X-Keep-Password: wrong"))


def broken_heads():
    """Requests that nginx refuses while it reads their heads, each with an identity header that it has read by then."""
    forged = "X-User: admin@test.com\r\nx_roles: admin@test.com\r\n"
    return {
        "two Hosts": f"GET /a HTTP/1.1\r\n{forged}Host: a\r\nHost: b\r\n\r\n",
        "no Host": f"GET /a HTTP/1.1\r\n{forged}\r\n",
        "a bad Host": f"GET /a HTTP/1.1\r\n{forged}Host: a/../b\r\n\r\n",
        "a bad length": f"POST /a HTTP/1.1\r\n{forged}Host: a\r\nContent-Length: x\r\n\r\n",
        "two lengths": f"POST /a HTTP/1.1\r\n{forged}Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "a length and chunks": f"POST /a HTTP/1.1\r\n{forged}Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "an odd coding": f"POST /a HTTP/1.1\r\n{forged}Host: a\r\nTransfer-Encoding: odd\r\n\r\n",
        "a line that is none": f"GET /a HTTP/1.1\r\n{forged}Host: a\r\n\x01\x02: x\r\n\r\n",
        "a header too long": f"GET /a HTTP/1.1\r\n{forged}Host: a\r\nX-Long: {'x' * 40000}\r\n\r\n",
        "a body too long": f"POST /a HTTP/1.1\r\n{forged}Host: a\r\nContent-Length: 90000\r\n\r\n",
        "TRACE": f"TRACE /a HTTP/1.1\r\n{forged}Host: a\r\n\r\n",
        "CONNECT": f"CONNECT a:1 HTTP/1.1\r\n{forged}Host: a\r\n\r\n",
    }


@promise("fact 5: nor by the error page of a request that nginx refused while it read its head", shared=False,
         unwatched="after a length and chunks, with a proxied error page, nginx 1.22.1 reads freed memory, without any module too")
def error_pages():
    codes = "400 405 413 414 431 494 495 501"
    http = """
    janua_config {janua}; underscores_in_headers on; client_max_body_size 1k; %s
    server { listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2; error_page CODES /error; location / { proxy_pass http://{upstream}; } }
    server { listen 127.0.0.1:{other}; error_page CODES @error; location / { proxy_pass http://{upstream}; }
        location @error { proxy_pass http://{upstream}; } }""".replace("CODES", codes)
    for mode in ("janua off;", "janua optional;"):
        with Nginx("error-pages", http % mode, upstream=Upstream()) as nginx:
            for port in (nginx.port, nginx.other):
                for what, head in broken_heads().items():
                    with Wire(port) as wire:
                        wire.socket.settimeout(0.2)
                        try:
                            wire.send(head.encode("latin-1"))
                            wire.read()
                        except OSError:
                            pass  # closed without a word, or it waits for a body that nobody sends
                    for _, target, headers, _ in nginx.upstream.seen:
                        forged = [pair for pair in headers if pair[1] == "admin@test.com"]
                        assert not forged, f"{what}, {mode}: {target} went upstream with {forged}"
            with Http2(("127.0.0.1", nginx.h2)) as connection:
                for lines in ([("Host", "a"), ("content-length", "x")], [("Host", "a/../b")], []):
                    try:
                        connection.ask("GET", "/a", [("X-User", "admin@test.com"), *lines])
                    except OSError:
                        break
            forged = [pair for _, _, headers, _ in nginx.upstream.seen for pair in headers if pair[1] == "admin@test.com"]
            assert not forged, forged
            assert nginx.upstream.seen, "no error page was asked of the upstream: nothing was shown"

"""Who is let in, as whom, and what goes upstream of the proof: sessions, tokens, Basic, nobody; over HTTP/1.1 and HTTP/2."""

import base64

from promises import let_in, promise, refused, same
from wire import Answer, Http2, request

JSON = "Content-Type: application/json"
LOGIN = b'{"user":"Aladdin","password":"OpenSesame"}'


def basic(user="Aladdin", password="OpenSesame"):
    """An Authorization line."""
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@promise("a request without proof is refused by the module and does not reach the upstream")
def nobody(nginx):
    seen = len(nginx.upstream.seen)
    answer = refused(nginx.ask("GET", "/anything"))
    same("body", answer.body, b"no\n")
    same("WWW-Authenticate", answer.one("WWW-Authenticate"), "Basic")
    same("Content-Length", answer.one("Content-Length"), "3")
    refused(nginx.ask2("GET", "/anything"))
    same("requests upstream", len(nginx.upstream.seen), seen)


@promise("a log-in is answered by the module, and its session is let in as its user, with every identity header once")
def session(nginx):
    cookie = nginx.login()
    for answer in (nginx.ask("GET", "/a?b=c", cookie), nginx.ask2("GET", "/a?b=c", cookie)):
        let_in(answer, "Aladdin")
        told = answer.told()
        same("told", {k: told[k] for k in ("X-User", "X-User-Id", "X-Roles")},
             {"X-User": "Aladdin", "X-User-Id": "aladdin", "X-Roles": "reader,writer"})
        same("session reference", len(told["X-Session-Ref"]), 32)
        names = answer.names()
        assert len(names) == len(set(names)), f"a header twice: {names}"
        same("target", answer.json()["target"], "/a?b=c")


@promise("a log-out has taken effect when its answer is there")
def logout(nginx):
    with nginx.wire() as wire:
        cookie = nginx.login(wire=wire)
        let_in(wire.ask("GET", "/a", cookie), "Aladdin")
        same("status", wire.ask("POST", "/logout", cookie, body=b"").status, 204)
        refused(wire.ask("GET", "/a", cookie))
        refused(wire.ask("GET", "/whoami", cookie))


@promise("spent credentials do not go upstream: Authorization, X-Authentication, the session's cookie, the query's token")
def spent(nginx):
    cookie, token = nginx.login(), nginx.token()
    for answer in (nginx.ask("GET", "/a", basic()), nginx.ask2("GET", "/a", basic())):
        assert "authorization" not in let_in(answer, "Aladdin").names(), answer
    for answer in (nginx.ask("GET", "/a", f"X-Authentication: {token}"), nginx.ask2("GET", "/a", f"X-Authentication: {token}")):
        assert "x-authentication" not in let_in(answer, "Aladdin").names(), answer
    for answer in (nginx.ask("GET", "/a", cookie), nginx.ask2("GET", "/a", cookie)):
        assert "cookie" not in let_in(answer, "Aladdin").names(), answer
    for answer in (nginx.ask("GET", f"/a?auth={token}"), nginx.ask2("GET", f"/a?auth={token}")):
        let_in(answer, "Aladdin")
        assert token not in answer.body.decode(), f"the token went upstream: {answer.json()['target']}"
    for answer in (nginx.ask("GET", f"/a?x=1&auth={token}&y=%20z"), nginx.ask2("GET", f"/a?x=1&auth={token}&y=%20z")):
        same("query", let_in(answer, "Aladdin").json().get("query"), "x=1&y=%20z")


@promise("other cookies and parameters go upstream as they came")
def others(nginx):
    cookie = nginx.login()
    sid = cookie.partition(": ")[2]
    answer = nginx.ask("GET", "/a?one=1&two=%2B&two=3", f"Cookie: theme=dark; {sid}; lang=la", "X-Other: kept", cookie.replace("sid=", "more="))
    let_in(answer, "Aladdin")
    sent = "; ".join(v for k, v in answer.json()["headers"] if k.lower() == "cookie")
    assert "theme=dark" in sent and "lang=la" in sent and "more=" in sent, sent
    assert sid not in sent, sent
    same("query", answer.json()["query"], "one=1&two=%2B&two=3")
    assert ["X-Other", "kept"] in answer.json()["headers"], answer
    answer = nginx.ask2("GET", "/a", "Cookie: theme=dark", cookie, "Cookie: lang=la")
    sent = "; ".join(v for k, v in let_in(answer, "Aladdin").json()["headers"] if k.lower() == "cookie")
    assert "theme=dark" in sent and "lang=la" in sent and sid not in sent, sent


@promise("`janua optional` lets nobody in as nobody, a user as the user, and refuses a bad proof")
def optional(nginx):
    cookie = nginx.login()
    let_in(nginx.ask("GET", "/maybe/a"), None)
    let_in(nginx.ask2("GET", "/maybe/a"), None)
    let_in(nginx.ask("GET", "/maybe/a", cookie), "Aladdin")
    refused(nginx.ask("GET", "/maybe/a", basic(password="wrong")))
    refused(nginx.ask("GET", "/maybe/a", "X-Authentication: AAAA"))


@promise("`janua off` passes everybody as nobody, a session or not")
def off(nginx):
    cookie = nginx.login()
    let_in(nginx.ask("GET", "/off/a"), None)
    let_in(nginx.ask("GET", "/off/a", cookie), None)
    let_in(nginx.ask("GET", "/off/a", "X-User: admin"), None)


@promise("a role is demanded: 403 for who lacks it, in for who has it")
def roles(nginx):
    refused(nginx.ask("GET", "/admin/a"))
    refused(nginx.ask("GET", "/admin/a", nginx.login()), 403)
    let_in(nginx.ask("GET", "/admin/a", nginx.login("admin@test.com", "administer")), "admin@test.com")


@promise("users that share a keep-alive connection do not share anything else")
def shared_connection(nginx):
    with nginx.wire() as wire:
        joe, ala = nginx.login("joe.bloggs@test.com", "pa55w0rd", wire), nginx.login(wire=wire)
        for _ in range(5):
            let_in(wire.ask("GET", "/a", joe), "joe.bloggs@test.com")
            refused(wire.ask("GET", "/a"))
            let_in(wire.ask("GET", "/a", ala), "Aladdin")
            let_in(wire.ask("GET", "/off/a"), None)
            let_in(wire.ask("GET", "/maybe/a"), None)
            let_in(wire.ask("POST", "/a", basic("someName", "pw"), body=b"xyz"), "someName")


@promise("pipelined requests are answered in order, each for its own user")
def pipelined(nginx):
    joe, ala = nginx.login("joe.bloggs@test.com", "pa55w0rd"), nginx.login()
    with nginx.wire() as wire:
        wire.send(request("GET", "/1", joe) + request("GET", "/2") + request("POST", "/login", JSON, body=LOGIN)
                  + request("GET", "/3", ala) + request("POST", "/4", joe, body=b"abc") + request("GET", "/5"))
        same("1", let_in(wire.read(), "joe.bloggs@test.com").json()["path"], "/1")
        refused(wire.read())
        assert wire.read().cookie(), "no session"
        same("3", let_in(wire.read(), "Aladdin").json()["path"], "/3")
        same("4", let_in(wire.read(), "joe.bloggs@test.com").json()["body"], 3)
        refused(wire.read())
        assert wire.silent(), "one answer too many"


@promise("a mix of users on one HTTP/2 connection at once: each request is its own user's")
def multiplexed(nginx):
    cookies = {"joe.bloggs@test.com": nginx.login("joe.bloggs@test.com", "pa55w0rd"), "Aladdin": nginx.login()}
    users = ["joe.bloggs@test.com", None, "Aladdin"] * 10
    with Http2(("127.0.0.1", nginx.h2)) as connection:
        streams = []
        for number, user in enumerate(users):
            lines = [("Host", "door.test")] + ([("cookie", cookies[user][8:])] if user else [])
            streams.append(connection.send("GET", f"/{number}?do=stall&seconds=0.1", lines))
        answers = [Answer(*connection.read(stream)) for stream in streams]
    for number, (user, answer) in enumerate(zip(users, answers)):
        if user is None:
            refused(answer)
        else:
            same("path", let_in(answer, user).json()["path"], f"/{number}")


@promise("HEAD is judged as GET is, and its answer has no body")
def head(nginx):
    cookie = nginx.login()
    with nginx.wire() as wire:
        answer = wire.ask("HEAD", "/a")
        same("status", (answer.status, answer.one("Content-Length")), (401, "3"))
        same("status", wire.ask("HEAD", "/a", cookie).status, 200)
        same("status", wire.ask("HEAD", "/whoami", cookie).status, 200)
        same("status", wire.ask("HEAD", "/static/page.txt", cookie).status, 200)
        refused(wire.ask("GET", "/a"))
    same("HTTP/2", nginx.ask2("HEAD", "/a").status, 401)
    same("HTTP/2", nginx.ask2("HEAD", "/a", cookie).status, 200)


@promise("a static file is behind the door like everything else")
def static(nginx):
    refused(nginx.ask("GET", "/static/page.txt"))
    answer = nginx.ask("GET", "/static/page.txt", nginx.login())
    same("answer", (answer.status, answer.body), (200, b"a page\n"))
    same("a session's directory index", nginx.ask("GET", "/index/", nginx.login()).body, b"the index\n")
    refused(nginx.ask("GET", "/index/"))

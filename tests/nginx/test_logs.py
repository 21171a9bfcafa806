"""What is logged: one audit event for each decision, the variables, and no secret anywhere."""

import base64
import json
import re
import threading
import time

from harness import Nginx, wait_until
from promises import let_in, promise, refused, same
from test_process import sample_site
from test_proofs import basic

AUDIT = re.compile(r"janua audit: (.*)")


def stories(nginx, count, ask):
    """The access log's entries that `ask` makes: so many. nginx logs after it has answered, so what was asked before is waited for."""
    before = -1
    while before != len(nginx.access()):
        before = len(nginx.access())
        time.sleep(0.2 if nginx.watched else 0.05)
    ask()
    wait_until(f"{count} lines in the access log", lambda: len(nginx.access()) >= before + count)
    found = [json.loads(line) for line in nginx.access()[before:]]
    same("lines in the access log", len(found), count)
    return found


def events(nginx, ask):
    """The audit events of decisions that `ask` makes; that a session was put out to make room is not one."""

    def found():
        return [event for event in AUDIT.findall(nginx.log()) if not event.startswith("eviction ")]

    before = len(found())
    ask()
    return found()[before:]


@promise("the variables tell who, with which roles, by which session, and why; never from another request")
def variables(nginx):
    cookie = nginx.login()
    entry = stories(nginx, 1, lambda: let_in(nginx.ask("GET", "/a", cookie), "Aladdin"))[0]
    same("user", (entry["user"], entry["roles"], entry["reason"]), ("aladdin", "reader,writer", "proven"))
    assert re.fullmatch("[0-9a-f]{32}", entry["session"]), entry
    entry = stories(nginx, 1, lambda: nginx.ask("GET", "/a"))[0]
    same("nobody", (entry["user"], entry["session"], entry["reason"], entry["status"]), ("", "", "missing", "401"))
    entry = stories(nginx, 1, lambda: nginx.ask("GET", "/off/a", cookie))[0]
    same("off", (entry["user"], entry["session"]), ("", ""))
    entry = stories(nginx, 1, lambda: nginx.ask("GET", "/a", basic(password="wrong")))[0]
    same("wrong", (entry["user"], entry["reason"]), ("", "wrong-password"))
    entry = stories(nginx, 1, lambda: nginx.login())[0]
    same("log-in", (entry["reason"], entry["status"]), ("logged-in", "200"))
    entry = stories(nginx, 1, lambda: nginx.ask("GET", "/failing/a?do=status&code=404", cookie))[0]
    same("after error_page", (entry["user"], entry["status"]), ("aladdin", "404"))


@promise("$janua_request names the request without its secrets")
def redacted(nginx):
    token = nginx.token()
    cookie = nginx.login()
    for target, line in ((f"/a?auth={token}&x=1", "A: b"), ("/a", f"X-Authentication: {token}"), ("/a", cookie), ("/a", basic())):
        entry = stories(nginx, 1, lambda target=target, line=line: let_in(nginx.ask("GET", target, line), "Aladdin"))[0]
        assert "/a" in entry["request"] and "GET" in entry["request"], entry
        for secret in (token, cookie[12:], basic()[21:], "OpenSesame"):
            assert secret not in entry["request"], entry
    entry = stories(nginx, 1, lambda: refused(nginx.ask("GET", f"/a?auth={token[:-3]}AAA&x=1")))[0]
    assert token[:40] not in entry["request"], entry
    entry = stories(nginx, 1, lambda: nginx.ask("GET", f"/off/a?auth={token}"))[0]
    assert token not in entry["request"], f"on an `off` location: {entry}"


@promise("no secret is in any log: not in the error log at info, not in the access log of the variables")
def no_secret(nginx):
    token, cookie = nginx.token(), nginx.login()
    kept = nginx.ask("GET", "/a", "X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame").cookie()
    for target, line in ((f"/a?auth={token}", "A: b"), ("/a", f"X-Authentication: {token}"), ("/a", cookie), ("/a", basic()),
                         (f"/static/none?auth={token}", "A: b"), ("/static/none", cookie), ("/a?do=die", cookie)):
        nginx.ask("GET", target, line)
    nginx.ask("POST", "/login", body=b'{"user":"Aladdin","password":"OpenSesame-not"')
    nginx.ask("POST", "/login", body=b'{"user":"OpenSesame","password":"OpenSesame"}')
    text = "\n".join(nginx.access())
    for secret in (token, cookie[12:], kept, "OpenSesame", base64.b64encode(b"Aladdin:OpenSesame").decode()):
        assert secret not in text, f"{secret} is in the access log"
    ours = "\n".join(line for line in nginx.log().splitlines() if "janua" in line)
    for secret in (token, cookie[12:], kept, "OpenSesame", base64.b64encode(b"Aladdin:OpenSesame").decode()):
        assert secret not in ours, f"{secret} is in the module's lines of the error log"


@promise("the module's own lines in the error log hold no secret of a query", shared=False)
def own_lines():
    http = """
    janua_config {janua}; janua on; janua_in_flight 1;
    server { listen 127.0.0.1:{port}; location / { root /; } }"""
    with Nginx("own-lines", http, janua=sample_site("own-lines", profile="mfiles"), clock=True) as nginx:
        def one():
            nginx.ask("GET", "/REST/objects?username=AlexK&password=My%20Password")

        threads = [threading.Thread(target=one) for _ in range(20)]
        with nginx.clock_is("stands"):
            for thread in threads:
                thread.start()
            wait_until("one beyond the cap", lambda: "are waiting already" in nginx.log())
        for thread in threads:
            thread.join()
        ours = [line for line in nginx.log().splitlines() if "janua" in line]
        shown = [line for line in ours if "My%20Password" in line or "My Password" in line]
        assert not shown, shown[:2]


@promise("each decision is one audit event: plain, answered, refused, after a body, over HTTP/2, and none where the door is off")
def one_event(nginx):
    cookie = nginx.login()
    cases = [
        ("let in", lambda: nginx.ask("GET", "/a", cookie), 1), ("refused", lambda: nginx.ask("GET", "/a"), 1),
        ("answered", lambda: nginx.ask("GET", "/whoami", cookie), 1), ("log-in", nginx.login, 1), ("token", nginx.token, 1),
        ("wrong", lambda: nginx.ask("POST", "/login", body=b'{"user":"Aladdin","password":"no"}'), 1),
        ("HTTP/2", lambda: nginx.ask2("GET", "/a", cookie), 1), ("off", lambda: nginx.ask("GET", "/off/a", cookie), 0),
        ("optional", lambda: nginx.ask("GET", "/maybe/a"), 1), ("a file", lambda: nginx.ask("GET", "/static/page.txt", cookie), 1),
        ("known Basic", lambda: nginx.ask("GET", "/a", basic()), 1), ("unreadable", lambda: nginx.ask("POST", "/login", body=b"{"), 1),
    ]
    for what, ask, count in cases:
        same(f"events of {what}", len(events(nginx, ask)), count)


@promise("fact 3: exactly one audit event in each internal redirect within a site")
def one_event_redirected(nginx):
    cookie = nginx.login()
    for target in ("/try/nowhere", "/try/there.txt", "/try-from-off/nowhere", "/try-to-off/nowhere", "/failing/a?do=status&code=404",
                   "/failing-named/a?do=status&code=404", "/failing/a?do=die", "/accel/a?do=accel&to=/hidden/file.txt", "/index/",
                   "/rewritten/a", "/reading/a", "/writing/a", "/any/a", "/beautified/a", "/naming/a", "/conditional/a"):
        opened = 0 if target.startswith("/writing") else 1
        same(f"events of {target}", len(events(nginx, lambda target=target: nginx.ask("GET", target, cookie))), opened)
        same(f"events of {target}, refused", len(events(nginx, lambda target=target: nginx.ask("GET", target))), opened)


@promise("fact 2: a part of a page, and what auth_request asks, is a decision of its own with an event of its own; refused, nothing is asked")
def event_of_part(nginx):
    cookie = nginx.login()
    for target in ("/pages/both.html", "/checked/a"):
        same(f"events of {target}", len(events(nginx, lambda target=target: nginx.ask("GET", target, cookie))), 2)
        same(f"events of {target}, refused", len(events(nginx, lambda target=target: nginx.ask("GET", target))), 1)


@promise("fact 3: a redirect to another site is one audit event for each of the two decisions")
def two_events(nginx):
    cookie = nginx.login()
    found = events(nginx, lambda: nginx.ask("GET", "/data/failing/api/models?do=status&code=404", cookie))
    same("events", len(found), 2)

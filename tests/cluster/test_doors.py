"""The ways to a Redis: plain, by socket, as a user with a password, by TLS; and each of them got wrong, which must be told and log nobody out."""

import time

from cluster import HTTP, Sure, TARGET, machines, on_redis, running, taken
from harness import wait_until
from promises import promise, same
from servers import Redis, certificates

WORD = "open-sesame-and-more"
ACL = ("user default off", f"user janua on >{WORD} ~janua:* +@all -@dangerous +info")


def secret(name, text):
    """A file with a password."""
    path = TARGET / "servers" / f"{name}.password"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def good(*nodes):
    """Log-in at the first, use at the last, log-out there, over at both."""
    sure = [Sure(nginx) for nginx in nodes]
    cookie = sure[0].login()
    same("let in", sure[-1].status(cookie), 200)
    same("log-out", sure[-1].ask("POST", "/logout", cookie, body=b"").status, 204)
    same("after it", {nginx.status(cookie) for nginx in sure}, {401})


@promise("Redis by TCP, by socket, as a user with a password out of a file, by TLS: a session goes over each")
def ways():
    folder = certificates()
    with Redis("ways") as plain, Redis("ways-acl", *ACL, user=("janua", WORD)) as acl, Redis("ways-tls", tls=folder) as tls:
        stores = {
            "tcp": on_redis([plain.url()]),
            "socket": on_redis([f"unix://{plain.socket}"]),
            "user": on_redis([acl.url()], 'user = "janua"', f'password = "file:{secret("right", WORD)}"'),
            "tls": on_redis([tls.url()], f'ca = "{folder}/ca.pem"'),
        }
        for name, store in stores.items():
            nodes = machines(f"ways-{name}", 2, store, workers=1)
            with running(nodes):
                good(*nodes)


def wrong_ways(folder, acl, tls, other):
    """Each with what the log must name."""
    user, right = 'user = "janua"', f'password = "file:{secret("right", WORD)}"'
    return {
        "password": (on_redis([acl.url()], user, f'password = "file:{secret("wrong", "another")}"'), ("password",)),
        "user": (on_redis([acl.url()], 'user = "nobody"', right), ("user",)),
        "no-password": (on_redis([acl.url()]), ("password",)),
        "name": (on_redis([other.url()], f'ca = "{folder}/ca.pem"'), ("127.0.0.1", "certificate")),
        "authority": (on_redis([tls.url()], f'ca = "{folder}/stranger.pem"'), ("certificate", "store.ca")),
        "no-tls": (on_redis([tls.url().replace("rediss", "redis")]), ("closed the connection", "rediss://")),
        "nobody-there": (on_redis(["redis://127.0.0.1:1/0"]), ("127.0.0.1:1", "nobody listens")),
    }


@promise("a wrong password, user, certificate or address of Redis: the log names cause and mend, all are told 503, nobody is logged out, and a mend is taken up")
def wrong():
    folder = certificates()
    stranger = certificates("stranger")
    (folder / "stranger.pem").write_bytes((stranger / "ca.pem").read_bytes())
    with Redis("wrong-acl", *ACL, user=("janua", WORD)) as acl, Redis("wrong-tls", tls=folder) as tls, Redis("wrong-name", tls=folder, name_of="other") as other:
        right = on_redis([acl.url()], 'user = "janua"', f'password = "file:{secret("right", WORD)}"')
        for name, (store, words) in wrong_ways(folder, acl, tls, other).items():
            nodes = machines(f"wrong-{name}", 2, [right, store], workers=1)
            with running(nodes):
                here, there = nodes
                cookie = Sure(here).login()
                for request in (("GET", "/inside/x", cookie), ("POST", "/logout", cookie)):
                    answer = there.ask(*request, body=b"" if request[0] == "POST" else None)
                    same(f"{name}: {request[0]}", (answer.status, answer.all("Set-Cookie")), (503, []))
                body = b'{"user":"Aladdin","password":"OpenSesame"}'
                same(f"{name}: log-in", there.ask("POST", "/login", "Content-Type: application/json", body=body).status, 503)
                same(f"{name}: at the good machine", Sure(here).status(cookie), 200)
                lines = [line for line in there.log().splitlines() if "janua:" in line and "decisions" not in line]
                assert any(all(word.lower() in line.lower() for word in words) for line in lines), f"{name}: {words} are not in {lines[:5]}"
                assert WORD not in there.log() and "another" not in there.log(), f"{name}: a password in the log"
                print(f"       {name}: {told(lines, words)}")
                taken(there, "[alert]")
                config = there.janua.read_text()
                assert store[1] in config
                there.janua.write_text(config.replace(*store[1:], right[1]))
                there.reload()
                wait_until("the mend", lambda: there.ask("GET", "/inside/x", cookie).status == 200)


def told(lines, words):
    """The line that says it, without its beginning."""
    line = next(line for line in lines if all(word.lower() in line.lower() for word in words))
    return line.split("janua:", 1)[1].split("janua.toml:", 1)[-1].strip()[:230]


CHECKED = HTTP.replace("location / { }", """location / { }
        location /checked/ { janua off; auth_request /check; alias {folder}/html/inside/; }
        location = /check { internal; alias {folder}/html/inside/x; }""")


@promise("a subrequest over Redis is told what is known; where only the server knows, and while it is down, it is 500, never a refusal")
def subrequests():
    with Redis("subrequests") as redis:
        nodes = machines("subrequests", 1, on_redis([redis.url()]), workers=1, http=CHECKED)
        with running(nodes):
            sure = Sure(nodes[0])
            cookie, told = sure.login(), []
            for _ in range(10):
                time.sleep(0.15)
                answers = [nodes[0].ask("GET", "/checked/x", cookie).status]
                wait_until("it is known", lambda: answers[-1] == 200 or answers.append(nodes[0].ask("GET", "/checked/x", cookie).status))
                told += answers
                same("nobody", nodes[0].ask("GET", "/checked/x").status, 401)
            assert set(told) <= {200, 500} and told.count(200) == 10, told
            print(f"       {told.count(500)} of {len(told)} had to ask again")
            same("log-out", sure.ask("POST", "/logout", cookie, body=b"").status, 204)
            kept = sure.login()
            redis.stop()
            time.sleep(0.5)
            same("while it is down", {nodes[0].ask("GET", "/checked/x", one).status for one in (cookie, kept) for _ in range(5)}, {500})
            redis.go_on()
            wait_until("it is well again", lambda: nodes[0].ask("GET", "/checked/x", kept).status == 200)
            wait_until("the other is out", lambda: nodes[0].ask("GET", "/checked/x", cookie).status == 401)
            taken(nodes[0], "auth request unexpected status")

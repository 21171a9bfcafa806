"""Facts 2 and 3: subrequests, internal redirects, named locations, error pages, X-Accel-Redirect, access rules beside ours."""

from promises import let_in, promise, refused, same


@promise("fact 2: an SSI page in an open location does not include a denied one's secret")
def ssi_denied(nginx):
    for ask in (nginx.ask, nginx.ask2):
        answer = ask("GET", "/pages-off/secret.html")
        assert b"abracadabra" not in answer.body, answer
        before = len(nginx.upstream.seen)
        answer = ask("GET", "/pages-off/proxied.html")
        assert b"told" not in answer.body, answer
        same("upstream", [t for _, t, _, _ in nginx.upstream.seen[before:]], [])


@promise("fact 2: a page that was let in includes its parts of the same site")
def ssi_allowed(nginx):
    refused(nginx.ask("GET", "/pages/both.html"))
    answer = nginx.ask("GET", "/pages/both.html", nginx.login())
    same("page", (answer.status, answer.body), (200, b"<p>abracadabra</p>\n"))
    same("over HTTP/2", nginx.ask2("GET", "/pages/both.html", nginx.login()).body, b"<p>abracadabra</p>\n")


@promise("fact 2: a session in an open page's request opens the part to its user")
def ssi_own(nginx):
    answer = nginx.ask("GET", "/pages-off/secret.html", nginx.login())
    assert b"abracadabra" in answer.body, answer
    answer = nginx.ask("GET", "/pages-off/secret.html", "Cookie: sid=AAAAAAAAAAAAAAAAAAAAAA")
    assert b"abracadabra" not in answer.body, answer


@promise("fact 2: being let in as nobody does not open a part of the same site that needs a user")
def ssi_open(nginx):
    answer = nginx.ask("GET", "/open/pages/secret.html")
    same("the page itself is open", answer.status, 200)
    assert b"abracadabra" not in answer.body, answer
    answer = nginx.ask("GET", "/open/pages/secret.html", nginx.login())
    assert b"abracadabra" in answer.body, answer


@promise("fact 2: a page does not open a part whose role its reader lacks")
def ssi_role(nginx):
    before = len(nginx.upstream.seen)
    answer = nginx.ask("GET", "/pages/administration.html", nginx.login())
    assert answer.status == 200 and b"told" not in answer.body, answer
    same("upstream", [t for _, t, _, _ in nginx.upstream.seen[before:]], [])
    answer = nginx.ask("GET", "/pages/administration.html", nginx.login("admin@test.com", "administer"))
    assert b"/admin/notes" in answer.body, answer


@promise("fact 2: being let in by another site does not open the part")
def ssi_other_site(nginx):
    answer = nginx.ask("GET", "/pages-other/api/secret.html")
    same("the page itself is open to nobody", answer.status, 200)
    assert b"abracadabra" not in answer.body, answer


@promise("fact 2: a subrequest that would need a body or slow work is refused, and nothing was tried")
def ssi_slow(nginx):
    from test_proofs import basic

    answer = nginx.ask("GET", "/pages-off/secret.html", basic("AlexK", "My Password"))
    first = b"abracadabra" in answer.body
    let_in(nginx.ask("GET", "/a", basic("AlexK", "My Password")), "AlexK")
    answer = nginx.ask("GET", "/pages-off/secret.html", basic("joe.bloggs@test.com", "wrong"))
    assert b"abracadabra" not in answer.body, answer
    assert not first, "a password that nobody had verified opened the part without slow work"


@promise("auth_request beside us: both must agree, and the checking request is told of the user, or refused")
def auth_request(nginx):
    same("the profile's answer", refused(nginx.ask("GET", "/checked/a")).body, b"no\n")
    before = len(nginx.upstream.seen)
    let_in(nginx.ask("GET", "/checked/a", nginx.login()), "Aladdin")
    same("asked upstream", [t for _, t, _, _ in nginx.upstream.seen[before:]], ["/whoever", "/checked/a"])
    answer = nginx.ask("GET", "/checked-off/a")
    assert answer.status in (401, 403) and answer.told() is None, answer
    let_in(nginx.ask("GET", "/checked-off/a", nginx.login()), None)


@promise("fact 3: try_files to a named location keeps the decision: told once, refused once")
def try_files(nginx):
    cookie = nginx.login()
    refused(nginx.ask("GET", "/try/nowhere"))
    refused(nginx.ask("GET", "/try/there.txt"))
    same("file", nginx.ask("GET", "/try/there.txt", cookie).body, b"there\n")
    for ask in (nginx.ask, nginx.ask2):
        answer = let_in(ask("GET", "/try/nowhere", cookie), "Aladdin")
        names = answer.names()
        assert len(names) == len(set(names)), f"a header twice: {names}"
    body = nginx.ask("POST", "/try/nowhere", cookie, body=b"12345")
    same("body", let_in(body, "Aladdin").json()["body"], 5)


@promise("fact 3: try_files from an open location to a closed one is judged there, and the other way round here")
def try_files_between(nginx):
    cookie = nginx.login()
    refused(nginx.ask("GET", "/try-from-off/nowhere"))
    let_in(nginx.ask("GET", "/try-from-off/nowhere", cookie), "Aladdin")
    refused(nginx.ask("GET", "/try-to-off/nowhere"))
    assert nginx.ask("GET", "/try-to-off/nowhere", cookie).status == 200, "let in, then open"


@promise("fact 3: error_page after the upstream's 404 and after its death keeps the decision and its cookie")
def error_page(nginx):
    keep = ("X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")
    for target in ("/failing/a?do=status&code=404", "/failing-named/a?do=status&code=404", "/failing/a?do=die"):
        for ask in (nginx.ask, nginx.ask2):
            answer = ask("GET", target, *keep)
            assert answer.status in (200, 404, 502), f"{target}: {answer}"
            same(f"{target}: cookies", len(answer.all("Set-Cookie")), 1)
            if answer.told() is not None:
                same("told", answer.told().get("X-User"), "Aladdin")
                names = answer.names()
                assert len(names) == len(set(names)), f"a header twice: {names}"


@promise("fact 3: our refusals stand as they are under error_page 401 403")
def not_beautified(nginx):
    answer = refused(nginx.ask("GET", "/beautified/a"))
    same("body", answer.body, b"no\n")
    same("POST", refused(nginx.ask("POST", "/beautified/a", body=b"abc")).body, b"no\n")
    same("over HTTP/2", refused(nginx.ask2("GET", "/beautified/a")).body, b"no\n")


@promise("fact 3: X-Accel-Redirect serves the internal file to who was let in, and nobody reaches it directly")
def accel(nginx):
    cookie = nginx.login()
    for ask in (nginx.ask, nginx.ask2):
        answer = ask("GET", "/accel/a?do=accel&to=/hidden/file.txt", cookie)
        same("file", (answer.status, answer.body), (200, b"hidden\n"))
    keep = ("X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")
    answer = nginx.ask("GET", "/accel/a?do=accel&to=/hidden/file.txt", *keep)
    same("cookies", (answer.body, len(answer.all("Set-Cookie"))), (b"hidden\n", 1))
    refused(nginx.ask("GET", "/accel/a?do=accel&to=/hidden/file.txt"))
    assert nginx.ask("GET", "/hidden/file.txt", cookie).status == 404, "an internal location is internal"


@promise("fact 3: a redirect to another site is judged again there; the cookies of both go out")
def between_sites(nginx):
    keep = ("X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")
    answer = nginx.ask("GET", "/data/failing/api/models?do=status&code=404")
    refused(answer)
    answer = nginx.ask("GET", "/data/failing/api/models?do=status&code=404", *keep)
    same("told", answer.told().get("X-User"), "Aladdin")
    same("cookies", [v.split("=")[0] for v in answer.all("Set-Cookie")], ["sid"])
    key = "apiKey: 5a1f2c58-41bb-4a2c-9f2e-0d9a4be0c111"
    answer = nginx.ask("GET", "/data/failing/api/models?do=status&code=404", key, *keep)
    same("cookies of both", sorted(v.split("=")[0] for v in answer.all("Set-Cookie")), ["JSESSIONID", "sid"])


@promise("a rewritten request is judged by the path that it was rewritten to")
def rewritten(nginx):
    ala, admin = nginx.login(), nginx.login("admin@test.com", "administer")
    refused(nginx.ask("GET", "/rewritten/admin/a"))
    refused(nginx.ask("GET", "/rewritten/admin/a", ala), 403)
    same("target", let_in(nginx.ask("GET", "/rewritten/admin/a", admin), "admin@test.com").json()["target"], "/admin/a")
    let_in(nginx.ask("GET", "/rewritten/a", ala), "Aladdin")


@promise("satisfy any: an address that is allowed passes without proof, another needs one, and a refusal is a refusal")
def satisfy_any(nginx):
    def near(*lines):
        with nginx.wire("127.0.0.5") as wire:
            return wire.ask("GET", "/any/a", *lines)

    let_in(near(), None)
    let_in(near(nginx.login()), "Aladdin")
    answer = nginx.ask("GET", "/any/a")
    assert answer.status in (401, 403) and answer.told() is None, answer
    let_in(nginx.ask("GET", "/any/a", nginx.login()), "Aladdin")
    with nginx.wire() as wire:
        assert wire.ask("POST", "/any/a", body=b"GET /off/x HTTP/1.1\r\nHost: a\r\n\r\n").status in (401, 403)
        assert wire.silent(), "the body was answered too"


@promise("satisfy any: a log-in is answered, slow work, body and all, from an address that is not allowed")
def satisfy_any_login(nginx):
    lines, body = ["Content-Type: application/json"], b'{"user":"Aladdin","password":"OpenSesame"}'
    for ask in (nginx.ask, nginx.ask2):
        assert ask("POST", "/any-in/login", *lines, body=body).cookie(), "no session"
        answer = ask("POST", "/any-in/login", *lines, body=body.replace(b"Open", b"open"))
        assert answer.status in (401, 403) and not answer.cookie(), answer
    let_in(nginx.ask("GET", "/any-in/a", nginx.login()), "Aladdin")


@promise("satisfy all: address and proof are both needed")
def satisfy_all(nginx):
    cookie = nginx.login()
    same("wrong address", nginx.ask("GET", "/all/a", cookie).status, 403)
    with nginx.wire("127.0.0.5") as wire:
        refused(wire.ask("GET", "/all/a"))
        let_in(wire.ask("GET", "/all/a", cookie), "Aladdin")


@promise("limit_except: both the rule and the proof are needed")
def limit_except(nginx):
    cookie = nginx.login()
    refused(nginx.ask("GET", "/reading/a"))
    let_in(nginx.ask("GET", "/reading/a", cookie), "Aladdin")
    same("POST", nginx.ask("POST", "/reading/a", cookie, body=b"x").status, 403)
    assert nginx.ask("POST", "/reading/a", body=b"x").status in (401, 403), "POST without proof"


@promise("limit_except with `janua on` inside: reading is open, writing needs a proof")
def limit_except_inside(nginx):
    let_in(nginx.ask("GET", "/writing/a"), None)
    refused(nginx.ask("POST", "/writing/a", body=b"x"))
    let_in(nginx.ask("POST", "/writing/a", nginx.login(), body=b"x"), "Aladdin")


@promise("a second profile under a prefix is a site of its own: its sessions open nothing else")
def second_site(nginx):
    body = b'{"username":"joe.bloggs@test.com","password":"pa55w0rd"}'
    answer = nginx.ask("POST", "/data/api/authentication/login", "Content-Type: application/json", body=body)
    same("log-in", answer.status, 200)
    cookie = f"Cookie: JSESSIONID={answer.cookie('JSESSIONID')}"
    let_in(nginx.ask("GET", "/data/api/models", cookie), "joe.bloggs@test.com")
    refused(nginx.ask("GET", "/a", cookie))
    refused(nginx.ask("GET", "/a", f"Cookie: sid={answer.cookie('JSESSIONID')}"))

"""Fact 8, and what an access module cannot see: paths that read two ways, `return` and `if`."""

from promises import let_in, promise, same

TWO_WAYS = [
    "/raw%2fz", "/x/%2e%2e/raw/q", "/raw//x", "//raw/x", "/raw/;x/../../admin/a", "/raw/..;/admin/a", "/raw/x;y=z", "/raw/%5c..%5cadmin/a",
    "/raw/\\..\\admin\\a", "/raw/%252e%252e/admin/a", "/raw/./admin", "/raw/../admin/a", "/raw/%2e%2e%2fadmin/a", "/%61dmin/..%2fraw/x",
    "/raw/%00x", "/raw/x%0a", "/off/%2e%2e/admin/a", "/open/../admin/a", "/open/%2e%2e/admin/a", "/open//../admin/a", "/open/..;/admin/a",
    "/open%2f..%2fadmin/a", "/open/x%2f..%2f..%2fadmin/a",
]


@promise("fact 8: a path that reads two ways never goes upstream without proof")
def nobody(nginx):
    for target in TWO_WAYS:
        before = len(nginx.upstream.seen)
        answer = nginx.ask("GET", target)
        assert 400 <= answer.status < 500, f"{target}: {answer}"
        same(f"{target}: upstream", nginx.upstream.seen[before:], [])


@promise("fact 8: nor for a user who lacks the role that one of the readings needs")
def lacking(nginx):
    cookie = nginx.login()
    for target in TWO_WAYS:
        for ask in (nginx.ask, nginx.ask2):
            if ask == nginx.ask2 and "\\" in target:
                continue
            before = len(nginx.upstream.seen)
            answer = ask("GET", target, cookie)
            if answer.told() is None:
                continue
            sent = nginx.upstream.seen[before][1].lower()
            assert "admin" not in sent and "%2f" not in sent and ".." not in sent, f"{target} went upstream as {sent}"


@promise("fact 8: encoded slashes, dots and backslashes are refused to a user who does not meet the needs of every reading")
def differing(nginx):
    cookie = nginx.login()
    for target in ("/raw%2fz", "/x/%2e%2e/raw/q", "/raw//x", "/raw/\\..\\x", "/raw/%5c..%5cx", "/raw/..;/x", "/raw/%252e%252e/x"):
        before = len(nginx.upstream.seen)
        answer = nginx.ask("GET", target, cookie)
        assert answer.status >= 400, f"{target}: {answer}"
        same(f"{target}: upstream", nginx.upstream.seen[before:], [])


@promise("harmless encodings go upstream as they came: blanks, umlauts, unreserved characters")
def harmless(nginx):
    cookie = nginx.login()
    for target in ("/raw/a%20b", "/raw/%C3%A4", "/raw/%7Ejoe", "/raw/a+b?x=%2F..%2F", "/raw/a.b-c_d~e", "/raw/x/"):
        same("target", let_in(nginx.ask("GET", target, cookie), "Aladdin").json()["target"], target)


@promise("forged X-Original-URL, X-Forwarded-Uri, X-Rewrite-URL and a query do not change what is judged")
def forged(nginx):
    cookie = nginx.login()
    for line in ("X-Original-URL: /open/a", "X-Forwarded-Uri: /open/a", "X-Rewrite-URL: /open/a", "X-Original-URI: /open/a"):
        same(line, nginx.ask("GET", "/admin/a", line).status, 401)
        same(line, nginx.ask("GET", "/admin/a", line, cookie).status, 403)
    same("query", nginx.ask("GET", "/admin/a?x=/open/a").status, 401)


@promise("an absolute target is judged by its path")
def absolute(nginx):
    cookie = nginx.login()
    same("nobody", nginx.ask("GET", "http://door.test/admin/a").status, 401)
    same("lacking", nginx.ask("GET", "http://door.test/admin/a", cookie).status, 403)
    answer = nginx.ask("GET", "http://door.test/raw/a", cookie)
    assert answer.status >= 400 or answer.told()["X-User"] == "Aladdin", answer


@promise("`return` answers before any access module: pinned, as the documentation says")
def returned(nginx):
    answer = nginx.ask("GET", "/returned/x")
    same("answer", (answer.status, answer.body), (200, b"answered in the rewrite phase\n"))


@promise("`return` inside `if` answers before any access module, the rest of the location does not")
def conditional(nginx):
    same("pinned", nginx.ask("GET", "/conditional/x?ping=1").body, b"pong\n")
    same("guarded", nginx.ask("GET", "/conditional/x").status, 401)
    same("guarded inside another `if`", nginx.ask("GET", "/conditional/x?set=1").status, 401)
    let_in(nginx.ask("GET", "/conditional/x?set=1", nginx.login()), "Aladdin")
    let_in(nginx.ask("GET", "/conditional/x", nginx.login()), "Aladdin")

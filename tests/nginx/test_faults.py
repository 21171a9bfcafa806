"""The core failing in each phase: 500, never a pass. Runs the build of the module that fails on demand."""

from harness import Nginx, Options
from house import POOLS
from promises import let_in, promise, same
from upstream import Upstream

HTTP = """
    janua_config {janua}; janua_hash_pool hashes; janua on; janua_test_fail %s;
    server {
        listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2;
        root {folder}/html;
        location / { proxy_pass http://{upstream}; }
        location /off/ { janua off; proxy_pass http://{upstream}; }
        location /pages-off/ { janua off; ssi on; }
        location /secret/ { }
    }"""

LOGIN = ("POST", "/login", "Content-Type: application/json")
BODY = b'{"user":"Aladdin","password":"OpenSesame"}'


def failing(place):
    """An nginx whose core fails at a place, with an upstream that must see nothing."""
    nginx = Nginx(f"fails-{place}", HTTP % place, upstream=Upstream(), main=POOLS, faults=True)
    for name, text in (("pages-off/secret.html", '<!--#include virtual="/secret/word.txt" -->'), ("secret/word.txt", "abracadabra")):
        path = nginx.folder / "html" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return nginx


def all_fail(nginx, *asked):
    """Each of these is 500, over HTTP/1.1 and HTTP/2, a dozen times, and nothing goes upstream."""
    for _ in range(6):
        for ask in (nginx.ask, nginx.ask2):
            for method, target, lines, body in asked:
                answer = ask(method, target, *lines, body=body)
                same(f"{method} {target}", answer.status, 500)
    same("upstream", nginx.upstream.seen, [])


@promise("the module that is shipped cannot be told to fail: there is nothing of it in the file", shared=False)
def shipped():
    said = Nginx("fails-shipped", HTTP % "access", upstream=Upstream(), main=POOLS).test()[1]
    assert 'unknown directive "janua_test_fail"' in said, said
    assert b"janua_test" not in Options.module.read_bytes()
    assert b"janua_test_fail" in Options.faults.read_bytes()


GET = ("GET", "/a", ["X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame"], None)
LOG_IN = ("POST", "/login", ["Content-Type: application/json"], BODY)


@promise("a failure while headers are stripped is 500, on `off` locations too", shared=False)
def post_read():
    with failing("post_read") as nginx:
        all_fail(nginx, GET, LOG_IN, ("GET", "/off/a", [], None))


@promise("a failure while a subrequest is judged lets nothing in", shared=False)
def preaccess():
    with failing("preaccess") as nginx:
        answer = nginx.ask("GET", "/pages-off/secret.html", "X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame")
        assert b"abracadabra" not in answer.body, answer
        all_fail(nginx, GET, LOG_IN)


@promise("a failure of the decision on the event loop is 500", shared=False)
def access():
    with failing("access") as nginx:
        all_fail(nginx, GET, LOG_IN, ("GET", "/a", [], None))
        let_in(nginx.ask("GET", "/off/a"), None)


@promise("a failure once the body is there is 500", shared=False)
def body():
    with failing("body") as nginx:
        all_fail(nginx, LOG_IN)


@promise("a failure on the pool's thread is 500", shared=False)
def task():
    with failing("task") as nginx:
        all_fail(nginx, LOG_IN, GET)


@promise("a failure when the task comes back is 500", shared=False)
def done():
    with failing("done") as nginx:
        all_fail(nginx, LOG_IN, GET)


@promise("a failure while cookies are added is no answer without them", shared=False)
def header_filter():
    with failing("header_filter") as nginx:
        for ask in (nginx.ask, nginx.ask2):
            for _ in range(4):
                try:
                    answer = ask(*GET[:2], *GET[2])
                except ConnectionError:
                    continue
                assert answer.status == 500 and answer.told() is None, answer


@promise("a failure while the request is shown to the core, and without memory for its state, is 500", shared=False)
def snapshot_and_state():
    for place in ("snapshot", "state"):
        with failing(place) as nginx:
            all_fail(nginx, GET, LOG_IN, ("GET", "/a", [], None))


@promise("a failure while what was allowed is written into the request is 500, and nothing goes upstream", shared=False)
def allow():
    with failing("allow") as nginx:
        all_fail(nginx, GET)


@promise("a failure while an answer is made is 500: no session's cookie, no upstream", shared=False)
def answer_fails():
    with failing("answer") as nginx:
        all_fail(nginx, ("GET", "/a", [], None), ("GET", "/whoami", [], None))

"""What goes inward is what was judged: overrides of method and path, and variables that directives use after the decision."""

from harness import Nginx
from house import POOLS, STORY
from promises import promise, same
from test_logs import AUDIT
from test_proofs import basic
from upstream import Upstream

MFILES = STORY + """
    access_log {folder}/access.log story; root {folder}/html;
    janua_config {janua}; janua on; janua_profile mfiles;
    server { listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2;
        location / { proxy_pass http://{upstream}; }
        location /REST/objects/ { proxy_pass http://{upstream}; }
        location /REST/kept/ { limit_except GET POST { deny all; } proxy_pass http://{upstream}; }
        location /REST/inside/ { internal; proxy_pass http://{upstream}; }
        location /REST/closed/ { deny all; }
        location /REST/MFWS { proxy_pass http://{upstream}; }
    }"""
VAULT = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"
USER = ("X-Username: AlexK", "X-Password: My Password", f"X-Vault: {VAULT}")


@promise("an override of method or path is what nginx's own rules and the upstream see: no rule is passed round by it", shared=False)
def overrides():
    with Nginx("overrides", MFILES, upstream=Upstream(), main=POOLS, config="mfiles") as nginx:
        for ask in (nginx.ask, nginx.ask2):
            def seen(method, target, body=None, ask=ask):
                answer = ask(method, target, *USER, body=body)
                whole = answer.json() if answer.status == 200 else {}
                return answer.status, whole.get("method"), whole.get("target")

            same("plain", seen("GET", "/REST/objects/1"), (200, "GET", "/REST/objects/1"))
            same("method", seen("POST", "/REST/objects/1?_method=DELETE", b"abc")[:2], (200, "DELETE"))
            same("a rule for the method", seen("POST", "/REST/kept/1", b"abc")[:2], (200, "POST"))
            same("passed round", seen("POST", "/REST/kept/1?_method=DELETE", b"abc")[0], 403)
            status, method, target = seen("GET", "/REST/MFWS.ashx?restPath=/objects/1")
            same("path", (status, method, target.split("?")[0]), (200, "GET", "/REST/objects/1"))
            same("to an internal location", seen("GET", "/REST/MFWS.ashx?restPath=/inside/1")[0], 404)
            same("to a denied location", seen("GET", "/REST/MFWS.ashx?restPath=/closed/1")[0], 403)
            same("from a path that leads away", seen("GET", "/REST/MFWS.ashx?restPath=/objects/../closed/1")[0] >= 400, True)
        before = len(AUDIT.findall(nginx.log()))
        nginx.ask("POST", "/REST/objects/1?_method=DELETE", *USER, body=b"abc")
        same("events of an override", len(AUDIT.findall(nginx.log())) - before, 1)


@promise("a pair in the query or in headers does not go upstream, whatever way the request takes", shared=False)
def pairs():
    with Nginx("pairs", MFILES, upstream=Upstream(), main=POOLS, config="mfiles") as nginx:
        answer = nginx.ask("GET", f"/REST/objects/1?username=AlexK&password=My%20Password&vault={VAULT}&x=1")
        same("status", answer.status, 200)
        answers = [answer, nginx.ask("GET", "/REST/objects/1", *USER), nginx.ask("GET", "/REST/MFWS.ashx?restPath=/objects/1", *USER),
                   nginx.ask("POST", "/REST/objects/1?_method=PUT&x=1", *USER, body=b"")]
        for answer in answers:
            same("status", answer.status, 200)
            assert b"My Password" not in answer.body and b"My%20Password" not in answer.body, answer
        assert b"x=1" in answers[0].body, answers[0]
        text = nginx.log() + "\n".join(nginx.access())
        assert "My Password" not in text and "My%20Password" not in text, "in a log"


@promise("variables that directives use after the decision hold no spent credential: $args, $request_uri, $request, $http_*, $cookie_*")
def variables(nginx):
    token, cookie = nginx.token(), nginx.login()
    for target, line in ((f"/whole/a?auth={token}&x=1", "A: b"), ("/whole/a?x=1", f"X-Authentication: {token}"), ("/whole/a?x=1", cookie), ("/whole/a?x=1", basic())):
        for ask in (nginx.ask, nginx.ask2):
            answer = ask("GET", target, line)
            same("status", answer.status, 200)
            shown = dict(answer.json()["headers"])["X-Shown"]
            for secret in (token, cookie[12:], basic()[21:]):
                assert secret not in answer.body.decode(), f"{target} {line[:20]}: {shown}"
            assert shown.startswith("x=1|/whole/a?x=1|"), shown
            same("target", answer.json()["target"], "/whole/a?x=1")


@promise("conditions on an answer of ours mean nothing: a log-in with If-Match or If-Unmodified-Since is a whole one")
def conditions(nginx):
    body = b'{"user":"Aladdin","password":"OpenSesame"}'
    for line in ('If-Match: "x"', "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 'If-None-Match: "x"', "If-None-Match: *",
                 "If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT", "Range: bytes=0-1", "Accept-Encoding: gzip"):
        for ask in (nginx.ask, nginx.ask2):
            answer = ask("POST", "/login", line, body=body)
            same(line, (answer.status, bool(answer.cookie()), answer.body), (200, True, b'{"name":"Aladdin"}'))
        same(line, nginx.ask("GET", "/a", line).status, 401)

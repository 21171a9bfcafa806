"""Four systems on three machines without sticky routing: what is made at one is good at the others, and what one ends is over at all.

The flows are those of the demo (scripts/demo-walk); here each step is asked of another machine.
"""

import json
from urllib.parse import quote

from cluster import machines, patient, running
from door import locations
from promises import promise, same
from servers import Redis
from upstream import Upstream

SITES = ["/api:mauro", "/REST:mfiles", "/mashzone:mashzone", "/mmws:menandmice"]
HTTP = """
    janua_config {janua}; janua_hash_pool hashes;
    upstream application { server {upstream}; keepalive 8; } proxy_http_version 1.1; proxy_set_header Connection "";
    server { listen 127.0.0.1:{port}; %s }""" % "\n".join(locations(SITES))
JSON = "Content-Type: application/json"
VAULT = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"


def told(nginx, user, *request, **body):
    """A request that a machine lets in: the application is told of the user."""
    answer = nginx.ask(*request, **body)
    assert answer.status == 200 and (answer.told() or {}).get("X-User") == user, f"{request}: {answer}"


def mauro(first, second, third):
    """A session in a cookie."""
    answer = first.ask("POST", "/api/authentication/login", JSON, body=b'{"username":"joe.bloggs@test.com","password":"pa55w0rd"}')
    same("log-in", answer.status, 200)
    cookie = f"Cookie: JSESSIONID={answer.cookie('JSESSIONID')}"
    for nginx in (second, third, first):
        told(nginx, "joe.bloggs@test.com", "GET", "/api/models", cookie)
    same("log-out", second.ask("GET", "/api/authentication/logout", cookie).status, 204)
    return lambda nginx: same("after it", nginx.ask("GET", "/api/models", cookie).status, 401)


def mfiles(first, second, third):
    """A token for one vault, logged out by itself."""
    body = json.dumps({"Username": "AlexK", "Password": "My Password", "VaultGuid": VAULT, "SessionID": "one"}).encode()
    answer = first.ask("POST", "/REST/server/authenticationtokens", body=body)
    token = f"X-Authentication: {answer.json()['Value']}"
    for nginx in (second, third, first):
        told(nginx, "AlexK", "GET", "/REST/objects", token)
    same("log-out", second.ask("DELETE", "/REST/session", token).status, 204)
    return lambda nginx: same("after it", nginx.ask("GET", "/REST/objects", token).status, 403)


def mashzone(first, second, third):
    """A session in a cookie, with names in the query."""
    rest = "/mashzone/edge/api/rest"
    answer = first.ask("GET", f"{rest}/UserManagerService/login?presto_username=someName&presto_password=pw")
    same("log-in", answer.status, 200)
    name, _, value = answer.all("Set-Cookie")[0].split(";")[0].partition("=")
    cookie = f"Cookie: {name}={value}"
    for nginx in (second, third, first):
        told(nginx, "someName", "GET", f"{rest}/AnyMashup/Invoke", cookie)
    document = '{"sid":"UserManagerService","oid":"logout","svcVersion":"0.1","params":[]}'
    same("log-out", second.ask("GET", f"/mashzone/edge/api?inputStream={quote(document, safe='')}", cookie).status, 200)
    return lambda nginx: same("after it", nginx.ask("GET", f"{rest}/AnyMashup/Invoke", cookie).status, 401)


def menandmice(first, second, third):
    """A session in a body, a header and a query, over JSON-RPC, SOAP and REST."""
    call = {"jsonrpc": "2.0", "method": "Login", "params": {"loginName": "Aladdin", "password": "OpenSesame", "server": "localhost"}, "id": 1}
    session = first.ask("POST", "/mmws/json", JSON, body=json.dumps(call).encode()).json()["result"]["session"]
    call = {"jsonrpc": "2.0", "method": "GetUsers", "params": {"session": session}, "id": 2}
    told(second, "Aladdin", "POST", "/mmws/json", JSON, body=json.dumps(call).encode())
    bearer = f"Authorization: Bearer {session}"
    for nginx in (third, first):
        told(nginx, "Aladdin", "GET", "/mmws/api/v2/DNSZones", bearer)
    soap = f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Logout><session>{session}</session></Logout></s:Body></s:Envelope>'
    same("log-out", second.ask("POST", "/mmws/soap", "Content-Type: text/xml", body=soap.encode()).status, 200)
    return lambda nginx: same("after it", nginx.ask("GET", "/mmws/api/v2/DNSZones", bearer).status, 401)


@promise("four systems on three machines: what is made at one is good at the two others, and a log-out at one is in force at all")
def everywhere():
    with Redis("systems") as redis:
        nodes = machines("systems", 3, patient(redis.url()), config="mauro", http=HTTP, upstream=Upstream(plain=True))
        with running(nodes):
            for turn in range(3):
                order = nodes[turn:] + nodes[:turn]
                for system in (mauro, mfiles, mashzone, menandmice):
                    over = system(*order)
                    for nginx in nodes:
                        over(nginx)
    print("       four systems, each begun at each machine")

"""The Python package `requests` against a door, as users of MashZone call it: mashzone_client.py http://HOST:PORT/mashzone

A requests.Session keeps cookies by their path and sends them back by itself. Behind the door an upstream tells what it was told.
"""

import json
import sys

import requests

done = []


def holds(what, true):
    """One promise."""
    print(f"  {'ok  ' if true else 'FAIL'} requests: {what}")
    done.append(bool(true))


def main():
    """Log in every way, use, be a guest, log out."""
    api = sys.argv[1] + "/edge/api"
    user = api + "/rest/UserManagerService"
    invoke = api + "/rest/AnyMashup/Invoke"
    pair = {"presto_username": "someName", "presto_password": "pw"}
    wish = {"x-p-anonymous": "true"}

    holds("nobody is not let in", requests.get(invoke).status_code == 401)
    holds("a guest is, by parameter", requests.get(invoke, params=wish).json()["told"] == {})
    holds("and by header", requests.get(invoke, headers=wish).json()["told"] == {})
    wrong = requests.get(user + "/login", params={**pair, "presto_password": "no"})
    holds("a wrong password says so", (wrong.status_code, wrong.text) == (401, "Authentication failed.Userid:someName."))
    holds("and sets no cookie", not wrong.cookies)

    ways = {"the query": {"params": pair}, "headers": {"headers": pair}}
    for name, how in ways.items():
        with requests.Session() as session:
            answer = session.get(user + "/login", **how)
            holds(f"log-in by {name}", answer.text.startswith('<?xml version="1.0"?>\n<ServiceResponseObject>\n'))
            holds("the jar brings it back", session.get(invoke).json()["told"]["X-User"] == "someName")

    with requests.Session() as session:
        answer = session.post(user + "/login", params={"x-presto-resultFormat": "json"}, data=pair).json()
        token = answer["ServiceResponseObject"]["response"]["authToken"]
        holds("log-in by a form, as JSON", token == "Token is set as HTTP cookie")
        holds("the jar keeps it for /mashzone", [(c.name, c.path) for c in session.cookies] == [("JSESSIONID", "/mashzone")])
        holds("a guest beside a session is a guest", session.get(invoke, params=wish).json()["told"] == {})
        told = session.post(invoke, headers={"x-p-method": "put"}, data={"a": "b"}).json()
        holds("PUT by x-p-method", (told["method"], told["told"]["X-User"]) == ("PUT", "someName"))
        kept = dict(session.cookies)
        holds("log-out", "Logout Success" in session.get(user + "/logout").text)
        holds("empties the jar", not session.cookies)
        holds("and the old cookie is dead", requests.get(invoke, cookies=kept).status_code == 401)

    with requests.Session() as session:
        stream = {"version": "1.1", "sid": "UserManagerService", "svcVersion": "0.1", "oid": "login", "params": ["someName", "pw"]}
        answer = session.post(api, data={"inputStream": json.dumps(stream)}).json()
        holds("JUMP in a form", answer["response"]["authToken"] and answer["header"]["map"]["currentUser"] == "someName")
        holds("is the same session", session.get(invoke).json()["told"]["X-User"] == "someName")

    told = requests.get(invoke, auth=("someName", "pw")).json()["told"]
    holds("Basic, with each request", told["X-User"] == "someName" and "X-Session-Ref" not in told)
    return 0 if all(done) else 1


sys.exit(main())

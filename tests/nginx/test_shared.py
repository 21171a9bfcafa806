"""Four workers on one shared store: what one of them is told, all of them know, and no restart logs anybody out."""

import threading

from harness import Nginx, wait_until
from house import POOLS
from promises import let_in, promise, refused, same
from upstream import Upstream

HTTP = """
    janua_config {janua}; janua_hash_pool hashes; janua on; add_header X-Worker $pid always;
    upstream application { server {upstream}; keepalive 8; } proxy_http_version 1.1; proxy_set_header Connection "";
    server { listen 127.0.0.1:{port} reuseport; location / { proxy_pass http://application; } }"""
SHARED = [('kind = "memory"', 'kind = "shared"\npath = "state"')]
WORKERS = 4
ROUNDS = 50


def four(name):
    """An nginx of four workers."""
    return Nginx(name, HTTP, upstream=Upstream(), main=POOLS, workers=WORKERS, lines=SHARED)


def doors(nginx, client=None):
    """A connection to each worker, from this address."""
    found = {}
    for _ in range(200):
        wire = nginx.wire(client)
        worker = wire.ask("GET", "/whoever").one("X-Worker")
        if worker in found:
            wire.__exit__()
        found.setdefault(worker, wire)
        if len(found) == WORKERS:
            return list(found.values())
    raise AssertionError(f"only the workers {list(found)} answered")


def hammer(wire, cookie, ended, wrong):
    """Asks with the cookie until told to stop; what was let in that began after the log-out's answer is wrong."""
    asked = 0
    while asked < 5000:
        over = ended.is_set()
        answer = wire.ask("GET", "/inside/x", cookie)
        asked += 1
        if over:
            if answer.status != 401:
                wrong.append(answer.status)
            return


@promise("four workers on a shared store: a session is good at each, and a log-out at one is in force at all when it is answered", shared=False)
def log_out_everywhere():
    with four("shared-log-out") as nginx:
        wires = doors(nginx)
        for turn in range(ROUNDS):
            cookie = nginx.login()
            for wire in wires:
                let_in(wire.ask("GET", "/inside/x", cookie), "Aladdin")
            ended, wrong = threading.Event(), []
            threads = [threading.Thread(target=hammer, args=[wire, cookie, ended, wrong]) for wire in wires[1:]]
            for thread in threads:
                thread.start()
            same("log-out", wires[0].ask("POST", "/logout", cookie, body=b"").status, 204)
            ended.set()
            for thread in threads:
                thread.join()
            same(f"let in after the log-out, round {turn}", wrong, [])
            for wire in wires:
                refused(wire.ask("GET", "/inside/x", cookie))


@promise("with a shared store a reload and a restart log nobody out, and bring back nobody who logged out", shared=False)
def restart():
    with four("shared-restart") as nginx:
        kept, gone = nginx.login(), nginx.login()
        same("log-out", nginx.ask("POST", "/logout", gone, body=b"").status, 204)
        nginx.reload()
        let_in(nginx.ask("GET", "/a", kept), "Aladdin")
        refused(nginx.ask("GET", "/a", gone))
        nginx.stop()
        nginx.start()
        wait_until("all workers", lambda: len(nginx.workers_now()) == WORKERS)
        let_in(nginx.ask("GET", "/a", kept), "Aladdin")
        refused(nginx.ask("GET", "/a", gone))
        assert "sessions live in the worker's memory" not in nginx.log(), nginx.log()


@promise("fact 6: a worker that cannot attach says so, answers 503 and lets nobody in; what Janua does not judge is served", shared=False)
def cannot_attach():
    with Nginx("shared-refused", HTTP.replace("location / {", "location /off/ { janua off; return 204; } location / {"), upstream=Upstream(),
               main=POOLS, faults=True, lines=SHARED) as nginx:
        cookie = nginx.login()
        let_in(nginx.ask("GET", "/inside/x", cookie), "Aladdin")
        state = nginx.folder / "janua" / "state"
        state.chmod(0o755)
        nginx.reload()
        wait_until("the alert", lambda: "[alert]" in nginx.log() and "open to other users" in nginx.log())
        for headers in ([], [cookie]):
            refused(nginx.ask("GET", "/inside/x", *headers), 503)
        told = [line for line in nginx.log().splitlines() if "JANUA_E_FORK" in line]
        assert told and all("could not attach" in line and "open to other users" in line for line in told), told
        same("off", nginx.ask("GET", "/off/x").status, 204)
        state.chmod(0o700)
        nginx.reload()
        let_in(nginx.ask("GET", "/inside/x", cookie), "Aladdin")

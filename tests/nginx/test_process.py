"""Fact 1 and fact 11: reload, binary upgrade, a killed worker, privileges, and what follows files without a reload."""

import os
import pathlib
import pwd
import signal
import subprocess
import threading
import time

from harness import HERE, JANUA, Nginx, Options, TARGET, wait_until
from house import POOLS
from promises import let_in, promise, refused, same
from upstream import Upstream

PROXIED = """
    janua_config {janua}; janua_hash_pool hashes; janua on;
    server { listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2; location / { proxy_pass http://{upstream}; }
        location /off/ { janua off; return 204; } location = /status { janua off; stub_status; } }"""


def sample_site(name, profile="door.toml"):
    """A site with the sample users, whose hashes cost what they cost in life; by default with the tests' profile."""
    folder = TARGET / f"{name}-site"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    subprocess.run([JANUA, "init", str(folder), "--sample", "--plain-http", "--site", "door.test", "--profile", "form"], check=True, capture_output=True)
    text = (folder / "janua.toml").read_text()
    assert '"form"' in text, text
    (folder / "door.toml").write_bytes((HERE / "door.toml").read_bytes())
    (folder / "janua.toml").write_text(text.replace('"form"', f'"{profile}"'))
    return folder / "janua.toml"


def slow_site(name):
    """A site whose log-ins are slow: by the sample's hashes, or by valgrind, under which those would take minutes."""
    return None if Options.valgrind else sample_site(name)


def log_ins(nginx, count, results, http2=False):
    """So many log-ins at once, each on a connection of its own, every other over HTTP/2 if asked; what came of each is appended."""

    def one(ask):
        try:
            answer = ask("POST", "/login", "Content-Type: application/json", body=b'{"user":"Aladdin","password":"OpenSesame"}')
            results.append((answer.status, bool(answer.cookie())))
        except OSError as error:
            results.append(("lost", repr(error)))

    threads = [threading.Thread(target=one, args=[nginx.ask2 if http2 and turn % 2 else nginx.ask]) for turn in range(count)]
    for thread in threads:
        thread.start()
    return threads


@promise("fact 1: a reload during 100 slow log-ins, half of them over HTTP/2, loses none", shared=False)
def reload_under_log_ins():
    http = "janua_in_flight 200;" + PROXIED
    with Nginx("reload-log-ins", http, upstream=Upstream(), main=POOLS, janua=slow_site("reload-log-ins")) as nginx:
        results = []
        began = time.monotonic()
        threads = log_ins(nginx, 100, results, http2=True)
        wait_until("some log-ins", lambda: len(results) > 5)
        before = len(results)
        nginx.reload(wait=False)
        reloaded = len(results)
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        same("results", results, [(200, True)] * 100)
        assert reloaded < 95, f"{reloaded} log-ins were over before the reload was: nothing was shown"
        print(f"       {before} answered before the reload, {100 - reloaded} after it, all in {took:.1f} s")
        wait_until("the old worker's end", lambda: len(nginx.workers_now()) == 1, 20)
        refused(nginx.ask("GET", "/a"))


@promise("fact 1: a decision that takes longer than a minute is an alert each minute; a worker that must exit waits for it, and its client is answered",
         shared=False)
def patience():
    with Nginx("patience", PROXIED, upstream=Upstream(), main=POOLS, clock=True) as nginx:
        results, before = [], nginx.workers_now()
        with nginx.clock_is("stands"):
            threads = log_ins(nginx, 1, results)
            wait_until("the thread stands", (nginx.clock / "stands").read_text)
            for alerts in (1, 2):
                nginx.a_minute_passes()
                wait_until("the alert", lambda: nginx.log().count("a decision takes longer than a minute") >= alerts)
            nginx.reload(wait=False)
            time.sleep(1.5)
            assert before <= nginx.workers_now(), "the old worker is gone, and the log-in with it"
            same("answers", results, [])
        threads[0].join()
        same("answers", results, [(200, True)])
        wait_until("the old worker's end", lambda: not before & nginx.workers_now())
        log = nginx.log()
        same("alerts", [line for line in log.splitlines() if "[alert]" in line and "longer than a minute" not in line], [])
        assert "OpenSesame" not in log, log
        (nginx.folder / "error.log").write_text("")


@promise("a reload with the memory store drops sessions and says so in the log; tokens survive", shared=False)
def reload_memory():
    with Nginx("reload-memory", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        cookie, token = nginx.login(), nginx.token()
        let_in(nginx.ask("GET", "/a", cookie), "Aladdin")
        nginx.reload()
        refused(nginx.ask("GET", "/a", cookie))
        let_in(nginx.ask("GET", "/a", f"X-Authentication: {token}"), "Aladdin")
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")
        warned = [line for line in nginx.log().splitlines() if "[warn]" in line and "session" in line and "reload" in line]
        assert warned, f"no warning in the log:\n{nginx.log()[:2000]}"


@promise("a reload with a broken configuration leaves the old one running, sessions and all", shared=False)
def reload_broken():
    with Nginx("reload-broken", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        cookie = nginx.login()
        file = nginx.folder / "janua" / "janua.toml"
        good = file.read_text()
        file.write_text(good.replace("secure", "sekure"))
        workers = nginx.workers_now()
        os.kill(nginx.pid(), signal.SIGHUP)
        wait_until("the refusal in the log", lambda: "sekure" in nginx.log())
        let_in(nginx.ask("GET", "/a", cookie), "Aladdin")
        same("workers", nginx.workers_now(), workers)
        file.write_text(good)
        (nginx.folder / "error.log").write_text("")
        nginx.reload()
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")


@promise("a reload takes up a changed configuration: both nginx's and Janua's", shared=False)
def reload_changed():
    with Nginx("reload-changed", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        token = nginx.token()
        file = nginx.folder / "janua" / "janua.toml"
        file.write_text(file.read_text() + '\n[headers]\nuser = "X-Who"\n')
        nginx.reload()
        answer = nginx.ask("GET", "/a", f"X-Authentication: {token}", "X-Who: forged", "X-User: forged")
        names = dict(answer.json()["headers"])
        same("told", (names.get("X-Who"), answer.status), ("Aladdin", 200))
        nginx.write(PROXIED.replace("janua on;", "janua optional;"), POOLS)
        nginx.reload()
        let_in(nginx.ask("GET", "/a"), None)


@promise("an idle worker leaves at once on reload: no timer of the module keeps it", shared=False)
def idle_reload():
    with Nginx("reload-idle", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        nginx.login()
        time.sleep(1.2)
        began = time.monotonic()
        nginx.reload()
        assert time.monotonic() - began < 3, f"{time.monotonic() - began:.1f} s"


@promise("a killed worker is replaced, and the new one serves tokens and log-ins", shared=False)
def killed():
    with Nginx("killed", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        token = nginx.token()
        worker = nginx.workers_now().pop()
        os.kill(worker, signal.SIGKILL)
        wait_until("another worker", lambda: nginx.workers_now() - {worker})
        let_in(nginx.ask("GET", "/a", f"X-Authentication: {token}"), "Aladdin")
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")
        assert "exited on signal 9" in nginx.log(), nginx.log()[-500:]
        (nginx.folder / "error.log").write_text("")  # nginx's own alert about the kill


@promise("a binary upgrade (USR2, then QUIT to the old) serves all the time, and tokens survive", shared=False)
def upgrade():
    with Nginx("upgrade", PROXIED, upstream=Upstream(), main=POOLS, daemon=True) as nginx:
        token, lost, stop = nginx.token(), [], threading.Event()
        count = [0]

        def steady():
            while not stop.is_set():
                try:
                    let_in(nginx.ask("GET", "/a", f"X-Authentication: {token}"), "Aladdin")
                    count[0] += 1
                except (OSError, AssertionError) as error:
                    lost.append(repr(error))

        thread = threading.Thread(target=steady)
        thread.start()
        old = nginx.pid()
        os.kill(old, signal.SIGUSR2)
        wait_until("a new master", lambda: nginx.pid() not in (0, old))
        wait_until("its worker", nginx.workers_now)
        os.kill(old, signal.SIGQUIT)
        wait_until("the old master's end", lambda: not pathlib.Path(f"/proc/{old}").exists(), 20)
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")
        stop.set()
        thread.join()
        same("lost", lost, [])
        assert count[0] > 10, f"only {count[0]} requests"


@promise("a disabled user is out within seconds, without a reload", shared=False)
def followed():
    with Nginx("followed", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        cookie, token = nginx.login(), nginx.token()
        let_in(nginx.ask("GET", "/a", cookie), "Aladdin")
        users = nginx.folder / "janua" / "users.toml"
        text = users.read_text().replace('name       = "Aladdin"', 'name = "Aladdin"\ndisabled = true')
        assert "disabled = true\n" in text, text
        (users.parent / "new").write_text(text)
        os.chmod(users.parent / "new", 0o600)
        os.rename(users.parent / "new", users)
        wait_until("the session's end", lambda: nginx.ask("GET", "/a", cookie).status == 401, 5)
        wait_until("the token's end", lambda: nginx.ask("GET", "/a", f"X-Authentication: {token}").status == 401, 5)


@promise("fact 11: the master reads what only root may read, and unprivileged workers serve", shared=False)
def privileges():
    user = "www-data" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with Nginx("privileges", PROXIED, upstream=Upstream(), main=POOLS, user=user) as nginx:
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")
        worker = nginx.workers_now().pop()
        same("the worker's user", pathlib.Path(f"/proc/{worker}").stat().st_uid, pwd.getpwnam(user).pw_uid)
        nginx.reload()
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")


@promise("fact 9: the module keeps its symbols to itself, and needs no library at run time but the system's", shared=False, unwatched="no nginx runs")
def symbols():
    found = subprocess.run(["nm", "-D", "--defined-only", str(Options.module)], check=True, capture_output=True, text=True).stdout
    names = {line.split()[2] for line in found.splitlines()}
    assert names and all(name.startswith("ngx_") for name in names), sorted(names - {n for n in names if n.startswith("ngx_")})[:20]
    needed = subprocess.run(["readelf", "-d", str(Options.module)], check=True, capture_output=True, text=True).stdout
    libraries = [line.split("[")[1][:-1] for line in needed.splitlines() if "(NEEDED)" in line]
    assert not [name for name in libraries if "janua" in name or "ssl" in name or "crypto" in name], libraries

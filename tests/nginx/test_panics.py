"""Fact 10: a bug in the core, on a pool's thread and on the event loop: 500, never a pass, and the worker lives on.

The module that is shipped panics here; nothing in it knows of tests. `Instant::now` of Rust's library panics when the system's
clock fails, and clock.c lets it fail. A log-in asks for that time while it waits for a place to hash (on the pool's thread);
so does a check that reads another process's log-out in the log of the shared store (on the event loop).
"""

import json
import re
import threading
import time

from harness import Nginx
from promises import let_in, promise, refused, same
from test_load import descriptors, settled
from test_process import PROXIED
from test_shared import SHARED
from upstream import Upstream

JSON = "Content-Type: application/json"
USERS = [("Aladdin", "OpenSesame"), ("AlexK", "My Password"), ("joe.bloggs@test.com", "pa55w0rd")]
PLACE = re.compile(r"^janua: a bug at (\S+):\d+: the call is refused$", re.M)
FEW = "thread_pool hashes threads=1; thread_pool janua threads=1;"  # one thread lost would be all


def log_in(ask, user, password):
    """Status, and whether there is a session. A log-in that panics has been counted as a guess: the tests ask for several users."""
    answer = ask("POST", "/login", JSON, body=json.dumps({"user": user, "password": password}).encode())
    return answer.status, bool(answer.cookie())


def clean(nginx, count, *secrets):
    """The log has so many places, none of the panics' words, and no secret; nor has the standard output."""
    log = nginx.log() + nginx.out()
    places = PLACE.findall(nginx.log())
    same("places in the log", len(places), count)
    assert all(place.endswith(".rs") for place in places), places
    told = [line for line in log.splitlines() if "a bug in this library" in line]
    same("decisions that failed so", len(told), count)
    for word in ("Result::unwrap", "Os {", "panicked", "backtrace", *(password for _, password in USERS), *secrets):
        assert word not in log, f"{word} in the log:\n{log[-2000:]}"


@promise("fact 10: a panic on the pool's thread is 500 and no session; its place is logged and nothing else; all goes on", shared=False)
def on_a_thread():
    with Nginx("panic-thread", "janua_in_flight 4;" + PROXIED, upstream=Upstream(), main=FEW, clock=True) as nginx:
        cookie, worker = nginx.login("someName", "pw"), nginx.workers_now()
        before = descriptors(nginx)
        with nginx.clock_is("fails") as who:
            for turn in range(10):
                same("a log-in", log_in((nginx.ask, nginx.ask2)[turn % 2], *USERS[turn % 3]), (500, False))
                let_in(nginx.ask("GET", "/a", cookie), "someName")
            same("a pair", nginx.ask("GET", "/b", "X-Keep-User: Aladdin", "X-Keep-Password: OpenSesame").status, 500)
        same("who panicked", who, ["thread"] * 11)
        same("upstream", [target for _, target, _, _ in nginx.upstream.seen], ["/a"] * 10)
        clean(nginx, 11, cookie.split("=")[1])
        settled(nginx, before + 1)
        same("the worker", nginx.workers_now(), worker)
        answers = []  # as many at once as may be in flight: no place was lost
        threads = [threading.Thread(target=lambda user=user: answers.append(log_in(nginx.ask, *user))) for user in [*USERS, ("someName", "pw")]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same("log-ins after it", answers, [(200, True)] * 4)


@promise("fact 10: a panic on the event loop is 500; what it was about to learn is learned by the next request", shared=False)
def on_the_loop():
    with Nginx("panic-loop", PROXIED, upstream=Upstream(), main=FEW, clock=True, lines=SHARED) as nginx:
        with Nginx("panic-other", PROXIED, upstream=nginx.upstream, main=FEW, janua=nginx.janua) as other:
            kept, gone, worker = nginx.login("someName", "pw"), other.login(), nginx.workers_now()
            for cookie, user in ((kept, "someName"), (gone, "Aladdin")):
                let_in(nginx.ask("GET", "/a", cookie), user)
            seen = len(nginx.upstream.seen)
            with nginx.clock_is("fails") as who:
                same("log-out next door", other.ask("POST", "/logout", gone, body=b"").status, 204)
                for _ in range(6):
                    for ask in (nginx.ask, nginx.ask2):
                        for cookie in (gone, kept):
                            same("a request", ask("GET", "/b", cookie).status, 500)
            assert who.count("loop") == 24, who
            same("upstream", nginx.upstream.seen[seen:], [])
            refused(nginx.ask("GET", "/a", gone))
            let_in(nginx.ask("GET", "/a", kept), "someName")
            let_in(nginx.ask("GET", "/a", nginx.login("AlexK", "My Password")), "AlexK")
            same("the worker", nginx.workers_now(), worker)
            # Maintenance, on a thread, met the same.
            clean(nginx, len(who), kept.split("=")[1], gone.split("=")[1])


@promise("after panics an idle worker leaves at once on reload: no task is left to wait for", shared=False)
def nothing_left():
    with Nginx("panic-reload", PROXIED, upstream=Upstream(), main=FEW, clock=True) as nginx:
        with nginx.clock_is("fails"):
            for _ in range(3):
                same("a log-in", log_in(nginx.ask, *USERS[1]), (500, False))
        began = time.monotonic()
        nginx.reload()
        assert time.monotonic() - began < 3, f"{time.monotonic() - began:.1f} s"
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")

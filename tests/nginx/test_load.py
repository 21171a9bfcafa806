"""Facts 1 and 13 under load: clients that abort in mid-hop, a storm of log-ins beside steady traffic, the cap in flight."""

import os
import pathlib
import statistics
import threading
import time

from harness import Nginx, Options, wait_until
from house import POOLS
from promises import let_in, promise, refused, same
from test_process import PROXIED, log_ins, sample_site, slow_site
from upstream import Upstream
from wire import Http2, Wire, request

JSON = "Content-Type: application/json"
LOGIN = b'{"user":"Aladdin","password":"OpenSesame"}'


def descriptors(nginx):
    """What the worker holds open."""
    return len(os.listdir(f"/proc/{nginx.workers_now().pop()}/fd"))


def active(nginx):
    """nginx's own count of connections, ours taken off."""
    text = nginx.ask("GET", "/status").body.decode()
    return int(text.split("Active connections:")[1].split()[0]) - 1


def settled(nginx, before):
    """Waits until no connection and no descriptor is left of what was done."""
    wait_until("no connection left", lambda: active(nginx) == 0)
    wait_until(f"{before} descriptors again", lambda: descriptors(nginx) <= before)


def abort_http1(nginx, count):
    """Clients that are gone while their log-in is hashed, and others while their body is awaited."""
    wires = [Wire(nginx.port) for _ in range(count)]
    for number, wire in enumerate(wires):
        whole = request("POST", "/login", JSON, body=LOGIN)
        wire.send(whole[:-10] if number % 4 == 3 else whole)
    time.sleep(0.03)
    for wire in wires:
        wire.socket.close()


def abort_http2(nginx, count):
    """The same over HTTP/2: streams that are reset, and connections that are gone."""
    connections = []
    for number in range(count):
        connection, whole = Http2(("127.0.0.1", nginx.h2)), number % 4 != 3
        lines = [("Host", "door.test"), ("Content-Type", "application/json"), ("Content-Length", str(len(LOGIN)))]
        connections.append((connection, connection.send("POST", "/login", lines, LOGIN if whole else LOGIN[:-10], whole)))
    time.sleep(0.03)
    for connection, stream in connections[1::2]:
        connection.reset(stream)
    time.sleep(0.03)
    for connection, _ in connections:
        connection.close()


@promise("fact 1: 20 clients that abort in mid-hop, HTTP/1.1 and HTTP/2: no connection, descriptor, task or place in flight is left", shared=False)
def aborts():
    http = "janua_in_flight 24;" + PROXIED
    with Nginx("aborts", http, upstream=Upstream(), main=POOLS, janua=slow_site("aborts")) as nginx:
        cookie = nginx.login("someName", "pw")
        let_in(nginx.ask("GET", "/a", cookie), "someName")
        before = descriptors(nginx)
        for abort in (abort_http1, abort_http2) * (1 if Options.valgrind else 3):
            abort(nginx, 20)
            settled(nginx, before + 1)
            results = []
            for thread in log_ins(nginx, 3 if Options.valgrind else 20, results):
                thread.join()
            same("log-ins after it", {r for r in results}, {(200, True)})
        let_in(nginx.ask("GET", "/a", cookie), "someName")


def main_thread_seconds(pid):
    """Processor seconds of the event loop, and of all threads together."""
    def seconds(path):
        return int(pathlib.Path(path).read_text().split()[0]) / 1e9

    return seconds(f"/proc/{pid}/task/{pid}/schedstat"), sum(seconds(f"/proc/{pid}/task/{t}/schedstat") for t in os.listdir(f"/proc/{pid}/task"))


class Steady:
    """Requests one after the other on one connection while something else goes on, each timed."""

    def __init__(self, nginx, ask):
        self.times, self.wrong, self.stopped = [], [], threading.Event()
        self.thread = threading.Thread(target=self.run, args=(nginx, ask))

    def run(self, nginx, ask):
        """Until it is stopped."""
        with nginx.wire() as wire:
            while not self.stopped.is_set():
                began = time.perf_counter()
                try:
                    ask(wire)
                except (AssertionError, OSError) as error:
                    self.wrong.append(repr(error))
                    return
                self.times.append(time.perf_counter() - began)
                time.sleep(0.001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


@promise("fact 13: a storm of 50 log-ins beside steady traffic: the event loop hashes nothing and no steady request waits for one", shared=False,
         unwatched="it measures who uses the processor, and valgrind lets one thread run at a time")
def storm():
    http = "janua_in_flight 100;" + PROXIED
    with Nginx("storm", http, upstream=Upstream(), main=POOLS, janua=sample_site("storm")) as nginx:
        cookie, worker, results = nginx.login("someName", "pw"), nginx.workers_now().pop(), []
        began = time.perf_counter()
        nginx.login("AlexK", "My Password")
        one_hash = time.perf_counter() - began
        loop, whole = main_thread_seconds(worker)
        with Steady(nginx, lambda w: same("open", w.ask("GET", "/off/a").status, 204)) as pause:
            with Steady(nginx, lambda w: let_in(w.ask("GET", "/a", cookie), "someName")) as steady:
                began = time.perf_counter()
                for thread in log_ins(nginx, 50, results):
                    thread.join()
                took = time.perf_counter() - began
        loop, whole = (after - before for after, before in zip(main_thread_seconds(worker), (loop, whole)))
        same("log-ins", results, [(200, True)] * 50)
        same("steady requests", pause.wrong + steady.wrong, [])
        print(f"       50 log-ins in {took:.2f} s (one alone {one_hash * 1000:.0f} ms); event loop's longest pause {max(pause.times) * 1000:.1f} ms; "
              f"{len(steady.times)} steady requests, median {statistics.median(steady.times) * 1000:.1f} ms, longest {max(steady.times) * 1000:.1f} ms; "
              f"the loop's thread used {loop:.2f} of {whole:.2f} s")
        assert len(steady.times) > 50, f"only {len(steady.times)} steady requests"
        assert loop < whole / 4, "the event loop did the hashing"
        assert statistics.median(steady.times) < one_hash / 2, "steady requests wait for hashes"
        assert max(pause.times) < took / 4, "the event loop stood still"


def meanwhile(nginx, count, standing, kept):
    """Starts so many log-ins while the pool's threads stand still, and lets those go on when all others were answered: what came of each.
    `standing`: how many of them can be under way; `kept`: what must be served meanwhile."""
    results = []
    with nginx.clock_is("stands"):
        threads = log_ins(nginx, 1, results)
        wait_until("the thread stands", (nginx.clock / "stands").read_text)
        threads += log_ins(nginx, count - 1, results)
        wait_until(f"{count - standing} answers", lambda: len(results) >= count - standing)
        kept()
    for thread in threads:
        thread.join()
    return {kind: results.count(kind) for kind in set(results)}


@promise("fact 13: beyond the cap in flight a log-in is told 503, and the places come back", shared=False)
def cap():
    http = "janua_in_flight 4;" + PROXIED
    with Nginx("cap", http, upstream=Upstream(), main=POOLS, clock=True) as nginx:
        cookie = nginx.login()
        same("log-ins", meanwhile(nginx, 40, 4, lambda: let_in(nginx.ask("GET", "/a", cookie), "Aladdin")), {(200, True): 4, (503, False): 36})
        nginx.login()
        body = b"GET /off/a HTTP/1.1\r\nHost: a\r\n\r\n"
        with nginx.wire() as wire:
            refused(wire.ask("POST", "/a", body=body))
            assert wire.silent(), "the body was answered too"


@promise("a pool whose queue is full is 503 for who finds it so, and nobody is lost", shared=False)
def full_queue():
    http, pool = "janua_in_flight 1000;" + PROXIED, "thread_pool hashes threads=1 max_queue=2;"
    with Nginx("full-queue", http, upstream=Upstream(), main=pool, clock=True) as nginx:
        # One on the thread, two in its queue.
        same("log-ins", meanwhile(nginx, 40, 3, lambda: refused(nginx.ask("GET", "/a"))), {(200, True): 3, (503, False): 37})
        let_in(nginx.ask("GET", "/a", nginx.login()), "Aladdin")


@promise("a client that aborts while its body is awaited leaves nothing behind", shared=False)
def half_bodies():
    with Nginx("half-bodies", PROXIED, upstream=Upstream(), main=POOLS) as nginx:
        nginx.login()
        before = descriptors(nginx)
        for length in (10, 5000, 60000):
            wires = [Wire(nginx.port) for _ in range(10)]
            for wire in wires:
                wire.send(request("POST", "/login", JSON, f"Content-Length: {length}") + b"x" * (length // 2))
            for wire in wires:
                wire.socket.close()
        settled(nginx, before + 1)
        same("temporary files left", list((nginx.folder / "temp" / "client_body").iterdir()), [])

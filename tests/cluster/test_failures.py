"""What fails between the machines and their Redis: some requests are told 503, and nobody is wrongly let in or logged out.

Each promise prints how many were told 503, the longest time of any answer, and how long after the mending the last 503 came. A session or
token that was good before is good afterwards; what was logged out stays so; no answer but a log-in's or a log-out's touches a cookie.
"""

import time

from bystander import Bystander
from clients import Load
from cluster import Size, Sure, TARGET, doors, machines, on_redis, running, taken
from harness import wait_until
from mischief import Proxy
from promises import promise, same
from servers import Cluster, Redis, Watched

LONGEST = 3.0           # seconds that any answer may take, while a call to the server may take a quarter of one
RECOVERED = 6.0         # seconds after which everything is good again
DURABLE = ("appendonly yes", "appendfsync always")


def quiet(load, seconds=1.0):
    """Waits until nobody was told 503 for a while; when the last one was, if any. A machine that stands still may be the cause of a few."""
    end = time.monotonic() + 2 * RECOVERED
    while time.monotonic() < end:
        last = load.tally.refused[-1][0] if load.tally.refused else 0.0
        if time.monotonic() - last > seconds:
            return last
        time.sleep(0.05)
    raise AssertionError(f"still told 503: {load.tally.refused[-3:]}")


def through(ports, what, begin, end=None, lasts=None, refuses=True):
    """Load before, during and after a failure; `refuses`: somebody must have been told 503, or nothing was shown."""
    with Bystander(TARGET) as beside, Load(ports, pause=0.002) as load:
        wait_until("load", lambda: load.tally.total() > 400)
        quiet(load)
        before = len(load.tally.refused)
        begin()
        time.sleep(lasts if lasts is not None else Size.of(1.5, 10))
        if end:
            end()
        mended = time.monotonic()
        last = quiet(load)
        served = load.tally.total()
        time.sleep(0.5)
        assert load.tally.total() > served, "nothing is served after the failure"
    print(f"       {what}: {load.tally}; well again {max(0.0, last - mended):.2f} s after the mending")
    same("wrongly refused or let in", (load.tally.lost[:3], load.tally.wrong[:3]), ([], []))
    assert load.tally.longest < LONGEST + 2 * beside.waited, f"an answer took {load.tally.longest:.2f} s, {beside}"
    assert last - mended < RECOVERED, f"well again only after {last - mended:.1f} s"
    assert not refuses or load.tally.refused[before:], "nobody was told 503: nothing was shown"
    load.verify(ports, patient=True)


@promise("Redis started after the machines, killed and started again, stopped and continued: 503 meanwhile, and nobody is logged out or let in for it")
def restarted():
    redis = Redis("failing", *DURABLE)
    nodes = machines("failing", 2, on_redis([redis.url()]))
    with running(nodes) as ports:
        same("before it is there", {nginx.ask("GET", "/inside/x", "Cookie: sid=unknown").status for nginx in nodes}, {503})
        for nginx in nodes:
            taken(nginx, "[alert]")
        with redis:
            wait_until("it is found", lambda: {nginx.ask("GET", "/inside/x").status for nginx in nodes} == {401})
            through(ports, "killed and started", redis.kill, redis.start)
            through(ports, "stopped and continued", redis.stop, redis.go_on)


@promise("a connection to Redis that is half-open, deaf, cut short, slow, refused or full of nonsense: 503, and nobody is logged out or let in for it")
def lied_to():
    with Redis("lied-to") as redis, Proxy(redis.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with running(machines("lied-to", 2, on_redis([url]))) as ports:
            proxy.delay = 0.4
            for mode in ("half-open", "deaf", "short", "nonsense", "slow", "closed"):
                through(ports, mode, lambda: proxy.set(mode), lambda: proxy.set("honest"), lasts=Size.of(1, 10))


def cut(mode, proxy, here, wires):
    """A session that is logged out at one machine while the workers of another do not reach the server."""
    kept, gone = Sure(here).login(), Sure(here).login()
    for wire in wires:
        for cookie in (kept, gone):
            wait_until("both are in", lambda: settled(wire, cookie, 200))
    proxy.set(mode)
    same("log-out", Sure(here).ask("POST", "/logout", gone, body=b"").status, 204)
    for wire in wires * 3:
        for cookie, status in ((gone, 401), (kept, 200)):
            answer = wire.ask("GET", "/inside/x", cookie)
            assert answer.status in (status, 503) and not answer.all("Set-Cookie"), f"{mode}: {answer}, expected {status} or 503"
    proxy.set("honest")
    for wire in wires:
        for cookie, status in ((gone, 401), (kept, 200)):
            wait_until(f"{mode}: {status} again", lambda: settled(wire, cookie, status))


def settled(wire, cookie, status):
    """Whether a worker is well again; what it says till then is 503, and nothing else."""
    answer = wire.ask("GET", "/inside/x", cookie)
    assert answer.status in (status, 503) and not answer.all("Set-Cookie"), f"{answer}, expected {status} or 503"
    return answer.status == status


@promise("one of two machines is cut off from Redis: it lets nobody in that was logged out at the other, and nobody is logged out for it")
def cut_off():
    with Redis("cut-off") as redis, Proxy(redis.port) as proxy:
        stores = [on_redis([redis.url()]), on_redis([f"redis://127.0.0.1:{proxy.port}/0"])]
        here, there = nodes = machines("cut-off", 2, stores)
        with running(nodes):
            wires = doors(there)
            for mode in ("half-open", "deaf", "closed"):
                for _ in range(Size.of(2, 50)):
                    cut(mode, proxy, here, wires)


@promise("Redis is gone for less than store.stale_for: sessions go on, what was logged out before stays so; for longer: 503")
def stale():
    stale_for = 3
    with Redis("stale") as redis:
        nodes = machines("stale", 2, on_redis([redis.url()], f'stale_for = "{stale_for}s"'))
        with running(nodes):
            sure, here = [Sure(wire) for nginx in nodes for wire in doors(nginx)], Sure(nodes[0])
            kept, gone = here.login(), here.login()
            # Each worker is to have seen both: a look is all that gives it a copy.
            same("before", {wire.status(cookie) for wire in sure for cookie in (kept, gone)}, {200})
            same("log-out", here.ask("POST", "/logout", gone, body=b"").status, 204)
            # What a worker knows after this is no older, but for a tenth of a second: from here `stale_for` counts.
            began, heard = time.monotonic(), {kept: [], gone: []}
            same("after it", {wire.status(gone) for wire in sure}, {401})
            redis.stop()
            while time.monotonic() - began < stale_for + 3:
                for wire in sure:
                    for cookie, all_of_it in heard.items():
                        asked, status = time.monotonic() - began, wire.door.ask("GET", "/inside/x", cookie).status
                        all_of_it.append((asked, time.monotonic() - began, status))
                time.sleep(0.02)
            log_out = nodes[1].ask("POST", "/logout", kept, body=b"")
            redis.go_on()
            went_on = max(told for _, told, status in heard[kept] if status == 200)
            print(f"       {len(heard[kept])} requests each: the session went on for {went_on:.1f} s; the one that was logged out: {sorted({s for *_, s in heard[gone]})}")
            same("within stale_for", {status for _, told, status in heard[kept] if told < stale_for - 0.5}, {200})
            same("long after it", {status for asked, _, status in heard[kept] if asked > stale_for + 1}, {503})
            assert {status for *_, status in heard[gone]} <= {401, 503}, heard[gone]
            same("a log-out meanwhile", (log_out.status, log_out.all("Set-Cookie")), (503, []))
            same("the session after it", {wire.status(kept) for wire in sure}, {200})
            same("the other after it", {wire.status(gone) for wire in sure}, {401})


# ---------------------------------------------------------------- several servers


def behind(watched, name):
    """Two machines that ask the sentinels."""
    urls = [guard.url().rsplit("/", 1)[0] for guard in watched.guards]
    return machines(name, 2, on_redis(urls, f'sentinel = "{watched.NAME}"', "replicas = 1"))


@promise("a log-out that no replica has confirmed is 503, also when it is asked again and elsewhere; with a replica it is done")
def unconfirmed():
    with Redis("unconfirmed") as redis:
        nodes = machines("unconfirmed", 2, on_redis([redis.url()], "replicas = 1"))
        with running(nodes):
            cookie = Sure(nodes[0]).login()
            for turn in range(6):
                answer = nodes[turn % 2].ask("POST", "/logout", cookie, body=b"")
                same(f"log-out {turn}", (answer.status, answer.all("Set-Cookie")), (503, []))
            with Redis("unconfirmed-replica", f"replicaof 127.0.0.1 {redis.port}", "repl-diskless-sync-delay 0"):
                wait_until("the log-out", lambda: nodes[0].ask("POST", "/logout", cookie, body=b"").status == 204, 20)
            same("after it", {Sure(nginx).status(cookie) for nginx in nodes}, {401})



class Fall:
    """A primary that falls, and comes back when another was made."""

    def __init__(self, watched, kind):
        self.watched, self.kind, self.old = watched, kind, None

    def begin(self):
        """The primary is gone; another is made."""
        self.old = self.watched.primary()
        began = time.monotonic()
        self.old.stop() if self.kind == "stopped" else self.old.kill()
        self.watched.await_another(self.old)
        print(f"       {self.kind}: another primary after {time.monotonic() - began:.1f} s")

    def end(self):
        """The old one comes back as it was, a primary to itself, until it is told that it is none."""
        self.old.go_on() if self.kind == "stopped" else self.old.start()
        wait_until("the old one follows", lambda: self.old.info("role") == "slave" and self.old.info("master_link_status") == "up", 60)
        wait_until("both follow", lambda: self.watched.primary().info("connected_slaves") == "2", 60)


@promise("Sentinel makes another primary, the old one comes back: 503 meanwhile, and nobody is logged out or let in for it")
def failed_over():
    with Watched("failed-over") as watched:
        with running(behind(watched, "failed-over")) as ports:
            for kind in Size.of(["stopped"], ["stopped", "killed"] * 5):
                fall = Fall(watched, kind)
                through(ports, f"the primary is {kind}, another is made, the old one comes back", fall.begin, fall.end, lasts=0)


@promise("a machine that still asks a deposed primary is told nothing by it: nobody is let in there who was logged out at the new one")
def deposed():
    with Watched("deposed") as watched:
        old = watched.primary()
        here, there = nodes = [*behind(watched, "deposed")[:1], *machines("deposed-stale", 1, on_redis([old.url()], "replicas = 1"), keyring_of="deposed-0")]
        with running(nodes):
            gone, kept = Sure(here).login(), Sure(here).login()
            same("before", {Sure(nginx).status(cookie) for nginx in nodes for cookie in (gone, kept) for _ in range(9)}, {200})
            old.stop()
            watched.await_another(old)
            wait_until("the log-out", lambda: here.ask("POST", "/logout", gone, body=b"").status == 204)
            heard, began = [], time.monotonic()
            while time.monotonic() - began < 20:
                heard += [there.ask("GET", "/inside/x", cookie) for cookie in (gone, kept)]
                if len(heard) == 200:
                    old.go_on()
                if len(heard) > 200 and len(heard) % 50 == 0 and old.info("role") == "slave":
                    break
            print(f"       {len(heard) // 2} requests each; the one that was logged out: {sorted({a.status for a in heard[::2]})}, the other: "
                  f"{sorted({a.status for a in heard[1::2]})}")
            assert {answer.status for answer in heard[::2]} <= {401, 503}, "let in by a machine that asks a deposed primary"
            assert {answer.status for answer in heard[1::2]} <= {200, 503}, "logged out by a machine that asks a deposed primary"
            assert not any(answer.all("Set-Cookie") for answer in heard), "a cookie was touched"
            same("at the other machine", [Sure(here).status(cookie) for cookie in (gone, kept)], [401, 200])


@promise("a Cluster's slot moves to another server and back while it is in use: nobody is logged out or let in for it")
def moved():
    with Cluster("moved") as cluster:
        store = on_redis([server.url().rsplit("/", 1)[0] for server in cluster.servers[:3]], "cluster = true")
        with running(machines("moved", 2, store)) as ports:
            with Load(ports, clients=2) as load:
                wait_until("load", lambda: load.tally.total() > 50)
            slots = {int(server.ask("CLUSTER", "KEYSLOT", key)) for server in cluster.primaries().values() for key in server.ask("KEYS", "janua:*").split()}
            slot = max(slots, key=lambda slot: int(cluster.primaries()[cluster.owner(slot)].ask("CLUSTER", "COUNTKEYSINSLOT", slot)))
            for _ in range(Size.of(1, 10)):
                home = cluster.owner(slot)
                away = next(id for id in cluster.primaries() if id != home)
                for to in (away, home):
                    through(ports, f"slot {slot} moves", lambda: cluster.move(slot, to), lasts=0, refuses=False)

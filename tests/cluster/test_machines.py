"""Several machines on one Redis: the race, four systems without sticky routing, clocks that differ."""

import time

from clients import Load
from clock import Clock
from cluster import Size, machines, patient, running, taken
from promises import promise, same
from race import Race
from servers import Redis

APART = 90
MAINTAINED = 2.5


@promise("three machines on one Redis, a thousand requests of a session under way: none that starts after the log-out's answer is let in anywhere")
def log_out_race():
    with Redis("race") as redis:
        nodes = machines("race-redis", 3, patient(redis.url()))
        with running(nodes) as ports, Race(ports, 999) as race:
            figures = race.run(Size.of(100, 1000))
    print(f"       {figures}")
    same("workers", len(figures.workers), 6)


@promise("two machines on one Redis whose clocks are 90 s apart: sessions and tokens of each are good at the other, a log-out at one holds at both")
def apart():
    with Redis("apart") as redis:
        for seconds in (APART, -APART):
            nodes = machines("apart-redis", 2, patient(redis.url()), clocks=[None, Clock("apart-redis", seconds)])
            with running(nodes) as ports:
                with Load(ports) as load:
                    time.sleep(Size.of(3, 150))
                print(f"       the second clock is {seconds:+} s: {load.tally}")
                same("refused", (load.tally.refused, load.tally.lost[:3], load.tally.wrong[:3]), ([], [], []))
                load.verify(ports)


def over(nodes, at, cookie):
    """A log-out at one machine is in force at all."""
    same("log-out", at.ask("POST", "/logout", cookie, body=b"").status, 204)
    same("after it", {nginx.ask("GET", "/inside/x", cookie).status for nginx in nodes}, {401})


@promise("a machine on Redis that starts with a clock 50 minutes ahead judges as the others do; one a day ahead ends nobody's session but at its own door")
def ahead():
    with Redis("ahead") as redis:
        for seconds, there in ((3_000, 200), (86_400, 401)):
            nodes = machines("ahead-redis", 2, patient(redis.url()), clocks=[None, Clock("ahead-redis", seconds)])
            with running(nodes):
                right, wrong = nodes
                before, after = [right.login() for _ in range(3)], wrong.login()
                same("sessions of the others, at its door", {wrong.ask("GET", "/inside/x", cookie).status for cookie in before}, {there})
                for nginx in nodes:
                    same("its own sessions", nginx.ask("GET", "/inside/x", after).status, 200)
                over(nodes, wrong, after)
                over(nodes, wrong, before.pop())
                over(nodes, right, before.pop())
                same("the last, at the others' door", right.ask("GET", "/inside/x", before.pop()).status, 200)


@promise("a machine on Redis whose clock jumps a day ahead, two hours back and an hour back while it runs: sessions and log-outs hold everywhere")
def jumps():
    with Redis("jumps") as redis:
        clock = Clock("jumps-redis")
        nodes = machines("jumps-redis", 2, patient(redis.url()), clocks=[None, clock])
        with running(nodes):
            kept = [nginx.login() for nginx in nodes]
            for seconds in (86_400, -7_200, -3_500, 0):
                clock.set(seconds)
                time.sleep(MAINTAINED)
                kept.append(nodes[1].login())
                for _ in range(4):
                    same(f"{seconds:+} s", {nginx.ask("GET", "/inside/x", cookie).status for nginx in nodes for cookie in kept}, {200})
                over(nodes, nodes[len(kept) % 2], kept.pop(0))
            assert taken(nodes[1], 'endpoint="clock"') >= 2, "the clock's jumps were not told"

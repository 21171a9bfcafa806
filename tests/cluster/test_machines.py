"""Several machines on one Redis: the race, four systems without sticky routing, clocks that differ."""

import time

from clients import Load
from clock import Clock
from cluster import Size, machines, on_redis, running, taken
from promises import promise, same
from race import Race
from servers import Redis

APART = 90


@promise("three machines on one Redis, a thousand requests of a session under way: none that starts after the log-out's answer is let in anywhere")
def log_out_race():
    with Redis("race") as redis:
        nodes = machines("race-redis", 3, on_redis([redis.url()]))
        with running(nodes) as ports, Race(ports, 999) as race:
            figures = race.run(Size.of(40, 100))
    print(f"       {figures}")
    same("workers", len(figures.workers), 6)


@promise("two machines on one Redis whose clocks are 90 s apart: sessions and tokens of each are good at the other, a log-out at one holds at both")
def apart():
    with Redis("apart") as redis:
        for seconds in (APART, -APART):
            nodes = machines("apart-redis", 2, on_redis([redis.url()]), clocks=[None, Clock("apart-redis", seconds)])
            with running(nodes) as ports:
                with Load(ports) as load:
                    time.sleep(Size.of(3, 150))
                print(f"       the second clock is {seconds:+} s: {load.tally}")
                same("refused", (load.tally.refused, load.tally.lost[:3], load.tally.wrong[:3]), ([], [], []))
                load.verify(ports)


@promise("a machine on Redis that starts with a clock a day ahead ends nobody's session, and a log-out there holds everywhere")
def ahead():
    with Redis("ahead") as redis:
        clock = Clock("ahead", 86_400)
        nodes = machines("ahead-redis", 2, on_redis([redis.url()]), clocks=[None, clock])
        with running(nodes) as ports:
            right, wrong = nodes
            before = [right.login() for _ in range(3)]
            same("at the machine that is ahead", {wrong.ask("GET", "/inside/x", cookie).status for cookie in before}, {200})
            there = wrong.login()
            for seconds in (86_400, 0, -86_400):
                clock.set(seconds)
                time.sleep(2.5)
                same("sessions", {nginx.ask("GET", "/inside/x", cookie).status for nginx in nodes for cookie in (*before, there)}, {200})
            for nginx in (wrong, right):
                gone = before.pop()
                same("log-out", nginx.ask("POST", "/logout", gone, body=b"").status, 204)
                same("after it", {each.ask("GET", "/inside/x", gone).status for each in nodes}, {401})
            taken(wrong, 'endpoint="clock"')

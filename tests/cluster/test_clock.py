"""Wall clocks that differ, jump back and jump ahead: nobody is refused for it, and a log-out holds."""

import time

from clients import Load
from clock import Clock
from cluster import Size, node, taken
from promises import promise, same

APART = 90              # seconds between the nodes' clocks; less than the two minutes that docs/security.md allows
BACK = -3_500           # less than the hour up to which a correction is followed
MAINTAINED = 2.5        # seconds after which every process has looked at its clock


def pair(name, seconds):
    """Two nodes on one folder, the second with a clock of its own."""
    clock = Clock(name, seconds)
    first = node(f"{name}-1", workers=2)
    return first, node(f"{name}-2", workers=2, janua=first.janua, environment=clock.environment()), clock


def fine(load, what):
    """Prints what came of the load; nobody may have been refused, lost or wrongly let in."""
    print(f"       {what}: {load.tally}")
    same("refused", (load.tally.refused, load.tally.lost[:3], load.tally.wrong[:3]), ([], [], []))


@promise("two nodes whose clocks are 90 s apart: sessions and tokens of each are good at the other, a log-out at one holds at both")
def apart():
    for seconds in (APART, -APART):
        first, second, _ = pair("apart", seconds)
        with first, second:
            ports = [first.port, second.port]
            with Load(ports) as load:
                time.sleep(Size.of(2, 150))
            fine(load, f"the second clock is {seconds:+} s")
            load.verify(ports)


@promise("a node whose clock is set a day ahead or two hours back says so, and goes on as before: the jump is not followed")
def jumps():
    first, second, clock = pair("jumps", 0)
    with first, second:
        ports = [first.port, second.port]
        for seconds in (86_400, 0, -7_200, 0):
            with Load(ports) as load:
                time.sleep(0.3)
                clock.set(seconds)
                time.sleep(Size.of(MAINTAINED, 60))
            fine(load, f"the second clock is set to {seconds:+} s")
            load.verify(ports)
        same("alarms of two workers for two jumps", taken(second, 'alarm undecided endpoint="clock"'), 4)


@promise("a node whose clock is set back by most of an hour follows it: sessions and log-outs hold everywhere; a token of its future waits for it")
def corrected():
    first, second, clock = pair("corrected", 0)
    with first, second:
        doors = [first, second]
        sessions = [nginx.login() for nginx in doors for _ in range(2)]
        future = f"X-Authentication: {first.token()}"
        clock.set(BACK)
        time.sleep(MAINTAINED)
        sessions += [nginx.login() for nginx in doors for _ in range(2)]
        past = f"X-Authentication: {second.token()}"
        for nginx in doors:
            for proof in (*sessions, past):
                same("let in", nginx.ask("GET", "/inside/x", proof).status, 200)
        same("a token from two minutes ahead and more", [nginx.ask("GET", "/inside/x", future).status for nginx in doors], [200, 401])
        for turn, cookie in enumerate(sessions):
            same("log-out", doors[turn % 2].ask("POST", "/logout", cookie, body=b"").status, 204)
            same("after it", [nginx.ask("GET", "/inside/x", cookie).status for nginx in doors], [401, 401])
            same("a new session", [nginx.ask("GET", "/inside/x", doors[turn % 2].login()).status for nginx in doors], [200, 200])
        clock.set(0)
        time.sleep(MAINTAINED)
        same("the token, when the clock is right again", [nginx.ask("GET", "/inside/x", future).status for nginx in doors], [200, 200])
        same("sessions that were logged out meanwhile", {nginx.ask("GET", "/inside/x", cookie).status for nginx in doors for cookie in sessions}, {401})

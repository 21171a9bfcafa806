"""Wall clocks that differ, jump back and jump ahead: nobody is refused for it, and a log-out holds."""

import time

from clients import Load
from clock import Clock
from cluster import Size, node
from harness import wait_until
from promises import promise, same

APART = 90              # seconds between the nodes' clocks; less than the two minutes that docs/security.md allows
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
                time.sleep(Size.of(4, 150))
            fine(load, f"the second clock is {seconds:+} s")
            load.verify(ports)


@promise("a node whose clock is set a day ahead, two hours back or an hour back says so in its log, and refuses and lets in whom it did before")
def jumps():
    first, second, clock = pair("jumps", 0)
    with first, second:
        ports = [first.port, second.port]
        for seconds in (86_400, 0, -7_200, 0):
            with Load(ports) as load:
                time.sleep(1)
                clock.set(seconds)
                time.sleep(Size.of(MAINTAINED, 60))
            fine(load, f"the second clock is set to {seconds:+} s")
            load.verify(ports)
        alarms = second.log().count('"clock"')
        print(second.log()[-3000:] if not alarms else "")
        with Load(ports) as load:
            time.sleep(1)
            clock.set(-3_500)
            time.sleep(MAINTAINED)
        fine(load, "an hour back")

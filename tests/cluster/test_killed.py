"""kill -9 of workers in mid-write: nothing acknowledged is lost, nobody else stalls, every place for hashing comes back."""

import itertools
import mmap
import os
import random
import signal
import struct
import time
import tomllib

from bystander import Bystander
from clients import Load
from cluster import ROOT, SHARED, Size, TARGET, node, taken
from harness import wait_until
from promises import promise, same
from race import Race
from wire import request

WORKERS = 4
SLOTS = 512             # words of the page in which places for hashing are taken, see src/password/slots.rs
NUMBER = 24             # bits of a taker's number in each
LIFE = 31               # seconds after which a dead taker's place is free
WIDTH = 8               # places in the storm at the end
CHEAP = "passes     = 1"


# A pair that was verified is remembered for minutes and not hashed again: only with many people is there much to hash.
PEOPLE = [(f"someName{number}", "OpenSesame") for number in range(5000)]


def users_file():
    """The sample users, and many more with the password of one of them."""
    text = (ROOT / "tests" / "scenarios" / "config" / "users.toml").read_text()
    known = next(user["hash"] for user in tomllib.loads(text)["user"] if user["name"] == "Aladdin")
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / "many-users.toml"
    path.write_text(text + "".join(f'[[user]]\nid = "{name}"\nname = "{name}"\nhash = "{known}"\n' for name, _ in PEOPLE))
    return path


class Page:
    """The page of places for hashing: who holds how many now."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.map = mmap.mmap(file.fileno(), SLOTS * 8, prot=mmap.PROT_READ)

    def held(self):
        """Places that are taken and not overdue."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return sum(word >> NUMBER >= now for word in struct.unpack(f"={SLOTS}Q", self.map) if word)


def kill_workers(nginx, kills):
    """Kills a worker, waits for the next one, and so on."""
    chance = random.Random(kills)
    for _ in range(kills):
        before = nginx.workers_now()
        victim = chance.choice(sorted(before))
        time.sleep(chance.random() * 0.05)
        os.kill(victim, signal.SIGKILL)
        wait_until("another worker", lambda: len(nginx.workers_now() - {victim}) == WORKERS)


def log_in(person):
    """A log-in's bytes."""
    return request("POST", "/login", "Content-Type: application/json", body=b'{"user":"%s","password":"%s"}' % tuple(p.encode() for p in person))


def storm(nginx, page):
    """Log-ins without a pause on many connections: the most places that were taken at a moment, and the statuses."""
    statuses, most, end, people = [], 0, time.monotonic() + 10, itertools.cycle(PEOPLE)
    with Race([nginx.port], 8 * WIDTH) as race:
        for line in race.lines:
            line.send(log_in(next(people)))
        while time.monotonic() < end and (most < WIDTH or len(statuses) < 1000):
            for number, _ in race.epoll.poll(1, 8):
                if answer := race.by_number[number].receive():
                    statuses.append(answer[0])
                    race.by_number[number].send(log_in(next(people)))
            most = max(most, page.held())
    return most, statuses


@promise("workers killed with kill -9 in mid-write under log-ins and log-outs: nothing acknowledged is lost, nobody stalls, all places for hashing come back")
def killed():
    kills = Size.of(100, 1000)
    many = (CHEAP, f"{CHEAP}\nplaces = {SLOTS}\n[session]\nper_principal = 100000")
    with node("killed", workers=WORKERS, lines=[SHARED, many], users=users_file()) as nginx:
        nginx.login()
        page = Page(nginx.janua.parent / "state" / "permits")
        with Bystander(TARGET) as beside, Load([nginx.port], clients=12, pause=0, often=True, logins=PEOPLE) as load:
            time.sleep(0.3)
            kill_workers(nginx, kills)
            over = time.monotonic()
        left = page.held()
        print(f"       {kills} kills: {load.tally}; {left} places held by the dead")
        same("lost", (load.tally.refused, load.tally.lost, load.tally.wrong), ([], [], []))
        assert load.tally.longest < 1 + 2 * beside.waited, f"somebody waited {load.tally.longest:.2f} s, {beside}"
        load.verify([nginx.port])
        wait_until("all places free", lambda: page.held() == 0, LIFE)
        print(f"       all places were free {time.monotonic() - over:.0f} s after the last kill", end="")
        config = nginx.janua.read_text()
        nginx.janua.write_text(config.replace(f"places = {SLOTS}", f"places = {WIDTH}"))
        nginx.reload()
        most, statuses = storm(nginx, page)
        print(f"; a storm of {len(statuses)} log-ins held {most} of {WIDTH} at a time")
        same("log-ins of the storm", (set(statuses), most), ({200}, WIDTH))
        same("deaths that nginx counted", taken(nginx, "exited on signal 9"), kills)

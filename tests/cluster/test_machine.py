"""One machine, several processes on one folder: workers of an nginx, and a C program beside it."""

import atexit
import subprocess
import threading

from cluster import ROOT, Size, TARGET, node
from harness import JANUA, free_ports, wait_until
from promises import promise, same
from race import LOGIN, Race
from wire import ask


@promise("four workers, a thousand requests of a session under way: none that starts after the log-out's answer is let in")
def log_out_race():
    with node("race", workers=4) as nginx:
        with Race([nginx.port], 1000) as race:
            figures = race.run(Size.of(100, 1000))
        print(f"       {figures}")
        same("workers", len(figures.workers), 4)


class Host:
    """examples/host.c on a node's folder: a C program with the library in it."""

    def __init__(self, config):
        program = TARGET / "host"
        subprocess.run([ROOT / "scripts" / "build-host", program], check=True, capture_output=True)
        self.port = free_ports(1)[0]
        self.log = open(TARGET / "host.log", "wb")
        self.process = subprocess.Popen(
            [program, config, str(self.port), f":{config.parent}/door.toml"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        atexit.register(self.process.kill)

    def __enter__(self):
        wait_until("the C program listens", self.listens)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        atexit.unregister(self.process.kill)
        self.log.close()

    def listens(self):
        """Whether it answers; an early end is told at once."""
        assert self.process.poll() is None, (TARGET / "host.log").read_text()
        try:
            return ask(self.port, "GET", "/nobody").status == 401
        except OSError:
            return False


def login(port):
    """A new session: its cookie line."""
    answer = ask(port, "POST", "/login", "Content-Type: application/json", body=LOGIN)
    same("log-in", answer.status, 200)
    return f"Cookie: sid={answer.cookie()}"


def hammer(port, cookie, ended, wrong, counts):
    """Asks with the cookie until told that it was logged out; what was let in that began after that is wrong."""
    while True:
        over = ended.is_set()
        status = ask(port, "GET", "/inside/x", cookie).status
        counts.append(status)
        if over:
            if status != 401:
                wrong.append(status)
            return


@promise("an nginx and a C program on one folder: a session of one is good at the other at once, and a log-out at either is in force at both")
def nginx_and_c():
    rounds, counts = Size.of(50, 500), []
    with node("beside-c", workers=2) as nginx, Host(nginx.janua) as host:
        doors = [nginx.port, host.port]
        for turn in range(rounds):
            here, there = doors[turn % 2], doors[1 - turn % 2]
            cookie = login(here)
            same("let in by the other", ask(there, "GET", "/inside/x", cookie).status, 200)
            ended, wrong = threading.Event(), []
            threads = [threading.Thread(target=hammer, args=[there, cookie, ended, wrong, counts]) for _ in range(4)]
            for thread in threads:
                thread.start()
            same("log-out", ask(here, "POST", "/logout", cookie, body=b"").status, 204)
            ended.set()
            for thread in threads:
                thread.join()
            same(f"let in by the other after the log-out's answer, round {turn}", wrong, [])
            for port in doors:
                same("after the log-out", ask(port, "GET", "/inside/x", cookie).status, 401)
        print(f"       {rounds} sessions over and back, {len(counts)} requests at one while the other logged out: {counts.count(200)} let in before "
              "its answer, 0 after it")
        ended_by_hand(nginx, doors)


def ended_by_hand(nginx, doors):
    """A third process, the administrator's command, ends what both know."""
    cookies = [login(port) for port in doors]
    done = subprocess.run([JANUA, "revoke", "--config", nginx.janua, "--user", "Aladdin"], capture_output=True, text=True, check=False)
    same("janua revoke", (done.returncode, done.stderr), (0, ""))
    for cookie in cookies:
        for port in doors:
            same("after janua revoke", ask(port, "GET", "/inside/x", cookie).status, 401)

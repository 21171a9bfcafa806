"""Steady load as people make it: clients that log in, use sessions and tokens at any node, and log out.

Called by the tests of restarts, rotations and failures. What a balancer would do is done here and nowhere else: a connect that is
refused, or a connection that is closed before a byte of an answer, is tried again at the next node. An answer that came is never
asked for again. It must never forget an answer that should not have been: each is kept with what it should have been.
"""

import random
import threading
import time

from wire import Wire

LOGINS = [("Aladdin", "OpenSesame"), ("AlexK", "My Password"), ("someName", "pw")]
JSON = "Content-Type: application/json"
PATIENCE = 15
KEPT = 40


class Door:
    """One client's connections, one to each node."""

    def __init__(self, ports, chance):
        self.ports, self.chance = ports, chance
        self.wires, self.again = {}, 0

    def ask(self, method, target, *headers, body=None):
        """An answer from any node, and how long it took, tries included."""
        began = time.monotonic()
        port = self.chance.choice(self.ports)
        while True:
            wire = self.wires.pop(port, None)
            try:
                wire = wire or Wire(port)
                answer = wire.ask(method, target, *headers, body=body)
                self.keep(port, wire, answer)
                return answer, time.monotonic() - began
            except ConnectionError:
                if wire is not None:
                    wire.socket.close()
                    if wire.data:
                        raise
                if time.monotonic() - began > PATIENCE:
                    raise
                self.again += 1
                time.sleep(0.002)
                port = self.ports[(self.ports.index(port) + 1) % len(self.ports)]

    def keep(self, port, wire, answer):
        """Keeps the connection, if the node does."""
        if (answer.one("Connection") or "").lower() == "close":
            wire.socket.close()
        else:
            self.wires[port] = wire

    def close(self):
        """Ends the connections."""
        for wire in self.wires.values():
            wire.socket.close()
        self.wires = {}


class Tally:
    """What came of all requests. `refused`: moments of 503. `lost`: good ones that were not let in, and not told 503."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts, self.refused, self.lost, self.wrong, self.longest, self.again = {}, [], [], [], 0.0, 0
        self.first_after = None

    def note(self, kind, answer, seconds, good):
        """One answer, and the statuses that are right beside 503; true when it was one of those."""
        with self.lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.longest = max(self.longest, seconds)
            cleared = kind != "log-in" and kind != "log-out" and answer.all("Set-Cookie")
            if answer.status == 503 and not cleared:
                self.refused.append((time.monotonic(), kind))
                return False
            if answer.status in good and not cleared:
                if self.first_after is None and kind in ("session", "token"):
                    self.first_after = time.monotonic()
                return True
            (self.wrong if kind == "ended" and answer.status != 401 else self.lost).append((kind, answer.status, answer.headers, answer.body[:100]))
            return False

    def total(self):
        """All requests."""
        return sum(self.counts.values())

    def __str__(self):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        return (f"{self.total()} requests ({kinds}), {self.again} tried again elsewhere, {len(self.refused)} told 503, wrongly let in {len(self.wrong)}, "
                f"wrongly refused {len(self.lost)}, longest answer {self.longest * 1000:.0f} ms")


class Client(threading.Thread):
    """One person: some sessions and tokens that must be good, and sessions that were logged out. `often`: logs in and out all the time."""

    def __init__(self, ports, tally, seed, pause, often, logins):
        super().__init__(daemon=True)
        self.often, self.logins = often, logins
        self.chance = random.Random(seed)
        self.door, self.tally, self.pause = Door(ports, self.chance), tally, pause
        self.alive, self.ended, self.tokens, self.unsure = [], [], [], []
        self.stopped, self.failed = threading.Event(), None

    def run(self):
        """Until it is stopped."""
        try:
            while not self.stopped.is_set():
                self.step(self.chance.random())
                time.sleep(self.pause)
        except Exception as error:  # told by `Load`
            self.failed = error
        finally:
            self.door.close()

    def step(self, at):
        """One thing that a person does."""
        if self.often:
            at *= 0.14
        if at < 0.05 or not self.alive:
            self.login()
        elif at < 0.08 or not self.tokens:
            self.token()
        elif at < 0.12 and (self.unsure or len(self.alive) > 1):
            self.logout()
        elif at < 0.30 and self.ended:
            self.use("ended", self.chance.choice(self.ended[-KEPT:]), (401,))
        elif at < 0.60:
            self.use("token", self.chance.choice(self.tokens), (200,))
        else:
            self.use("session", self.chance.choice(self.alive), (200,))

    def use(self, kind, proof, good):
        """A request with a proof."""
        answer, seconds = self.door.ask("GET", "/inside/x", proof)
        return self.tally.note(kind, answer, seconds, good)

    def offer(self, kind, target):
        """A request with name and password: the answer, if it was a good one."""
        user, password = self.chance.choice(self.logins)
        answer, seconds = self.door.ask("POST", target, JSON, body=b'{"user":"%s","password":"%s"}' % (user.encode(), password.encode()))
        return answer if self.tally.note(kind, answer, seconds, (200,)) else None

    def login(self):
        """One more session, up to a handful."""
        if answer := self.offer("log-in", "/login"):
            self.alive.append(f"Cookie: sid={answer.cookie()}")
        if len(self.alive) > 12:
            self.logout()

    def token(self):
        """One more token."""
        if answer := self.offer("new token", "/token"):
            self.tokens = self.tokens[-11:] + [f"X-Authentication: {answer.json()['token']}"]

    def logout(self):
        """One session less. What was answered 503 is asked again until it is answered: until then nothing is known of it."""
        cookie = self.unsure.pop(0) if self.unsure else self.alive.pop(0)
        answer, seconds = self.door.ask("POST", "/logout", cookie, body=b"")
        if self.tally.note("log-out", answer, seconds, (204,)):
            self.ended.append(cookie)
            self.use("ended", cookie, (401,))
        else:
            self.unsure.append(cookie)


class Load:
    """So many clients, while the block runs. At its end every session and token is tried once more."""

    def __init__(self, ports, clients=8, pause=0.001, often=False, logins=LOGINS):
        self.tally = Tally()
        self.clients = [Client(ports, self.tally, seed, pause, often, logins) for seed in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, kind, *_):
        for client in self.clients:
            client.stopped.set()
        for client in self.clients:
            client.join(60)
            assert kind or not client.is_alive(), "a client got no answer for a minute"
        self.tally.again = sum(client.door.again for client in self.clients)
        for client in self.clients:
            if client.failed and not kind:
                raise AssertionError(f"a client failed: {client.failed!r}") from client.failed

    def forget_tokens(self):
        """From now on only new tokens are used."""
        for client in self.clients:
            client.tokens = []

    def verify(self, ports, patient=False):
        """What was answered is so still, at each node: sessions that were made live, those that were ended do not. `patient`: what is answered
        503 is asked again for a while, for the machine that runs the tests may stand still longer than a call to Redis may take."""
        end = time.monotonic() + PATIENCE
        for port in ports:
            door = Door([port], random.Random(port))
            for client in self.clients:
                for kind, proofs, good in (("session", client.alive, 200), ("token", client.tokens, 200), ("ended", client.ended, 401)):
                    for proof in proofs:
                        status = None
                        while status is None or (patient and status == 503 and time.monotonic() < end):
                            status = door.ask("GET", "/inside/x", proof)[0].status
                        assert status == good, f"at the end a proof of kind `{kind}` is answered {status} by port {port}"
            door.close()

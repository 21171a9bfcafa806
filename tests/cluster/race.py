"""A log-out against a thousand requests that are under way: who was let in that may not.

Called by the tests of sessions on one machine and on several. One thread, one epoll, keep-alive connections spread over all
workers: each sends its next request as soon as it has read an answer, so that as many are under way as there are connections.
A request starts when its bytes are written; the log-out is over when its answer was read. It must never count a request as
started later than it was: the clock is read before the bytes are written, and after the answer was read.
"""

import select
import socket
import time

from promises import same
from wire import request

PATIENCE = 20
LOGIN = b'{"user":"Aladdin","password":"OpenSesame"}'
LENGTH = b"Content-Length: "


class Line:
    """One connection, and the one request that is under way on it."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.data, self.began, self.waits = b"", 0.0, False

    def send(self, data):
        """Writes a request, whole."""
        self.began, self.waits = time.monotonic(), True
        assert self.socket.send(data) == len(data), "a request did not fit into the socket"

    def receive(self):
        """What has come: the status of a whole answer, and the answer; or nothing yet."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError(f"port {self.port} closed a connection after {self.data[:200]!r}")
        data = self.data = self.data + part if self.data else part
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        at = data.find(LENGTH, 0, end)
        length = int(data[at + len(LENGTH):data.index(b"\r", at)]) if at >= 0 else 0
        if len(data) < end + 4 + length:
            return None
        assert len(data) == end + 4 + length, f"more than one answer: {data!r}"
        self.data, self.waits = b"", False
        return int(data[9:12]), data


class Figures:
    """What a race was like, over all rounds."""

    def __init__(self):
        self.rounds = self.requests = self.under_way = self.after = self.wrong = self.between = 0
        self.least, self.statuses, self.log_outs, self.workers = 1 << 30, {}, [], set()

    def __str__(self):
        times = sorted(self.log_outs)
        return (f"{self.rounds} rounds, {self.requests} requests ({dict(sorted(self.statuses.items()))}) by {len(self.workers)} workers; under way at "
                f"the log-out's answer: {self.under_way // max(1, self.rounds)} on average, {self.least} at least; {self.between} let in between "
                f"log-out and its answer; {self.after} began after the answer, wrongly let in: {self.wrong}; a log-out took "
                f"{times[len(times) // 2] * 1000:.0f} ms, at most {times[-1] * 1000:.0f} ms")


class Race:
    """`count` connections over the nodes at `ports`, and one to each node for log-ins and log-outs."""

    def __init__(self, ports, count):
        self.lines = [Line(ports[turn % len(ports)]) for turn in range(count)]
        self.clerks = [Line(port) for port in ports]
        self.epoll = select.epoll()
        self.by_number = {}
        for line in self.lines + self.clerks:
            self.epoll.register(line.socket, select.EPOLLIN)
            self.by_number[line.socket.fileno()] = line
        self.figures = Figures()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for line in self.lines + self.clerks:
            line.socket.close()
        self.epoll.close()

    def alone(self, line, data):
        """One request with nothing beside it: status and answer."""
        line.send(data)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for number, _ in self.epoll.poll(1):
                if number == line.socket.fileno() and (answer := line.receive()):
                    return answer
        raise AssertionError(f"port {line.port} gave no answer within {PATIENCE} s: {data[:60]!r}")

    def login(self, clerk):
        """A new session: the bytes of a request with it, and of its log-out."""
        status, answer = self.alone(clerk, request("POST", "/login", "Content-Type: application/json", body=LOGIN))
        same("log-in", status, 200)
        cookie = answer[answer.index(b"sid=") + 4:].split(b";")[0].decode()
        return request("GET", "/inside/x", f"Cookie: sid={cookie}"), request("POST", "/logout", f"Cookie: sid={cookie}", body=b"")

    def round(self, turn, after):
        """One session: used on all connections, logged out after so many answers; the bytes of a request with it."""
        clerk = self.clerks[turn % len(self.clerks)]
        inside, logout = self.login(self.clerks[(turn + 1) % len(self.clerks)])
        figures, number_of_clerk = self.figures, clerk.socket.fileno()
        for line in self.lines:
            line.send(inside)
        asked = over = answered = 0
        left, patience = len(self.lines), time.monotonic() + PATIENCE
        while left:
            events = self.epoll.poll(PATIENCE, 64)
            assert events and time.monotonic() < patience, f"{left} of {len(self.lines)} connections have no last answer"
            for number, _ in sorted(events, key=lambda e: e[0] != number_of_clerk):
                line = self.by_number[number]
                if not (answer := line.receive()):
                    continue
                if line is clerk:
                    over = time.monotonic()
                    same("log-out", answer[0], 204)
                    self.settle(asked, over)
                    continue
                answered += 1
                left -= self.judge(line, answer, asked, over)
                if not over or line.began <= over:
                    line.send(inside)
                if answered == after:
                    asked = time.monotonic()
                    clerk.send(logout)
        figures.rounds += 1
        return inside

    def settle(self, asked, over):
        """Counts what was under way when the log-out's answer came."""
        under_way = sum(line.waits for line in self.lines)
        self.figures.under_way += under_way
        self.figures.least = min(self.figures.least, under_way)
        self.figures.log_outs.append(over - asked)

    def judge(self, line, answer, asked, over):
        """Counts an answer; 1 when it is the connection's last, which began after the log-out's answer."""
        status, figures = answer[0], self.figures
        figures.requests += 1
        figures.statuses[status] = figures.statuses.get(status, 0) + 1
        if asked and not over and status == 200:
            figures.between += 1
        if figures.rounds == 0 and (at := answer[1].find(b"X-Worker: ")) >= 0:
            figures.workers.add((line.port, answer[1][at:].split(b"\r")[0]))
        if not over or line.began <= over:
            assert status in (200, 401, 503), f"neither let in nor refused: {answer[1]!r}"
            return 0
        figures.after += 1
        figures.wrong += status == 200
        assert status in (200, 401, 503), f"neither let in nor refused: {answer[1]!r}"
        return 1

    def run(self, rounds):
        """So many rounds, each with the log-out at another moment; then every session is tried once more everywhere."""
        dead = [self.round(turn, 1 + (turn * 397) % (2 * len(self.lines))) for turn in range(rounds)]
        for line in self.clerks:
            for inside in dead:
                same("a session that was logged out before", self.alone(line, inside)[0], 401)
        same("wrongly let in", self.figures.wrong, 0)
        # A busy machine may keep the store's answer away for longer than a call may take: that is told, and is no yes.
        told = self.figures.statuses.get(503, 0)
        assert told * 100 < self.figures.requests, f"{told} of {self.figures.requests} were told 503"
        return self.figures

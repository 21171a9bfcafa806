#!/usr/bin/env python3
"""1,000 reloads of a real nginx with the module under load: no request lost, no growth of memory or descriptors.

    tests/nginx/soak.py [RELOADS]

Called by `make soak`. The load is a token on new connections and log-ins, all the time. Prints the master's memory and descriptors before and
after; exit code 1 when a request was lost, a process stayed, or the master grew. It must never count what its own clients hold.
"""

import os
import pathlib
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Nginx, wait_until  # noqa: E402
from promises import let_in  # noqa: E402
from upstream import Upstream  # noqa: E402

HTTP = """
    janua_config {janua}; janua on;
    server { listen 127.0.0.1:{port}; location / { proxy_pass http://{upstream}; } }"""

SETTLED = 100           # reloads until the allocator has what it wants
GROWTH_KIB = 2048       # what the master may grow by after that
CLIENTS = 2


def held(pid):
    """Resident memory that is no file's, in KiB (shared with a child or not), descriptors and threads of a process."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Anonymous: +(\d+)", rollup).group(1)), len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


class Load:
    """Clients that never stop asking."""

    def __init__(self, nginx):
        self.nginx, self.token = nginx, nginx.token()
        self.count, self.lost, self.stopped = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]

    def run(self):
        """A token, and now and then a log-in."""
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            try:
                let_in(self.nginx.ask("GET", "/a", f"X-Authentication: {self.token}"), "Aladdin")
                if turn % 10 == 0:
                    self.nginx.login()
                self.count += 1
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))
            time.sleep(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def tell(what, numbers):
    """One line of figures."""
    print(f"{what:28} master: {numbers[0]:7} KiB of its own, {numbers[1]:3} descriptors, {numbers[2]} thread(s)", flush=True)


def main():
    """The command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    reloads = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    settled_at = min(SETTLED, reloads // 2)
    with Nginx("soak", HTTP, upstream=Upstream(), level="warn") as nginx:
        master = nginx.pid()
        tell("before", held(master))
        before = None
        with Load(nginx) as load:
            since = time.monotonic()
            for number in range(1, reloads + 1):
                nginx.reload(wait=number % 10 == 0)
                if number == settled_at:
                    before = held(master)
                    tell(f"after {number} reloads", before)
        wait_until("one worker", lambda: len(nginx.workers_now()) == 1, 30)
        after = held(master)
        tell(f"after {reloads} reloads", after)
        took = time.monotonic() - since
        print(f"{reloads} reloads in {took:.0f} s under {load.count} requests, {len(load.lost)} lost {load.lost[:3]}")
        grown = after[0] - before[0]
        print(f"the master grew by {grown} KiB in {reloads - settled_at} reloads, descriptors by {after[1] - before[1]}")
        return 1 if load.lost or grown > GROWTH_KIB or after[1] > before[1] or after[2] > before[2] else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Shows that sessions, keys and revocations hold across workers and machines, through real nginx and real servers.

    tests/cluster/run.py [--list] [--soak] [NAME...]

A NAME is a part of a promise's text or of its file's name. With --soak each runs in its long form. Exit code 1 when one is broken.
Without a NAME those that mostly wait for servers (`BESIDE`) run in a second process beside the others; what that says is printed at the
end. Needs target/release/janua and the nginx module; `make test STEPS=nodes` builds both first.
"""

import argparse
import atexit
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import HERE, Size, TARGET  # noqa: E402
from harness import Options  # noqa: E402
from runner import chosen, keep_all  # noqa: E402

BESIDE = ["test_failures", "test_doors", "test_killed"]


class Beside:
    """A second process for the promises of `BESIDE`."""

    def __init__(self, more):
        self.said = open(TARGET / "beside.log", "w+", encoding="utf-8")
        command = [sys.executable, __file__, *more, *BESIDE]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)
        atexit.register(self.process.terminate)

    def end(self):
        """Waits for it, prints what it said; whether it failed."""
        code = self.process.wait()
        self.said.seek(0)
        print(self.said.read(), end="", flush=True)
        return code != 0


def main():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--list", action="store_true", help="name the promises")
    options.add_argument("--soak", action="store_true", help="the long forms")
    options.add_argument("name", nargs="*")
    given = options.parse_args()
    Size.long = given.soak
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    promises = list(chosen(HERE, given.name))
    if given.list:
        print("\n".join(f"{p.module[5:]:12} {p.text}" for p in promises))
        return 0
    if not promises:
        raise SystemExit("no promise of that name; --list names them")
    if not Options.module.exists():
        raise SystemExit(f"there is no {Options.module}: scripts/build-nginx builds it")
    TARGET.mkdir(parents=True, exist_ok=True)
    since = time.monotonic()
    beside = None if given.name else Beside(["--soak"] if given.soak else [])
    own = [promise for promise in promises if not beside or promise.module not in BESIDE]
    failed = keep_all(own)
    print(f"nodes: {len(own) - len(failed)} kept, {len(failed)} broken, {time.monotonic() - since:.0f} s")
    return 1 if (beside and beside.end()) or failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Shows that sessions, keys and revocations hold across workers and machines, through real nginx and real servers.

    tests/cluster/run.py [--list] [--soak] [NAME...]

A NAME is a part of a promise's text or of its file's name. With --soak each runs in its long form. Exit code 1 when one is broken.
Needs target/release/janua and the nginx module; `make test STEPS=nodes` builds both first.
"""

import argparse
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import HERE, Size, TARGET  # noqa: E402
from harness import Options  # noqa: E402
from runner import chosen, keep_all  # noqa: E402


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
    failed = keep_all(promises)
    print(f"nodes: {len(promises) - len(failed)} kept, {len(failed)} broken, {time.monotonic() - since:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Proves what the nginx module promises, through a real nginx.

    tests/nginx/run.py [--list] [--module PATH] [--faults PATH] [--valgrind] [NAME...]

A NAME is a part of a promise's text or of its file's name; without any, all are kept. With --valgrind they run under valgrind, master
and workers, but for the few that say why not. Exit code 1 when a promise is broken. The core's administrator command is target/release/janua, or JANUA_COMMAND.
"""

import argparse
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import HERE, Options  # noqa: E402
from house import House  # noqa: E402
from runner import chosen, keep_all  # noqa: E402


def main():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--list", action="store_true", help="name the promises")
    options.add_argument("--module", type=pathlib.Path, help="the module; target/nginx/ngx_http_janua_module.so")
    options.add_argument("--faults", type=pathlib.Path, help="the module that fails on demand; target/nginx/faults/…")
    options.add_argument("--valgrind", action="store_true", help="everything under valgrind")
    options.add_argument("name", nargs="*")
    given = options.parse_args()
    Options.module = (given.module or Options.module).resolve()
    Options.faults = (given.faults or Options.faults).resolve()
    Options.valgrind = given.valgrind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    promises = list(chosen(HERE, given.name, given.valgrind))
    if given.list:
        print("\n".join(f"{p.module[5:]:12} {p.text}{p.unwatched and f' [not under valgrind: {p.unwatched}]'}" for p in promises))
        return 0
    if not promises:
        raise SystemExit("no promise of that name; --list names them")
    if not Options.module.exists():
        raise SystemExit(f"there is no {Options.module}: scripts/build-nginx builds it")
    return run(promises)


def run(promises):
    """Keeps them one after the other, then ends the shared nginx, which is a promise of its own."""
    house, since = House(), time.monotonic()
    failed = keep_all(promises, house)
    try:
        house.close()
        print("  ok   the shared nginx ended cleanly" + (": no error, no leak" if Options.valgrind else ""))
    except AssertionError as error:
        failed.append("the shared nginx's end")
        print(f"  FAIL the shared nginx's end\n        {error}")
    print(f"nginx: {len(promises) + 1 - len(failed)} kept, {len(failed)} broken, {time.monotonic() - since:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Proves what the nginx module promises, through a real nginx.

    tests/nginx/run.py [--list] [--module PATH] [--faults PATH] [--valgrind] [NAME...]

A NAME is a part of a promise's text or of its file's name; without any, all are kept. With --valgrind they run under valgrind, master
and workers, but for the few that say why not. Exit code 1 when a promise is broken. The core's administrator command is target/release/janua, or JANUA_COMMAND.
"""

import argparse
import importlib
import pathlib
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import HERE, Options  # noqa: E402
from house import House  # noqa: E402
from promises import PROMISES  # noqa: E402


def chosen(names, valgrind):
    """The promises asked for."""
    for file in sorted(HERE.glob("test_*.py")):
        importlib.import_module(file.stem)
    for promise in PROMISES:
        text = f"{promise.module} {promise.text}"
        if (not names or any(name in text for name in names)) and not (valgrind and promise.unwatched):
            yield promise


def tail(nginx):
    """The end of an nginx's error log, for a failure."""
    lines = nginx.log().splitlines()[-12:]
    return "".join(f"\n        | {line[:400]}" for line in lines)


def keep(promise, house):
    """Runs one promise; what is wrong, or nothing."""
    try:
        promise.function(*([house.running()] if promise.shared else []))
    except Exception as error:  # every failure is told, whatever it is
        place = traceback.extract_tb(error.__traceback__)
        here = [f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in place if "tests/nginx" in f.filename]
        said = str(error) or repr(error)
        source = place[-1].line if isinstance(error, AssertionError) else type(error).__name__
        return f"{' < '.join(reversed(here))}: {source}\n        {said}" + (tail(house.running()) if promise.shared else "")
    return None


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
    promises = list(chosen(given.name, given.valgrind))
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
    house, failed, since = House(), [], time.monotonic()
    for promise in promises:
        began = time.monotonic()
        wrong = keep(promise, house)
        print(f"  {'FAIL' if wrong else 'ok  '} {promise.text} ({time.monotonic() - began:.1f} s)", flush=True)
        if wrong:
            failed.append(promise.text)
            print(f"        {wrong}", flush=True)
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

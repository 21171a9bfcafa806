"""Finds promises, keeps them one after the other, and says which are broken.

Called by run.py here and by tests/cluster/run.py. It must never go on in silence: whatever a promise raises is told.
"""

import importlib
import pathlib
import time
import traceback

from promises import PROMISES


def chosen(folder, names, valgrind=False):
    """The promises of the `test_*.py` in a folder that are asked for."""
    for file in sorted(folder.glob("test_*.py")):
        importlib.import_module(file.stem)
    for promise in PROMISES:
        text = f"{promise.module} {promise.text}"
        here = (folder / f"{promise.module}.py").exists()
        if here and (not names or any(name in text for name in names)) and not (valgrind and promise.unwatched):
            yield promise


def tail(nginx):
    """The end of an nginx's error log, for a failure."""
    lines = nginx.log().splitlines()[-12:]
    return "".join(f"\n        | {line[:400]}" for line in lines)


def keep(promise, house):
    """Runs one promise; what is wrong, or nothing. Without a house there is no nginx to share."""
    shared = promise.shared and house is not None
    try:
        promise.function(*([house.running()] if shared else []))
    except Exception as error:  # every failure is told, whatever it is
        place = traceback.extract_tb(error.__traceback__)
        here = [f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in place if "/tests/" in f.filename]
        said = str(error) or repr(error)
        source = place[-1].line if isinstance(error, AssertionError) else type(error).__name__
        return f"{' < '.join(reversed(here))}: {source}\n        {said}" + (tail(house.running()) if shared else "")
    return None


def keep_all(promises, house=None):
    """Keeps them one after the other; the texts of those that are broken."""
    failed = []
    for promise in promises:
        began = time.monotonic()
        wrong = keep(promise, house)
        print(f"  {'FAIL' if wrong else 'ok  '} {promise.text} ({time.monotonic() - began:.1f} s)", flush=True)
        if wrong:
            failed.append(promise.text)
            print(f"        {wrong}", flush=True)
    return failed

"""A wall clock for single processes that is wrong by as much as a test says, and can be set while they run.

Called by the tests; the work is done by clock.c, which is loaded into the process. It must never touch the machine's own clock.
"""

import os
import pathlib
import struct
import subprocess

from cluster import HERE, TARGET


class Clock:
    """A clock of its own for whatever is started with `environment`."""

    library = None

    def __init__(self, name, seconds=0):
        TARGET.mkdir(parents=True, exist_ok=True)
        if Clock.library is None:
            Clock.library = TARGET / "clock.so"
            subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", HERE / "clock.c", "-o", Clock.library], check=True)
        self.path = pathlib.Path(TARGET / f"{name}.clock")
        self.set(seconds)

    def set(self, seconds):
        """From now on it is wrong by so many seconds."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("=q", int(seconds * 1_000_000)))

    def environment(self):
        """What a process must be started with."""
        return {"LD_PRELOAD": str(Clock.library), "JANUA_TEST_CLOCK": str(self.path)}

"""A process beside a test that does next to nothing, and notes how long even that took at worst: what the machine itself makes others wait.

Called by the tests that limit how long an answer may take: a disk that is busy, or a machine that stands still, is not what they are about.
It must never take time that the test needs.
"""

import os
import pathlib
import subprocess
import sys
import time

PAUSE = 0.05            # seconds between two turns


class Bystander:
    """The process, while the block runs; `waited` afterwards: the seconds of its longest turn, its pause taken off."""

    def __init__(self, folder):
        self.file, self.waited, self.process = folder / "bystander", 0.0, None

    def __enter__(self):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen([sys.executable, __file__, self.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.waited = float(self.process.communicate()[0])

    def __str__(self):
        return f"where a sleep and a byte on the disk took {self.waited:.2f} s"


def stand_by(path):
    """Sleeps, writes a byte down to the disk, and so on until nobody listens: the seconds of the longest turn."""
    longest, file = 0.0, os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.set_blocking(0, False)
    while sys.stdin.buffer.raw.read(1) is None:
        began = time.monotonic()
        time.sleep(PAUSE)
        os.pwrite(file, b".", 0)
        os.fsync(file)
        longest = max(longest, time.monotonic() - began - PAUSE)
    return longest


if __name__ == "__main__":
    print(f"{stand_by(pathlib.Path(sys.argv[1])):.3f}")

"""What all tests of this folder share: nodes, and how long the long forms are.

A node is an nginx of its own, with its own prefix, logs and process ids, on a port of 127.0.0.1: one machine of several. Called by
the tests. It must never start what listens beyond 127.0.0.1.
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(1, str(ROOT / "tests" / "nginx"))

from harness import Nginx  # noqa: E402
from upstream import Upstream  # noqa: E402

TARGET = ROOT / "target" / "cluster"
POOLS = "thread_pool default threads=4; thread_pool hashes threads=4;"
HTTP = """
    janua_config {janua}; janua_hash_pool hashes; janua on; add_header X-Worker $pid always;
    root {folder}/html;
    server { listen 127.0.0.1:{port} reuseport backlog=2048; location / { } location /off/ { janua off; return 204; } }"""
SHARED = ('kind = "memory"', 'kind = "shared"\npath = "state"')


class Size:
    """Whether the long forms run (`make soak`) or the short ones (`make test`)."""

    long = False

    @classmethod
    def of(cls, short, long):
        """One of the two."""
        return long if cls.long else short


def node(name, http=HTTP, lines=(SHARED,), **more):
    """An nginx that serves one small file under /inside/ and below, to whoever is let in."""
    made = Nginx(f"cluster-{name}", http, main=POOLS, level="warn", lines=lines, **more)
    page = made.folder / "html" / "inside" / "x"
    page.parent.mkdir(parents=True)
    page.write_text("inside\n")
    return made


def taken(nginx, text):
    """How many lines of a node's log hold a text that was to be expected; they are taken out, for an alert would be a failure at its end."""
    path = nginx.folder / "error.log"
    lines = path.read_text("utf-8", "replace").splitlines(True)
    os.truncate(path, 0)
    with open(path, "a", encoding="utf-8") as log:
        log.writelines(line for line in lines if text not in line)
    return sum(text in line for line in lines)

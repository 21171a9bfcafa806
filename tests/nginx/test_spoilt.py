"""A shared store whose files are foreign, of another version or lost: what nginx says, and who is let in."""

import random
import shutil

from harness import Nginx
from house import POOLS
from promises import let_in, promise, refused, same
from test_shared import HTTP, SHARED
from upstream import Upstream


def overwrite(file, change):
    """Puts in the file what `change` makes of it."""
    file.write_bytes(change(file.read_bytes()))


def foreign(state):
    overwrite(state / "sessions" / "data.mdb", lambda old: random.Random(7).randbytes(len(old)))


def another_version(state):
    def change(old):
        assert b"shared store, format 1" in old
        return old.replace(b"shared store, format 1", b"shared store, format 9")

    overwrite(state / "revocations" / "data.mdb", change)


def lost(state):
    shutil.rmtree(state / "revocations")


# What is done to the store, what the log says of it (nothing: it begins anew), and what everybody is told.
SPOILT = [
    (foreign, "data.mdb is no file of this store; move it away", 503),
    (another_version, "data.mdb is of another version", 503),
    (lost, None, 401),
]


@promise("a shared store with foreign files, of another version or without its revocations lets nobody in and logs nobody out",
         shared=False)
def spoilt():
    with Nginx("shared-spoilt", HTTP, upstream=Upstream(), main=POOLS, faults=True, lines=SHARED) as nginx:
        state, safe = nginx.folder / "janua" / "state", nginx.folder / "state-as-it-was"
        cookie, gone = nginx.login(), nginx.login()
        same("log-out", nginx.ask("POST", "/logout", gone, body=b"").status, 204)
        for spoil, says, status in SPOILT:
            nginx.stop()
            shutil.copytree(state, safe)
            spoil(state)
            nginx.start()
            for headers in ([], [cookie], [gone]):
                refused(nginx.ask("GET", "/inside/x", *headers), status)
            if says:
                assert any("[alert]" in line and says in line for line in nginx.log().splitlines()), nginx.log()
                told = [line for line in nginx.log().splitlines() if "JANUA_E_FORK" in line]
                assert told and says in told[-1], told
            else:
                let_in(nginx.ask("GET", "/inside/x", nginx.login()), "Aladdin")
            nginx.stop()
            shutil.rmtree(state)
            safe.rename(state)
            nginx.start()
            let_in(nginx.ask("GET", "/inside/x", cookie), "Aladdin")
            refused(nginx.ask("GET", "/inside/x", gone))

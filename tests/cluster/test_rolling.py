"""Restarts, reloads and changes of keys under steady load: nobody with a good session or token is refused."""

import base64
import json
import os
import subprocess
import time

from clients import Load
from clock import Clock
from cluster import Size, machines, node, patient, running
from harness import JANUA
from promises import promise, same
from servers import Redis
from wire import ask

FOLLOWED = 3  # seconds after which every process has taken up a changed file


def pair(name):
    """Two nodes on one folder."""
    first = node(f"{name}-1", workers=2)
    return first, node(f"{name}-2", workers=2, janua=first.janua)


def told(load, what):
    """Prints what came of the load; nobody may have been refused, lost or wrongly let in."""
    print(f"       {what}: {load.tally}")
    same("refused", (load.tally.refused, load.tally.lost, load.tally.wrong), ([], [], []))
    assert load.tally.total() > 200, f"only {load.tally.total()} requests"


def restart(nginx):
    """Ends a node as an administrator does, and starts it."""
    nginx.stop()
    nginx.start()


def roll(nodes):
    """Restarts and reloads one node after the other, again and again, under load."""
    rounds = Size.of(4, 50)
    ports = [nginx.port for nginx in nodes]
    with Load(ports) as load:
        for _ in range(rounds):
            for nginx in nodes:
                time.sleep(0.2)
                restart(nginx)
            for nginx in nodes:
                time.sleep(0.2)
                nginx.reload(wait=False)
    told(load, f"{len(nodes) * rounds} restarts, {len(nodes) * rounds} reloads")
    load.verify(ports)


@promise("two nodes on one folder, steady load: rolling restarts and reloads refuse no good request")
def rolling():
    nodes = pair("rolling")
    with running(nodes):
        roll(nodes)


# ---------------------------------------------------------------- keys


def keyring(word, ring, *more, clock=0):
    """janua keyring …, as if run so many seconds later."""
    environment = os.environ | Clock(f"keyring-{word}", clock).environment()
    done = subprocess.run([JANUA, "keyring", word, *more, str(ring)], capture_output=True, text=True, check=False, env=environment)
    same(f"janua keyring {word}", (done.returncode, done.stderr), (0, ""))
    return done.stdout


def key_of(ring, state):
    """The id of the only key in a state."""
    keys = json.loads(keyring("show", ring, "--json"))["keys"]
    found = [key["id"] for key in keys if key["state"] == state]
    assert len(found) == 1, keys
    return found[0]


def signed_by(nodes):
    """The keys that new tokens of these nodes are of."""
    tokens = [nginx.token() for nginx in nodes for _ in range(4)]
    return {base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[1:9].hex() for token in tokens}


def bring(rings):
    """Copies the first ring to the other machines, one after the other, each whole."""
    for ring in rings[1:]:
        time.sleep(0.5)
        fresh = ring.with_name("keyring.fresh")
        fresh.touch(0o600)
        fresh.write_bytes(rings[0].read_bytes())
        fresh.rename(ring)


def change_keys(nodes, rings, load):
    """The three steps that the manual tells, on the first ring; the waits between them are real in the long form."""
    lead = Size.of(0, 125)
    old = key_of(rings[0], "signing")
    keyring("publish", rings[0], clock=0 if lead else -200)
    bring(rings)
    time.sleep(max(lead, FOLLOWED))
    same("keys of new tokens", signed_by(nodes), {old})
    new = key_of(rings[0], "published")
    keyring("rotate", rings[0])
    bring(rings)
    time.sleep(max(lead, FOLLOWED))
    same("keys of new tokens", signed_by(nodes), {new})
    load.forget_tokens()
    time.sleep(1)
    keyring("retire", rings[0], old, "--yes", clock=0 if lead else 130)
    bring(rings)
    time.sleep(FOLLOWED)
    return old, new


def rotation(nodes, rings):
    """Changes keys under load, and looks at what became of it."""
    ports = [nginx.port for nginx in nodes]
    token = f"X-Authentication: {nodes[0].token()}"
    with Load(ports) as load:
        old, new = change_keys(nodes, rings, load)
    told(load, f"published, rotated {old} -> {new}, retired {old}")
    load.verify(ports)
    same("a token of the retired key", {ask(port, "GET", "/inside/x", token).status for port in ports}, {401})


@promise("two nodes on one folder, steady load: keyring publish, rotate, retire refuse no good token and touch no session")
def keys():
    nodes = pair("keys")
    with running(nodes):
        rotation(nodes, [nodes[0].janua.parent / "keyring.toml"])


@promise("two machines on one Redis, steady load: rolling restarts, reloads and new keys, copied from one to the other, refuse nobody")
def two_machines():
    with Redis("rolling") as redis:
        nodes = machines("rolling-redis", 2, patient(redis.url()))
        with running(nodes):
            roll(nodes)
            rotation(nodes, [nginx.janua.parent / "keyring.toml" for nginx in nodes])

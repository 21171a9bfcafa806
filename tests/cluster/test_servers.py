"""That the servers and the proxy of these tests are what the other tests take them for: asked through redis-cli, without Janua."""

import subprocess
import time

from harness import wait_until
from mischief import Proxy
from promises import promise, same
from servers import Cluster, Redis, Watched, certificates


def through(port, *more, seconds=2):
    """PING through a proxy: what redis-cli said, and how it ended."""
    command = ["redis-cli", "-p", str(port), *more, "PING"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "nothing"
    return (done.stdout + done.stderr).strip().split("\n")[0][:30]


@promise("the test servers: plain, socket, user and password, TLS by the right and the wrong name, a proxy that lies")
def single():
    folder = certificates()
    with Redis("plain") as plain, Redis("acl", "user default off", "user janua on >secret ~* &* +@all", user=("janua", "secret")) as acl:
        same("by socket", subprocess.run(["redis-cli", "-s", plain.socket, "PING"], capture_output=True, text=True, check=True).stdout, "PONG\n")
        same("by user", acl.ask("ACL", "WHOAMI"), "janua")
        assert "NOAUTH" in through(acl.port), through(acl.port)
        with Proxy(plain.port) as proxy:
            heard = {}
            for mode in ("honest", "half-open", "deaf", "short", "nonsense", "closed", "honest"):
                proxy.set(mode)
                heard[mode] = through(proxy.port, seconds=1)
            same("honest", (heard["honest"], heard["half-open"], heard["deaf"]), ("PONG", "nothing", "nothing"))
            assert "PONG" not in heard["short"] + heard["nonsense"] + heard["closed"], heard
    for name, good in (("server", True), ("other", False)):
        with Redis(f"tls-{name}", tls=folder, name_of=name) as tls:
            check = ["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", "-CAfile", folder / "ca.pem", "-verify_ip", "127.0.0.1", "-verify_return_error"]
            done = subprocess.run(check, input=b"", capture_output=True, check=False, timeout=10)
            same(f"the certificate `{name}` is for 127.0.0.1", done.returncode == 0, good)


@promise("the test servers: Sentinel makes another primary, the old one comes back as a replica and refuses writes until then")
def watched():
    with Watched("sentinel-check") as all_of_them:
        old = all_of_them.primary()
        same("a write", old.ask("SET", "a", "1"), "OK")
        began = time.monotonic()
        old.stop()
        new = all_of_them.await_another(old)
        print(f"       another primary after {time.monotonic() - began:.1f} s")
        wait_until("a replica of the new one", lambda: int(new.info("connected_slaves")) >= 1)
        same("what was written", new.ask("GET", "a"), "1")
        old.go_on()
        wait_until("the old one follows", lambda: old.info("role") == "slave" and old.info("master_link_status") == "up", 20)


@promise("the test servers: a Cluster whose slot moves with its keys")
def moved():
    with Cluster("cluster-check") as cluster:
        slot = int(cluster.servers[0].ask("CLUSTER", "KEYSLOT", "{janua}a"))
        source = cluster.owner(slot)
        for number in range(50):
            same("a write", cluster.primaries()[source].ask("SET", f"{{janua}}{number}", "1"), "OK")
        to = next(id for id in cluster.primaries() if id != source)
        same("moved", cluster.move(slot, to), 50)
        same("owner", cluster.owner(slot), to)
        same("a key", cluster.primaries()[to].ask("GET", "{janua}7"), "1")

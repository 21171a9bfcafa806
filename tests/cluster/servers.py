"""Real servers for the tests: redis-server alone, behind Sentinel, and as a Cluster, each on free ports in a folder of its own.

Called by the tests. Each is started without any configuration of the system, listens on 127.0.0.1 or a socket in its folder, and is ended
by its process id. JANUA_TEST_REDIS_SERVER names another program by its path, such as a valkey-server: the client beside it is used with it.
It must never use the port 6379 or a server that it did not start.
"""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import time

from cluster import TARGET
from harness import free_ports, wait_until

NAMED = os.environ.get("JANUA_TEST_REDIS_SERVER", "redis-server")
PROGRAM = pathlib.Path(NAMED).absolute() if os.sep in NAMED else pathlib.Path(NAMED)
CLIENT = PROGRAM.with_name(PROGRAM.name.replace("-server", "-cli"))


def run(*words, stdin=None):
    """A command that must succeed: what it said."""
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
    return done.stdout


def own_folder(name):
    """An empty folder."""
    folder = TARGET / "servers" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Redis:
    """One server. `lines` go into its configuration; `tls`: a folder of `certificates`, and then it speaks nothing else."""

    more = ()

    def __init__(self, name, *lines, port=None, tls=None, name_of="server", user=None):
        self.folder = own_folder(name)
        self.port = port or free_ports(1)[0]
        self.tls, self.user = tls, user
        self.process = None
        door = [f"port {self.port}"]
        if tls:
            door = ["port 0", f"tls-port {self.port}", f"tls-cert-file {tls}/{name_of}.pem", f"tls-key-file {tls}/{name_of}.key",
                    f"tls-ca-cert-file {tls}/ca.pem", "tls-auth-clients no"]
        self.socket = self.folder / "socket"
        self.config = self.folder / "redis.conf"
        self.config.write_text("\n".join([
            *door, "bind 127.0.0.1", f"unixsocket {self.socket}", f"dir {self.folder}", "logfile log", "daemonize no", "protected-mode no",
            'save ""', *lines, ""]))

    def start(self):
        """Starts it, and waits until it answers."""
        self.process = subprocess.Popen([PROGRAM, self.config, *self.more], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        atexit.register(self.kill)
        wait_until(f"{self.config} answers", self.answers, 20)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def answers(self):
        """Whether it takes commands; an early end is told at once."""
        assert self.process.poll() is None, self.log()[-2000:]
        done = subprocess.run(self.client("PING"), capture_output=True, text=True, check=False, timeout=10)
        return done.stdout.strip() == "PONG"

    def client(self, *words):
        """A command of the client to this server."""
        more = ["--tls", "--cacert", f"{self.tls}/ca.pem"] if self.tls else []
        if self.user:
            more += ["--user", self.user[0], "--pass", self.user[1], "--no-auth-warning"]
        return [CLIENT, "-h", "127.0.0.1", "-p", str(self.port), *more, *map(str, words)]

    def url(self):
        """Where it is, as a configuration says it."""
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}/0"

    def ask(self, *words):
        """A command's answer as text."""
        return run(*self.client(*words)).strip()

    def info(self, key):
        """One value of INFO; nothing while the server does not answer."""
        try:
            done = subprocess.run(self.client("INFO"), capture_output=True, text=True, check=False, timeout=2)
        except subprocess.TimeoutExpired:
            return None
        return next((line.split(":", 1)[1].strip() for line in done.stdout.splitlines() if line.startswith(f"{key}:")), None)

    def kill(self, how=signal.SIGKILL):
        """Ends it at once, whatever it is doing."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, how)
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.wait(20)
            atexit.unregister(self.kill)

    def stop(self):
        """Holds it: it keeps its connections and answers nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        """Lets it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def log(self):
        """Its log so far."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


class Guard(Redis):
    """One sentinel."""

    more = ("--sentinel",)


class Watched:
    """A primary, two replicas and three sentinels. The primary writes only while a replica follows it; it finds out that none does (after
    `min-replicas-max-lag`, and a second more) sooner than another can have been made."""

    NAME = "janua-test"

    def __init__(self, name, down_after=2500):
        follow = ["min-replicas-to-write 1", "min-replicas-max-lag 1", "repl-ping-replica-period 1", "appendonly yes", "repl-diskless-sync-delay 0"]
        first = Redis(f"{name}-0", *follow)
        self.servers = [first] + [Redis(f"{name}-{at}", *follow, f"replicaof 127.0.0.1 {first.port}") for at in (1, 2)]
        watch = [f"sentinel monitor {self.NAME} 127.0.0.1 {first.port} 2", f"sentinel down-after-milliseconds {self.NAME} {down_after}",
                 f"sentinel failover-timeout {self.NAME} 3000", f"sentinel parallel-syncs {self.NAME} 2"]
        self.guards = [Guard(f"{name}-guard-{at}", *watch) for at in range(3)]

    def __enter__(self):
        for server in self.servers:
            server.start()
        wait_until("both replicas follow", lambda: self.servers[0].info("connected_slaves") == "2" and all(
            server.info("master_link_status") == "up" for server in self.servers[1:]), 20)
        for guard in self.guards:
            guard.start()
        wait_until("the sentinels know each other and the replicas", lambda: all(
            "slaves=2,sentinels=3" in guard.ask("INFO", "sentinel") for guard in self.guards), 30)
        return self

    def __exit__(self, *_):
        for server in self.guards + self.servers:
            server.kill()

    def primary(self):
        """The server that the sentinels call the primary."""
        port = int(self.guards[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME).split()[1])
        return next(server for server in self.servers if server.port == port)

    def await_another(self, old):
        """Waits until another than `old` is the primary, and follows nobody."""
        def found():
            new = self.primary()
            return new if new is not old and new.info("role") == "master" else None

        return wait_until("another primary", found, 30)


class Cluster:
    """Three primaries, each with a replica."""

    def __init__(self, name):
        lines = ["cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 2000", "appendonly yes", "repl-diskless-sync-delay 0"]
        ports = self.ports_for_buses(6)
        self.servers = [Redis(f"{name}-{at}", *lines, f"cluster-port {bus}", port=port) for at, (port, bus) in enumerate(ports)]

    @staticmethod
    def ports_for_buses(count):
        """Pairs of free ports: for clients, and for the servers among themselves."""
        ports = free_ports(2 * count)
        return list(zip(ports[:count], ports[count:]))

    def __enter__(self):
        for server in self.servers:
            server.start()
        run(CLIENT, "--cluster", "create", *[f"127.0.0.1:{server.port}" for server in self.servers], "--cluster-replicas", 1, "--cluster-yes")
        wait_until("the cluster is whole", lambda: all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in self.servers), 30)
        wait_until("each primary has its replica", lambda: all(
            server.info("connected_slaves") == "1" or server.info("master_link_status") == "up" for server in self.servers), 30)
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()

    def primaries(self):
        """The servers that hold slots, by their ids."""
        return {server.ask("CLUSTER", "MYID"): server for server in self.servers if server.info("role") == "master"}

    def owner(self, slot):
        """The id of the primary that holds a slot."""
        for server in self.servers:
            if server.process.poll() is None:
                for line in server.ask("CLUSTER", "NODES").splitlines():
                    words = line.split()
                    for part in words[8:]:
                        low, _, high = part.partition("-")
                        if "[" not in part and int(low) <= slot <= int(high or low):
                            return words[0]
        raise AssertionError(f"nobody holds slot {slot}")

    def move(self, slot, to):
        """Moves one slot with its keys to the primary of that id, as the manual says, while it is in use."""
        known = self.primaries()
        source = self.owner(slot)
        known[to].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source)
        known[source].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
        moved = 0
        while keys := known[source].ask("CLUSTER", "GETKEYSINSLOT", slot, 20).split():
            known[source].ask("MIGRATE", "127.0.0.1", known[to].port, "", 0, 5000, "KEYS", *keys)
            moved += len(keys)
            time.sleep(0.02)
        for place in (to, source, *(set(known) - {to, source})):
            known[place].ask("CLUSTER", "SETSLOT", slot, "NODE", to)
        return moved


def certificates(place="certificates"):
    """A folder with an authority (`ca`), a certificate for 127.0.0.1 and localhost (`server`), and one for another name (`other`)."""
    folder = own_folder(place)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj", "/CN=Test Authority",
        "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    for name, names in (("server", "DNS:localhost,IP:127.0.0.1"), ("other", "DNS:elsewhere.example.org,IP:127.0.0.2")):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key",
            "-out", folder / f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run("openssl", "x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
            "-days", 30, "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.pem")
    return folder

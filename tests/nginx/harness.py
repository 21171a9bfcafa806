"""Starts a real nginx with the module for a test, and looks at it from outside.

Called by run.py, the tests and the scenario door. It must never touch an nginx it did not start: each has its own prefix, pid,
logs and temporary paths below target/nginx-tests, listens on free ports of 127.0.0.1 and is stopped by its process id.
"""

import atexit
import contextlib
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from wire import Wire, request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "nginx"
TARGET = ROOT / "target" / "nginx-tests"
NGINX = "/usr/sbin/nginx"
JANUA = os.environ.get("JANUA_COMMAND", str(ROOT / "target" / "release" / "janua"))
SECONDS_TO_START = 20
CLIENTS_FROM = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
SERVERS = (10_000, CLIENTS_FROM) if CLIENTS_FROM > 12_000 else (61_000, 65_000)
GIVEN = {6379}
TEMPORARY = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")

MAIN = """
{env}daemon {daemon}; worker_processes {workers}; {user}
load_module {module};
pid {folder}/nginx.pid; error_log {folder}/error.log {level};
{main}
events {{ worker_connections 1024; }}
http {{
    {temporary}
    {access} keepalive_timeout 60s; keepalive_requests 1000000;
    {http}
}}
"""


class Options:
    """What run.py was told: where the modules are, and whether valgrind watches."""

    module = ROOT / "target" / "nginx" / "ngx_http_janua_module.so"
    faults = ROOT / "target" / "nginx" / "faults" / "ngx_http_janua_module.so"
    valgrind = False


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on now, all different, and none that the system gives to clients: who ends a server
    and starts it again finds its port free."""
    found = []
    while len(found) < count:
        port = random.randrange(*SERVERS)
        if port in GIVEN:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        GIVEN.add(port)
        found.append(port)
    return found


def wait_until(what, true, seconds=10):
    """Looks again and again; a time-out says what did not come."""
    end = time.monotonic() + seconds * (10 if Options.valgrind else 1)
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def site_folder(folder, config="door", extra="", users=None, lines=()):
    """Makes janua.toml, users.toml and keyring.toml in a folder. `lines`: pairs of texts to replace in the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = ROOT / "tests" / "scenarios" / "config"
    text = (scenarios / f"{'mauro' if config == 'door' else config}.toml").read_text()
    if config == "door":
        text = text.replace('"mauro"', '"door.toml"')
        shutil.copy(HERE / "door.toml", folder / "door.toml")
    for old, new in lines:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "janua.toml").write_text(text + extra)
    shutil.copy(users or scenarios / "users.toml", folder / "users.toml")
    for name in ("janua.toml", "users.toml"):
        os.chmod(folder / name, 0o600)
    if not (folder / "keyring.toml").exists():
        subprocess.run([JANUA, "keyring", "new", str(folder / "keyring.toml")], check=True, capture_output=True)
    return folder / "janua.toml"


def preloaded(source):
    """A C file of this folder as a library to preload."""
    library = (TARGET / source).with_suffix(".so")
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, str(HERE / source), "-o", str(library), "-ldl"], check=True)
    return str(library)


class Nginx:
    """One nginx of its own: `http` is the inside of its http block, `{port}`, `{h2}`, `{upstream}`, `{folder}`, `{janua}` filled in."""

    def __init__(self, name, http, upstream=None, main="", workers=1, level="info", faults=False, janua=None, daemon=False, user=None, clock=False,
                 environment=None, **site):
        self.folder = TARGET / name
        shutil.rmtree(self.folder, ignore_errors=True)
        for place in ("clock", *(f"temp/{place}" for place in TEMPORARY)):
            (self.folder / place).mkdir(parents=True)
        self.janua = janua or site_folder(self.folder / "janua", **site)
        self.port, self.h2, self.other = free_ports(3)
        self.upstream, self.workers, self.level, self.daemon = upstream, workers, level, daemon
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        self.module = Options.faults if faults else Options.module
        self.clock = self.folder / "clock" if clock else None
        self.process = self.old = None
        self.surroundings = environment or {}
        self.watched = Options.valgrind
        self.write(http, main)

    def fill(self, text):
        """Puts this nginx's places into a configuration text."""
        known = {"port": self.port, "h2": self.h2, "other": self.other, "folder": self.folder, "janua": self.janua}
        if self.upstream:
            known["upstream"] = f"127.0.0.1:{self.upstream.port}"
        return re.sub(r"\{(port|h2|other|folder|janua|upstream)\}", lambda m: str(known[m.group(1)]), text)

    def write(self, http, main="", workers=None):
        """Writes nginx.conf."""
        paths = " ".join(f"{p}_temp_path {self.folder}/temp/{p};" for p in TEMPORARY if p != "client_body")
        self.workers = workers or self.workers
        text = MAIN.format(
            daemon="on" if self.daemon else "off", env="env LD_PRELOAD; " if self.watched else "", workers=self.workers, level=self.level, folder=self.folder,
            module=self.module, main=self.fill(main), http=self.fill(http),
            user=f"user {self.user};" if os.geteuid() == 0 else "",
            access="" if "access_log" in http else "access_log off;",
            temporary=paths + f" client_body_temp_path {self.folder}/temp/client_body;")
        (self.folder / "nginx.conf").write_text(text)

    def command(self, *more):
        """nginx on this folder."""
        return [NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log"), *more]

    def test(self):
        """nginx -t: the exit code and what it said."""
        command = self.under_valgrind(self.command("-t")) if self.watched else self.command("-t")
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False, timeout=60)
        assert not self.reports().strip(), f"valgrind:\n{self.reports()[:6000]}"
        return done.returncode, done.stderr

    def under_valgrind(self, command):
        """The command under valgrind: a report of each process, empty when there is nothing to say."""
        return ["valgrind", "-q", "--vgdb=no", "--trace-children=yes", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
                "--error-exitcode=97", f"--suppressions={HERE}/valgrind.supp", f"--log-file={self.folder}/valgrind.%p.log", "--num-callers=25", *command]

    def environment(self):
        """The environment to start it with."""
        libraries = [*(["under_valgrind.c"] if self.watched else []), *(["clock.c"] if self.clock else [])]
        preload = {"LD_PRELOAD": ":".join(preloaded(source) for source in libraries), "JANUA_TEST_CLOCK": str(self.clock or "")}
        return {**{k: v for k, v in os.environ.items() if k != "NGINX"}, **preload, **self.surroundings}

    def reports(self):
        """What valgrind has against any of its processes."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("valgrind.*.log")))

    def start(self, unblock=()):
        """Starts it and waits until it listens. `unblock`: signals that this process holds back and nginx must not."""
        command = self.command()
        if self.watched:
            command = self.under_valgrind(command)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=open(self.folder / "out", "ab"), stderr=subprocess.STDOUT, env=self.environment(),
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, unblock))
        atexit.register(self.kill)
        wait_until(f"nginx listens\n{self.out()}", self.listens, SECONDS_TO_START)
        return self

    def listens(self):
        """Whether it answers connections; an early end is told at once."""
        if self.process.poll() is not None and not (self.daemon and self.process.returncode == 0):
            raise AssertionError(f"nginx ended with {self.process.returncode}\n{self.out()}\n{self.log()[-3000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()

    def kill(self):
        """Ends it at once, and the master of a binary upgrade too."""
        atexit.unregister(self.kill)
        for pid in ({self.pid(), self.process.pid if self.process else 0} | (self.workers_now() if self.watched else set())) - {0}:
            try:
                os.kill(pid, signal.SIGKILL if self.watched else signal.SIGTERM)
            except ProcessLookupError:
                continue
        if self.process:
            self.process.wait(20)

    def stop(self):
        """Ends it gracefully; whatever it has to say against itself is a failure."""
        master = self.pid() if self.daemon else self.process.pid
        if self.daemon or self.process.poll() is None:
            os.kill(master, signal.SIGQUIT)
        try:
            if self.daemon:
                wait_until("its end after SIGQUIT", lambda: not pathlib.Path(f"/proc/{master}").exists(), 30)
            code = self.process.wait(300 if self.watched else 30)
        except (subprocess.TimeoutExpired, AssertionError) as error:
            self.kill()
            raise AssertionError(f"nginx does not end after SIGQUIT\n{self.log()[-2000:]}") from error
        atexit.unregister(self.kill)
        found = self.reports()
        assert not found.strip(), f"valgrind, exit {code}:\n{found[:6000]}"
        assert code == 0, f"nginx ended with {code}\n{self.log()[-2000:]}"
        hoped_for = self.module == Options.faults  # a failure that was asked for may be an alert
        for bad in ("[emerg]", "signal 11", "signal 6", "panicked", "open socket #", *([] if hoped_for else ["[alert]"])):
            assert bad not in self.log(), f"{bad} in the log:\n{self.log()[-3000:]}"

    def pid(self):
        """The process id in the pid file; 0 when there is none."""
        try:
            return int((self.folder / "nginx.pid").read_text())
        except (OSError, ValueError):
            return 0

    def workers_now(self):
        """The process ids of the workers."""
        master = self.pid()
        try:
            text = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text()
        except OSError:
            return set()
        return {int(pid) for pid in text.split()}

    def reload(self, wait=True):
        """SIGHUP; waits for new workers, and for the old ones' end when asked."""
        before = self.workers_now()
        os.kill(self.pid(), signal.SIGHUP)
        wait_until("new workers", lambda: len(self.workers_now() - before) >= self.workers)
        if wait:
            wait_until("the end of the old workers", lambda: not self.workers_now() & before, 30)

    @contextlib.contextmanager
    def clock_is(self, how):
        """While it lasts, the clock `fails` or `stands`: clock.c. Gives a list; at the end it holds who met that."""
        file, who = self.clock / how, []
        file.write_text("")
        try:
            yield who
        finally:
            who += file.read_text().split()
            file.unlink()

    def a_minute_passes(self):
        """Sets nginx's own clock forward, for good."""
        with open(self.clock / "later", "a", encoding="ascii") as file:
            file.write(".")

    def log(self):
        """The error log so far."""
        path = self.folder / "error.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def out(self):
        """What it wrote to its standard outputs."""
        path = self.folder / "out"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def access(self, name="access.log"):
        """The lines of an access log so far."""
        path = self.folder / name
        return path.read_text("utf-8", "replace").splitlines() if path.exists() else []

    # ------------------------------------------------------------ a client's view

    def wire(self, client=None):
        """A connection to the first port."""
        return Wire(self.port, client)

    def ask(self, method, target, *headers, body=None):
        """One request on a connection of its own."""
        with self.wire() as wire:
            wire.send(request(method, target, *headers, body=body))
            return wire.read(method == "HEAD")

    def ask2(self, method, target, *headers, body=None):
        """One request over HTTP/2."""
        from wire import ask2

        return ask2(self.h2, method, target, *headers, body=body)

    def login(self, user="Aladdin", password="OpenSesame", wire=None):
        """A session's cookie line of the test profile."""
        body = b'{"user":"%s","password":"%s"}' % (user.encode(), password.encode())
        answer = (wire or self).ask("POST", "/login", "Content-Type: application/json", body=body)
        assert answer.status == 200 and answer.cookie(), f"log-in: {answer}"
        return f"Cookie: sid={answer.cookie()}"

    def token(self, user="Aladdin", password="OpenSesame"):
        """A token of the test profile."""
        body = b'{"user":"%s","password":"%s"}' % (user.encode(), password.encode())
        answer = self.ask("POST", "/token", "Content-Type: application/json", body=body)
        assert answer.status == 200, f"token: {answer}"
        return answer.json()["token"]

"""What all tests of this folder share: nodes, and how long the long forms are.

A node is an nginx of its own, with its own prefix, logs and process ids, on a port of 127.0.0.1: one machine of several. Called by
the tests. It must never start what listens beyond 127.0.0.1.
"""

import contextlib
import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(1, str(ROOT / "tests" / "nginx"))

from harness import TARGET as FILES, Nginx, site_folder, wait_until  # noqa: E402

TARGET = ROOT / "target" / "cluster"
POOLS = "thread_pool default threads=4; thread_pool hashes threads=4;"
HTTP = """
    janua_config {janua}; janua_hash_pool hashes; janua_in_flight 1000; janua on; add_header X-Worker $pid always;
    root {folder}/html;
    server { listen 127.0.0.1:{port} reuseport backlog=2048; location / { } location /off/ { janua off; return 204; } }"""
FOLDERS = "cluster-"
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
    made = Nginx(f"{FOLDERS}{name}", http, main=POOLS, level=os.environ.get("JANUA_TEST_LEVEL", "warn"), lines=lines, **more)
    page = made.folder / "html" / "inside" / "x"
    page.parent.mkdir(parents=True)
    page.write_text("inside\n")
    return made


def on_redis(servers, *more, timeout="250ms"):
    """What a configuration says of its store: a list of addresses, and lines of TOML."""
    urls = ", ".join(f'"{url}"' for url in servers)
    return ('kind = "memory"', "\n".join(['kind = "redis"', f"servers = [{urls}]", f'timeout = "{timeout}"', 'path = "state"', *more]))


def patient(url):
    """A store whose calls may take long: where nobody may be refused, the machine that runs the tests may be busy."""
    return on_redis([url], timeout="3s")


def machines(name, count, store, workers=2, config="door", http=HTTP, clocks=(), keyring_of=None, **more):
    """So many nodes, each with a folder of its own in which only the keyring is the same. `store`: one for all, or one for each.
    `keyring_of`: another node, whose keyring they have."""
    made, first = [], keyring_of and FILES / f"{FOLDERS}{keyring_of}-site"
    for at in range(count):
        folder = FILES / f"{FOLDERS}{name}-{at}-site"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if first:
            shutil.copy2(first / "keyring.toml", folder / "keyring.toml")
        own = store[at] if isinstance(store, list) else store
        janua = site_folder(folder, config=config, lines=[own])
        first = first or folder
        environment = clocks[at].environment() if at < len(clocks) and clocks[at] else None
        made.append(node(f"{name}-{at}", http, workers=workers, janua=janua, environment=environment, **more))
    return made


@contextlib.contextmanager
def running(nodes):
    """Starts nodes, and ends them; the ports they listen on."""
    with contextlib.ExitStack() as stack:
        for each in nodes:
            stack.enter_context(each)
        yield [each.port for each in nodes]


def doors(nginx):
    """A connection to each worker of a node."""
    found = {}
    for _ in range(400):
        wire = nginx.wire()
        worker = wire.ask("GET", "/nothing").one("X-Worker")
        if worker in found:
            wire.__exit__()
        found.setdefault(worker, wire)
        if len(found) == nginx.workers:
            return list(found.values())
    raise AssertionError(f"only the workers {list(found)} answered")


class Sure:
    """A node, or a connection to one, that is asked again while it answers 503: the machine that runs the tests may stand still for longer than
    a call to Redis may take. Not where a 503 would be wrong, as over the shared store."""

    def __init__(self, door):
        self.door = door

    def ask(self, *request, **body):
        """The first answer that is not 503. One that is touches no cookie."""
        heard = []

        def told():
            heard.append(self.door.ask(*request, **body))
            assert heard[-1].status != 503 or not heard[-1].all("Set-Cookie"), heard[-1]
            return heard[-1].status != 503

        wait_until(f"{request[:2]} answered", told)
        return heard[-1]

    def status(self, cookie):
        """What the small file is answered with."""
        return self.ask("GET", "/inside/x", cookie).status

    def login(self):
        """A session's cookie line."""
        return self.door.login(wire=self)


def taken(nginx, text):
    """How many lines of a node's log hold a text that was to be expected; they are taken out, for an alert would be a failure at its end."""
    path = nginx.folder / "error.log"
    lines = path.read_text("utf-8", "replace").splitlines(True)
    os.truncate(path, 0)
    with open(path, "a", encoding="utf-8") as log:
        log.writelines(line for line in lines if text not in line)
    return sum(text in line for line in lines)

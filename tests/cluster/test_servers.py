"""That the single servers and the proxy of these tests are what the others take them for: asked through their own client, without Janua."""

import pathlib
import subprocess

from mischief import Proxy
from promises import promise, same
from servers import CLIENT, PROGRAM, Redis, certificates


def through(port, *more, seconds=2):
    """PING through a proxy: what the client said, and how it ended."""
    command = [CLIENT, "-p", str(port), *more, "PING"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "nothing"
    return (done.stdout + done.stderr).strip().split("\n")[0][:30]


@promise("the test servers: plain, socket, user and password, TLS by the right and the wrong name, a proxy that lies")
def single():
    folder = certificates()
    with Redis("plain") as plain, Redis("acl", "user default off", "user janua on >secret ~* &* +@all", user=("janua", "secret")) as acl:
        same("by socket", subprocess.run([CLIENT, "-s", plain.socket, "PING"], capture_output=True, text=True, check=True).stdout, "PONG\n")
        same("the program that was named", pathlib.Path(plain.info("executable")).name, PROGRAM.name)
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

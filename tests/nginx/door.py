#!/usr/bin/env python3
"""A real nginx with the module as a door, with the command line of the C host, in the foreground.

    tests/nginx/door.py [--http2] CONFIG PORT PREFIX:PROFILE...       door.py janua.toml 8080 /api:mauro /REST:mfiles

Called by scripts/scenarios.py --door and scripts/with-nginx. On SIGTERM nginx is ended and its logs are written to standard output,
so that whoever started the door can look for secrets in them. It must never answer anything itself: all it adds is the upstream.
"""

import argparse
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Nginx  # noqa: E402
from house import POOLS, STORY  # noqa: E402
from upstream import Upstream  # noqa: E402

HTTP = STORY + """
    access_log {folder}/access.log story;
    janua_config {janua}; janua_hash_pool hashes;
    client_max_body_size 20m; large_client_header_buffers 8 64k;
    underscores_in_headers on; ignore_invalid_headers off;
    upstream application { server {upstream}; keepalive 8; }
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    server {
        listen 127.0.0.1:{port}%s;
        %s
    }"""

SITE = "location %s { janua on; janua_profile %s; proxy_pass http://application; }"


def locations(sites):
    """A location for each PREFIX:PROFILE; the case of a prefix is forgiven, as the C host forgives it."""
    for site in sites:
        prefix, _, profile = site.rpartition(":")
        yield SITE % (f"~* ^{prefix}(?:/|$)" if prefix else "/", profile)


def main():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--http2", action="store_true", help="listen for HTTP/2 (prior knowledge) instead of HTTP/1.1")
    options.add_argument("config", type=pathlib.Path)
    options.add_argument("port", type=int)
    options.add_argument("site", nargs="+")
    given = options.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    text = HTTP % (" http2" if given.http2 else "", "\n        ".join(locations(given.site)))
    nginx = Nginx(f"door-{given.port}", "", upstream=Upstream(plain=True), janua=given.config.resolve())
    nginx.port = given.port
    nginx.write(text, POOLS)
    try:
        nginx.start(unblock=(signal.SIGTERM, signal.SIGINT))
        print(f"listening on http://127.0.0.1:{given.port}", flush=True)
        signal.sigwait([signal.SIGTERM, signal.SIGINT])
        nginx.stop()
    except AssertionError as error:
        print(error)
        return 1
    finally:
        print(nginx.log(), *nginx.access(), nginx.out(), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

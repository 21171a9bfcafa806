"""The nginx that most tests share: one site with a location for each way a request can take.

Called by run.py, which starts it at the first test that asks. It must never be changed by a test; one that needs another
configuration starts an nginx of its own (harness.Nginx).
"""

from harness import Nginx
from upstream import Upstream

POOLS = "thread_pool default threads=4; thread_pool hashes threads=2;"

# The log of the tests that read variables. What is not there is written as `-`.
STORY = (
    "log_format story escape=json '{\"method\":\"$request_method\",\"status\":\"$status\",\"user\":\"$janua_user\","
    '"roles":"$janua_roles","tenant":"$janua_tenant","session":"$janua_session_ref","reason":"$janua_reason",'
    '"request":"$janua_request"}\';'
)

HTTP = STORY + """
    access_log {folder}/access.log story;
    janua_config {janua};
    janua_hash_pool hashes;
    upstream application { server {upstream}; keepalive 8; }
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    underscores_in_headers on; ignore_invalid_headers off;
    proxy_cache_path {folder}/cache keys_zone=answers:1m;
    types { text/html html; text/plain txt; }
    root {folder}/html;

    server {
        listen 127.0.0.1:{port}; listen 127.0.0.1:{h2} http2;
        client_max_body_size 200k;
        janua on;
        location / { proxy_pass http://application; }
        location /off/ { janua off; proxy_pass http://application; }
        location /maybe/ { janua optional; proxy_pass http://application; }
        location /static/ { }
        location = /status { janua off; access_log off; stub_status; }

        # internal redirects
        location /try/ { try_files $uri @named; }
        location /try-from-off/ { janua off; try_files $uri @named; }
        location @named { proxy_pass http://application; }
        location /try-to-off/ { try_files $uri @free; }
        location @free { janua off; proxy_pass http://application; }
        location /failing/ { error_page 404 502 /sorry; proxy_intercept_errors on; proxy_pass http://application; }
        location /failing-named/ { error_page 404 502 = @named; proxy_intercept_errors on; proxy_pass http://application; }
        location = /sorry { internal; proxy_pass http://application/sorry; }
        location /beautified/ { error_page 401 403 /static/pretty.html; proxy_pass http://application; }
        location /accel/ { proxy_pass http://application; }
        location /hidden/ { internal; }
        location /rewritten/ { rewrite ^/rewritten(/.*)$ $1 last; }
        location /index/ { index index.txt; }

        # two sites of one engine
        location /data/ { janua_profile mauro; janua_prefix /data; proxy_pass http://application; }
        location /data/failing/ { janua_profile mauro; janua_prefix /data/failing; error_page 404 = @named; proxy_intercept_errors on;
            proxy_pass http://application; }

        # subrequests
        location /pages/ { ssi on; }
        location /open/pages/ { ssi on; }
        location /pages-off/ { janua off; ssi on; }
        location /pages-other/ { janua_profile mauro; janua_prefix /pages-other; ssi on; }
        location /secret/ { }
        location /checked/ { auth_request /check; proxy_pass http://application; }
        location /checked-off/ { janua off; auth_request /check; proxy_pass http://application; }
        location = /check { internal; proxy_pass http://application/whoever; proxy_pass_request_body off;
            proxy_set_header Content-Length ""; }

        # access rules beside ours
        location /any/ { satisfy any; allow 127.0.0.5; deny all; proxy_pass http://application; }
        location /all/ { satisfy all; allow 127.0.0.5; deny all; proxy_pass http://application; }
        location /any-in/ { satisfy any; allow 127.0.0.5; deny all; janua_prefix /any-in; proxy_pass http://application; }
        location /writing/ { janua off; limit_except GET { janua on; } proxy_pass http://application; }
        location /reading/ { limit_except GET { deny all; } proxy_pass http://application; }

        # answered before any access module
        location /returned/ { return 200 "answered in the rewrite phase\\n"; }
        location /conditional/ { if ($arg_ping) { return 200 "pong\\n"; } if ($arg_set) { set $there 1; } proxy_pass http://application; }

        # other modules
        location /cached/ { proxy_cache answers; proxy_cache_valid 200 1m; proxy_cache_key $uri; proxy_ignore_headers Cache-Control;
            proxy_pass http://application; }
        location /mirrored/ { mirror /copy; proxy_pass http://application; }
        location = /copy { internal; proxy_pass http://application/copy; }
        location /naming/ { proxy_set_header X-Naming "$janua_user|$janua_roles|$janua_reason"; add_header X-Named $janua_user always;
            proxy_pass http://application; }
        location /whole/ { proxy_set_header X-Shown "$args|$request_uri|$request|$arg_auth|$http_x_authentication|$http_authorization|$cookie_sid|$http_cookie";
            proxy_pass http://application$request_uri; }
        location /unbuffered/ { proxy_request_buffering off; proxy_pass http://application; }

        # paths read two ways
        location /raw/ { proxy_pass http://application; }
        location /x/ { proxy_pass http://application; }
    }
    server {
        listen 127.0.0.1:{other};
        client_body_buffer_size 64; client_max_body_size 200k;
        janua on;
        location / { proxy_pass http://application; }
    }
"""

PAGES = {
    "static/page.txt": "a page\n",
    "static/pretty.html": "a pretty page\n",
    "try/there.txt": "there\n",
    "hidden/file.txt": "hidden\n",
    "index/index.txt": "the index\n",
    "secret/word.txt": "abracadabra",
    "pages/both.html": '<p><!--#include virtual="/secret/word.txt" --></p>\n',
    "pages/administration.html": '<p><!--#include virtual="/admin/notes" --></p>\n',
    "open/pages/secret.html": '<p><!--#include virtual="/secret/word.txt" --></p>\n',
    "pages-off/secret.html": '<p><!--#include virtual="/secret/word.txt" --></p>\n',
    "pages-off/api.html": '<p><!--#include virtual="/off/part" --></p>\n',
    "pages-off/proxied.html": '<p><!--#include virtual="/inside/part" --></p>\n',
    "pages-other/api/secret.html": '<p><!--#include virtual="/secret/word.txt" --></p>\n',
}


class House:
    """Starts the shared nginx when it is first needed."""

    def __init__(self):
        self.nginx = None

    def running(self):
        """The shared nginx."""
        if self.nginx is None:
            nginx = Nginx("house", HTTP, upstream=Upstream(), main=POOLS)
            for name, text in PAGES.items():
                path = nginx.folder / "html" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            self.nginx = nginx.start()
        return self.nginx

    def close(self):
        """Ends it; raises when it did not end cleanly."""
        if self.nginx:
            nginx, self.nginx = self.nginx, None
            nginx.stop()

"""Facts 6 and 13: what `nginx -t` refuses, with file and line, and what it warns of."""

import os

from harness import Nginx
from promises import let_in, promise, refused, same
from upstream import Upstream

SERVER = "server { listen 127.0.0.1:{port}; janua on; location / { return 204; } }"


def said(name, http, main="", **site):
    """nginx -t on a configuration: exit code, what it said, the Nginx."""
    nginx = Nginx(f"config-{name}", http, main=main, **site)
    code, text = nginx.test()
    return code, text, nginx


def mistake(name, http, *words, line=None, main="", **site):
    """A configuration that must be refused: with the place in nginx.conf, and with all of the words."""
    code, text, nginx = said(name, http, main, **site)
    assert code != 0, f"{name}: accepted\n{text}"
    written = (nginx.folder / "nginx.conf").read_text().splitlines()
    expected = line and next(n for n, there in enumerate(written, 1) if line in there)
    place = f"nginx.conf:{expected}" if expected else "nginx.conf"
    for word in (place, *words):
        assert word in text, f"{name}: {word!r} is not in\n{text}"
    assert "panicked" not in text, text


@promise("fact 6: a mistake in janua.toml is told by -t with both files and lines", shared=False)
def in_the_file():
    http = "\n janua_config {janua};\n" + SERVER
    mistake("key", http, "janua.toml:3", "unknown key", "site", line="janua_config", lines=[("site ", "sit ")])
    mistake("type", http, "janua.toml:5", "boolean", line="janua_config", lines=[("secure  = false", 'secure = "no"')])
    mistake("users", http, "no-users.toml", line="janua_config", lines=[("users.toml", "no-users.toml")])
    mistake("profile", http, "no-profile.toml", lines=[("door.toml", "no-profile.toml")])
    mistake("store", http, "store.kind", line="janua_config", lines=[('"memory"', '"host"')])


@promise("fact 6: a missing or open configuration, keyring or users file is told by -t", shared=False)
def files():
    http = "\n janua_config {folder}/none.toml;\n" + SERVER
    mistake("missing", http, "none.toml", line="janua_config")
    nginx = Nginx("config-open", "\n janua_config {janua};\n" + SERVER)
    for file in ("keyring.toml", "users.toml"):
        os.chmod(nginx.folder / "janua" / file, 0o644)
        code, text = nginx.test()
        assert code != 0 and file in text and "nginx.conf:" in text, text
        os.chmod(nginx.folder / "janua" / file, 0o600)
    same("mended", nginx.test()[0], 0)


@promise("fact 13: `on` and `optional` without a configuration are errors at -t, `off` is none", shared=False)
def without():
    for word in ("on", "optional"):
        mistake(f"without-{word}", f"server {{ listen 127.0.0.1:{{port}};\n janua {word};\n location / {{ return 204; }} }}", "janua_config")
        mistake(f"inner-{word}", f"server {{ listen 127.0.0.1:{{port}}; location /a/ {{\n janua {word};\n root /nowhere; }} }}", "janua_config")
    code, text, _ = said("without-off", "server { listen 127.0.0.1:{port}; janua off; location / { return 204; } }")
    same(text, code, 0)


@promise("every directive is checked at -t: values, places, repetitions, names of profiles, prefixes and pools", shared=False)
def directives():
    def inside(text):
        return "janua_config {janua};\nserver { listen 127.0.0.1:{port}; janua on;\n location / {\n" + text + "\n root /nowhere; } }"

    mistake("word", inside("janua maybe;"), "maybe", line="janua maybe")
    mistake("no-word", inside("janua;"), "number of arguments", line="janua;")
    mistake("twice", inside("janua on;\njanua off;"), "duplicate", line="janua off")
    mistake("nobody", inside("janua_profile nobody;"), "nobody", line="janua_profile")
    mistake("profile-file", inside("janua_profile none.toml;"), "none.toml", line="janua_profile")
    mistake("prefix", inside("janua_prefix data;"), "janua_prefix", line="janua_prefix")
    mistake("prefix-end", inside("janua_prefix /data/;"), "prefix", line="janua_prefix")
    mistake("pool", inside("janua_thread_pool nowhere;"), "nowhere")
    mistake("one-pool", inside("janua_thread_pool default;\njanua_hash_pool default;"), "pool of its own")
    mistake("in-flight", inside("janua_in_flight 0;"), "1 or more", line="janua_in_flight")
    mistake("in-flight-word", inside("janua_in_flight many;"), "1 or more", line="janua_in_flight")
    mistake("in-location", inside("janua_config {janua};"), "not allowed here")
    mistake("config-twice", "janua_config {janua};\njanua_config {janua};\n" + SERVER, "duplicate")
    mistake("unknown", inside("janua_prefiks /x;"), "unknown directive", line="janua_prefiks")


@promise("fact 6: memory with several workers is refused at -t with the reason; with one, -t warns of what a reload drops", shared=False)
def workers():
    http = "\n janua_config {janua};\n" + SERVER
    for count in (2, 16):
        nginx = Nginx("config-workers", http, workers=count)
        code, text = nginx.test()
        assert code != 0 and "memory" in text and "worker" in text, text
    nginx = Nginx("config-one-worker", http)
    code, text = nginx.test()
    assert code == 0 and "[warn]" in text and "reload" in text and "session" in text, text
    nginx.write("server { listen 127.0.0.1:{port}; location / { return 204; } }", workers=2)
    same("two workers, no janua", nginx.test()[0], 0)


@promise("fact 13: relative paths count from the folder of the file that names them", shared=False)
def relative():
    code, text, _ = said("relative", "janua_config janua/janua.toml;\n" + SERVER)
    same(text, code, 0)


@promise("-t on a good configuration leaves nothing behind and needs no port", shared=False)
def harmless():
    nginx = Nginx("config-good", "janua_config {janua};\n" + SERVER)
    before = sorted(p.name for p in (nginx.folder / "janua").iterdir())
    same(nginx.test()[1], nginx.test()[0], 0)
    same("files", sorted(p.name for p in (nginx.folder / "janua").iterdir()), before)


@promise("one configuration named twice is one engine: a session of one server is good at the other", shared=False)
def one_engine():
    http = """
    server { listen 127.0.0.1:{port}; janua_config {janua}; janua on; location / { proxy_pass http://{upstream}; } }
    server { listen 127.0.0.1:{other}; janua_config {janua}; janua on; location / { proxy_pass http://{upstream}; } }"""
    from wire import ask

    with Nginx("one-engine", http, upstream=Upstream()) as nginx:
        cookie = nginx.login()
        let_in(ask(nginx.port, "GET", "/a", cookie), "Aladdin")
        let_in(ask(nginx.other, "GET", "/a", cookie), "Aladdin")


@promise("two configurations are two engines: a session or token of one opens nothing at the other", shared=False)
def two_engines():
    from harness import TARGET, site_folder
    from wire import ask

    second = site_folder(TARGET / "two-engines-second", lines=[("scenario.test", "second.test")])
    http = f"""
    janua on;
    server {{ listen 127.0.0.1:{{port}}; janua_config {{janua}}; location / {{ proxy_pass http://{{upstream}}; }} }}
    server {{ listen 127.0.0.1:{{other}}; janua_config {second}; location / {{ proxy_pass http://{{upstream}}; }} }}"""
    with Nginx("two-engines", http, upstream=Upstream()) as nginx:
        cookie, token = nginx.login(), nginx.token()
        let_in(ask(nginx.port, "GET", "/a", cookie), "Aladdin")
        refused(ask(nginx.other, "GET", "/a", cookie))
        refused(ask(nginx.other, "GET", "/a", f"X-Authentication: {token}"))


@promise("what one engine strips is stripped at every server: nobody knows which application trusts it", shared=False)
def one_strip_list():
    from harness import TARGET, site_folder

    second = site_folder(TARGET / "strip-second", extra='\n[headers]\nuser = "X-Second-User"\nstrip = ["X-Remote-User"]\n')
    http = f"""
    underscores_in_headers on;
    server {{ listen 127.0.0.1:{{port}}; janua_config {{janua}}; janua off; location / {{ proxy_pass http://{{upstream}}; }} }}
    server {{ listen 127.0.0.1:{{other}}; janua_config {second}; janua on; location / {{ proxy_pass http://{{upstream}}; }} }}"""
    with Nginx("one-strip-list", http, upstream=Upstream()) as nginx:
        answer = nginx.ask("GET", "/a", "X-Second-User: forged", "x_remote_user: forged", "X-Remote-User: forged", "X-User: forged")
        assert "forged" not in str(answer.json()["headers"]), answer


@promise("directives are inherited from http to server to location, and the innermost wins", shared=False)
def inherited():
    http = """
    janua_config {janua}; janua on;
    server { listen 127.0.0.1:{port};
        location / { proxy_pass http://{upstream};
            location /inner-off/ { janua off; proxy_pass http://{upstream}; location /inner-off/on/ { janua on; proxy_pass http://{upstream}; } }
            location /inner-optional/ { janua optional; proxy_pass http://{upstream}; } } }
    server { listen 127.0.0.1:{other}; janua off; location / { proxy_pass http://{upstream}; location /on/ { janua on; proxy_pass http://{upstream}; } } }"""
    from wire import ask

    with Nginx("inherited", http, upstream=Upstream()) as nginx:
        refused(nginx.ask("GET", "/a"))
        let_in(nginx.ask("GET", "/inner-off/a"), None)
        refused(nginx.ask("GET", "/inner-off/on/a"))
        let_in(nginx.ask("GET", "/inner-optional/a"), None)
        let_in(ask(nginx.other, "GET", "/a", "X-User: admin"), None)
        refused(ask(nginx.other, "GET", "/on/a"))

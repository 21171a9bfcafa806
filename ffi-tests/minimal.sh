#!/bin/sh
# The README's small program: what it says and how it exits. minimal.sh PATH-OF-MINIMAL; UNDER may hold a
# command to run it under.
minimal=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

expect() { # exit code, text, arguments of minimal...
    code=$1
    text=$2
    shift 2
    # shellcheck disable=SC2086
    said=$(${UNDER:-} "$minimal" "$@" 2>&1)
    got=$?
    if [ "$got" -ne "$code" ] || ! echo "$said" | grep -q "$text"; then
        echo "minimal $*: exit $got instead of $code, said: $said (wanted: $text)"
        failed=$((failed + 1))
    fi
}

cat >"$dir/janua.toml" <<'TOML'
[engine]
site = "data.test"
profile = "basic.toml"
secure = false
[keyring]
path = "ephemeral"
[store]
kind = "memory"
[directory]
htpasswd = "users.htpasswd"
TOML
cat >"$dir/basic.toml" <<'TOML'
name = "basic"
[proof.basic]
kind = "password"
at = ["auth:Basic"]
[[endpoint]]
name = "all"
match = ["* /**"]
do = "pass"
proof = ["basic"]
need = "user"
missing = { status = 401, type = "text/plain; charset=utf-8", body = "Who are you?" }
refused = { status = 401, type = "text/plain; charset=utf-8", body = "Who are you?" }
TOML
# Aladdin / OpenSesame
cat >"$dir/users.htpasswd" <<'USERS'
Aladdin:$2b$05$abcdefghijklmnopqrstuuOxBIk28OHx01w9TLxCax/ROqtDBIKGG
USERS

expect 2 usage
expect 1 JANUA_E "$dir/missing.toml" GET /
expect 1 "not allowed" "$dir/janua.toml" GET /reports
expect 1 "not allowed" "$dir/janua.toml" GET /reports "Basic QWxhZGRpbjp3cm9uZw=="
expect 0 "allowed: proven, principal \"Aladdin\"" "$dir/janua.toml" GET /reports "Basic QWxhZGRpbjpPcGVuU2VzYW1l"
echo "minimal: 5 checks, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# The demo host over real sockets: log-in, session, log-out, token, forged headers, bodies, slow and broken clients.
# host.sh PATH-OF-HOST; UNDER may hold a command to run it under.
host=$1
dir=$(mktemp -d) || exit 1
port=${PORT:-$((20000 + $$ % 20000))}
base=http://127.0.0.1:$port
checks=0
failed=0

cat >"$dir/users.toml" <<'TOML'
format = 1
[[tenant]]
id = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"
name = "Sample Vault"
[[user]]
id = "u-aladdin"
name = "Aladdin"
hash = "$2b$05$abcdefghijklmnopqrstuuOxBIk28OHx01w9TLxCax/ROqtDBIKGG"
roles = ["reader"]
tenants = ["{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"]
TOML
chmod 600 "$dir/users.toml"
cat >"$dir/janua.toml" <<'TOML'
[engine]
site = "data.test"
secure = false
[keyring]
path = "ephemeral"
[store]
kind = "memory"
[directory]
users = "users.toml"
[headers]
user = "X-User"
id = "X-User-Id"
TOML

# shellcheck disable=SC2086
${UNDER:-} "$host" "$dir/janua.toml" "$port" /api:mauro /REST:mfiles >"$dir/log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -qs listening "$dir/log" && break
    sleep 0.5
done

expect() { # what, pattern, text
    checks=$((checks + 1))
    if ! printf '%s' "$3" | grep -q -- "$2"; then
        failed=$((failed + 1))
        echo "$1: wanted $2, got: $3"
    fi
}

refuse() { # what, pattern, text
    checks=$((checks + 1))
    if printf '%s' "$3" | grep -q -- "$2"; then
        failed=$((failed + 1))
        echo "$1: did not want $2, got: $3"
    fi
}

raw() { # sends its input as it is, and ends
    timeout 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; cat >&3; head -c 300 <&3" | tr -d '\r\0'
}

json="Content-Type: application/json"
login='{"username":"Aladdin","password":"OpenSesame"}'
mauro=$base/api/authentication/login
expect "wrong password" "401" "$(curl -si -H "$json" -d '{"username":"Aladdin","password":"pa55w0rd"}' "$mauro")"
expect "log-in" "JSESSIONID=" "$(curl -si -c "$dir/jar" -H "$json" -d "$login" "$mauro")"
expect "log-in, body announced" "200 OK" "$(curl -si -H "$json" -H 'Expect: 100-continue' -d "$login" "$mauro")"
expect "session" '"X-User":"Aladdin"' "$(curl -s -b "$dir/jar" "$base/api/models")"
told=$(curl -s -b "$dir/jar" -H 'X-User: root' -H 'X_User: root' -H 'x.user-id: root' "$base/api/models")
expect "forged names are removed" '"X-User":"Aladdin"' "$told"
refuse "forged names are removed" root "$told"
refuse "forged without proof" root "$(curl -s -H 'X-User: root' -H 'X_User_Id: root' "$base/api/models")"
expect "log-out" "204" "$(curl -si -b "$dir/jar" "$base/api/authentication/logout")"
expect "dead session" "401" "$(curl -si -b "$dir/jar" "$base/api/models")"
token=$(curl -s -H "$json" -d '{"Username":"Aladdin","Password":"OpenSesame","SessionID":"1","VaultGuid":"{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"}' \
    "$base/REST/server/authenticationtokens" | sed -n 's/.*"Value":"\([^"]*\)".*/\1/p')
expect "token" '^[A-Za-z0-9_-]\{199\}$' "$token"
expect "token proves" '"X-User-Id":"u-aladdin"' "$(curl -s -H "X-Authentication: $token" "$base/REST/views/items")"
expect "no token" " 40[13] " "$(curl -si "$base/REST/views/items")"
expect "no site" "404" "$(curl -si "$base/elsewhere")"
expect "body over the limit" " 4[01][0-9] " "$(head -c 200000 /dev/zero | tr '\0' ' ' | curl -si -H "$json" --data-binary @- "$mauro")"

expect "two lengths" " 400 " "$(printf 'POST /api/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' | raw)"
expect "chunked" " 501 " "$(printf 'POST /api/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' | raw)"
expect "folded" " 400 " "$(printf 'GET /api/x HTTP/1.1\r\nA: b\r\n c\r\n\r\n' | raw)"
expect "NUL" " 400 " "$(printf 'GET /api/x HTTP/1.1\r\nA: b\0c\r\n\r\n' | raw)"
expect "above the root" " 400 " "$(printf 'GET /%%2e%%2e/api HTTP/1.1\r\n\r\n' | raw)"
expect "double meaning" " 40[0-9] " "$(printf 'GET /api/x/%%2e%%2e/models HTTP/1.1\r\n\r\n' | raw)"
expect "endless head" " 431 " "$(head -c 40000 /dev/zero | tr '\0' a | raw)"
expect "silence" " 408 " "$(printf 'GET /api' | raw)"
expect "a body that never comes" " 408 " "$(printf 'POST /api/authentication/login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{' | raw)"
expect "still serving" '"path":"/api/models"' "$(curl -s "$base/api/models")"
expect "audit" "login logged-in principal=u-aladdin" "$(cat "$dir/log")"
refuse "no password in the log" "OpenSesame\|pa55w0rd" "$(cat "$dir/log")"
kill "$pid"
wait "$pid" 2>/dev/null
refuse "sanitizer" "ERROR: AddressSanitizer\|Invalid read\|Invalid write\|uninitialised" "$(cat "$dir/log")"
echo "host: $checks checks, $failed failed"
[ "$failed" -eq 0 ]

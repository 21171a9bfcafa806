"""The Python package `mfiles` against a door, as its users use it: mfiles_client.py http://HOST:PORT/REST

The package posts to server/authenticationtokens without a Content-Type, sends what it got as X-Authentication, keeps cookies,
and says PUT by `?_method=PUT`. Behind the door an upstream tells what it was told.
"""

import sys
import tempfile

import mfiles

VAULT = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"
OTHER = "{1F0A6C3E-7D52-4E0B-9A64-0B7C5D2E9F11}"
done = []


def holds(what, true):
    """One promise."""
    print(f"  {'ok  ' if true else 'FAIL'} mfiles: {what}")
    done.append(bool(true))


def refused(call):
    """The text of the refusal, or nothing when there was none."""
    try:
        call()
    except mfiles.MFilesException as error:
        return str(error)
    return ""


def main():
    """Log in, use, refuse."""
    server = sys.argv[1]
    client = mfiles.MFilesClient(server=server, user="AlexK", password="My Password", vault=VAULT)
    holds("logging in gives a token", len(client.headers["X-Authentication"]) == 199)
    told = client.objects()["told"]
    holds("the token is the user in his vault", told["X-User"] == "AlexK" and told["X-Tenant"] == VAULT)
    holds("a search reaches the upstream", client.quick_search("plan")["path"] == "/REST/objects")
    told = client.check_out(17)
    holds("PUT by _method is PUT for the upstream", told["method"] == "PUT" and told["path"].endswith("/17/latest/checkedout"))
    holds("a POST carries its body through", client.post("files", b"\x00\x01binary")["told"]["X-User"] == "AlexK")
    holds("DELETE", client.destroy_object(0, 17).json()["method"] == "DELETE")
    with tempfile.NamedTemporaryFile() as file:
        holds("a download", client.download_file(file.name, 0, 17, 1))
    holds("the session says who it is", client.get("session")["AccountName"] == "AlexK")
    holds("the vaults of the user", [v["GUID"] for v in client.get("/server/vaults")] == [VAULT])

    wrong = mfiles.MFilesClient(server=server, user="AlexK", password="my password", vault=VAULT)
    holds("a wrong password logs in, as in the original", len(wrong.headers["X-Authentication"]) == 199)
    text = refused(wrong.objects)
    holds("and is refused at the first use", '"Message":"Login to application failed"' in text)
    holds("without the password in the answer", text and "my password" not in text)

    other = mfiles.MFilesClient(server=server, user="AlexK", password="My Password", vault=VAULT)
    other.set_vault(OTHER)
    holds("a vault of others stays shut", '"Status":403' in refused(other.objects))
    holds("the first client still works", client.objects()["told"]["X-User"] == "AlexK")
    return 0 if all(done) else 1


sys.exit(main())

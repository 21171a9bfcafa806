"""SOAP clients made from the product's WSDL, and a REST client, as their users use them: menandmice_client.py http://HOST:PORT

zeep and suds-community read menandmice.wsdl.xz (the WSDL of a 2017 server, 197 operations) and write the envelopes; the
certificate plug-in certbot-dns-micetro speaks REST with a Bearer token. None of them is changed. Behind the door an
upstream tells what it was told; it speaks no SOAP, so what passes is read as it came.
"""

import json
import logging
import lzma
import pathlib
import sys
import tempfile
import urllib.request
import xml.sax

import suds
import suds.client
import suds.plugin
import zeep
import zeep.exceptions
from certbot import errors
from certbot_dns_micetro.dns_micetro import _MicetroClient

NAMESPACE = "{http://menandmice.com/webservices/}"
WSDL = pathlib.Path(__file__).with_name("menandmice.wsdl.xz")
done = []


def holds(what, true):
    """One promise."""
    print(f"  {'ok  ' if true else 'FAIL'} menandmice: {what}")
    done.append(bool(true))


def told(text):
    """What the upstream was told of the caller."""
    return json.loads(text)["told"]


def zeep_walk(wsdl, binding, url):
    """Log in, use, log out, refuse."""
    client = zeep.Client(wsdl)
    service = client.create_service(NAMESPACE + binding, url)

    def fault(call):
        try:
            call()
        except zeep.exceptions.Fault as error:
            return error.message
        return ""

    who = f"zeep, {binding} at {url.split('/', 3)[3]}"
    session = service.Login(server="localhost", loginName="Aladdin", password="OpenSesame")
    holds(f"{who}: a session of 22 characters", isinstance(session, str) and len(session) == 22)
    with client.settings(raw_response=True):
        answer = service.GetUsers(session=session)
    holds(f"{who}: an operation reaches the upstream in the user's name", told(answer.text)["X-User"] == "Aladdin")
    holds(f"{who}: log out", service.Logout(session=session) is None)
    holds(f"{who}: the session is dead", fault(lambda: service.GetUsers(session=session)) == "Invalid or expired session")
    wrong = fault(lambda: service.Login(server="localhost", loginName="Aladdin", password="wrong"))
    holds(f"{who}: a wrong password is a fault", wrong == "Invalid username or password.")
    return service.Login(server="localhost", loginName="Aladdin", password="OpenSesame")


class Seen(suds.plugin.MessagePlugin):
    """Keeps what came back, before suds reads it."""

    reply = b""

    def received(self, context):
        self.reply = context.reply


def suds_walk(wsdl, url):
    """The same by the other library, which asks the WSDL in another way."""
    seen = Seen()
    client = suds.client.Client(pathlib.Path(wsdl).as_uri(), location=url, cache=None, plugins=[seen])
    session = str(client.service.Login(server="localhost", loginName="AlexK", password="My Password"))
    holds("suds: a session of 22 characters", len(session) == 22)
    try:
        client.service.GetUsers(session=session)
    except xml.sax.SAXParseException:
        """The upstream's answer is no XML."""
    holds("suds: an operation reaches the upstream", told(seen.reply)["X-User"] == "AlexK")
    holds("suds: log out", client.service.Logout(session=session) is None)
    try:
        client.service.GetUsers(session=session)
        text = ""
    except suds.WebFault as error:
        text = error.fault.faultstring
    holds("suds: the session is dead", text == "Invalid or expired session")


def certbot_walk(base, soap_session):
    """The plug-in logs in when it is made, and sends its token with each request."""
    client = _MicetroClient("AlexK", "My Password", base + "/mmws/api/v2/")
    answer = client.session.get(client.base_url + "/dnsZones", params={"filter": "x"})
    holds("certbot: the token is the user", told(answer.text)["X-User"] == "AlexK")
    answer = client.session.post(client.base_url + "/dnsRecords", json={"dnsRecords": [{"name": "x"}]})
    holds("certbot: a POST with a body", answer.status_code == 200 and answer.json()["method"] == "POST")
    answer = client.session.delete(client.base_url + "/dnsRecords/17")
    holds("certbot: a DELETE", answer.json()["method"] == "DELETE")
    try:
        client.add_txt_record("example.org", "_acme-challenge.example.org", "x", 60)
        text = ""
    except errors.PluginError as error:
        text = str(error)
    holds("certbot: its own search is let through, to an upstream without zones", "Unable to determine zone_id" in text)
    client.session.headers["Authorization"] = f"Bearer {soap_session}"
    answer = client.session.get(client.base_url + "/dnsZones")
    holds("certbot: a session made over SOAP is a token here", told(answer.text)["X-User"] == "Aladdin")
    answer = client.session.post(base + "/mmws/api/commands/Logout")
    holds("certbot: log out", answer.status_code == 200)
    answer = client.session.get(client.base_url + "/dnsZones")
    dead = {"error": {"code": 1042, "message": "Invalid or expired session"}}
    holds("certbot: a dead token is 401 with the error object", answer.status_code == 401 and answer.json() == dead)
    try:
        _MicetroClient("AlexK", "wrong", base + "/mmws/api/v2")
        text = ""
    except errors.PluginError as error:
        text = str(error)
    holds("certbot: a wrong password is told as such", "401" in text and "Authentication failed" in text)


def main():
    """All of them, against all doors."""
    base = sys.argv[1]
    logging.disable(logging.CRITICAL)
    with tempfile.NamedTemporaryFile(suffix=".wsdl") as file:
        file.write(lzma.decompress(WSDL.read_bytes()))
        file.flush()
        session = zeep_walk(file.name, "ServiceSoap", base + "/_mmwebext/mmwebext.dll?Soap")
        zeep_walk(file.name, "ServiceSoap12", base + "/mmws/soap")
        suds_walk(file.name, base + "/Soap?")
    certbot_walk(base, session)
    with urllib.request.urlopen(base + "/_mmwebext/mmwebext.dll?WSDL?server=localhost") as answer:
        seen = json.loads(answer.read())
    holds("the WSDL is asked of the upstream, for nobody", seen["query"] == "WSDL?server=localhost" and seen["told"] == {})
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

//! Who is calling: the peer, or, behind proxies that the configuration trusts, the address and scheme they report.
//!
//! Only a trusted peer's `X-Forwarded-For` and `X-Forwarded-Proto` are believed; from anybody else they are noise.

use crate::base::{Error, Result};
use crate::parse::{Request, header};
use std::net::IpAddr;

/// What the configuration calls the peers of Unix sockets; hosts give their address as this, with or without a path.
const SOCKETS: &str = "unix:";

/// Proxies whose word is taken.
pub(crate) struct Proxies {
    networks: Vec<(IpAddr, u8)>,
    /// And whoever comes over a Unix socket.
    sockets: bool,
}

/// The client as the rules of the engine see it.
#[derive(Clone, Copy)]
pub(crate) struct Client<'r> {
    /// Its address as text.
    pub address: &'r [u8],
    /// Whether its own request came over TLS.
    pub secure: bool,
}

impl Proxies {
    /// Reads addresses and networks (`10.0.0.0/8`, `::1`), and `unix:`.
    pub fn parse(list: &[String]) -> Result<Proxies> {
        let addresses = list.iter().filter(|item| *item != SOCKETS);
        let networks = addresses.map(|item| network(item)).collect::<Result<Vec<_>>>()?;
        Ok(Proxies { sockets: networks.len() < list.len(), networks })
    }

    /// The client of a request. Costs nothing when no proxy is configured.
    pub fn client<'r>(&self, request: &Request<'r>) -> Client<'r> {
        let peer = Client { address: request.client, secure: request.secure };
        // Only a peer is believed to be a socket's, never what stands in a header.
        let socket = self.sockets && request.client.starts_with(SOCKETS.as_bytes());
        if !socket && (self.networks.is_empty() || !self.trusts(request.client)) {
            return peer;
        }
        let mut address = request.client;
        let lines = request.headers.iter().rev().filter(|h| header::same(h.name, b"x-forwarded-for"));
        'lines: for line in lines {
            for hop in line.value.rsplit(|b| *b == b',').map(bare).filter(|hop| !hop.is_empty()) {
                address = hop;
                if !self.trusts(address) {
                    break 'lines;
                }
            }
        }
        let secure = match header::one(request.headers, b"x-forwarded-proto") {
            Ok(proto) => proto.map_or(request.secure, |p| p.trim_ascii().eq_ignore_ascii_case(b"https")),
            // Twice: the client sent one of them, and nobody knows which.
            Err(_) => false,
        };
        Client { address, secure }
    }

    fn trusts(&self, address: &[u8]) -> bool {
        let parsed = std::str::from_utf8(address).ok().and_then(|a| a.parse::<IpAddr>().ok());
        parsed.is_some_and(|a| self.networks.iter().any(|(net, bits)| covers(*net, *bits, a.to_canonical())))
    }
}

/// The address of a hop without the port that some proxies add: `192.0.2.1:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`.
/// With it, all clients of such a proxy would be no address, and one to the throttle.
fn bare(hop: &[u8]) -> &[u8] {
    let hop = hop.trim_ascii();
    if let Some(inside) = hop.strip_prefix(b"[") {
        return inside.split(|b| *b == b']').next().unwrap_or(hop);
    }
    let mut parts = hop.split(|b| *b == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(address), Some(_port), None) => address,
        _ => hop,
    }
}

fn network(item: &str) -> Result<(IpAddr, u8)> {
    let wrong = || {
        Error::invalid(format!(
            "engine.trusted_proxies: `{item}` is no address, no network like 10.0.0.0/8 and not unix:"
        ))
    };
    let (address, bits) = item.split_once('/').map_or((item, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |b| b.parse::<u8>().map_err(|_| wrong()))?;
    if bits > most { Err(wrong()) } else { Ok((address, bits)) }
}

fn covers(net: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            net.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            net.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Body, Header};

    fn plain() -> Request<'static> {
        Request {
            method: b"GET",
            path: b"/",
            raw_path: b"/",
            query: b"",
            client: b"",
            headers: &[],
            body: Body::NotRead,
            secure: false,
        }
    }

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> (String, bool) {
        client_over(peer, headers, false)
    }

    fn client_over(peer: &str, headers: &[(&'static str, &'static str)], secure: bool) -> (String, bool) {
        let proxies = Proxies::parse(&["10.0.0.0/8".into(), "::1".into()]).unwrap();
        let headers: Vec<_> = headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }).collect();
        let request = Request { client: peer.as_bytes(), headers: &headers, secure, ..plain() };
        let client = proxies.client(&request);
        (String::from_utf8_lossy(client.address).into_owned(), client.secure)
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        let forged = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")];
        assert_eq!(client("198.51.100.7", &forged), ("198.51.100.7".into(), false));
        assert_eq!(client("10.1.2.3", &forged), ("203.0.113.9".into(), true));
        assert_eq!(client("::1", &forged), ("203.0.113.9".into(), true));
    }

    #[test]
    fn the_first_untrusted_hop_from_the_right_is_the_client() {
        let headers = [("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.9.9.9"), ("X-FORWARDED-FOR", "10.8.8.8")];
        assert_eq!(client("10.1.2.3", &headers).0, "203.0.113.9");
    }

    #[test]
    fn a_port_or_an_empty_hop_hides_no_client() {
        for (hops, expected) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("203.0.113.9, 10.9.9.9:80", "203.0.113.9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("2001:db8::9", "2001:db8::9"),
            ("203.0.113.9, , ", "203.0.113.9"),
            ("", "10.1.2.3"),
        ] {
            assert_eq!(client("10.1.2.3", &[("X-Forwarded-For", hops)]).0, expected, "{hops}");
        }
    }

    #[test]
    fn a_unix_socket_is_believed_where_the_configuration_names_it() {
        let headers = [Header { name: b"X-Forwarded-For", value: b"198.51.100.7, 203.0.113.9" }];
        let of = |list: &[&str], peer: &'static str, value: &'static str| {
            let proxies = Proxies::parse(&list.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>()).unwrap();
            let headers = headers.map(|header| Header { value: value.as_bytes(), ..header });
            let request = Request { client: peer.as_bytes(), headers: &headers, ..plain() };
            String::from_utf8_lossy(proxies.client(&request).address).into_owned()
        };
        for peer in ["unix:", "unix:/run/app.sock"] {
            assert_eq!(of(&["unix:"], peer, "198.51.100.7, 203.0.113.9"), "203.0.113.9");
            assert_eq!(of(&["::1", "unix:", "203.0.113.0/24"], peer, "198.51.100.7, 203.0.113.9"), "198.51.100.7");
            assert_eq!(of(&["unix:"], peer, ""), peer, "no word, no address");
            assert_eq!(of(&["127.0.0.1"], peer, "203.0.113.9"), peer, "not named");
        }
        for peer in ["", "unix", "127.0.0.1"] {
            assert_eq!(of(&["unix:"], peer, "203.0.113.9"), peer, "no socket");
        }
        let hop = of(&["unix:"], "unix:", "198.51.100.7, unix:");
        assert_ne!(hop, "198.51.100.7", "a hop that claims to be a socket is not trusted");
    }

    #[test]
    fn two_schemes_are_no_tls() {
        let both = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")];
        assert!(!client("10.1.2.3", &both).1);
        assert!(!client("10.1.2.3", &[("X-Forwarded-Proto", "https, http")]).1);
        let over_tls = client_over("10.1.2.3", &both, true);
        assert!(!over_tls.1, "nor when the proxy itself came over TLS");
    }

    #[test]
    fn nonsense_in_the_configuration_is_refused() {
        for wrong in ["10.0.0.0/33", "proxy.example.org", "10.0.0.0/x", ""] {
            assert!(Proxies::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(covers("0.0.0.0".parse().unwrap(), 0, "9.9.9.9".parse().unwrap()));
    }
}

//! A client's address as the throttle counts it: IPv4 alone, IPv6 by its /64, with the /56 and /48 around it.
//!
//! A household has a /64 or a /56, a company a /48: who counts single IPv6 addresses counts nothing.

use std::net::{IpAddr, Ipv6Addr};

/// A network, in the bytes that tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    /// Kind (4, 6, or 0 for no address at all), length of the prefix in bytes, and the prefix.
    bytes: [u8; 10],
    used: usize,
}

impl Net {
    /// The network of an address in text. IPv4 in an IPv6 coat is IPv4; a zone is left away. What is no address (a Unix
    /// socket of no trusted proxy) is one network: its clients cannot be told apart, so they count together, rather than
    /// not at all.
    pub(super) fn of(client: &[u8]) -> Net {
        let text = std::str::from_utf8(client).unwrap_or_default();
        let address = text.split('%').next().unwrap_or(text).parse::<IpAddr>();
        match address.map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Net::build(4, &address.octets()),
            Ok(IpAddr::V6(address)) => Net::prefix(&address, 8),
            Err(_) => Net::build(0, &[]),
        }
    }

    fn prefix(address: &Ipv6Addr, length: usize) -> Net {
        Net::build(6, address.octets().get(..length).unwrap_or_default())
    }

    fn build(kind: u8, prefix: &[u8]) -> Net {
        let mut bytes = [0; 10];
        for (to, from) in bytes.iter_mut().zip([kind, prefix.len() as u8].iter().chain(prefix)) {
            *to = *from;
        }
        Net { bytes, used: 2 + prefix.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&self.bytes)
    }

    /// The /56 and the /48 around an IPv6 network; none for others.
    pub(super) fn wider(&self) -> [Option<Net>; 2] {
        match self.bytes {
            [6, _, prefix @ ..] => [prefix.get(..7), prefix.get(..6)].map(|prefix| prefix.map(|p| Net::build(6, p))),
            _ => [None, None],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_their_network() {
        let same = |a: &str, b: &str| Net::of(a.as_bytes()) == Net::of(b.as_bytes());
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("fe80::1%eth0", "fe80::2"));
        assert!(same("unix:", "no address"));
        assert!(!same("unix:", "0.0.0.0"));
    }

    #[test]
    fn wider_networks_hold_the_narrow_ones() {
        let [a, b, c] = ["2001:db8:1:201::1", "2001:db8:1:2ff::1", "2001:db8:1:300::1"].map(|t| Net::of(t.as_bytes()));
        assert_eq!(a.wider()[0], b.wider()[0], "one /56");
        assert_ne!(a.wider()[0], c.wider()[0]);
        assert_eq!(a.wider()[1], c.wider()[1], "one /48");
        assert_eq!(Net::of(b"192.0.2.1").wider(), [None, None]);
        assert_ne!(a.wider()[0].unwrap().bytes(), a.wider()[1].unwrap().bytes());
    }
}

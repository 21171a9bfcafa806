//! Input: a path as routed, a line end, then the path as received.

use super::{first_line, lies_in};
use janua::parse::path;

pub fn run(data: &[u8]) {
    let (routed, raw) = first_line(data);
    let mut room = vec![0; raw.len()];
    let start = room.as_ptr_range();
    let decoded = path::decode_once(raw, &mut room).map(|decoded| {
        assert!(decoded.is_empty() || start.contains(&decoded.as_ptr()));
        decoded.to_vec()
    });
    if let Some(decoded) = &decoded {
        assert!(raw.contains(&b'%') || decoded == raw);
        assert!(decoded.is_empty() || path::decode_once(raw, &mut vec![0; decoded.len() - 1]).is_none());
        assert_eq!(path::decode_once(&encode(decoded), &mut room_for(decoded)), Some(&decoded[..]));
    }
    assert!(decoded.is_some() || path::is_ambiguous(raw), "what cannot be decoded has no one reading");
    if raw.starts_with(b"/") {
        one_reading(routed, raw, decoded.as_deref());
    } else {
        assert!(!path::agree(routed, raw) || raw.is_empty() || routed == raw);
    }
    assert!(lies_in(raw, data));
}

fn one_reading(routed: &[u8], raw: &[u8], decoded: Option<&[u8]>) {
    if !path::is_ambiguous(raw) {
        let decoded = decoded.unwrap();
        assert!(path::agree(decoded, raw), "nothing to resolve");
        assert!(!path::agree(routed, raw) || merged(routed) == merged(decoded));
    }
    if !path::agree(routed, raw) {
        return;
    }
    assert!(routed.starts_with(b"/") && decoded.is_some_and(|decoded| routed.len() <= decoded.len()));
    assert!(!routed.split(|&byte| byte == b'/').any(|segment| segment == b"." || segment == b".."));
    assert!(path::agree(routed, &encode(routed)), "what is resolved stays as it is");
    for more in [&b"/"[..], b"x", b"/x"] {
        let longer = [routed, more].concat();
        assert!(!path::agree(&longer, raw) || merged(&longer) == merged(routed), "only slashes may be merged or not");
    }
}

/// Everything but the slashes escaped.
fn encode(path: &[u8]) -> Vec<u8> {
    let escaped = |&byte: &u8| if byte == b'/' { vec![byte] } else { format!("%{byte:02X}").into_bytes() };
    path.iter().flat_map(escaped).collect()
}

fn room_for(decoded: &[u8]) -> Vec<u8> {
    vec![0; decoded.len()]
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|a, b| *a == b'/' && *b == b'/');
    out
}

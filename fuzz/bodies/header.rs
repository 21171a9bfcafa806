//! Input: a header's name, a line end, then lines of `name: value`.

use super::{first_line, lies_in};
use janua::base::Reason;
use janua::parse::{Header, header};

pub fn run(data: &[u8]) {
    let (name, lines) = first_line(data);
    let headers: Vec<_> = lines.split(|&byte| byte == b'\n').map(split).collect();
    names(name, &headers);

    let alike: Vec<_> = headers.iter().filter(|line| header::canonical_same(line.name, name)).collect();
    match header::one(&headers, name) {
        Ok(None) => assert!(alike.is_empty()),
        Ok(Some(value)) => assert!(lies_in(value, lines) && alike.len() == 1 && header::same(alike[0].name, name)),
        Err(Reason::Duplicate) => assert!(alike.len() > 1),
        Err(reason) => assert!(reason == Reason::Malformed && alike.len() == 1),
    }

    let items: Vec<_> = header::listed(&headers, name).collect();
    for item in &items {
        assert!(lies_in(item, lines) && !item.is_empty() && !item.contains(&b','));
        assert!(!item.starts_with(b" ") && !item.ends_with(b"\t"));
    }
    let joined = items.join(&b", "[..]);
    let again = [Header { name, value: &joined }];
    assert_eq!(header::listed(&again, name).collect::<Vec<_>>(), items);
}

fn names(name: &[u8], headers: &[Header<'_>]) {
    let canonical = header::canonical(name);
    assert_eq!(header::canonical(canonical.as_bytes()), canonical);
    assert!(header::canonical_same(name, canonical.as_bytes()));
    for other in headers.iter().map(|line| line.name) {
        assert_eq!(header::canonical_same(name, other), canonical == header::canonical(other));
        assert_eq!(header::canonical_same(name, other), header::canonical_same(other, name));
        assert!(!header::same(name, other) || header::canonical_same(name, other));
    }
}

fn split(line: &[u8]) -> Header<'_> {
    let end = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
    Header { name: &line[..end], value: line.get(end + 1..).unwrap_or_default() }
}

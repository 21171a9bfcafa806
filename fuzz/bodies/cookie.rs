//! Input: a cookie's name, a line end, then the `Cookie` header's lines.

use super::{first_line, lies_in};
use janua::parse::{Header, cookie, header};

pub fn run(data: &[u8]) {
    let (name, lines) = first_line(data);
    let headers: Vec<_> = lines.split(|&byte| byte == b'\n').map(|value| Header { name: b"Cookie", value }).collect();
    let values: Vec<_> = cookie::all(&headers, name).collect();

    let length: usize = headers.iter().map(|header| header.value.len()).sum();
    assert_eq!(cookie::too_large(&headers), length > header::MAX_VALUE);
    assert!(length <= header::MAX_VALUE || values.is_empty());
    assert!(values.len() <= lines.iter().filter(|&&byte| byte == b'=').count());
    assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&b';') || values.is_empty());
    for value in &values {
        assert!(lies_in(value, lines) && !value.contains(&b';'));
    }

    let quoted: Vec<_> = values.iter().map(|value| [name, b"=\"", value, b"\""].concat()).collect();
    let line = quoted.join(&b"; "[..]);
    let again = [Header { name: b"cookie", value: &line }, Header { name: b"Cookie2", value: lines }];
    if !cookie::too_large(&again) {
        assert_eq!(cookie::all(&again, name).collect::<Vec<_>>(), values);
    }
}

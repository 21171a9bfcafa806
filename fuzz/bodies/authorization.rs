//! Input: the value of an `Authorization` header.

use super::lies_in;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use janua::base::Reason;
use janua::parse::authorization::{self, MAX_BASIC, Scheme};
use janua::parse::header::MAX_VALUE;

pub fn run(data: &[u8]) {
    let (scheme, rest) = authorization::scheme(data);
    assert!(lies_in(rest, data));
    basic(data, scheme);
    for (read, prefix, wanted) in [
        (authorization::bearer as fn(&[u8]) -> Result<&[u8], Reason>, "Bearer ", Scheme::Bearer),
        (authorization::negotiate, "Negotiate ", Scheme::Negotiate),
    ] {
        match read(data) {
            Ok(token) => {
                assert_eq!(scheme, wanted);
                assert!(lies_in(token, data) && token == rest && !token.is_empty());
                assert!(token.iter().all(u8::is_ascii_graphic));
                let again = [prefix.as_bytes(), token].concat();
                assert_eq!(read(&again), Ok(token));
            }
            Err(reason) => assert_eq!(reason == Reason::TooLarge, data.len() > MAX_VALUE),
        }
    }
}

fn basic(data: &[u8], scheme: Scheme) {
    let mut scratch = [0xaa; MAX_BASIC];
    let Ok(pair) = authorization::basic(data, &mut scratch) else {
        assert_eq!(scratch, [0; MAX_BASIC], "a refused pair leaves nothing behind");
        return;
    };
    assert_eq!(scheme, Scheme::Basic);
    assert!(!pair.user.contains(&b':'));
    for part in [pair.user, pair.password] {
        assert!(std::str::from_utf8(part).is_ok_and(|text| !text.bytes().any(|byte| byte.is_ascii_control())));
    }
    let joined = [pair.user, b":", pair.password].concat();
    assert!(joined.len() <= MAX_BASIC);
    let again = format!("Basic {}", STANDARD.encode(&joined));
    let mut room = [0; MAX_BASIC];
    let same = authorization::basic(again.as_bytes(), &mut room);
    assert!(same.is_ok_and(|same| same.user == pair.user && same.password == pair.password));
}

//! The `Authorization` header: Basic (RFC 7617), Bearer (RFC 6750), Negotiate (RFC 4559).
//!
//! Called by `profile` for places of kind `auth`, and by `ffi`. Looks at bytes only: no clock, no key, no directory. A
//! value that is not well-formed is refused here, so that nothing behind this file ever sees half a credential. No
//! function allocates, and none reads more than [`MAX_VALUE`] bytes.

use super::header::{MAX_VALUE, trim};
use crate::base::{Reason, encoding, secret};
use base64::Engine as _;

/// Longest decoded pair of a user and a password, with the colon, in bytes.
pub const MAX_BASIC: usize = 1024;

/// How a credential is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    Bearer,
    Negotiate,
    /// Any other scheme, or none.
    Other,
}

/// A user and a password as the client sent them, borrowed from the caller's scratch buffer. Both are UTF-8 and free
/// of control characters; either may be empty. No `Debug`: it holds a password.
pub struct Basic<'a> {
    pub user: &'a [u8],
    pub password: &'a [u8],
}

/// The scheme of a header value, and what follows it without surrounding blanks. The scheme's case does not count
/// (RFC 9110 section 11.1). Looks at the start of the value only.
pub fn scheme(value: &[u8]) -> (Scheme, &[u8]) {
    const LONGEST: usize = b"Negotiate".len();
    let value = trim(value);
    let window = value.get(..=LONGEST).unwrap_or(value);
    let end = window.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(window.len());
    let (name, rest) = value.split_at(end);
    let scheme = match name {
        _ if name.eq_ignore_ascii_case(b"Basic") => Scheme::Basic,
        _ if name.eq_ignore_ascii_case(b"Bearer") => Scheme::Bearer,
        _ if name.eq_ignore_ascii_case(b"Negotiate") => Scheme::Negotiate,
        _ => Scheme::Other,
    };
    (scheme, trim(rest))
}

/// Decodes a header value, scheme included, into `scratch`. The first colon ends the user.
///
/// Errors: [`Reason::Malformed`] for another scheme, bad base64, no colon, a control character, or bytes that are not
/// UTF-8; [`Reason::TooLarge`] beyond [`MAX_BASIC`] bytes. On an error `scratch` is wiped. An empty user is
/// well-formed; whether it is allowed is policy's word.
pub fn basic<'a>(value: &[u8], scratch: &'a mut [u8; MAX_BASIC]) -> Result<Basic<'a>, Reason> {
    let pair = pair_in(value, scratch);
    if pair.is_err() {
        secret::wipe(scratch);
    }
    let (colon, end) = pair?;
    let decoded = scratch.get(..end).ok_or(Reason::Malformed)?;
    let (user, rest) = decoded.split_at_checked(colon).ok_or(Reason::Malformed)?;
    let (_, password) = rest.split_first().ok_or(Reason::Malformed)?;
    Ok(Basic { user, password })
}

/// Decodes into `scratch`; the offsets of the colon and of the end.
fn pair_in(value: &[u8], scratch: &mut [u8; MAX_BASIC]) -> Result<(usize, usize), Reason> {
    const LONGEST_TEXT: usize = MAX_BASIC.div_ceil(3) * 4;
    let text = credential(value, Scheme::Basic)?;
    if text.len() > LONGEST_TEXT {
        return Err(Reason::TooLarge);
    }
    let end = encoding::BASE64.decode_slice(text, scratch).map_err(|error| match error {
        base64::DecodeSliceError::OutputSliceTooSmall => Reason::TooLarge,
        base64::DecodeSliceError::DecodeError(_) => Reason::Malformed,
    })?;
    let decoded = scratch.get(..end).ok_or(Reason::Malformed)?;
    if decoded.iter().any(u8::is_ascii_control) || std::str::from_utf8(decoded).is_err() {
        return Err(Reason::Malformed);
    }
    let colon = decoded.iter().position(|&byte| byte == b':').ok_or(Reason::Malformed)?;
    Ok((colon, end))
}

/// The token of a Bearer value (b64token, RFC 6750 section 2.1).
///
/// Errors: [`Reason::Malformed`] for another scheme, an empty token, or a byte that no token may hold;
/// [`Reason::TooLarge`] beyond [`MAX_VALUE`] bytes.
pub fn bearer(value: &[u8]) -> Result<&[u8], Reason> {
    let token = credential(value, Scheme::Bearer)?;
    token68(token, |byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The base64 text of a Negotiate value, recognised but not decoded. Errors: as [`bearer`].
pub fn negotiate(value: &[u8]) -> Result<&[u8], Reason> {
    let text = credential(value, Scheme::Negotiate)?;
    token68(text, |byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// What follows the scheme, if it is the wanted one and the whole is not too long to look at.
fn credential(value: &[u8], wanted: Scheme) -> Result<&[u8], Reason> {
    if value.len() > MAX_VALUE {
        return Err(Reason::TooLarge);
    }
    match scheme(value) {
        (found, rest) if found == wanted => Ok(rest),
        _ => Err(Reason::Malformed),
    }
}

/// `text` if it is at least one of the `allowed` bytes and then nothing but padding.
fn token68(text: &[u8], allowed: impl Fn(u8) -> bool) -> Result<&[u8], Reason> {
    let end = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    let (body, padding) = text.split_at(end);
    let good = !body.is_empty() && body.iter().all(|&byte| allowed(byte)) && padding.iter().all(|&byte| byte == b'=');
    if good { Ok(text) } else { Err(Reason::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(value: &str) -> Result<(String, String), Reason> {
        let mut scratch = [0; MAX_BASIC];
        let basic = basic(value.as_bytes(), &mut scratch)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((text(basic.user), text(basic.password)))
    }

    fn encoded(bytes: &[u8]) -> String {
        format!("Basic {}", encoding::BASE64.encode(bytes))
    }

    #[test]
    fn the_example_of_the_rfc() {
        let expected = Ok(("Aladdin".into(), "open sesame".into()));
        assert_eq!(pair("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
        assert_eq!(pair("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"), expected, "case of the scheme, padding left out");
        assert_eq!(pair("BASIC \t QWxhZGRpbjpvcGVuIHNlc2FtZQ== "), expected, "blanks");
        assert_eq!(pair("Basic dGVzdDoxMjPCow=="), Ok(("test".into(), "123\u{a3}".into())), "section 2.1: UTF-8");
    }

    #[test]
    fn a_colon_belongs_to_the_password_and_either_part_may_be_empty() {
        assert_eq!(pair(&encoded(b"Aladdin:Open:Sesame:")), Ok(("Aladdin".into(), "Open:Sesame:".into())));
        assert_eq!(pair(&encoded(b":")), Ok((String::new(), String::new())));
        assert_eq!(pair(&encoded(b"Aladdin:")), Ok(("Aladdin".into(), String::new())));
    }

    #[test]
    fn half_a_credential_is_refused() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic ====",
            "Basic Zm9v",
            "Basic Zm9vOmJhcg==x",
            "Basic Zm9v OmJhcg==",
            "Basic Zm9vOmJhcg==, Basic Zm9vOmJhcg==",
            "Basic Zm9vOmJhch==",
            "Basic Zm9vOmJh-_",
            "BasicZm9vOmJhcg==",
            "Bearer Zm9vOmJhcg==",
            "Basic\u{a0}Zm9vOmJhcg==",
        ] {
            assert_eq!(pair(value), Err(Reason::Malformed), "{value}");
        }
        for bytes in [&b"Aladdin"[..], b"a:b\0", b"a\n:b", b"a:\x7f", b"a:\xff", b"\xc3:\xa4"] {
            assert_eq!(pair(&encoded(bytes)), Err(Reason::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_pair_fits_exactly() {
        let mut longest = vec![b'a'; MAX_BASIC];
        longest[7] = b':';
        assert_eq!(pair(&encoded(&longest)).map(|(user, password)| user.len() + password.len() + 1), Ok(MAX_BASIC));
        for more in 1..=4 {
            longest.push(b'a');
            assert_eq!(pair(&encoded(&longest)), Err(Reason::TooLarge), "{more} more");
        }
    }

    #[test]
    fn a_refused_pair_leaves_no_byte_behind() {
        let mut scratch = [0; MAX_BASIC];
        assert!(basic(encoded(b"OpenSesame").as_bytes(), &mut scratch).is_err());
        assert_eq!(scratch, [0; MAX_BASIC]);
    }

    #[test]
    fn bearer_takes_tokens_and_nothing_else() {
        assert_eq!(bearer(b"Bearer mF_9.B5f-4.1JqM~+/=="), Ok(&b"mF_9.B5f-4.1JqM~+/=="[..]));
        assert_eq!(bearer(b"bearer  a "), Ok(&b"a"[..]));
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer =",
            "Bearer a=b",
            "Bearer a b",
            "Bearer a,b",
            "Bearer \"a\"",
            "Basic a",
            "Bearer \u{fc}",
        ] {
            assert_eq!(bearer(value.as_bytes()), Err(Reason::Malformed), "{value}");
        }
    }

    #[test]
    fn a_megabyte_is_refused_by_its_length() {
        let dots = [b"Bearer ".to_vec(), vec![b'.'; 1_000_000]].concat();
        assert_eq!(bearer(&dots), Err(Reason::TooLarge));
        let blanks = [b"Bearer".to_vec(), vec![b' '; 1_000_000], b"a".to_vec()].concat();
        assert_eq!(bearer(&blanks), Err(Reason::TooLarge));
        assert_eq!(bearer(&dots[..MAX_VALUE]), Ok(&dots[7..MAX_VALUE]));
    }

    #[test]
    fn negotiate_is_recognised() {
        assert_eq!(negotiate(b"Negotiate YIIB+/=="), Ok(&b"YIIB+/=="[..]));
        assert_eq!(negotiate(b"Negotiate"), Err(Reason::Malformed));
        assert_eq!(negotiate(b"Negotiate a-b"), Err(Reason::Malformed));
        assert_eq!(negotiate(b"NTLM TlRMTVNTUAAB"), Err(Reason::Malformed));
    }

    #[test]
    fn other_schemes_keep_what_follows() {
        assert!(scheme(b"Digest username=x") == (Scheme::Other, b"username=x"));
        assert!(scheme(b"Negotiated x").0 == Scheme::Other);
        assert!(scheme(b"").0 == Scheme::Other);
        assert!(scheme(b"Negotiate") == (Scheme::Negotiate, b""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_client_encodes_is_what_comes_out(user in "[^:\\p{Cc}]{0,60}", password in "\\PC{0,60}") {
            prop_assume!(user.len() + password.len() < MAX_BASIC && !password.chars().any(|c| c.is_ascii_control()));
            prop_assert_eq!(pair(&encoded(format!("{user}:{password}").as_bytes())), Ok((user, password)));
        }
    }
}

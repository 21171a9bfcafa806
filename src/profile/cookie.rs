//! Set-Cookie (RFC 6265): one builder for setting and clearing, so that the two can never differ in an attribute.
//!
//! Called by the engine's answers. The attributes stand as the profile spells them; only `Secure` follows the engine.

use super::place::is_token;
use crate::base::Reason;

/// A cookie as a profile spells it: the name, then attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieForm {
    name: Box<str>,
    /// Each as spelled, without `Secure`.
    attributes: Box<[Box<str>]>,
    /// `Secure` as the profile spells it.
    secure: Box<str>,
    /// How many attributes stand before `Secure`.
    secure_after: usize,
}

impl CookieForm {
    /// Parses `NAME; Path=/; HttpOnly`. Cookies are host-only and hidden from scripts: `Domain` is refused, `HttpOnly`
    /// demanded, and `SameSite` if written is `Lax` or `Strict`. `Max-Age` and `Expires` are refused: the server ends a
    /// session. Errors are sentences.
    pub fn parse(text: &str) -> Result<CookieForm, String> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("`{name}` is no name for a cookie"));
        }
        let mut form = CookieForm {
            name: name.into(),
            attributes: Box::default(),
            secure: "Secure".into(),
            secure_after: usize::MAX,
        };
        let mut attributes: Vec<Box<str>> = Vec::new();
        let mut hidden = false;
        for part in parts {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            match word.to_ascii_lowercase().as_str() {
                "secure" => {
                    form.secure = part.into();
                    form.secure_after = attributes.len();
                    continue;
                }
                "httponly" => hidden = true,
                "path" if is_cookie_path(value) => {}
                "samesite" if matches!(value.to_ascii_lowercase().as_str(), "lax" | "strict") => {}
                "priority" => {}
                _ => return Err(format!("cookie `{name}`: `{part}` is not allowed here")),
            }
            attributes.push(part.into());
        }
        if !hidden {
            return Err(format!("cookie `{name}`: `HttpOnly` is missing; scripts must not read it"));
        }
        if name.starts_with("__Host-") && !attributes.iter().any(|a| a.eq_ignore_ascii_case("path=/")) {
            return Err(format!("cookie `{name}`: a `__Host-` cookie needs `Path=/`"));
        }
        form.secure_after = form.secure_after.min(attributes.len());
        form.attributes = attributes.into();
        Ok(form)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends the header's value that sets the cookie to `value`, with `Secure` if `secure` (or if the name demands
    /// it), and `Max-Age` in seconds if given.
    ///
    /// Errors: [`Reason::RenderFailed`] when `value` holds anything a cookie cannot: a control byte, a blank, `"`, `,`,
    /// `;`, `\` or a byte beyond ASCII (RFC 6265 section 4.1.1); then nothing was appended.
    pub fn render(&self, value: &str, secure: bool, max_age: Option<u32>, out: &mut Vec<u8>) -> Result<(), Reason> {
        if value.is_empty() || !value.bytes().all(is_cookie_octet) {
            return Err(Reason::RenderFailed);
        }
        self.write(value, secure, out);
        if let Some(seconds) = max_age {
            out.extend_from_slice(format!("; Max-Age={seconds}").as_bytes());
        }
        Ok(())
    }

    /// Appends the header's value that removes the cookie: the same attributes, and an end in the past.
    pub fn render_clear(&self, secure: bool, out: &mut Vec<u8>) {
        self.write("", secure, out);
        out.extend_from_slice(b"; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
    }

    fn write(&self, value: &str, secure: bool, out: &mut Vec<u8>) {
        let secure = secure || self.name.starts_with("__Host-") || self.name.starts_with("__Secure-");
        out.extend_from_slice(self.name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        for index in 0..=self.attributes.len() {
            if secure && index == self.secure_after {
                out.extend_from_slice(b"; ");
                out.extend_from_slice(self.secure.as_bytes());
            }
            if let Some(attribute) = self.attributes.get(index) {
                out.extend_from_slice(b"; ");
                out.extend_from_slice(attribute.as_bytes());
            }
        }
    }
}

/// A byte that may stand in a cookie's value (RFC 6265 section 4.1.1).
pub(super) const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn is_cookie_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(form: &str, secure: bool) -> String {
        let mut out = Vec::new();
        CookieForm::parse(form).unwrap().render("AB12", secure, None, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn attributes_stand_as_spelled_and_secure_follows_the_engine() {
        assert_eq!(set("JSESSIONID; Path=/; HttpOnly", false), "JSESSIONID=AB12; Path=/; HttpOnly");
        assert_eq!(set("JSESSIONID; Path=/; HttpOnly", true), "JSESSIONID=AB12; Path=/; HttpOnly; Secure");
        let sheet = "ASP.NET_SessionId; path=/; secure; HttpOnly; SameSite=Lax";
        assert_eq!(set(sheet, true), "ASP.NET_SessionId=AB12; path=/; secure; HttpOnly; SameSite=Lax");
        assert_eq!(set(sheet, false), "ASP.NET_SessionId=AB12; path=/; HttpOnly; SameSite=Lax");
        assert_eq!(set("__Host-x; Path=/; HttpOnly", false), "__Host-x=AB12; Path=/; HttpOnly; Secure");
    }

    #[test]
    fn clearing_repeats_every_attribute() {
        let mut out = Vec::new();
        CookieForm::parse("sid; Path=/a; HttpOnly; SameSite=Lax").unwrap().render_clear(true, &mut out);
        let expected =
            "sid=; Path=/a; HttpOnly; SameSite=Lax; Secure; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_value_cannot_break_out_of_its_cookie() {
        let form = CookieForm::parse("sid; Path=/; HttpOnly").unwrap();
        for value in ["", "a;b", "a b", "a\r\nSet-Cookie: x=y", "a,b", "a\"b", "a\\b", "a\0", "ä"] {
            let mut out = Vec::new();
            assert_eq!(form.render(value, true, None, &mut out), Err(Reason::RenderFailed), "{value:?}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_cookie_for_other_hosts_or_for_scripts_is_refused() {
        for text in [
            "sid; Path=/",
            "sid; HttpOnly; Domain=example.org",
            "sid; HttpOnly; SameSite=None",
            "s id; HttpOnly",
            "sid; HttpOnly; Max-Age=5",
            "sid; HttpOnly; Path=x",
            "; HttpOnly",
            "__Host-x; HttpOnly; Path=/a",
        ] {
            assert!(CookieForm::parse(text).is_err(), "{text}");
        }
    }
}

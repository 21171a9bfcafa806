//! What sessions, tokens, tenants and forgiveness look like in a profile: plain data that the engine reads.

use super::cookie::{CookieForm, is_cookie_octet};
use super::near;
use super::place::Place;
use super::schema::{Fields, LENIENT};
use crate::base::Result;
use crate::directory::TenantForm;
use std::time::Duration;

/// The least strength of a session id, in bits (ASVS 7.2.3).
const MIN_BITS: f64 = 128.0;
/// The longest life that may be written, in seconds: a hundred years.
const MAX_LIFE: u64 = 100 * 366 * 86_400;

/// How a session id looks, how long a session lives, and its cookie.
#[derive(Clone, Debug)]
pub struct SessionForm {
    /// Distinct bytes, each fit for a cookie and for JSON.
    pub alphabet: Vec<u8>,
    /// Characters of an id.
    pub length: usize,
    /// Seconds without use after which a session ends.
    pub idle: u32,
    /// Seconds after login at which a session ends in any case.
    pub absolute: u32,
    /// Absent: no cookie is ever set.
    pub cookie: Option<CookieForm>,
}

/// How long a token lives, and what wrong credentials get.
#[derive(Clone, Debug)]
pub struct TokenForm {
    /// The cap in seconds, and the life when none is asked for.
    pub lifetime: u32,
    /// Wrong credentials get a token that is refused later.
    pub decoy: bool,
}

/// Tenants of a profile.
#[derive(Clone, Debug)]
pub struct TenantPlan {
    pub form: TenantForm,
    /// Where an ordinary request names one.
    pub at: Box<[Place]>,
    /// A name that no tenant has counts as none.
    pub overlooks_unknown: bool,
}

/// What is forgiven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lenient {
    /// Case in paths.
    pub path_case: bool,
    /// Case in the names of query and form parameters.
    pub query_case: bool,
    /// Case in the names of JSON members.
    pub json_case: bool,
    /// Case in user names: the engine folds them when it looks a user up.
    pub user_case: bool,
    /// Blanks around a user name: taken off before the engine sees it.
    pub user_trim: bool,
    /// Blanks around a password: taken off before the engine sees it.
    pub password_trim: bool,
}

pub(super) fn lenient(top: &Fields<'_>) -> Result<Lenient> {
    let mut lenient = Lenient::default();
    for (word, at) in top.texts("lenient")? {
        let flag = match word {
            "path-case" => &mut lenient.path_case,
            "query-case" => &mut lenient.query_case,
            "json-case" => &mut lenient.json_case,
            "user-case" => &mut lenient.user_case,
            "user-trim" => &mut lenient.user_trim,
            "password-trim" => &mut lenient.password_trim,
            _ => {
                let hint = near::hint(word, LENIENT.into_iter());
                return Err(top.source.error(at, format!("`lenient` knows no `{word}`{hint}")));
            }
        };
        *flag = true;
    }
    Ok(lenient)
}

pub(super) fn session(fields: &Fields<'_>) -> Result<SessionForm> {
    let alphabet = alphabet(fields.required("alphabet")?).map_err(|e| fields.error("alphabet", e))?;
    let length = fields.number("length")?.ok_or_else(|| fields.error("length", "`length` is missing"))?;
    let Some(length) = usize::try_from(length).ok().filter(|n| (1..=256).contains(n)) else {
        return Err(fields.error("length", "`length` is 1 to 256 characters"));
    };
    #[allow(clippy::cast_precision_loss)]
    let bits = length as f64 * (alphabet.len() as f64).log2();
    if bits < MIN_BITS {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let needed = (MIN_BITS / (alphabet.len() as f64).log2()).ceil() as usize;
        let message = format!("a session id of {bits:.0} bits can be guessed; `length` must be {needed} or more");
        return Err(fields.error("length", message));
    }
    let idle = life(fields, "idle")?;
    let absolute = life(fields, "absolute")?;
    if idle > absolute {
        return Err(fields.error("idle", "`idle` is longer than `absolute`"));
    }
    let cookie = fields.text("cookie")?.map(CookieForm::parse).transpose().map_err(|e| fields.error("cookie", e))?;
    Ok(SessionForm { alphabet, length, idle, absolute, cookie })
}

pub(super) fn token(fields: &Fields<'_>) -> Result<TokenForm> {
    Ok(TokenForm { lifetime: life(fields, "lifetime")?, decoy: fields.flag("decoy")? })
}

pub(super) fn tenant(fields: &Fields<'_>) -> Result<TenantPlan> {
    fields.required("form")?;
    let words = [("name", TenantForm::Name), ("guid", TenantForm::Guid)];
    let form = fields.one_of("form", &words, TenantForm::Name)?;
    let at = fields.places("at")?;
    if at.iter().any(Place::in_body) {
        return Err(fields.error("at", "an ordinary request names its tenant in a header, a cookie or the query"));
    }
    let overlooks_unknown = fields.one_of("unknown", &[("refuse", false), ("none", true)], false)?;
    Ok(TenantPlan { form, at, overlooks_unknown })
}

/// A life such as `30m`, in whole seconds.
fn life(fields: &Fields<'_>, key: &str) -> Result<u32> {
    let text = fields.required(key)?;
    let time: Duration = humantime::parse_duration(text)
        .map_err(|_| fields.error(key, format!("`{text}` is no length of time; write `30m`, `12h` or `30d`")))?;
    let seconds = u32::try_from(time.as_secs()).ok().filter(|s| (1..=MAX_LIFE).contains(&u64::from(*s)));
    seconds.ok_or_else(|| fields.error(key, format!("`{text}`: from one second to a hundred years")))
}

/// `A-Za-z0-5`: single characters and ranges; a `-` at an end stands for itself.
fn alphabet(text: &str) -> std::result::Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        let last = match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(b'-'), Some(&last)) => {
                at += 3;
                last
            }
            _ => {
                at += 1;
                first
            }
        };
        if first > last {
            return Err(format!("`{text}`: a range runs upwards"));
        }
        out.extend(first..=last);
    }
    let harmless = |b: &u8| {
        is_cookie_octet(*b) && !matches!(b, b'<' | b'>' | b'&' | b'\'' | b'=' | b'%' | b'+' | b'/' | b'?' | b'#')
    };
    let mut sorted = out.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if out.len() < 2 || sorted.len() != out.len() || !out.iter().all(harmless) {
        return Err(format!("`{text}`: two or more distinct letters, digits or marks that need no escaping anywhere"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_are_ranges_of_harmless_characters() {
        assert_eq!(alphabet("0-9A-F").unwrap().len(), 16);
        assert_eq!(alphabet("a-z0-5").unwrap().len(), 32);
        assert_eq!(alphabet("A-Za-z0-9_-").unwrap().len(), 64);
        for bad in ["", "a", "z-a", "aa", "a-zb", "a-z;", "a-z ", "a-z\"", "\u{e9}a"] {
            assert!(alphabet(bad).is_err(), "{bad}");
        }
    }
}

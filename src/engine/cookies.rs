//! Cookies of ours: set, cleared, and kept from those behind us, together with the parameters that carried a credential.
//!
//! Called by `respond` and `act`. Both cookies, the session's and its companion, come out of one builder that sets and
//! clears with the same attributes. Nothing is cleared but by a log-out, and only what came along.

use crate::base::Reason;
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::Decision;
use crate::engine::site::COMPANION_PREFIX;
use crate::parse::{cookie, form};
use crate::profile::{CookieForm, Visit};
use zeroize::Zeroizing;

impl Asked<'_> {
    /// Session cookie first, companion after it.
    pub fn set_cookies(&self, id: &str, companion: Option<&str>, out: &mut Decision) -> Result<(), Stop> {
        let Some(form) = self.session_cookie() else { return Ok(()) };
        self.set(form, id, out)?;
        if let (Some(form), Some(value)) = (&self.site.companion, companion) {
            self.set(form, value, out)?;
        }
        Ok(())
    }

    fn set(&self, form: &CookieForm, value: &str, out: &mut Decision) -> Result<(), Reason> {
        let mut line = Zeroizing::new(Vec::new());
        form.render(value, self.engine.secure, None, &mut line)?;
        out.push_response(b"Set-Cookie", &line);
        Ok(())
    }

    /// The same cookies, told to go.
    pub fn clear_cookies(&self, visit: &Visit<'_>, out: &mut Decision) {
        let Some(form) = self.session_cookie() else { return };
        if cookie::all(self.request.headers, form.name().as_bytes()).next().is_none() {
            self.note(|| format!("no cookie to clear at `{}`", visit.endpoint().name()));
            return;
        }
        for form in [Some(form), self.site.companion.as_ref()].into_iter().flatten() {
            let mut line = Vec::new();
            form.render_clear(self.engine.secure, &mut line);
            out.push_response(b"Set-Cookie", &line);
        }
    }

    fn session_cookie(&self) -> Option<&CookieForm> {
        self.site.profile.session().and_then(|session| session.cookie.as_ref())
    }

    /// Cookies and query parameters that carried a credential go no further; all others do. (Headers: the site's list.)
    pub fn spend(&self, out: &mut Decision) {
        let spent = self.site.profile.spent();
        if !spent.cookies.is_empty() {
            let ours = |name: &[u8]| {
                spent.cookies.iter().any(|c| c.as_bytes() == name) || name.starts_with(COMPANION_PREFIX.as_bytes())
            };
            let mut rest = out.write(&[]);
            let kept = |(name, text): &(&[u8], &[u8])| !ours(name) && passable(text);
            for (_, text) in cookie::pieces(self.request.headers).filter(kept) {
                let between: &[u8] = if rest.is_empty() { b"" } else { b"; " };
                rest = out.extend(rest, &[between, text]);
            }
            if !rest.is_empty() {
                out.push_inward(b"Cookie", rest);
            }
        }
        let ours = |piece: &[u8]| spent.query.iter().any(|name| form::has(piece, name, true));
        let mut query = out.write(&[]);
        for piece in self.request.query.split(|b| *b == b'&').filter(|piece| !ours(piece) && passable(piece)) {
            let between: &[u8] = if query.is_empty() { b"" } else { b"&" };
            query = out.extend(query, &[between, piece]);
        }
        out.query = query;
    }
}

/// Whether what is written anew for those behind us may hold this: no control character (RFC 9110 section 5.5), since a
/// NUL or the end of a line would end the header, or begin another, for whoever reads it next.
fn passable(text: &[u8]) -> bool {
    !text.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f)
}

//! Whether another site made the browser send a request (security rules, part 2).
//!
//! Asked for proof that a browser sends by itself (cookie, Basic), and for log-in and log-out. Fetch metadata
//! (W3C Fetch Metadata, `Sec-Fetch-Site`) decides where it is there; without it `Origin`, last `Referer`. None of
//! them: not a browser, or an old one on its own page; passes.

use crate::engine::config::Csrf;
use crate::parse::{Request, header};

/// The rule as configured.
pub(crate) struct CrossSite {
    on: bool,
    /// The site's own host, lower case.
    host: String,
    /// Further origins (`https://app.example.org`), lower case.
    listed: Vec<String>,
}

impl CrossSite {
    pub fn new(csrf: Csrf, site: &str, same_site: &[String]) -> CrossSite {
        let listed = same_site.iter().map(|o| o.trim_end_matches('/').to_ascii_lowercase()).collect();
        CrossSite { on: csrf == Csrf::Origin, host: site.to_ascii_lowercase(), listed }
    }

    /// Whether the request was made by another site's page. Allocates nothing.
    pub fn refuses(&self, request: &Request<'_>) -> bool {
        if !self.on {
            return false;
        }
        let (Ok(site), Ok(origin), Ok(referer), Ok(host)) = (
            header::one(request.headers, b"sec-fetch-site"),
            header::one(request.headers, b"origin"),
            header::one(request.headers, b"referer"),
            header::one(request.headers, b"host"),
        ) else {
            return true;
        };
        match site {
            Some(b"same-origin" | b"none") => return false,
            Some(_) => return !origin.is_some_and(|o| self.is_listed(o)),
            None => {}
        }
        let Some(named) = origin.or(referer) else { return false };
        !(self.is_listed(origin_of(named)) || self.is_own(named, host))
    }

    fn is_listed(&self, origin: &[u8]) -> bool {
        self.listed.iter().any(|l| l.as_bytes().eq_ignore_ascii_case(origin))
    }

    /// Whether `url` names the host that the request went to, or the site's own.
    fn is_own(&self, url: &[u8], host: Option<&[u8]>) -> bool {
        let Some(named) = host_of(url) else { return false };
        host.is_some_and(|h| h.eq_ignore_ascii_case(named)) || named.eq_ignore_ascii_case(self.host.as_bytes())
    }
}

/// `scheme://host:port` of a URL, or the whole text when it has no path.
fn origin_of(url: &[u8]) -> &[u8] {
    let Some(start) = url.windows(3).position(|w| w == b"://").map(|p| p + 3) else { return url };
    let end = url[start..].iter().position(|b| matches!(b, b'/' | b'?' | b'#')).map_or(url.len(), |p| start + p);
    &url[..end]
}

/// `host:port` of a URL; none for `null`, and for anything with user information in it.
fn host_of(url: &[u8]) -> Option<&[u8]> {
    let origin = origin_of(url);
    let start = origin.windows(3).position(|w| w == b"://")? + 3;
    let host = &origin[start..];
    (!host.is_empty() && !host.contains(&b'@') && !host.contains(&b'\\')).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Body, Header};

    fn refused(headers: &[(&'static str, &'static str)]) -> bool {
        let rule = CrossSite::new(Csrf::Origin, "data.example.org", &["https://app.example.org".to_owned()]);
        let mut all = vec![Header { name: b"Host", value: b"data.example.org:8443" }];
        all.extend(headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }));
        let request = Request {
            method: b"POST",
            path: b"/",
            raw_path: b"/",
            query: b"",
            client: b"127.0.0.1",
            headers: &all,
            body: Body::NotRead,
            secure: true,
        };
        rule.refuses(&request)
    }

    #[test]
    fn fetch_metadata_decides_where_it_is_there() {
        assert!(!refused(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example.net")]));
        assert!(!refused(&[("Sec-Fetch-Site", "none")]));
        assert!(refused(&[("Sec-Fetch-Site", "cross-site")]));
        assert!(refused(&[("Sec-Fetch-Site", "same-site"), ("Origin", "https://other.example.org")]));
        assert!(!refused(&[("Sec-Fetch-Site", "same-site"), ("Origin", "https://app.example.org")]));
        assert!(refused(&[("Sec-Fetch-Site", "same-origin"), ("sec-fetch-site", "none")]), "twice");
        assert!(refused(&[("Sec-Fetch-Site", "SAME-ORIGIN ")]), "only the exact word passes");
    }

    #[test]
    fn without_it_origin_and_then_referer_decide() {
        assert!(!refused(&[]));
        assert!(!refused(&[("Origin", "https://data.example.org:8443")]));
        assert!(!refused(&[("Origin", "https://DATA.example.org")]));
        assert!(refused(&[("Origin", "null")]));
        assert!(refused(&[("Origin", "https://data.example.org.evil.example.net")]));
        assert!(refused(&[("Origin", "https://data.example.org:8443@evil.example.net")]));
        assert!(!refused(&[("Referer", "https://data.example.org/page?x=https://evil.example.net/")]));
        assert!(refused(&[("Referer", "https://evil.example.net/?https://data.example.org/")]));
        assert!(refused(&[("Referer", "")]));
        assert!(!refused(&[("Referer", "https://app.example.org/x")]));
        assert!(refused(&[("Origin", "https://evil.example.net"), ("Referer", "https://data.example.org/")]));
    }
}

//! Match patterns: `GET|POST /a/{x}/**`, and which of two stands in the other's shadow.
//!
//! Compiled once, matched for each request without allocating. Paths are bytes as the host decoded them.

use super::place::is_token;

/// Segments a match may catch.
pub const MAX_CAUGHT: usize = 8;

/// The methods of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    Any,
    /// Upper case. `GET` takes `HEAD` too (RFC 9110 section 9.3.2).
    These(Box<[Box<str>]>),
}

impl Methods {
    fn has(&self, method: &[u8]) -> bool {
        match self {
            Methods::Any => true,
            Methods::These(list) => {
                list.iter().any(|m| m.as_bytes() == method || (m.as_ref() == "GET" && method == b"HEAD"))
            }
        }
    }

    fn covers(&self, other: &Methods) -> bool {
        match (self, other) {
            (Methods::Any, _) => true,
            (_, Methods::Any) => false,
            (_, Methods::These(list)) => list.iter().all(|method| self.has(method.as_bytes())),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Catch(Box<str>),
    /// The rest, zero segments included.
    Rest,
}

/// One `match` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    methods: Methods,
    segments: Box<[Segment]>,
    /// The literal segments it begins with, each behind its slash: what a path must begin with to be walked at all.
    head: Box<str>,
    /// The path ends in a slash (`/` itself does not count).
    slash: bool,
}

/// The ranges of the path that `{x}` caught, in order.
#[derive(Clone, Copy, Default)]
pub(super) struct Caught([(u32, u32); MAX_CAUGHT]);

impl Caught {
    pub fn get<'p>(&self, index: usize, path: &'p [u8]) -> Option<&'p [u8]> {
        let (start, end) = *self.0.get(index)?;
        path.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    pub fn range(&self, index: usize) -> Option<(usize, usize)> {
        let (start, end) = *self.0.get(index)?;
        Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
    }
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let Some((methods, path)) = text.split_once(' ') else {
            return Err(format!("`{text}`: write a method and a path, `GET|POST /path` or `* /path`"));
        };
        let methods = match methods {
            "*" => Methods::Any,
            list => Methods::These(list.split('|').map(|m| method(text, m)).collect::<Result<_, _>>()?),
        };
        let Some(rest) = path.strip_prefix('/') else {
            return Err(format!("`{text}`: a path begins with `/`"));
        };
        let (rest, slash) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let mut segments = Vec::new();
        for part in rest.split('/').filter(|_| !rest.is_empty()) {
            if segments.last() == Some(&Segment::Rest) {
                return Err(format!("`{text}`: `**` stands last"));
            }
            segments.push(segment(text, part)?);
        }
        let pattern = Pattern { methods, head: head(&segments), segments: segments.into(), slash };
        let names: Vec<_> = pattern.names().collect();
        if names.len() > MAX_CAUGHT || (1..names.len()).any(|i| names[..i].contains(&names[i])) {
            return Err(format!("`{text}`: at most {MAX_CAUGHT} caught segments, each of another name"));
        }
        Ok(pattern)
    }

    /// The names of the caught segments, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Catch(name) => Some(name.as_ref()),
            _ => None,
        })
    }

    /// Whether `method` and `path` match. `exact`: a slash at the end must stand in both or in neither; otherwise one
    /// too many in the path is overlooked.
    pub fn matches(&self, method: &[u8], path: &[u8], fold: bool, exact: bool) -> Option<Caught> {
        let head = path.get(..self.head.len())?;
        // Paths differ at their ends: one byte tells most of them apart.
        let ends_alike = match (head.last(), self.head.as_bytes().last()) {
            (Some(a), Some(b)) => a == b || fold && a.eq_ignore_ascii_case(b),
            _ => true,
        };
        if !ends_alike || !same(self.head.as_bytes(), head, fold) || !self.methods.has(method) {
            return None;
        }
        let mut caught = Caught::default();
        let mut found = 0;
        let mut at = 1;
        if path.first() != Some(&b'/') {
            return None;
        }
        for segment in &self.segments {
            if *segment == Segment::Rest {
                return Some(caught);
            }
            if at >= path.len() {
                return None;
            }
            let end = path.iter().skip(at).position(|b| *b == b'/').map_or(path.len(), |n| at + n);
            let part = path.get(at..end)?;
            match segment {
                Segment::Literal(text) if same(text.as_bytes(), part, fold) => {}
                Segment::Catch(_) if !part.is_empty() => {
                    if let Some(slot) = caught.0.get_mut(found) {
                        *slot = (u32::try_from(at).ok()?, u32::try_from(end).ok()?);
                    }
                    found += 1;
                }
                _ => return None,
            }
            at = end + 1;
        }
        // `at` is one past the end when the path is used up, and equal to it when only a slash is left.
        let slash = at == path.len() && !self.segments.is_empty();
        let used_up = at > path.len() || slash || path.len() == 1;
        (used_up && (slash == self.slash || (slash && !exact))).then_some(caught)
    }

    /// Whether every request that `other` matches is matched by `self`.
    pub fn covers(&self, other: &Pattern, fold: bool) -> bool {
        if !self.methods.covers(&other.methods) {
            return false;
        }
        let mut theirs = other.segments.iter();
        for ours in &self.segments {
            match (ours, theirs.next()) {
                (Segment::Rest, _) => return true,
                (_, None | Some(Segment::Rest)) => return false,
                (Segment::Catch(_), Some(_)) => {}
                (Segment::Literal(a), Some(Segment::Literal(b))) if same(a.as_bytes(), b.as_bytes(), fold) => {}
                _ => return false,
            }
        }
        theirs.next().is_none() && self.slash == other.slash
    }

    /// The path as written: for error messages.
    pub fn path(&self) -> String {
        let mut out = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.extend(["/", text]),
                Segment::Catch(name) => out.extend(["/{", name, "}"]),
                Segment::Rest => out.push_str("/**"),
            }
        }
        if self.slash || out.is_empty() {
            out.push('/');
        }
        out
    }
}

pub(super) fn same(a: &[u8], b: &[u8], fold: bool) -> bool {
    if fold { a.eq_ignore_ascii_case(b) } else { a == b }
}

fn head(segments: &[Segment]) -> Box<str> {
    let mut head = String::new();
    for segment in segments {
        let Segment::Literal(text) = segment else { break };
        head.extend(["/", text]);
    }
    head.into()
}

fn method(text: &str, method: &str) -> Result<Box<str>, String> {
    match !method.is_empty() && method.bytes().all(|b| is_token(b) && !b.is_ascii_lowercase()) {
        true => Ok(method.into()),
        false => Err(format!("`{text}`: methods are in capitals, with `|` between them")),
    }
}

fn segment(text: &str, part: &str) -> Result<Segment, String> {
    if part == "**" {
        return Ok(Segment::Rest);
    }
    if let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return match !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            true => Ok(Segment::Catch(name.into())),
            false => Err(format!("`{text}`: `{part}` is no name for a segment")),
        };
    }
    let plain =
        !part.is_empty() && !part.contains(['{', '}', '*', '?', '#', '%', '\\', ' ']) && part != "." && part != "..";
    match plain {
        true => Ok(Segment::Literal(part.into())),
        false => Err(format!("`{text}`: `{part}` is neither a plain segment nor `{{name}}` nor `**`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, method: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(method.as_bytes(), path.as_bytes(), false, false).is_some()
    }

    #[test]
    fn patterns_match_segment_by_segment() {
        assert!(hits("GET|POST /a/{x}/**", "POST", "/a/b"));
        assert!(hits("GET|POST /a/{x}/**", "POST", "/a/b/c/d"));
        assert!(!hits("GET|POST /a/{x}/**", "POST", "/a/"), "an empty segment is not caught");
        assert!(!hits("GET|POST /a/{x}/**", "PUT", "/a/b"));
        assert!(!hits("GET /a", "get", "/a"), "methods are case-sensitive");
        assert!(hits("GET /a", "HEAD", "/a"));
        assert!(!hits("POST /a", "HEAD", "/a"));
        assert!(hits("* /**", "BREW", "/"));
        assert!(hits("* /**", "GET", "/x/y"));
        assert!(hits("GET /", "GET", "/"));
        assert!(!hits("GET /", "GET", "/x"));
        assert!(!hits("GET /a", "GET", "/ab"));
        assert!(!hits("GET /a", "GET", "/A"));
        assert!(!hits("GET /a", "GET", "a"));
        assert!(!hits("GET /a", "GET", ""));
    }

    #[test]
    fn a_slash_too_many_is_overlooked_unless_exactness_is_asked_for() {
        let pattern = Pattern::parse("GET /a").unwrap();
        assert!(pattern.matches(b"GET", b"/a/", false, false).is_some());
        assert!(pattern.matches(b"GET", b"/a/", false, true).is_none());
        assert!(pattern.matches(b"GET", b"/a//", false, false).is_none());
        let pattern = Pattern::parse("GET /a/").unwrap();
        assert!(pattern.matches(b"GET", b"/a/", false, true).is_some());
        assert!(pattern.matches(b"GET", b"/a", false, false).is_none());
    }

    #[test]
    fn caught_segments_are_ranges_of_the_path() {
        let pattern = Pattern::parse("GET /a/{x}/b/{y}").unwrap();
        let path = b"/a/12/b/3";
        let caught = pattern.matches(b"GET", path, false, true).unwrap();
        assert_eq!((caught.get(0, path), caught.get(1, path)), (Some(&b"12"[..]), Some(&b"3"[..])));
    }

    #[test]
    fn one_pattern_covers_another() {
        let covers = |a: &str, b: &str| Pattern::parse(a).unwrap().covers(&Pattern::parse(b).unwrap(), false);
        assert!(covers("* /**", "GET /a/b"));
        assert!(covers("GET /{x}", "GET /a"));
        assert!(covers("GET|POST /a", "POST /a"));
        assert!(!covers("POST /a", "GET|POST /a"));
        assert!(!covers("GET /a", "GET /{x}"));
        assert!(!covers("GET /a/{x}", "GET /a/**"));
        assert!(covers("GET /a/**", "GET /a/{x}/**"));
        assert!(!covers("GET /a", "* /a"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in
            ["/a", "get /a", "GET a", "GET /**/a", "GET /{x}/{x}", "GET /a?b", "GET /a//b", "GET|| /a", "GET /.."]
        {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}

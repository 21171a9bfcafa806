//! One raw HTTP request in a file: request line, headers, an empty line, the body. For `janua explain`.
//!
//! Forgiving where an editor is at work (lines may end in LF alone, the empty line may be missing, a line end after the
//! body is not the body's) and strict in the rest: what this file reads differently than a server would, it refuses.

use crate::failure::Failure;
use janua::parse::path;

/// The longest request that is read, in bytes.
pub const MAX: usize = 16 * 1024 * 1024;

const MAX_HEADERS: usize = 256;

/// A request taken apart; it owns its bytes. No `Debug`: it holds credentials.
pub struct Parsed {
    pub method: String,
    /// The path as received, without the query.
    pub raw_path: Vec<u8>,
    /// The path as a server routes it: decoded once, `.`, `..` and empty segments resolved.
    pub path: Vec<u8>,
    pub query: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Parsed {
    /// Takes a request apart. Errors: [`Code::Refused`](crate::failure::Code::Refused) with what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Parsed, Failure> {
        let mut whole = text.to_vec();
        let ended = whole.ends_with(b"\n\n") || whole.ends_with(b"\n\r\n");
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        if head(&whole, &mut room)?.is_none() {
            // Nothing but a head: close its last line and add the empty line that ends it.
            whole.extend_from_slice(if ended { b"" } else { b"\r\n\r\n" });
        }
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let Some((length, request)) = head(&whole, &mut room)? else {
            return Err(unreadable("it ends within its head; the head ends with an empty line"));
        };
        let target = request.path.unwrap_or_default();
        let (raw_path, query) = split(target)?;
        let headers: Vec<(Vec<u8>, Vec<u8>)> =
            request.headers.iter().map(|h| (h.name.as_bytes().to_vec(), h.value.trim_ascii().to_vec())).collect();
        let body = body(whole.get(length..).unwrap_or_default(), &headers)?;
        let method = request.method.unwrap_or_default().to_owned();
        let path = routed(raw_path)?;
        Ok(Parsed { method, path, raw_path: raw_path.to_vec(), query: query.to_vec(), headers, body })
    }
}

/// Reads the head; `None` when it has no end yet.
fn head<'h, 'b>(
    text: &'b [u8],
    room: &'h mut [httparse::Header<'b>],
) -> Result<Option<(usize, httparse::Request<'h, 'b>)>, Failure> {
    let mut request = httparse::Request::new(room);
    match request.parse(text) {
        Ok(httparse::Status::Complete(length)) => Ok(Some((length, request))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(unreadable(&format!("it has over {MAX_HEADERS} headers"))),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

fn unreadable(what: &str) -> Failure {
    Failure::refused(format!(
        "this is not an HTTP request: {what}. It begins `GET /path HTTP/1.1`; one header a line follows, an empty line, \
         and the body"
    ))
}

/// Path and query of a request target, in origin form or with scheme and host before it (RFC 9112 section 3.2).
fn split(target: &str) -> Result<(&[u8], &[u8]), Failure> {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
        _ => target,
    };
    if !origin.starts_with('/') {
        return Err(unreadable("its target does not begin with `/`"));
    }
    let origin = origin.split('#').next().unwrap_or_default();
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    Ok((path.as_bytes(), query.as_bytes()))
}

/// The path as a server hands it on.
fn routed(raw: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut room = vec![0; raw.len()];
    let decoded = path::decode_once(raw, &mut room)
        .ok_or_else(|| unreadable("its path has a `%` that no two hexadecimal digits follow"))?;
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = decoded.split(|b| *b == b'/').collect();
    for segment in &segments {
        match *segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut path = Vec::with_capacity(decoded.len() + 1);
    for segment in &kept {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    let is_folder = matches!(segments.last(), Some(&b"" | &b"." | &b".."));
    if path.is_empty() || is_folder {
        path.push(b'/');
    }
    Ok(path)
}

/// The body as a host would read it.
fn body(rest: &[u8], headers: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<u8>, Failure> {
    let named = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v);
    if named("transfer-encoding").is_some() {
        return Err(unreadable(
            "it has a Transfer-Encoding, which the host takes off before Janua sees the body; leave that header out \
             and write the body as it is",
        ));
    }
    let without_line_end = rest.strip_suffix(b"\r\n").or_else(|| rest.strip_suffix(b"\n")).unwrap_or(rest);
    let Some(length) = named("content-length") else { return Ok(without_line_end.to_vec()) };
    let length: usize = std::str::from_utf8(length)
        .ok()
        .and_then(|l| l.parse().ok())
        .ok_or_else(|| unreadable("its Content-Length is not a number"))?;
    if length == rest.len() || length == without_line_end.len() {
        return Ok(rest.get(..length).unwrap_or_default().to_vec());
    }
    Err(unreadable(&format!(
        "its Content-Length says {length} bytes and {} follow the empty line; mend the number or leave that header out",
        rest.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parsed {
        Parsed::read(text.as_bytes()).map_err(|f| format!("{f:?}")).unwrap()
    }

    #[test]
    fn a_request_is_taken_apart() {
        let request = read("POST /a/%62?x=1&y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n{}\n");
        assert_eq!(request.method, "POST");
        assert_eq!((&request.path[..], &request.raw_path[..]), (&b"/a/b"[..], &b"/a/%62"[..]));
        assert_eq!(request.query, b"x=1&y");
        assert_eq!(request.headers[0], (b"Host".to_vec(), b"h".to_vec()));
        assert_eq!(request.body, b"{}\n");
    }

    #[test]
    fn an_editors_line_ends_are_forgiven() {
        assert!(read("GET / HTTP/1.1").headers.is_empty());
        assert_eq!(read("GET / HTTP/1.1\nHost: h").headers.len(), 1);
        assert_eq!(read("GET / HTTP/1.1\nHost: h\n").headers.len(), 1);
        assert_eq!(read("GET / HTTP/1.1\nHost: h\n\n").headers.len(), 1);
        assert_eq!(read("POST / HTTP/1.1\nHost: h\n\nuser=a\n").body, b"user=a");
        assert_eq!(read("POST / HTTP/1.1\nContent-Length: 6\n\nuser=a\n").body, b"user=a");
    }

    #[test]
    fn the_path_is_routed_as_a_server_does() {
        for (raw, path) in [("/", "/"), ("//a//b", "/a/b"), ("/a/./b/../c/", "/a/c/"), ("/../a", "/a"), ("/a/..", "/")]
        {
            assert_eq!(read(&format!("GET {raw} HTTP/1.1\n\n")).path, path.as_bytes(), "{raw}");
        }
        assert_eq!(read("GET http://host/a?b HTTP/1.1\n\n").path, b"/a");
        assert_eq!(read("GET http://host HTTP/1.1\n\n").path, b"/");
        assert_eq!(read("GET /go?to=http://x/y HTTP/1.1\n\n").path, b"/go");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in [
            "",
            "hello",
            "GET relative HTTP/1.1\n\n",
            "GET /%zz HTTP/1.1\n\n",
            "POST / HTTP/1.1\nContent-Length: 9\n\nab",
            "POST / HTTP/1.1\nContent-Length: x\n\nab",
            "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n0\n\n",
        ] {
            assert!(Parsed::read(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}

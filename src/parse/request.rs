//! The request as the host hands it over: views only, nothing is copied and nothing is kept.

/// One header line, name and value as received (the value without surrounding blanks).
#[derive(Clone, Copy)]
pub struct Header<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

/// What the host knows of the body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Not read yet; the engine may ask for it once.
    NotRead,
    /// Longer than the limit; the host did not read it.
    TooLarge,
    /// The whole body, maybe empty.
    Given(&'a [u8]),
}

/// A request. No `Debug`: it holds credentials.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a [u8],
    /// The path as the host routed it: decoded, dots resolved.
    pub path: &'a [u8],
    /// The path as received, without the query; empty when there is none (after an internal redirect).
    pub raw_path: &'a [u8],
    /// What follows `?`, as received.
    pub query: &'a [u8],
    /// The peer's address as text.
    pub client: &'a [u8],
    /// All headers in order.
    pub headers: &'a [Header<'a>],
    pub body: Body<'a>,
    /// Whether it arrived over TLS.
    pub secure: bool,
}

//! The parsers of the check path allocate nothing, whether they find, miss or refuse.

use janua::parse::{Header, authorization, cookie, form, header, path};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`, and `alloc` above used the same allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn credentials_are_views() {
    let mut scratch = [0; authorization::MAX_BASIC];
    let values = ["Basic QWxhZGRpbjpPcGVuU2VzYW1l", "Basic ?", "Bearer abc", "Negotiate YII=", "", "Digest x"];
    let count = allocations(|| {
        for value in values {
            let value = black_box(value.as_bytes());
            black_box(authorization::basic(value, &mut scratch).is_ok());
            black_box(authorization::bearer(value).is_ok());
            black_box(authorization::negotiate(value).is_ok());
            black_box(authorization::scheme(value));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn headers_cookies_and_queries_are_views() {
    let line = |name: &'static str, value: &'static str| Header { name: name.as_bytes(), value: value.as_bytes() };
    let headers = [line("Cookie", "a=b; sid=\"x\"; sid=y"), line("X-Vault", "v"), line("connection", "close, X-Vault")];
    let query = b"wsdl?server=x&session=abc&pw=%20+&s%65ssion2=1";
    let count = allocations(|| {
        black_box(cookie::all(&headers, b"sid").count());
        black_box(header::one(&headers, b"x-vault").is_ok());
        black_box(header::listed(&headers, b"Connection").count());
        black_box(form::has(query, "wsdl", true));
        black_box(form::one(query, "session", true).is_ok());
        black_box(form::one(query, "Session2", true).is_ok());
        black_box(form::one(query, "nothing", false).is_ok());
    });
    assert_eq!(count, 0);
    assert_eq!(allocations(|| drop(black_box(form::one(query, "pw", false)))), 1, "a value that must be decoded");
}

#[test]
fn paths_are_compared_where_they_lie() {
    let count = allocations(|| {
        for raw in ["/a/b/../c%20d", "/a//c", "/%", "*", "", "/%c3%bc;x/..;/"] {
            black_box(path::agree(black_box(b"/a/c d"), raw.as_bytes()));
            black_box(path::is_ambiguous(black_box(raw.as_bytes())));
            black_box(path::decode_once(raw.as_bytes(), &mut [0; 64]));
        }
    });
    assert_eq!(count, 0);
}

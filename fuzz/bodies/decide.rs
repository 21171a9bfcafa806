//! Input: a whole request with switches, see `input`; decided through the C interface by one engine for all inputs.

mod host;
mod input;
mod sys;

use host::Host;
use input::{Flow, Input};
use sys::{FAST, INVALID, OK, Seen, Told, UNKNOWN_FLAG};

const DENY: i32 = 0;
const ALLOW: i32 = 1;
const ANSWER: i32 = 2;
const NEED_BODY: i32 = 3;
const WOULD_BLOCK: i32 = 4;
const BODY_GIVEN: u32 = 2;
const BODY_TOO_LARGE: u32 = 4;

pub fn run(data: &[u8]) {
    let host = Host::the();
    let Some(mut input) = Input::read(data, host) else { return };
    sys::told();
    match input.flow {
        Flow::Misuse => misuse(host, &input),
        Flow::Events => events(host, &mut input),
        Flow::Waits => waits(host, &mut input),
        Flow::Whole => {
            give(&mut input, usize::MAX);
            last(host, &input, 0);
        }
        Flow::TooLarge => {
            input.asked.flags |= BODY_TOO_LARGE;
            last(host, &input, 0);
        }
    }
    for (profile, id) in &input.made {
        host.end(*profile, id);
    }
}

/// How many decisions fell for a reason, so that a test can tell that the seeds reach what they are for.
pub fn count(reason: janua::base::Reason) -> u64 {
    Host::the().engine.count(reason as u32)
}

fn decide(host: &Host, input: &Input, flags: u32) -> Seen {
    host.sites[input.profile][input.door].decide(&input.asked, flags)
}

fn misuse(host: &Host, input: &Input) {
    let seen = decide(host, input, UNKNOWN_FLAG);
    assert_eq!((seen.status, seen.outcome, seen.http_status), (INVALID, DENY, 500));
    assert!(seen.principal.is_empty() && seen.body.is_empty() && seen.response.is_empty() && seen.inward.is_empty());
    assert!(sys::told().is_empty());
}

/// As a host with an event loop asks.
fn events(host: &Host, input: &mut Input) {
    let mut seen = decide(host, input, FAST);
    if seen.outcome == NEED_BODY {
        unfinished(&seen);
        give(input, seen.body_limit);
        seen = decide(host, input, FAST);
        assert_ne!(seen.outcome, NEED_BODY, "the body is asked for once");
    }
    if seen.outcome == WOULD_BLOCK {
        unfinished(&seen);
        assert!((1..=3).contains(&seen.wait_class));
        return last(host, input, 0);
    }
    promises(host, input, &seen, &sys::told());
}

fn waits(host: &Host, input: &mut Input) {
    let seen = decide(host, input, 0);
    if seen.outcome == NEED_BODY {
        unfinished(&seen);
        give(input, seen.body_limit);
        return last(host, input, 0);
    }
    promises(host, input, &seen, &sys::told());
}

fn give(input: &mut Input, limit: usize) {
    if input.body.len() > limit {
        input.asked.flags |= BODY_TOO_LARGE;
    } else {
        input.asked.flags |= BODY_GIVEN;
        input.asked.body = std::mem::take(&mut input.body);
    }
}

fn last(host: &Host, input: &Input, flags: u32) {
    let seen = decide(host, input, flags);
    promises(host, input, &seen, &sys::told());
}

/// Of a decision after which the host asks again.
fn unfinished(seen: &Seen) {
    assert_eq!((seen.status, seen.http_status), (OK, 0));
    assert!(seen.principal.is_empty() && seen.body.is_empty() && seen.response.is_empty() && seen.inward.is_empty());
    assert!(sys::told().is_empty(), "nothing was audited");
    assert_eq!(seen.outcome == NEED_BODY, seen.body_limit > 0);
}

/// What holds for every decision that ends a request.
fn promises(host: &Host, input: &Input, seen: &Seen, told: &[Told]) {
    assert_eq!(seen.status, OK);
    assert!(matches!(seen.outcome, DENY | ALLOW | ANSWER), "{seen:?}");
    assert_eq!(seen.outcome == ALLOW, seen.http_status == 0);
    assert!(seen.outcome == ALLOW || (200..600).contains(&seen.http_status), "{seen:?}");
    assert!(seen.outcome == ALLOW || seen.inward.is_empty(), "nothing goes inward with a refusal");
    assert!(seen.outcome != ALLOW || seen.body.is_empty());
    assert_eq!((seen.wait_class, seen.body_limit), (0, 0));
    assert!(seen.reason != 0 && seen.reason != 599, "{seen:?}");

    let principal = std::str::from_utf8(&seen.principal).unwrap();
    let planted = principal.is_empty() || input.owners.contains(&principal);
    assert!(planted, "nobody's credential is in the request, and it is let in: {seen:?}");

    for (name, value) in seen.inward.iter().chain(&seen.response) {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        assert!(!name.is_empty() && name.iter().all(token), "{seen:?}");
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)), "{seen:?}");
    }
    for (name, _) in &seen.inward {
        let canonical = janua::parse::header::canonical(name);
        let ours = host.strip.iter().any(|strip| *strip == canonical.as_bytes());
        assert!(ours || canonical.starts_with("x_extra_") || canonical == "cookie", "{canonical}");
    }
    let last = told.last().expect("each decision is audited");
    assert_eq!(last.reason, seen.reason);
    assert!(told[..told.len() - 1].iter().all(|event| event.kind == 7), "one event for each decision: {told:?}");
    silence(input, seen, told);
}

/// No secret comes back: not outward, not inward, not to the audit log.
fn silence(input: &Input, seen: &Seen, told: &[Told]) {
    let fresh = seen.response.iter().filter(|(name, _)| name == b"Set-Cookie").filter_map(|(_, line)| {
        let value = line.split(|&byte| byte == b'=' || byte == b';').nth(1)?;
        (value.len() > 12).then(|| String::from_utf8_lossy(value).into_owned())
    });
    let fresh: Vec<String> = fresh.collect();
    // What a client itself writes into its address, its name or its path may come back; see `input`.
    let forwarded = input.loose && input.asked.client.starts_with(b"10.");
    let texts = told.iter().flat_map(|event| &event.texts).filter(|_| !forwarded);
    let inward = seen.inward.iter().flat_map(|(name, value)| [name, value]).filter(|_| !input.loose);
    for text in texts.chain(inward) {
        for secret in input.secrets.iter().chain(&fresh) {
            assert!(!holds(text, secret), "{secret} in {seen:?} {told:?}");
        }
    }
    if input.loose {
        return;
    }
    let outward = seen.response.iter().flat_map(|(name, value)| [name, value]).chain([&seen.body]);
    for text in outward.chain(&seen.others[..3]) {
        for secret in &input.secrets {
            assert!(!holds(text, secret), "{secret} in {seen:?}");
        }
    }
}

/// Without `memcmp`: libFuzzer listens to that, learns what was compared, and would put the secret into an input itself.
fn holds(text: &[u8], secret: &str) -> bool {
    let differs = |part: &[u8]| part.iter().zip(secret.as_bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    text.windows(secret.len()).any(|part| differs(part) == 0)
}

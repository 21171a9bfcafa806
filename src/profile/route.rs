//! The router: from a request to its endpoint, asking for the body only when nothing else can tell.
//!
//! Called by the engine once per request, and once more with the body when it was asked for. Overrides are applied
//! here and nowhere else. `raw_path` is not looked at: whether path and raw path agree is the engine's question.

use super::endpoint::{Action, Endpoint};
use super::look::{Bodies, Look};
use super::pattern::{Caught, Pattern, same};
use super::place::{AuthScheme, Place, Where};
use super::room::{Room, Spare};
use super::visit::Visit;
use super::{Profile, overrides};
use crate::base::Reason;
use crate::parse::authorization::{self, Scheme};
use crate::parse::form::Outline;
use crate::parse::{Body, Request, header};

/// The longest body that is asked for, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// Where a request belongs.
pub enum Routed<'r> {
    Visit(Visit<'r>),
    /// The body decides: call again with it, once.
    NeedBody {
        /// Bytes that are worth reading.
        limit: usize,
        /// An endpoint that may answer.
        endpoint: &'r str,
    },
    /// Not well-formed, or not allowed: answered in the words of this visit's endpoint.
    Refused(Visit<'r>, Reason),
    /// Outside the profile.
    Nothing,
}

/// What a `when` says with what is known so far.
pub(super) enum Verdict {
    Yes,
    No,
    /// The body decides.
    Open,
}

/// A request on its way, before an endpoint is chosen.
pub(super) struct Way<'r> {
    pub profile: &'r Profile,
    pub request: &'r Request<'r>,
    method: &'r [u8],
    path: &'r [u8],
    full_path: &'r [u8],
}

impl Profile {
    /// Finds the endpoint of `request` on a site mounted at `prefix` (empty, or `/x`). `room` is wiped first.
    ///
    /// Allocates nothing when method, path, headers, cookies and query decide.
    pub fn route<'r>(&'r self, request: &'r Request<'r>, prefix: &str, room: &'r mut Room) -> Routed<'r> {
        room.clear();
        let Room { path: path_room, document, basic, basic_used, decoded, decoded_used } = room;
        let query = Outline::of(request.query);
        *decoded_used = query.is_encoded() || matches!(request.body, Body::Given(_));
        let Some(start) = self.start(request.path, prefix) else { return Routed::Nothing };
        let full = self.stripped(request.path, start);
        let mut way = Way { profile: self, request, method: request.method, path: rest(full, start), full_path: full };
        let mut refused = None;
        let head = full.get(..start).unwrap_or_default();
        let spare = Spare::new(decoded);
        match overrides::path(self, request, query, way.path, head, &spare, path_room) {
            Ok(false) => {}
            Ok(true) => {
                let path_room: &'r [u8] = path_room;
                way.full_path = self.stripped(path_room, start);
                way.path = rest(way.full_path, start);
            }
            Err(reason) => refused = Some(reason),
        }
        match overrides::method(self, request, query, &spare) {
            Ok(None) => {}
            Ok(Some(method)) => way.method = method,
            Err(reason) => refused = refused.or(Some(reason)),
        }
        let mut routed = match refused {
            // The words of whatever is there without the override; the request itself goes no further.
            Some(reason) => match way.last(|_| true) {
                Some((endpoint, pattern, caught)) => {
                    Routed::Refused(way.visit(endpoint, pattern, caught, Bodies::none(query, Spare::default())), reason)
                }
                None => Routed::Nothing,
            },
            None => way.decide(document, Bodies::none(query, Spare::new(decoded))),
        };
        if let Routed::Visit(visit) | Routed::Refused(visit, _) = &mut routed
            && visit.endpoint.proofs.iter().any(|p| p.at.iter().any(|p| p.at == Where::Auth(AuthScheme::Basic)))
            && let Ok(Some(value)) = header::one(request.headers, b"authorization")
            && authorization::scheme(value).0 == Scheme::Basic
        {
            *basic_used = true;
            visit.basic = Some(authorization::basic(value, basic));
        }
        routed
    }

    /// Where the profile's own path begins: behind the site's prefix and the base.
    fn start(&self, path: &[u8], prefix: &str) -> Option<usize> {
        let fold = self.lenient().path_case;
        let prefix = prefix.trim_end_matches('/').as_bytes();
        let length = prefix.len() + self.base.len();
        let (head, tail) = path.split_at_checked(length)?;
        let (one, two) = head.split_at_checked(prefix.len())?;
        let inside = tail.is_empty() || tail.first() == Some(&b'/') || self.ends(tail);
        (same(prefix, one, fold) && same(self.base.as_bytes(), two, fold) && inside).then_some(length)
    }

    fn ends(&self, tail: &[u8]) -> bool {
        let fold = self.lenient().path_case;
        !self.base.is_empty() && self.strip.iter().any(|ending| same(ending.as_bytes(), tail, fold))
    }

    /// `path` without one of the endings to strip; never shorter than `start`.
    fn stripped<'p>(&self, path: &'p [u8], start: usize) -> &'p [u8] {
        let fold = self.lenient().path_case;
        for ending in &self.strip {
            if let Some(cut) = path.len().checked_sub(ending.len())
                && cut >= start
                && path.get(cut..).is_some_and(|tail| same(ending.as_bytes(), tail, fold))
                && path.get(..cut).and_then(<[u8]>::last).is_some_and(|b| *b != b'/')
            {
                return path.get(..cut).unwrap_or(path);
            }
        }
        path
    }
}

/// The path behind `start`; the base itself is `/`.
fn rest(full: &[u8], start: usize) -> &[u8] {
    match full.get(start..) {
        Some(rest) if !rest.is_empty() => rest,
        _ => b"/",
    }
}

pub(super) type Matched<'r> = (&'r Endpoint, &'r Pattern, Caught);

impl<'r> Way<'r> {
    /// The endpoints whose method and path match, in order.
    pub(super) fn matching(&self) -> impl Iterator<Item = Matched<'r>> + use<'_, 'r> {
        let fold = self.profile.lenient().path_case;
        self.profile.endpoints.iter().filter_map(move |endpoint| {
            let exact = endpoint.is_open();
            endpoint.patterns.iter().find_map(|pattern| {
                pattern.matches(self.method, self.path, fold, exact).map(|caught| (endpoint, pattern, caught))
            })
        })
    }

    /// The most general match that fits: the last, for special ones stand before general ones.
    fn last(&self, fits: impl Fn(&Endpoint) -> bool) -> Option<Matched<'r>> {
        self.matching().filter(|(endpoint, _, _)| fits(endpoint)).last()
    }

    pub(super) fn visit(
        &self,
        endpoint: &'r Endpoint,
        pattern: &'r Pattern,
        caught: Caught,
        bodies: Bodies<'r>,
    ) -> Visit<'r> {
        Visit {
            profile: self.profile,
            request: self.request,
            endpoint,
            pattern,
            caught,
            method: self.method,
            path: self.path,
            full_path: self.full_path,
            bodies,
            basic: None,
        }
    }

    pub(super) fn look<'v>(&'v self, matched: &Matched<'r>, bodies: &'v Bodies<'r>) -> Look<'v, 'r> {
        let (endpoint, pattern, caught) = matched;
        Look {
            request: self.request,
            bodies,
            lenient: self.profile.lenient(),
            elsewhere: !endpoint.document.is_empty(),
            path: self.path,
            pattern,
            caught: *caught,
        }
    }

    fn decide(&self, room: &'r mut Vec<u8>, mut bodies: Bodies<'r>) -> Routed<'r> {
        let mut room = Some(room);
        // The document first: where it sits in the query, JSON places are known without a body.
        if !self.profile.document.is_empty()
            && let Err(reason) = self.read_document(&mut bodies, &mut room)
        {
            return self.refuse(bodies, reason, |endpoint| !endpoint.document.is_empty());
        }
        match self.choose(bodies, room.is_some()) {
            Choice::Routed(routed) => routed,
            Choice::Body(bodies, hint) => {
                let empty = || header::one(self.request.headers, b"content-length") == Ok(Some(b"0"));
                match self.request.body {
                    Body::NotRead if empty() => self.with_body(b"", bodies, room),
                    Body::Given(bytes) => self.with_body(bytes, bodies, room),
                    Body::NotRead => Routed::NeedBody { limit: MAX_BODY, endpoint: hint.0.name() },
                    Body::TooLarge => self.too_large(bodies),
                }
            }
        }
    }

    /// The first endpoint that matches with what is known, or the word that the body is needed. `open`: form and body
    /// were not looked at yet.
    fn choose(&self, bodies: Bodies<'r>, open: bool) -> Choice<'r> {
        self.choose_known(bodies, open, open)
    }

    pub(super) fn choose_known(&self, bodies: Bodies<'r>, open: bool, document_open: bool) -> Choice<'r> {
        for matched in self.matching() {
            let (endpoint, pattern, caught) = matched;
            let waits = |place: &Place| open && place_waits(place, endpoint, document_open);
            match self.verdict(&matched, &bodies, &waits) {
                Ok(Verdict::No) => {}
                Ok(Verdict::Open) => return Choice::Body(bodies, matched),
                Ok(Verdict::Yes) if open && self.wants_body(&matched, &bodies, &waits) => {
                    return Choice::Body(bodies, matched);
                }
                Ok(Verdict::Yes) => {
                    let visit = self.visit(endpoint, pattern, caught, bodies);
                    return Choice::Routed(match visit.find_callback() {
                        Ok(_) => Routed::Visit(visit),
                        Err(reason) => Routed::Refused(visit, reason),
                    });
                }
                Err(reason) => {
                    return Choice::Routed(Routed::Refused(self.visit(endpoint, pattern, caught, bodies), reason));
                }
            }
        }
        Choice::Routed(Routed::Nothing)
    }

    pub(super) fn verdict(
        &self,
        matched: &Matched<'r>,
        bodies: &Bodies<'r>,
        waits: &dyn Fn(&Place) -> bool,
    ) -> Result<Verdict, Reason> {
        let look = self.look(matched, bodies);
        let mut open = false;
        for place in &matched.0.when {
            if waits(place) {
                open = true;
            } else if !look.holds(place)? {
                return Ok(Verdict::No);
            }
        }
        Ok(if open { Verdict::Open } else { Verdict::Yes })
    }

    /// Whether a decided endpoint still needs the body for its proofs or its action.
    fn wants_body(&self, matched: &Matched<'r>, bodies: &Bodies<'r>, waits: &dyn Fn(&Place) -> bool) -> bool {
        let endpoint = matched.0;
        if !endpoint.reads_body {
            return false;
        }
        let look = self.look(matched, bodies);
        // A list is open if a place that waits stands before every place that holds something.
        let list = |places: &[Place], blank_absent: bool| {
            for place in places {
                if waits(place) {
                    return true;
                }
                match look.at(place) {
                    Ok(Some(found)) if !(blank_absent && found.is_blank()) => return false,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
            false
        };
        for proof in &endpoint.proofs {
            let blank = proof.blank_absent();
            if [&proof.at, &proof.user, &proof.password, &proof.domain].into_iter().any(|places| list(places, blank)) {
                return true;
            }
            let offered = proof.places().any(|place| matches!(look.at(place), Ok(Some(f)) if !(blank && f.is_blank())));
            // The best proof is there: the body cannot bring a better one. A gate proves nobody.
            let gate = proof.kind() == super::ProofKind::Gate;
            if endpoint.several() == super::Several::First && offered && !gate && !proof.bad_ignored() {
                break;
            }
        }
        let answers = endpoint.action != Action::Pass || endpoint.answer(super::Word::Ok).is_some();
        endpoint.read.iter().any(|places| list(places, false))
            || endpoint.extra.iter().any(|(_, places)| list(places, true))
            || (answers && endpoint.echo.iter().any(|(_, places)| list(places, false)))
    }

    /// Refused in the words of the most general endpoint that fits.
    fn refuse(&self, bodies: Bodies<'r>, reason: Reason, fits: impl Fn(&Endpoint) -> bool) -> Routed<'r> {
        let seen = |endpoint: &Endpoint| fits(endpoint);
        match self.last(seen) {
            Some((endpoint, pattern, caught)) => Routed::Refused(self.visit(endpoint, pattern, caught, bodies), reason),
            None => Routed::Nothing,
        }
    }
}

/// Either the end of the way, or the bodies handed back and the endpoint that wants one.
pub(super) enum Choice<'r> {
    Routed(Routed<'r>),
    Body(Bodies<'r>, Matched<'r>),
}

/// Whether `place` cannot be looked at before the body is there.
fn place_waits(place: &Place, endpoint: &Endpoint, document_open: bool) -> bool {
    match place.at {
        Where::Json(_) if !endpoint.document.is_empty() => {
            document_open && endpoint.document.iter().any(Place::in_body)
        }
        _ => place.in_body(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Header;
    use crate::profile::{BUILTINS, Overrides, Read};
    use proptest::prelude::*;

    fn profiles() -> Vec<Profile> {
        BUILTINS.iter().map(|(_, text)| Profile::compile("p", text, &Overrides::none()).unwrap()).collect()
    }

    fn path() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "/REST",
            "/REST/MFWS.ashx",
            "/REST/session",
            "/api/authentication/login",
            "/login",
            "/Soap",
            "/mmws/api/x",
            "/mashzone/edge/api",
            "/api/session/isAuthenticated/x",
            "",
        ]);
        (known, "[/.a%;]{0,6}").prop_map(|(known, more)| format!("{known}{more}"))
    }

    /// Whatever comes, the router ends, and what it matched is what the host is told.
    #[test]
    fn no_request_breaks_the_router() {
        let profiles = profiles();
        proptest!(ProptestConfig::with_cases(96), |(
            path in path(),
            method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "x", ""]),
            query in "(restPath|_method|auth|vault|inputStream|x-p-method)?=?[ -~]{0,20}(&[a-z]{0,6}=[%a-f0-9]{0,6}){0,2}",
            header in "[ -~]{0,30}",
            body in prop::option::of("[\\x00-\\x7f]{0,40}|[{\\[<a\":}\\]>/]{0,20}"),
        )| {
            let headers = ["Authorization", "Cookie", "Content-Type", "X-Authentication", "x-p-method"];
            let headers = headers.map(|name| Header { name: name.as_bytes(), value: header.as_bytes() });
            let body = body.as_ref().map_or(Body::NotRead, |body| Body::Given(body.as_bytes()));
            let request = Request {
                method: method.as_bytes(), path: path.as_bytes(), raw_path: b"", query: query.as_bytes(),
                client: b"", headers: &headers, body, secure: false,
            };
            let mut room = Room::new();
            for profile in &profiles {
                match profile.route(&request, "", &mut room) {
                    Routed::Visit(visit) | Routed::Refused(visit, _) => {
                        prop_assert!(visit.full_path().ends_with(visit.path()) || visit.path() == b"/");
                        for proof in visit.endpoint().proofs() {
                            let _ = visit.offers(proof);
                        }
                        for what in Read::ALL {
                            let _ = visit.read(what);
                        }
                        let _ = (visit.extra().count(), visit.echoes(), visit.shown_path());
                    }
                    Routed::NeedBody { .. } => prop_assert!(matches!(body, Body::NotRead)),
                    Routed::Nothing => {}
                }
            }
        });
    }

    #[test]
    fn a_body_too_large_is_refused_where_it_is_needed_and_ignored_elsewhere() {
        let profiles = profiles();
        let profile = profiles.iter().find(|profile| profile.name() == "mauro").unwrap();
        let mut request = Request {
            method: b"POST",
            path: b"/api/authentication/login",
            raw_path: b"",
            query: b"",
            client: b"",
            headers: &[],
            body: Body::TooLarge,
            secure: true,
        };
        let mut room = Room::new();
        let Routed::Refused(visit, reason) = profile.route(&request, "", &mut room) else { panic!() };
        assert_eq!((visit.endpoint().name(), reason), ("login", Reason::TooLarge));
        request.path = b"/api/folders";
        let mut room = Room::new();
        assert!(matches!(profile.route(&request, "", &mut room), Routed::Visit(_)));
    }
}

//! Floor 6: a wire protocol as data.
//!
//! A profile file says where credentials sit, which endpoints log in and out, and what answers look like
//! (`docs/profiles.md` is its language). This floor compiles the file, finds a request's endpoint, takes values out of
//! the request and renders answers. It proves nothing, knows no key, no store and no clock, and never says "allowed".
//!
//! What the engine calls:
//! - [`BUILTINS`], [`builtin`]: the files inside the library.
//! - [`Profile::compile`] with [`Overrides`]: once, when an engine is built.
//! - [`Profile::route`] with a [`Room`]: once per request, twice when it said [`Routed::NeedBody`].
//! - [`Visit`]: [`Visit::endpoint`], [`Visit::method`], [`Visit::path`], [`Visit::full_path`], [`Visit::offers`] per
//!   [`Proof`], [`Visit::pair`], [`Visit::read`], [`Visit::tenant`], [`Visit::extra`].
//! - [`Endpoint`]: [`Endpoint::action`], [`Endpoint::need`], [`Endpoint::proofs`], [`Endpoint::several`],
//!   [`Endpoint::realm`], [`Endpoint::occupied`], [`Endpoint::is_open`], [`Endpoint::answer`].
//! - [`Answer`]: [`Answer::needs`], then [`Answer::render`] with [`Facts`] into [`Rendered`].
//! - [`CookieForm`]: [`CookieForm::render`] and [`CookieForm::render_clear`].
//! - [`Profile`]: [`Profile::session`], [`Profile::token`], [`Profile::tenant`], [`Profile::lenient`],
//!   [`Profile::spent`], [`Profile::wants_last_path`].
//!
//! What the engine owes: agreement of path and raw path, [`Endpoint::is_open`] against ambiguous paths, `several` over
//! the offers of an endpoint, `bad` and `keep` of a proof, folding a user's case, and everything about time.

mod answer;
mod body;
mod builtin;
#[cfg(test)]
mod cases;
mod check;
mod compile;
mod cookie;
mod endpoint;
mod escape;
mod facts;
mod filters;
mod forms;
mod kind;
mod look;
mod near;
mod outline;
mod overrides;
#[cfg(test)]
mod page;
mod pattern;
mod place;
mod proof;
#[cfg(test)]
mod refusals;
mod render;
mod room;
mod route;
mod scan;
mod schema;
mod tree;
mod trial;
mod visit;

pub use answer::{Answer, Needs, Rendered, Word};
pub use builtin::{BUILTINS, builtin};
pub use cookie::CookieForm;
pub use endpoint::{Action, Endpoint, Need, Occupied, Read, Several};
pub use facts::{Facts, SessionFacts, SessionRow, TenantFacts};
pub use forms::{Lenient, SessionForm, TenantPlan, TokenForm};
pub use place::PLACE_KINDS;
pub use proof::{Proof, ProofKind};
pub use room::Room;
pub use route::{MAX_BODY, Routed};
pub use scan::{FILTERS, NAMES};
pub use schema::WORDS;
pub use tree::Overrides;
pub use visit::{Candidates, MAX_EXTRA, Offer, Pair, Visit};

use overrides::{MethodOverride, PathOverride};
use place::Place;
use render::{Datum, Templates};
use std::sync::Arc;

/// A compiled profile. Immutable; any number of threads may use it at once; it survives a fork.
#[derive(Debug)]
pub struct Profile {
    name: Box<str>,
    base: Box<str>,
    lenient: Lenient,
    strip: Box<[Box<str>]>,
    method: Box<[MethodOverride]>,
    path: Box<[PathOverride]>,
    session: Option<SessionForm>,
    token: Option<TokenForm>,
    tenant: Option<TenantPlan>,
    proofs: Vec<Arc<Proof>>,
    endpoints: Vec<Endpoint>,
    settings: Datum,
    templates: Templates,
    document: Box<[Place]>,
    query_names: Box<[Box<str>]>,
    spent: Spent,
    last_path: bool,
}

/// Where a profile's proof sits, for stripping it once it is spent. Names as the file spells them.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    pub headers: Vec<Box<str>>,
    pub cookies: Vec<Box<str>>,
    /// Parameters of the query.
    pub query: Vec<Box<str>>,
    /// `Authorization` is read.
    pub authorization: bool,
    /// Every header that the profile reads for whatever purpose, `Authorization` and `Cookie` included: `Connection` must
    /// name none of them.
    pub headers_read: Vec<Box<str>>,
}

impl Profile {
    /// Part of what sessions and tokens are bound to.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn session(&self) -> Option<&SessionForm> {
        self.session.as_ref()
    }

    pub const fn token(&self) -> Option<&TokenForm> {
        self.token.as_ref()
    }

    pub const fn tenant(&self) -> Option<&TenantPlan> {
        self.tenant.as_ref()
    }

    pub const fn lenient(&self) -> Lenient {
        self.lenient
    }

    pub fn proofs(&self) -> impl ExactSizeIterator<Item = &Proof> {
        self.proofs.iter().map(AsRef::as_ref)
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// What the endpoints that let requests pass need, each once.
    pub fn pass_needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.passes()) {
            if !needs.contains(endpoint.need()) {
                needs.push(endpoint.need().clone());
            }
        }
        needs
    }

    /// Names of the extra values that endpoints keep, each once.
    pub fn extra_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.endpoints.iter().flat_map(|e| e.extra.iter().map(|(name, _)| name.as_ref())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any endpoint keeps an extra value of that name.
    pub fn keeps(&self, name: &str) -> bool {
        self.endpoints.iter().any(|e| e.extra.iter().any(|(known, _)| **known == *name))
    }

    /// Where spent proof sits.
    pub const fn spent(&self) -> &Spent {
        &self.spent
    }

    /// Whether an answer shows the path a session last used, so that sessions must keep it.
    pub const fn wants_last_path(&self) -> bool {
        self.last_path
    }

    const fn settings(&self) -> &Datum {
        &self.settings
    }

    const fn templates(&self) -> &Templates {
        &self.templates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_of_the_house_compiles() {
        for (name, text) in BUILTINS {
            let start = std::time::Instant::now();
            match Profile::compile(name, text, &Overrides::none()) {
                Ok(profile) => assert_eq!(profile.name(), name),
                Err(error) => panic!("{error}"),
            }
            println!("{name} {:?}", start.elapsed());
        }
    }
}

//! What must hold between the parts of a profile: nothing shadowed, no secret repeated, nothing asked for that is not
//! there.
//!
//! Called once at the end of `profile::compile`.

use super::Profile;
use super::endpoint::{Action, Endpoint, Need, Occupied, Read};
use super::escape::Escape;
use super::place::{AuthScheme, Place, Where};
use super::proof::ProofKind;
use super::render::Text;
use super::tree::Source;
use crate::base::{Error, Result};

/// Checks a whole profile. `as_written`: no setting was replaced; one may switch a proof off.
pub(super) fn all(source: &Source<'_>, profile: &Profile, as_written: bool) -> Result<()> {
    for (index, endpoint) in profile.endpoints.iter().enumerate() {
        let fail = |message: String| source.error(endpoint.at, format!("endpoint `{}`: {message}", endpoint.name));
        shadow(profile, index, endpoint).map_err(fail)?;
        caught(endpoint).map_err(fail)?;
        action(profile, endpoint).map_err(fail)?;
        proofs(profile, endpoint).map_err(fail)?;
        repeated(profile, endpoint).map_err(fail)?;
    }
    let used = |name: &str| profile.endpoints.iter().any(|e| e.proofs.iter().any(|proof| proof.name() == name));
    if let Some(proof) = profile.proofs.iter().find(|proof| as_written && !used(proof.name())) {
        return Err(Error::invalid(format!("{}: proof `{}` is used by no endpoint", source.name, proof.name())));
    }
    Ok(())
}

/// No entry of `match` may be covered by endpoints above it.
fn shadow(profile: &Profile, index: usize, endpoint: &Endpoint) -> std::result::Result<(), String> {
    let fold = profile.lenient().path_case;
    for pattern in &endpoint.patterns {
        for above in profile.endpoints.iter().take(index) {
            let implied = above.when.iter().all(|theirs| endpoint.when.iter().any(|ours| ours.implies(theirs)))
                && (above.document == endpoint.document || above.document.is_empty() || above.when.is_empty());
            // An open endpoint leaves the path with a slash too many to those below it; that is no way to be reached.
            if implied && above.patterns.iter().any(|theirs| theirs.covers(pattern, fold)) {
                return Err(format!("`{}` is never reached: `{}` above matches all of it", pattern.path(), above.name));
            }
        }
    }
    Ok(())
}

/// Every `path:x` names a segment that every pattern catches.
fn caught(endpoint: &Endpoint) -> std::result::Result<(), String> {
    let named = endpoint.extra.iter().chain(&endpoint.echo).flat_map(|(_, places)| places.iter());
    let proofs = endpoint.proofs.iter().flat_map(|proof| proof.places());
    for place in endpoint.when.iter().chain(endpoint.read.iter().flatten()).chain(named).chain(proofs) {
        if let Where::Caught(name) = &place.at
            && !endpoint.patterns.iter().all(|pattern| pattern.names().any(|known| known == name.as_ref()))
        {
            return Err(format!("`path:{name}` is not caught by every `match`"));
        }
    }
    Ok(())
}

fn action(profile: &Profile, endpoint: &Endpoint) -> std::result::Result<(), String> {
    let needs = |there: bool, what: &str| if there { Ok(()) } else { Err(what.to_owned()) };
    let answers = endpoint.answer(super::Word::Ok).is_some();
    if endpoint.action != Action::Pass {
        needs(answers, "what it does needs an answer `ok`")?;
    }
    let (user, password) = (endpoint.reads(Read::User), endpoint.reads(Read::Password));
    needs(user == password, "`read.user` and `read.password` go together")?;
    needs(!endpoint.reads(Read::Domain) || user, "`read.domain` needs `read.user`")?;
    let prover = |kinds: &[ProofKind]| endpoint.proofs().any(|proof| kinds.contains(&proof.kind()));
    let somebody = [ProofKind::Session, ProofKind::Token, ProofKind::Password, ProofKind::Key];
    match endpoint.action {
        Action::Login => {
            needs(profile.session().is_some(), "`login` needs a `[session]`")?;
            needs(
                user || prover(&[ProofKind::Password, ProofKind::Key, ProofKind::Token]),
                "`login` needs a pair to read or a proof",
            )?;
        }
        Action::IssueToken => {
            needs(profile.token().is_some(), "`issue-token` needs a `[token]`")?;
            let proven = prover(&somebody) && !matches!(endpoint.need, Need::None | Need::Optional | Need::Guest);
            needs(user || proven, "`issue-token` needs a pair to read, or a proof and a `need`")?;
        }
        Action::Logout => {
            needs(prover(&[ProofKind::Session, ProofKind::Token]), "`logout` needs a session or token proof")?
        }
        Action::ChooseTenant => {
            needs(
                profile.tenant().is_some() && endpoint.reads(Read::Tenant),
                "`choose-tenant` needs a `[tenant]` and `read.tenant`",
            )?;
            needs(prover(&somebody), "`choose-tenant` needs a proof")?;
        }
        Action::Each => each(profile, endpoint)?,
        Action::Pass | Action::Answer => {
            needs(!user, "only `login` and `issue-token` read a pair")?;
        }
    }
    words(profile, endpoint)
}

/// A list proves nothing by itself, and its answer is the answers of its items.
fn each(profile: &Profile, endpoint: &Endpoint) -> std::result::Result<(), String> {
    let needs = |there: bool, what: &str| if there { Ok(()) } else { Err(what.to_owned()) };
    let cookie = profile.session().is_some_and(|session| session.cookie.is_some());
    needs(!cookie, "`each` makes one answer of several, and none of them may set a cookie")?;
    let framed = endpoint.answer(super::Word::Ok).is_some_and(|ok| {
        let json = ok.content_type.as_deref().is_some_and(|kind| Escape::of(kind) == Some(Escape::Json));
        json && matches!(&ok.body, Text::Static(body) if &**body == "[]")
    });
    needs(framed, "`each` answers with a list: its `ok` is JSON, and its body `[]`")?;
    let bare =
        endpoint.need == Need::None && endpoint.proofs().len() == 0 && endpoint.read.iter().all(|r| r.is_empty());
    needs(bare, "what `each` lists is proven item by item: write `need = \"none\"` and `proof = []`")
}

/// What an endpoint needs and reads against what it does, and what its answers show.
fn words(profile: &Profile, endpoint: &Endpoint) -> std::result::Result<(), String> {
    let needs = |there: bool, what: &str| if there { Ok(()) } else { Err(what.to_owned()) };
    let user = endpoint.reads(Read::User);
    let proven = !matches!(endpoint.need, Need::None | Need::Optional);
    needs(
        !proven || user || endpoint.proofs().any(|proof| proof.kind() != ProofKind::Gate),
        "it `need`s proof and lists none",
    )?;
    needs(
        endpoint.need != Need::Guest || user || endpoint.proofs().any(|proof| proof.kind() == ProofKind::Guest),
        "`need = \"guest\"` needs a guest proof",
    )?;
    needs(endpoint.need != Need::Tenant || profile.tenant().is_some(), "`need = \"tenant\"` needs a `[tenant]`")?;
    needs(!endpoint.reads(Read::Tenant) || profile.tenant().is_some(), "`read.tenant` needs a `[tenant]`")?;
    needs(
        !endpoint.reads(Read::Expires) || endpoint.action == Action::IssueToken,
        "`read.expires` is for `issue-token`",
    )?;
    needs(
        !endpoint.reads(Read::Session) || endpoint.action == Action::IssueToken,
        "`read.session` is for `issue-token`",
    )?;
    needs(endpoint.occupied() == Occupied::Replace || endpoint.action == Action::Login, "`occupied` is for `login`")?;
    for answer in endpoint.answers.iter().flatten() {
        let all = matches!(endpoint.need, Need::Role(_));
        needs(all || !answer.needs.sessions, "`sessions` are shown only where the `need` is a role")?;
        needs(!answer.needs.target || endpoint.reads(Read::Target), "`target` in a template needs `read.target`")?;
        let issues = endpoint.action == Action::IssueToken;
        needs(issues || !answer.needs.token, "`token` in a template is for `issue-token`")?;
        needs(profile.token().is_some() || !answer.needs.tenant_tokens, "tokens of tenants need a `[token]`")?;
    }
    Ok(())
}

fn proofs(profile: &Profile, endpoint: &Endpoint) -> std::result::Result<(), String> {
    for proof in endpoint.proofs() {
        let (what, there) = match proof.kind() {
            ProofKind::Session => ("[session]", profile.session().is_some()),
            ProofKind::Token => ("[token]", profile.token().is_some()),
            _ => ("", true),
        };
        if !there {
            return Err(format!("proof `{}` needs a `{what}`", proof.name()));
        }
        if proof.keep() && profile.session().is_none_or(|session| session.cookie.is_none()) {
            return Err(format!("proof `{}` keeps a session: `[session]` needs a `cookie`", proof.name()));
        }
        let whole = proof.places().any(|place| place.at == Where::Body);
        if whole && endpoint.kinds.iter().next().is_some() {
            return Err(format!("proof `{}` takes the whole body, which is read as something else here", proof.name()));
        }
    }
    Ok(())
}

/// No value that an answer repeats or the host is handed may come from a place where a secret sits.
fn repeated(profile: &Profile, endpoint: &Endpoint) -> std::result::Result<(), String> {
    // A secret sits where it sits, whichever endpoint lists its proof: all proofs of the profile count.
    let everywhere = profile.proofs.iter().flat_map(|proof| proof.secrets());
    let secrets: Vec<&Place> = endpoint.secrets().chain(everywhere).collect();
    for (table, named) in [("echo", &endpoint.echo), ("extra", &endpoint.extra)] {
        for (name, places) in named {
            for place in places {
                let header =
                    matches!(&place.at, Where::Auth(AuthScheme::Basic | AuthScheme::Bearer | AuthScheme::Negotiate));
                let document = secrets.iter().any(|s| matches!(s.at, Where::Json(_)))
                    && endpoint.document.iter().any(|document| document.at == place.at);
                let secret = secrets.iter().any(|secret| overlaps(&place.at, &secret.at, profile));
                if header || document || secret {
                    return Err(format!("`{table}.{name}` repeats a place where a secret sits"));
                }
            }
        }
    }
    Ok(())
}

/// Whether looking at `place` may show what sits at `secret`.
fn overlaps(place: &Where, secret: &Where, profile: &Profile) -> bool {
    let folded = |a: &str, b: &str, fold: bool| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
    match (place, secret) {
        (Where::Body, secret) => matches!(secret, Where::Body | Where::Json(_) | Where::Xml(_) | Where::Form(_)),
        (Where::Header(a), Where::Header(b)) => a.eq_ignore_ascii_case(b),
        (Where::Query(a), Where::Query(b)) | (Where::Form(a), Where::Form(b)) => {
            folded(a, b, profile.lenient().query_case)
        }
        (Where::Json(a), Where::Json(b)) => {
            a.iter().zip(b.iter()).all(|(a, b)| folded(a, b, profile.lenient().json_case)) && a.len() <= b.len()
        }
        (Where::Xml(a), Where::Xml(b)) => {
            a.len() <= b.len() && a.iter().zip(b.iter()).all(|(a, b)| a == b || a.as_ref() == "*" || b.as_ref() == "*")
        }
        (a, b) => a == b,
    }
}

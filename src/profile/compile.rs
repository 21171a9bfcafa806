//! From a file to a profile: settings filled in, `like` resolved, every word checked, every answer proven.
//!
//! Called when an engine is built; takes a few milliseconds. All errors are sentences with file and line.

use super::endpoint::{self, Endpoint};
use super::overrides::{MethodOverride, PathOverride};
use super::place::{Place, Where};
use super::proof::{self, Proof};
use super::render::{Datum, Templates};
use super::schema::{ENDPOINT, Fields, PROOF, SESSION, TENANT, TOKEN, TOP};
use super::tree::{self, Entry, Overrides, Source, Table, Value};
use super::{Profile, Spent, answer, check, forms, near, trial};
use crate::base::Result;
use std::sync::Arc;

/// What endpoints refer to.
pub(super) struct Parts {
    pub proofs: Vec<Arc<Proof>>,
}

impl Profile {
    /// Compiles a profile file.
    ///
    /// `name` stands before the line in errors (a path, or `built in: NAME`); `overrides` replace settings. Errors:
    /// [`Status::Invalid`](crate::base::Status::Invalid) with file, line, what is wrong, and the nearest known word.
    pub fn compile(name: &str, text: &str, overrides: &Overrides) -> Result<Profile> {
        let source = Source { name, text };
        let (table, settings) = tree::read(&source, overrides)?;
        let top = Fields::new(&source, &table, 0, "a profile".into(), &TOP)?;
        let mut templates = Templates::new();
        let mut profile = head(&top)?;
        profile.settings = Datum::Named(settings.0.iter().map(|e| (e.key.clone(), datum(&e.node.value))).collect());
        let common = answer::headers(&top, &mut templates)?;
        let parts = Parts { proofs: proofs(&top)? };
        profile.endpoints = endpoints(&top, &common, &parts, &mut templates)?;
        profile.proofs = parts.proofs;
        profile.templates = templates;
        profile.document = document(&source, &profile.endpoints)?;
        profile.query_names = query_names(&profile);
        profile.spent = spent(&profile);
        let last_path = profile.sources().any(|source| source.contains("last_path"));
        profile.last_path = last_path;
        check::all(&source, &profile, overrides.is_empty())?;
        trial::all(&source, &profile)?;
        Ok(profile)
    }

    /// The texts of all templates that show sessions.
    fn sources(&self) -> impl Iterator<Item = &str> {
        let answers = self.endpoints.iter().flat_map(|endpoint| endpoint.answers.iter().flatten());
        answers.filter(|answer| answer.needs.sessions).flat_map(|a| a.texts().map(|text| self.templates.source(text)))
    }
}

/// Everything above the endpoints but headers and proofs.
fn head(top: &Fields<'_>) -> Result<Profile> {
    let name = top.required("name")?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(top.error("name", "`name` is lower-case letters, digits and hyphens"));
    }
    let base = top.text("base")?.unwrap_or_default();
    let plain = base.is_empty() || (base.starts_with('/') && !base.ends_with('/') && !base.contains("//"));
    if !plain || !base.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b'?' | b'#' | b'\\' | b'{' | b'*')) {
        return Err(top.error("base", format!("`{base}` is no base; write `/x`, without a slash at the end")));
    }
    let mut strip = Vec::new();
    for (ending, at) in top.texts("strip")? {
        if ending.len() < 2 || ending.contains('/') {
            return Err(top.source.error(at, format!("`{ending}` is no ending of a path; write `.aspx`")));
        }
        strip.push(Box::from(ending));
    }
    let section = |key: &str, known: &'static [&'static str]| top.table(key, Some(known));
    Ok(Profile {
        name: name.into(),
        base: base.into(),
        lenient: forms::lenient(top)?,
        strip: strip.into(),
        method: parsed(top, "method", MethodOverride::parse)?,
        path: parsed(top, "path", PathOverride::parse)?,
        session: section("session", &SESSION)?.map(|fields| forms::session(&fields)).transpose()?,
        token: section("token", &TOKEN)?.map(|fields| forms::token(&fields)).transpose()?,
        tenant: section("tenant", &TENANT)?.map(|fields| forms::tenant(&fields)).transpose()?,
        proofs: Vec::new(),
        endpoints: Vec::new(),
        settings: Datum::None,
        templates: Templates::new(),
        document: Box::default(),
        query_names: Box::default(),
        spent: Spent::default(),
        last_path: false,
    })
}

fn parsed<T>(top: &Fields<'_>, key: &str, parse: fn(&str) -> std::result::Result<T, String>) -> Result<Box<[T]>> {
    let texts = top.texts(key)?;
    let parsed = texts.iter().map(|(text, at)| parse(text).map_err(|e| top.source.error(*at, format!("`{key}`: {e}"))));
    parsed.collect()
}

fn datum(value: &Value) -> Datum {
    match value {
        Value::Text(text) => Datum::Text(text.clone()),
        Value::Number(number) => Datum::Int(*number),
        Value::Bool(flag) => Datum::Bool(*flag),
        Value::List(items) => Datum::List(items.iter().map(|item| datum(&item.value)).collect()),
        Value::Table(table) => Datum::Named(table.iter().map(|e| (e.key.clone(), datum(&e.node.value))).collect()),
    }
}

fn proofs(top: &Fields<'_>) -> Result<Vec<Arc<Proof>>> {
    let Some(table) = top.table("proof", None)? else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for entry in table.table {
        let Value::Table(inner) = &entry.node.value else {
            return Err(top
                .source
                .error(entry.at, format!("proof `{}` is a table: `[proof.{}]`", entry.key, entry.key)));
        };
        let fields = Fields::new(top.source, inner, entry.at, format!("proof `{}`", entry.key), &PROOF)?;
        out.push(Arc::new(proof::compile(&entry.key, &fields)?));
    }
    Ok(out)
}

fn endpoints(
    top: &Fields<'_>,
    common: &[(Box<str>, super::render::Text)],
    parts: &Parts,
    templates: &mut Templates,
) -> Result<Vec<Endpoint>> {
    let Some(entry) = top.get("endpoint") else { return Err(top.error("endpoint", "a profile has an `[[endpoint]]`")) };
    let Value::List(items) = &entry.node.value else {
        return Err(top.error("endpoint", "endpoints are written `[[endpoint]]`"));
    };
    let mut tables: Vec<(&str, &Table, usize)> = Vec::new();
    for item in items {
        let Value::Table(table) = &item.value else {
            return Err(top.source.error(item.at, "endpoints are written `[[endpoint]]`"));
        };
        let fields = Fields::new(top.source, table, item.at, "an endpoint".into(), &ENDPOINT)?;
        let name = fields.required("name")?;
        if tables.iter().any(|(known, ..)| *known == name) {
            return Err(fields.error("name", format!("two endpoints are called `{name}`")));
        }
        tables.push((name, table, item.at));
    }
    let mut out = Vec::new();
    for (name, table, at) in &tables {
        let merged = inherit(top.source, &tables, table)?;
        let fields = Fields { source: top.source, table: &merged, what: format!("endpoint `{name}`"), at: *at };
        out.push(endpoint::compile(&fields, common, parts, templates)?);
    }
    Ok(out)
}

/// `table` with every key it does not write taken from the endpoint it is `like`, and so on.
fn inherit(source: &Source<'_>, all: &[(&str, &Table, usize)], table: &Table) -> Result<Table> {
    let mut merged = table.clone();
    let mut seen: Vec<&str> = Vec::new();
    let mut next: Option<&Entry> = table.iter().find(|entry| entry.key == "like");
    while let Some(entry) = next {
        let Value::Text(name) = &entry.node.value else {
            return Err(source.error(entry.node.at, "`like` is an endpoint's name"));
        };
        let Some((_, parent, _)) = all.iter().find(|(known, ..)| known == name) else {
            let hint = near::hint(name, all.iter().map(|(known, ..)| *known));
            return Err(source.error(entry.node.at, format!("no endpoint is called `{name}`{hint}")));
        };
        if seen.contains(&name.as_str()) || std::ptr::eq(*parent, table) {
            return Err(source.error(entry.node.at, format!("`like = \"{name}\"` leads back to itself")));
        }
        seen.push(name);
        for entry in *parent {
            if entry.key != "like" && !merged.iter().any(|own| own.key == entry.key) {
                merged.push(entry.clone());
            }
        }
        next = parent.iter().find(|entry| entry.key == "like");
    }
    Ok(merged)
}

/// The one list of places where JSON documents sit, if not in the body.
fn document(source: &Source<'_>, endpoints: &[Endpoint]) -> Result<Box<[Place]>> {
    let mut written = endpoints.iter().filter(|endpoint| !endpoint.document.is_empty());
    let Some(first) = written.next() else { return Ok(Box::default()) };
    if let Some(other) = written.find(|other| other.document != first.document) {
        let message =
            format!("endpoints `{}` and `{}` have different `document`s; one is allowed", first.name, other.name);
        return Err(source.error(other.at, message));
    }
    Ok(first.document.clone())
}

/// Every place of the profile that is looked at to decide something.
fn places(profile: &Profile) -> impl Iterator<Item = &Place> {
    let endpoints = profile.endpoints.iter().flat_map(|endpoint| {
        let read = endpoint.read.iter().flatten();
        let extra = endpoint.extra.iter().flat_map(|(_, places)| places.iter());
        endpoint.when.iter().chain(&endpoint.document).chain(read).chain(extra)
    });
    let tenant = profile.tenant.iter().flat_map(|plan| plan.at.iter());
    let proofs = profile.proofs.iter().flat_map(|proof| proof.places());
    let methods = profile.method.iter().map(|entry| &entry.place);
    let paths = profile.path.iter().map(|entry| &entry.place);
    endpoints.chain(tenant).chain(proofs).chain(methods).chain(paths)
}

fn query_names(profile: &Profile) -> Box<[Box<str>]> {
    let mut names: Vec<Box<str>> = Vec::new();
    for place in places(profile) {
        if let Where::Query(name) = &place.at
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names.into()
}

/// Where spent proof sits, and which headers the profile reads at all.
fn spent(profile: &Profile) -> Spent {
    let mut spent = Spent::default();
    for place in profile.proofs.iter().flat_map(|proof| proof.places()) {
        match &place.at {
            Where::Header(name) => push(&mut spent.headers, name),
            Where::Cookie(name) => push(&mut spent.cookies, name),
            Where::Query(name) => push(&mut spent.query, name),
            Where::Auth(_) => spent.authorization = true,
            _ => {}
        }
    }
    let pairs = profile
        .endpoints
        .iter()
        .flat_map(|e| [endpoint::Read::User, endpoint::Read::Password].map(|r| e.read_places(r)));
    for place in pairs.flatten() {
        match &place.at {
            Where::Header(name) => push(&mut spent.headers, name),
            Where::Query(name) => push(&mut spent.query, name),
            _ => {}
        }
    }
    for place in places(profile) {
        match &place.at {
            Where::Header(name) => push(&mut spent.headers_read, name),
            Where::Auth(_) => push(&mut spent.headers_read, "Authorization"),
            Where::Cookie(_) => push(&mut spent.headers_read, "Cookie"),
            _ => {}
        }
    }
    spent
}

fn push(list: &mut Vec<Box<str>>, name: &str) {
    if !list.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        list.push(name.into());
    }
}

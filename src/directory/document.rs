//! The text of `users.toml`: read with the line of every mistake, and written.
//!
//! Called by the users file and the command. Knows the form only; whether a hash is allowed, and whether two users stand
//! in each other's way, is asked elsewhere.
//!
//! ```toml
//! format = 1
//! [[tenant]]
//! id   = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"
//! name = "Sample Vault"
//! [[user]]
//! name    = "AlexK"
//! id      = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
//! tenants = ["{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"]
//! hash    = "$argon2id$..."
//! [user.attrs]
//! UserID  = 1
//! [[user.api_key]]
//! name    = "nightly"
//! digest  = "(SHA-256 of the key, 64 hexadecimal digits)"
//! expires = 2030-01-01T00:00:00Z
//! ```

use super::{ApiKey, Attr, Tenant, User, is_name};
use crate::base::{Error, Result, document, encoding};
use crate::password::StoredHash;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

const HEAD: &str = "\
# Users and their credentials. `janua user` writes this file, and so do logins (stronger hashes, one-time passwords
# that were used): the order of users stays, comments do not.
";

/// The whole file.
#[derive(Default)]
pub(super) struct Document {
    pub(super) tenants: Vec<Tenant>,
    pub(super) users: Vec<User>,
    /// The line of each user, for messages; empty in a document that was not read.
    pub(super) lines: Vec<usize>,
}

/// Reads the file. Errors: [`crate::base::Status::Invalid`] beginning with the line; no value is in the sentence but
/// names.
pub(super) fn parse(text: &str) -> Result<Document> {
    let root = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| document::line_of(text, span.start));
        Error::invalid(error.message()).at(format_args!("line {line}"))
    })?;
    let root = Fields { text, table: root.get_ref(), start: 0, what: "the file" };
    root.only(&["format", "tenant", "user"])?;
    match root.number("format")? {
        Some(1) => {}
        Some(other) => return Err(root.wrong("format", format!("format {other} is not known; this is a reader of 1"))),
        None => return Err(Error::invalid("line 1: `format = 1` is missing")),
    }
    let mut document = Document::default();
    for fields in root.tables("tenant", "a tenant")? {
        document.tenants.push(tenant(&fields)?);
    }
    for fields in root.tables("user", "a user")? {
        document.lines.push(document::line_of(text, fields.start));
        document.users.push(user(&fields)?);
    }
    Ok(document)
}

fn tenant(fields: &Fields<'_, '_>) -> Result<Tenant> {
    fields.only(&["id", "name"])?;
    Ok(Tenant { id: fields.needed("id")?, name: fields.needed("name")? })
}

fn user(fields: &Fields<'_, '_>) -> Result<User> {
    fields.only(&[
        "name",
        "id",
        "full_name",
        "email",
        "roles",
        "tenants",
        "hash",
        "one_time",
        "generation",
        "revoked",
        "disabled",
        "pending",
        "must_change",
        "attrs",
        "api_key",
    ])?;
    let name = fields.needed("name")?;
    if !is_name(&name) {
        let text = "a name has 1 to 256 bytes, no control character and no blank at either end";
        return Err(fields.wrong("name", text));
    }
    let generation = u64::try_from(fields.number("generation")?.unwrap_or(1));
    let mut user = User {
        id: fields.needed("id")?,
        full_name: fields.text("full_name")?.unwrap_or_default(),
        email: fields.text("email")?.unwrap_or_default(),
        roles: fields.texts("roles")?,
        tenants: fields.texts("tenants")?,
        hash: fields.text("hash")?.map(StoredHash::from),
        one_time: fields.text("one_time")?.map(StoredHash::from),
        generation: generation.map_err(|_| fields.wrong("generation", "the generation is negative"))?,
        revoked: fields.micros("revoked")?.unwrap_or(0),
        disabled: fields.flag("disabled")?,
        pending: fields.flag("pending")?,
        must_change: fields.flag("must_change")?,
        attrs: fields.attrs("attrs")?,
        api_keys: Vec::new(),
        name,
    };
    for key in fields.tables("api_key", "an API key")? {
        user.api_keys.push(api_key(&key)?);
    }
    Ok(user)
}

fn api_key(fields: &Fields<'_, '_>) -> Result<ApiKey> {
    fields.only(&["name", "digest", "expires", "disabled"])?;
    let digest = encoding::hex_decode(&fields.needed("digest")?);
    Ok(ApiKey {
        name: fields.needed("name")?,
        digest: digest.ok_or_else(|| fields.wrong("digest", "a digest has 64 hexadecimal digits"))?,
        expires: fields.time("expires")?,
        disabled: fields.flag("disabled")?,
    })
}

/// A table of the file, with what is needed to name the line of a mistake in it.
struct Fields<'t, 'i> {
    text: &'t str,
    table: &'t DeTable<'i>,
    start: usize,
    what: &'static str,
}

impl<'t, 'i> Fields<'t, 'i> {
    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// An error at the line of `key`, or of the table when it is not there.
    fn wrong(&self, key: &str, message: impl Into<String>) -> Error {
        let start = self.get(key).map_or(self.start, |value| value.span().start);
        Error::invalid(message).at(format_args!("line {}", document::line_of(self.text, start)))
    }

    fn only(&self, known: &[&str]) -> Result<()> {
        let unknown = self.table.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown else { return Ok(()) };
        let name = key.get_ref();
        let mut message = format!("{} has no `{name}`", self.what);
        if let Some(near) = document::nearest(name, known.iter().copied()) {
            message.push_str(&format!("; did you mean `{near}`?"));
        }
        Err(Error::invalid(message).at(format_args!("line {}", document::line_of(self.text, key.span().start))))
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = value.get_ref().as_str().ok_or_else(|| self.wrong(key, format!("`{key}` is not a text")))?;
        Ok(Some(text.to_owned()))
    }

    fn needed(&self, key: &str) -> Result<String> {
        match self.text(key)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(key, format!("{} needs `{key}`", self.what))),
        }
    }

    fn number(&self, key: &str) -> Result<Option<i64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = integer(value.get_ref());
        number.map(Some).ok_or_else(|| self.wrong(key, format!("`{key}` is not a whole number")))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        let Some(value) = self.get(key) else { return Ok(false) };
        value.get_ref().as_bool().ok_or_else(|| self.wrong(key, format!("`{key}` is neither true nor false")))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let list = value.get_ref().as_array().map(|list| list.iter().map(|item| item.get_ref().as_str()));
        let texts = list.and_then(|list| list.map(|item| item.map(str::to_owned)).collect());
        texts.ok_or_else(|| self.wrong(key, format!("`{key}` is not a list of texts")))
    }

    /// Unix seconds of a date with a time of day and a time zone.
    fn time(&self, key: &str) -> Result<Option<i64>> {
        Ok(self.moment(key)?.map(OffsetDateTime::unix_timestamp))
    }

    /// The same in microseconds, for a time since 1970.
    fn micros(&self, key: &str) -> Result<Option<u64>> {
        let Some(moment) = self.moment(key)? else { return Ok(None) };
        let micros = u64::try_from(moment.unix_timestamp_nanos() / 1_000);
        micros.map(Some).map_err(|_| self.wrong(key, format!("`{key}` lies before 1970")))
    }

    fn moment(&self, key: &str) -> Result<Option<OffsetDateTime>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let time = value.get_ref().as_datetime().map(ToString::to_string);
        let time = time.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok());
        let wrong = || self.wrong(key, format!("`{key}` is not a time like 2030-01-01T00:00:00Z, with its zone"));
        Ok(Some(time.ok_or_else(wrong)?))
    }

    fn attrs(&self, key: &str) -> Result<BTreeMap<String, Attr>> {
        let Some(value) = self.get(key) else { return Ok(BTreeMap::new()) };
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong(key, format!("`{key}` is not a table")))?;
        let attr = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Some(Attr::Text(text.clone().into_owned())),
            DeValue::Boolean(flag) => Some(Attr::Bool(*flag)),
            other => integer(other).map(Attr::Int),
        };
        let mut out = BTreeMap::new();
        for (name, value) in table {
            let line = document::line_of(self.text, value.span().start);
            let wrong = || Error::invalid(format!("line {line}: `{}` is no text, number or flag", name.get_ref()));
            out.insert(name.get_ref().clone().into_owned(), attr(value.get_ref()).ok_or_else(wrong)?);
        }
        Ok(out)
    }

    fn tables(&self, key: &str, what: &'static str) -> Result<Vec<Fields<'t, 'i>>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let wrong = || self.wrong(key, format!("`{key}` is not a list: write `[[{key}]]`"));
        let list = value.get_ref().as_array().ok_or_else(wrong)?;
        let fields = |item: &'t Spanned<DeValue<'i>>| {
            let table = item.get_ref().as_table()?;
            Some(Fields { text: self.text, table, start: item.span().start, what })
        };
        list.iter().map(|item| fields(item).ok_or_else(wrong)).collect()
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

#[derive(Serialize)]
struct Out<'a> {
    format: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenant: Vec<OutTenant<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user: Vec<OutUser<'a>>,
}

#[derive(Serialize)]
struct OutTenant<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct OutUser<'a> {
    name: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    full_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tenants: &'a [String],
    hash: Option<&'a str>,
    one_time: Option<&'a str>,
    generation: u64,
    revoked: Option<toml::value::Datetime>,
    #[serde(skip_serializing_if = "is_false")]
    disabled: bool,
    #[serde(skip_serializing_if = "is_false")]
    pending: bool,
    #[serde(skip_serializing_if = "is_false")]
    must_change: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attrs: BTreeMap<&'a str, toml::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    api_key: Vec<OutKey<'a>>,
}

#[derive(Serialize)]
struct OutKey<'a> {
    name: &'a str,
    digest: String,
    expires: Option<toml::value::Datetime>,
    #[serde(skip_serializing_if = "is_false")]
    disabled: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The text of a document; [`parse`] gives it back.
pub(super) fn print(document: &Document) -> Result<Zeroizing<String>> {
    let tenant = document.tenants.iter().map(|tenant| OutTenant { id: &tenant.id, name: &tenant.name }).collect();
    let user = document.users.iter().map(out_user).collect::<Result<_>>()?;
    let body = toml::to_string(&Out { format: 1, tenant, user });
    let body = Zeroizing::new(body.map_err(|error| Error::invalid(format!("cannot be written as TOML: {error}")))?);
    Ok(Zeroizing::new(format!("{HEAD}{}", *body)))
}

fn out_user(user: &User) -> Result<OutUser<'_>> {
    let attr = |attr: &Attr| match attr {
        Attr::Text(text) => toml::Value::String(text.clone()),
        Attr::Int(number) => toml::Value::Integer(*number),
        Attr::Bool(flag) => toml::Value::Boolean(*flag),
    };
    let key = |key: &'_ ApiKey| -> Result<Option<toml::value::Datetime>> { key.expires.map(datetime).transpose() };
    let mut api_key = Vec::new();
    for stored in &user.api_keys {
        let (digest, expires) = (encoding::hex(&stored.digest), key(stored)?);
        api_key.push(OutKey { name: &stored.name, digest, expires, disabled: stored.disabled });
    }
    Ok(OutUser {
        name: &user.name,
        id: &user.id,
        full_name: &user.full_name,
        email: &user.email,
        roles: &user.roles,
        tenants: &user.tenants,
        hash: user.hash.as_deref(),
        one_time: user.one_time.as_deref(),
        generation: user.generation,
        revoked: Some(user.revoked).filter(|micros| *micros > 0).map(micros).transpose()?,
        disabled: user.disabled,
        pending: user.pending,
        must_change: user.must_change,
        attrs: user.attrs.iter().map(|(name, value)| (name.as_str(), attr(value))).collect(),
        api_key,
    })
}

fn datetime(unix: i64) -> Result<toml::value::Datetime> {
    written(OffsetDateTime::from_unix_timestamp(unix).ok())
}

fn micros(unix_us: u64) -> Result<toml::value::Datetime> {
    written(OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_us) * 1_000).ok())
}

fn written(time: Option<OffsetDateTime>) -> Result<toml::value::Datetime> {
    let text = time.and_then(|time| time.format(&Rfc3339).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::invalid("a time lies outside the years 0 to 9999"))
}

//! Scenario files as `tests/scenarios/README.md` describes them; unknown keys are errors.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[allow(dead_code)] // for people
    pub about: String,
    pub config: String,
    #[serde(default, rename = "let")]
    pub variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub secrets: Vec<String>,
    pub scenario: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[serde(default, rename = "let")]
    pub variables: BTreeMap<String, Variable>,
    pub step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Variable {
    Text(String),
    Repeat { repeat: String, times: usize },
}

impl Variable {
    pub fn text(&self) -> String {
        match self {
            Variable::Text(text) => text.clone(),
            Variable::Repeat { repeat, times } => repeat.repeat(*times),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Status {
    One(u16),
    Any(Vec<u16>),
}

impl Status {
    pub fn allows(&self, status: u16) -> bool {
        match self {
            Status::One(one) => *one == status,
            Status::Any(any) => any.contains(&status),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Told {
    Nobody(String),
    Somebody(BTreeMap<String, serde_json::Value>),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    pub does: String,
    pub send: Option<String>,
    pub headers: Vec<String>,
    pub body: String,
    pub body_file: Option<String>,
    pub latin1: bool,
    pub raw: Option<String>,
    pub client: Option<String>,
    pub wait: i64,
    pub restart: bool,
    pub times: Option<usize>,
    pub status: Option<Status>,
    pub allow: Option<Told>,
    pub answer: Vec<String>,
    pub without: Vec<String>,
    pub text: Option<String>,
    pub json: Option<String>,
    pub lacks: Vec<String>,
    pub reason: Option<String>,
    pub capture: BTreeMap<String, String>,
    pub differ: Option<(String, String)>,
}

/// Puts `${name}` in; `iso:` and `ms:` count from `now`, in Unix seconds.
pub fn fill(text: &str, known: &BTreeMap<String, String>, now: i64) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        let end = rest[at..].find('}').ok_or_else(|| format!("`${{` without its end in {text:?}"))?;
        let name = &rest[at + 2..at + end];
        out.push_str(&rest[..at]);
        out.push_str(&match name.split_once(':') {
            Some(("iso", offset)) => iso(now + seconds(offset)?),
            Some(("ms", offset)) => ((now + seconds(offset)?) * 1000).to_string(),
            _ => known.get(name).ok_or_else(|| format!("no variable {name}"))?.clone(),
        });
        rest = &rest[at + end + 1..];
    }
    Ok(out + rest)
}

fn seconds(offset: &str) -> Result<i64, String> {
    offset.parse().map_err(|_| format!("{offset}: not a number of seconds"))
}

fn iso(unix: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(unix).unwrap();
    time.format(&time::format_description::well_known::Rfc3339).unwrap()
}

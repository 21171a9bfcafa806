//! `janua sessions`: the live sessions of a running host, and the end of one of them.

use crate::failure::Failure;
use crate::live::Place;
use crate::{Done, output};
use janua::engine::Engine;
use janua::session::{Record, Reference};
use janua::store::Listed;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  janua sessions list
  janua sessions list --user joe.bloggs@test.com --json
  janua sessions show 3f1c0a9be2774d0c8f6b5a4e3d2c1b0a
  janua sessions revoke 3f1c0a9be2774d0c8f6b5a4e3d2c1b0a

References are those of the audit log: they end a session and never open one.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List the live sessions, oldest log-in first
    List {
        /// Only those of this user, by name or id
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        max: usize,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show one session
    Show {
        /// Its reference
        reference: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// End one session; in force when the command returns
    Revoke {
        /// Its reference
        reference: String,
    },
}

pub fn run(arguments: &Arguments) -> Done {
    match &arguments.what {
        What::List { user, max, json } => list(&arguments.place, user.as_deref(), *max, *json),
        What::Show { reference, json } => show(&arguments.place, &read(reference)?, *json),
        What::Revoke { reference } => {
            let reference = read(reference)?;
            match arguments.place.join()?.revoke_session(&reference)? {
                true => output::line(format!("ended {reference}")),
                false => Err(unknown(&reference)),
            }
        }
    }
}

fn read(text: &str) -> Result<Reference, Failure> {
    Reference::parse(text.as_bytes()).ok_or_else(|| {
        Failure::usage("a reference is 32 hexadecimal digits, as `janua sessions list` and the audit log show it")
    })
}

fn unknown(reference: &Reference) -> Failure {
    Failure::not_found(format!("there is no session {reference}: it may have ended"))
}

/// The id of a user named by name or id: of a users file its id, otherwise the text as it stands.
pub fn principal(place: &Place, user: &str) -> Result<String, Failure> {
    let Some(path) = place.users()? else { return Ok(user.to_owned()) };
    let (_, users) = crate::roster::list(&path)?;
    let found = users.iter().find(|u| u.name == user).or_else(|| users.iter().find(|u| u.id == user));
    Ok(found.map_or_else(|| user.to_owned(), |user| user.id.clone()))
}

/// What a person calls a principal.
fn names(place: &Place) -> Result<Vec<(String, String)>, Failure> {
    let Some(path) = place.users()? else { return Ok(Vec::new()) };
    let (_, users) = crate::roster::list(&path)?;
    Ok(users.into_iter().map(|user| (user.id, user.name)).collect())
}

fn name<'n>(names: &'n [(String, String)], id: &'n str) -> &'n str {
    names.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name)
}

fn list(place: &Place, user: Option<&str>, max: usize, as_json: bool) -> Done {
    let wanted = user.map(|user| principal(place, user)).transpose()?;
    let names = names(place)?;
    let engine = place.join()?;
    let reach = if wanted.is_some() { usize::MAX } else { max };
    let mut rows = engine.sessions(reach)?;
    rows.retain(|row| wanted.as_ref().is_none_or(|id| **id == *row.principal));
    rows.truncate(max);
    if as_json {
        return output::json(&Value::Array(rows.iter().map(|row| as_value(row, &names)).collect()));
    }
    let cells = |row: &Listed| {
        vec![
            row.reference.to_string(),
            output::plain(name(&names, &row.principal)),
            output::time(Some(row.created)),
            output::time(Some(row.last_use)),
            output::plain(row.tenant.as_ref().map_or("-", |tenant| &tenant.name)),
        ]
    };
    output::table(
        &["REFERENCE", "USER", "LOGGED IN", "LAST USE", "TENANT"],
        &rows.iter().map(cells).collect::<Vec<_>>(),
    )
}

fn as_value(row: &Listed, names: &[(String, String)]) -> Value {
    json!({
        "reference": row.reference.to_string(),
        "principal": &*row.principal,
        "name": name(names, &row.principal),
        "created": output::time(Some(row.created)),
        "last_use": output::time(Some(row.last_use)),
        "tenant": row.tenant.as_ref().map(|tenant| &tenant.id),
        "last_path": row.last_path,
    })
}

fn show(place: &Place, reference: &Reference, as_json: bool) -> Done {
    let names = names(place)?;
    let engine: std::sync::Arc<Engine> = place.join()?;
    let Some(record) = engine.session(reference)? else { return Err(unknown(reference)) };
    let shown = shown(&record, name(&names, &record.principal), reference);
    if as_json {
        let fields = shown.into_iter().map(|(name, value)| (name.replace(' ', "_"), value.into())).collect();
        return output::json(&Value::Object(fields));
    }
    for (name, value) in shown {
        output::line(format!("{name:<13} {}", output::plain(&value)))?;
    }
    Ok(())
}

/// What there is to know of a session, none of it secret. What the client brought along stays out: nobody checked it.
fn shown(record: &Record, name: &str, reference: &Reference) -> Vec<(&'static str, String)> {
    let ends = record.ends();
    let mut rows = vec![
        ("reference", reference.to_string()),
        ("principal", record.principal.to_string()),
        ("name", name.to_owned()),
        ("logged in", output::time(Some(ends.created_unix))),
        ("ends", output::time(Some(ends.absolute_unix))),
        ("idle time", format!("{} s", ends.idle_secs)),
        ("companion", if record.companion_required() { "required" } else { "not seen" }.to_owned()),
    ];
    rows.extend(record.tenant.as_ref().map(|tenant| ("tenant", tenant.id.clone())));
    rows.extend(record.last_path().map(|path| ("last path", path)));
    rows
}

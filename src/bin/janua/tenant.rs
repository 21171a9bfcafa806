//! `janua tenant`: what users belong to, kept in the users file beside them.

use crate::failure::Failure;
use crate::roster::{Place, Roster};
use crate::{Done, output};
use janua::directory::edit;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  janua tenant add \"Sample Vault\" --id \"{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}\"
  janua tenant list";

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
    /// Add a tenant and print its id
    Add {
        /// What people call it
        name: String,
        /// Its id [default: a new GUID]
        #[arg(long)]
        id: Option<String>,
    },
    /// List the tenants
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

pub fn run(arguments: &Arguments) -> Done {
    let roster = arguments.place.find()?;
    match &arguments.what {
        What::Add { name, id } => add(&roster, name, id.as_deref()),
        What::List { json } => list(&roster, *json),
    }
}

fn add(roster: &Roster, name: &str, id: Option<&str>) -> Done {
    let text = |text: &str| !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if !text(name) || !id.is_none_or(text) {
        return Err(Failure::usage("names and ids have no control character, and no blank at the beginning or end"));
    }
    let (tenants, _) = roster.list()?;
    if let Some(tenant) = tenants.iter().find(|t| id.is_some_and(|id| t.id.eq_ignore_ascii_case(id))) {
        return Err(Failure::refused(format!("there is a tenant of this id already: `{}`", tenant.name)));
    }
    let id = edit::add_tenant(&roster.path, id.map(str::to_owned), name)?;
    output::line(id)
}

fn list(roster: &Roster, as_json: bool) -> Done {
    let (tenants, _) = roster.list()?;
    if as_json {
        let rows = tenants.iter().map(|t| json!({ "id": t.id, "name": t.name })).collect();
        return output::json(&serde_json::Value::Array(rows));
    }
    let rows: Vec<Vec<String>> = tenants.iter().map(|t| vec![output::plain(&t.id), output::plain(&t.name)]).collect();
    output::table(&["ID", "NAME"], &rows)
}

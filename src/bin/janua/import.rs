//! `janua user import`: takes over the users of an htpasswd file with their hashes, so that nobody needs a new password.

use crate::failure::{Code, Failure};
use crate::roster::Roster;
use crate::{Done, files, output};
use janua::directory::edit;
use janua::password::{Format, Policy};
use std::path::PathBuf;

const MORE: &str = "\
Users who are there already, and hashes of a kind that is not allowed, are left out and named; the exit code is 1 then.

Examples:
  janua user import /etc/apache2/.htpasswd
  janua user import --users users.toml --weak apr1 .htpasswd";

#[derive(clap::Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The htpasswd file
    file: PathBuf,
    /// With --users: a weak kind of hash to take over all the same (apr1, sha1, ssha, des, md5-crypt)
    #[arg(long, value_name = "KIND", value_parser = weak)]
    weak: Vec<Format>,
}

pub fn run(roster: &Roster, arguments: &Arguments) -> Done {
    if let (Some(config), false) = (&roster.configured, arguments.weak.is_empty()) {
        return Err(Failure::usage(format!(
            "--weak goes with --users; here the configuration decides, or the host would refuse the file: name the kind \
             in [directory] weak of {}",
            config.display()
        )));
    }
    let mut policy = Policy { weak: roster.policy.weak.clone(), ..Policy::default() };
    policy.weak.extend(&arguments.weak);
    if let Err(error) = std::fs::metadata(&arguments.file) {
        return Err(files::failed(&arguments.file, "cannot be read", &error));
    }
    if roster.path.symlink_metadata().is_err() {
        edit::create(&roster.path)?;
        output::note(format!("made {}", roster.path.display()));
    }
    let imported = edit::import(&roster.path, &arguments.file, &policy)?;
    for sentence in &imported.skipped {
        output::note(format!("{}: {}", arguments.file.display(), output::plain(sentence)));
    }
    let (added, left_out) = (imported.added.len(), imported.skipped.len());
    output::line(format!("{added} users imported, {left_out} lines left out"))?;
    match left_out {
        0 => Ok(()),
        _ => Err(Failure::Told(Code::Refused)),
    }
}

fn weak(name: &str) -> Result<Format, String> {
    Format::named(name).filter(|f| f.is_weak()).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.into_iter().filter(|f| f.is_weak()).map(Format::name).collect();
        format!("no weak kind of hash; known are {}", known.join(", "))
    })
}

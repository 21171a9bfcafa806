//! `janua revoke`: ends many at once, on the store of a running host.

use crate::failure::Failure;
use crate::live::Place;
use crate::{Done, moment, output, sessions};
use janua::base::encoding::hex_decode;

const EXAMPLES: &str = "\
Examples:
  janua revoke --user joe.bloggs@test.com
  janua revoke --before 2026-01-31T12:00:00Z
  janua revoke --before -2h
  janua revoke --key 9f2c5e0a1b7d4433
  janua revoke --accept-older

In force in every process of the machine when the command returns. Who logs in anew is let in: to keep somebody out,
`janua user disable`.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "revoked", required = true, multiple = false, args = ["user", "before", "key", "accept_older"])]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// End all sessions and tokens of this user, by name or id
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// End all sessions and tokens that were made before this time
    #[arg(long, value_name = "TIME", value_parser = moment::any, allow_hyphen_values = true)]
    before: Option<i64>,
    /// End all tokens of this key, by the id that `janua keyring show` prints
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// The log of revocations was lost, and nothing in it mattered: let in again what was made before that
    #[arg(long)]
    accept_older: bool,
}

pub fn run(arguments: &Arguments) -> Done {
    let place = &arguments.place;
    if let Some(user) = &arguments.user {
        let id = sessions::principal(place, user)?;
        place.join()?.revoke_principal(&id)?;
        return output::line(format!("ended all sessions and tokens of {}", output::plain(user)));
    }
    if let Some(before) = arguments.before {
        let engine = place.join()?;
        let now = janua::base::Clock::system().now();
        if before > now.unix() {
            return Err(Failure::usage("--before: that time has not come yet"));
        }
        engine.revoke_before(u64::try_from(before.saturating_mul(1_000_000)).unwrap_or(0))?;
        return output::line(format!("ended everything that was made before {}", output::time(Some(before))));
    }
    if let Some(key) = &arguments.key {
        let id = hex_decode::<8>(key).ok_or_else(|| Failure::usage("--key: an id is 16 hexadecimal digits"))?;
        place.join()?.revoke_key(id)?;
        output::line(format!("ended all tokens that the key {} made so far", output::plain(key)))?;
        return output::line(
            "It signs on. If it is in wrong hands: `janua keyring rotate --now`, then `janua keyring retire`.",
        );
    }
    place.join()?.accept_older()?;
    output::line("what was made before the log was lost is good again")
}

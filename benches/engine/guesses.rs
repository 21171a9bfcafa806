//! What it costs to count a guess: in this process's memory, and in a page that the machine's processes share.

use crate::measure::{Effort, Row, compare};
use janua::base::Clock;
use janua::crypto::mac::MacKey;
use janua::throttle::{Account, Settings, Throttle};
use std::path::Path;

const ACCOUNTS: usize = 1_000;

pub fn rows(short: bool) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guesses-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder below target/");
    let make = || Throttle::new(Settings::default(), MacKey::new(&[7; 32]));
    let (private, shared) = (make(), make());
    shared.share(&folder).expect("a page in the folder");
    let names: Vec<_> = (0..ACCOUNTS).map(|number| format!("user{number}")).collect();
    let now = Clock::fake(1_767_225_600).now();
    let guess = |throttle: &Throttle, turn: &mut usize, client: &str| {
        *turn = (*turn + 1) % ACCOUNTS;
        let account = Account { site: "data.example.org", user: &names[*turn], client: client.as_bytes() };
        let known = throttle.is_known(&account, now);
        let ticket = throttle.admit(&account, now, known).expect("given back, it is always free");
        throttle.abandon(ticket);
    };
    let rows = [("IPv4", "192.0.2.7"), ("IPv6", "2001:db8:1:2::3")].map(|(kind, client)| {
        let (mut one, mut two) = (0, 0);
        let found = compare(Effort::of(short), &mut || guess(&private, &mut one, client), &mut || {
            guess(&shared, &mut two, client);
        });
        Row::ratio(format!("a guess counted and given back, {kind}, shared"), "in one process", &found)
    });
    drop(shared);
    let _ = std::fs::remove_dir_all(folder);
    rows.into()
}

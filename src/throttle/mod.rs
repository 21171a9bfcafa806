//! The throttle: how often passwords may be guessed, counted by account and by client address, and by both.
//!
//! Called by the engine before every hash, whatever path the password came by: one count over all of them
//! (CVE-2021-41807). It counts a guess **before** the hash runs and gives it back on success, so that two hundred parallel
//! guesses are not all the first one (CVE-2018-8171). It hashes nothing, knows no user, and never says "locked": the
//! engine answers a throttled guess like a wrong password.
//!
//! | counted by | free | then one guess every | forgotten |
//! |---|---|---|---|
//! | account and address (IPv4 /32, IPv6 /64) | 5 | 2^(n-5) s, at most 60 | 30 minutes after the last |
//! | account and IPv6 /56, /48 | 10, 20 | the same | the same |
//! | account, over all addresses | 100 | 60 s | 2 hours after the last |
//! | address (and IPv6 /56, /48), over all accounts | 50 (100, 200) | 2^(n-50) s, at most 60 | one a minute, ten by a new pair's success |
//!
//! A **known pair** (this account logged in from this address within 30 days) counts in a slot of its own and is asked for
//! none of the above: who guesses from elsewhere does not lock the owner out. The window before anything is forgotten is
//! long enough that waiting for it gains less than going on at one guess a minute.
//!
//! Memory is fixed. Counts live in this process, in boot time; a fork copies them and counts on alone. Names and
//! addresses are kept as keyed digests only.

mod net;
mod table;

use crate::base::{Now, Reason};
use crate::crypto::mac::MacKey;
use net::Net;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use table::{Fade, Known, Limit, Table};

/// Seconds between guesses at most.
pub const MAX_DELAY: i64 = 60;

const PAIR: [Limit; 3] = [Limit::doubling(5), Limit::doubling(10), Limit::doubling(20)];
const CLIENT: [Limit; 3] = [Limit::doubling(50), Limit::doubling(100), Limit::doubling(200)];
const ACCOUNT: Limit = Limit::flat(100);

/// Failures of an address that are forgiven when a pair logs in there for the first time: a company behind one address
/// has many users who mistype, and far more who do not. A pair is new once in 30 days, so this cannot be repeated with
/// one account.
const FORGIVEN: u32 = 10;

/// How large and how anxious a throttle is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slots for pairs, 32 bytes each; half as many again for accounts, addresses and known pairs each.
    pub slots: usize,
    /// So many failures of all accounts within a minute are an alarm.
    pub alarm_per_minute: u32,
}

impl Default for Settings {
    /// 2.5 MiB, and an alarm at 120 failures a minute.
    fn default() -> Settings {
        Settings { slots: 32_768, alarm_per_minute: 120 }
    }
}

/// Who guesses, and from where.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub site: &'a str,
    /// Folded (`directory::fold`), whether or not the look-up folds: spellings of one name share one count.
    pub user: &'a str,
    /// The client's address as text, through configured proxies only. What is no address shares one count.
    pub client: &'a [u8],
}

/// A guess that was counted. Dropped without a word it stays counted.
#[must_use = "a guess stays counted unless it is given back"]
#[derive(Debug)]
pub struct Ticket(Keys);

/// The digests under which one guess is counted.
#[derive(Clone, Copy, Debug)]
enum Keys {
    Known(u64),
    Unknown { pairs: [Option<u64>; 3], account: u64, clients: [Option<u64>; 3] },
}

/// The counts. Any thread; one short lock, taken once for each login.
pub struct Throttle {
    key: MacKey,
    alarm_per_minute: u32,
    state: Mutex<State>,
    /// Boot second until which some count delays; before any delay, nobody needs to look.
    hot_until: AtomicI64,
}

struct State {
    pairs: Table,
    accounts: Table,
    clients: Table,
    known: Known,
    failures: Failures,
}

impl Throttle {
    /// `key`: for the digests of names and addresses.
    pub fn new(settings: Settings, key: MacKey) -> Throttle {
        let half = settings.slots / 2;
        let state = State {
            pairs: Table::new(settings.slots, Fade::Quiet(30 * 60)),
            accounts: Table::new(half, Fade::Quiet(120 * 60)),
            clients: Table::new(half, Fade::Leak(60)),
            known: Known::new(half),
            failures: Failures::default(),
        };
        let hot_until = AtomicI64::new(i64::MIN);
        Throttle { key, alarm_per_minute: settings.alarm_per_minute, state: Mutex::new(state), hot_until }
    }

    /// Counts a guess, or refuses it. `known`: what [`Throttle::is_known`] said; it is asked again.
    ///
    /// Errors: [`Reason::Throttled`]; then nothing was counted, and nothing may be hashed.
    pub fn admit(&self, account: &Account<'_>, now: Now, known: bool) -> Result<Ticket, Reason> {
        let (net, at) = (Net::of(account.client), now.boot());
        let pair = self.pair(account, &net);
        let keys = if known { None } else { Some(self.keys(account, &net, pair)) };
        let mut state = self.state.lock();
        if known && state.known.contains(pair, at) {
            let admitted = state.known.admit(pair, at, PAIR[0]);
            return self.close(&mut state, admitted, Keys::Known(pair), at);
        }
        let keys = keys.unwrap_or_else(|| self.keys(account, &net, pair));
        let wait = state.wait(&keys, at);
        let admitted = if wait > 0 { Err(wait) } else { Ok(state.reserve(&keys, at)) };
        self.close(&mut state, admitted, keys, at)
    }

    /// `admitted`: the seconds of delay that begin with this guess, or those still to wait.
    fn close(&self, state: &mut State, admitted: Result<i64, i64>, keys: Keys, at: i64) -> Result<Ticket, Reason> {
        match admitted {
            Ok(delay) => {
                self.hot_until.fetch_max(at.saturating_add(delay), Ordering::Relaxed);
                Ok(Ticket(keys))
            }
            Err(wait) => {
                self.hot_until.fetch_max(at.saturating_add(wait), Ordering::Relaxed);
                state.failures.count(at);
                Err(Reason::Throttled)
            }
        }
    }

    /// The password was right: what was counted against the account from here is forgiven, the guess is given back to the
    /// address, and the pair is known for 30 days.
    pub fn success(&self, ticket: Ticket, now: Now) {
        let at = now.boot();
        let mut state = self.state.lock();
        match ticket.0 {
            Keys::Known(pair) => state.known.learn(pair, at),
            Keys::Unknown { pairs, account, clients } => {
                pairs.iter().flatten().for_each(|key| state.pairs.forgive(*key));
                state.accounts.forgive(account);
                clients.iter().flatten().for_each(|key| state.clients.give_back(*key, 1 + FORGIVEN));
                if let [Some(pair), ..] = pairs {
                    state.known.learn(pair, at);
                }
            }
        }
    }

    /// The password was wrong: the guess stays counted.
    pub fn failure(&self, ticket: Ticket, now: Now) {
        let Ticket(_) = ticket;
        self.state.lock().failures.count(now.boot());
    }

    /// Nothing was judged (busy, directory or store unavailable): the guess is given back.
    pub fn abandon(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        match ticket.0 {
            Keys::Known(pair) => state.known.give_back(pair),
            Keys::Unknown { pairs, account, clients } => {
                pairs.iter().flatten().for_each(|key| state.pairs.give_back(*key, 1));
                state.accounts.give_back(account, 1);
                clients.iter().flatten().for_each(|key| state.clients.give_back(*key, 1));
            }
        }
    }

    /// Whether this account logged in from this address within 30 days.
    pub fn is_known(&self, account: &Account<'_>, now: Now) -> bool {
        let pair = self.pair(account, &Net::of(account.client));
        self.state.lock().known.contains(pair, now.boot())
    }

    /// Whether a guess of an unknown pair would be refused now: then the verified-credential cache is not looked at either,
    /// except for a known pair. One load of an atomic as long as nobody is delayed. Counts nothing; no allocation.
    pub fn delayed(&self, account: &Account<'_>, now: Now) -> bool {
        if self.quiet(now) {
            return false;
        }
        let net = Net::of(account.client);
        let keys = self.keys(account, &net, self.pair(account, &net));
        self.state.lock().wait(&keys, now.boot()) > 0
    }

    /// Whether nobody at all is delayed: then there is no account to make up. One load of an atomic.
    pub fn quiet(&self, now: Now) -> bool {
        now.boot() >= self.hot_until.load(Ordering::Relaxed)
    }

    /// Whether more guesses failed within the last minute, over all accounts, than the settings call normal.
    pub fn alarm(&self, now: Now) -> bool {
        self.state.lock().failures.within_a_minute(now.boot()) >= self.alarm_per_minute
    }

    fn pair(&self, account: &Account<'_>, net: &Net) -> u64 {
        self.digest(&[b"pair", account.site.as_bytes(), account.user.as_bytes(), net.bytes()])
    }

    fn keys(&self, account: &Account<'_>, net: &Net, pair: u64) -> Keys {
        let (site, user) = (account.site.as_bytes(), account.user.as_bytes());
        let [wide, wider] = net.wider();
        let pair_of = |net: Net| self.digest(&[b"pair", site, user, net.bytes()]);
        let client_of = |net: &Net| self.digest(&[b"client", net.bytes()]);
        Keys::Unknown {
            pairs: [Some(pair), wide.map(pair_of), wider.map(pair_of)],
            account: self.digest(&[b"account", site, user]),
            clients: [Some(client_of(net)), wide.as_ref().map(client_of), wider.as_ref().map(client_of)],
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> u64 {
        let tag = self.key.tag(parts);
        tag.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl State {
    /// Seconds until all counts of `keys` let another guess through; 0 for now.
    fn wait(&self, keys: &Keys, at: i64) -> i64 {
        let Keys::Unknown { pairs, account, clients } = keys else { return 0 };
        let of = |table: &Table, keys: &[Option<u64>; 3], limits: [Limit; 3]| {
            let waits = keys.iter().zip(limits).map(|(key, limit)| key.map_or(0, |key| table.wait(key, at, limit)));
            waits.max().unwrap_or(0)
        };
        let (pair, client) = (of(&self.pairs, pairs, PAIR), of(&self.clients, clients, CLIENT));
        pair.max(client).max(self.accounts.wait(*account, at, ACCOUNT))
    }

    /// Counts a guess everywhere, and says for how long the next one waits.
    fn reserve(&mut self, keys: &Keys, at: i64) -> i64 {
        let Keys::Unknown { pairs, account, clients } = keys else { return 0 };
        let mut delay = self.accounts.reserve(*account, at, ACCOUNT);
        for (key, limit) in pairs.iter().zip(PAIR) {
            delay = delay.max(key.map_or(0, |key| self.pairs.reserve(key, at, limit)));
        }
        for (key, limit) in clients.iter().zip(CLIENT) {
            delay = delay.max(key.map_or(0, |key| self.clients.reserve(key, at, limit)));
        }
        delay
    }
}

/// Failures of the last minute, in bins of five seconds.
#[derive(Default)]
struct Failures {
    bins: [(i64, u32); 12],
}

impl Failures {
    fn count(&mut self, at: i64) {
        let (number, place) = (at.div_euclid(5), at.div_euclid(5).rem_euclid(12));
        if let Some(bin) = usize::try_from(place).ok().and_then(|place| self.bins.get_mut(place)) {
            *bin = if bin.0 == number { (number, bin.1.saturating_add(1)) } else { (number, 1) };
        }
    }

    fn within_a_minute(&self, at: i64) -> u32 {
        let newest = at.div_euclid(5);
        let young = self.bins.iter().filter(|(number, _)| (newest - 11..=newest).contains(number));
        young.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests;

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
//! | address (and IPv6 /56, /48), over all accounts | 50 (100, 200) | 2^(n-50) s, at most 60 | one a minute, ten by an account's first success |
//!
//! A **known pair** (this account logged in from this address within 30 days) counts in a slot of its own and is asked for
//! none of the above: who guesses from elsewhere does not lock the owner out. The window before anything is forgotten is
//! long enough that waiting for it gains less than going on at one guess a minute.
//!
//! Memory is fixed, and shared by all processes of the machine where the store has a folder for it ([`Throttle::share`]):
//! N workers give a guesser what one gives. Nothing is locked, nothing waits, and whatever the memory holds, a guess is
//! counted before it is hashed. Times are of the boot clock. Names and addresses are kept as keyed digests only.

mod counts;
mod known;
mod ledger;
mod net;

use crate::base::{Now, Reason, Result as Done, sys};
use crate::crypto::mac::MacKey;
use counts::{Counts, Limit};
use known::Pair;
use ledger::Ledger;
use net::Net;
use once_cell::sync::OnceCell;
use std::path::Path;

/// Seconds between guesses at most.
pub const MAX_DELAY: i64 = 60;

const PAIR: [Limit; 3] = [Limit::doubling(5), Limit::doubling(10), Limit::doubling(20)];
const CLIENT: [Limit; 3] = [Limit::doubling(50), Limit::doubling(100), Limit::doubling(200)];
const ACCOUNT: Limit = Limit::flat(100);

/// Failures of an address that are forgiven when an account logs in there that is known from nowhere: a company behind
/// one address has many users who mistype, and far more who do not. An account is new once in 30 days, and a pair as
/// often as its holder has networks: by pairs, one account would buy guesses without end.
const FORGIVEN: u64 = 10;

/// How large and how anxious a throttle is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Cells for pairs, 8 bytes each; half as many for addresses, a quarter each for accounts, for known pairs and
    /// for their counts. Of all processes that share a folder the same.
    pub slots: usize,
    /// So many failures of all accounts within a minute are an alarm.
    pub alarm_per_minute: u32,
}

impl Default for Settings {
    /// 4.5 MiB, and an alarm at 120 failures a minute.
    fn default() -> Settings {
        Settings { slots: 1 << 18, alarm_per_minute: 120 }
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
pub struct Ticket {
    keys: Keys,
    /// Counted in the shared page: what was counted in one page is never given back to the other.
    shared: bool,
}

/// The digests under which one guess is counted.
#[derive(Clone, Copy, Debug)]
enum Keys {
    Known(Pair),
    Unknown { pair: Pair, wider: [Option<u64>; 2], clients: [Option<u64>; 3] },
}

/// The counts. Any thread, no lock.
pub struct Throttle {
    key: MacKey,
    settings: Settings,
    shared: OnceCell<Ledger>,
    /// Used where nothing is shared.
    private: OnceCell<Ledger>,
}

impl Throttle {
    /// `key`: for the digests of names and addresses. Counts in this process until it shares a folder; a fork then copies
    /// the counts and counts on alone.
    pub fn new(settings: Settings, key: MacKey) -> Throttle {
        Throttle { key, settings, shared: OnceCell::new(), private: OnceCell::new() }
    }

    /// Counts together with all processes that share this folder and have the same key: no more guesses are free on the
    /// whole machine than in one process. Others with another key have counts of their own in the same file. Called when
    /// a process attaches, and again until it succeeds.
    ///
    /// Errors: the file cannot be had; until it can, this process counts for itself.
    pub fn share(&self, folder: &Path) -> Done<()> {
        let open = || Ledger::shared(folder, self.settings.slots, &sys::boot_name());
        self.shared.get_or_try_init(open).map(drop)
    }

    /// Takes the memory that counts need, so that no check has to. Called once a process has attached.
    pub fn prepare(&self) {
        let _ = self.ledger();
    }

    /// Where guesses are counted now.
    fn ledger(&self) -> &Ledger {
        self.shared.get().unwrap_or_else(|| self.alone())
    }

    fn alone(&self) -> &Ledger {
        self.private.get_or_init(|| Ledger::private(self.settings.slots))
    }

    /// Where this guess was counted.
    fn ledger_of(&self, ticket: &Ticket) -> &Ledger {
        if ticket.shared { self.ledger() } else { self.alone() }
    }

    /// Counts a guess, or refuses it. `known`: what [`Throttle::is_known`] said; it is asked again.
    ///
    /// Errors: [`Reason::Throttled`]; then nothing was counted, and nothing may be hashed.
    pub fn admit(&self, account: &Account<'_>, now: Now, known: bool) -> Result<Ticket, Reason> {
        let (net, at) = (Net::of(account.client), now.boot());
        // Asked once: another thread may share the folder meanwhile.
        let shared = self.shared.get();
        let ledger = shared.unwrap_or_else(|| self.alone());
        let pair = self.pair(account, &net);
        let (keys, admitted) = if known && ledger.known().contains(&pair, at) {
            (Keys::Known(pair), ledger.owners().reserve(pair.digest, at, PAIR[0]))
        } else {
            let keys = self.keys(account, &net, pair);
            (keys, keys.reserve(ledger, at))
        };
        match admitted {
            Ok(delay) => {
                ledger.delay(at, delay);
                Ok(Ticket { keys, shared: shared.is_some() })
            }
            Err(wait) => {
                ledger.delay(at, wait);
                ledger.failed(at);
                Err(Reason::Throttled)
            }
        }
    }

    /// The password was right: what was counted against the account from here is forgiven, the guess is given back to the
    /// address, with some of others if the account is new, and the pair is known for 30 days.
    pub fn success(&self, ticket: Ticket, now: Now) {
        let (at, ledger, known) = (now.boot(), self.ledger_of(&ticket), self.ledger().known());
        match ticket.keys {
            Keys::Known(pair) => {
                ledger.owners().forgive(pair.digest);
                known.learn(&pair, at);
            }
            Keys::Unknown { pair, wider, clients } => {
                let pairs = [Some(pair.digest)].into_iter().chain(wider);
                pairs.flatten().for_each(|key| ledger.pairs().forgive(key));
                ledger.accounts().forgive(pair.account);
                let more = if known.has_account(&pair, at) { 0 } else { FORGIVEN };
                clients.iter().flatten().for_each(|key| ledger.clients().give_back(*key, more));
                known.learn(&pair, at);
            }
        }
    }

    /// The password was wrong: the guess stays counted.
    pub fn failure(&self, ticket: Ticket, now: Now) {
        let Ticket { .. } = ticket;
        self.ledger().failed(now.boot());
    }

    /// Nothing was judged (busy, directory or store unavailable): the guess is given back.
    pub fn abandon(&self, ticket: Ticket) {
        let ledger = self.ledger_of(&ticket);
        match ticket.keys {
            Keys::Known(pair) => ledger.owners().give_back(pair.digest, 0),
            keys @ Keys::Unknown { .. } => keys.each(ledger, |counts, key, _| counts.give_back(key, 0)),
        }
    }

    /// Whether this account logged in from this address within 30 days.
    pub fn is_known(&self, account: &Account<'_>, now: Now) -> bool {
        let pair = self.pair(account, &Net::of(account.client));
        self.ledger().known().contains(&pair, now.boot())
    }

    /// Whether a guess of an unknown pair would be refused now: then the verified-credential cache is not looked at either,
    /// except for a known pair. A few loads as long as nobody is delayed. Counts nothing; no allocation, no wait.
    pub fn delayed(&self, account: &Account<'_>, now: Now) -> bool {
        if self.quiet(now) {
            return false;
        }
        let net = Net::of(account.client);
        self.keys(account, &net, self.pair(account, &net)).wait(self.ledger(), now.boot()) > 0
    }

    /// Whether nobody at all is delayed: then there is no account to make up. A few loads.
    pub fn quiet(&self, now: Now) -> bool {
        self.ledger().quiet(now.boot())
    }

    /// Whether more guesses failed within the last minute, over all accounts, than the settings call normal.
    pub fn alarm(&self, now: Now) -> bool {
        self.ledger().failures(now.boot()) >= u64::from(self.settings.alarm_per_minute)
    }

    fn pair(&self, account: &Account<'_>, net: &Net) -> Pair {
        let (site, user) = (account.site.as_bytes(), account.user.as_bytes());
        let digest = self.digest(&[b"pair", site, user, net.bytes()]);
        Pair { account: self.digest(&[b"account", site, user]), digest }
    }

    fn keys(&self, account: &Account<'_>, net: &Net, pair: Pair) -> Keys {
        let [wide, wider] = net.wider();
        let pair_of = |net: Net| self.digest(&[b"pair", account.site.as_bytes(), account.user.as_bytes(), net.bytes()]);
        let client_of = |net: &Net| self.digest(&[b"client", net.bytes()]);
        Keys::Unknown {
            pair,
            wider: [wide.map(pair_of), wider.map(pair_of)],
            clients: [Some(client_of(net)), wide.as_ref().map(client_of), wider.as_ref().map(client_of)],
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> u64 {
        let tag = self.key.tag(parts);
        tag.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl Keys {
    /// Every count of an unknown pair's guess: what only this address guesses first, what others guess at, too, last.
    fn each<'l>(&self, ledger: &'l Ledger, mut with: impl FnMut(Counts<'l>, u64, Limit)) {
        let Keys::Unknown { pair, wider: [wide, wider], clients } = *self else { return };
        let pairs = [Some(pair.digest), wide, wider].into_iter().zip(PAIR);
        let pairs = pairs.map(|(key, limit)| (ledger.pairs(), key, limit));
        let clients = clients.into_iter().zip(CLIENT).map(|(key, limit)| (ledger.clients(), key, limit));
        for (counts, key, limit) in pairs.chain(clients) {
            if let Some(key) = key {
                with(counts, key, limit);
            }
        }
        with(ledger.accounts(), pair.account, ACCOUNT);
    }

    /// Seconds until all counts let another guess through; 0 for now.
    fn wait(&self, ledger: &Ledger, at: i64) -> i64 {
        let mut longest = 0;
        self.each(ledger, |counts, key, limit| longest = longest.max(counts.wait(key, at, limit)));
        longest
    }

    /// Counts a guess everywhere, and says for how long the next one waits; or counts it nowhere, and says for how long
    /// this one waits. Of guesses at one time each count lets through as many as are free; one that another count
    /// refuses is taken back.
    fn reserve(&self, ledger: &Ledger, at: i64) -> Result<i64, i64> {
        let wait = self.wait(ledger, at);
        if wait > 0 {
            return Err(wait);
        }
        let (mut delay, mut refused, mut counted) = (0, None, 0);
        self.each(ledger, |counts, key, limit| {
            if refused.is_none() {
                match counts.reserve(key, at, limit) {
                    Ok(begins) => (delay, counted) = (delay.max(begins), counted + 1),
                    Err(wait) => refused = Some(wait),
                }
            }
        });
        let Some(wait) = refused else { return Ok(delay) };
        self.each(ledger, |counts, key, _| {
            if counted > 0 {
                counts.give_back(key, 0);
                counted -= 1;
            }
        });
        Err(wait)
    }
}

#[cfg(all(test, unix))]
mod shared_tests;
#[cfg(test)]
mod tests;

//! Where the counts lie: one page of words, this process's own or shared by all processes of the machine.
//!
//! Used by the throttle alone; the same code counts in either. The shared page is a file in the store's folder, never the
//! store: bots must not hold its lock. The file's name says all that its bits depend on, boot, version and size, so
//! that there is no head to be wrong, nothing to be set up and nothing to wait for: a new file holds zeros, and those are an
//! empty page. Boot seconds of another boot are never taken for this one's, because they are in another file; counts start
//! anew with the machine.
//!
//! | words | what |
//! |---|---|
//! | 16 | boot second until which somebody is delayed; failures of the last minute |
//! | slots | counts of pairs (`counts`) |
//! | half | counts of addresses |
//! | a quarter | counts of accounts |
//! | a quarter | known pairs (`known`) |
//! | a quarter | counts of known pairs |

use super::MAX_DELAY;
use super::counts::{AHEAD, Counts, Fade};
use super::known::Known;
use crate::base::{Page, Result, encoding, sys};
use crate::crypto::digest::sha256_16;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of the layout and of what the words mean. Another number is another file.
const VERSION: u32 = 2;

/// Words before the counts.
const HEAD: usize = 16;

/// Bins of the last minute, five seconds each.
const BINS: i64 = 12;

/// The beginning of the file's name.
const NAME: &str = "counts-";

/// The counts.
#[derive(Debug)]
pub(super) struct Ledger {
    page: Page,
    slots: usize,
}

impl Ledger {
    fn length(slots: usize) -> usize {
        HEAD + slots + slots / 2 + 3 * (slots / 4)
    }

    /// In this process. Memory is taken when it is first touched.
    pub(super) fn private(slots: usize) -> Ledger {
        Ledger { page: Page::private(Ledger::length(slots)), slots }
    }

    /// In a folder that the processes of this machine share, and nobody else enters.
    pub(super) fn shared(folder: &Path, slots: usize, boot: &str) -> Result<Ledger> {
        let tag = |boot: &str| encoding::hex(&sha256_16(&[b"janua-counts", boot.as_bytes()]));
        let own = tag(boot);
        if boot != sys::NO_BOOT_NAME {
            // Where a process does not know its boot, its file is nobody's to remove.
            remove_others(folder, &[&own, &tag(sys::NO_BOOT_NAME)]);
        }
        let page = Page::shared(&folder.join(format!("{NAME}{own}-{VERSION}-{slots}")), Ledger::length(slots))?;
        Ok(Ledger { page, slots })
    }

    /// All of the page, to be spoilt.
    #[cfg(test)]
    pub(super) fn words(&self) -> &[AtomicU64] {
        self.page.words()
    }

    /// So many words after so many others.
    fn part(&self, start: usize, words: usize) -> &[AtomicU64] {
        self.page.words().get(start..).and_then(|rest| rest.get(..words)).unwrap_or_default()
    }

    /// By account and network.
    pub(super) fn pairs(&self) -> Counts<'_> {
        Counts { cells: self.part(HEAD, self.slots), fade: Fade::Quiet(30 * 60) }
    }

    /// By network.
    pub(super) fn clients(&self) -> Counts<'_> {
        Counts { cells: self.part(HEAD + self.slots, self.slots / 2), fade: Fade::Leak(60) }
    }

    fn quarter(&self, number: usize) -> &[AtomicU64] {
        self.part(HEAD + self.slots + self.slots / 2 + number * (self.slots / 4), self.slots / 4)
    }

    pub(super) fn accounts(&self) -> Counts<'_> {
        Counts { cells: self.quarter(0), fade: Fade::Quiet(120 * 60) }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known(self.quarter(1))
    }

    /// By pairs that are known.
    pub(super) fn owners(&self) -> Counts<'_> {
        Counts { cells: self.quarter(2), fade: Fade::Quiet(30 * 60) }
    }

    /// Whether nobody is delayed any more.
    pub(super) fn quiet(&self, at: i64) -> bool {
        let until = self.page.words().first().map_or(0, |word| word.load(Ordering::Acquire));
        i64::try_from(until).is_ok_and(|until| at >= until)
    }

    /// Somebody is delayed until then.
    pub(super) fn delay(&self, at: i64, seconds: i64) {
        let until = at.saturating_add(seconds).max(0) as u64;
        // What no clock could have made would hide what clocks make.
        let most = at.saturating_add(AHEAD + MAX_DELAY).max(0) as u64;
        if let Some(word) = self.page.words().first() {
            let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
                (seen < until || seen > most).then_some(until)
            });
        }
    }

    /// Notes a failure, whoever's.
    pub(super) fn failed(&self, at: i64) {
        let (bin, number) = self.bin(at.div_euclid(5));
        if let Some(bin) = bin {
            let _ = bin.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
                let count = if seen >> 32 == number { seen & u64::from(u32::MAX) } else { 0 };
                (count < u64::from(u32::MAX)).then_some(number << 32 | (count + 1))
            });
        }
    }

    /// Failures within the last minute.
    pub(super) fn failures(&self, at: i64) -> u64 {
        let newest = at.div_euclid(5);
        let bins = (newest - BINS + 1..=newest).map(|number| self.bin(number));
        let counts = bins.filter_map(|(bin, number)| {
            let seen = bin?.load(Ordering::Acquire);
            (seen >> 32 == number).then_some(seen & u64::from(u32::MAX))
        });
        counts.sum()
    }

    /// The bin of five seconds, and what it calls itself.
    fn bin(&self, number: i64) -> (Option<&AtomicU64>, u64) {
        let place = usize::try_from(number.rem_euclid(BINS)).unwrap_or(0);
        (self.part(1, HEAD - 1).get(place), u64::from(number as u32))
    }
}

/// Removes what other boots have left.
fn remove_others(folder: &Path, keep: &[&str]) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let boot = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split('-').next());
        if boot.is_some_and(|boot| !keep.contains(&boot)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

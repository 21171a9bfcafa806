//! How many decisions fell for each reason, in this process. Atomics in the engine, read by one function.

use crate::base::Reason;
use std::sync::atomic::{AtomicU64, Ordering};

/// One counter a reason.
pub(crate) struct Metrics(Box<[AtomicU64]>);

impl Metrics {
    pub fn new() -> Metrics {
        Metrics(Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }

    pub fn count(&self, reason: Reason) {
        if let Some(counter) = place(reason).and_then(|p| self.0.get(p)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn read(&self, reason: Reason) -> u64 {
        place(reason).and_then(|p| self.0.get(p)).map_or(0, |c| c.load(Ordering::Relaxed))
    }
}

fn place(reason: Reason) -> Option<usize> {
    Reason::ALL.binary_search_by_key(&(reason as u32), |r| *r as u32).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter() {
        let metrics = Metrics::new();
        for reason in Reason::ALL {
            metrics.count(*reason);
        }
        metrics.count(Reason::Busy);
        assert_eq!(metrics.read(Reason::Busy), 2);
        assert!(Reason::ALL.iter().all(|r| metrics.read(*r) >= 1));
    }
}

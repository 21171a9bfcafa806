//! The words of `docs/reasons.md`, so that the command explains a reason number exactly as the page does.

use janua::base::Reason;

const PAGE: &str = include_str!("../../../docs/reasons.md");

/// What the page says about one reason.
#[derive(Clone, Copy, Default)]
pub struct Entry<'a> {
    /// What happened.
    pub happened: &'a str,
    /// What the operator should do.
    pub mend: &'a str,
}

/// The page's entry for `reason`; empty texts if it has none (a test keeps page and numbers together).
pub fn of(reason: Reason) -> Entry<'static> {
    let heading = format!("\n### {} {}\n", reason as u32, reason.name());
    let Some((_, rest)) = PAGE.split_once(&heading) else { return Entry::default() };
    let section = rest.split("\n## ").next().and_then(|s| s.split("\n### ").next()).unwrap_or_default();
    let mut lines = section.lines().filter(|l| !l.trim().is_empty());
    let happened = lines.next().unwrap_or_default();
    let mend = lines.find_map(|l| l.strip_prefix("- Operator: ")).unwrap_or_default();
    Entry { happened, mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_words() {
        for reason in Reason::ALL {
            let entry = of(*reason);
            assert!(entry.happened.ends_with('.'), "{}: {}", reason.name(), entry.happened);
            assert!(!entry.mend.is_empty(), "{}", reason.name());
        }
    }
}

//! The only place that says allowed: what an endpoint needs against what was proven.

use crate::base::Reason;
use crate::directory::User;
use crate::engine::subject::Subject;
use crate::profile::Need;

/// Judges. Errors: [`Reason::Missing`], [`Reason::TenantNeeded`], [`Reason::Forbidden`].
pub(crate) fn judge(need: &Need, subject: &Subject) -> Result<(), Reason> {
    let user = || if subject.user.is_some() { Ok(()) } else { Err(Reason::Missing) };
    match need {
        Need::None | Need::Optional => Ok(()),
        Need::Guest if subject.guest => Ok(()),
        Need::Guest | Need::User => user(),
        Need::Tenant => {
            user()?;
            if subject.tenant.is_some() { Ok(()) } else { Err(Reason::TenantNeeded) }
        }
        Need::Role(role) => {
            user()?;
            if subject.has_role(role) { Ok(()) } else { Err(Reason::Forbidden) }
        }
    }
}

/// Whether a user whom something proves is let in at all, whatever it was: asked on every way, at every check.
///
/// Errors: [`Reason::Disabled`], [`Reason::Pending`].
pub(crate) fn in_force(user: &User) -> Result<(), Reason> {
    match (user.disabled, user.pending) {
        (true, _) => Err(Reason::Disabled),
        (false, true) => Err(Reason::Pending),
        (false, false) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Tenant, User};
    use std::sync::Arc;

    #[test]
    fn each_need_is_met_by_just_what_it_names() {
        let nobody = Subject::default();
        let guest = Subject { guest: true, ..Subject::default() };
        let user = Arc::new(User { roles: vec!["administrator".into()], ..User::default() });
        let user = Subject { user: Some(user), ..Subject::default() };
        let member = Subject { tenant: Some(Arc::new(Tenant { id: "v".into(), name: "v".into() })), ..user.clone() };
        let role = |r: &str| Need::Role(r.into());
        let table = [
            (Need::None, [true, true, true, true]),
            (Need::Optional, [true, true, true, true]),
            (Need::Guest, [false, true, true, true]),
            (Need::User, [false, false, true, true]),
            (Need::Tenant, [false, false, false, true]),
            (role("administrator"), [false, false, true, true]),
            (role("Administrator"), [false, false, false, false]),
        ];
        for (need, expected) in table {
            let got = [&nobody, &guest, &user, &member].map(|s| judge(&need, s).is_ok());
            assert_eq!(got, expected);
        }
    }
}

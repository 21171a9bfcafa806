//! A list of requests in one body: each item is judged as a request of its own, and all of them pass, or none.
//!
//! Called by `decide` where an endpoint says `each`. An item is judged with the whole request's method, path and headers,
//! by the same endpoints. It must never let a list through of which one item would not have passed by itself, or whose
//! items are different people's: what stands behind is told of one caller.

use crate::base::Reason;
use crate::engine::decide::{Asked, Marks, Stop};
use crate::engine::decision::{Decision, Outcome, WaitClass};
use crate::engine::subject::Subject;
use crate::parse::{Body, Request, json};
use crate::profile::{Room, Routed, Visit};

/// Most items of a list: each may cost a password hash.
pub(crate) const MAX_ITEMS: usize = 32;

impl Asked<'_> {
    /// Judges the items of the list in the body.
    pub fn each(&self, visit: &Visit<'_>, subject: &Subject, out: &mut Decision) -> Result<(), Stop> {
        let Body::Given(body) = self.request.body else { return Err(Reason::Malformed.into()) };
        if self.inside {
            self.note(|| "a list inside a list".to_owned());
            return Err(Reason::Malformed.into());
        }
        let items = json::items(body, MAX_ITEMS)?;
        if self.fast {
            return Err(Stop::Wait(WaitClass::Hash));
        }
        let mut judged = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            self.note(|| format!("item {place}"));
            judged.push(self.item(item, |asked, room, out| asked.run(room, out)));
        }
        let done = self.together(visit, subject, &items, &mut judged, out);
        // They may hold ids of new sessions.
        judged.iter_mut().for_each(Decision::clear);
        done
    }

    fn together(
        &self,
        visit: &Visit<'_>,
        subject: &Subject,
        items: &[&[u8]],
        judged: &mut [Decision],
        out: &mut Decision,
    ) -> Result<(), Stop> {
        if judged.iter().all(|one| one.outcome() == Outcome::Allow) {
            let (first, rest) = judged.split_first_mut().ok_or(Stop::Refuse(Reason::Malformed))?;
            if rest.iter().any(|other| !first.set_inward().eq(other.set_inward())) {
                self.note(|| "the items are different people's".to_owned());
                return Err(Reason::Several.into());
            }
            std::mem::swap(out, first);
            return Ok(());
        }
        let reason =
            judged.iter().find(|one| one.outcome() != Outcome::Allow).map_or(Reason::Malformed, Decision::reason);
        let mut list = Vec::new();
        for (one, item) in judged.iter_mut().zip(items) {
            if one.outcome() == Outcome::Allow {
                *one = self.item(item, |asked, room, out| asked.withhold(room, out));
            }
            json::Document::parse(one.body(), false).map_err(|_| Reason::Malformed)?;
            list.extend_from_slice(if list.is_empty() { b"[" } else { b", " });
            list.extend_from_slice(one.body());
            out.hold_ms = out.hold_ms.max(one.hold_ms());
        }
        list.push(b']');
        self.framed(visit, reason, subject, list, out)
    }

    /// One item, as if it were the whole body.
    fn item(&self, item: &[u8], judge: fn(&Asked<'_>, &mut Room, &mut Decision)) -> Decision {
        let request = Request { body: Body::Given(item), ..*self.request };
        let asked = Asked { request: &request, marks: Marks::default(), inside: true, ..*self };
        let (mut room, mut out) = (Room::new(), Decision::new());
        judge(&asked, &mut room, &mut out);
        out
    }

    /// Refuses an item that would pass, because another one of its list does not.
    fn withhold(&self, room: &mut Room, out: &mut Decision) {
        match self.site.profile.route(self.request, &self.site.prefix, room) {
            Routed::Visit(visit) => self.refuse(&visit, Reason::Malformed, &Subject::default(), out),
            _ => self.deny_bare(Reason::Malformed, out),
        }
    }
}

//! The body on the way: which kind it is, how it is parsed, and who answers when it cannot be.
//!
//! Called by `profile::route` when the body decides. Nothing is parsed that no endpoint at the path reads.

use super::kind::{Kind, declared, read_kinds};
use super::look::{Bodies, Found};
use super::place::Place;
use super::room::Spare;
use super::route::{Choice, Matched, Routed, Verdict, Way};
use crate::base::Reason;
use crate::parse::{header, json, xml};

impl<'r> Way<'r> {
    /// Reads the JSON document that sits elsewhere, if an endpoint here has one and it is there.
    pub(super) fn read_document(
        &self,
        bodies: &mut Bodies<'r>,
        room: &mut Option<&'r mut Vec<u8>>,
    ) -> Result<(), Reason> {
        let Some(matched) = self.matching().find(|(endpoint, _, _)| !endpoint.document.is_empty()) else {
            return Ok(());
        };
        let places: &[Place] = &matched.0.document;
        let found = self.look(&matched, bodies).first(places, true)?;
        let Some(bytes) = found.map(Found::bytes).transpose()? else { return Ok(()) };
        let Some(room) = room.take() else { return Ok(()) };
        room.extend_from_slice(&bytes);
        let room: &'r [u8] = room;
        bodies.elsewhere = Some(json::Document::parse(room, self.profile.lenient().json_case)?);
        Ok(())
    }

    /// Decides with the body in hand.
    pub(super) fn with_body(
        &self,
        bytes: &'r [u8],
        mut bodies: Bodies<'r>,
        mut room: Option<&'r mut Vec<u8>>,
    ) -> Routed<'r> {
        if header::listed(self.request.headers, b"content-encoding").any(|coding| !header::same(coding, b"identity")) {
            return self.refuse_body(bodies, Reason::BodyEncoding, None);
        }
        bodies.whole = Some(bytes);
        let kind = match self.kind(bytes) {
            Ok(kind) => kind,
            Err(reason) => return self.refuse_body(bodies, reason, None),
        };
        if let (Some(kind), false) = (kind, bytes.is_empty())
            && let Err(reason) = self.parse(kind, bytes, &mut bodies, &mut room)
        {
            return self.refuse_body(bodies, reason, Some(kind));
        }
        match self.choose_known(bodies, false, false) {
            Choice::Routed(routed) => routed,
            Choice::Body(..) => Routed::Nothing,
        }
    }

    /// A body that is not there because it is too long: of its kind only what it says itself is known.
    pub(super) fn too_large(&self, bodies: Bodies<'r>) -> Routed<'r> {
        let kinds = read_kinds(self.matching().map(|(endpoint, _, _)| endpoint));
        let kind = declared(self.request.headers).ok().flatten();
        self.refuse_body(bodies, Reason::TooLarge, kind.filter(|kind| kinds.contains(&Some(*kind))))
    }

    fn parse(
        &self,
        kind: Kind,
        bytes: &'r [u8],
        bodies: &mut Bodies<'r>,
        room: &mut Option<&'r mut Vec<u8>>,
    ) -> Result<(), Reason> {
        match kind {
            Kind::Json => bodies.json = Some(json::Document::parse(bytes, self.profile.lenient().json_case)?),
            Kind::Xml => {
                let document = xml::Document::parse(bytes)?;
                // Two operations in one SOAP body: whoever reads the other one is fooled.
                document.at(&["Envelope", "Body", "*"])?;
                bodies.xml = Some(document);
            }
            Kind::Form => {
                std::str::from_utf8(bytes).map_err(|_| Reason::Unreadable)?;
                bodies.form = Some(bytes);
                if bodies.elsewhere.is_none() {
                    self.read_document(bodies, room)?;
                }
            }
        }
        Ok(())
    }

    /// A body that cannot be used: told by the endpoint that was decided without it, else by the most general one that
    /// reads its kind.
    fn refuse_body(&self, bodies: Bodies<'r>, reason: Reason, kind: Option<Kind>) -> Routed<'r> {
        let known = Bodies::none(bodies.query, Spare::default());
        let fits = |matched: &Matched<'r>| {
            let waits = |place: &Place| place.in_body();
            !matches!(self.verdict(matched, &known, &waits), Ok(Verdict::No))
        };
        let mut last = None;
        let mut first = true;
        for matched in self.matching().filter(fits) {
            let decided = !matched.0.when.iter().any(Place::in_body);
            let reads = kind.is_none_or(|kind| matched.0.kinds.contains(&kind));
            if (first && decided) || (reads && !matched.0.kinds.is_empty()) {
                last = Some(matched);
            }
            if first && decided {
                break;
            }
            first = false;
        }
        match last {
            Some((endpoint, pattern, caught)) => Routed::Refused(self.visit(endpoint, pattern, caught, bodies), reason),
            None => Routed::Nothing,
        }
    }

    /// The body's kind: what it says it is, if an endpoint here reads that; else by its first byte; else the first kind
    /// that is read here.
    fn kind(&self, bytes: &[u8]) -> Result<Option<Kind>, Reason> {
        if bytes.is_empty() {
            return declared(self.request.headers).map(|_| None);
        }
        let kinds = read_kinds(self.matching().map(|(endpoint, _, _)| endpoint));
        if let Some(kind) = declared(self.request.headers)?
            && kinds.contains(&Some(kind))
        {
            return Ok(Some(kind));
        }
        let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
        let guess = match first {
            Some(b'{' | b'[') => Some(Kind::Json),
            Some(b'<') => Some(Kind::Xml),
            _ => None,
        };
        Ok(guess.filter(|guess| kinds.contains(&Some(*guess))).or(kinds[0]))
    }
}

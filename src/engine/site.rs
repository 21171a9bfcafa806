use crate::base::Result;
use crate::engine::Decision;
use crate::parse::Request;

pub struct Site {}

#[allow(unused_variables)]
impl Site {
    /// Decides. `fast`: never hash, wait or write a store; say WouldBlock instead. Err only when nothing could be decided
    /// (Status::Fork, Status::Unavailable); `out` then denies.
    pub fn decide(&self, request: &Request<'_>, fast: bool, out: &mut Decision) -> Result<()> {
        Ok(())
    }
    /// `decide` that also tells each step in words without secrets: what `janua explain` prints.
    pub fn explain(&self, request: &Request<'_>, out: &mut Decision) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

//! Where a ring of keys is kept: a file, an environment variable, or a store that holds it sealed under a master key.
//!
//! Called by `keyring_watch`, which follows a place, by `keyring_change`, which changes what lies there, by `engine` and by
//! the admin command. What differs between the places is in this file and nowhere else: reading, telling whether there is
//! something new, making the first ring, changing it in one step. No key leaves through an error.

use super::keyring::{Keyring, first_ring};
use super::keyring_file::{self, Created, KEYRING, quoted};
use super::keyring_text::RingText;
use super::master::Master;
use crate::base::file::{self, Stamp};
use crate::base::{Error, Result, Status, secret};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// How often a change is tried again where others change the ring at the same moment. Each time one of them was done.
const TRIES: usize = 64;

/// A store that keeps small texts by their names and replaces them by compare-and-swap.
pub trait Documents: Send + Sync {
    /// `Ok(None)`: there is none, for sure. Errors: nobody knows.
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Puts `new` in the place of exactly `old`, `None` being no document; `false`: another was there. Errors: either may
    /// be there.
    fn replace(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> Result<bool>;
}

/// The place of a ring. Any thread. Clones are the same place.
#[derive(Clone)]
pub struct RingPlace(Kept);

#[derive(Clone)]
enum Kept {
    File(PathBuf),
    Environment(String),
    Sealed { documents: Arc<dyn Documents>, master: Arc<Master> },
}

/// A state of a place: what was there when it was read.
pub(super) enum Mark {
    /// Not read yet.
    Unread,
    File(Stamp),
    /// What never changes while a process runs.
    Fixed,
    Sealed(Vec<u8>),
}

impl RingPlace {
    pub fn file(path: impl Into<PathBuf>) -> RingPlace {
        RingPlace(Kept::File(path.into()))
    }

    /// The variable `name`, which holds the text of a keyring file. Nothing follows or changes it.
    pub fn environment(name: &str) -> RingPlace {
        RingPlace(Kept::Environment(name.to_owned()))
    }

    /// The document of `master`'s site in a store.
    pub fn sealed(documents: Arc<dyn Documents>, master: Arc<Master>) -> RingPlace {
        RingPlace(Kept::Sealed { documents, master })
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kept::File(path) => Some(path),
            Kept::Environment(_) | Kept::Sealed { .. } => None,
        }
    }

    /// Whether it is a store, which every process of the site may write.
    pub fn is_stored(&self) -> bool {
        matches!(self.0, Kept::Sealed { .. })
    }

    /// Whether it can come to hold another ring while a process runs.
    pub fn is_followed(&self) -> bool {
        !matches!(self.0, Kept::Environment(_))
    }

    /// As `keyring.path` of a configuration names it.
    pub fn word(&self) -> String {
        match &self.0 {
            Kept::File(path) => path.display().to_string(),
            Kept::Environment(name) => format!("env:{name}"),
            Kept::Sealed { .. } => "store".to_owned(),
        }
    }

    /// What a person calls it.
    pub fn shown(&self) -> String {
        match &self.0 {
            Kept::File(path) => path.display().to_string(),
            Kept::Environment(name) => format!("environment variable {name}"),
            Kept::Sealed { master, .. } => format!("the store's keyring of {}", master.site()),
        }
    }

    /// Loads the ring. Of a file: reads it once, follows a symbolic link and judges what it points to.
    ///
    /// Errors, each with its mend: `Status::NotFound` when there is nothing; `Status::Unavailable` when it cannot be
    /// read; `Status::Invalid` when others could read or change the file, when it is not a keyring or not this site's,
    /// or when no key of it signs at `now` (Unix seconds). What lies there is never repeated.
    pub fn load(&self, now: i64) -> Result<Keyring> {
        self.load_marked(now).map(|(ring, _)| ring)
    }

    /// The same, and the state that was read.
    pub(super) fn load_marked(&self, now: i64) -> Result<(Keyring, Mark)> {
        let (text, mark) = self.read()?;
        let ring = Keyring::from_text(&text).map_err(|error| self.here(error))?;
        match ring.signing(now) {
            Ok(_) => Ok((ring, mark)),
            Err(error) => Err(self.here(Error::invalid(format!("{}{}", error.message, self.anew())))),
        }
    }

    /// Makes the first ring where there is none; `false`: something is there, and it was left alone. A file gets mode 0600,
    /// or 0640 with `group`. `now` is Unix seconds.
    ///
    /// Errors: `Status::Unavailable` when the system or the store says no, `Status::Random`, `Status::Refused` for a place
    /// that nobody writes.
    pub fn create(&self, now: i64, group: Option<u32>) -> Result<bool> {
        match &self.0 {
            Kept::File(path) => {
                let text = first_ring(now, None)?.write()?;
                Ok(keyring_file::create(path, text.as_bytes(), group)? == Created::New)
            }
            Kept::Environment(_) => Err(self.unwritten()),
            Kept::Sealed { documents, master } => {
                documents.replace(&name(master), None, &first_sealed(master, now)?).map_err(|e| self.here(e))
            }
        }
    }

    /// Puts a first ring in the place of whatever the store holds: every token made so far ends.
    ///
    /// Errors: `Status::Refused` where the ring is not in a store, or was changed at this moment; as [`RingPlace::create`].
    pub fn start_anew(&self, now: i64) -> Result<()> {
        let Kept::Sealed { documents, master } = &self.0 else {
            return Err(self.here(Error::new(Status::Refused, "a file is left alone; move it away first")));
        };
        let there = documents.document(&name(master)).map_err(|e| self.here(e))?;
        let new = first_sealed(master, now)?;
        match documents.replace(&name(master), there.as_deref(), &new).map_err(|e| self.here(e))? {
            true => Ok(()),
            false => Err(self.here(Error::new(Status::Refused, "it was changed at this moment; look at it again"))),
        }
    }

    /// Whether the place is as it was at `mark`: a look at the file's state, or one reading of the store.
    pub(super) fn is_still(&self, mark: &Mark) -> Result<bool> {
        match (&self.0, mark) {
            (_, Mark::Unread) => Ok(false),
            (Kept::File(path), Mark::File(stamp)) => Ok(file::look(path)? == *stamp),
            (Kept::Sealed { documents, master }, Mark::Sealed(bytes)) => {
                let there = documents.document(&name(master)).map_err(|e| self.here(e))?;
                Ok(there.as_deref() == Some(bytes))
            }
            (Kept::Environment(_), _) => Ok(true),
            (Kept::File(_) | Kept::Sealed { .. }, _) => Ok(false),
        }
    }

    /// The one way to change a ring. `edit` gets what is there and gives what shall be there, or `None` to leave it; where
    /// others change a store's ring at the same moment it is asked again, about what they left.
    ///
    /// Errors: those of `edit`; as [`RingPlace::load`]; `Status::Unavailable` when the place cannot be locked or written.
    pub(super) fn change<T>(&self, edit: impl Fn(RingText) -> Result<(T, Option<RingText>)>) -> Result<T> {
        match &self.0 {
            Kept::File(path) => {
                let (text, locked) = keyring_file::lock(path)?;
                let (done, new) = edit(self.parse(&text)?)?;
                if let Some(new) = new {
                    locked.replace(&new.write()?)?;
                }
                Ok(done)
            }
            Kept::Environment(_) => Err(self.unwritten()),
            Kept::Sealed { documents, master } => {
                for _ in 0..TRIES {
                    let (text, bytes) = self.unsealed(&**documents, master)?;
                    let (done, new) = edit(self.parse(&text)?)?;
                    let Some(new) = new else { return Ok(done) };
                    let new = master.seal(new.write()?.as_bytes())?;
                    if documents.replace(&name(master), Some(&bytes), &new).map_err(|e| self.here(e))? {
                        return Ok(done);
                    }
                }
                Err(self.here(Error::unavailable("others change it at every moment; try again")))
            }
        }
    }

    fn read(&self) -> Result<(RingText, Mark)> {
        let (text, mark) = match &self.0 {
            Kept::File(path) => {
                let (text, stamp) = keyring_file::read(path, &KEYRING)?;
                (text, Mark::File(stamp))
            }
            Kept::Environment(name) => {
                let missing = || Error::not_found("is not set; it has to hold the text of a keyring file");
                let text =
                    std::env::var_os(name).filter(|text| !text.is_empty()).ok_or_else(|| self.here(missing()))?;
                (Zeroizing::new(text.into_encoded_bytes()), Mark::Fixed)
            }
            Kept::Sealed { documents, master } => {
                let (text, bytes) = self.unsealed(&**documents, master)?;
                (text, Mark::Sealed(bytes))
            }
        };
        Ok((self.parse(&text)?, mark))
    }

    fn unsealed(&self, documents: &dyn Documents, master: &Master) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>)> {
        let there = documents.document(&name(master)).map_err(|e| self.here(e))?;
        let bytes = there.ok_or_else(|| {
            self.here(Error::not_found(
                "there is none; a host that starts makes it, or `janua keyring new --config FILE`",
            ))
        })?;
        let text = master
            .open(&bytes)
            .map_err(|error| self.here(Error::new(error.status, format!("{}{}", error.message, self.anew()))))?;
        Ok((text, bytes))
    }

    fn parse(&self, text: &[u8]) -> Result<RingText> {
        let ring = RingText::parse(text).map_err(|error| self.here(error))?;
        if let Kept::Sealed { master, .. } = &self.0
            && !secret::equal(ring.site_secret.as_slice(), master.site_secret()?.as_slice())
        {
            return Err(self.here(Error::invalid("its `site_secret` is not the one of the master key")));
        }
        Ok(ring)
    }

    fn here(&self, error: Error) -> Error {
        error.at(self.shown())
    }

    /// How to begin once more where what is there is of no use.
    fn anew(&self) -> String {
        match &self.0 {
            Kept::File(path) => format!(
                ", or start anew, which ends all tokens: `mv {path} {path}.old` and `janua keyring new {path}`",
                path = quoted(path)
            ),
            Kept::Environment(_) => String::new(),
            Kept::Sealed { .. } => {
                ", or start anew, which ends all tokens: `janua keyring new --config FILE --replace`".to_owned()
            }
        }
    }

    fn unwritten(&self) -> Error {
        self.here(Error::new(Status::Refused, "nothing changes it; write its text to a file, and work on that"))
    }
}

/// The name of the site's document.
fn name(master: &Master) -> String {
    format!("keyring {}", master.site())
}

fn first_sealed(master: &Master, now: i64) -> Result<Vec<u8>> {
    master.seal(first_ring(now, Some(master))?.write()?.as_bytes())
}

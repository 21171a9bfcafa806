//! The host's own directory of users: a table of callbacks, and the user they fill in.

use super::basics::{janua_error, janua_status, janua_str};
use super::config::{self, janua_config};
use super::fault::Fault;
use super::guard::{self, Blocked};
use super::raw::{self, Growing, Opaque};
use crate::base::Status;
use crate::directory::{Attr, Gone, User};
use crate::engine::HostDirectory;
use crate::password::StoredHash;
use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::ptr;

/// The longest value of janua_user_set, and the most values of one user.
const LONGEST: usize = 4096;
const MOST_VALUES: usize = 1024;

/// A user in the making. It lives on the library's stack while `lookup` runs, and nowhere else: do
/// not keep the pointer.
pub struct janua_user {
    _private: [u8; 0],
}

/// The host's directory. `lookup` must be there, the others may be NULL. The callbacks may run on any
/// thread that calls the engine without JANUA_FAST, several at once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_directory {
    /// sizeof(janua_directory).
    pub size: usize,
    /// Handed to every callback as it is.
    pub ctx: *mut c_void,
    /// Looks a user up and fills `out` with janua_user_set. `name` is what was typed, in lower case
    /// where the profile forgives case, or a principal's id, of which the library remembers the user
    /// for a minute: answer both. *Answers*: JANUA_OK; JANUA_E_NOT_FOUND when there is no such user;
    /// JANUA_E_UNAVAILABLE when that cannot be told now (the client is asked to come again, and
    /// nothing is counted as a guess).
    pub lookup: Option<unsafe extern "C" fn(ctx: *mut c_void, name: janua_str, out: *mut janua_user) -> janua_status>,
    /// Verifies a password, for a directory that gives no hashes (LDAP, a web service); runs instead of
    /// comparing with the user's `hash`. It runs for names that `lookup` did not find as well, and is
    /// not believed there: let both take as long, or the time tells which names exist. Writes
    /// JANUA_PASSWORD_WRONG or JANUA_PASSWORD_RIGHT to `verdict`. *Answers*: JANUA_OK; JANUA_E_NOT_FOUND (refused like a wrong password);
    /// JANUA_E_UNAVAILABLE.
    pub check: Option<
        unsafe extern "C" fn(ctx: *mut c_void, name: janua_str, password: janua_str, verdict: *mut i32) -> janua_status,
    >,
    /// Runs once, when nothing can call the others any more; on the thread that freed the last owner.
    pub destroy: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
}

// SAFETY: repr(C), size first; zeros are NULL pointers and absent functions.
unsafe impl Growing for janua_directory {
    const NAME: &'static str = "janua_directory";
    const FIRST: usize = offset_of!(janua_directory, lookup) + size_of::<usize>();
}

/// What `janua_user` points to.
pub struct Draft {
    user: User,
    /// Which of the keys that stand once were given.
    given: u32,
    values: usize,
    /// A value was refused: whatever the callback answers, the lookup has failed.
    spoiled: bool,
}

impl Opaque for janua_user {
    type Body = Draft;
    const NAME: &'static str = "janua_user";
    const MARK: u32 = 0x4a55_5352;
}

impl Draft {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        if value.len() > LONGEST || self.values >= MOST_VALUES {
            return Err(Fault::invalid(format!("at most {MOST_VALUES} values of at most {LONGEST} bytes")));
        }
        if value.contains('\0') {
            return Err(Fault::invalid(format!("{key}: a value has no NUL byte")));
        }
        self.values += 1;
        let user = &mut self.user;
        match key {
            "role" => user.roles.push(value.to_owned()),
            "tenant" => user.tenants.push(value.to_owned()),
            _ => match key.strip_prefix("attr.") {
                Some("") | None => self.set_single(key, value)?,
                Some(name) => {
                    if user.attrs.insert(name.to_owned(), Attr::Text(value.to_owned())).is_some() {
                        return Err(Fault::invalid(format!("{key} was given twice")));
                    }
                }
            },
        }
        Ok(())
    }

    fn set_single(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        const KEYS: [&str; 10] = [
            "id",
            "name",
            "full_name",
            "email",
            "hash",
            "one_time",
            "generation",
            "disabled",
            "pending",
            "must_change",
        ];
        let index = KEYS.iter().position(|known| *known == key);
        let index = index.ok_or_else(|| Fault::invalid(format!("a user has no `{}`", key.escape_debug())))?;
        if self.given & 1 << index != 0 {
            return Err(Fault::invalid(format!("{key} was given twice")));
        }
        self.given |= 1 << index;
        let user = &mut self.user;
        match key {
            "id" => user.id = value.to_owned(),
            "name" => user.name = value.to_owned(),
            "full_name" => user.full_name = value.to_owned(),
            "email" => user.email = value.to_owned(),
            "hash" => user.hash = Some(StoredHash::from(value.to_owned())),
            "one_time" => user.one_time = Some(StoredHash::from(value.to_owned())),
            "generation" => {
                user.generation = value.parse().map_err(|_| Fault::invalid("generation is a whole number"))?;
            }
            "disabled" => user.disabled = truth(key, value)?,
            "pending" => user.pending = truth(key, value)?,
            _ => user.must_change = truth(key, value)?,
        }
        Ok(())
    }

    /// The user, if it may be one: an id is required, and the name is the one asked for unless another was given.
    fn finish(self, asked: &str) -> Result<User, Gone> {
        let Draft { mut user, spoiled, .. } = self;
        if spoiled || user.id.is_empty() {
            return Err(Gone);
        }
        if user.name.is_empty() {
            asked.clone_into(&mut user.name);
        }
        Ok(user)
    }
}

fn truth(key: &str, value: &str) -> Result<bool, Fault> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Fault::invalid(format!("{key} is true or false"))),
    }
}

/// Sets one value of a user that is being looked up. The keys:
///
///   id            required; what stands in sessions, tokens and logs. It never changes.
///   name          as displayed and sent inward; the name that was looked up, if left out
///   full_name, email
///   hash          the password's hash, in a notation of janua_password_verify
///   one_time      the hash of a password that is good for one log-in
///   generation    a whole number that every password change raises; 0 if left out
///   disabled      true or false, as are the next two; judged after the password
///   pending       the account is not activated yet
///   must_change   the password has to be changed
///   role, tenant  may be given many times; a tenant by its id
///   attr.NAME     a value for the profile's answers
///
/// A value that is refused spoils the user: the lookup then fails whatever it answers.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID for an unknown key, a key given twice, or a value that does
/// not fit it; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_user_set(user: *mut janua_user, key: janua_str, value: janua_str) -> janua_status {
    guard::call(ptr::null_mut(), || {
        // SAFETY: rules 2 and 4 of the header: the pointer that `lookup` was given, while it runs.
        let user = unsafe { raw::exclusive(user)? };
        // SAFETY: rule 3 of the header.
        let values = unsafe { raw::text(key, "key").and_then(|key| Ok((key, raw::text(value, "value")?))) };
        let set = values.and_then(|(key, value)| user.set(key, value));
        user.spoiled |= set.is_err();
        set
    })
}

/// Gives the engine the host's own directory of users instead of a file. On success the table is
/// copied and `destroy` will run once: when the configuration is freed without an engine, when
/// another table takes its place, when janua_engine_new fails, or when the last of engine, sites
/// and decisions is freed. On failure nothing was taken and `destroy` does not run.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID for a table of the wrong size; JANUA_E_NULL without a table
/// or without `lookup`. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_set_directory(
    config: *mut janua_config,
    directory: *const janua_directory,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, table) = unsafe { (raw::exclusive(config)?, raw::read(directory)?) };
        let config = config::open(config)?;
        config.set_directory(Box::new(Host::new(table)?));
        Ok(())
    })
}

/// A copied table; dropping it runs `destroy`.
pub struct Host {
    table: janua_directory,
}

// SAFETY: the header asks for callbacks that may run on any thread, several at once, and `ctx` goes only to them.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    pub(super) fn new(table: janua_directory) -> Result<Host, Fault> {
        match table.lookup {
            Some(_) => Ok(Host { table }),
            None => Err(Fault::null("janua_directory.lookup")),
        }
    }
}

impl HostDirectory for Host {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone> {
        let lookup = self.table.lookup.ok_or(Gone)?;
        guard::may_wait().map_err(|Blocked| Gone)?;
        let mut draft =
            raw::Local::<janua_user>::new(Draft { user: User::default(), given: 0, values: 0, spoiled: false });
        let status = guard::callback(|| {
            // SAFETY: the table is the host's; the views and the user live until the callback returns.
            unsafe { lookup(self.table.ctx, janua_str::of(name.as_bytes()), draft.pointer()) }
        });
        match status {
            0 => draft.into_body().finish(name).map(Some),
            _ if status == Status::NotFound as i32 => Ok(None),
            _ => Err(Gone),
        }
    }

    fn check(&self, user: &str, password: &[u8]) -> Option<Result<bool, Gone>> {
        let check = self.table.check?;
        if let Err(Blocked) = guard::may_wait() {
            return Some(Err(Gone));
        }
        let mut verdict = 0;
        let status = guard::callback(|| {
            let (name, password) = (janua_str::of(user.as_bytes()), janua_str::of(password));
            // SAFETY: as in `lookup`.
            unsafe { check(self.table.ctx, name, password, &raw mut verdict) }
        });
        Some(match (status, verdict) {
            (0, 0) => Ok(false),
            (0, 1) => Ok(true),
            _ if status == Status::NotFound as i32 => Ok(false),
            _ => Err(Gone),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.destroy {
            // SAFETY: the table is the host's; a Host is dropped once and nothing calls it afterwards.
            guard::callback(|| unsafe { destroy(self.table.ctx) });
        }
    }
}

//! The engine, its upkeep, and its sites.

use super::basics::{janua_error, janua_status, janua_str};
use super::config::janua_config;
use super::fault::Fault;
use super::guard;
use super::owner::{Shared, SiteShared};
use super::raw::{self, Opaque, Slot};
use crate::base::Reason;
use crate::engine::{Engine, Site};
use std::sync::Arc;
use std::time::Duration;

/// Keys, store, directory and throttle: one for each configuration in a process, shared by any
/// number of threads, never changed after it was built. Sites are its children.
pub struct janua_engine {
    _private: [u8; 0],
}

/// One profile under one path prefix of an engine; any number of threads, never changed.
pub struct janua_site {
    _private: [u8; 0],
}

/// Of a site: a request without proof is allowed, without a principal. A bad proof is still refused, and so is nobody
/// at all where the profile needs a role.
pub const JANUA_SITE_OPTIONAL: u32 = 1;

impl Opaque for janua_engine {
    type Body = Arc<Shared>;
    const NAME: &'static str = "janua_engine";
    const MARK: u32 = 0x4a45_4e47;
}

/// A site and what it shares with its engine's other handles.
pub struct Handle {
    pub(super) of_site: Arc<SiteShared>,
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn site(&self) -> &Site {
        &self.of_site.site
    }
}

impl Opaque for janua_site {
    type Body = Handle;
    const NAME: &'static str = "janua_site";
    const MARK: u32 = 0x4a53_4954;
}

/// Refuses flags that no header defines yet.
pub(super) fn known_flags(flags: u32, known: u32) -> Result<(), Fault> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(Fault::invalid(format!("flags {unknown:#x} are not known here"))),
    }
}

/// Builds an engine: reads the files that the configuration names, compiles the profiles and checks
/// everything against everything. Opens no store, starts nothing, so that a parent process may build
/// before it forks. The configuration gives away what it holds, whether this succeeds or not: it
/// can only be freed afterwards.
///
/// *Returns*: JANUA_OK and the engine in `out`; JANUA_E_INVALID, JANUA_E_NOT_FOUND or
/// JANUA_E_UNAVAILABLE with a message that names the cause and the mend; JANUA_E_RANDOM;
/// JANUA_E_NULL. *Blocks*: reads files. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_new(
    config: *mut janua_config,
    out: *mut *mut janua_engine,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, out) = unsafe { (raw::exclusive(config)?, Slot::new(out, "out")?) };
        let config = config.take();
        let config = config.ok_or_else(|| Fault::invalid("this configuration has built its engine; make a new one"))?;
        out.put(raw::give(Shared::new(Engine::build(config)?)));
        Ok(())
    })
}

/// Asks whether the configured store can serve that many worker processes. Call it before workers
/// are forked: the memory store serves one, and refuses two here instead of losing log-ins later;
/// the shared store serves any number on one machine.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID with the setting to change; JANUA_E_NULL. *Blocks*: no.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_check_workers(
    engine: *const janua_engine,
    workers: u32,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2 and 4 of the header.
        let shared = unsafe { raw::shared(engine)? };
        Ok(shared.engine.check_workers(workers)?)
    })
}

/// Prepares this process: opens the store, reads the keyring where that is in the store (the first
/// process makes it), draws this process's keys. Once in each process that
/// decides, after its last fork; calling it again does nothing. Until then every other call on the
/// engine and its sites answers JANUA_E_FORK.
///
/// *Returns*: JANUA_OK; JANUA_E_UNAVAILABLE when the store cannot be opened, and JANUA_E_INVALID when
/// its folder is open to other users or holds something else, or a keyring that the master key does
/// not open, with a message that names the mend;
/// JANUA_E_FORK when the process that this one was forked from had the store in use (the memory store:
/// copies that no log-out would reach; the shared store: attach after the last fork); JANUA_E_RANDOM;
/// JANUA_E_NULL. *Blocks*: opens the store. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_attach(engine: *const janua_engine, err: *mut janua_error) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2 and 4 of the header.
        let shared = unsafe { raw::shared(engine)? };
        Ok(shared.engine.attach()?)
    })
}

/// Does what is due by the clock: follows changed keys and users, rotates a keyring in the store,
/// sweeps ended sessions a few at a time, follows the system's clock. Call it about every second from one thread that may wait, and
/// soon after a decision asked for it (`followup`). It stops after about `budget_us` microseconds
/// and goes on where it stopped at the next call. A host that never calls it stays safe: ends are
/// judged at each check, not by sweeping.
///
/// *Returns*: JANUA_OK; JANUA_E_UNAVAILABLE when a file or the store did not answer; JANUA_E_INVALID
/// for a file or a keyring that is wrong, JANUA_E_REFUSED for a keyring that is older than the one in force or
/// another one (what was read last stays in force each time); JANUA_E_FORK; JANUA_E_NULL. *Blocks*: may wait. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_maintain(
    engine: *const janua_engine,
    budget_us: u32,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2 and 4 of the header.
        let shared = unsafe { raw::shared(engine)? };
        Ok(shared.engine.maintain(Duration::from_micros(u64::from(budget_us)))?)
    })
}

/// The names of headers that no request may bring in from outside, since the application trusts
/// them. Remove them from **every** request, protected or not, trailers included, before
/// anything is set from a decision. The names are canonical: lower case, every byte outside [a-z0-9]
/// as `_`. Compare in that form, or `X.User` reaches an application that reads `X-User`.
///
/// *Returns*: JANUA_OK, the array in `names` and its length in `count`; both live as long as the
/// engine; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_strip_list(
    engine: *const janua_engine,
    names: *mut *const janua_str,
    count: *mut usize,
) -> janua_status {
    guard::engine_call(std::ptr::null_mut(), || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (shared, names, count) =
            unsafe { (raw::shared(engine)?, Slot::new(names, "names")?, Slot::new(count, "count")?) };
        names.put(shared.strip.as_ptr());
        count.put(shared.strip.len());
        Ok(())
    })
}

/// Ends all sessions, tokens and remembered passwords of a principal (its id) that were made before
/// now: "log out everywhere". In force when the call returns. Disable the user or change the
/// password first: a log-in that was under way with the old one is then dead too.
///
/// *Returns*: JANUA_OK, also when there was nothing to end; JANUA_E_UNAVAILABLE when the store did
/// not answer, and then nothing is promised; JANUA_E_INVALID for an empty principal; JANUA_E_FORK;
/// JANUA_E_NULL. *Blocks*: writes the store. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_revoke_principal(
    engine: *const janua_engine,
    principal: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (shared, principal) = unsafe { (raw::shared(engine)?, raw::text(principal, "principal")?) };
        if principal.is_empty() {
            return Err(Fault::invalid("the principal is empty"));
        }
        Ok(shared.engine.revoke_principal(principal)?)
    })
}

/// How many decisions of this process fell for `reason` (a JANUA_REASON_ number): what a metrics
/// page shows. The number only grows, and begins at 0 with the engine.
///
/// *Returns*: the count; 0 for NULL and for a number that is no reason. *Blocks*: no.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_count(engine: *const janua_engine, reason: u32) -> u64 {
    let count = guard::caught(|| {
        // SAFETY: rules 2 and 4 of the header.
        let shared = unsafe { raw::shared(engine).ok()? };
        Some(shared.engine.count(Reason::from_number(reason)?))
    });
    count.flatten().unwrap_or(0)
}

/// How many sessions are alive in the store, as this process sees it.
///
/// *Returns*: the count; 0 for NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_sessions(engine: *const janua_engine) -> u64 {
    let count = guard::caught(|| {
        if guard::in_callback() {
            return None;
        }
        // SAFETY: rules 2 and 4 of the header.
        let shared = unsafe { raw::shared(engine).ok()? };
        Some(shared.engine.session_count())
    });
    count.flatten().unwrap_or(0)
}

/// Frees the engine's handle. What it holds goes when its last site and decision are freed too; a
/// decision under way on another thread by way of a site is not disturbed. Inside a callback it
/// does nothing.
///
/// *Returns*: nothing. *Blocks*: closes the store; waits for the callbacks' `destroy`.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_engine_free(engine: *mut janua_engine) {
    guard::caught(|| {
        if !guard::in_callback() {
            // SAFETY: rule 2 of the header.
            drop(unsafe { raw::take(engine) });
        }
    });
}

/// Makes a site: `profile` (a built-in's name, or the path of a file that ends in .toml) speaks
/// below the path `prefix`. What is empty is taken from the configuration; the prefix "/" is the
/// whole host. `flags` is 0 or JANUA_SITE_OPTIONAL. Sites may be made and freed at any time, also
/// before janua_engine_attach.
///
/// *Returns*: JANUA_OK and the site in `out`; JANUA_E_INVALID for a prefix or a flag that cannot be,
/// or a profile that does not compile; JANUA_E_NOT_FOUND for a profile that does not exist;
/// JANUA_E_NULL. *Blocks*: may read the profile's file. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_site_new(
    engine: *const janua_engine,
    profile: janua_str,
    prefix: janua_str,
    flags: u32,
    out: *mut *mut janua_site,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (shared, profile, prefix, out) = unsafe {
            let (profile, prefix) = (raw::text(profile, "profile")?, raw::text(prefix, "prefix")?);
            (raw::shared(engine)?, profile, prefix, Slot::new(out, "out")?)
        };
        known_flags(flags, JANUA_SITE_OPTIONAL)?;
        let profile = Some(profile).filter(|name| !name.is_empty());
        let prefix = match prefix {
            "" => None,
            "/" => Some(""),
            below => Some(below),
        };
        let site = shared.engine.site(profile, prefix, flags & JANUA_SITE_OPTIONAL != 0)?;
        out.put(raw::give(Handle { of_site: SiteShared::new(site), shared: Arc::clone(shared) }));
        Ok(())
    })
}

/// Frees a site. Inside a callback it does nothing.
///
/// *Returns*: nothing. *Blocks*: as janua_engine_free, when it was the last of its engine.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_site_free(site: *mut janua_site) {
    guard::caught(|| {
        if !guard::in_callback() {
            // SAFETY: rule 2 of the header.
            drop(unsafe { raw::take(site) });
        }
    });
}

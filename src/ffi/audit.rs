//! Audit events to the host.

use super::basics::{janua_error, janua_status, janua_str};
use super::config::{self, janua_config};
use super::fault::Fault;
use super::guard;
use super::raw::{self, Growing};
use crate::engine::{Audit, Event};
use std::ffi::c_void;
use std::mem::{offset_of, size_of};

/// One event. It holds no credential. The views live until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_event {
    /// The size of what the library wrote: read a field that was added later only if it is inside.
    pub size: usize,
    /// A JANUA_EVENT_ number; more may come.
    pub kind: u32,
    /// A JANUA_REASON_ number; more may come.
    pub reason: u32,
    /// Unix seconds.
    pub time: i64,
    /// The user's id; of a refused log-in `~` and a keyed digest of the name, since people type
    /// passwords there: the same name gives the same digest.
    pub principal: janua_str,
    /// 32 hex digits, or empty.
    pub session_ref: janua_str,
    /// The client's address as text.
    pub client: janua_str,
    /// The name of the profile's endpoint, or empty.
    pub endpoint: janua_str,
    /// The method as matched.
    pub method: janua_str,
    /// Of a refusal: the eight digits that the client may have been shown to quote; or empty.
    pub reference: janua_str,
}

/// Where events go. `event` must be there, `destroy` may be NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_audit {
    /// sizeof(janua_audit).
    pub size: usize,
    /// Handed to every callback as it is.
    pub ctx: *mut c_void,
    /// Called once for each decision, on the thread that decides and before it returns, also with
    /// JANUA_FAST and several at once: it must not wait. It cannot change the outcome.
    pub event: Option<unsafe extern "C" fn(ctx: *mut c_void, event: *const janua_event)>,
    /// Runs once, when `event` cannot be called any more; on the thread that freed the last owner.
    pub destroy: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
}

// SAFETY: repr(C), size first; zeros are NULL pointers and absent functions.
unsafe impl Growing for janua_audit {
    const NAME: &'static str = "janua_audit";
    const FIRST: usize = offset_of!(janua_audit, event) + size_of::<usize>();
}

/// Gives the engine a place to tell of its decisions. Ownership of the table is as with
/// janua_config_set_directory.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID for a table of the wrong size; JANUA_E_NULL without a table
/// or without `event`. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_set_audit(
    config: *mut janua_config,
    audit: *const janua_audit,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, table) = unsafe { (raw::exclusive(config)?, raw::read(audit)?) };
        let config = config::open(config)?;
        config.set_audit(Box::new(Host::new(table)?));
        Ok(())
    })
}

/// A copied table; dropping it runs `destroy`.
pub struct Host {
    table: janua_audit,
}

// SAFETY: the header asks for callbacks that may run on any thread, several at once, and `ctx` goes only to them.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    pub(super) fn new(table: janua_audit) -> Result<Host, Fault> {
        match table.event {
            Some(_) => Ok(Host { table }),
            None => Err(Fault::null("janua_audit.event")),
        }
    }
}

impl Audit for Host {
    fn event(&self, event: &Event<'_>) {
        let Some(callback) = self.table.event else { return };
        let told = janua_event {
            size: size_of::<janua_event>(),
            kind: event.kind as u32,
            reason: event.reason as u32,
            time: event.time,
            principal: janua_str::of(event.principal.as_bytes()),
            session_ref: janua_str::of(event.session_ref.as_bytes()),
            client: janua_str::of(event.client.as_bytes()),
            endpoint: janua_str::of(event.endpoint.as_bytes()),
            method: janua_str::of(event.method.as_bytes()),
            reference: janua_str::of(event.reference.as_bytes()),
        };
        // SAFETY: the table is the host's; the event and its views live until the callback returns.
        guard::callback(|| unsafe { callback(self.table.ctx, &raw const told) });
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

//! The configuration in the making.

use super::basics::{ABI, janua_error, janua_status, janua_str};
use super::fault::Fault;
use super::guard;
use super::raw::{self, Opaque, Slot};
use crate::base::Status;
use crate::engine::Config;
use std::path::Path;

/// A configuration in the making: one TOML file or text, settings on top of it, and the host's
/// callbacks. It belongs to one thread, and builds one engine. To change anything later, build a
/// new engine from a new configuration and free the old one when the new one stands.
pub struct janua_config {
    _private: [u8; 0],
}

impl Opaque for janua_config {
    /// `None` once an engine was built from it.
    type Body = Option<Config>;
    const NAME: &'static str = "janua_config";
    const MARK: u32 = 0x4a43_4f4e;
}

pub(super) fn open(body: &mut Option<Config>) -> Result<&mut Config, Fault> {
    body.as_mut().ok_or_else(|| Fault::invalid("this configuration has built its engine; make a new one"))
}

/// The path that the caller's bytes mean on this system.
fn path(bytes: &[u8]) -> Result<&Path, Fault> {
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(Fault::invalid("the path is empty or has a NUL byte"));
    }
    #[cfg(unix)]
    return Ok(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)));
    #[cfg(not(unix))]
    return std::str::from_utf8(bytes).map(Path::new).map_err(|_| Fault::invalid("the path is not UTF-8"));
}

/// Makes an empty configuration. `abi` is always JANUA_ABI: it tells the library which header the
/// host was compiled with.
///
/// *Returns*: JANUA_OK and the object in `out`; JANUA_E_ABI when header and library do not match;
/// JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_new(
    abi: u32,
    out: *mut *mut janua_config,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        if abi != ABI {
            let message =
                format!("the program was compiled for ABI {abi}, the library has ABI {ABI}; compile it again");
            return Err(Fault::new(Status::Abi, message));
        }
        // SAFETY: rules 3 and 4 of the header.
        let out = unsafe { Slot::new(out, "out")? };
        out.put(raw::give(Some(Config::new())));
        Ok(())
    })
}

/// Reads the TOML file at `path`. Relative paths inside it count from the file's folder. What an
/// earlier call said about the same keys is replaced. Nothing that the file names is opened yet.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID with a message that names file, line, key and the nearest
/// key known; JANUA_E_NOT_FOUND or JANUA_E_UNAVAILABLE when the file cannot be read; JANUA_E_NULL.
/// *Blocks*: reads the file. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_read_file(
    config: *mut janua_config,
    path: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, path) = unsafe { (raw::exclusive(config)?, self::path(raw::bytes(path, "path")?)?) };
        Ok(open(config)?.read_file(path)?)
    })
}

/// Reads the same TOML from a text in memory. `name` stands in error messages where a file's name
/// would; relative paths count from `folder`, and from the working directory when that is empty.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID as janua_config_read_file says; JANUA_E_NULL.
/// *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_read_text(
    config: *mut janua_config,
    name: janua_str,
    text: janua_str,
    folder: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, name, text, folder) = unsafe {
            let (name, text) = (raw::text(name, "name")?, raw::text(text, "text")?);
            (raw::exclusive(config)?, name, text, raw::bytes(folder, "folder")?)
        };
        let folder = if folder.is_empty() { Path::new(".") } else { path(folder)? };
        Ok(open(config)?.read_text(name, text, folder)?)
    })
}

/// Sets one key, such as "session.idle" to "10m". Wins over the file, whichever came first.
///
/// *Returns*: JANUA_OK; JANUA_E_INVALID for a key that does not exist (with the nearest one) or a
/// value that does not fit it; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_set(
    config: *mut janua_config,
    key: janua_str,
    value: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (config, key, value) =
            unsafe { (raw::exclusive(config)?, raw::text(key, "key")?, raw::text(value, "value")?) };
        Ok(open(config)?.set(key, value)?)
    })
}

/// Frees a configuration, built or not. Inside a callback it does nothing.
///
/// *Returns*: nothing. *Blocks*: for the `destroy` of callbacks that no engine took.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_config_free(config: *mut janua_config) {
    guard::caught(|| {
        if !guard::in_callback() {
            // SAFETY: rule 2 of the header.
            drop(unsafe { raw::take(config) });
        }
    });
}

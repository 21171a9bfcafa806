//! TLS to a server: whom to trust, who we are, and the connection's state.
//!
//! Used by `stream`; read from files by `engine::build`. The provider of the primitives (`ring`) is named where it is
//! used: nothing is installed for the whole process, in which there may be another rustls. The server's name is always
//! checked; there is no word that leaves it out.

use super::address::Place;
use crate::base::{Error, Result};
use crate::crypto::secret_file;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What all connections of a store share.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// `ca`: the certificates of those who may vouch for the server. `own`: our certificate and its key, for servers that
    /// ask for them. Errors: name the file.
    pub fn read(ca: &Path, own: Option<(&Path, &Path)>) -> Result<Tls> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            let refused = |e| Error::invalid(format!("a certificate in it cannot be used: {e}")).at(ca.display());
            roots.add(certificate).map_err(refused)?;
        }
        let wrong = |e: rustls::Error| Error::invalid(format!("TLS cannot be set up: {e}"));
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let text = secret_file(key, "key of store.certificate")?;
                let parsed = PrivateKeyDer::from_pem_slice(&text)
                    .map_err(|_| Error::invalid("holds no private key in PEM").at(key.display()))?;
                builder.with_client_auth_cert(certificates(certificate)?, parsed).map_err(|_| {
                    let text = "is not the key of store.certificate, or of a kind that is not known";
                    Error::invalid(text).at(key.display())
                })?
            }
        };
        Ok(Tls(Arc::new(config)))
    }

    /// The state of a connection that is to begin.
    pub(super) fn begin(&self, place: &Place) -> io::Result<Box<ClientConnection>> {
        let Place::Tcp { host, .. } = place else { return Err(io::ErrorKind::Unsupported.into()) };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        ClientConnection::new(Arc::clone(&self.0), name).map(Box::new).map_err(io::Error::other)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text =
        std::fs::read(path).map_err(|e| Error::unavailable(format!("cannot be read: {e}")).at(path.display()))?;
    let parsed: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match parsed {
        Ok(some) if !some.is_empty() => Ok(some),
        _ => Err(Error::invalid("holds no certificate in PEM").at(path.display())),
    }
}

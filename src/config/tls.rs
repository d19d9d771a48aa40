//! Certificate and key, ready for use.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a TLS port shows and speaks: HTTP/2, or HTTP/1.1.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// Which of the two is wrong, and why.
#[derive(Debug)]
pub enum TlsError {
    /// The chain.
    Cert(String),
    /// The key, or that it is another's.
    Key(String),
}

impl Tls {
    /// Takes a certificate chain, the server's own first, and its key, both PEM.
    pub fn of_pem(cert: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Cert(format!("is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(TlsError::Cert("holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| TlsError::Key("holds no private key in PEM".to_owned()))?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| TlsError::Cert(error.to_string()))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| TlsError::Key(format!("does not go with the cert: {error}")))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

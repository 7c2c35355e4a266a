//! An authority of the test's own, and a certificate of it for one server.

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

/// The folder with the files of both.
pub struct Authority(TempDir);

impl Authority {
    /// A new authority, with a certificate for a server of this name.
    pub fn for_server(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&authority_key).expect("a certificate");
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().expect("a key");
        let server = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let server = server.signed_by(&key, &issuer).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in [("ca.pem", authority.pem()), ("cert.pem", server.pem()), ("key.pem", key.serialize_pem())]
        {
            std::fs::write(folder.path().join(file), text).expect("the folder takes files");
        }
        Self(folder)
    }

    /// The certificate of the authority.
    pub fn ca_file(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The certificate of the server.
    pub fn cert_file(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    /// The key of the server.
    pub fn key_file(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// What the server listens with.
    pub fn server(&self) -> ServerConfig {
        let certificate = CertificateDer::from_pem_file(self.cert_file()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.key_file()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        config.with_single_cert(vec![certificate], key).expect("a certificate and its key")
    }
}

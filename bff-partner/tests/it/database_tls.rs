//! A real PostgreSQL that is reached over TLS, with an authority of one's own.

use std::{error::Error, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use bff_partner::database::Database;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shared_lib::{
    clock::Clock,
    settings::Secret,
    testing::{PostgresServer, eventually},
};
use tempfile::TempDir;

use crate::{
    harness::{ORDER, Stage},
    keys_push::listeners,
};

const PRODUCTS: &str = "/v1/products?size=1";
const PATIENCE: Duration = Duration::from_secs(20);

/// An authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("the folder takes files");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// A server that speaks TLS, with a certificate for this name.
    async fn server_for(&self, name: &str) -> PostgresServer {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = certificate.signed_by(&key, &self.issuer).expect("a certificate");
        let prepare = |data: &Path| {
            let write = |file: &str, text: String| {
                fs::write(data.join(file), text).expect("the folder takes files");
                // The server uses no key that others can read.
                fs::set_permissions(data.join(file), fs::Permissions::from_mode(0o600)).expect("the file is ours");
            };
            write("server.crt", certificate.pem());
            write("server.key", key.serialize_pem());
        };
        PostgresServer::start_with(&["ssl=on"], prepare).await
    }

    /// The address of a new database, at the host of this name, believing this authority.
    fn address(&self, server: &PostgresServer, host: &str) -> String {
        let file = self.folder.path().join("ca.pem");
        let address = server.database().replace("127.0.0.1", host);
        format!("{address}?sslmode=verify-full&sslrootcert={}", file.display())
    }
}

/// Everything that is said of a failure.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Shows: P1, P2, P6
#[actix_web::test]
async fn keys_orders_and_revocations_go_over_tls_to_a_postgresql_that_shows_who_it_is() {
    let authority = Authority::new();
    let server = authority.server_for("localhost").await;
    let address = authority.address(&server, "localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let believe = [("BFF_PARTNER__KEYS__FRESH_MS", "60000")];
    let stage = Stage::over(address.clone(), folder, &believe, Clock::system()).await;
    let hears = || async { listeners(&server, &address) == 1 };
    assert!(eventually(PATIENCE, hears).await, "changes are heard over TLS, too");
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    assert_eq!(stage.place_with(&stage.key, "k-1", ORDER).await.status, 201);
    let counts = "SELECT count(*) FILTER (WHERE ssl) > 1, count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl \
                  JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(server.query(&address, counts), "t|0", "no connection of ours is in the clear");
    stage.admin.revoke(&stage.key[9..21], crate::harness::BY).await.expect("the key is there");
    let is_felt = || async { stage.get(PRODUCTS).await.status == 401 };
    assert!(eventually(PATIENCE, is_felt).await);
}

/// Shows: P2
#[actix_web::test]
async fn a_postgresql_that_cannot_show_who_it_is_is_asked_for_nothing_and_the_reason_is_said() {
    let authority = Authority::new();
    let server = authority.server_for("localhost").await;
    let plain = PostgresServer::shared().await;
    let other = Authority::new();
    for (what, address, reason) in [
        ("another authority does not know it", other.address(&server, "localhost"), "UnknownIssuer"),
        ("its certificate is for another name", authority.address(&server, "127.0.0.1"), "not valid for name"),
        ("it does not speak TLS", authority.address(plain, "localhost"), "server does not support TLS"),
        (
            "the public authorities do not know it",
            format!("{}?sslmode=verify-full", server.database().replace("127.0.0.1", "localhost")),
            "UnknownIssuer",
        ),
    ] {
        let database =
            Database::open(&Secret::from(address.as_str())).await.expect("a server that is away is no error");
        let refused = database.connection().await.expect_err("nobody is believed");
        let said = chain(&refused);
        assert!(said.contains(reason), "{what}: {said}");
        assert!(!said.contains("test-password"), "{what}: a secret is never shown");
    }
}

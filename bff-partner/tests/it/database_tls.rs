//! A real PostgreSQL that is reached over TLS, with an authority of one's own.

use std::{error::Error, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use awc::Client;
use bff_partner::database::Database;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sandbox::Sandbox;
use shared_lib::{
    clock::Clock,
    settings::Secret,
    testing::{PostgresServer, eventually, receive},
};
use tempfile::TempDir;

use crate::{
    harness::{BY, ORDER, admin_over, new_key},
    keys_push::listeners,
    process::Process,
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
        // Authorities are told apart by their names.
        params.distinguished_name.push(DnType::CommonName, format!("authority {:x}", rand::random::<u64>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("the folder takes files");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// A server that lets nobody in without TLS and a password proved by SCRAM, with a certificate for this name.
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
            write(
                "pg_hba.conf",
                "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n".to_owned(),
            );
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
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let admin = admin_over(&Secret::from(address.as_str()), Clock::system()).await;
    let key = admin.create(new_key("acme"), BY).await.expect("a key");
    let replica = Process::start(&sandbox, &address, &[("BFF_PARTNER__KEYS__FRESH_MS", "60000")]).await;
    let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
    // The server's own client looks at nothing here.
    let unchecked = address.split('?').next().expect("an address");
    let hears = || async { listeners(&server, unchecked).await == 1 };
    assert!(eventually(PATIENCE, hears).await, "changes are heard over TLS, too");

    let ask = || async { receive(client.get(replica.url(PRODUCTS)).bearer_auth(key.key.expose()).send()).await };
    assert_eq!(ask().await.status, 200);
    let order = client.post(replica.url("/v1/orders")).bearer_auth(key.key.expose());
    let order = order.insert_header(("idempotency-key", "k-1")).content_type("application/json");
    assert_eq!(receive(order.send_body(ORDER)).await.status, 201);
    let counts = "SELECT count(*) FILTER (WHERE ssl) > 2, count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl \
                  JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(server.query(unchecked, counts), "t|0", "no connection of ours is in the clear");
    admin.revoke(&key.record.id, BY).await.expect("the key is there");
    let is_felt = || async { ask().await.status == 401 };
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

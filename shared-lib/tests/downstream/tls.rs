//! TLS to a downstream with an authority of its own, certificates on both sides, and HTTP/2 with and without TLS.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::json;
use shared_lib::{
    downstream::{DownstreamSettings, Failure, TlsSettings, grpc::GrpcDownstream},
    settings::Findings,
};
use tempfile::TempDir;
use tonic::codegen::http::uri::PathAndQuery;
use url::Url;

use crate::harness::{Process, reason, request};

/// An authority and the folder of its files.
pub struct Authority {
    pub folder: TempDir,
    name: &'static str,
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let authority = Self {
            folder: tempfile::tempdir().expect("a folder"),
            name,
            certificate,
            issuer: Issuer::new(params, key),
        };
        authority.write("ca.pem", &authority.certificate.pem());
        authority
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the folder takes files");
        path
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self) -> (rcgen::Certificate, KeyPair) {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// Certificate and key for us, as files.
    pub fn identity(&self) -> TlsSettings {
        let (certificate, key) = self.sign();
        TlsSettings {
            ca_file: Some(self.ca_file()),
            cert_file: Some(self.write("cert.pem", &certificate.pem())),
            key_file: Some(self.write("key.pem", &key.serialize_pem())),
        }
    }

    /// A server's side, which asks for a certificate of this authority if `mutual`.
    fn server(&self, mutual: bool) -> ServerConfig {
        let (certificate, key) = self.sign();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            config.with_no_client_auth()
        };
        config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate and its key")
    }
}

/// A server that tells the version of HTTP by which it was asked, and refuses every gRPC call with `unauthenticated`.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    handle: ServerHandle,
}

impl Server {
    /// Over TLS with this configuration, or in cleartext (HTTP/1.1, or HTTP/2 with prior knowledge).
    fn start(tls: Option<ServerConfig>) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let server = HttpServer::new(move || {
            let count = Arc::clone(&count);
            App::new().default_service(web::to(move |request: HttpRequest| {
                count.fetch_add(1, Ordering::SeqCst);
                let grpc = request.headers().get("content-type").is_some_and(|kind| kind == "application/grpc");
                let answer = if grpc {
                    HttpResponse::Ok().content_type("application/grpc").insert_header(("grpc-status", "16")).finish()
                } else {
                    HttpResponse::Ok().json(json!({ "version": format!("{:?}", request.version()) }))
                };
                std::future::ready(answer)
            }))
        })
        .workers(1)
        .disable_signals();
        let (server, scheme) = match tls {
            Some(tls) => (server.listen_rustls_0_23(listener, tls), "https"),
            None => (server.listen_auto_h2c(listener), "http"),
        };
        let server = server.expect("the listener can be used").run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url: format!("{scheme}://{address}"), asked, handle }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn process(&self, change: impl FnOnce(&mut DownstreamSettings)) -> Process {
        Process::new(std::slice::from_ref(&self.url), |settings| {
            settings.retry.max_attempts = 1;
            change(settings);
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn version(process: &Process) -> String {
    let answer = process.get(&["thing"]).await.expect("an answer");
    answer.value["version"].as_str().expect("a version").to_owned()
}

#[actix_web::test]
async fn a_private_authority_is_believed_where_it_is_named_and_http2_is_negotiated() {
    let authority = Authority::new("private");
    let server = Server::start(Some(authority.server(false)));
    let process = server.process(|settings| settings.tls.ca_file = Some(authority.ca_file()));
    assert_eq!(version(&process).await, "HTTP/2.0");

    let other = Authority::new("other");
    for tls in [TlsSettings::default(), TlsSettings { ca_file: Some(other.ca_file()), ..TlsSettings::default() }] {
        let process = server.process(|settings| settings.tls = tls);
        let outcome = process.get(&["thing"]).await;
        assert_eq!(reason(&outcome), "connect", "{outcome:?}");
        process.assert_idle("after the distrust").await;
    }
    assert_eq!(server.asked(), 1);
}

#[actix_web::test]
async fn our_certificate_is_shown_to_a_downstream_that_asks_for_it() {
    let authority = Authority::new("private");
    let server = Server::start(Some(authority.server(true)));
    let process = server.process(|settings| settings.tls = authority.identity());
    assert_eq!(version(&process).await, "HTTP/2.0");

    let nameless = server.process(|settings| settings.tls.ca_file = Some(authority.ca_file()));
    nameless.get(&["thing"]).await.expect_err("without a certificate nobody gets in");
    let stranger = Authority::new("stranger");
    let stranger = server.process(|settings| {
        settings.tls = TlsSettings { ca_file: Some(authority.ca_file()), ..stranger.identity() };
    });
    stranger.get(&["thing"]).await.expect_err("nor with one of another authority");
    assert_eq!(server.asked(), 1);
}

#[actix_web::test]
async fn grpc_goes_over_the_same_tls() {
    let authority = Authority::new("private");
    let server = Server::start(Some(authority.server(true)));
    let call = async |process: Process| {
        let grpc = GrpcDownstream::new(process.downstream.clone());
        let context = request();
        let answer = grpc.unary(&context, "shop.Shop/Ask", true, (), |channel, request| async move {
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.map_err(|error| tonic::Status::from_error(error.into()))?;
            let path = PathAndQuery::from_static("/shop.Shop/Ask");
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            client.unary(request, path, codec).await
        });
        answer.await.expect_err("it refuses").failure
    };
    let shown = call(server.process(|settings| settings.tls = authority.identity())).await;
    assert!(matches!(shown, Failure::Grpc(tonic::Code::Unauthenticated)), "{shown:?}");
    assert_eq!(server.asked(), 1);
    let nameless = server.process(|settings| settings.tls.ca_file = Some(authority.ca_file()));
    let refused = call(nameless).await;
    assert!(matches!(refused, Failure::Connect(_) | Failure::Broken(_)), "{refused:?}");
    let distrusting = call(server.process(|_| {})).await;
    assert!(matches!(distrusting, Failure::Connect(_)), "{distrusting:?}");
    assert_eq!(server.asked(), 1);
}

#[actix_web::test]
async fn cleartext_http2_is_spoken_where_it_is_set_and_nowhere_else() {
    let server = Server::start(None);
    assert_eq!(version(&server.process(|settings| settings.h2c = true)).await, "HTTP/2.0");
    assert_eq!(version(&server.process(|_| {})).await, "HTTP/1.1");
}

#[actix_web::test]
async fn an_https_address_from_a_document_is_never_asked_in_cleartext() {
    let server = Server::start(None);
    let process = server.process(|_| {});
    let url = Url::parse(&server.url.replace("http://", "https://")).expect("an address");
    let call = process.downstream.call_url(&request(), actix_web::http::Method::GET, url);
    let outcome = call.send().await;
    assert_eq!((reason(&outcome), server.asked()), ("internal", 0), "{outcome:?}");
}

#[test]
fn wrong_tls_settings_are_named_by_key_and_file_and_show_nothing_secret() {
    let authority = Authority::new("private");
    let good = authority.identity();
    let other_key = authority.write("other.pem", &KeyPair::generate().expect("a key").serialize_pem());
    let nonsense = authority.write("nonsense.pem", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n");
    let with = |change: fn(&mut TlsSettings, PathBuf), file: &PathBuf| {
        let mut tls = good.clone();
        change(&mut tls, file.clone());
        tls
    };
    let away = authority.folder.path().join("away.pem");
    let cases = [
        (with(|tls, file| tls.ca_file = Some(file), &away), "tls.ca_file", "away.pem cannot be read: "),
        (with(|tls, file| tls.ca_file = Some(file), &nonsense), "tls.ca_file", "holds no certificate in PEM"),
        (with(|tls, file| tls.cert_file = Some(file), &other_key), "tls.cert_file", "holds no certificate in PEM"),
        (with(|tls, file| tls.key_file = Some(file), &nonsense), "tls.key_file", "holds no private key"),
        (with(|tls, file| tls.key_file = Some(file), &other_key), "tls.cert_file", "cannot be used together"),
        (with(|tls, _| tls.key_file = None, &away), "tls.cert_file", "together with key_file"),
        (with(|tls, _| tls.cert_file = None, &away), "tls.key_file", "together with cert_file"),
    ];
    let audit = |url: &str, tls: TlsSettings| {
        let mut settings = DownstreamSettings::for_address(&Url::parse(url).expect("an address"));
        settings.tls = tls;
        let mut findings = Findings::new();
        settings.audit("downstreams.shop", &mut findings);
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (tls, key, message) in cases {
        let found = audit("https://shop", tls);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("downstreams.shop.{key}: ")) && found[0].contains(message), "{found:?}");
        assert!(!found[0].contains("c2VjcmV0"), "{found:?}");
    }
    assert_eq!(audit("https://shop", good.clone()), Vec::<String>::new(), "{}", authority.name);
    assert_eq!(audit("http://shop", good), ["downstreams.shop.tls: is for https addresses"]);
}

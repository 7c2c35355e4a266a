//! The HTTP client of one worker for one downstream.

use std::{sync::Arc, time::Duration};

use actix_service::ServiceExt;
use awc::{Client, Connector};
use rustls::ClientConfig;

use super::{settings::DownstreamSettings, tls::Tls};

/// How connections of a downstream are made; follows from its addresses and `h2c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// Cleartext HTTP/1.1.
    Http1,
    /// Cleartext HTTP/2 with prior knowledge.
    H2c,
    /// TLS; HTTP/2 or HTTP/1.1 by ALPN.
    Tls,
}

impl Transport {
    pub(super) fn of(settings: &DownstreamSettings) -> Self {
        match settings.parsed_urls().first() {
            Some(url) if url.scheme() == "https" => Self::Tls,
            _ if settings.h2c => Self::H2c,
            _ => Self::Http1,
        }
    }
}

/// Builds the client. Redirects are not followed: an answer that points elsewhere is not the downstream's answer.
pub(super) fn build(settings: &DownstreamSettings, tls: Option<&Tls>) -> Client {
    build_with(settings, tls.map(|tls| Arc::clone(&tls.http)), settings.max_connections)
}

/// Builds the client for WebSockets, which are HTTP/1.1 only.
pub(super) fn build_for_websockets(settings: &DownstreamSettings, tls: Option<&Tls>, max_open: usize) -> Client {
    let tls = tls.map(|tls| {
        let mut config = ClientConfig::clone(&tls.http);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    });
    build_with(settings, tls, max_open)
}

fn build_with(settings: &DownstreamSettings, tls: Option<Arc<ClientConfig>>, limit: usize) -> Client {
    let tcp = actix_tls::connect::Connector::default().service().map(|connection| {
        // Nagle's algorithm holds small frames back for as long as the peer delays its acknowledgement.
        if let Err(error) = connection.io_ref().set_nodelay(true) {
            tracing::debug!(%error, "a connection could not be set to TCP_NODELAY");
        }
        connection
    });
    let connector = Connector::new()
        .connector(tcp)
        .timeout(Duration::from_millis(settings.connect_timeout_ms))
        .handshake_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .limit(limit)
        .conn_keep_alive(Duration::from_millis(settings.keep_alive_ms))
        .conn_lifetime(Duration::from_millis(settings.max_lifetime_ms));
    // Without a TLS configuration the connector speaks cleartext HTTP/2 to https addresses, which is how h2c is asked
    // for; a downstream with https addresses therefore always gets one.
    let connector = match tls {
        Some(tls) => connector.rustls_0_23(tls),
        None => connector,
    };
    Client::builder().connector(connector).disable_redirects().disable_timeout().no_default_headers().finish()
}

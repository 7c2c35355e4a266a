//! Where a request comes from.
//!
//! Whoever sends a request can write into `X-Forwarded-For` what they like; each proxy on the way adds the address that
//! it saw at the right end. So the field is read from the right: from the connection's own address inwards, for as long
//! as the address that speaks is one of the trusted proxies. The first that is not is the client. What stands left of it
//! is hearsay.

use std::{net::IpAddr, rc::Rc};

use actix_web::{dev::ServiceRequest, http::header::X_FORWARDED_FOR};
use ipnet::IpNet;

/// Finds the client's address. One for each worker.
#[derive(Debug, Clone)]
pub struct ClientAddress {
    trusted_proxies: Rc<[IpNet]>,
}

impl ClientAddress {
    /// `trusted_proxies` is `[server] trusted_proxies`.
    #[must_use]
    pub fn new(trusted_proxies: &[IpNet]) -> Self {
        Self { trusted_proxies: trusted_proxies.into() }
    }

    /// The client's address. `None` when a trusted proxy forwarded something that is no address, or when every address
    /// is a trusted proxy's: then nobody knows where the request came from.
    #[must_use]
    pub fn of(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if !self.is_trusted(peer) {
            return Some(peer);
        }
        let fields: Vec<&str> =
            request.headers().get_all(X_FORWARDED_FOR).map(|value| value.to_str().unwrap_or_default()).collect();
        if fields.is_empty() {
            // The proxy itself is calling.
            return Some(peer);
        }
        for forwarded in fields.iter().rev().flat_map(|field| field.rsplit(',')) {
            let address: IpAddr = forwarded.trim().parse().ok()?;
            let address = address.to_canonical();
            if !self.is_trusted(address) {
                return Some(address);
            }
        }
        None
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(peer: &str, forwarded: &[&str]) -> Option<String> {
        let peer = peer.parse().expect("an address and a port");
        let mut request = TestRequest::default().peer_addr(peer);
        for value in forwarded {
            request = request.append_header((X_FORWARDED_FOR, *value));
        }
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        ClientAddress::new(&proxies).of(&request.to_srv_request()).map(|address| address.to_string())
    }

    /// Shows: P5
    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        let address = |text: &str| Some(text.to_owned());
        assert_eq!(of("192.0.2.1:5", &["203.0.113.9"]), address("192.0.2.1"), "nobody is believed but proxies");
        assert_eq!(of("10.0.0.1:5", &[]), address("10.0.0.1"));
        assert_eq!(of("10.0.0.1:5", &["203.0.113.9"]), address("203.0.113.9"));
        assert_eq!(of("10.0.0.1:5", &["198.51.100.1, 203.0.113.9"]), address("203.0.113.9"), "never the leftmost");
        assert_eq!(of("10.0.0.1:5", &["198.51.100.1, 203.0.113.9, 10.0.0.2"]), address("203.0.113.9"));
        assert_eq!(of("10.0.0.1:5", &["198.51.100.1", "203.0.113.9"]), address("203.0.113.9"), "fields are one list");
        assert_eq!(of("[::ffff:10.0.0.1]:5", &["::ffff:203.0.113.9"]), address("203.0.113.9"));
        assert_eq!(of("[::ffff:192.0.2.1]:5", &["203.0.113.9"]), address("192.0.2.1"));
    }

    /// Shows: P5
    #[test]
    fn what_is_no_address_makes_the_client_unknown() {
        for forwarded in
            ["", "unknown", "203.0.113.9:80", "198.51.100.1, x", "198.51.100.1,", "10.0.0.3", "10.0.0.3, 10.0.0.2"]
        {
            assert_eq!(of("10.0.0.1:5", &[forwarded]), None, "{forwarded:?}");
        }
    }
}

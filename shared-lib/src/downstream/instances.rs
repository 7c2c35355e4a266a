//! The instances of a downstream: which there are, and which one gets the next attempt.
//!
//! By default every configured address is an instance, and names are resolved by the system at each new connection,
//! which `max_lifetime_ms` makes happen. With `discover = "dns"` each address that a name resolves to is an instance,
//! as a headless service in Kubernetes offers them, and the names are resolved again every `dns_refresh_ms`.

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use serde::Deserialize;
use url::{Host, Url};

use super::{
    balance::{Balancer, Lease},
    settings::DownstreamSettings,
};
use crate::clock::Clock;

/// Where a downstream's instances come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discover {
    /// Every configured address is one instance.
    #[default]
    Urls,
    /// Every address that the configured names resolve to is one instance. For cleartext only: TLS checks the name.
    Dns,
}

/// The instances of one downstream, shared by all workers.
#[derive(Debug)]
pub(super) struct Instances {
    configured: Vec<Url>,
    discover: Discover,
    balancer: Balancer,
}

impl Instances {
    pub(super) fn new(name: &str, settings: &DownstreamSettings, clock: Clock) -> Self {
        let configured = settings.parsed_urls();
        let addresses: Vec<_> = configured.iter().map(|url| Arc::from(url.as_str())).collect();
        let balancer = Balancer::new(name, &settings.balance, &addresses, clock);
        Self { configured, discover: settings.discover, balancer }
    }

    /// The address by which calls are told apart, whichever instance gets them.
    pub(super) fn canonical(&self) -> &Url {
        &self.configured[0]
    }

    /// The instance for the next attempt, another than `avoid` if there is one.
    pub(super) fn pick(&self, avoid: Option<&str>) -> Option<Lease> {
        match avoid {
            Some(address) => self.balancer.pick_avoiding(address),
            None => self.balancer.pick(),
        }
    }

    pub(super) fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// Whether [`refresh`](Self::refresh) has anything to do.
    pub(super) fn is_discovered(&self) -> bool {
        self.discover == Discover::Dns
    }

    /// Resolves the names anew. Where one does not resolve, the instances stay as they are: an outage of the name
    /// service must not become an outage of the downstream.
    pub(super) async fn refresh(&self, resolve: &impl Resolve) -> io::Result<()> {
        let mut addresses = BTreeSet::new();
        for url in &self.configured {
            let port = url.port_or_known_default().unwrap_or(80);
            match url.host() {
                Some(Host::Domain(name)) => {
                    let found = resolve.resolve(name, port).await?;
                    addresses.extend(found.into_iter().filter_map(|address| at(url, address)));
                }
                _ => {
                    addresses.insert(Arc::from(url.as_str()));
                }
            }
        }
        if !addresses.is_empty() {
            self.balancer.replace(&addresses.into_iter().collect::<Vec<_>>());
        }
        Ok(())
    }
}

/// The address of an instance, with the path of the configured one.
fn at(url: &Url, address: SocketAddr) -> Option<Arc<str>> {
    let mut url = url.clone();
    url.set_ip_host(address.ip()).ok()?;
    url.set_port(Some(address.port())).ok()?;
    Some(Arc::from(url.as_str()))
}

/// How names become addresses.
pub trait Resolve {
    /// Every address of the name.
    ///
    /// # Errors
    /// When the name service is away, or does not know the name.
    fn resolve(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Resolves again and again until the instances are gone.
pub(super) async fn keep_resolving(name: Arc<str>, instances: std::sync::Weak<Instances>, every: Duration) {
    loop {
        let Some(instances) = instances.upgrade() else { return };
        if let Err(error) = instances.refresh(&SystemResolver).await {
            tracing::warn!(downstream = &*name, %error, "names could not be resolved; the known instances stay");
        }
        drop(instances);
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::settings::StringList;

    struct Scripted(Mutex<Vec<io::Result<Vec<SocketAddr>>>>);

    impl Resolve for Scripted {
        async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            self.0.lock().expect("not poisoned").remove(0)
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn known(instances: &Instances) -> Vec<String> {
        instances.balancer.snapshot().instances.iter().map(|instance| instance.address.to_string()).collect()
    }

    /// Shows: S4
    #[actix_web::test]
    async fn instances_follow_the_names_and_stay_when_the_name_service_is_away() {
        let url = Url::parse("http://catalog.internal:8080/catalog").expect("a URL");
        let mut settings = DownstreamSettings::for_address(&url);
        settings.urls = StringList::from(vec![url.to_string()]);
        settings.discover = Discover::Dns;
        let instances = Instances::new("catalog", &settings, Clock::system());
        let resolver = Scripted(Mutex::new(vec![
            Ok(vec![address("10.0.0.1:8080"), address("10.0.0.2:8080")]),
            Err(io::Error::other("no name service")),
            Ok(vec![address("10.0.0.2:8080"), address("[fd00::3]:8080")]),
        ]));
        instances.refresh(&resolver).await.expect("names resolve");
        assert_eq!(known(&instances), ["http://10.0.0.1:8080/catalog", "http://10.0.0.2:8080/catalog"]);
        instances.refresh(&resolver).await.expect_err("the name service is away");
        assert_eq!(known(&instances).len(), 2);
        instances.refresh(&resolver).await.expect("names resolve");
        assert_eq!(known(&instances), ["http://10.0.0.2:8080/catalog", "http://[fd00::3]:8080/catalog"]);
    }
}

//! The downstreams of a process ([`Registry`]) and of a worker ([`Downstreams`]).

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use actix_web::http::Method;
use awc::Client;
use tokio::sync::Semaphore;
use url::Url;

use super::{
    balance::BalancerSnapshot,
    cache::ResponseCache,
    call::Call,
    client::{self, Transport},
    coalesce::Flights,
    instances::{self, Instances, Resolve},
    load::{Load, WireAttempts},
    observe::Observer,
    retry::{RetryBudget, RetryPolicy},
    settings::{DownstreamSettings, DownstreamsSettings},
    tls::{Tls, TlsError},
    tokens::Tokens,
};
use crate::{
    circuit_breaker::{CircuitBreaker, Snapshot},
    clock::Clock,
    context::RequestContext,
};

/// Why the registry could not be built, or a downstream not be had from it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// TLS to a downstream could not be set up.
    #[error("[downstreams.{downstream}.tls]")]
    Tls {
        /// The downstream's name.
        downstream: String,
        /// What is wrong.
        #[source]
        source: TlsError,
    },
    /// The program asks for a downstream that the configuration does not have.
    #[error("the configuration has no [downstreams.{0}]")]
    Unknown(String),
}

/// What all workers share of one downstream.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) settings: DownstreamSettings,
    pub(super) instances: Arc<Instances>,
    pub(super) transport: Transport,
    /// Where `transport` is TLS.
    pub(super) tls: Option<Tls>,
    pub(super) breaker: CircuitBreaker,
    pub(super) bulkhead: Arc<Semaphore>,
    pub(super) flights: Arc<Flights>,
    pub(super) cache: ResponseCache,
    pub(super) retry_policy: RetryPolicy,
    pub(super) retry_budget: RetryBudget,
    pub(super) wire_attempts: WireAttempts,
    pub(super) observer: Observer,
    pub(super) clock: Clock,
}

/// The downstreams of a process. Cheap to clone; crosses threads.
#[derive(Debug, Clone)]
pub struct Registry {
    downstreams: Arc<BTreeMap<String, Arc<Shared>>>,
}

impl Registry {
    /// Builds the shared state of every configured downstream. Nothing is connected yet, so a downstream that is away
    /// does not stop the start.
    ///
    /// # Errors
    /// [`RegistryError::Tls`].
    pub fn new(settings: &DownstreamsSettings, clock: &Clock) -> Result<Self, RegistryError> {
        let downstreams: Result<_, RegistryError> = settings
            .iter()
            .map(|(name, settings)| Ok((name.clone(), Arc::new(shared(name, settings, clock)?))))
            .collect();
        Ok(Self { downstreams: Arc::new(downstreams?) })
    }

    /// The downstreams for the worker that calls this.
    #[must_use]
    pub fn for_worker(&self) -> Downstreams {
        let worker = self.downstreams.iter().map(|(name, shared)| {
            let client = client::build(&shared.settings, shared.tls.as_ref());
            (name.clone(), Downstream { shared: Arc::clone(shared), client, tokens: None })
        });
        Downstreams(Rc::new(worker.collect()))
    }

    /// Checks that the configuration has each of these, so that a missing one stops the start and not a request.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] for the first that is missing.
    pub fn require(&self, names: &[&str]) -> Result<(), RegistryError> {
        match names.iter().find(|name| !self.downstreams.contains_key(**name)) {
            Some(missing) => Err(RegistryError::Unknown((*missing).to_owned())),
            None => Ok(()),
        }
    }

    /// Keeps resolving the names of downstreams whose instances come from them. Needs an async run time; the work ends
    /// with the registry.
    pub fn keep_resolving(&self) {
        for shared in self.downstreams.values().filter(|shared| shared.instances.is_discovered()) {
            let every = Duration::from_millis(shared.settings.dns_refresh_ms);
            let weak = Arc::downgrade(&shared.instances);
            tokio::spawn(instances::keep_resolving(Arc::clone(&shared.name), weak, every));
        }
    }

    /// Resolves the names once, for those who do not want to wait for [`keep_resolving`](Self::keep_resolving).
    /// Downstreams whose names do not resolve keep their instances.
    ///
    /// # Errors
    /// The first failure of `resolver`, after all were tried.
    pub async fn resolve_now(&self, resolver: &impl Resolve) -> std::io::Result<()> {
        let mut outcome = Ok(());
        for shared in self.downstreams.values().filter(|shared| shared.instances.is_discovered()) {
            let resolved = shared.instances.refresh(resolver).await;
            outcome = outcome.and(resolved);
        }
        outcome
    }

    /// What each downstream takes of this process at the moment.
    #[must_use]
    pub fn loads(&self) -> BTreeMap<String, Load> {
        self.downstreams.iter().map(|(name, shared)| (name.clone(), Load::of(shared))).collect()
    }

    /// The state of the instances, by downstream.
    #[must_use]
    pub fn balancers(&self) -> BTreeMap<String, BalancerSnapshot> {
        self.downstreams.iter().map(|(name, shared)| (name.clone(), shared.instances.balancer().snapshot())).collect()
    }

    /// The state of each circuit breaker, by downstream.
    #[must_use]
    pub fn breakers(&self) -> BTreeMap<String, Snapshot> {
        self.downstreams.iter().map(|(name, shared)| (name.clone(), shared.breaker.snapshot())).collect()
    }

    /// The circuit breaker of one downstream.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<&CircuitBreaker> {
        self.downstreams.get(name).map(|shared| &shared.breaker)
    }
}

fn shared(name: &str, settings: &DownstreamSettings, clock: &Clock) -> Result<Shared, RegistryError> {
    let transport = Transport::of(settings);
    let tls = match transport {
        Transport::Tls => Some(
            Tls::load(&settings.tls).map_err(|source| RegistryError::Tls { downstream: name.to_owned(), source })?,
        ),
        Transport::Http1 | Transport::H2c => None,
    };
    Ok(Shared {
        name: Arc::from(name),
        instances: Arc::new(Instances::new(name, settings, clock.clone())),
        transport,
        tls,
        breaker: CircuitBreaker::new(name, settings.circuit_breaker.clone(), clock.clone()),
        bulkhead: Arc::new(Semaphore::new(settings.max_concurrent)),
        flights: Arc::new(Flights::default()),
        cache: ResponseCache::new(name, &settings.cache, clock.clone()),
        retry_policy: RetryPolicy::new(&settings.retry),
        retry_budget: RetryBudget::new(&settings.retry, clock.clone()),
        wire_attempts: WireAttempts::default(),
        observer: Observer::new(name),
        clock: clock.clone(),
        settings: settings.clone(),
    })
}

/// The downstreams of one worker. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct Downstreams(pub(super) Rc<BTreeMap<String, Downstream>>);

impl Downstreams {
    /// The downstream of this name.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]. [`Registry::require`] at the start keeps it from happening here.
    pub fn get(&self, name: &str) -> Result<Downstream, RegistryError> {
        self.0.get(name).cloned().ok_or_else(|| RegistryError::Unknown(name.to_owned()))
    }
}

/// One downstream, as a worker calls it. Cheap to clone.
#[derive(Clone)]
pub struct Downstream {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    pub(super) tokens: Option<Rc<dyn Tokens>>,
}

impl Downstream {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The first of its configured addresses.
    #[must_use]
    pub(crate) fn base(&self) -> &Url {
        self.shared.instances.canonical()
    }

    /// Forgets what was cached for this subject: something of theirs has changed.
    pub fn forget_subject(&self, subject: &str) {
        self.shared.cache.forget_subject(subject);
    }

    /// Begins a call. `path` are segments below the base address; each is percent-encoded, so no input can leave its
    /// segment.
    pub fn call(&self, context: &RequestContext, method: Method, path: &[&str]) -> Call {
        Call::new(self.clone(), context.clone(), method, path)
    }

    /// Begins a call to an absolute address that a trusted document named, such as a provider's metadata. It goes
    /// through this downstream's layers and connections, whatever its host.
    pub fn call_url(&self, context: &RequestContext, method: Method, url: Url) -> Call {
        Call::to_url(self.clone(), context.clone(), method, url)
    }

    /// Begins a `GET`.
    pub fn get(&self, context: &RequestContext, path: &[&str]) -> Call {
        self.call(context, Method::GET, path)
    }

    /// Begins a `POST`.
    pub fn post(&self, context: &RequestContext, path: &[&str]) -> Call {
        self.call(context, Method::POST, path)
    }
}

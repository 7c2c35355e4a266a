//! The guard in front of every route.

use std::rc::Rc;

use actix_web::{HttpMessage, dev::ServiceRequest};
use futures_util::future::LocalBoxFuture;
use ipnet::IpNet;
use shared_lib::{
    context::Caller,
    problem::Problem,
    server::{Access, Admission, Guard, Route},
};

use super::{
    admitted_call::AdmittedCall,
    admitted_key::AdmittedKey,
    client_address::ClientAddress,
    credentials::{self, Credentials},
    refusal,
    toll::Toll,
    wrong_keys::WrongKeys,
};
use crate::{
    keys::{KeyRing, RingError},
    limits::{self, Charged, Limits},
    versions::Versions,
};

/// Lets in who shows a key in force, with the scopes of the route, from a network of the key, within its limits; in this
/// order, so that only who holds a key learns anything, and only a call that may be made is charged.
pub struct KeyGuard {
    ring: KeyRing,
    limits: Limits,
    wrong_keys: WrongKeys,
    versions: Versions,
    client_address: Rc<ClientAddress>,
}

impl KeyGuard {
    /// A guard that believes what this ring believes.
    #[must_use]
    pub fn new(
        ring: KeyRing,
        limits: Limits,
        wrong_keys: WrongKeys,
        versions: Versions,
        trusted_proxies: &[IpNet],
    ) -> Self {
        Self { ring, limits, wrong_keys, versions, client_address: Rc::new(ClientAddress::new(trusted_proxies)) }
    }

    async fn decide(&self, request: &ServiceRequest, route: &Route) -> Result<Admission, Problem> {
        if route.policy.access == Access::Public {
            return Ok(Admission::default());
        }
        let key = match credentials::read(request).map_err(refusal::unreadable)? {
            Credentials::Key(key) => key,
            Credentials::None => return Err(refusal::missing()),
        };
        let address = self.client_address.of(request);
        let key = match self.ring.check(key.expose()).await {
            Ok(key) => key,
            Err(RingError::Refused) => return Err(self.wrong_keys.charge(address).await),
            Err(error) => return Err(refusal::unavailable(error)),
        };
        if !key.allows(address) {
            tracing::warn!(key = key.id, "a key was used from an address that it is not for");
            return Err(refusal::address_not_allowed());
        }
        if let Access::Scopes(needed) = route.policy.access
            && !needed.iter().all(|scope| key.scopes.iter().any(|granted| granted == scope))
        {
            return Err(refusal::insufficient_scope(needed));
        }
        let caller = Caller { subject: key.owner(), scopes: key.scopes.clone(), token: None };
        let (headers, place) = if limits::is_per_item(route) {
            let (account, place) = self.limits.enter(&key)?;
            request.extensions_mut().insert(Toll::new(account, limits::weight(route)));
            (Vec::new(), place)
        } else {
            let Charged { decision, place, bill } = self.limits.charge(&key, route).await?;
            let headers = decision.headers();
            request.extensions_mut().insert(AdmittedCall::new(decision, bill));
            (headers, place)
        };
        self.versions.count(&key, route);
        request.extensions_mut().insert(AdmittedKey::new(key));
        Ok(Admission { caller: Some(caller), headers, hold: Some(Box::new(place)), ..Admission::default() })
    }
}

impl Guard for KeyGuard {
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(self.decide(request, route))
    }
}

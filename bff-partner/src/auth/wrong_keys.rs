//! How many keys that are not valid an address may show before it is told to stop.
//!
//! A key is looked at first, so a valid one is let in from whatever address: behind one address there may be many callers.
//! What is counted is any key that is refused, for whatever reason, so the count tells no more than the refusals do.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use shared_lib::{
    clock::Clock,
    problem::Problem,
    rate_limit::{Charge, Limiter, PolicyError, RatePolicy, Rules},
};

use super::refusal;

const WINDOW: Duration = Duration::from_secs(60);

/// Counts refused keys by address. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct WrongKeys {
    limiter: Arc<Limiter>,
    rules: Arc<Rules>,
}

impl WrongKeys {
    /// At most `per_minute` of an address, half of them at once; so many addresses are remembered, and those beyond share
    /// what one has.
    ///
    /// # Errors
    /// Never with numbers that the audit of the settings has let pass.
    pub fn new(per_minute: NonZeroU32, max_addresses: usize, clock: Clock) -> Result<Self, PolicyError> {
        let at_once = NonZeroU32::new(per_minute.get().div_ceil(2)).unwrap_or(NonZeroU32::MIN);
        let policy = RatePolicy::new("wrong-keys", per_minute, WINDOW, at_once)?;
        let limiter = Limiter::local(max_addresses, clock);
        let rules = Arc::new(limiter.rules(vec![policy], Vec::new()));
        Ok(Self { limiter: Arc::new(limiter), rules })
    }

    /// How a key that is not valid is refused. Where nobody knows from where it came, all such share one count.
    pub async fn charge(&self, address: Option<IpAddr>) -> Problem {
        let name = name(address);
        let charge = Charge { key: &name, cost: NonZeroU32::MIN, owner: &name, quota_cost: 0, known: &[] };
        let (decision, _) = self.limiter.charge(&self.rules, &charge).await;
        if decision.is_admitted() { refusal::refused() } else { refusal::refused_too_often(decision.retry_after()) }
    }
}

/// An address, or the network of 64 bits that one customer of an IPv6 provider has to choose addresses from.
fn name(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn statuses<const N: usize>(wrong_keys: &WrongKeys, addresses: [&str; N]) -> [u16; N] {
        let mut statuses = [0; N];
        for (status, address) in statuses.iter_mut().zip(addresses) {
            *status = wrong_keys.charge(address.parse().ok()).await.kind().status.as_u16();
        }
        statuses
    }

    /// Shows: P2, P5
    #[actix_web::test]
    async fn an_address_is_told_to_stop_and_others_are_not_concerned() {
        let (clock, hand) = Clock::manual();
        let wrong_keys = WrongKeys::new(NonZeroU32::new(4).expect("not zero"), 100, clock).expect("a policy");
        assert_eq!(statuses(&wrong_keys, ["192.0.2.1"; 3]).await, [401, 401, 429]);
        assert_eq!(statuses(&wrong_keys, ["192.0.2.2"]).await, [401]);
        assert_eq!(statuses(&wrong_keys, [""; 3]).await, [401, 401, 429], "of those whose address nobody knows");
        let neighbours = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:8000::", "2001:db8:0:1::1"];
        assert_eq!(statuses(&wrong_keys, neighbours).await, [401, 401, 429, 401]);
        hand.advance(WINDOW);
        assert_eq!(statuses(&wrong_keys, ["192.0.2.1"]).await, [401]);
    }

    /// Shows: P5
    #[actix_web::test]
    async fn however_many_addresses_come_memory_is_bounded() {
        let wrong_keys = WrongKeys::new(NonZeroU32::MIN, 1000, Clock::manual().0).expect("a policy");
        for number in 0..20_000_u32 {
            let _ = wrong_keys.charge(Some(IpAddr::from(number.to_be_bytes()))).await;
        }
        let (addresses, counters) = wrong_keys.limiter.remembered();
        assert!(addresses <= 1000 && counters <= 1000, "{addresses} {counters}");
    }
}

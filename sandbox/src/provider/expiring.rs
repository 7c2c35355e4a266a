//! A bounded map whose entries expire: the only kind of store that the provider has.
//!
//! Whatever is sent to the provider, its memory stays below the sum of the capacities. When a map is
//! full, expired entries go first, then the oldest ones.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

struct Entry<V> {
    value: V,
    expires_at: SystemTime,
    serial: u64,
}

/// A map from strings to values with an expiry each, holding at most `capacity` of them.
pub(crate) struct Expiring<V> {
    entries: HashMap<String, Entry<V>>,
    /// Keys by age. A key that was removed or inserted again leaves a stale serial number behind.
    ages: VecDeque<(u64, String)>,
    capacity: usize,
    serial: u64,
}

impl<V> Expiring<V> {
    /// An empty map for at most `capacity` entries (at least one).
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), ages: VecDeque::new(), capacity: capacity.max(1), serial: 0 }
    }

    /// Stores `value` until `expires_at`, in place of what was stored under that key.
    pub(crate) fn insert(&mut self, key: String, value: V, expires_at: SystemTime, now: SystemTime) {
        self.entries.remove(&key);
        if self.entries.len() >= self.capacity || self.ages.len() >= self.capacity * 2 {
            self.sweep(now);
        }
        while self.entries.len() >= self.capacity {
            let Some((serial, oldest)) = self.ages.pop_front() else { break };
            if self.entries.get(&oldest).is_some_and(|entry| entry.serial == serial) {
                self.entries.remove(&oldest);
            }
        }
        self.serial += 1;
        self.ages.push_back((self.serial, key.clone()));
        self.entries.insert(key, Entry { value, expires_at, serial: self.serial });
    }

    /// Stores `value` unless a live entry has that key; says whether it was stored.
    pub(crate) fn insert_new(&mut self, key: String, value: V, expires_at: SystemTime, now: SystemTime) -> bool {
        if self.get(&key, now).is_some() {
            return false;
        }
        self.insert(key, value, expires_at, now);
        true
    }

    /// The live value of a key.
    pub(crate) fn get(&self, key: &str, now: SystemTime) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.expires_at > now).map(|entry| &entry.value)
    }

    /// The live value of a key, to change it in place.
    pub(crate) fn get_mut(&mut self, key: &str, now: SystemTime) -> Option<&mut V> {
        self.entries.get_mut(key).filter(|entry| entry.expires_at > now).map(|entry| &mut entry.value)
    }

    /// Moves the expiry of a live entry.
    pub(crate) fn prolong(&mut self, key: &str, expires_at: SystemTime, now: SystemTime) {
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.expires_at > now) {
            entry.expires_at = expires_at;
        }
    }

    /// Takes the live value of a key out.
    pub(crate) fn remove(&mut self, key: &str, now: SystemTime) -> Option<V> {
        self.entries.remove(key).filter(|entry| entry.expires_at > now).map(|entry| entry.value)
    }

    /// All live entries, in no particular order.
    pub(crate) fn iter(&self, now: SystemTime) -> impl Iterator<Item = (&String, &V)> {
        self.entries.iter().filter(move |(_, entry)| entry.expires_at > now).map(|(key, entry)| (key, &entry.value))
    }

    /// All live values, to change them in place.
    pub(crate) fn values_mut(&mut self, now: SystemTime) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().filter(move |entry| entry.expires_at > now).map(|entry| &mut entry.value)
    }

    fn sweep(&mut self, now: SystemTime) {
        self.entries.retain(|_, entry| entry.expires_at > now);
        let entries = &self.entries;
        self.ages.retain(|(serial, key)| entries.get(key).is_some_and(|entry| entry.serial == *serial));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn an_expired_entry_is_gone() {
        let mut map = Expiring::new(4);
        map.insert("a".into(), 1, UNIX_EPOCH + Duration::from_secs(10), UNIX_EPOCH);
        assert_eq!(map.get("a", UNIX_EPOCH + Duration::from_secs(9)), Some(&1));
        assert_eq!(map.get("a", UNIX_EPOCH + Duration::from_secs(10)), None);
        assert_eq!(map.remove("a", UNIX_EPOCH + Duration::from_secs(10)), None);
    }

    #[test]
    fn a_full_map_gives_up_expired_entries_before_the_oldest() {
        let mut map = Expiring::new(2);
        let far = UNIX_EPOCH + Duration::from_secs(100);
        map.insert("old".into(), 1, far, UNIX_EPOCH);
        map.insert("brief".into(), 2, UNIX_EPOCH + Duration::from_secs(1), UNIX_EPOCH);
        let later = UNIX_EPOCH + Duration::from_secs(5);
        map.insert("new".into(), 3, far, later);
        assert_eq!(map.get("old", later), Some(&1));
        map.insert("newer".into(), 4, far, later);
        assert_eq!(map.get("old", later), None);
        assert_eq!(map.iter(later).count(), 2);
    }

    #[test]
    fn writing_one_key_again_and_again_does_not_grow_the_map() {
        let mut map = Expiring::new(3);
        let far = UNIX_EPOCH + Duration::from_secs(100);
        for round in 0..1_000 {
            map.insert("same".into(), round, far, UNIX_EPOCH);
        }
        assert!(map.ages.len() <= 6, "{} ages", map.ages.len());
        assert_eq!(map.get("same", UNIX_EPOCH), Some(&999));
    }
}

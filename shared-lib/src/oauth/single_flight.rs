//! One caller asks, the others wait for its answer: in the whole process, although what asks cannot leave its thread.
//!
//! The first caller for a key becomes the leader and does the work on its own worker; later ones, on whatever worker,
//! get a channel. A leader whose request is dropped closes the channel without a word, and one of those who waited
//! takes over.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The work under way, by what it is for.
#[derive(Debug)]
pub(super) struct Flights<K, V>(Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>);

/// What a caller has to do.
pub(super) enum Part<K: Eq + Hash, V> {
    /// The work, and to tell the others.
    Lead(Lead<K, V>),
    /// To wait.
    Follow(Follow<V>),
}

/// The duty to do the work.
pub(super) struct Lead<K: Eq + Hash, V> {
    flights: Flights<K, V>,
    key: K,
    answer: watch::Sender<Option<V>>,
}

/// The hope for an answer.
pub(super) struct Follow<V>(watch::Receiver<Option<V>>);

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone, V> Flights<K, V> {
    /// Takes part in the work for `key`.
    pub(super) fn join(&self, key: &K) -> Part<K, V> {
        let mut flights = self.flights();
        if let Some(answer) = flights.get(key) {
            return Part::Follow(Follow(answer.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(key.clone(), receiver);
        drop(flights);
        Part::Lead(Lead { flights: self.clone(), key: key.clone(), answer: sender })
    }
}

impl<K: Eq + Hash, V> Flights<K, V> {
    fn flights(&self) -> MutexGuard<'_, HashMap<K, watch::Receiver<Option<V>>>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Lead<K, V> {
    /// Tells those who wait. What is kept of the answer must be kept before, so that nobody asks in between.
    pub(super) fn land(self, answer: V) {
        self.answer.send_replace(Some(answer));
    }
}

impl<K: Eq + Hash, V> Drop for Lead<K, V> {
    fn drop(&mut self) {
        self.flights.flights().remove(&self.key);
    }
}

impl<V: Clone> Follow<V> {
    /// The leader's answer; nothing when the leader was dropped.
    pub(super) async fn answer(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead<V>(part: Part<&'static str, V>) -> Lead<&'static str, V> {
        match part {
            Part::Lead(lead) => lead,
            Part::Follow(_) => panic!("this caller should lead"),
        }
    }

    fn follow<V>(part: Part<&'static str, V>) -> Follow<V> {
        match part {
            Part::Follow(follow) => follow,
            Part::Lead(_) => panic!("this caller should follow"),
        }
    }

    #[tokio::test]
    async fn those_who_come_later_get_the_first_ones_answer() {
        let flights = Flights::<_, u32>::default();
        let first = lead(flights.join(&"a"));
        let others = [follow(flights.join(&"a")), follow(flights.join(&"a"))];
        let elsewhere = lead(flights.join(&"b"));
        first.land(7);
        for other in others {
            assert_eq!(other.answer().await, Some(7));
        }
        drop(elsewhere);
        drop(lead(flights.join(&"a")));
    }

    #[tokio::test]
    async fn when_the_leader_is_dropped_another_takes_over() {
        let flights = Flights::<_, u32>::default();
        let first = lead(flights.join(&"a"));
        let second = follow(flights.join(&"a"));
        drop(first);
        assert_eq!(second.answer().await, None);
        lead(flights.join(&"a")).land(8);
    }

    #[tokio::test]
    async fn an_answer_crosses_threads() {
        let flights = Flights::<_, u32>::default();
        let first = lead(flights.join(&"a"));
        let waiting = follow(flights.join(&"a"));
        let thread = std::thread::spawn(move || first.land(9));
        assert_eq!(waiting.answer().await, Some(9));
        thread.join().expect("the leader's thread");
    }
}

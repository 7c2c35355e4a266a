//! How many chats there are, and how many there may be.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The chats of this process. Built once; clones are the same.
#[derive(Debug, Clone)]
pub struct Chats {
    inner: Arc<Mutex<Inner>>,
    draining: watch::Sender<bool>,
    per_user: usize,
    max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    of_user: HashMap<String, usize>,
    total: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The user has as many chats as they may.
    #[error("this user has too many chats")]
    TooManyOfUser,
    /// The process has as many chats as it may.
    #[error("there are too many chats")]
    TooMany,
}

/// A chat's place. Dropping it gives it back.
#[derive(Debug)]
pub struct ChatPlace {
    chats: Chats,
    user: String,
}

impl Chats {
    /// None yet, and so many at most.
    #[must_use]
    pub fn new(per_user: usize, max: usize) -> Self {
        Self { inner: Arc::default(), draining: watch::Sender::new(false), per_user, max }
    }

    /// A place for this user.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn place(&self, user: &str) -> Result<ChatPlace, NoPlace> {
        let mut inner = self.lock();
        if inner.total >= self.max {
            return Err(NoPlace::TooMany);
        }
        let own = inner.of_user.get(user).copied().unwrap_or(0);
        if own >= self.per_user {
            return Err(NoPlace::TooManyOfUser);
        }
        inner.of_user.insert(user.to_owned(), own + 1);
        inner.total += 1;
        Ok(ChatPlace { chats: self.clone(), user: user.to_owned() })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().total
    }

    /// Ends them all, and those to come at once.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Waits until this process leaves.
    pub(super) async fn drained(&self) {
        // It cannot fail while this is there, which holds the sender.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// No panic happens while it is held, so a poisoned lock holds nothing broken.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatPlace {
    /// All chats.
    pub(super) fn chats(&self) -> &Chats {
        &self.chats
    }
}

impl Drop for ChatPlace {
    fn drop(&mut self) {
        let mut inner = self.chats.lock();
        inner.total -= 1;
        if let Some(own) = inner.of_user.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                inner.of_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: W18
    #[test]
    fn places_are_bounded_by_user_and_in_all_and_come_back() {
        let chats = Chats::new(2, 3);
        let first = chats.place("a").expect("there is room");
        let _second = chats.place("a").expect("there is room");
        assert_eq!(chats.place("a").err(), Some(NoPlace::TooManyOfUser));
        let _other = chats.place("b").expect("there is room");
        assert_eq!(chats.place("c").err(), Some(NoPlace::TooMany));
        drop(first);
        assert!(chats.place("a").is_ok());
        assert_eq!(chats.count(), 2, "what is not kept is given back");
        assert_eq!(chats.lock().of_user.len(), 2);
    }
}

//! Request coalescing: callers that want the same thing at the same time wait for one call.
//!
//! "The same" is decided by a SHA-256 over everything that is sent (method, address, every header with the caller's
//! token among them, body) and the type that is read, so two callers share an answer only where the downstream could
//! not tell their requests apart. That makes it safe for identities by construction, not by a list of headers to think
//! of.
//!
//! The first caller starts the call as a task on its own worker, because HTTP clients stay on their thread; the others,
//! on whatever worker, wait for the outcome. The call belongs to all who wait: it goes on when the first caller leaves,
//! and it is cancelled when the last one does.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::watch, task::AbortHandle};

use super::{error::Failure, fetched::Fetched};

/// What tells one call from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallKey(pub(super) [u8; 32]);

type Landed = Result<Fetched<Arc<dyn Any + Send + Sync>>, Failure>;

/// The calls of one downstream that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: Mutex<HashMap<CallKey, Flight>>,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Flight {
    id: u64,
    waiting: usize,
    landed: watch::Receiver<Option<Landed>>,
    task: Option<AbortHandle>,
}

/// What became of a wait.
pub(super) enum Joined<T> {
    /// This caller's own call, or one that it waited for, ended.
    Landed(Result<Fetched<Arc<T>>, Failure>),
    /// The call was lost with the worker that made it; the caller should make its own.
    Lost,
}

impl Flights {
    /// Waits for the call of this key; `start` makes it when nobody has yet. Whoever waits must read the same type,
    /// which the key takes care of.
    pub(super) async fn join<T, F>(self: &Arc<Self>, key: CallKey, start: impl FnOnce() -> F) -> Joined<T>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<Fetched<Arc<T>>, Failure>> + 'static,
    {
        let (seat, mut landed) = self.board(key, start);
        let outcome = match landed.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        drop(seat);
        match outcome {
            None => Joined::Lost,
            Some(Err(failure)) => Joined::Landed(Err(failure)),
            Some(Ok(Fetched { value, freshness, as_of })) => match value.downcast::<T>() {
                Ok(value) => Joined::Landed(Ok(Fetched { value, freshness, as_of })),
                Err(_) => Joined::Lost,
            },
        }
    }

    fn board<T, F>(self: &Arc<Self>, key: CallKey, start: impl FnOnce() -> F) -> (Seat, watch::Receiver<Option<Landed>>)
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<Fetched<Arc<T>>, Failure>> + 'static,
    {
        let mut flights = self.lock();
        if let Some(flight) = flights.get_mut(&key) {
            flight.waiting += 1;
            let seat = Seat { flights: Arc::clone(self), key, id: flight.id };
            return (seat, flight.landed.clone());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, landed) = watch::channel(None);
        // Entered before the task starts, so that the task always finds it.
        flights.insert(key, Flight { id, waiting: 1, landed: landed.clone(), task: None });
        let end = End { flights: Arc::clone(self), key, id };
        let call = start();
        let task = actix_web::rt::spawn(async move {
            let outcome = call.await.map(|fetched| fetched.map(|value| value as Arc<dyn Any + Send + Sync>));
            // Out of the table first: who comes from now on wants a newer answer than this one.
            drop(end);
            let _ = sender.send(Some(outcome));
        });
        if let Some(flight) = flights.get_mut(&key) {
            flight.task = Some(task.abort_handle());
        }
        (Seat { flights: Arc::clone(self), key, id }, landed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallKey, Flight>> {
        // The table is consistent between any two statements under the lock.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls are under way, and how many callers wait for them.
    pub(super) fn count(&self) -> (usize, usize) {
        let flights = self.lock();
        (flights.len(), flights.values().map(|flight| flight.waiting).sum())
    }
}

/// One caller's place in a call. Dropping it, however the caller leaves, gives it up; the last one cancels the call.
struct Seat {
    flights: Arc<Flights>,
    key: CallKey,
    id: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let Some(flight) = flights.get_mut(&self.key).filter(|flight| flight.id == self.id) else { return };
        flight.waiting -= 1;
        if flight.waiting == 0 {
            let task = flights.remove(&self.key).and_then(|flight| flight.task);
            drop(flights);
            if let Some(task) = task {
                task.abort();
            }
        }
    }
}

/// Takes the call out of the table when its task ends, also by a panic or by being cancelled.
struct End {
    flights: Arc<Flights>,
    key: CallKey,
    id: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if flights.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{Barrier, atomic::AtomicUsize},
    };

    use futures_util::{FutureExt, future::join_all};
    use jiff::Timestamp;
    use tokio::sync::{Notify, Semaphore};

    use super::*;
    use crate::downstream::Freshness;

    fn fetched<T>(value: T) -> Fetched<Arc<T>> {
        Fetched { value: Arc::new(value), freshness: Freshness::Live, as_of: Timestamp::UNIX_EPOCH }
    }

    fn value<T>(joined: Joined<T>) -> Arc<T> {
        match joined {
            Joined::Landed(Ok(fetched)) => fetched.value,
            Joined::Landed(Err(failure)) => panic!("the call failed: {failure}"),
            Joined::Lost => panic!("the call was lost"),
        }
    }

    const KEY: CallKey = CallKey([1; 32]);

    #[actix_web::test]
    async fn a_thousand_callers_at_once_cause_one_call() {
        let (flights, calls, go) =
            (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let callers = (0..1_000).map(|_| {
            let (calls, go) = (Arc::clone(&calls), Arc::clone(&go));
            flights.join::<u32, _>(KEY, move || async move {
                calls.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                Ok(fetched(42))
            })
        });
        go.notify_one();
        let answers = join_all(callers).await;
        assert_eq!(answers.len(), 1_000);
        assert!(answers.into_iter().all(|answer| *value(answer) == 42));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(flights.count(), (0, 0));
    }

    #[actix_web::test]
    async fn different_keys_never_share() {
        let flights = Arc::new(Flights::default());
        let answer =
            |key, answer: u8| flights.join::<u8, _>(CallKey([key; 32]), move || async move { Ok(fetched(answer)) });
        let (one, two) = futures_util::join!(answer(1, 10), answer(2, 20));
        assert_eq!((*value(one), *value(two)), (10, 20));
    }

    #[actix_web::test]
    async fn the_call_goes_on_when_the_caller_who_started_it_leaves() {
        let (flights, go) = (Arc::new(Flights::default()), Arc::new(Notify::new()));
        let released = Arc::clone(&go);
        let mut first = Box::pin(flights.join::<u8, _>(KEY, move || async move {
            released.notified().await;
            Ok(fetched(7))
        }));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(flights.join::<u8, _>(KEY, || async { panic!("a second call was made") }));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        go.notify_one();
        assert_eq!(*value(second.await), 7);
    }

    #[actix_web::test]
    async fn the_call_is_cancelled_when_the_last_caller_leaves() {
        struct Dropped(Arc<Notify>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let (flights, dropped) = (Arc::new(Flights::default()), Arc::new(Notify::new()));
        let witness = Dropped(Arc::clone(&dropped));
        let mut caller = Box::pin(flights.join::<u8, _>(KEY, move || async move {
            let _witness = witness;
            pending().await
        }));
        assert!(caller.as_mut().now_or_never().is_none());
        drop(caller);
        // Ends only if the task was really dropped.
        dropped.notified().await;
        assert_eq!(flights.count(), (0, 0));
    }

    #[actix_web::test]
    async fn a_call_that_panics_is_lost_and_the_next_caller_makes_a_new_one() {
        let flights = Arc::new(Flights::default());
        let lost = flights.join::<u8, _>(KEY, || async { panic!("on purpose") }).await;
        assert!(matches!(lost, Joined::Lost));
        assert_eq!(*value(flights.join::<u8, _>(KEY, || async { Ok(fetched(1)) }).await), 1);
    }

    #[test]
    fn callers_on_other_workers_wait_for_the_one_that_calls() {
        const WORKERS: usize = 4;
        let (flights, calls) = (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)));
        let (all_wait, go) = (Arc::new(Barrier::new(WORKERS + 1)), Arc::new(Semaphore::new(0)));
        let worker = || {
            let (flights, calls) = (Arc::clone(&flights), Arc::clone(&calls));
            let (all_wait, go) = (Arc::clone(&all_wait), Arc::clone(&go));
            let work = async move {
                let mut caller = Box::pin(flights.join::<u8, _>(KEY, move || async move {
                    calls.fetch_add(1, Ordering::Relaxed);
                    let _ = go.acquire().await;
                    Ok(fetched(9))
                }));
                assert!(caller.as_mut().now_or_never().is_none());
                all_wait.wait();
                *value(caller.await)
            };
            std::thread::spawn(|| actix_web::rt::System::new().block_on(work))
        };
        let workers: Vec<_> = std::iter::repeat_with(worker).take(WORKERS).collect();
        all_wait.wait();
        go.add_permits(1);
        let answers: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect();
        assert_eq!(answers, [9; WORKERS]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

//! One timer a worker for all its streams.
//!
//! A timer a client would be an entry in the runtime's timer wheel, a waker and a re-arming each. Here a worker has one
//! task that ticks [`SLICES`] times an interval and wakes a slice of the streams each time, so that their heartbeats are
//! not written in one burst that everything else on the worker would wait for. The task ends with the last stream.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::MissedTickBehavior;

/// Parts of an interval, and of the streams.
const SLICES: usize = 16;

thread_local! {
    /// Hubs with the same interval share a heart.
    static HEARTS: RefCell<Vec<Weak<Heart>>> = const { RefCell::new(Vec::new()) };
}

/// One worker's timer.
struct Heart {
    interval: Duration,
    slices: [RefCell<BTreeMap<usize, Rc<Due>>>; SLICES],
    next_member: Cell<usize>,
}

/// Whether a stream's heartbeat is due, and whom to wake when it is.
#[derive(Default)]
struct Due {
    due: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// A stream's part in the timer of its worker. It becomes due once an interval.
pub(super) struct Heartbeat {
    heart: Rc<Heart>,
    member: usize,
    due: Rc<Due>,
}

impl Heartbeat {
    /// Joins the timer of this worker, which is started for the first stream.
    pub(super) fn join(interval: Duration) -> Self {
        let heart = HEARTS.with_borrow_mut(|hearts| {
            hearts.retain(|heart| heart.strong_count() > 0);
            let known = hearts.iter().filter_map(Weak::upgrade).find(|heart| heart.interval == interval);
            known.unwrap_or_else(|| {
                let heart = Rc::new(Heart { interval, slices: Default::default(), next_member: Cell::new(0) });
                hearts.push(Rc::downgrade(&heart));
                actix_web::rt::spawn(beat(Rc::downgrade(&heart), interval));
                heart
            })
        });
        let member = heart.next_member.replace(heart.next_member.get().wrapping_add(1));
        let due = Rc::new(Due::default());
        heart.slice(member).borrow_mut().insert(member, Rc::clone(&due));
        Self { heart, member, due }
    }

    /// Ready once an interval.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.due.due.take() {
            return Poll::Ready(());
        }
        let kept = self.due.waker.take().filter(|waker| waker.will_wake(context.waker()));
        self.due.waker.set(Some(kept.unwrap_or_else(|| context.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.heart.slice(self.member).borrow_mut().remove(&self.member);
    }
}

impl Heart {
    fn slice(&self, number: usize) -> &RefCell<BTreeMap<usize, Rc<Due>>> {
        &self.slices[number % SLICES]
    }
}

async fn beat(heart: Weak<Heart>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval / u32::try_from(SLICES).unwrap_or(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and nobody is due yet.
    ticks.tick().await;
    let mut slice = 0;
    loop {
        ticks.tick().await;
        let Some(heart) = heart.upgrade() else { return };
        for due in heart.slice(slice).borrow().values() {
            due.due.set(true);
            if let Some(waker) = due.waker.take() {
                waker.wake();
            }
        }
        slice = (slice + 1) % SLICES;
    }
}

//! What a stream costs: memory of an idle reader, and an event to many of them.
//!
//! Run with `cargo bench -p shared-lib --bench stream`. The memory figures are bytes that are allocated ("alloc"), without the
//! connection's own buffers, which are the server's.

use std::{cell::RefCell, future::pending, hint::black_box, rc::Rc};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use futures_util::{FutureExt, StreamExt, stream};
use shared_lib::stream::{Event, EventStream, Hub, Resume, Signal, StreamSettings, Upstream, UpstreamError};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A hub in a runtime, and a way to tell it events.
struct Stage {
    runtime: actix_web::rt::Runtime,
    hub: Hub,
    upstream: Upstream,
    events: Rc<RefCell<Option<mpsc::UnboundedSender<Signal>>>>,
    next_id: u64,
}

impl Stage {
    fn new() -> Self {
        let settings =
            StreamSettings { max_streams_per_key: 100_000, max_streams: 100_000, ..StreamSettings::default() };
        let events = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&events);
        let upstream = Upstream::new(move |_| {
            let (sender, receiver) = mpsc::unbounded_channel();
            *slot.borrow_mut() = Some(sender);
            stream::unfold(receiver, |mut receiver| async move {
                let signal = receiver.recv().await?;
                Some((Ok::<_, UpstreamError>(signal), receiver))
            })
        });
        let runtime = actix_web::rt::Runtime::new().expect("a runtime starts");
        Self { runtime, hub: Hub::new("bench", settings), upstream, events, next_id: 1 }
    }

    /// Readers that have taken all there is, as connections hold them.
    fn readers(&self, count: usize, key: impl Fn(usize) -> String) -> Vec<EventStream> {
        self.runtime.block_on(async {
            let mut readers = Vec::with_capacity(count);
            for number in 0..count {
                let mut reader = self.hub.open(&key(number), Resume::After(0), self.upstream.clone(), pending());
                while reader.next().now_or_never().is_some() {}
                readers.push(reader);
            }
            tokio::task::yield_now().await;
            readers
        })
    }

    /// One event, from the upstream to each reader's hands.
    fn deliver(&mut self, readers: &mut [EventStream]) {
        let event = Event::new(self.next_id, Some("bench"), r#"{"unread":3}"#).expect("the name is a plain word");
        self.next_id += 1;
        let sender = self.events.borrow().clone().expect("the upstream is open");
        self.runtime.block_on(async {
            sender.send(Signal::Event(event)).expect("the upstream is open");
            for reader in readers {
                black_box(reader.next().await);
            }
        });
    }
}

/// Allocated bytes of idle readers: 4 to a key, as 4 tabs of a user, upstream tasks included.
#[divan::bench(args = [1_000, 10_000], sample_count = 5, sample_size = 1)]
fn idle_readers_four_to_a_key(bencher: Bencher<'_, '_>, readers: usize) {
    let stage = Stage::new();
    bencher.counter(ItemsCount::new(readers)).bench_local(|| stage.readers(readers, |number| (number / 4).to_string()));
}

/// The same with one key, which leaves what a reader alone costs.
#[divan::bench(args = [1_000, 10_000], sample_count = 5, sample_size = 1)]
fn idle_readers_of_one_key(bencher: Bencher<'_, '_>, readers: usize) {
    let stage = Stage::new();
    bencher.counter(ItemsCount::new(readers)).bench_local(|| stage.readers(readers, |_| String::from("key")));
}

/// From the upstream's event until every reader has it. Readers are polled by one task, so this is the hub's work alone.
#[divan::bench(args = [1, 10, 100, 1_000, 10_000], sample_count = 50, sample_size = 1)]
fn one_event_to_readers(bencher: Bencher<'_, '_>, readers: usize) {
    let mut stage = Stage::new();
    let mut streams = stage.readers(readers, |_| String::from("key"));
    bencher.counter(ItemsCount::new(readers)).bench_local(|| stage.deliver(&mut streams));
}

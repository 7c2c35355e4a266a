//! Server-sent events (WHATWG HTML, section 9.2): live data for browsers that survives every interruption.
//!
//! A browser's `EventSource` reconnects by itself and says which event it saw last. What is left to a server is to go on
//! from there without a gap or a double, for as many tabs as there are, within bounds, and to be truthful when it cannot.
//! That is what this module is; it knows nothing of what the events are about.
//!
//! # How to use it
//! Build one [`Hub`] a kind of stream when the process starts, and give it to all workers. A handler answers with
//! [`Hub::open`]:
//! ```
//! use actix_web::HttpRequest;
//! use futures_util::stream;
//! use shared_lib::stream::{Cursor, EndReason, Event, EventStream, Hub, Resume, Signal, Upstream};
//!
//! async fn stream_ticks(request: HttpRequest, hub: &Hub, user: &str) -> EventStream {
//!     let upstream = Upstream::new(|cursor| {
//!         // A real one opens a stream of its service here, on behalf of this user.
//!         let after = if let Cursor::After(after) = cursor { after } else { 0 };
//!         let tick = Event::new(after + 1, Some("tick"), "{}").expect("the name is a plain word");
//!         stream::iter([Ok(Signal::Position { after }), Ok(Signal::Event(tick))])
//!     });
//!     let session_end = std::future::pending::<EndReason>();
//!     hub.open(user, Resume::from_request(&request), upstream, session_end)
//! }
//! ```
//! - **Ids.** The upstream service gives each event of a key a `u64` that grows. They need not be consecutive. The ids are
//!   the service's own, so a client may come back to any replica, and no second store of events exists.
//! - **The first request.** A page that was loaded at id 17 connects with `?lastEventId=17`, and misses nothing that came
//!   between. [`Resume::from_request`] reads that, and the browser's own `Last-Event-ID` before it. A client without an id
//!   is told where it stands at once, by a block with an id and no data, so that it can resume before its first event.
//! - **The session's end.** The stream knows of a session only the future that ends with it. It asks nobody and touches
//!   nothing, so it cannot make an idle session last longer.
//!
//! # What a client sees
//! | event | means | what it does |
//! |---|---|---|
//! | any name of yours | something happened | |
//! | [`GAP`] | events before the id that it carries can no longer be told | loads afresh what it shows |
//! | [`TRY_LATER`] | a limit was reached, or [`Hub::send_away`]; then the stream ends | comes back after the `retry` that it carries |
//! | [`SESSION_ENDED`] | the session ended, with the reason; then the stream ends | closes; [`no_stream`] (204) stops one that does not |
//! | end of the stream | it read too slowly, or the process drains | comes back with its last id, and resumes |
//!
//! Refusals are streams with status 200, because any other status but 204 stops `EventSource` for good and hides why.
//!
//! # How it is built
//! ```text
//! service ==> one upstream stream a key ==> ring of the latest events  <-- position of reader 1 (tab, on any worker)
//!             (task on the owner's worker)    (one a key, bounded)      <-- position of reader 2
//!                                                                       <-- …
//! ```
//! - **One ring, many positions.** There is no queue a client: a reader is a position in its key's ring, and an event is
//!   encoded once and held once. A reader that takes nothing while `client_buffer_events` pass, or that the ring has left
//!   behind, is cut. What one that stopped reading holds is what the server's write buffer (about 32 KiB) and the kernel's
//!   took; its place is free at once. Its connection itself is closed by the listener: set `TCP_USER_TIMEOUT`, or an idle
//!   limit at the edge, because a server cannot end a response to somebody who does not read.
//! - **One upstream a key.** It is open on behalf of one of the readers, with that reader's credentials and on its worker.
//!   When that one leaves, another opens it in its own name from where it stood; when the last one leaves it closes.
//!   When it breaks it is opened again from its last id, with exponential back-off and jitter.
//! - **Going back.** A reader that comes with an id which the ring no longer holds has the upstream opened anew from there.
//!   The others keep their positions and pass over what they have seen.
//! - **Heartbeats** come from one timer a worker, in sixteen slices an interval, and only where nothing was sent.
//! - **Drain.** [`Hub::drain`] ends each stream with a `retry` of its own, drawn from a range, so that the clients of an
//!   instance do not arrive at the others in one moment.
//!
//! # Flow control, from the service to the browser
//! Two mechanisms meet here, and they must not be chained naively. A browser that stops reading fills its TCP window; a
//! gRPC stream that is not read fills its HTTP/2 window (RFC 9113, section 5.2). Passing the first on to the second would let one
//! sleeping tab hold back the user's other tabs, and worse: HTTP/2 has a window for the *connection* as well, so streams
//! that are left unread eat the window that every other user's stream on that connection needs.
//!
//! So the hub always reads. A slow browser is cut, which costs it a reconnect and nobody else anything. Two cases remain in which
//! the service is held back, and both are short or deserved:
//! - While a reader is more than half-way to being cut, the upstream task pauses for a millisecond before each event: time
//!   for a reader on another worker to take its turn. A reader that has really stopped delays its key by at most
//!   `client_buffer_events / 2` such pauses, once, and then it is cut.
//! - When the worker has no time left, its upstream tasks do not run, their streams are not read, and the windows fill. The
//!   service then waits in its own send call, which is where it can still drop or merge events. Nothing here grows.
//!
//! What a connection holds at most while that lasts is set by the client: hyper's HTTP/2 client, and so tonic's, offers 2 MiB a stream and
//! 5 MiB a connection unless told otherwise. For streams of small events 64 KiB a stream (the protocol's initial value) is
//! plenty. With a window of `S` a stream and `C` a connection, `C / S` stalled streams stop a connection; so either keep `C`
//! well above `S` times the streams that may stall at once, or keep unary calls on another connection than the streams.
//! Mind the service's `SETTINGS_MAX_CONCURRENT_STREAMS` too: further streams are not refused but wait without a word. Open one
//! connection for each so many keys.
//!
//! # Browsers and proxies
//! Over HTTP/1.1 a browser opens six connections to an origin, over all tabs; six tabs with a stream leave none for
//! requests. Serve HTTP/2 at the edge. `X-Accel-Buffering: no` and `no-store` keep proxies from collecting events; a response that is
//! compressed on its way must be flushed after each event, so leave streams out of compression.

mod body;
mod counts;
mod event;
mod heartbeat;
mod hub;
mod resume;
mod settings;
mod subscription;
mod topic;
mod upstream;

pub use body::{EndReason, EventStream, no_stream};
pub use counts::Totals;
pub use event::{Event, GAP, HEARTBEAT, InvalidEvent, SESSION_ENDED, TRY_LATER};
pub use hub::{Hub, Jitter, Refusal};
pub use resume::{LAST_EVENT_ID, LAST_EVENT_ID_PARAMETER, Resume};
pub use settings::StreamSettings;
pub use subscription::Subscription;
pub use upstream::{Cursor, Signal, Upstream, UpstreamError, UpstreamStream};

//! Who gets a place, and how a stream ends that nobody asked to end.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_web::http::StatusCode;
use futures_util::StreamExt;
use shared_lib::testing::EventParser as Parser;
use shared_lib::{
    settings::Findings,
    stream::{EndReason, EventStream, Hub, Refusal, Resume, StreamSettings, no_stream},
};

use crate::service::{Service, settle, tight_settings};

/// Reads a stream to its end.
async fn read_whole(stream: &mut EventStream) -> Parser {
    let mut parser = Parser::default();
    while let Some(block) = stream.next().await {
        parser.feed(&block);
    }
    parser
}

/// Shows: W17
#[actix_web::test]
async fn a_client_too_many_is_told_to_come_back_later_and_a_place_given_back_can_be_had() {
    let settings = StreamSettings { max_streams_per_key: 2, max_streams: 3, ..StreamSettings::default() };
    let (hub, service) = (Hub::new("test", settings), Service::new());
    let open = |key: &str| hub.open(key, Resume::Now, service.upstream(), pending());
    let (first, _second, _third) = (open("one"), open("one"), open("other"));
    for (key, reason) in [("one", "busy"), ("third", "busy")] {
        let parser = read_whole(&mut open(key)).await;
        assert_eq!(parser.retry, Some(30_000));
        assert_eq!(parser.dispatched.len(), 1);
        assert_eq!(parser.dispatched[0].name, "try-later");
        assert_eq!(parser.dispatched[0].data, format!(r#"{{"reason":"{reason}"}}"#));
    }
    drop(_third);
    let parser = read_whole(&mut open("one")).await;
    assert_eq!(parser.dispatched[0].data, r#"{"reason":"too-many-streams"}"#);
    drop(first);
    let taken = hub.subscribe("one", Resume::Now, service.upstream());
    assert!(taken.is_ok());
    assert_eq!((hub.streams(), hub.keys()), (2, 1));
    let totals = hub.totals();
    assert_eq!((totals.refused_of_key, totals.refused), (1, 2));
}

/// Shows: W17
#[actix_web::test]
async fn the_sessions_end_is_the_last_event_with_its_reason_and_gives_the_place_back() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    service.publish(1);
    let reason = EndReason("logout".into());
    let mut stream = hub.open("key", Resume::After(0), service.upstream(), ready(reason.clone()));
    let parser = read_whole(&mut stream).await;
    assert_eq!(parser.dispatched.len(), 1, "an event is not sent to a session that has ended");
    assert_eq!(parser.dispatched[0].name, "session-ended");
    assert_eq!(parser.dispatched[0].data, r#"{"reason":"logout"}"#);
    assert_eq!(hub.streams(), 0);
    let again = read_whole(&mut EventStream::session_ended(&reason)).await;
    assert_eq!(again.dispatched, parser.dispatched);
    assert_eq!(no_stream().status(), StatusCode::NO_CONTENT);
}

/// Shows: W17, S9
#[actix_web::test]
async fn a_drain_ends_every_stream_with_a_time_of_its_own_to_come_back() {
    let quarters = AtomicU64::new(0);
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let jitter = move || quarters.fetch_add(1, Ordering::Relaxed) as f64 / 4.0;
    let settings = StreamSettings { drain_retry_min_ms: 1_000, drain_retry_max_ms: 5_000, ..StreamSettings::default() };
    let (hub, service) = (Hub::with_jitter("test", settings, Arc::new(jitter)), Service::new());
    let mut streams: Vec<_> =
        (0..4).map(|_| hub.open("key", Resume::After(0), service.upstream(), pending())).collect();
    let waiting: Vec<_> = streams
        .drain(..)
        .map(|mut stream| actix_web::rt::spawn(async move { read_whole(&mut stream).await.retry }))
        .collect();
    settle().await;
    assert_eq!(hub.streams(), 4, "they wait for events");
    hub.drain();
    let mut told = Vec::new();
    for stream in waiting {
        told.push(stream.await.expect("it does not panic"));
    }
    assert_eq!(told, [Some(1_000), Some(2_000), Some(3_000), Some(4_000)]);
    settle().await;
    assert_eq!((hub.streams(), service.open_streams()), (0, 0));
    let late = read_whole(&mut hub.open("key", Resume::Now, service.upstream(), pending())).await;
    assert_eq!((late.retry, late.dispatched.len()), (Some(5_000), 0));
    assert!(matches!(hub.subscribe("key", Resume::Now, service.upstream()), Err(Refusal::Draining)));
}

/// Shows: W17
#[actix_web::test]
async fn a_stream_without_events_gets_heartbeats() {
    let settings = StreamSettings { heartbeat_ms: 20, ..StreamSettings::default() };
    let (hub, service) = (Hub::new("test", settings), Service::new());
    let mut streams: Vec<_> =
        (0..20).map(|_| hub.subscribe("key", Resume::After(0), service.upstream())).filter_map(Result::ok).collect();
    assert_eq!(streams.len(), 8, "as many as a key may have");
    for subscription in streams.drain(..) {
        let mut stream = EventStream::live(subscription, pending());
        let mut parser = Parser::default();
        while parser.comments < 2 {
            parser.feed(&stream.next().await.expect("it does not end"));
        }
        assert!(parser.dispatched.is_empty());
    }
}

/// Shows: W17
/// Such a client would otherwise wait until ids have grown past the one that it made up.
#[actix_web::test]
async fn a_client_that_stays_ahead_of_the_service_is_told_of_a_gap() {
    let settings = StreamSettings { heartbeat_ms: 20, ..StreamSettings::default() };
    let (hub, service) = (Hub::new("test", settings), Service::new());
    service.publish(3);
    let mut honest = hub.open("key", Resume::After(3), service.upstream(), pending());
    honest.next().await.expect("the opening comes");
    let mut stream = hub.open("key", Resume::After(1_000), service.upstream(), pending());
    let mut parser = Parser::default();
    let both = async {
        loop {
            tokio::select! {
                _ = honest.next() => {}
                block = stream.next() => parser.feed(&block.expect("it does not end")),
            }
            if let Some(gap) = parser.dispatched.first() {
                return gap.clone();
            }
        }
    };
    let gap = both.await;
    assert_eq!((gap.name.as_str(), gap.last_event_id.as_str()), ("gap", "3"));
}

#[test]
fn settings_that_contradict_each_other_are_found() {
    let mut findings = Findings::new();
    StreamSettings::default().audit("streams", &mut findings);
    assert!(findings.is_empty());
    let wrong = StreamSettings {
        client_buffer_events: 300,
        history_bytes: 1,
        refusal_retry_ms: 1,
        max_streams: 0,
        ..StreamSettings::default()
    };
    wrong.audit("streams", &mut findings);
    let paths: Vec<_> = findings.iter().map(|finding| finding.path.as_str()).collect();
    let expected =
        ["streams.history_bytes", "streams.client_buffer_events", "streams.max_streams", "streams.refusal_retry_ms"];
    assert_eq!(paths, expected);
}

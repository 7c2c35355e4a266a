//! A reader that does not read costs nobody anything.

use futures_util::StreamExt;
use shared_lib::stream::{Hub, StreamSettings};
use shared_lib::testing::{EventParser as Parser, resident_bytes};

use crate::service::{Service, Tab};

/// Shows: W17
#[actix_web::test]
async fn a_million_events_pass_a_reader_that_stopped_and_neither_memory_nor_the_others_notice() {
    const EVENTS: u64 = 1_000_000;
    let (hub, service) = (Hub::new("test", StreamSettings::default()), Service::new());
    let mut stopped = Tab::default();
    stopped.parser.feed(b"id: 0\n\n");
    stopped.connect(&hub, &service);
    stopped.read(1);
    let mut tab = Tab::default();
    tab.parser.feed(b"id: 0\n\n");
    tab.connect(&hub, &service);
    let mut reader = tab.subscription.take().expect("it is connected");
    service.publish(EVENTS);
    let (mut seen, mut before) = (0, None);
    let mut blocks = 0_u64;
    while seen < EVENTS {
        let block = reader.next().await.expect("a reader that reads is not cut");
        blocks += 1;
        let text = std::str::from_utf8(&block).expect("it is UTF-8");
        let Some(id) = text.strip_prefix("id: ").and_then(|rest| rest.split('\n').next()) else { continue };
        let id: u64 = id.parse().expect("it is a number");
        assert_eq!(id, seen + 1);
        seen = id;
        if seen == EVENTS / 10 {
            before = Some(resident_bytes(std::process::id()));
        }
    }
    let grown = resident_bytes(std::process::id()).saturating_sub(before.expect("it came by"));
    // The nine tenths weigh more than 20 MB; the rings of this test hold 256 events.
    assert!(grown < 8 * 1024 * 1024, "memory grew by {grown} bytes");
    assert_eq!(blocks, EVENTS + 1);
    assert_eq!(hub.totals().cut, 1);
    assert_eq!(hub.streams(), 1, "the stopped reader's place is free");
    // It finds that out when it looks again, and resumes.
    let mut parser = Parser::default();
    let mut stopped = stopped.subscription.take().expect("it has not looked yet");
    while let Some(block) = stopped.next().await {
        parser.feed(&block);
    }
    assert!(parser.dispatched.is_empty());
}

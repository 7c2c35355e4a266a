//! What is written is what a client reads.

use actix_web::test::TestRequest;
use proptest::prelude::*;
use shared_lib::stream::{Event, HEARTBEAT, InvalidEvent, LAST_EVENT_ID, Resume};

use shared_lib::testing::EventParser as Parser;

/// Line breaks, colons, spaces, NUL, a byte order mark and ordinary text, in any order.
fn awkward_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("id: 7".to_owned()),
        "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Shows: W17
    /// However the bytes are cut up on their way, and whatever the data holds.
    #[test]
    fn any_event_is_read_as_it_was_meant(
        id in any::<u64>(),
        name in prop::option::of("[a-z][a-z :.-]{0,12}"),
        data in awkward_text(),
        portion in 1_usize..7,
    ) {
        let Ok(event) = Event::new(id, name.as_deref(), &data) else {
            prop_assert!(matches!(name.as_deref(), Some("gap" | "open" | "error")));
            return Ok(());
        };
        let mut parser = Parser::default();
        parser.feed(&HEARTBEAT);
        for portion in event.encoded().chunks(portion) {
            parser.feed(portion);
        }
        prop_assert_eq!(parser.dispatched.len(), 1);
        let dispatched = &parser.dispatched[0];
        prop_assert_eq!(&dispatched.data, &with_line_feeds(&data));
        prop_assert_eq!(&dispatched.name, name.as_deref().unwrap_or("message"));
        prop_assert_eq!(&dispatched.last_event_id, &id.to_string());
        prop_assert_eq!(parser.comments, 1);
    }

    #[test]
    fn no_text_makes_reading_an_id_panic_or_invent_one(text in "\\PC{0,40}") {
        let read = Resume::parse(&text);
        let id = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        match read {
            Resume::Now => prop_assert!(text.is_empty()),
            Resume::After(after) => prop_assert_eq!(Some(after), id),
            Resume::Unreadable => prop_assert!(!text.is_empty()),
        }
    }
}

#[test]
fn an_event_is_on_the_wire_as_the_standard_shows_it() {
    let event = Event::new(42, Some("greeting"), "one\r\ntwo\rthree\n").expect("it is valid");
    let expected = "id: 42\nevent: greeting\ndata: one\ndata: two\ndata: three\ndata: \n\n";
    assert_eq!(event.encoded(), expected);
}

#[test]
fn a_name_that_breaks_the_line_or_means_something_else_is_refused() {
    for name in ["", "a\nid: 1", "a\rb"] {
        assert_eq!(Event::new(1, Some(name), ""), Err(InvalidEvent::Name), "{name:?}");
    }
    for name in ["gap", "try-later", "session-ended", "open", "error"] {
        assert_eq!(Event::new(1, Some(name), ""), Err(InvalidEvent::Reserved), "{name}");
    }
}

/// Shows: W17
/// The browser repeats the address it was made with, so its header is the newer one.
#[test]
fn the_header_counts_before_the_query_and_both_are_validated() {
    let read = |query: &str, header: Option<&str>| {
        let mut request = TestRequest::get().uri(&format!("/stream{query}"));
        if let Some(value) = header {
            request = request.insert_header((LAST_EVENT_ID, value));
        }
        Resume::from_request(&request.to_http_request())
    };
    assert_eq!(read("", None), Resume::Now);
    assert_eq!(read("?lastEventId=", None), Resume::Now);
    assert_eq!(read("?a=b&lastEventId=17", None), Resume::After(17));
    assert_eq!(read("?lastEventId=17", Some("23")), Resume::After(23));
    assert_eq!(read("", Some("0")), Resume::After(0));
    assert_eq!(read("", Some("18446744073709551615")), Resume::After(u64::MAX));
    for wrong in ["-1", "+1", "1.0", "0x10", "1 2", "18446744073709551616", "000000000000000000001"] {
        assert_eq!(read("", Some(wrong)), Resume::Unreadable, "{wrong}");
    }
    assert_eq!(read("?lastEventId=%31%0a", None), Resume::Unreadable);
}

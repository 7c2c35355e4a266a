//! Coming back: from the ring, from the service, after the service's restart, and with an id that does not exist.

use shared_lib::stream::{Cursor, Hub, Resume};

use crate::service::{Service, Tab, settle, tight_settings};

fn tab_that_has_seen(id: u64) -> Tab {
    let mut tab = Tab::default();
    tab.parser.feed(format!("id: {id}\n\n").as_bytes());
    tab
}

/// Shows: W17
#[actix_web::test]
async fn tabs_of_one_key_share_one_upstream_stream_which_ends_with_the_last() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    let (mut one, mut other) = (tab_that_has_seen(0), tab_that_has_seen(0));
    one.connect(&hub, &service);
    other.connect(&hub, &service);
    for tab in [&mut one, &mut other] {
        tab.read(10);
    }
    settle().await;
    service.publish(2);
    settle().await;
    for tab in [&mut one, &mut other] {
        tab.read(10);
        assert_eq!(tab.ids, [1, 2]);
    }
    assert_eq!(service.asked(), [Cursor::After(0)]);
    other.subscription = None;
    settle().await;
    one.subscription = None;
    settle().await;
    assert_eq!((service.open_streams(), hub.keys(), hub.streams()), (0, 0, 0));
}

/// Shows: W17
#[actix_web::test]
async fn when_the_tab_leaves_for_whom_the_upstream_was_open_another_goes_on_without_loss() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    let (mut first, mut second) = (tab_that_has_seen(0), tab_that_has_seen(0));
    first.connect(&hub, &service);
    first.read(10);
    second.connect(&hub, &service);
    second.read(10);
    settle().await;
    service.publish(1);
    settle().await;
    first.subscription = None;
    service.publish(1);
    second.read(10);
    settle().await;
    second.read(10);
    assert_eq!(second.ids, [1, 2]);
    assert_eq!(service.asked(), [Cursor::After(0), Cursor::After(1)]);
    assert_eq!(service.most_open_streams(), 1);
}

/// Shows: W17
#[actix_web::test]
async fn a_reader_whom_the_service_refuses_ends_and_does_not_come_between_the_others_and_it() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    let mut tab = tab_that_has_seen(0);
    service.refuse_from_now_on(true);
    tab.connect(&hub, &service);
    tab.read(10);
    settle().await;
    tab.read(10);
    assert!(tab.subscription.is_none(), "its stream ended");
    assert_eq!(hub.streams(), 0);
    service.refuse_from_now_on(false);
    service.publish(1);
    tab.connect(&hub, &service);
    tab.read(10);
    settle().await;
    tab.read(10);
    assert_eq!(tab.ids, [1]);
}

/// Shows: W17
#[actix_web::test]
async fn a_client_that_has_seen_nothing_learns_where_it_stands_before_the_first_event() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    service.publish(7);
    let mut tab = Tab::default();
    tab.connect(&hub, &service);
    tab.read(10);
    settle().await;
    tab.read(10);
    assert_eq!((tab.parser.last_event_id.as_str(), tab.ids.len()), ("7", 0));
    tab.subscription = None;
    service.publish(1);
    tab.connect(&hub, &service);
    tab.read(10);
    settle().await;
    tab.read(10);
    assert_eq!(tab.ids, [8], "nothing that happened meanwhile is lost");
}

/// Shows: W17
#[actix_web::test]
async fn an_id_that_does_not_exist_is_answered_by_a_gap() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    service.publish(3);
    let mut alone = tab_that_has_seen(1_000);
    alone.connect(&hub, &service);
    alone.read(10);
    settle().await;
    alone.read(10);
    assert_eq!(alone.gaps, [3]);
    let unreadable = Resume::parse("one");
    let mut tab = Tab::default();
    tab.subscription = Some(hub.subscribe("key", unreadable, service.upstream()).expect("there is a place"));
    tab.read(10);
    assert_eq!(tab.gaps, [3]);
}

/// Shows: W17
#[actix_web::test]
async fn a_client_that_is_older_than_the_ring_is_served_by_the_service_and_the_others_get_nothing_twice() {
    let (hub, service) = (Hub::new("test", tight_settings()), Service::new());
    service.publish(30);
    let (mut recent, mut old) = (tab_that_has_seen(30), tab_that_has_seen(26));
    recent.connect(&hub, &service);
    recent.read(10);
    settle().await;
    old.connect(&hub, &service);
    old.read_up_to(30, &hub, &service).await;
    service.publish(1);
    old.read_up_to(31, &hub, &service).await;
    recent.read_up_to(31, &hub, &service).await;
    assert_eq!(old.ids, [27, 28, 29, 30, 31]);
    assert_eq!(recent.ids, [31]);
    assert_eq!(service.most_open_streams(), 1);
}

//! Whatever happens in whatever order, a client that comes back sees every event once and in order, or is told of a gap.

use proptest::prelude::*;
use shared_lib::stream::Hub;

use crate::service::{Service, Tab, settle, tight_settings};

const TABS: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    Publish(u64),
    /// A tab connects to one of two processes, or again.
    Connect(usize, usize),
    /// A tab loses its connection.
    Drop(usize),
    Read(usize, usize),
    /// The service restarts.
    Break,
    /// The service forgets its old events.
    Forget(u64),
    /// Everybody gets as far as possible.
    Settle,
}

fn act(forgetful: bool) -> impl Strategy<Value = Act> {
    let tab = 0..TABS;
    prop_oneof![
        5 => (1_u64..12).prop_map(Act::Publish),
        4 => (tab.clone(), 0_usize..2).prop_map(|(tab, hub)| Act::Connect(tab, hub)),
        2 => tab.clone().prop_map(Act::Drop),
        6 => (tab, 1_usize..10).prop_map(|(tab, most)| Act::Read(tab, most)),
        2 => Just(Act::Break),
        1 => (0_u64..8).prop_map(move |kept| if forgetful { Act::Forget(kept) } else { Act::Settle }),
        6 => Just(Act::Settle),
    ]
}

async fn play(acts: Vec<Act>) -> (Vec<Tab>, Service) {
    let service = Service::new();
    let hubs = [Hub::new("one", tight_settings()), Hub::new("other", tight_settings())];
    let mut tabs: Vec<Tab> = (0..TABS).map(|_| Tab::default()).collect();
    for tab in &mut tabs {
        // The page said that nothing has happened yet.
        tab.parser.feed(b"id: 0\n\n");
    }
    for act in acts {
        match act {
            Act::Publish(count) => service.publish(count),
            Act::Connect(tab, hub) => tabs[tab].connect(&hubs[hub], &service),
            Act::Drop(tab) => tabs[tab].subscription = None,
            Act::Read(tab, most) => {
                tabs[tab].read(most);
            }
            Act::Break => service.break_streams(),
            Act::Forget(kept) => service.forget_all_but(kept),
            Act::Settle => settle().await,
        }
    }
    // In the end every tab is connected and reads, and comes back when it is cut, until it has the latest event.
    for _ in 0..2_000 {
        let latest = service.latest().to_string();
        if tabs.iter().all(|tab| tab.parser.last_event_id == latest) {
            break;
        }
        for tab in &mut tabs {
            if tab.subscription.is_none() {
                tab.connect(&hubs[0], &service);
            }
            tab.read(100);
        }
        tokio::task::yield_now().await;
    }
    (tabs, service)
}

fn played(acts: Vec<Act>) -> (Vec<Tab>, Service) {
    actix_web::rt::System::new().block_on(play(acts))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shows: W17
    #[test]
    fn every_event_is_seen_once_and_in_order_when_the_service_remembers(
        acts in prop::collection::vec(act(false), 1..60),
    ) {
        let (tabs, service) = played(acts);
        let all: Vec<u64> = (1..=service.latest()).collect();
        for tab in tabs {
            prop_assert_eq!(&tab.ids, &all);
            prop_assert!(tab.gaps.is_empty());
        }
        // Two processes, one stream each.
        prop_assert!(service.most_open_streams() <= 2);
    }

    /// Shows: W17
    #[test]
    fn what_cannot_be_told_any_more_is_said_to_be_missing(acts in prop::collection::vec(act(true), 1..60)) {
        let (tabs, service) = played(acts);
        for tab in tabs {
            let mut seen = 0;
            for &id in &tab.ids {
                if tab.gaps.contains(&id) {
                    prop_assert!(id > seen, "a gap leads on from {} to {}", seen, id);
                } else {
                    prop_assert_eq!(id, seen + 1, "after {} comes the next one or a gap", seen);
                }
                seen = id;
            }
            prop_assert_eq!(seen, service.latest());
        }
    }
}

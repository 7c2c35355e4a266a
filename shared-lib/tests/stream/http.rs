//! Streams as answers of a real server with two workers.

use std::{net::SocketAddr, time::Duration};

use actix_http::{Payload, encoding::Decoder};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use awc::{Client, ClientResponse};
use futures_util::StreamExt;
use shared_lib::stream::{EndReason, Event, Hub, Resume, Signal, StreamSettings, Upstream, UpstreamError, no_stream};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch};

use crate::service::Service;
use shared_lib::testing::EventParser as Parser;

struct Site {
    hub: Hub,
    service: Service,
    /// Appended to the data of each event.
    padding: usize,
    session_ended: watch::Sender<bool>,
}

async fn notifications(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let mut session = site.session_ended.subscribe();
    if *session.borrow() {
        return no_stream();
    }
    let ends = async move {
        let _ = session.wait_for(|ended| *ended).await;
        EndReason("logout".into())
    };
    let upstream = padded(&site.service, site.padding);
    let stream = site.hub.open("key", Resume::from_request(&request), upstream, ends);
    stream.respond_to(&request).map_into_boxed_body()
}

fn padded(service: &Service, padding: usize) -> Upstream {
    let service = service.clone();
    let pad = move |signal| match signal {
        Signal::Event(event) => {
            let data = " ".repeat(padding);
            Signal::Event(Event::new(event.id(), None, &data).expect("it is valid"))
        }
        position @ Signal::Position { .. } => position,
    };
    Upstream::new(move |cursor| service.open(cursor).map(move |item: Result<Signal, UpstreamError>| item.map(pad)))
}

fn serve(settings: StreamSettings, padding: usize) -> (SocketAddr, web::Data<Site>) {
    let site = web::Data::new(Site {
        hub: Hub::new("test", settings),
        service: Service::new(),
        padding,
        session_ended: watch::Sender::new(false),
    });
    let shared = site.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).route("/", web::get().to(notifications)))
        .workers(2)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a port is free");
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (address, site)
}

/// A browser's connection.
struct Connection {
    response: ClientResponse<Decoder<Payload>>,
    parser: Parser,
}

async fn connect(address: SocketAddr, last_event_id: u64) -> Connection {
    let client = Client::builder().timeout(Duration::from_secs(30)).finish();
    let sending = client.get(format!("http://{address}/?lastEventId={last_event_id}")).send();
    let response = sending.await.expect("it answers");
    Connection { response, parser: Parser::default() }
}

impl Connection {
    /// Reads until `enough` or the stream's end, and says whether it ended.
    async fn read_until(&mut self, enough: impl Fn(&Parser) -> bool) -> bool {
        while !enough(&self.parser) {
            match self.response.next().await {
                Some(portion) => self.parser.feed(&portion.expect("the body does not break off")),
                None => return true,
            }
        }
        false
    }
}

/// Shows: W17
#[actix_web::test]
async fn a_stream_says_what_it_is_and_ends_with_its_session_on_every_worker() {
    let (address, site) = serve(StreamSettings::default(), 3);
    let mut connections = Vec::new();
    for _ in 0..6 {
        connections.push(connect(address, 0).await);
    }
    for connection in &connections {
        let headers = connection.response.headers();
        assert_eq!(connection.response.status(), StatusCode::OK);
        assert_eq!(headers.get("content-type").expect("it is there"), "text/event-stream");
        assert_eq!(headers.get(CACHE_CONTROL).expect("it is there"), "no-store");
        assert_eq!(headers.get("x-accel-buffering").expect("it is there"), "no");
    }
    site.service.publish(3);
    for connection in &mut connections {
        let ended = connection.read_until(|parser| parser.last_event_id == "3").await;
        assert!(!ended);
        assert_eq!(connection.parser.retry, Some(3_000));
        assert_eq!(connection.parser.dispatched.len(), 3);
    }
    assert_eq!(site.service.most_open_streams(), 1);
    site.session_ended.send_replace(true);
    for connection in &mut connections {
        assert!(connection.read_until(|_| false).await);
        let last = connection.parser.dispatched.last().expect("there is one");
        assert_eq!((last.name.as_str(), last.data.as_str()), ("session-ended", r#"{"reason":"logout"}"#));
    }
    assert_eq!(connect(address, 3).await.response.status(), StatusCode::NO_CONTENT);
    assert_eq!(site.hub.streams(), 0);
}

/// Shows: W17
/// The client's kernel takes what fits into its buffers, and then nothing.
#[actix_web::test]
async fn a_connection_that_is_not_read_is_cut_while_another_gets_everything() {
    let settings = StreamSettings { max_event_bytes: 16 * 1024, ..StreamSettings::default() };
    let (address, site) = serve(settings, 8_000);
    let mut stopped = TcpStream::connect(address).await.expect("it listens");
    stopped.write_all(b"GET /?lastEventId=0 HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("it takes a request");
    let mut reader = connect(address, 0).await;
    let mut rounds = 0;
    while site.hub.totals().cut == 0 {
        rounds += 1;
        assert!(rounds < 3_000, "100 MB fit into no socket's buffers");
        site.service.publish(4);
        let all = (rounds * 4).to_string();
        assert!(!reader.read_until(|parser| parser.last_event_id == all).await, "who reads is not cut");
    }
    let ids: Vec<u64> =
        reader.parser.dispatched.iter().map(|event| event.last_event_id.parse().expect("it is a number")).collect();
    assert_eq!(ids, (1..=rounds * 4).collect::<Vec<u64>>());
    assert_eq!(site.hub.totals().cut, 1);
    assert_eq!(site.hub.streams(), 1);
}

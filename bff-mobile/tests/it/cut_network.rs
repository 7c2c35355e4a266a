//! A network that takes a request to the service and loses the answer on its way back.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A place where one request is passed on whole and its answer is swallowed: whoever sent it sees the connection end.
pub struct CutNetwork {
    /// Where the service seems to be.
    pub url: String,
    lost: JoinHandle<Vec<u8>>,
}

impl CutNetwork {
    /// In front of the service at this address, such as `http://127.0.0.1:8081`.
    pub async fn before(service: &str) -> Self {
        let target = service.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let lost = actix_web::rt::spawn(async move {
            let (mut phone, _) = listener.accept().await.expect("the app connects");
            let mut service = TcpStream::connect(target).await.expect("the service is there");
            let (mut from_phone, mut to_phone) = phone.split();
            let (mut from_service, mut to_service) = service.split();
            let mut answer = Vec::new();
            let passed_on = tokio::io::copy(&mut from_phone, &mut to_service);
            let answered = async {
                // The answer is a JSON object, so it has come whole when its last brace has.
                while !answer.ends_with(b"}") {
                    let read = from_service.read_buf(&mut answer).await.expect("the service answers");
                    assert_ne!(read, 0, "the service left half-way");
                }
            };
            tokio::select! {
                () = answered => {}
                _ = passed_on => panic!("the app left before there was an answer"),
            }
            let _ = to_phone.shutdown().await;
            answer
        });
        Self { url, lost }
    }

    /// The answer that was lost.
    pub async fn lost(self) -> String {
        String::from_utf8(self.lost.await.expect("there was one")).expect("it is text")
    }
}

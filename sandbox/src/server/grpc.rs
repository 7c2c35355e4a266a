//! The gRPC server: notifications behind their faults, and the health service.

use std::net::TcpListener;

use tokio_stream::{StreamExt, wrappers::TcpListenerStream};
use tonic::transport::Server;

use crate::{
    chaos::{Chaos, Faulty, GrpcStream},
    notifications::{Service, proto::notification_service_server::NotificationServiceServer},
};

/// Serves until the future is dropped. A failure is logged, because nobody waits for it.
pub(crate) async fn serve_notifications(listener: TcpListener, service: Service, chaos: Chaos) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the gRPC server cannot use its listener");
            return;
        }
    };
    let connections = TcpListenerStream::new(listener).map(|accepted| {
        let stream = accepted?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(GrpcStream::new(stream))
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<NotificationServiceServer<Service>>().await;
    let served = Server::builder()
        .add_service(health)
        .add_service(Faulty::new(NotificationServiceServer::new(service), chaos))
        .serve_with_incoming(connections)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the gRPC server has failed");
    }
}

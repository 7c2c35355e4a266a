//! Notifications: the gRPC service, and a development-only HTTP endpoint that adds one.

mod grpc;
mod store;

/// Messages, server and client generated from the proto file.
#[expect(missing_docs, reason = "generated; documented in the proto file")]
pub mod proto {
    tonic::include_proto!("trifront.notifications.v1");
}

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

pub(crate) use self::{grpc::Service, store::Notifications};
use crate::{provider::User, services::World};

/// A notification that a person or a test adds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    /// A login (`alice`) or a subject (`usr_alice`, `partner:acme`).
    user: String,
    title: String,
    body: String,
}

/// `POST /notifications/publish`. It asks for no token.
pub(crate) fn configure_publishing(config: &mut web::ServiceConfig) {
    config.route("/notifications/publish", web::post().to(publish));
}

async fn publish(world: web::Data<World>, publication: web::Json<Publication>) -> HttpResponse {
    let Publication { user, title, body } = publication.into_inner();
    let subject = User::find(&user).map_or(user, |user| user.sub);
    let notification = world.notifications.publish(&subject, title, body);
    HttpResponse::Created().json(json!({ "id": notification.id, "cursor": notification.cursor }))
}

//! Marking a notification as read.

use actix_web::{post, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    downstream::Failure,
    problem::{Problem, ProblemView, kinds},
};
use tonic::Code;
use utoipa::ToSchema;

use crate::services::Services;

const MAX_ID_BYTES: usize = 64;

/// What is left unread.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnreadNotifications)]
pub struct UnreadView {
    /// How many notifications the user has not read.
    pub unread_notifications: u32,
}

/// Mark a notification as read
///
/// To do it again changes nothing.
#[utoipa::path(
    tag = "screens",
    params(("id" = String, Path, description = "The notification's id", max_length = 64)),
    responses(
        (status = 200, description = "It is read", body = UnreadView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The request does not show that our own page made it", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "The user has no such notification", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The notifications failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The notifications are away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The notifications took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[post("/notifications/{id}/read")]
pub async fn mark_notification_read(
    ctx: RequestContext,
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<web::Json<UnreadView>, Problem> {
    let nothing = || Problem::new(&kinds::NOT_FOUND).detail("There is no such notification.");
    if id.len() > MAX_ID_BYTES {
        return Err(nothing());
    }
    match services.notifications.mark_read(&ctx, &id).await {
        Ok(unread_notifications) => Ok(web::Json(UnreadView { unread_notifications })),
        Err(error) => Err(match error.failure {
            Failure::Grpc(Code::NotFound | Code::InvalidArgument) => nothing().caused_by(error),
            _ => error.into(),
        }),
    }
}

//! `DELETE /admin/subjects/{subject}/sessions` on the management listener: an operator signs a user out everywhere.

use actix_web::{delete, web};
use shared_lib::problem::Problem;

use super::{
    own_sessions::EndedView,
    session_ends::EndReason,
    session_store::{Group, Sessions},
};

/// Ends all sessions of a user. The management listener asks for the operator token and keeps the audit.
///
/// # Errors
/// `sessions-unavailable` when the store is away.
#[delete("/subjects/{subject}/sessions")]
pub async fn end_sessions_of_subject(
    sessions: web::Data<Sessions>,
    subject: web::Path<String>,
) -> Result<web::Json<EndedView>, Problem> {
    let ended = sessions.end_group(&Group::of_subject(&subject), None, EndReason::EndedByOperator).await?;
    Ok(web::Json(EndedView { ended }))
}

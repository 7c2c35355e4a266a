//! On whose behalf the fields of one document are asked, and with what.
//!
//! The engine wants everything to be able to cross threads; the services of a worker cannot, because the connections of
//! a worker are its own. A document is executed on the worker that received it from its beginning to its end, so what
//! stays there is wrapped ([`SendWrapper`]): the wrapper checks at each use that it is on its own thread.

use std::{rc::Rc, sync::Arc};

use actix_web::web;
use async_graphql::{Context, Result};
use send_wrapper::SendWrapper;
use shared_lib::{
    context::RequestContext,
    problem::{Problem, kinds},
};

use super::problems::field_error;
use crate::{
    auth::{OnBehalf, PartIdentity, TokenExchange, challenge},
    services::Services,
};

/// What the handler knows of the request.
pub struct Given {
    /// The request's context, with its budget.
    pub context: RequestContext,
    /// Who was let in, and with which token.
    pub identity: PartIdentity,
    /// The services.
    pub services: web::Data<Services>,
    /// The exchange of tokens.
    pub exchange: web::Data<TokenExchange>,
}

/// The caller of a document. Cheap to clone.
#[derive(Clone)]
pub(super) struct Asker(SendWrapper<Rc<Given>>);

impl Asker {
    pub(super) fn new(given: Given) -> Self {
        Self(SendWrapper::new(Rc::new(given)))
    }

    /// The caller, who needs these scopes: the same that the routes of the same data ask for.
    pub(super) fn with_scopes(context: &Context<'_>, needed: &[&str]) -> Result<Self> {
        let asker = context.data_opt::<Self>().ok_or_else(|| {
            field_error(Problem::new(&kinds::INTERNAL_ERROR).caused_by("a document is executed for nobody"))
        })?;
        if needed.iter().all(|scope| asker.0.identity.caller.has_scope(scope)) {
            return Ok(asker.clone());
        }
        Err(field_error(challenge::insufficient_scope(needed)))
    }

    /// Does something with the services on this worker. The error becomes that of the field.
    pub(super) async fn ask<T, E: Into<Problem>>(self, work: impl AsyncFnOnce(Rc<Given>) -> Result<T, E>) -> Result<T> {
        SendWrapper::new(work(self.given())).await.map_err(field_error)
    }

    /// What it was made of.
    pub(super) fn given(&self) -> Rc<Given> {
        Rc::clone(&self.0)
    }
}

impl Given {
    /// The caller as private services know it.
    pub(super) async fn on_behalf(&self) -> Result<OnBehalf, Problem> {
        self.exchange.for_part(&self.context, &self.identity).await
    }
}

/// The tasks of one document's data loaders. They end with the document: nobody waits for what they would bring.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<std::sync::Mutex<Vec<tokio::task::AbortHandle>>>);

impl Tasks {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let handle = actix_web::rt::spawn(task).abort_handle();
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(handle);
    }

    /// Ends them when it is dropped.
    pub(super) fn guard(&self) -> impl Drop + use<> {
        EndOfTasks(self.clone())
    }
}

struct EndOfTasks(Tasks);

impl Drop for EndOfTasks {
    fn drop(&mut self) {
        let mut tasks = self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}

//! Whose token a call carries: the caller's as it is, or what a BFF's own rule makes of it.

use std::{rc::Rc, sync::Arc};

use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use futures_util::future::LocalBoxFuture;

use super::{
    call::Call,
    error::Failure,
    registry::{Downstream, Downstreams},
};
use crate::{context::RequestContext, settings::Secret};

/// A BFF's rule for the tokens that go to its services: relay, exchange, or its own. One for each worker.
pub trait Tokens {
    /// The token for calls of this request to the downstream of this name. `None`: the call carries none.
    ///
    /// # Errors
    /// [`Failure::NoToken`] when there has to be one and it cannot be had.
    fn token<'a>(
        &'a self,
        context: &'a RequestContext,
        downstream: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<Secret>, Failure>>;

    /// The service has refused the token that it was given.
    fn refused(&self, context: &RequestContext, downstream: &str);
}

impl Downstreams {
    /// The same ones, called with tokens by this rule.
    #[must_use]
    pub fn with_tokens(&self, tokens: &Rc<dyn Tokens>) -> Self {
        let all = self.0.iter().map(|(name, downstream)| {
            (name.clone(), Downstream { tokens: Some(Rc::clone(tokens)), ..downstream.clone() })
        });
        Self(Rc::new(all.collect()))
    }
}

impl Downstream {
    /// The token for calls in the name of this request's caller.
    pub(super) async fn token(&self, context: &RequestContext) -> Result<Option<Secret>, Failure> {
        match &self.tokens {
            Some(tokens) => tokens.token(context, &self.shared.name).await,
            None => Ok(context.caller().and_then(|caller| caller.token.clone())),
        }
    }

    /// Notes that the service answered 401 to a token of [`token`](Self::token).
    pub(super) fn token_refused(&self, context: &RequestContext) {
        if let Some(tokens) = &self.tokens {
            tokens.refused(context, &self.shared.name);
        }
    }
}

impl Call {
    /// Puts the token in that [`as_caller`](Self::as_caller) asked for. Before anything looks at the call: equal calls
    /// are told apart by it.
    pub(super) async fn authorize(&mut self) -> Result<(), Failure> {
        if !self.in_callers_name {
            return Ok(());
        }
        if let Some(token) = self.downstream.token(&self.context).await? {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            self.headers.insert(AUTHORIZATION, value.map_err(|error| Failure::Request(Arc::new(error)))?);
        }
        Ok(())
    }

    /// Has the rule know that this call's token was refused.
    pub(super) fn note_refusal(&self, failure: &Failure) {
        let is_401 = matches!(failure, Failure::Status { status, .. } if status.as_u16() == 401);
        if self.in_callers_name && is_401 {
            self.downstream.token_refused(&self.context);
        }
    }
}

//! The key that a request was let in with, for handlers.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use shared_lib::problem::{Problem, kinds};

use crate::keys::KeyRecord;

/// The key that a request was let in with.
#[derive(Clone)]
pub struct AdmittedKey(Arc<KeyRecord>);

impl AdmittedKey {
    pub(super) fn new(record: Arc<KeyRecord>) -> Self {
        Self(record)
    }

    /// What is known of it.
    #[must_use]
    pub fn record(&self) -> &KeyRecord {
        &self.0
    }
}

impl FromRequest for AdmittedKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request.extensions().get::<Self>().cloned();
        ready(key.ok_or_else(|| {
            Problem::new(&kinds::INTERNAL_ERROR).caused_by("a handler asked for a key that no guard admitted")
        }))
    }
}

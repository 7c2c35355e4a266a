//! The products that the lines of orders name, asked for together: one call for a document, not one for each line.

use std::collections::HashMap;

use async_graphql::dataloader::{DataLoader, Loader};
use send_wrapper::SendWrapper;
use shared_lib::downstream::DownstreamError;

use super::asker::{Asker, Tasks};
use crate::services::catalog::Product;

/// The most products of one call.
const MAX_BATCH: usize = 100;

/// Loads products by their ids.
pub(super) struct ProductLoader(Asker);

impl ProductLoader {
    /// A loader for one document: what one caller's document found is not kept for another's.
    pub(super) fn for_document(asker: Asker, tasks: Tasks) -> DataLoader<Self> {
        // Without a delay a batch begins when every field that can go on has gone on, which is when it is complete.
        let loader = DataLoader::new(Self(asker), move |task| tasks.spawn(task));
        loader.delay(std::time::Duration::ZERO).max_batch_size(MAX_BATCH)
    }
}

impl Loader<String> for ProductLoader {
    type Value = Product;
    type Error = DownstreamError;

    fn load(&self, keys: &[String]) -> impl Future<Output = Result<HashMap<String, Product>, DownstreamError>> + Send {
        let (asker, keys) = (self.0.clone(), keys.to_vec());
        SendWrapper::new(async move {
            let given = asker.given();
            let found = given.services.catalog.by_ids(&given.context, &keys).await?.value;
            Ok(found.items.into_iter().map(|product| (product.sku.clone(), product)).collect())
        })
    }
}

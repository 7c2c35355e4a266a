//! The last limit before execution: what a document costs by the schema, where the fields of a list count as often as it
//! can have elements. The sizes may come from variables, so this one needs them.

use std::sync::Arc;

use async_graphql::{
    ServerError, ValidationResult,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation},
};

use super::problems;

/// The most complex document that is executed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComplexityLimit(pub(super) usize);

impl ExtensionFactory for ComplexityLimit {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for ComplexityLimit {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(context).await?;
        if result.complexity <= self.0 {
            return Ok(result);
        }
        let mut error = ServerError::new(String::new(), None);
        error.source = Some(Arc::new(problems::limit("complexity", self.0)));
        Err(vec![error])
    }
}

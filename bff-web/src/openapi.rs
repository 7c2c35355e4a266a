//! The contract: what the routes say of themselves, and what follows from constants of the code.

use shared_lib::{pagination::PageSpec, server::describe};
use utoipa::openapi::{
    Deprecated, Info, OpenApi, RefOr, Schema,
    security::{ApiKey, ApiKeyValue, SecurityScheme},
};

use crate::{V1, auth::own_sessions, product_list, views};

/// The lists that refuse an order which they do not know. Version 1 takes its default instead, so there any text will do.
const STRICT_LISTS: [(&str, &PageSpec); 4] = [
    ("/api/v2/products", &product_list::SPEC),
    ("/api/v2/products-page", &product_list::SPEC),
    ("/api/v2/orders", &views::orders::SPEC),
    ("/api/auth/sessions", &own_sessions::PAGE),
];

/// The document of this BFF.
pub(crate) fn document(version: &str) -> OpenApi {
    let mut info = Info::new("Trifront for the web", version);
    info.description = Some("The screens of the single-page application, each in one call.".to_owned());
    let mut cookie = ApiKeyValue::new("trifront-session");
    cookie.description =
        Some("The session of a signed-in user; over https its name is `__Host-trifront-session`.".to_owned());
    let schemes = vec![("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))];
    let mut document = describe(info, views::routes(), schemes);
    let old = document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with(V1)).map(|(_, item)| item);
    for operation in old.filter_map(|item| item.get.as_mut()) {
        operation.deprecated = Some(Deprecated::True);
    }
    for (path, spec) in STRICT_LISTS {
        name_orders(&mut document, path, spec);
    }
    document
}

/// Lists the accepted values of `sort`, the default first.
fn name_orders(document: &mut OpenApi, path: &str, spec: &PageSpec) {
    let operation = document.paths.paths.get_mut(path).and_then(|item| item.get.as_mut());
    let parameters = operation.and_then(|operation| operation.parameters.as_mut()).into_iter().flatten();
    for parameter in parameters {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.name == "sort"
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
        {
            schema.enum_values = Some(spec.sorts.iter().map(|sort| (*sort).into()).collect());
            schema.default = spec.sorts.first().map(|sort| (*sort).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: S1
    #[test]
    fn every_strict_list_names_its_orders_in_the_contract() {
        let document = serde_json::to_value(document("0")).expect("JSON");
        for (path, spec) in STRICT_LISTS {
            let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("parameters");
            let sort = parameters.iter().find(|parameter| parameter["name"] == "sort").expect("an order");
            assert_eq!(sort["schema"]["enum"], serde_json::json!(spec.sorts), "{path}");
        }
    }
}

//! Puts the OpenAPI document of a BFF together from its route table.

use actix_web::http::Method;
use utoipa::openapi::{
    Components, Info, OpenApi,
    path::{Operation, PathItem},
    security::{SecurityRequirement, SecurityScheme},
};

use super::{policy::Access, routes::RouteTable};

/// The document: the table's paths with the security that their policies ask for. `schemes` names the ways to
/// authenticate; a route that is not public asks for any one of them.
#[must_use]
pub fn describe(info: Info, table: RouteTable, schemes: Vec<(&'static str, SecurityScheme)>) -> OpenApi {
    let routes = table.routes().to_vec();
    let (mut paths, schemas) = table.into_openapi_parts();
    for route in &routes {
        let Some(operation) = paths.paths.get_mut(&route.path).and_then(|item| operation_mut(item, &route.method))
        else {
            continue;
        };
        operation.security = match route.policy.access {
            Access::Public => Some(Vec::new()),
            Access::Caller => Some(requirements(&schemes, &[])),
            Access::Scopes(scopes) => Some(requirements(&schemes, scopes)),
        };
    }
    let mut components = Components::new();
    components.schemas.extend(schemas);
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    document
}

fn requirements(schemes: &[(&'static str, SecurityScheme)], scopes: &[&'static str]) -> Vec<SecurityRequirement> {
    schemes.iter().map(|(name, _)| SecurityRequirement::new(*name, scopes.iter().copied())).collect()
}

/// The methods that [`RouteTable::route`] knows.
fn operation_mut<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "HEAD" => item.head.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

//! The route table: every route with its policy, one line each.
//!
//! A route can only be registered through the table, and the table takes none without a policy. Handlers are registered
//! as `actix` services that `utoipa` describes, so the path, the method, the policy and the documentation cannot drift
//! apart.

use std::{collections::HashMap, fmt::Write, rc::Rc, time::Duration};

use actix_web::{
    FromRequest, Handler, Responder, Scope,
    body::MessageBody,
    dev::{HttpServiceFactory, ServiceFactory, ServiceRequest, ServiceResponse},
    http::Method,
    web::{self, ServiceConfig},
};
use utoipa::openapi::{Paths, RefOr, Schema};
use utoipa_actix_web::OpenApiFactory;

use super::{
    gate::{Gate, Guard},
    policy::{CsrfCheck, Policy, TokenOwner},
};

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The full path pattern, such as `/api/v2/products/{id}`.
    pub path: String,
    /// What it asks of a request.
    pub policy: Policy,
}

/// Puts one handler, or a nested table, into actix's configuration.
type Registration = Box<dyn FnOnce(&mut ServiceConfig)>;

/// The routes of one BFF. It is built anew for every worker, because handlers stay on their thread.
#[derive(Default)]
pub struct RouteTable {
    routes: Vec<Route>,
    registrations: Vec<Registration>,
    paths: Paths,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl RouteTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler (with its `#[get("…")]` or the like, and its `#[utoipa::path]`) and its policy.
    #[must_use]
    pub fn route<H>(mut self, handler: H, policy: Policy) -> Self
    where
        H: HttpServiceFactory + OpenApiFactory + 'static,
    {
        let paths = handler.paths();
        for (path, item) in &paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.head),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, _) in operations.into_iter().filter(|(_, operation)| operation.is_some()) {
                self.routes.push(Route { method, path: path.clone(), policy });
            }
        }
        handler.schemas(&mut self.schemas);
        self.paths.merge(paths);
        self.registrations.push(Box::new(move |config| {
            config.service(handler);
        }));
        self
    }

    /// Adds an address and everything below it, whose path, methods and policy come from the configuration. The path is of
    /// plain segments and does not end with a slash. It is no part of the OpenAPI document: what is there is not ours to
    /// describe.
    #[must_use]
    pub fn subtree<F, Args>(mut self, path: &str, methods: &[Method], policy: Policy, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let patterns = [path.to_owned(), format!("{path}/{{below:.*}}")];
        for path in &patterns {
            self.routes.extend(methods.iter().map(|method| Route {
                method: method.clone(),
                path: path.clone(),
                policy,
            }));
        }
        self.registrations.push(Box::new(move |config| {
            for pattern in patterns {
                config.service(web::resource(pattern).to(handler.clone()));
            }
        }));
        self
    }

    /// Says whose token the calls of those routes carry that do not say it themselves.
    #[must_use]
    pub fn default_token(mut self, of: impl Fn(&Route) -> TokenOwner) -> Self {
        for route in self.routes.iter_mut().filter(|route| route.policy.token.is_none()) {
            route.policy.token = Some(of(route));
        }
        self
    }

    /// Adds the routes of another table below a path prefix, such as `/api/v2`.
    #[must_use]
    pub fn nest(mut self, prefix: &'static str, inner: Self) -> Self {
        self.routes
            .extend(inner.routes.into_iter().map(|route| Route { path: format!("{prefix}{}", route.path), ..route }));
        let nested = inner.paths.paths.into_iter().map(|(path, item)| (format!("{prefix}{path}"), item)).collect();
        let mut paths = Paths::new();
        paths.paths = nested;
        self.paths.merge(paths);
        self.schemas.extend(inner.schemas);
        let registrations = inner.registrations;
        self.registrations.push(Box::new(move |config| {
            let configure =
                |config: &mut ServiceConfig| registrations.into_iter().for_each(|register| register(config));
            config.service(web::scope(prefix).configure(configure));
        }));
        self
    }

    /// The routes, in the order in which they stand.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The paths and schemas for the OpenAPI document.
    #[must_use]
    pub fn into_openapi_parts(self) -> (Paths, Vec<(String, RefOr<Schema>)>) {
        (self.paths, self.schemas)
    }

    /// Registers every route behind the gate. `request_timeout` is the deadline of routes that state none.
    pub fn into_scope(
        self,
        guard: Rc<dyn Guard>,
        request_timeout: Duration,
    ) -> Scope<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody>,
            Error = actix_web::Error,
            InitError = (),
        >,
    > {
        let mut by_pattern: HashMap<String, Vec<Route>> = HashMap::new();
        for route in self.routes {
            by_pattern.entry(route.path.clone()).or_default().push(route);
        }
        let registrations = self.registrations;
        web::scope("")
            .configure(|config| registrations.into_iter().for_each(|register| register(config)))
            .wrap(Gate::new(by_pattern, guard, request_timeout))
    }
}

/// The table as text, for the `routes` command.
impl std::fmt::Display for RouteTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.routes.iter().map(|route| route.path.len()).max().unwrap_or(0);
        let mut text = String::new();
        for route in &self.routes {
            write!(text, "{:6} {:width$}  {}", route.method.as_str(), route.path, route.policy.access)?;
            if let Some(owner) = route.policy.token {
                write!(text, "  token {owner}")?;
            }
            if let CsrfCheck::Off(reason) = route.policy.csrf {
                write!(text, "  no CSRF check: {reason}")?;
            }
            if let Some(deadline) = route.policy.deadline {
                write!(text, "  deadline {} ms", deadline.as_millis())?;
            }
            if !route.policy.limited_concurrency {
                write!(text, "  no concurrency limit")?;
            }
            if let Some(reason) = route.policy.passive {
                write!(text, "  prolongs no session: {reason}")?;
            }
            text.push('\n');
        }
        f.write_str(&text)
    }
}

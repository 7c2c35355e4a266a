//! A browser, as far as signing in depends on one: cookies with their SameSite rules, redirects, forms, a page that goes
//! on by itself, and script that fetches as Angular does.

use actix_http::{Payload, encoding::Decoder};
use actix_web::http::{
    Method,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, ORIGIN, SET_COOKIE},
};
use awc::{Client, ClientResponse};
use shared_lib::testing::{Received, receive};
use url::Url;

/// No sign-in needs more.
const MAX_STEPS: usize = 12;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const X_XSRF_TOKEN: HeaderName = HeaderName::from_static("x-xsrf-token");

/// A cookie in the jar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JarCookie {
    host: String,
    /// Its name.
    pub name: String,
    /// Its value, as it was sent.
    pub value: String,
    /// Its attributes, in lower case, as they were sent.
    pub attributes: Vec<String>,
}

/// A page that a navigation ended at.
pub struct Page {
    /// Its address.
    pub url: Url,
    /// The answer.
    pub answer: Received,
}

/// A browser with one user in front of it.
#[derive(Clone)]
pub struct Browser {
    client: Client,
    origin: String,
    service: String,
    /// The cookies, in the order in which they came.
    pub jar: Vec<JarCookie>,
    /// Every answer of the service as it came: head and body.
    pub seen: Vec<String>,
    /// Every address that was navigated to, on whatever host.
    pub visited: Vec<Url>,
    /// What to replace in the address that the provider sends the browser back to, and by what.
    pub tamper: Option<(String, String)>,
}

impl Browser {
    /// `origin` is where the service believes to be; what goes there goes to `service`.
    pub fn new(origin: &str, service: &str) -> Self {
        let client = Client::builder().timeout(super::PATIENCE).disable_redirects().finish();
        Self {
            client,
            origin: origin.to_owned(),
            service: service.to_owned(),
            jar: Vec::new(),
            seen: Vec::new(),
            visited: Vec::new(),
            tamper: None,
        }
    }

    /// The same browser, led to another replica of the service from now on.
    pub fn led_to(&self, service: &str) -> Self {
        Self { service: service.to_owned(), ..self.clone() }
    }

    /// An address of the service.
    pub fn at(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin)).expect("an address")
    }

    /// The value of a cookie of the service.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let host = self.at("/").host_str().map(str::to_owned);
        self.jar
            .iter()
            .find(|cookie| Some(&cookie.host) == host.as_ref() && cookie.name == name)
            .map(|cookie| cookie.value.as_str())
    }

    /// Types an address of the service.
    pub async fn navigate(&mut self, path: &str) -> Page {
        self.go(Method::GET, self.at(path), String::new(), None).await
    }

    /// Types any address.
    pub async fn visit(&mut self, url: &str) -> Page {
        self.go(Method::GET, Url::parse(url).expect("an address"), String::new(), None).await
    }

    /// Signs in with the provider's form, from the service's login address to the page that it ends at.
    pub async fn sign_in(&mut self, user: &str, return_to: &str) -> Page {
        let form = self.begin_sign_in(return_to).await;
        self.fill_in(&form, user).await
    }

    /// Goes as far as the provider's form.
    pub async fn begin_sign_in(&mut self, return_to: &str) -> Page {
        let return_to: String = url::form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        let page = self.navigate(&format!("/api/auth/login?returnTo={return_to}")).await;
        assert!(page.answer.text().contains("type=\"password\""), "{} shows a login form", page.url);
        page
    }

    /// Fills the provider's form in and follows where that leads.
    pub async fn fill_in(&mut self, form: &Page, user: &str) -> Page {
        self.submit(form, &[("username", user), ("password", user), ("action", "login")]).await
    }

    /// Submits the page's form with its hidden fields and these.
    pub async fn submit(&mut self, form: &Page, fields: &[(&str, &str)]) -> Page {
        let html = form.answer.text();
        let action = attribute(tags(&html, "form").next().expect("a form"), "action").expect("a form with an action");
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for tag in tags(&html, "input").filter(|tag| attribute(tag, "type").as_deref() == Some("hidden")) {
            body.append_pair(&attribute(tag, "name").unwrap_or_default(), &attribute(tag, "value").unwrap_or_default());
        }
        body.extend_pairs(fields);
        let target = form.url.join(&action).expect("an address");
        self.go(Method::POST, target, body.finish(), form.url.host_str().map(str::to_owned)).await
    }

    /// What `HttpClient` of an Angular page of the service does.
    pub async fn fetch(&mut self, method: Method, path: &str) -> Received {
        let mut headers = vec![(SEC_FETCH_SITE, "same-origin".to_owned()), (SEC_FETCH_MODE, "cors".to_owned())];
        if !method.is_safe() {
            headers.push((ORIGIN, self.origin.clone()));
            headers.extend(self.cookie("XSRF-TOKEN").map(|token| (X_XSRF_TOKEN, token.to_owned())));
        }
        self.fetch_with(method, path, &headers).await
    }

    /// A request of script with the cookies of the service, and with these headers only.
    pub async fn fetch_with(&mut self, method: Method, path: &str, headers: &[(HeaderName, String)]) -> Received {
        let mut headers = headers.to_vec();
        headers.push((ACCEPT, "application/json, text/plain, */*".to_owned()));
        let url = self.at(path);
        self.send(method, &url, &headers, String::new(), true, true).await
    }

    /// What `HttpClient` does with a JSON body, with these headers on top.
    pub async fn fetch_json(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: &serde_json::Value,
    ) -> Received {
        let mut all = vec![
            (SEC_FETCH_SITE, "same-origin".to_owned()),
            (ORIGIN, self.origin.clone()),
            (CONTENT_TYPE, "application/json".to_owned()),
        ];
        all.extend(self.cookie("XSRF-TOKEN").map(|token| (X_XSRF_TOKEN, token.to_owned())));
        all.extend(headers.iter().map(|(name, value)| (name.clone(), (*value).to_owned())));
        let url = self.at(path);
        self.send(method, &url, &all, body.to_string(), true, true).await
    }

    /// Opens a stream with the cookies of the service, whose body is read by the caller. `None` when nobody answers.
    pub async fn open(&self, path: &str, headers: &[(HeaderName, String)]) -> Option<ClientResponse<Decoder<Payload>>> {
        let url = self.at(path);
        let mut request = self.client.get(url.as_str().replacen(&self.origin, &self.service, 1));
        for (name, value) in headers {
            request.headers_mut().append(name.clone(), HeaderValue::from_str(value).expect("a header value"));
        }
        let cookies = self.cookies_for(&url, true, true);
        if !cookies.is_empty() {
            request.headers_mut().append(COOKIE, HeaderValue::from_str(&cookies).expect("a header value"));
        }
        request.send().await.ok()
    }

    /// Where an address of the service really is.
    pub fn address(&self, path: &str) -> String {
        self.at(path).as_str().replacen(&self.origin, &self.service, 1)
    }

    /// The `Cookie` header of a request of the service's own pages.
    pub fn cookie_header(&self, path: &str) -> String {
        self.cookies_for(&self.at(path), true, true)
    }

    /// `GET` by script.
    pub async fn get(&mut self, path: &str) -> Received {
        self.fetch(Method::GET, path).await
    }

    /// Navigates, follows redirects and pages that go on by themselves. `initiator` is the host of the page that began it.
    async fn go(&mut self, method: Method, url: Url, body: String, initiator: Option<String>) -> Page {
        let (mut method, mut url, mut body) = (method, url, body);
        // The hosts that had a hand in this navigation. Strict cookies go along only when all of them are the target's.
        let mut hosts: Vec<String> = initiator.into_iter().collect();
        for _ in 0..MAX_STEPS {
            if let Some((from, to)) = self.tamper.as_ref().filter(|_| url.path() == "/api/auth/callback") {
                url = Url::parse(&url.as_str().replacen(from, to, 1)).expect("an address");
            }
            self.visited.push(url.clone());
            let host = url.host_str().unwrap_or_default().to_owned();
            let same_site = hosts.iter().all(|known| *known == host);
            let lax = same_site || method == Method::GET;
            let mut headers = vec![
                (SEC_FETCH_MODE, "navigate".to_owned()),
                (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8".to_owned()),
                (
                    SEC_FETCH_SITE,
                    if hosts.is_empty() {
                        "none"
                    } else if same_site {
                        "same-origin"
                    } else {
                        "cross-site"
                    }
                    .to_owned(),
                ),
            ];
            if method == Method::POST {
                headers.push((CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()));
            }
            let answer = self.send(method.clone(), &url, &headers, body, same_site, lax).await;
            hosts.push(host.clone());
            body = String::new();
            if let Some(location) = answer.header(LOCATION.as_str()).filter(|_| answer.status.is_redirection()) {
                url = url.join(location).expect("an address");
            } else if let Some(next) = refresh(&answer) {
                // The page itself begins this one.
                hosts = vec![host];
                url = url.join(&next).expect("an address");
            } else {
                return Page { url, answer };
            }
            method = Method::GET;
        }
        panic!("more than {MAX_STEPS} redirects, the last one to {url}");
    }

    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
        body: String,
        strict: bool,
        lax: bool,
    ) -> Received {
        let is_service = url.as_str().starts_with(&self.origin);
        let address = if is_service { url.as_str().replacen(&self.origin, &self.service, 1) } else { url.to_string() };
        let mut request = self.client.request(method, address);
        for (name, value) in headers {
            request.headers_mut().append(name.clone(), HeaderValue::from_str(value).expect("a header value"));
        }
        let cookies = self.cookies_for(url, strict, lax);
        if !cookies.is_empty() {
            request.headers_mut().append(COOKIE, HeaderValue::from_str(&cookies).expect("a header value"));
        }
        let answer = receive(request.send_body(body)).await;
        for line in answer.header_values(SET_COOKIE.as_str()) {
            self.keep(url, line);
        }
        if is_service {
            self.seen.push(format!("{} {:?}\n{}", answer.status, answer.headers, answer.text()));
        }
        answer
    }

    fn cookies_for(&self, url: &Url, strict: bool, lax: bool) -> String {
        let sent = self.jar.iter().filter(|cookie| Some(cookie.host.as_str()) == url.host_str());
        let sent = sent.filter(|cookie| match cookie.attribute("samesite").as_deref() {
            Some("strict") => strict,
            Some("none") => true,
            _ => lax,
        });
        let sent = sent.filter(|cookie| cookie.attribute("path").is_none_or(|path| url.path().starts_with(&path)));
        sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, url: &Url, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) =
            parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name and a value");
        let cookie = JarCookie {
            host: url.host_str().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_ascii_lowercase).collect(),
        };
        self.jar.retain(|known| (&known.host, &known.name) != (&cookie.host, &cookie.name));
        if cookie.attribute("max-age").as_deref() != Some("0") {
            self.jar.push(cookie);
        }
    }
}

impl JarCookie {
    /// The value of an attribute, in lower case.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }
}

/// Where the page goes on to by itself.
fn refresh(answer: &Received) -> Option<String> {
    let html = answer.text();
    let tag = tags(&html, "meta").find(|tag| attribute(tag, "http-equiv").as_deref() == Some("refresh"))?;
    attribute(tag, "content")?.split_once("url=").map(|(_, url)| url.to_owned())
}

fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    html.split('<').filter_map(move |rest| {
        let inside = rest.strip_prefix(name)?;
        inside.starts_with([' ', '>']).then(|| inside.split('>').next().unwrap_or_default())
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(value.to_owned(), |text, (entity, character)| text.replace(entity, character)))
}

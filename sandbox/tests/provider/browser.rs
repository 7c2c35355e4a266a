//! A browser as far as the provider needs one: cookies, and forms that are read from pages.

use std::collections::BTreeMap;

use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;

use crate::running::{Answer, Running};

/// A browser with its cookies. It follows no redirect by itself.
pub struct Browser<'a> {
    running: &'a Running,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// A browser without cookies.
    pub fn new(running: &'a Running) -> Self {
        Self { running, cookies: BTreeMap::new() }
    }

    /// A browser with one cookie.
    pub fn with_cookie(mut self, name: &str, value: String) -> Self {
        self.cookies.insert(name.to_owned(), value);
        self
    }

    /// The value of a cookie that the browser has.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Goes to an address.
    pub async fn get(&mut self, path: &str) -> Answer {
        let cookies = self.header();
        let answer = self.running.get(path, &[("cookie", &cookies)]).await;
        self.remember(&answer);
        answer
    }

    /// Sends a form.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let cookies = self.header();
        let answer = self.running.post(path, form, &[("cookie", &cookies)]).await;
        self.remember(&answer);
        answer
    }

    /// Goes to the authorization endpoint.
    pub async fn authorize(&mut self, query: &str) -> Answer {
        self.get(&format!("/authorize?{query}")).await
    }

    /// Fills the login form of `page` and sends it.
    pub async fn log_in(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let mut form = hidden_fields(&page.body);
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("/login", &form).await
    }

    /// Signs a user in through the form and returns the code.
    pub async fn code_for(&mut self, user: &str, query: &str) -> String {
        let page = self.authorize(query).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let answer = self.log_in(&page, &[("username", user), ("password", user)]).await;
        answer.redirect_query().remove("code").expect("a code")
    }

    fn header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn remember(&mut self, answer: &Answer) {
        for value in answer.headers.get_all("set-cookie") {
            let text = value.to_str().expect("an ASCII cookie");
            let cookie = Cookie::parse(text.to_owned()).expect("a cookie");
            if cookie.max_age() == Some(Duration::ZERO) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }
}

/// The hidden fields of the form on a page.
pub fn hidden_fields(html: &str) -> Vec<(String, String)> {
    html.split("<input type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").expect("a value");
            let (value, _) = rest.split_once('"').expect("the end of the value");
            (name.to_owned(), value.replace("&amp;", "&"))
        })
        .collect()
}

//! The application and the API from one origin.

mod cors;
mod files;
mod pages;
mod render;

use std::{fs, path::Path};

use actix_web::http::header::HeaderName;
use shared_lib::testing::{Received, receive};
use tempfile::TempDir;

use crate::harness::{Variable, World};

/// As Angular's builder writes one, with a place for the nonce.
const INDEX: &str = "<!doctype html><html><head><base href=\"/\"><style>body{margin:0}</style></head><body>\
    <app-root ngCspNonce=\"%CSP_NONCE%\"></app-root><script src=\"main-5HXNRHVT.js\" type=\"module\"></script></body></html>";

/// A script that is worth compressing.
fn script() -> String {
    "console.log('a line of the application');\n".repeat(100)
}

/// A folder with a built application.
fn application() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "index.html", INDEX.as_bytes());
    write(folder.path(), "main-5HXNRHVT.js", script().as_bytes());
    write(folder.path(), "favicon.ico", b"icon");
    folder
}

fn write(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

/// The service with the application of this folder, and these settings on top.
async fn serving(folder: &TempDir, variables: &[Variable<'_>]) -> World {
    let path = folder.path().to_str().expect("text");
    let mut all = vec![("BFF_WEB__SPA__FOLDER", path)];
    all.extend(variables);
    World::start_with(&all).await
}

/// Asks without credentials, and takes the answer as it comes.
async fn get(world: &World, path: &str, headers: &[(HeaderName, &str)]) -> Received {
    let mut request = world.service.client().get(world.service.url(path)).no_decompress();
    for (name, value) in headers {
        request = request.insert_header((name.clone(), *value));
    }
    receive(request.send()).await
}

/// The nonce of a page's scripts, by its policy.
fn nonce(answer: &Received) -> String {
    let policy = answer.header("content-security-policy").expect("a policy");
    let (_, rest) = policy.split_once("script-src 'self' 'nonce-").expect("a nonce");
    rest.split('\'').next().unwrap_or_default().to_owned()
}

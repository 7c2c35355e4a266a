//! The files of the application.

use std::os::unix::fs::symlink;

use actix_web::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE, RANGE};
use bff_web::BffWeb;
use sandbox::Sandbox;
use shared_lib::{
    clock::Clock,
    testing::{TestService, receive},
};

use super::{application, get, script, serving, write};
use crate::harness::settings;

#[actix_web::test]
async fn a_name_with_a_hash_is_kept_for_ever_and_any_other_is_asked_for_anew() {
    let folder = application();
    let world = serving(&folder, &[]).await;
    for (path, control, kind) in [
        ("/main-5HXNRHVT.js", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"),
        ("/favicon.ico", "public, no-cache", "image/x-icon"),
    ] {
        let answer = get(&world, path, &[]).await;
        assert_eq!((answer.header("cache-control"), answer.header("content-type")), (Some(control), Some(kind)));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header_values("set-cookie"), [] as [&str; 0], "a file is the same for everyone");
        let tag = answer.header("etag").expect("a tag");
        let known = get(&world, path, &[(IF_NONE_MATCH, tag)]).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
        assert_eq!((known.header("etag"), known.header("cache-control")), (Some(tag), Some(control)));
        assert_eq!(known.header("vary"), answer.header("vary"));
    }
    let worker = get(&world, "/main-5HXNRHVT.js", &[]).await;
    let policy = worker.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'self'"), "a worker may load what is ours: {policy}");
}

#[actix_web::test]
async fn what_the_build_has_compressed_is_sent_as_it_is_and_the_rest_is_compressed_here() {
    let folder = application();
    write(folder.path(), "main-5HXNRHVT.js.br", b"what the build made of it");
    let world = serving(&folder, &[]).await;
    let plain = get(&world, "/main-5HXNRHVT.js", &[]).await;
    assert_eq!((plain.text(), plain.header("content-encoding")), (script(), None));
    let mut tags = vec![plain.header("etag").expect("a tag").to_owned()];
    for coding in ["br", "zstd", "gzip"] {
        let coded = get(&world, "/main-5HXNRHVT.js", &[(ACCEPT_ENCODING, coding)]).await;
        assert_eq!((coded.header("content-encoding"), coded.header("vary")), (Some(coding), Some("Accept-Encoding")));
        assert_eq!(coded.body == "what the build made of it", coding == "br");
        assert!(coded.body.len() * 3 < script().len(), "{coding}");
        let tag = coded.header("etag").expect("a tag").to_owned();
        assert!(!tag.starts_with("W/"), "{tag}");
        let known = get(&world, "/main-5HXNRHVT.js", &[(ACCEPT_ENCODING, coding), (IF_NONE_MATCH, &tag)]).await;
        assert_eq!((known.status.as_u16(), known.header("content-encoding")), (304, None));
        let other = get(&world, "/main-5HXNRHVT.js", &[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!(other.status, 200, "who has it in {coding} does not have it plain");
        tags.push(tag);
    }
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 4, "each coding has a tag of its own");
    let decoded = receive(
        world
            .service
            .client()
            .get(world.service.url("/main-5HXNRHVT.js"))
            .insert_header((ACCEPT_ENCODING, "gzip"))
            .send(),
    );
    assert_eq!(decoded.await.text(), script(), "what comes out again is what went in");
    // Neither is worth it for a picture, nor is a file of its own what belongs to another.
    let icon = get(&world, "/favicon.ico", &[(ACCEPT_ENCODING, "br")]).await;
    assert_eq!((icon.header("content-encoding"), icon.header("vary")), (None, None));
    assert_eq!(get(&world, "/main-5HXNRHVT.js.br", &[]).await.status, 404);
}

#[actix_web::test]
async fn a_part_of_a_file_and_its_head_are_given() {
    let folder = application();
    let world = serving(&folder, &[]).await;
    let path = "/main-5HXNRHVT.js";
    let (whole, length) = (script(), script().len());
    let head = receive(world.service.client().head(world.service.url(path)).no_decompress().send()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    let part = get(&world, path, &[(RANGE, "bytes=2-5"), (ACCEPT_ENCODING, "br")]).await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, &whole[2..6]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 2-5/{length}").as_str()));
    assert_eq!(part.header("content-encoding"), None);
    let beyond = get(&world, path, &[(RANGE, "bytes=999999-")]).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}").as_str()));
    let changed = get(&world, path, &[(RANGE, "bytes=2-5"), (IF_RANGE, "\"another\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.body.len()), (200, length));
}

#[actix_web::test]
async fn nothing_outside_of_the_folder_is_served_and_nothing_hidden_in_it() {
    let (folder, outside) = (application(), application());
    write(outside.path(), "secret.txt", b"not yours");
    write(folder.path(), ".env", b"not yours");
    write(folder.path(), ".git/config.txt", b"not yours");
    write(folder.path(), ".well-known/assetlinks.json", b"[]");
    symlink(outside.path().join("secret.txt"), folder.path().join("link.txt")).expect("a link");
    symlink(outside.path(), folder.path().join("elsewhere")).expect("a link");
    symlink(folder.path().join("favicon.ico"), folder.path().join("inside.ico")).expect("a link");
    let world = serving(&folder, &[]).await;
    let outside = outside.path().file_name().and_then(|name| name.to_str()).expect("a name");
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config.txt",
        "/link.txt",
        "/elsewhere/secret.txt",
        &format!("/../{outside}/secret.txt"),
        &format!("/..%2f{outside}%2fsecret.txt"),
        &format!("/%2e%2e/{outside}/secret.txt"),
        &format!("/..\\{outside}\\secret.txt").replace('\\', "%5c"),
        "//etc/passwd.txt",
        "/favicon.ico%00.txt",
        "/favicon.ico/",
    ] {
        let answer = get(&world, path, &[]).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("not yours"), "{path}");
    }
    assert_eq!(get(&world, "/inside.ico", &[]).await.text(), "icon");
    assert_eq!(get(&world, "/.well-known/assetlinks.json", &[]).await.text(), "[]");
}

#[actix_web::test]
async fn a_folder_that_cannot_be_served_keeps_the_service_from_starting() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let (empty, whole) = (tempfile::tempdir().expect("a folder"), application());
    let text = |folder: &tempfile::TempDir| folder.path().to_str().expect("text").to_owned();
    for (folder, other, reason) in [
        (text(&empty), ("BFF_WEB__SPA__MAX_BYTES", "1000000"), "there is no index.html"),
        (format!("{}/none", text(&empty)), ("BFF_WEB__SPA__MAX_BYTES", "1000000"), "cannot be read"),
        (text(&whole), ("BFF_WEB__SPA__MAX_BYTES", "1000"), "more than max_bytes (1000)"),
        (String::new(), ("BFF_WEB__SPA__RENDER", "catalog"), "render needs [spa] folder"),
        (text(&whole), ("BFF_WEB__SPA__RENDER", "renderer"), "renderer"),
    ] {
        let mut variables = vec![other];
        if !folder.is_empty() {
            variables.push(("BFF_WEB__SPA__FOLDER", &folder));
        }
        let started = TestService::try_start::<BffWeb>(settings(&sandbox, &variables), Clock::system()).await;
        let error = started.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(reason), "{folder}: {error}");
    }
}

//! The samples of the page, run as they stand there, against the service in front of a sandbox.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use bff_partner::keys::NewKey;
use sandbox::chaos::Rule;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Command, sync::OnceCell};

use crate::harness::{Stage, ids, new_key};

/// The address that the settings say, and that the page shows.
const ORIGIN: &str = "https://api.partner.test";

/// It only ends tests that hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the names of samples end.
const LANGUAGES: [&str; 3] = ["sh", "py", "ts"];

/// What a sample said.
struct Ran {
    name: String,
    succeeded: bool,
    output: String,
    errors: String,
}

impl Ran {
    fn output(&self) -> &str {
        assert!(self.succeeded, "{}: {}{}", self.name, self.output, self.errors);
        self.output.trim_end()
    }

    fn lines(&self) -> Vec<&str> {
        self.output().lines().collect()
    }
}

/// The service, and the samples of its page, made to reach it where it really is.
struct Portal {
    stage: Stage,
    folder: TempDir,
}

impl Portal {
    async fn new(variables: &[(&str, &str)]) -> Self {
        let variables = [variables, &[("BFF_PARTNER__SERVER__PUBLIC_ORIGIN", ORIGIN)]].concat();
        let stage = Stage::with(&variables).await;
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).expect("the folder is there");
        let shown = samples(&stage.service.get("/docs").await.text());
        for (name, code) in shown.iter().chain(compiled(&shown).await) {
            assert!(code.contains(ORIGIN), "{name} shows where the service is");
            let code = code.replace(ORIGIN, stage.service.url("").trim_end_matches('/'));
            fs::write(folder.path().join(name), code).expect("the folder is there");
        }
        Self { stage, folder }
    }

    /// Runs one sample of each language.
    async fn run(&self, name: &str, arguments: impl Fn(&str) -> Vec<String>) -> Vec<Ran> {
        let mut ran = Vec::new();
        for language in LANGUAGES {
            ran.push(self.run_in(language, name, &arguments(language), &self.stage.key).await);
        }
        ran
    }

    async fn run_in(&self, language: &str, name: &str, arguments: &[String], key: &str) -> Ran {
        let (program, ending) = match language {
            "sh" => ("bash", "sh"),
            "py" => ("python3", "py"),
            _ => ("node", "js"),
        };
        if language == "sh" {
            output_of("curl", |curl| curl.arg("--version")).await;
        }
        let file = self.folder.path().join(format!("{name}.{ending}"));
        let output = output_of(program, |call| call.arg(file).args(arguments).env("TRIFRONT_KEY", key)).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran {
            name: format!("{name}.{language}"),
            succeeded: output.status.success(),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }
}

/// The TypeScript samples of the page as JavaScript: their types checked and taken out, as a partner's build would. The
/// page is the same in all tests, so it is done once.
async fn compiled(shown: &BTreeMap<String, String>) -> &'static BTreeMap<String, String> {
    static COMPILED: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();
    COMPILED.get_or_init(|| compile(shown)).await
}

async fn compile(shown: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let modules = install_typescript().await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    fs::write(at.join("package.json"), r#"{"type": "module"}"#).expect("the folder is there");
    std::os::unix::fs::symlink(&modules, at.join("node_modules")).expect("the folder is there");
    let names: Vec<&String> = shown.keys().filter(|name| name.ends_with(".ts")).collect();
    for name in &names {
        fs::write(at.join(name), &shown[*name]).expect("the folder is there");
    }
    let compiled = output_of("node", |node| {
        node.current_dir(at)
            .arg(modules.join("typescript/bin/tsc"))
            .args(["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noUnusedLocals"])
            .args(["--target", "ES2022", "--module", "NodeNext", "--moduleDetection", "force", "--types", "node"])
            .args(["--outDir", "compiled"])
            .args(&names)
    })
    .await;
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    let script = |name: &&String| {
        let name = name.replace(".ts", ".js");
        let code = fs::read_to_string(at.join("compiled").join(&name)).expect("it was compiled");
        (name, code)
    };
    names.iter().map(script).collect()
}

/// What a program says, which has to be there.
async fn output_of(name: &str, make: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let mut command = Command::new(name);
    let output = make(&mut command).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends");
    output.unwrap_or_else(|error| {
        panic!("{name} cannot be started ({error}), and the samples need it: deploy/dev/install-test-tools installs it")
    })
}

/// Where the TypeScript compiler is, of the version that the clients are built with.
async fn install_typescript() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (client, folder) = (root.join("clients/mobile"), root.join("target/samples-typescript"));
    let (wanted, installed) = (client.join("package-lock.json"), folder.join("installed"));
    let wanted = fs::read(wanted).expect("the client is there");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return folder.join("node_modules").canonicalize().expect("it is installed");
    }
    fs::create_dir_all(&folder).expect("the target folder can be written");
    for file in ["package.json", "package-lock.json"] {
        fs::copy(client.join(file), folder.join(file)).expect("the client is there");
    }
    let ci = output_of("npm", |npm| npm.current_dir(&folder).args(["ci", "--no-fund", "--no-audit"])).await;
    assert!(ci.status.success(), "npm ci: {}", String::from_utf8_lossy(&ci.stderr));
    fs::write(installed, wanted).expect("the target folder can be written");
    folder.join("node_modules").canonicalize().expect("it is installed")
}

/// The samples of the page by the names of their files.
fn samples(page: &str) -> BTreeMap<String, String> {
    let blocks = page.split("<pre id=\"").skip(1);
    let sample = |block: &str| {
        let (name, rest) = block.split_once("\">").expect("a name");
        let code = rest.split("</pre>").next().expect("an end");
        let code = code.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        (name.to_owned(), code)
    };
    blocks.map(sample).collect()
}

fn no_arguments(_: &str) -> Vec<String> {
    Vec::new()
}

/// The orders of `acme`, newest first.
async fn all_orders(stage: &Stage) -> Vec<String> {
    let mut all = Vec::new();
    for page in 0.. {
        let body = stage.get(&format!("/v1/orders?size=100&page={page}")).await.json();
        all.extend(ids(&body));
        if body["last"] == true {
            break;
        }
    }
    all
}

#[actix_web::test]
async fn every_sample_is_on_the_page_in_every_language() {
    let stage = Stage::with(&[("BFF_PARTNER__SERVER__PUBLIC_ORIGIN", ORIGIN)]).await;
    let page = stage.service.get("/docs").await.text();
    let shown: Vec<String> = samples(&page).into_keys().collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples");
    let files = fs::read_dir(folder).expect("the samples are there").flatten();
    let mut files: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    assert_eq!(shown, files);
    assert_eq!(files.len() % LANGUAGES.len(), 0, "each in every language");
    assert!(!page.contains("partner.example"), "the page shows where the service is");
    assert!(page.contains(&format!("{ORIGIN}/v1/products")));
}

#[actix_web::test]
async fn the_first_call_shows_a_product() {
    let portal = Portal::new(&[]).await;
    let first = portal.stage.get("/v1/products?size=1").await.json()["content"][0]["name"].clone();
    let name = first.as_str().expect("a name").to_owned();
    for ran in portal.run("first-call", no_arguments).await {
        let said = match serde_json::from_str::<Value>(ran.output()) {
            Ok(page) => page["content"][0]["name"].as_str().expect("a name").to_owned(),
            Err(_) => ran.output().to_owned(),
        };
        assert_eq!(said, name, "{}", ran.name);
    }
    let wrong = portal.run_in("sh", "first-call", &[], "tfp_test_x").await;
    assert!(!wrong.succeeded && wrong.output.contains("invalid-api-key"), "{}", wrong.output);
}

/// Shows: P6
#[actix_web::test]
async fn an_order_that_a_sample_sends_again_and_again_is_placed_once() {
    let portal = Portal::new(&[("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    let before = all_orders(&portal.stage).await;
    let order = |language: &str| vec![format!("purchase-{language}"), "SKU-00001".to_owned(), "2".to_owned()];
    // The first try of each fails, and each tries again by itself.
    let mut first = Vec::new();
    for language in LANGUAGES {
        portal.stage.disturb("orders", Rule::status(503).times(1));
        first.push(portal.run_in(language, "place-order", &order(language), &portal.stage.key).await);
    }
    let again = portal.run("place-order", order).await;
    for (first, again) in first.iter().zip(&again) {
        let (first, again) = (first.output(), again.output());
        // curl shows the problem of a try before the order.
        assert!(first.ends_with(again), "{first} {again}");
    }
    let now = all_orders(&portal.stage).await;
    assert_eq!(now[LANGUAGES.len()..], before[..], "three orders were placed");
    for ran in &again {
        assert!(now[..LANGUAGES.len()].iter().any(|id| ran.output().contains(id.as_str())), "{}", ran.name);
    }
}

/// Shows: S1
#[actix_web::test]
async fn a_walk_by_a_sample_meets_every_order() {
    let portal = Portal::new(&[]).await;
    let all = all_orders(&portal.stage).await;
    assert!(all.len() > 200, "several stretches");
    for ran in portal.run("walk-a-list", no_arguments).await {
        let stretches =
            ran.lines().into_iter().map(|line| serde_json::from_str::<Value>(line).ok().map(|page| ids(&page)));
        let met: Vec<String> = match stretches.collect::<Option<Vec<_>>>() {
            Some(stretches) => stretches.concat(),
            None => ran.lines().into_iter().map(ToOwned::to_owned).collect(),
        };
        assert_eq!(met, all, "{}", ran.name);
    }
}

/// Shows: P3
#[actix_web::test]
async fn who_does_as_the_samples_is_let_in_in_the_end() {
    let portal = Portal::new(&[]).await;
    for language in LANGUAGES {
        // Of a plan that lets ten calls in at once, and more after a part of a second.
        let key =
            portal.stage.another_key(NewKey { plan: "free".to_owned(), ..new_key(&format!("p-{language}")) }).await;
        // Used up, so that the sample meets a limit whatever it takes to start.
        let used_up = async || portal.stage.get_with("/v1/products?size=1", key.key.expose()).await.status == 429;
        let mut calls = 0;
        while !used_up().await {
            calls += 1;
            assert!(calls < 200, "there is a limit");
        }
        let ran = portal.run_in(language, "keep-to-limits", &["40".to_owned()], key.key.expose()).await;
        assert_eq!(ran.lines().len(), 40, "{}", ran.output);
        assert!(ran.lines().iter().all(|line| line.starts_with("200 \"burst\";r=")), "{}", ran.output);
    }
}

/// Shows: P6
#[actix_web::test]
async fn orders_in_one_call_of_a_sample_are_placed_once() {
    let portal = Portal::new(&[]).await;
    let before = all_orders(&portal.stage).await;
    let orders = |language: &str| vec![format!("{language}-1"), format!("{language}-2")];
    let first = portal.run("bulk-orders", orders).await;
    let again = portal.run("bulk-orders", orders).await;
    for (first, again) in first.iter().zip(&again) {
        if first.name.ends_with(".sh") {
            let body: Value = serde_json::from_str(first.output()).expect("JSON");
            assert_eq!((&body["succeeded"], &body["failed"]), (&2.into(), &0.into()), "{}", first.output);
            assert_eq!(again.output().matches("\"replayed\":true").count(), 2, "{}", again.output);
        } else {
            assert!(first.lines().iter().all(|line| line.ends_with(" new")), "{}", first.output);
            assert_eq!(again.output(), first.output().replace(" new", " again"));
        }
    }
    assert_eq!(all_orders(&portal.stage).await.len(), before.len() + 2 * LANGUAGES.len());
}

/// Shows: P8
#[actix_web::test]
async fn problems_are_told_apart_by_their_codes() {
    let portal = Portal::new(&[("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    for ran in portal.run("read-a-problem", |_| vec!["SKU-99999".to_owned()]).await {
        assert_eq!(ran.output(), "not for sale: SKU-99999", "{}", ran.name);
    }
    for ran in portal.run("read-a-problem", |_| vec!["x".repeat(65)]).await {
        assert!(ran.output().starts_with("our own mistake: "), "{}: {}", ran.name, ran.output);
        assert!(ran.output().contains("/lines/0/productId"), "{}: {}", ran.name, ran.output);
    }
    for ran in portal.run("read-a-problem", |language| vec![format!("SKU-0000{}", language.len())]).await {
        assert!(ran.output().starts_with("ordered: ord_"), "{}: {}", ran.name, ran.output);
    }
    portal.stage.disturb("orders", Rule::status(500));
    for ran in portal.run("read-a-problem", |_| vec!["SKU-00007".to_owned()]).await {
        assert_eq!(ran.output(), "later", "{}", ran.name);
    }
    let reader = NewKey { scopes: vec!["orders:read".to_owned()], ..new_key("acme") };
    let reader = portal.stage.another_key(reader).await;
    for language in LANGUAGES {
        let ran = portal.run_in(language, "read-a-problem", &["SKU-00007".to_owned()], reader.key.expose()).await;
        assert!(ran.output().starts_with("ask support about 0"), "{}: {}", ran.name, ran.output);
    }
}

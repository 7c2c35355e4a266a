//! Holds the documents to the code: tables of codes and reasons, examples, names of settings and metrics, links.

use std::{
    collections::BTreeSet,
    fs,
    future::ready,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actix_web::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use shared_lib::{
    aggregate::Composite,
    downstream::{DownstreamError, Failure, Fetched, Freshness},
    pagination::{CursorPage, PageResponse},
    problem::{FieldError, Problem, ProblemKind, kinds},
};

const API_DESIGN: &str = "docs/API-DESIGN.md";
const CRATES: [&str; 4] = ["bff-web", "bff-mobile", "bff-partner", "shared-lib"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder whose names end so, in order. Build output and what npm installs are not ours.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules"].contains(&&*name) && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The sources of a crate, with the paths that messages show.
fn sources(name: &str) -> Vec<(String, String)> {
    let found = files(&root().join(name).join("src"), ".rs").into_iter();
    found.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("sources can be read"))).collect()
}

/// The cells of a document's rows whose first cell is this header's table.
fn table(document: &str, header: &str) -> Vec<String> {
    let text = read(document);
    let rows = text.lines().skip_while(|line| *line != header).skip(2);
    let rows: Vec<String> = rows.take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    assert!(!rows.is_empty(), "{document} has no table `{header}`");
    rows
}

fn example(name: &str) -> Value {
    let text = read(API_DESIGN);
    let after = text.split(&format!("<!-- example: {name} -->\n```json\n")).nth(1).expect("the example is there");
    serde_json::from_str(after.split("```").next().unwrap_or_default()).expect("the example is JSON")
}

fn assert_rows(document: &str, header: &str, expected: &[String]) {
    let found = table(document, header);
    assert_eq!(found, expected, "the table of {document} should be\n{}\n", expected.join("\n"));
}

/// Shows: P8
#[test]
fn the_documented_codes_are_those_of_the_library() {
    let row = |kind: &&'static ProblemKind| {
        format!("| `{}` | {} | {} | {} |", kind.code, kind.status.as_u16(), kind.title, kind.remedy)
    };
    let expected: Vec<String> = kinds::ALL.iter().map(row).collect();
    assert_rows(API_DESIGN, "| code | status | title | what a client does |", &expected);
}

/// The text of a member such as `code: "…"` of a struct expression.
fn member<'a>(text: &'a str, before: &str, after: char) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split(after).next().unwrap_or_default()
}

fn status_named(name: &str) -> u16 {
    let named = |status: &StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_ascii_uppercase().replace([' ', '-'], "_") == name
    };
    let found = (100..600).filter_map(|number| StatusCode::from_u16(number).ok()).find(named);
    found.unwrap_or_else(|| panic!("there is no status {name}")).as_u16()
}

/// Shows: P8
#[test]
fn the_documented_codes_of_one_service_are_those_in_its_sources() {
    let mut expected = Vec::new();
    for name in CRATES {
        let mut rows = Vec::new();
        for (path, text) in sources(name) {
            if path.ends_with("problem/kinds.rs") {
                continue;
            }
            for kind in text.split(": ProblemKind = ProblemKind {").skip(1) {
                let kind = kind.split("};").next().unwrap_or_default();
                let status = status_named(member(kind, "status: StatusCode::", ','));
                let code = member(kind, "code: \"", '"');
                let (title, remedy) = (member(kind, "title: \"", '"'), member(kind, "remedy: \"", '"'));
                rows.push((status, code.to_owned(), format!("| {name} | `{code}` | {status} | {title} | {remedy} |")));
            }
        }
        rows.sort();
        expected.extend(rows.into_iter().map(|(_, _, row)| row));
    }
    assert_rows(API_DESIGN, "| of | code | status | title | what a client does |", &expected);
}

#[test]
fn the_documented_reasons_are_those_that_receipts_give() {
    let text = read("shared-lib/src/downstream/error.rs");
    let body =
        text.split_once("pub fn reason(&self)").expect("it is there").1.split("\n    }\n").next().unwrap_or_default();
    let given: BTreeSet<&str> = body.split('"').skip(1).step_by(2).collect();
    let rows = table(API_DESIGN, "| reason | what happened |");
    let documented: BTreeSet<&str> = rows.iter().map(|row| member(row, "`", '`')).collect();
    assert_eq!(documented, given);
}

#[test]
fn the_example_of_a_page_is_a_page() {
    let page: PageResponse<Value> = serde_json::from_value(example("page")).expect("a page");
    assert_eq!(serde_json::to_value(page).expect("JSON"), example("page"));
}

#[test]
fn the_example_of_a_stretch_is_a_stretch() {
    let stretch: CursorPage<Value> = serde_json::from_value(example("stretch")).expect("a stretch");
    assert_eq!(serde_json::to_value(stretch).expect("JSON"), example("stretch"));
}

#[test]
fn the_example_of_a_problem_is_a_problem() {
    let example = example("problem");
    let problem = Problem::validation(&[
        FieldError::query("size", "must be a whole number from 1"),
        FieldError::query("sort", "is not one of the accepted orders").allowing(["name,asc", "name,desc"]),
    ]);
    assert_eq!(problem.to_json(example["requestId"].as_str()), example);
}

#[actix_web::test]
async fn the_example_of_a_receipt_is_a_receipt() {
    let as_of: Timestamp = "2023-11-14T22:13:20Z".parse().expect("a time");
    let fetched = |freshness| Ok(Fetched { value: (), freshness, as_of });
    let open = Failure::BreakerOpen { retry_after: Duration::from_secs(5) };
    let parts = Composite::new();
    futures_util::try_join!(
        parts.required("user", ready(fetched(Freshness::Live))),
        parts.optional("recentOrders", ready(fetched(Freshness::Stale("timeout")))),
        parts.optional("balance", ready(Err::<Fetched<()>, _>(DownstreamError::new(&Arc::from("accounts"), open)))),
    )
    .expect("no required part failed");
    assert_eq!(serde_json::to_value(parts.into_receipt()).expect("JSON"), example("receipt"));
}

fn documents() -> Vec<PathBuf> {
    files(&root(), ".md")
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("documents can be read");
        let folder = document.parent().expect("a file is in a folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !folder.join(path).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether this settings file has this key in this section, perhaps as a comment that shows it.
fn has_key(file: &str, section: &str, key: &str) -> bool {
    let of_section = file.lines().skip_while(|line| *line != section).skip(1);
    let mut lines = of_section.take_while(|line| !line.starts_with('['));
    lines.any(|line| line.trim_start_matches("# ").split([' ', '=']).next() == Some(key))
}

#[test]
fn settings_that_documents_name_exist() {
    let defaults: Vec<String> =
        files(&root(), "default.toml").iter().map(|path| fs::read_to_string(path).expect("a text")).collect();
    let downstream: String = sources("shared-lib").into_iter().map(|(_, text)| text).collect();
    let mut unknown = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("documents can be read");
        for span in text.split('`').skip(1).step_by(2) {
            let Some((section, key)) = span.split_once("] ").filter(|_| span.starts_with('[')) else { continue };
            let key = key.split([' ', '=']).next().unwrap_or_default();
            let known = if section.starts_with("[downstreams.") {
                downstream.contains(&format!("pub {key}: "))
            } else {
                defaults.iter().any(|file| has_key(file, &format!("{section}]"), key))
            };
            if !known {
                unknown.push(format!("{}: `{span}`", document.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn the_documented_metrics_are_those_that_are_recorded() {
    let mut recorded = BTreeSet::new();
    for (_, text) in CRATES.iter().flat_map(|name| sources(name)) {
        for kind in ["histogram", "counter", "gauge"] {
            for instrument in text.split(&format!("_{kind}(\"")).skip(1) {
                recorded.insert(instrument.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    let rows = table("docs/OPERATIONS.md", "| metric | at Prometheus | labels | what it tells |");
    let documented: BTreeSet<String> = rows.iter().map(|row| member(row, "`", '`').to_owned()).collect();
    assert_eq!(documented, recorded);
}

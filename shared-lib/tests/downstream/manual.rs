//! The page on downstreams shows settings that are taken, all of them, and says their true defaults.

use std::collections::BTreeSet;

use serde::Deserialize;
use shared_lib::{
    downstream::{DownstreamSettings, DownstreamsSettings},
    settings::Findings,
};
use url::Url;

use crate::tls::Authority;

const PAGE: &str = include_str!("../../../docs/DOWNSTREAMS.md");

#[derive(Deserialize)]
struct Example {
    downstreams: DownstreamsSettings,
}

/// The TOML of the page, block by block.
fn blocks() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends")).collect()
}

fn parse(block: &str) -> DownstreamsSettings {
    toml::from_str::<Example>(block).unwrap_or_else(|error| panic!("{error}\n{block}")).downstreams
}

/// Every name of a field in the settings.
fn fields(settings: &DownstreamSettings) -> BTreeSet<String> {
    let shown = format!("{settings:#?}");
    let names = shown.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned());
    names.collect()
}

#[test]
fn the_page_shows_every_key_with_its_true_default() {
    let example = parse(blocks()[0]).remove("catalog").expect("the example");
    let defaults = DownstreamSettings::for_address(&Url::parse(&example.urls[0]).expect("an address"));
    // A URL is written with a slash at its end; that is the only difference.
    let shown = |settings: &DownstreamSettings| format!("{settings:#?}").replace("8080/\"", "8080\"");
    assert_eq!(shown(&example), shown(&defaults));

    let written: BTreeSet<_> = blocks()
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| match line.strip_prefix('[') {
            Some(section) => section.trim_end_matches(']').rsplit('.').next(),
            None => line.split_once(" = ").map(|(key, _)| key),
        })
        .collect();
    let fields = fields(&defaults);
    assert!(fields.len() > 50, "all of them are looked for: {fields:?}");
    let missing: Vec<_> = fields.into_iter().filter(|field| !written.contains(field.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_example_of_the_page_passes_the_audit() {
    let authority = Authority::new("private");
    authority.identity();
    let blocks = blocks();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let block = block.replace("/etc/trifront/tls", authority.folder.path().to_str().expect("a path"));
        for (name, settings) in parse(&block) {
            let mut findings = Findings::new();
            settings.audit(&format!("downstreams.{name}"), &mut findings);
            assert!(findings.is_empty(), "{findings}");
        }
    }
}

//! `bff-partner keys …`, as a process.

use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs the real binary against a store in this folder.
fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let database = format!("sqlite://{}/deep/keys.db", folder.path().display());
    Command::new(env!("CARGO_BIN_EXE_bff-partner"))
        .args(arguments)
        .env("BFF_PARTNER__KEYS__DATABASE_URL", database)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn create(folder: &TempDir, more: &[&str]) -> String {
    let common = ["keys", "create", "--partner", "demo", "--environment", "test"];
    let scopes = ["--scopes", "products:read,orders:read,orders:write"];
    let made = run(folder, &[&common[..], &scopes[..], more].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout)
}

/// Shows: P1
#[test]
fn create_prints_the_key_alone_and_says_the_rest_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = create(&folder, &["--expires-in", "90d", "--cidr", "203.0.113.0/24", "--cidr", "2001:db8::/32"]);
    let key = printed.trim_end_matches('\n');
    assert_eq!((key.len(), printed.len()), (73, 74), "one line, and nothing else");
    assert!(key.starts_with("tfp_test_"));
    let id = &key[9..21];
    let listed = text(&run(&folder, &["keys", "list", "--partner", "demo"]).stdout);
    for part in [id, "demo", "test", "free", "active", "orders:read,orders:write,products:read", "203.0.113.0/24"] {
        assert!(listed.contains(part), "{part} is not in {listed}");
    }
    assert!(!listed.contains(&key[22..]), "the secret is not shown again");
    assert_eq!(text(&run(&folder, &["keys", "list", "--partner", "nobody"]).stdout), "");
}

/// Shows: P1
#[test]
fn what_is_done_to_a_key_is_written_down() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = create(&folder, &[]);
    let id = &key[9..21];
    let rotated = run(&folder, &["keys", "rotate", id, "--overlap", "1h"]);
    let successor = text(&rotated.stdout);
    assert!(rotated.status.success() && successor.len() == 74 && successor != key);
    assert!(run(&folder, &["keys", "revoke", id]).status.success());
    assert!(run(&folder, &["keys", "revoke", id]).status.success(), "to end a key twice is to end it");
    let shown = text(&run(&folder, &["keys", "show", id]).stdout);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert!(lines[0].contains("revoked"));
    for (line, action) in lines[1..].iter().zip(["created", "rotated", "revoked"]) {
        assert!(line.contains(action) && line.contains("cli:uid "), "{line}");
    }
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a machine has a name");
    assert!(run(&folder, &["keys", "revoke", &successor[9..21], "--by", "erin"]).status.success());
    let changes = text(&run(&folder, &["keys", "changes", "--limit", "2"]).stdout);
    let lines: Vec<Vec<_>> = changes.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{changes}");
    assert_eq!((lines[0][0], &lines[0][2..5]), (&successor[9..21], &["revoked", "cli:erin", hostname.trim()][..]));
    assert_eq!((lines[1][0], lines[1][2]), (id, "revoked"), "newest first");
}

#[test]
fn what_makes_no_key_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let valid = [("--partner", "demo"), ("--environment", "test"), ("--scopes", "orders:read"), ("--plan", "free")];
    for (option, wrong, reason) in [
        ("--partner", "Demo Ltd", "partner's name"),
        ("--environment", "prod", "live or test"),
        ("--scopes", "orders:delete", "scopes must be known ones"),
        ("--plan", "platinum", "one of [plans]"),
    ] {
        let options = valid.iter().flat_map(|(name, value)| [*name, if *name == option { wrong } else { *value }]);
        let refused = run(&folder, &["keys", "create"].into_iter().chain(options).collect::<Vec<_>>());
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{option}");
        assert!(text(&refused.stderr).contains(reason), "{}", text(&refused.stderr));
    }
    let unknown = run(&folder, &["keys", "revoke", "nothing"]);
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("no such key"), "{}", text(&unknown.stderr));
}

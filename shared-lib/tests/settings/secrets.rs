//! Secrets: their `_file` twins, and that no message shows one.

use shared_lib::settings::{Secret, Sources, load};

use super::{Sample, file, from_env, from_file, lines, refused, variables};

/// Shows: S14
#[test]
fn a_secret_is_read_from_its_file_without_the_trailing_newline() {
    let (secret, token) = (file("s3cr3t\r\n"), file("t0ken\n"));
    let settings = from_env(&[
        ("BFF_WEB__OIDC__CLIENT_SECRET_FILE", &secret.path().display().to_string()),
        ("BFF_WEB__DOWNSTREAMS__CATALOG__TOKEN_FILE", &token.path().display().to_string()),
    ])
    .expect("valid settings");
    assert_eq!(settings.oidc.client_secret.expose(), "s3cr3t");
    assert_eq!(settings.downstreams["catalog"].token.as_ref().map(Secret::expose), Some("t0ken"));
    assert!(!format!("{settings:?}").contains("s3cr3t"));
}

/// Shows: S14
#[test]
fn a_secret_given_twice_in_one_layer_is_refused_and_an_upper_layer_replaces_the_twin_of_a_lower_one() {
    let secret = file("s3cr3t-of-the-file");
    let name = secret.path().display().to_string();
    let both = [("BFF_WEB__OIDC__CLIENT_SECRET", "s3cr3t"), ("BFF_WEB__OIDC__CLIENT_SECRET_FILE", name.as_str())];
    let message = refused(from_env(&both));
    assert!(
        message.contains("oidc.client_secret: given twice: both `oidc.client_secret` and `oidc.client_secret_file`"),
        "{message}"
    );

    let lower = file("[oidc]\nclient_secret_file = \"/nowhere/at/all\"\n");
    let settings: Sample = load(&Sources { file: Some(lower.path().to_owned()), env: variables(&both[..1]) })
        .expect("the file of the lower layer is not even read");
    assert_eq!(settings.oidc.client_secret.expose(), "s3cr3t");
}

/// Shows: S14
#[test]
fn a_secret_file_that_cannot_be_read_or_is_empty_is_named_with_its_key() {
    let empty = file("\n");
    let message = refused(from_env(&[
        ("BFF_WEB__OIDC__CLIENT_SECRET_FILE", "/nowhere/at/all"),
        ("BFF_WEB__REDIS__URL_FILE", &empty.path().display().to_string()),
    ]));
    assert_eq!(lines(&message).len(), 2, "{message}");
    assert!(message.contains("oidc.client_secret_file: the file /nowhere/at/all cannot be read"), "{message}");
    assert!(message.contains("[environment variable BFF_WEB__OIDC__CLIENT_SECRET_FILE]"), "{message}");
    assert!(message.contains("redis.url_file: the file") && message.contains("is empty"), "{message}");
}

#[test]
fn no_message_shows_the_value_of_a_secret() {
    let (_, wrong_type) =
        from_file("[oidc]\nclient_secret = [\"s3cr3t\"]\n[downstreams.catalog]\ntoken = { s3cr3t = 1 }\n");
    assert!(refused(wrong_type).contains("oidc.client_secret: expected text"));
    let (_, not_a_table) = from_file("redis = \"redis://:s3cr3t@localhost\"\n");
    assert!(refused(not_a_table).contains("redis: expected a table of keys"));
    let (_, not_toml) = from_file("[redis]\nurl = \"redis://:s3cr3t@localhost\n");
    let message = refused(not_toml);
    assert!(message.contains(", line 2: not valid TOML"), "{message}");
    let message = refused(from_env(&[("BFF_WEB__REDIS__URL", "s3cr3t")]));
    assert!(
        message.contains("redis.url: ") && message.contains("[environment variable BFF_WEB__REDIS__URL]"),
        "{message}"
    );
    let message = refused(from_env(&[("BFF_WEB__OIDC__CLIENT_SECRT", "s3cr3t")]));
    assert!(message.contains("Did you mean `client_secret`?"), "{message}");
    assert!(message.contains("client_secret_file"), "{message}");
}

#[test]
fn production_refuses_development_secrets_of_every_layer() {
    let message = refused(from_env(&[
        ("BFF_WEB__ENVIRONMENT", "production"),
        ("BFF_WEB__REDIS__URL", "redis://:dev-only-password@redis:6379"),
        ("BFF_WEB__DOWNSTREAMS__CATALOG__TOKEN", "dev-only-token"),
    ]));
    let found: Vec<&str> = lines(&message).iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(found, ["management.operator_token", "oidc.client_secret", "redis.url", "downstreams.catalog.token"]);
    assert!(message.contains("[built-in defaults bff-web/config/default.toml]"), "{message}");
    assert!(!message.contains("dev-only-password"), "{message}");
}

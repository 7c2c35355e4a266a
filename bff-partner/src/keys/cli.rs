//! `bff-partner keys …`: what operators do to keys, from a shell beside the store.
//!
//! A new key goes to standard output and nothing else does, so that `key=$(bff-partner keys create …)` works; what there
//! is to say about it goes to standard error.

use std::{io::Write, os::unix::fs::MetadataExt, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    admin::{Created, KeyAdmin, NewKey},
    record::{KeyEnvironment, KeyRecord},
    store::{AuditEntry, By},
};

/// The commands of this BFF.
#[derive(Debug, Clone, Subcommand)]
pub enum PartnerCommand {
    /// Create, list, show, revoke and rotate API keys.
    Keys(KeysArgs),
}

/// What is done to keys, and by whom.
#[derive(Debug, Clone, Args)]
pub struct KeysArgs {
    /// Who does it, for the log of changes; left out: the number of the system's user.
    #[arg(long, global = true, value_parser = parse_name)]
    by: Option<String>,
    #[command(subcommand)]
    command: KeysCommand,
}

/// What can be done to keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Create a key and print it. It is shown this once.
    Create(CreateArgs),
    /// List keys.
    List {
        /// Of this partner only.
        #[arg(long)]
        partner: Option<String>,
    },
    /// Show a key and what was done to it.
    Show {
        /// The key's id: the third piece of the key.
        id: String,
    },
    /// Show what was done to keys, newest first.
    Changes {
        /// How many lines.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// End a key at once.
    Revoke {
        /// The key's id.
        id: String,
    },
    /// Print a new key in place of this one, which ends after the overlap.
    Rotate {
        /// The key's id.
        id: String,
        /// How long the old key goes on, such as 7d, 12h, 30m or 0s.
        #[arg(long, default_value = "7d", value_parser = parse_duration)]
        overlap: Duration,
    },
}

/// What a new key is like.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// The partner's name: a-z, 0-9 and -.
    #[arg(long)]
    partner: String,
    /// live or test.
    #[arg(long)]
    environment: KeyEnvironment,
    /// What the key may do, such as products:read,orders:read,orders:write.
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// The plan whose limits it has.
    #[arg(long, default_value = "free")]
    plan: String,
    /// How long it lives, such as 90d; left out: until it is revoked.
    #[arg(long, value_parser = parse_duration)]
    expires_in: Option<Duration>,
    /// A network that it may be used from, such as 203.0.113.0/24; may be repeated. Left out: anywhere.
    #[arg(long = "cidr", value_delimiter = ',')]
    networks: Vec<IpNet>,
}

/// Runs a command. `out` gets what scripts read, `notes` what people read.
///
/// # Errors
/// When the store is away, what is asked for makes no key, or there is no such key.
pub async fn run(
    admin: &KeyAdmin,
    args: KeysArgs,
    now: Timestamp,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> anyhow::Result<()> {
    let (actor, source) = (actor(args.by), machine());
    let by = By { actor: &actor, source: &source };
    match args.command {
        KeysCommand::Create(args) => {
            let new = NewKey {
                partner: args.partner,
                environment: args.environment,
                plan: args.plan,
                scopes: args.scopes,
                networks: args.networks,
                expires_in: args.expires_in,
            };
            print_key(&admin.create(new, by).await?, out, notes)
        }
        KeysCommand::Rotate { id, overlap } => {
            let created = admin.rotate(&id, overlap, by).await.with_context(|| format!("key {id}"))?;
            print_key(&created, out, notes)?;
            Ok(writeln!(notes, "{id} goes on for {} s at most.", overlap.as_secs())?)
        }
        KeysCommand::Revoke { id } => {
            let ended = admin.revoke(&id, by).await.with_context(|| format!("key {id}"))?;
            let outcome = if ended { "is revoked" } else { "had been revoked before" };
            Ok(writeln!(notes, "{id} {outcome}.")?)
        }
        KeysCommand::List { partner } => {
            for key in admin.store().list(partner.as_deref()).await? {
                writeln!(out, "{}", line(&key, now))?;
            }
            Ok(())
        }
        KeysCommand::Show { id } => {
            let key = admin.store().find(&id).await?.with_context(|| format!("there is no key {id}"))?;
            writeln!(out, "{}", line(&key, now))?;
            for entry in admin.store().audit(&id).await? {
                writeln!(out, "  {}", change(&entry))?;
            }
            Ok(())
        }
        KeysCommand::Changes { limit } => {
            for entry in admin.store().changes(limit).await? {
                writeln!(out, "{}\t{}", entry.key_id, change(&entry))?;
            }
            Ok(())
        }
    }
}

fn print_key(created: &Created, out: &mut impl Write, notes: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}", created.key.expose())?;
    let record = &created.record;
    let end = record.expires_at.map_or("it is revoked".to_owned(), |end| end.to_string());
    writeln!(notes, "{} for {} ({}), until {end}.", record.id, record.partner, record.environment)?;
    Ok(writeln!(notes, "Keep the key now: it is not shown again.")?)
}

/// Columns with tabs between, for people and for `cut`.
fn line(key: &KeyRecord, now: Timestamp) -> String {
    let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let networks = if networks.is_empty() { "anywhere".to_owned() } else { networks.join(",") };
    let expires = key.expires_at.map_or("never".to_owned(), |end| end.to_string());
    [
        key.id.as_str(),
        key.partner.as_str(),
        key.environment.as_str(),
        key.plan.as_str(),
        match key.state(now) {
            super::KeyState::Active => "active",
            super::KeyState::Expired => "expired",
            super::KeyState::Revoked => "revoked",
        },
        &format!("expires {expires}"),
        &key.scopes.join(","),
        &networks,
    ]
    .join("\t")
}

/// A line of the log, with tabs between.
fn change(entry: &AuditEntry) -> String {
    let at = entry.at.to_string();
    [at.as_str(), &entry.action, &entry.actor, &entry.source, &entry.detail].join("\t")
}

/// Who asks: who they say they are, or the system's number for them.
fn actor(name: Option<String>) -> String {
    let number = || std::fs::metadata("/proc/self").map_or("?".to_owned(), |process| process.uid().to_string());
    format!("cli:{}", name.unwrap_or_else(|| format!("uid {}", number())))
}

/// The name of the machine that this runs on.
fn machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or("?".to_owned(), |name| name.trim().to_owned())
}

/// One line of printable characters.
fn parse_name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err("must be 1 to 64 printable characters".to_owned()) }
}

/// A whole number and a unit: s, m, h or d.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a whole number and s, m, h or d, such as 90d".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_a_number_and_a_unit() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(["90d", "12h", "30m", "0s"].map(seconds), [Some(7_776_000), Some(43_200), Some(1_800), Some(0)]);
        for wrong in ["", "d", "90", "1w", "-1d", "1.5h", "+1s", "99999999999999999999d", "213503982334602d", "1é"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}

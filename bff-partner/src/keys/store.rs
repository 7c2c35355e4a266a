//! Where keys and their audit log are kept.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{AnyConnection, Connection, Row, any::AnyRow};
use uuid::Uuid;

use super::{
    format::SecretHash,
    record::{KeyRecord, RecordError},
};
use crate::database::{Database, DatabaseError};

/// How long a reader may take in all.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be used.
    #[error("the key store cannot be used")]
    Away(#[from] DatabaseError),
    /// It did not answer in time.
    #[error("the key store did not answer within {READ_TIMEOUT:?}")]
    TimedOut,
    /// More keys that are not remembered were asked for than are looked up in a second.
    #[error("too many unknown keys were asked for at once")]
    Busy,
    /// Everything else that a database can say.
    #[error("the key store failed")]
    Database(#[from] sqlx::Error),
    /// A record that was not written by this program.
    #[error("a record of the key store cannot be read")]
    Record(#[source] RecordError),
    /// There is no such key.
    #[error("there is no such key")]
    Unknown,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Which key.
    pub key_id: String,
    /// `created`, `revoked` or `rotated`.
    pub action: String,
    /// Who, such as `cli:uid 1000` or `operator`.
    pub actor: String,
    /// From where: an address, or a machine's name; empty for what was written before this was kept.
    pub source: String,
    /// What else there is to say; never a secret.
    pub detail: String,
}

/// Who makes a change, and from where.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who, as far as that is known.
    pub actor: &'a str,
    /// An address, or a machine's name.
    pub source: &'a str,
}

/// The keys and their audit log. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct KeyStore {
    database: Database,
}

impl KeyStore {
    /// The keys of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The key of this id.
    ///
    /// # Errors
    /// When the store is away; that there is no such key is none.
    pub async fn find(&self, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        let read = async {
            let mut connection = self.database.connection().await?;
            let row =
                sqlx::query("SELECT * FROM api_keys WHERE id = $1").bind(id).fetch_optional(&mut *connection).await?;
            row.as_ref().map(record).transpose()
        };
        tokio::time::timeout(READ_TIMEOUT, read).await.map_err(|_| StoreError::TimedOut)?
    }

    /// All keys of a partner, or of all partners, oldest first.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn list(&self, partner: Option<&str>) -> Result<Vec<KeyRecord>, StoreError> {
        let all =
            "SELECT * FROM api_keys WHERE $1 IS NULL OR partner = $1 ORDER BY partner, environment, created_at, id";
        let mut connection = self.database.connection().await?;
        sqlx::query(all).bind(partner).fetch_all(&mut *connection).await?.iter().map(record).collect()
    }

    /// The audit log of a key, oldest first.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn audit(&self, id: &str) -> Result<Vec<AuditEntry>, StoreError> {
        let lines = "SELECT * FROM api_key_audit WHERE key_id = $1 ORDER BY at, id";
        let mut connection = self.database.connection().await?;
        sqlx::query(lines).bind(id).fetch_all(&mut *connection).await?.iter().map(audit_entry).collect()
    }

    /// The newest changes of all keys, newest first.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn changes(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let lines = "SELECT * FROM api_key_audit ORDER BY at DESC, id DESC LIMIT $1";
        let mut connection = self.database.connection().await?;
        sqlx::query(lines).bind(i64::from(limit)).fetch_all(&mut *connection).await?.iter().map(audit_entry).collect()
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn add(&self, key: &KeyRecord, by: By<'_>) -> Result<(), StoreError> {
        let mut connection = self.database.connection().await?;
        let mut change = connection.begin().await?;
        insert(&mut change, key).await?;
        let detail = format!("{} {} plan {}, scopes {}", key.partner, key.environment, key.plan, key.scopes.join(" "));
        note(&mut change, key.created_at, &key.id, "created", by, &detail).await?;
        Ok(change.commit().await?)
    }

    /// Ends a key. To end it again changes nothing. `true` when this call ended it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`]; when the store is away.
    pub async fn revoke(&self, id: &str, now: Timestamp, by: By<'_>) -> Result<bool, StoreError> {
        let mut connection = self.database.connection().await?;
        let mut change = connection.begin().await?;
        let ended = sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(now.as_millisecond())
            .execute(&mut *change)
            .await?;
        let changed = ended.rows_affected() > 0;
        if changed {
            note(&mut change, now, id, "revoked", by, "").await?;
        } else if sqlx::query("SELECT 1 FROM api_keys WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *change)
            .await?
            .is_none()
        {
            return Err(StoreError::Unknown);
        }
        change.commit().await?;
        Ok(changed)
    }

    /// Adds a key in place of another, which ends at `old_ends`, unless it ends earlier by itself.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the old one is not there, was revoked, or has been replaced already.
    pub async fn replace(&self, old: &str, new: &KeyRecord, old_ends: Timestamp, by: By<'_>) -> Result<(), StoreError> {
        let mut connection = self.database.connection().await?;
        let mut change = connection.begin().await?;
        let ends = old_ends.as_millisecond();
        let replaced = "UPDATE api_keys SET replaced_by = $2, \
                        expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END \
                        WHERE id = $1 AND revoked_at IS NULL AND replaced_by IS NULL";
        let changed = sqlx::query(replaced).bind(old).bind(&new.id).bind(ends).execute(&mut *change).await?;
        if changed.rows_affected() == 0 {
            return Err(StoreError::Unknown);
        }
        insert(&mut change, new).await?;
        note(&mut change, new.created_at, old, "rotated", by, &format!("replaced by {}", new.id)).await?;
        note(&mut change, new.created_at, &new.id, "created", by, &format!("replaces {old}")).await?;
        Ok(change.commit().await?)
    }
}

async fn insert(change: &mut AnyConnection, key: &KeyRecord) -> Result<(), StoreError> {
    let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let statement = "INSERT INTO api_keys (id, partner, environment, plan, scopes, networks, secret_hash, created_at, \
                     expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(statement)
        .bind(&key.id)
        .bind(&key.partner)
        .bind(key.environment.as_str())
        .bind(&key.plan)
        .bind(key.scopes.join(" "))
        .bind(networks.join(" "))
        .bind(key.secret_hash.to_string())
        .bind(key.created_at.as_millisecond())
        .bind(key.expires_at.map(Timestamp::as_millisecond))
        .execute(change)
        .await?;
    Ok(())
}

async fn note(
    change: &mut AnyConnection,
    at: Timestamp,
    key_id: &str,
    action: &str,
    by: By<'_>,
    detail: &str,
) -> Result<(), StoreError> {
    let statement = "INSERT INTO api_key_audit (id, at, key_id, action, actor, source, detail) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(statement)
        .bind(Uuid::now_v7().to_string())
        .bind(at.as_millisecond())
        .bind(key_id)
        .bind(action)
        .bind(by.actor)
        .bind(by.source)
        .bind(detail)
        .execute(change)
        .await?;
    Ok(())
}

fn damaged<E>(_: E) -> StoreError {
    StoreError::Record(RecordError::Damaged)
}

fn moment(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(damaged)
}

fn record(row: &AnyRow) -> Result<KeyRecord, StoreError> {
    let environment: String = row.try_get("environment")?;
    let (scopes, networks): (String, String) = (row.try_get("scopes")?, row.try_get("networks")?);
    let hash: String = row.try_get("secret_hash")?;
    Ok(KeyRecord {
        id: row.try_get("id")?,
        partner: row.try_get("partner")?,
        environment: environment.parse().map_err(StoreError::Record)?,
        plan: row.try_get("plan")?,
        scopes: scopes.split_ascii_whitespace().map(ToOwned::to_owned).collect(),
        networks: networks.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(damaged)?,
        secret_hash: SecretHash::from_hex(&hash).ok_or(StoreError::Record(RecordError::Damaged))?,
        created_at: moment(row.try_get("created_at")?)?,
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(moment).transpose()?,
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(moment).transpose()?,
        replaced_by: row.try_get("replaced_by")?,
    })
}

fn audit_entry(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        at: moment(row.try_get("at")?)?,
        key_id: row.try_get("key_id")?,
        action: row.try_get("action")?,
        actor: row.try_get("actor")?,
        source: row.try_get("source")?,
        detail: row.try_get("detail")?,
    })
}

//! A server of PostgreSQL.

use std::{net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    AnyPool, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode},
};
use tokio::sync::watch;

use super::{DatabaseError, WAIT, beside_newer, common_migrations};

/// For each connection: no statement of ours takes long, so one that does is stuck.
const LIMITS: &str = "SET statement_timeout = 2000; SET lock_timeout = 2000; \
                      SET idle_in_transaction_session_timeout = 10000;";

/// How long making the tables may take in all; another replica may be making them.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a start waits for the tables.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server that could not be reached is left alone before its tables are looked at again.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Whether this process has seen to it that the tables are there; why not, if not. None: nobody knows yet.
type Tables = Option<Result<(), Arc<DatabaseError>>>;

/// The server.
#[derive(Clone)]
pub(super) struct Server {
    tables: watch::Receiver<Tables>,
    channel: Channel,
}

/// Where PostgreSQL tells what has changed.
#[derive(Clone)]
pub struct Channel {
    address: PgConnectOptions,
}

/// How an address leads to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Within this machine.
    Local,
    /// Over a network, to a server whose certificate is for its name and from an authority that is believed.
    Verified,
    /// Over a network, to whoever answers; encrypted or not.
    Unverified,
}

impl Reach {
    /// # Errors
    /// [`DatabaseError::Parameters`].
    pub(super) fn of(url: &str) -> Result<Self, DatabaseError> {
        let address = PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Parameters)?;
        Ok(match address.get_ssl_mode() {
            _ if address.get_socket().is_some() || is_this_machine(address.get_host()) => Self::Local,
            PgSslMode::VerifyFull => Self::Verified,
            // An authority that is believed gives certificates to others, too.
            PgSslMode::VerifyCa | PgSslMode::Require | PgSslMode::Prefer | PgSslMode::Allow | PgSslMode::Disable => {
                Self::Unverified
            }
        })
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Server {
    /// Knows the server, and makes the tables where they are missing: now if it is there, or as soon as it is.
    pub(super) async fn open(url: &str, pool: AnyPoolOptions) -> Result<(AnyPool, Self), DatabaseError> {
        let address = PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Address)?;
        if address.get_database().is_none_or(str::is_empty) {
            return Err(DatabaseError::Address);
        }
        let options = AnyConnectOptions::from_str(url).map_err(|_| DatabaseError::Address)?;
        let pool = pool.after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(LIMITS).await?;
                Ok(())
            })
        });
        let (tell, tables) = watch::channel(None);
        tokio::spawn(make_tables(options.clone(), tell));
        let server = Self { tables, channel: Channel { address } };
        let mut tables = server.tables.clone();
        let _ = tokio::time::timeout(START_TIMEOUT, tables.wait_for(Option::is_some)).await;
        if let Some(Err(error)) = &*server.tables.borrow() {
            if is_lasting(error) {
                return Err(DatabaseError::Away(Arc::clone(error)));
            }
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "the database is away; its tables are looked at when it is back");
        }
        Ok((pool.connect_lazy_with(options), server))
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether the tables are there.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        match &*self.tables.borrow() {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(DatabaseError::Away(Arc::clone(error))),
            None => Err(DatabaseError::TimedOut(START_TIMEOUT)),
        }
    }
}

/// Makes the tables, again and again until that has succeeded, cannot succeed, or nobody waits for it.
async fn make_tables(options: AnyConnectOptions, tell: watch::Sender<Tables>) {
    while !tell.is_closed() {
        let made = tokio::time::timeout(MIGRATION_TIMEOUT, migrate(&options)).await;
        let made = made.unwrap_or(Err(DatabaseError::TimedOut(MIGRATION_TIMEOUT))).map_err(Arc::new);
        let over = made.as_ref().map_or_else(|error| is_lasting(error), |()| true);
        tell.send_replace(Some(made));
        if over {
            return;
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn migrate(options: &AnyConnectOptions) -> Result<(), DatabaseError> {
    // A pool of its own: what is said about time to the other connections does not hold for these statements.
    let pool = AnyPoolOptions::new().max_connections(1).acquire_timeout(WAIT);
    let pool = pool.connect_with(options.clone()).await.map_err(DatabaseError::Open)?;
    common_migrations().run(&pool).await.map_err(DatabaseError::Migrate)?;
    own_migrations().run(&pool).await.map_err(DatabaseError::Migrate)?;
    pool.close().await;
    Ok(())
}

/// Tables that do not fit this binary will not fit later.
fn is_lasting(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Migrate(MigrateError::VersionMismatch(_) | MigrateError::Dirty(_)))
}

/// What SQLite has not.
fn own_migrations() -> Migrator {
    beside_newer(sqlx::migrate!("./migrations/postgresql"))
}

impl Channel {
    /// Listens to these topics on a connection of its own, which is not opened again when it is lost.
    ///
    /// # Errors
    /// When the server is away.
    pub async fn listen(&self, topics: &[&str]) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(WAIT);
        // It listens for as long as it lives. A pool of its own, since a connection that hangs is given back late.
        let pool = pool.max_lifetime(None).idle_timeout(None).connect_lazy_with(self.address.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen_all(topics.iter().copied()).await?;
        Ok(listener)
    }
}

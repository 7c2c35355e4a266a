//! The database that keeps keys and operations: a SQLite file for one machine, or PostgreSQL for replicas on several.
//!
//! Statements and migrations are written in what both take, so there is one set of functions over either. The engine
//! shows in how a connection is made, and in what makes the database count as away: see [`sqlite`] and [`postgresql`].

mod postgresql;
mod sqlite;

use std::{path::PathBuf, sync::Arc, time::Duration};

use shared_lib::settings::Secret;
use sqlx::{
    Any, AnyPool,
    any::AnyPoolOptions,
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
};
use tokio::runtime::Handle;

pub use self::postgresql::{Channel, Reach};
use self::{postgresql::Server, sqlite::File};

/// How long a caller waits for a connection, and a writer of SQLite for another one.
const WAIT: Duration = Duration::from_secs(2);

/// What is asked often is cached, so few connections are needed.
const CONNECTIONS: u32 = 4;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is of no engine that there is, or incomplete.
    #[error(
        "the address must be like sqlite:///var/lib/bff-partner/keys.db, or postgres://user:password@host/database"
    )]
    Address,
    /// The address has a part that PostgreSQL does not know.
    #[error("has a part that cannot be read, such as an sslmode that there is not")]
    Parameters,
    /// The folder of the file cannot be made.
    #[error("the folder {} cannot be made", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file was deleted or put aside while it was open. What is still open is no longer what others see.
    #[error("the file has been replaced or deleted")]
    FileLost,
    /// It cannot be reached or opened.
    #[error("the database cannot be opened")]
    Open(#[source] sqlx::Error),
    /// It is away, or its tables are not ready; it is tried again.
    #[error("the database is away")]
    Away(#[source] Arc<DatabaseError>),
    /// No connection could be had.
    #[error("no connection to the database could be had")]
    Connection(#[source] sqlx::Error),
    /// The process is on its way out.
    #[error("the process ends")]
    Ending,
    /// It did not answer.
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
    /// The tables could not be brought up to date.
    #[error("the tables cannot be brought up to date")]
    Migrate(#[source] MigrateError),
}

/// The database. Cheap to clone; crosses threads.
///
/// A connection lives on the runtime on which it was opened. Workers have runtimes of their own, which end one by one when the
/// process leaves; a connection that one of them had opened would break under the others, and under what is written last. So
/// all are opened on the runtime of [`open`](Self::open), which is the process's own.
#[derive(Clone)]
pub struct Database {
    pool: AnyPool,
    engine: Engine,
    home: Handle,
}

#[derive(Clone)]
enum Engine {
    Sqlite(File),
    Postgresql(Arc<Server>),
}

impl Database {
    /// Opens the database and makes its tables where they are missing; for SQLite the file and its folder too.
    ///
    /// A PostgreSQL that is away is no error here: its tables are made as soon as it is there, and until then
    /// [`connection`](Self::connection) says that it is away.
    ///
    /// # Errors
    /// [`DatabaseError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(url: &Secret) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT);
        let (pool, engine) = if is_postgresql(url.expose()) {
            let (pool, server) = Server::open(url.expose(), options).await?;
            (pool, Engine::Postgresql(Arc::new(server)))
        } else {
            let (pool, file) = File::open(url.expose(), options).await?;
            (pool, Engine::Sqlite(file))
        };
        Ok(Self { pool, engine, home: Handle::current() })
    }

    /// A connection, as long as the database is the one that was opened and its tables are there.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn connection(&self) -> Result<PoolConnection<Any>, DatabaseError> {
        match &self.engine {
            Engine::Sqlite(file) => file.check().await?,
            Engine::Postgresql(server) => server.check()?,
        }
        let pool = self.pool.clone();
        let acquired = self.home.spawn(async move { pool.acquire().await }).await;
        acquired.map_err(|_| DatabaseError::Ending)?.map_err(DatabaseError::Connection)
    }

    /// Where PostgreSQL tells what has changed. SQLite has nobody to tell.
    #[must_use]
    pub fn channel(&self) -> Option<&Channel> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgresql(server) => Some(server.channel()),
        }
    }
}

/// How an address leads to PostgreSQL; none for one of SQLite.
///
/// # Errors
/// [`DatabaseError::Parameters`].
#[must_use]
pub fn reach(url: &str) -> Option<Result<Reach, DatabaseError>> {
    is_postgresql(url).then(|| Reach::of(url))
}

/// Whether an address is one of PostgreSQL.
#[must_use]
pub fn is_postgresql(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A binary goes on with tables that a newer one has changed, since replicas are not replaced all at once; so a migration
/// only ever adds.
fn beside_newer(mut migrations: Migrator) -> Migrator {
    migrations.set_ignore_missing(true);
    migrations
}

/// What both engines have.
fn common_migrations() -> Migrator {
    beside_newer(sqlx::migrate!("./migrations"))
}

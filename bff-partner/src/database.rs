//! The SQLite file that keeps keys and operations.
//!
//! Statements and migrations are written so that PostgreSQL takes them too: a second engine is another pool behind the
//! same functions.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked often is cached, so few connections are needed.
const CONNECTIONS: u32 = 4;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is not one of SQLite, or has no file.
    #[error("the address must be like sqlite:///var/lib/bff-partner/keys.db")]
    Address,
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
    /// It cannot be opened.
    #[error("the file cannot be opened")]
    Open(#[source] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the tables cannot be brought up to date")]
    Migrate(#[source] MigrateError),
}

/// The open file. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Database {
    pool: SqlitePool,
    file: PathBuf,
    /// Device and number of the file that is open.
    identity: (u64, u64),
}

impl Database {
    /// Opens the file, and makes its folder, itself and its tables where they are missing.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| DatabaseError::Address)?;
        let file = options.get_filename().to_owned();
        let name = file.to_string_lossy();
        if name.is_empty() || name == ":memory:" || name.starts_with("file:") {
            return Err(DatabaseError::Address);
        }
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(|source| DatabaseError::Folder { path: folder.to_owned(), source })?;
        }
        let options = options
            .create_if_missing(true)
            // Readers and the one writer, who may be the command line, do not wait for each other.
            .journal_mode(SqliteJournalMode::Wal)
            // A revocation that was confirmed must be there after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(BUSY_TIMEOUT);
        let pool = pool.connect_with(options).await.map_err(DatabaseError::Open)?;
        MIGRATIONS.run(&pool).await.map_err(DatabaseError::Migrate)?;
        let identity = identity(&file).await.ok_or(DatabaseError::FileLost)?;
        Ok(Self { pool, file, identity })
    }

    /// The connections, as long as the file is the one that was opened. A deleted file stays readable for who has it
    /// open, so without this look two processes could go on with two files.
    ///
    /// # Errors
    /// [`DatabaseError::FileLost`].
    pub async fn connections(&self) -> Result<&SqlitePool, DatabaseError> {
        if identity(&self.file).await == Some(self.identity) { Ok(&self.pool) } else { Err(DatabaseError::FileLost) }
    }
}

/// Which file stands at the path: its device and its number.
async fn identity(file: &Path) -> Option<(u64, u64)> {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.dev(), metadata.ino()))
}

//! A file of SQLite.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::{
    AnyPool, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    sqlite::SqliteConnectOptions,
};
use url::Url;

use super::{DatabaseError, common_migrations};

/// For each connection. With a write-ahead log readers and the one writer, who may be the command line, do not wait for
/// each other; a revocation that was confirmed must be there after a power cut; and a writer waits for another one as
/// long as [`WAIT`](super::WAIT).
const PRAGMAS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

/// The open file.
#[derive(Clone)]
pub(super) struct File {
    path: PathBuf,
    /// Device and number of the file that is open.
    identity: (u64, u64),
}

impl File {
    /// Opens the file, and makes its folder, itself and its tables where they are missing.
    pub(super) async fn open(url: &str, pool: AnyPoolOptions) -> Result<(AnyPool, Self), DatabaseError> {
        let path = path(url)?;
        if let Some(folder) = path.parent() {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(|source| DatabaseError::Folder { path: folder.to_owned(), source })?;
        }
        let pool = pool.after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(PRAGMAS).await?;
                Ok(())
            })
        });
        let pool = pool.connect_with(options(&path)?).await.map_err(DatabaseError::Open)?;
        common_migrations().run(&pool).await.map_err(DatabaseError::Migrate)?;
        let identity = identity(&path).await.ok_or(DatabaseError::FileLost)?;
        Ok((pool, Self { path, identity }))
    }

    /// Whether the file is the one that was opened. A deleted file stays readable for who has it open, so without this
    /// look two processes could go on with two files.
    pub(super) async fn check(&self) -> Result<(), DatabaseError> {
        if identity(&self.path).await == Some(self.identity) { Ok(()) } else { Err(DatabaseError::FileLost) }
    }
}

/// The absolute path of the file that an address names.
fn path(url: &str) -> Result<PathBuf, DatabaseError> {
    if !url.starts_with("sqlite:") {
        return Err(DatabaseError::Address);
    }
    let named = SqliteConnectOptions::from_str(url).map_err(|_| DatabaseError::Address)?;
    let name = named.get_filename().to_string_lossy().into_owned();
    if name.is_empty() || name == ":memory:" || name.starts_with("file:") {
        return Err(DatabaseError::Address);
    }
    std::path::absolute(Path::new(&name)).map_err(|_| DatabaseError::Address)
}

/// The file's address as the driver takes it, with whatever the path has escaped.
fn options(path: &Path) -> Result<AnyConnectOptions, DatabaseError> {
    let mut url = Url::from_file_path(path).map_err(|()| DatabaseError::Address)?;
    url.set_query(Some("mode=rwc"));
    let url = format!("sqlite{}", url.as_str().trim_start_matches("file"));
    AnyConnectOptions::from_str(&url).map_err(|_| DatabaseError::Address)
}

/// Which file stands at the path: its device and its number.
async fn identity(file: &Path) -> Option<(u64, u64)> {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    #[actix_web::test]
    async fn a_path_with_unusual_characters_is_the_path_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a b %20 ä ?#").join("keys.db");
        let url = format!("sqlite://{}", path.display().to_string().replace('%', "%25").replace('?', "%3F"));
        sqlx::any::install_default_drivers();
        let (pool, file) = File::open(&url, AnyPoolOptions::new()).await.expect("it opens");
        assert!(path.is_file(), "{:?}", file.path);
        let pragmas = "SELECT j.journal_mode, CAST(s.synchronous AS TEXT), CAST(b.timeout AS TEXT) \
                       FROM pragma_journal_mode j, pragma_synchronous s, pragma_busy_timeout b";
        let row = sqlx::query(pragmas).fetch_one(&pool).await.expect("a row");
        let values = [0, 1, 2].map(|at| row.get::<String, _>(at));
        assert_eq!(values, ["wal", "2", "2000"], "the log, what is flushed, how long a writer waits");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for url in ["sqlite://", "sqlite::memory:", "sqlite://:memory:", "sqlite://file:x", "mysql://x"] {
            assert!(path(url).is_err(), "{url}");
        }
    }
}

//! The application that was built into the program: the folder that `BFF_WEB_SPA_FOLDER` named when it was compiled.

use actix_web::web::Bytes;

use super::files::{Files, FilesError};

/// Names relative to the folder, and contents.
type Entries = [(&'static str, &'static [u8])];

const ENTRIES: &Entries = include!(concat!(env!("OUT_DIR"), "/spa_files.rs"));

/// Its files; none where nothing was built in.
pub(super) fn files() -> Result<Option<Files>, FilesError> {
    if ENTRIES.is_empty() {
        return Ok(None);
    }
    let entries = ENTRIES.iter().map(|(name, content)| ((*name).to_owned(), Bytes::from_static(content)));
    Files::new(entries.collect()).map(Some)
}

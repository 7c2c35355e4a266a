//! The application's files, read once at the start.
//!
//! A request can only name what was read then: there is no path that leads out of the folder, and nothing that was put
//! beside it later. Names that begin with a dot are left out (but `/.well-known`, RFC 8615), and so are links that lead
//! out of the folder.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use actix_web::web::Bytes;
use shared_lib::conditional::Coding;
use url::Url;

use super::{asset::Asset, page::Page};

/// Where the ending of a file that was compressed by the build leads.
const CODED: [(&str, Coding); 3] = [(".br", Coding::Brotli), (".zst", Coding::Zstd), (".gz", Coding::Gzip)];

const WELL_KNOWN: &str = ".well-known";

/// Why the application cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file or folder could not be read.
    #[error("[spa] folder: {path} cannot be read", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than allowed.
    #[error("[spa] folder: the files take more than max_bytes ({0})")]
    TooLarge(u64),
    /// It has no page to begin with.
    #[error("[spa] folder: there is no index.html")]
    NoIndex,
    /// A page is not text.
    #[error("[spa] folder: {0} is not UTF-8")]
    NotText(String),
}

/// The files by the paths that they are asked for by.
#[derive(Debug)]
pub(super) struct Files {
    assets: HashMap<String, Asset>,
    pages: HashMap<String, Page>,
    index: Page,
}

impl Files {
    /// From a folder.
    pub(super) fn read(folder: &Path, max_bytes: u64) -> Result<Self, FilesError> {
        let root = folder.canonicalize().map_err(|source| unreadable(folder, source))?;
        let mut walk = Walk { root: root.clone(), left: max_bytes, max_bytes, found: BTreeMap::new() };
        walk.folder(&root, "")?;
        Self::new(walk.found)
    }

    /// From names relative to the folder, with slashes, and contents.
    pub(super) fn new(mut found: BTreeMap<String, Bytes>) -> Result<Self, FilesError> {
        let mut coded: HashMap<String, Vec<(Coding, Bytes)>> = HashMap::new();
        let beside: Vec<(String, String, Coding)> = found
            .keys()
            .filter_map(|name| {
                let (plain, coding) =
                    CODED.iter().find_map(|(end, coding)| Some((name.strip_suffix(end)?, *coding)))?;
                found.contains_key(plain).then(|| (name.clone(), plain.to_owned(), coding))
            })
            .collect();
        for (name, plain, coding) in beside {
            if let Some(content) = found.remove(&name) {
                coded.entry(plain).or_default().push((coding, content));
            }
        }
        let (mut assets, mut pages) = (HashMap::new(), HashMap::new());
        for (name, content) in found {
            let path = url_path(&name);
            if name.ends_with(".html") {
                let html = std::str::from_utf8(&content).map_err(|_| FilesError::NotText(name))?;
                pages.insert(path, Page::new(html));
            } else {
                let coded = coded.remove(&name).unwrap_or_default();
                assets.insert(path, Asset::new(&name, content, &coded));
            }
        }
        let index = pages.remove("/index.html").ok_or(FilesError::NoIndex)?;
        Ok(Self { assets, pages, index })
    }

    pub(super) fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.get(path)
    }

    /// A page that the build has made for this path, such as `/about/index.html` for `/about`.
    pub(super) fn page(&self, path: &str) -> Option<&Page> {
        if path == "/" || path == "/index.html" {
            return Some(&self.index);
        }
        self.pages.get(path).or_else(|| self.pages.get(&format!("{}/index.html", path.trim_end_matches('/'))))
    }

    /// The page that every other one is made from in the browser.
    pub(super) fn index(&self) -> &Page {
        &self.index
    }
}

fn unreadable(path: &Path, source: io::Error) -> FilesError {
    FilesError::Unreadable { path: path.to_owned(), source }
}

/// The path of a name as browsers write it.
fn url_path(name: &str) -> String {
    let mut url = Url::parse("file:///").ok();
    if let Some(mut segments) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        segments.pop_if_empty().extend(name.split('/'));
    }
    url.map_or_else(|| format!("/{name}"), |url| url.path().to_owned())
}

struct Walk {
    root: PathBuf,
    left: u64,
    max_bytes: u64,
    found: BTreeMap<String, Bytes>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), FilesError> {
        let entries = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(folder, source))?;
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                tracing::warn!(file = %path.display(), "its name is not UTF-8, so it is not served");
                continue;
            };
            let is_well_known = prefix.is_empty() && name == WELL_KNOWN;
            if name.starts_with('.') && !is_well_known {
                continue;
            }
            let kind = entry.file_type().map_err(|source| unreadable(&path, source))?;
            if kind.is_dir() {
                self.folder(&path, &format!("{prefix}{name}/"))?;
            } else if kind.is_file() || self.leads_to_file_inside(&path) {
                self.file(&path, format!("{prefix}{name}"))?;
            } else {
                tracing::warn!(file = %path.display(), "it is no file of this folder, so it is not served");
            }
        }
        Ok(())
    }

    /// Whether a link leads to a file of the folder, as in a mounted Kubernetes volume.
    fn leads_to_file_inside(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|target| target.starts_with(&self.root) && target.is_file())
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), FilesError> {
        let bytes = fs::metadata(path).map_err(|source| unreadable(path, source))?.len();
        self.left = self.left.checked_sub(bytes).ok_or(FilesError::TooLarge(self.max_bytes))?;
        let content = fs::read(path).map_err(|source| unreadable(path, source))?;
        self.found.insert(name, Bytes::from(content));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Files {
        let found = names.iter().map(|name| ((*name).to_owned(), Bytes::from_static(b"x")));
        Files::new(found.collect()).expect("they can be served")
    }

    #[test]
    fn what_was_compressed_beside_a_file_is_no_file_of_its_own() {
        let files = files(&["index.html", "index.html.br", "a.js", "a.js.br", "a.js.gz", "b.tar.gz", "ü c.txt"]);
        for (path, is_there) in [
            ("/a.js", true),
            ("/a.js.br", false),
            ("/a.js.gz", false),
            ("/index.html.br", false),
            ("/b.tar.gz", true),
            ("/%C3%BC%20c.txt", true),
            ("/index.html", false),
        ] {
            assert_eq!(files.asset(path).is_some(), is_there, "{path}");
        }
    }

    #[test]
    fn a_page_made_by_the_build_answers_for_its_folder() {
        let files = files(&["index.html", "about/index.html"]);
        for (path, is_there) in [
            ("/", true),
            ("/index.html", true),
            ("/about", true),
            ("/about/", true),
            ("/about/index.html", true),
            ("/x", false),
        ] {
            assert_eq!(files.page(path).is_some(), is_there, "{path}");
        }
    }

    #[test]
    fn a_folder_without_a_first_page_is_refused() {
        assert!(matches!(Files::new(BTreeMap::new()), Err(FilesError::NoIndex)));
    }
}

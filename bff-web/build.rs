//! Generates the gRPC client of the notification service (protox reads the proto file, so no protoc is needed) and the list
//! of the application's files that are built in.

#![expect(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

const INCLUDE: &str = "../contracts/proto";
const NOTIFICATIONS: &str = "trifront/notifications/v1/notifications.proto";

/// The folder with the built application; without it nothing is built in.
const SPA_FOLDER: &str = "BFF_WEB_SPA_FOLDER";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={INCLUDE}");
    let files = protox::compile([NOTIFICATIONS], [INCLUDE])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;

    println!("cargo:rerun-if-env-changed={SPA_FOLDER}");
    let mut entries = String::from("&[");
    if let Some(folder) = env::var_os(SPA_FOLDER).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder).canonicalize()?;
        println!("cargo:rerun-if-changed={}", folder.display());
        list(&folder, "", &mut entries)?;
    }
    entries.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("spa_files.rs"), entries)?;
    Ok(())
}

/// Writes `(name, content)` for every file below the folder whose name does not begin with a dot.
fn list(folder: &Path, prefix: &str, entries: &mut String) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if name.starts_with('.') && !(prefix.is_empty() && name == ".well-known") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), entries)?;
        } else if kind.is_file() {
            let path = entry.path();
            write!(entries, "({:?}, include_bytes!({:?}) as &[u8]),", format!("{prefix}{name}"), path)?;
        }
    }
    Ok(())
}
